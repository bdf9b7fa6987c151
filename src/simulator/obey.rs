//! How a device obeys: every command that it knows, and how it says no to the rest.

use plist::{Dictionary, Value};

use crate::simulator::{
    device::{Device, Installed},
    error::Error,
    information, inventory,
    passcode::Passcode,
    profile::Profile,
    propertylist::dictionary,
    refusal::Refusal,
};

/// What becomes of the device once its answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It stays managed.
    Continue,
    /// The enrollment profile came anew: the device fetches the certificate that it describes.
    NewIdentity,
    /// Its owner's employer let go of it: the enrollment profile is gone, and all that came with it.
    Removed,
    /// It is erased.
    Wiped,
}

/// An answer to a command.
#[derive(Debug, Clone)]
pub struct Reply {
    /// `Acknowledged`, `Error` or `NotNow`.
    pub status: &'static str,
    /// The keys that this command's answer has beside the common ones.
    pub keys: Dictionary,
    /// What happens next.
    pub after: After,
}

impl Reply {
    fn acknowledged(keys: Dictionary) -> Self {
        Self { status: "Acknowledged", keys, after: After::Continue }
    }

    fn refused(refusal: Refusal) -> Self {
        Self { status: "Error", keys: dictionary([("ErrorChain", refusal.chain())]), after: After::Continue }
    }
}

type Obeyed = Result<Reply, Refusal>;

impl Device {
    /// Answers a command.
    pub fn answer(&mut self, uuid: &str, command: &Dictionary) -> Reply {
        let kind = command.get("RequestType").and_then(Value::as_string).unwrap_or_default();
        let Some(right) = right(kind) else { return Reply::refused(Refusal::InvalidRequestType) };
        if right != 0 && self.rights() & right == 0 {
            return Reply::refused(Refusal::NotAuthorized);
        }
        if self.puts_off(kind, uuid) {
            return Reply { status: "NotNow", keys: Dictionary::new(), after: After::Continue };
        }
        self.obey(kind, command).unwrap_or_else(Reply::refused)
    }

    fn puts_off(&mut self, kind: &str, uuid: &str) -> bool {
        // The others must be answered even while the device is locked.
        let may = ["SecurityInfo", "InstallProfile", "RemoveProfile", "ManagedApplicationList", "Settings"].contains(&kind);
        self.defers && may && *self.deferred.entry(uuid.to_owned()).or_insert(self.session) == self.session
    }

    fn obey(&mut self, kind: &str, command: &Dictionary) -> Obeyed {
        let managed_only = command.get("ManagedOnly").and_then(Value::as_boolean).unwrap_or(false);
        let one = |key: &str, value: Value| Ok(Reply::acknowledged(dictionary([(key, value)])));
        match kind {
            "DeviceInformation" => one("QueryResponses", Value::Dictionary(information::responses(self, command))),
            "SecurityInfo" => one("SecurityInfo", Value::Dictionary(information::security(self))),
            "ProfileList" => one("ProfileList", Value::Array(inventory::profiles(self, managed_only))),
            "ProvisioningProfileList" => one("ProvisioningProfileList", Value::Array(Vec::new())),
            "CertificateList" => one("CertificateList", Value::Array(inventory::certificates(self))),
            "InstalledApplicationList" => one("InstalledApplicationList", Value::Array(inventory::applications(managed_only))),
            "ManagedApplicationList" => one("ManagedApplicationList", Value::Dictionary(Dictionary::new())),
            "Restrictions" => one("GlobalRestrictions", Value::Dictionary(inventory::restrictions(self))),
            "Settings" => self.settings(command),
            "InstallProfile" => self.install(command),
            "RemoveProfile" => self.remove(command),
            "DeviceLock" => Ok(Reply::acknowledged(self.lock(command))),
            "ClearPasscode" => self.clear_passcode(command),
            "EraseDevice" => Ok(Reply { after: After::Wiped, ..Reply::acknowledged(Dictionary::new()) }),
            _ => Ok(Reply::acknowledged(Dictionary::new())),
        }
    }

    fn install(&mut self, command: &Dictionary) -> Obeyed {
        let bytes = command.get("Payload").and_then(Value::as_data).ok_or(Refusal::MalformedRequest)?;
        let profile = Profile::read(bytes, &self.anchors).map_err(|error| match error {
            Error::Crypto { .. } => Refusal::BadSignature,
            _ => Refusal::MalformedProfile,
        })?;
        let mdm = profile.mdm().map_err(|_| Refusal::MalformedProfile)?;
        let mut after = After::Continue;
        if let (Some(new), Some(management)) = (mdm, &mut self.management) {
            management.replace(&profile.identifier, new)?;
            after = After::NewIdentity;
        }
        self.profiles.retain(|installed| installed.profile.identifier != profile.identifier);
        self.profiles.push(Installed { profile, managed: true });
        Ok(Reply { after, ..Reply::acknowledged(Dictionary::new()) })
    }

    fn remove(&mut self, command: &Dictionary) -> Obeyed {
        let identifier = command.get("Identifier").and_then(Value::as_string).ok_or(Refusal::MalformedRequest)?;
        let place = self.profiles.iter().position(|installed| installed.profile.identifier == identifier).ok_or(Refusal::NotInstalled)?;
        if !self.profiles.get(place).is_some_and(|installed| installed.managed) {
            return Err(Refusal::NotManaged);
        }
        let mut reply = Reply::acknowledged(Dictionary::new());
        if self.management.as_ref().is_some_and(|management| management.identifier == identifier) {
            reply.after = After::Removed;
        } else {
            self.profiles.remove(place);
        }
        Ok(reply)
    }

    fn lock(&self, command: &Dictionary) -> Dictionary {
        let speaks = command.contains_key("Message") || command.contains_key("PhoneNumber");
        let result = if self.passcode.is_present() { "Success" } else { "NoPasscodeSet" };
        if speaks { dictionary([("MessageResult", result.into())]) } else { Dictionary::new() }
    }

    fn clear_passcode(&mut self, command: &Dictionary) -> Obeyed {
        let token = command.get("UnlockToken").and_then(Value::as_data).ok_or(Refusal::MalformedRequest)?;
        if token != self.unlock_token {
            return Err(Refusal::CannotClearPasscode);
        }
        self.passcode = Passcode::None;
        Ok(Reply::acknowledged(Dictionary::new()))
    }

    /// Every item is answered for itself.
    fn settings(&mut self, command: &Dictionary) -> Obeyed {
        let items = command.get("Settings").and_then(Value::as_array).ok_or(Refusal::MalformedRequest)?;
        let answers = items.iter().map(|item| match self.set(item) {
            Ok(()) => dictionary([("Status", "Acknowledged".into())]),
            Err(refusal) => dictionary([("Status", "Error".into()), ("ErrorChain", refusal.chain())]),
        });
        let answers = answers.map(Value::Dictionary).collect();
        Ok(Reply::acknowledged(dictionary([("Settings", Value::Array(answers))])))
    }

    fn set(&mut self, item: &Value) -> Result<(), Refusal> {
        let item = item.as_dictionary().ok_or(Refusal::InvalidSetting)?;
        let name = item.get("Item").and_then(Value::as_string).unwrap_or_default();
        match name {
            "OrganizationInfo" | "MDMOptions" => {
                match item.get(name) {
                    Some(value) => self.settings.insert(name.to_owned(), value.clone()),
                    None => self.settings.remove(name),
                };
                Ok(())
            }
            "DataRoaming" | "VoiceRoaming" | "PersonalHotspot" | "ApplicationConfiguration" | "ApplicationAttributes" => Ok(()),
            _ => Err(Refusal::InvalidSetting),
        }
    }
}

/// The bit of `AccessRights` that a command needs, 0 where it needs none; none where iOS does not know the command.
fn right(kind: &str) -> Option<u64> {
    Some(match kind {
        "DeviceInformation" | "DeclarativeManagement" => 0,
        "ProfileList" | "CertificateList" => 1,
        "InstallProfile" | "RemoveProfile" => 2,
        "DeviceLock" | "ClearPasscode" => 4,
        "EraseDevice" => 8,
        "ProvisioningProfileList" => 64,
        "InstalledApplicationList" => 256,
        "Restrictions" => 512,
        "SecurityInfo" => 1024,
        "Settings" => 2048,
        "ManagedApplicationList" => 4096,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{keychain::Identity, model::Model, propertylist};

    const MDM: &str = "com.example.mdm";

    fn payload(kind: &str, keys: Dictionary) -> Value {
        let mut body = dictionary([("PayloadType", kind.into()), ("PayloadVersion", 1.into())]);
        body.insert("PayloadIdentifier".into(), format!("x.{kind}").into());
        body.insert("PayloadUUID".into(), uuid::Uuid::new_v4().to_string().into());
        body.extend(keys);
        Value::Dictionary(body)
    }

    fn profile(identifier: &str, payload: Value) -> Vec<u8> {
        let top = dictionary([
            ("PayloadType", "Configuration".into()),
            ("PayloadVersion", 1.into()),
            ("PayloadIdentifier", identifier.into()),
            ("PayloadUUID", uuid::Uuid::new_v4().to_string().into()),
            ("PayloadContent", Value::Array(vec![payload])),
        ]);
        propertylist::write(top, false).unwrap()
    }

    fn enrollment(rights: u64) -> Vec<u8> {
        let keys = dictionary([
            ("ServerURL", "https://mdm.example.com/mdm/connect".into()),
            ("Topic", "com.apple.mgmt.x".into()),
            ("AccessRights", rights.into()),
            ("IdentityCertificateUUID", "u".into()),
        ]);
        profile(MDM, payload("com.apple.mdm", keys))
    }

    fn device(rights: u64, passcode: Passcode, defers: bool) -> Device {
        let mut device = Device::new(Model::numbered("t", 0), passcode, defers).unwrap();
        let profile = Profile::read(&enrollment(rights), &[]).unwrap();
        let mdm = profile.mdm().unwrap().unwrap();
        device.enroll(profile, mdm, Identity::stranger("phone").unwrap().certificate, Vec::new());
        device
    }

    fn ask<const N: usize>(device: &mut Device, kind: &str, keys: [(&str, Value); N]) -> Reply {
        let mut command = dictionary(keys);
        command.insert("RequestType".into(), kind.into());
        device.answer("c1", &command)
    }

    fn code(reply: &Reply) -> u64 {
        let link = reply.keys["ErrorChain"].as_array().unwrap()[0].as_dictionary().unwrap();
        link["ErrorCode"].as_unsigned_integer().unwrap()
    }

    fn policy(length: u64) -> Vec<u8> {
        let keys = dictionary([("forcePIN", true.into()), ("minLength", length.into())]);
        profile("com.example.passcode", payload("com.apple.mobiledevice.passwordpolicy", keys))
    }

    #[test]
    fn a_policy_makes_a_weak_passcode_noncompliant_until_it_goes() {
        let mut device = device(8191, Passcode::Weak, false);
        let compliant = |device: &mut Device| {
            let reply = ask(device, "SecurityInfo", []);
            let info = reply.keys["SecurityInfo"].as_dictionary().unwrap().clone();
            assert_eq!(info["PasscodePresent"].as_boolean(), Some(true));
            info["PasscodeCompliantWithProfiles"].as_boolean().unwrap()
        };
        assert!(compliant(&mut device));
        assert_eq!(ask(&mut device, "InstallProfile", [("Payload", Value::Data(policy(6)))]).status, "Acknowledged");
        assert!(!compliant(&mut device));
        device.set_passcode(Passcode::Strong);
        assert!(compliant(&mut device));
        device.set_passcode(Passcode::Weak);
        let reply = ask(&mut device, "RemoveProfile", [("Identifier", "com.example.passcode".into())]);
        assert_eq!((reply.status, reply.after), ("Acknowledged", After::Continue));
        assert!(compliant(&mut device));
    }

    #[test]
    fn only_what_was_asked_and_granted_is_told() {
        let mut device = device(1 + 16, Passcode::Strong, false);
        let queries = ["UDID", "OSVersion", "WiFiMAC", "NoSuchThing"].map(Value::from).to_vec();
        let reply = ask(&mut device, "DeviceInformation", [("Queries", Value::Array(queries))]);
        let mut told: Vec<&String> = reply.keys["QueryResponses"].as_dictionary().unwrap().keys().collect();
        told.sort();
        assert_eq!(told, ["OSVersion", "UDID"]);
        assert_eq!(code(&ask(&mut device, "EraseDevice", [])), 12007);
        assert_eq!(code(&ask(&mut device, "MakeCoffee", [])), 12021);
    }

    #[test]
    fn the_passcode_is_cleared_with_the_right_token_only() {
        let mut device = device(8191, Passcode::Strong, false);
        assert_eq!(code(&ask(&mut device, "ClearPasscode", [("UnlockToken", Value::Data(vec![1]))])), 5013);
        let token = device.unlock_token().to_vec();
        assert_eq!(ask(&mut device, "ClearPasscode", [("UnlockToken", Value::Data(token))]).status, "Acknowledged");
        assert_eq!(device.passcode(), Passcode::None);
        let reply = ask(&mut device, "DeviceLock", [("Message", "found".into())]);
        assert_eq!(reply.keys["MessageResult"].as_string(), Some("NoPasscodeSet"));
    }

    #[test]
    fn a_locked_phone_puts_a_command_off_once() {
        let mut device = device(8191, Passcode::Strong, true);
        device.begin_session();
        assert_eq!(ask(&mut device, "SecurityInfo", []).status, "NotNow");
        assert_eq!(ask(&mut device, "SecurityInfo", []).status, "NotNow");
        assert_eq!(ask(&mut device, "DeviceLock", []).status, "Acknowledged");
        device.begin_session();
        assert_eq!(ask(&mut device, "SecurityInfo", []).status, "Acknowledged");
    }

    #[test]
    fn removal_of_the_enrollment_profile_and_erasure_end_it() {
        let mut device = device(8191, Passcode::Strong, false);
        assert_eq!(ask(&mut device, "RemoveProfile", [("Identifier", MDM.into())]).after, After::Removed);
        assert_eq!(code(&ask(&mut device, "RemoveProfile", [("Identifier", "nope".into())])), 12075);
        assert_eq!(ask(&mut device, "EraseDevice", []).after, After::Wiped);
    }

    #[test]
    fn a_replacement_may_not_widen_rights_and_bad_profiles_are_refused() {
        let mut device = device(7, Passcode::Strong, false);
        let mut install = |bytes: Vec<u8>| ask(&mut device, "InstallProfile", [("Payload", Value::Data(bytes))]);
        assert_eq!(code(&install(enrollment(8191))), 12012);
        assert_eq!(install(enrollment(3)).status, "Acknowledged");
        assert_eq!(code(&install(b"junk".to_vec())), 1000);
        assert_eq!(code(&install(vec![0x30, 0x01])), 1004);
        assert_eq!(device.rights(), 3);
    }

    #[test]
    fn lists_and_settings_are_answered() {
        let mut device = device(8191, Passcode::Strong, false);
        let listed = ask(&mut device, "ProfileList", []);
        assert_eq!(listed.keys["ProfileList"].as_array().unwrap()[0].as_dictionary().unwrap()["PayloadIdentifier"].as_string(), Some(MDM));
        assert_eq!(ask(&mut device, "CertificateList", []).keys["CertificateList"].as_array().unwrap().len(), 1);
        let items = ["OrganizationInfo", "Wallpaper"].map(|item| Value::Dictionary(dictionary([("Item", item.into())])));
        let reply = ask(&mut device, "Settings", [("Settings", Value::Array(items.to_vec()))]);
        let states = reply.keys["Settings"].as_array().unwrap().iter().map(|item| item.as_dictionary().unwrap()["Status"].as_string());
        assert_eq!(states.collect::<Vec<_>>(), [Some("Acknowledged"), Some("Error")]);
        for kind in ["InstalledApplicationList", "ManagedApplicationList", "Restrictions", "DeclarativeManagement"] {
            assert_eq!(ask(&mut device, kind, []).status, "Acknowledged", "{kind}");
        }
    }
}
