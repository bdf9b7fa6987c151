//! A device as management sees it: its passcode, its profiles, and how it answers each command.

use std::collections::HashMap;

use openssl::{rand::rand_bytes, x509::X509};
use plist::{Dictionary, Value};

use crate::simulator::{
    error::{Error, Result, crypto},
    information,
    model::Model,
    passcode::Passcode,
    profile::{Mdm, Profile},
    propertylist::dictionary,
    refusal::Refusal,
};

/// What becomes of the device once its answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It stays managed.
    Continue,
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

type Obeyed = std::result::Result<Reply, Refusal>;

/// A simulated device.
#[derive(Debug)]
pub struct Device {
    model: Model,
    passcode: Passcode,
    defers: bool,
    deferred: HashMap<String, u64>,
    session: u64,
    profiles: Vec<Installed>,
    management: Option<Management>,
    settings: Dictionary,
    anchors: Vec<X509>,
    push_token: Vec<u8>,
    unlock_token: Vec<u8>,
}

#[derive(Debug)]
struct Installed {
    profile: Profile,
    managed: bool,
}

#[derive(Debug)]
struct Management {
    identifier: String,
    mdm: Mdm,
    identity: X509,
}

impl Device {
    /// A device that nobody manages. One that `defers` answers `NotNow` once to every command for which iOS may.
    pub fn new(model: Model, passcode: Passcode, defers: bool) -> Result<Self> {
        let (mut push_token, mut unlock_token) = (vec![0; 32], vec![0; 64]);
        rand_bytes(&mut push_token).and_then(|()| rand_bytes(&mut unlock_token)).map_err(crypto("make the device's tokens"))?;
        Ok(Self {
            model,
            passcode,
            defers,
            deferred: HashMap::new(),
            session: 0,
            profiles: Vec::new(),
            management: None,
            settings: Dictionary::new(),
            anchors: Vec::new(),
            push_token,
            unlock_token,
        })
    }

    /// Puts the device under management: the enrollment profile is installed, its certificates trusted.
    pub fn enroll(&mut self, profile: Profile, mdm: Mdm, identity: X509, anchors: Vec<X509>) {
        self.management = Some(Management { identifier: profile.identifier.clone(), mdm, identity });
        self.anchors = anchors;
        self.profiles = vec![Installed { profile, managed: true }];
    }

    /// Uses another certificate for the same identity, after a renewal.
    pub fn renewed(&mut self, identity: X509) {
        if let Some(management) = &mut self.management {
            management.identity = identity;
        }
    }

    /// Forgets management, and all that came with it.
    pub fn release(&mut self) {
        self.management = None;
        self.profiles.clear();
        self.settings = Dictionary::new();
    }

    /// A session with the server begins; what was put off in an earlier one is obeyed now.
    pub fn begin_session(&mut self) {
        self.session += 1;
    }

    /// What the device is made of.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// For tests that lie about identity.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// What the owner calls the device.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.model.device_name
    }

    /// The present passcode.
    #[must_use]
    pub fn passcode(&self) -> Passcode {
        self.passcode
    }

    /// The owner chooses another passcode.
    pub fn set_passcode(&mut self, passcode: Passcode) {
        self.passcode = passcode;
    }

    /// Whether the passcode satisfies every policy that is installed. Without any, every passcode does, even none.
    #[must_use]
    pub fn is_compliant(&self) -> bool {
        let policies = self.profiles.iter().flat_map(|installed| installed.profile.of_kind("com.apple.mobiledevice.passwordpolicy"));
        policies.fold(true, |so_far, policy| so_far && self.passcode.satisfies(&policy.body))
    }

    /// The rights that the enrollment profile grants.
    #[must_use]
    pub fn rights(&self) -> u64 {
        self.management.as_ref().map_or(0, |management| management.mdm.access_rights)
    }

    /// Identifiers of the installed profiles.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        self.profiles.iter().map(|installed| installed.profile.identifier.as_str()).collect()
    }

    /// A setting that management made, by the name of its query.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.get(name)
    }

    /// The device's token at the push service.
    #[must_use]
    pub fn push_token(&self) -> &[u8] {
        &self.push_token
    }

    /// With this the passcode can be cleared.
    #[must_use]
    pub fn unlock_token(&self) -> &[u8] {
        &self.unlock_token
    }

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
            "ProfileList" => one("ProfileList", Value::Array(self.profile_list(managed_only))),
            "ProvisioningProfileList" => one("ProvisioningProfileList", Value::Array(Vec::new())),
            "CertificateList" => one("CertificateList", Value::Array(self.certificate_list())),
            "InstalledApplicationList" => one("InstalledApplicationList", Value::Array(applications(managed_only))),
            "ManagedApplicationList" => one("ManagedApplicationList", Value::Dictionary(Dictionary::new())),
            "Restrictions" => one("GlobalRestrictions", Value::Dictionary(self.restrictions())),
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
        if let (Some(new), Some(management)) = (mdm, &mut self.management) {
            management.replace(&profile.identifier, new)?;
        }
        self.profiles.retain(|installed| installed.profile.identifier != profile.identifier);
        self.profiles.push(Installed { profile, managed: true });
        Ok(Reply::acknowledged(Dictionary::new()))
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

    fn set(&mut self, item: &Value) -> std::result::Result<(), Refusal> {
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

    fn profile_list(&self, managed_only: bool) -> Vec<Value> {
        let listed = self.profiles.iter().filter(|installed| installed.managed || !managed_only);
        listed.map(|installed| Value::Dictionary(installed.describe())).collect()
    }

    fn certificate_list(&self) -> Vec<Value> {
        let identity = self.management.as_ref().map(|management| (&management.identity, true));
        let roots: Vec<X509> = self.profiles.iter().filter_map(|installed| installed.profile.roots().ok()).flatten().collect();
        let all = identity.into_iter().chain(roots.iter().map(|root| (root, false)));
        all.filter_map(|(certificate, is_identity)| {
            let data = certificate.to_der().ok()?;
            let name = common_name(certificate);
            let keys = [("CommonName", name.into()), ("Data", Value::Data(data)), ("IsIdentity", is_identity.into())];
            Some(Value::Dictionary(dictionary(keys)))
        })
        .collect()
    }

    fn restrictions(&self) -> Dictionary {
        let forced = self.profiles.iter().any(|installed| {
            let mut policies = installed.profile.of_kind("com.apple.mobiledevice.passwordpolicy");
            policies.any(|policy| policy.body.get("forcePIN").and_then(Value::as_boolean).unwrap_or(false))
        });
        let value = Value::Dictionary(dictionary([("value", forced.into())]));
        let booleans = Value::Dictionary(dictionary([("forcePIN", value)]));
        dictionary([("restrictedBool", booleans), ("restrictedValue", Value::Dictionary(Dictionary::new()))])
    }
}

impl Management {
    /// A new enrollment profile may take rights away, never add any, nor lead elsewhere.
    fn replace(&mut self, identifier: &str, new: Mdm) -> std::result::Result<(), Refusal> {
        let old = &self.mdm;
        if identifier != self.identifier {
            return Err(Refusal::AlreadyManaged);
        }
        let same = (&old.topic, &old.server_url, &old.check_in_url) == (&new.topic, &new.server_url, &new.check_in_url);
        if !same || new.access_rights & !old.access_rights != 0 {
            return Err(Refusal::ReplacementMismatch);
        }
        self.mdm = new;
        Ok(())
    }
}

impl Installed {
    fn describe(&self) -> Dictionary {
        let body = &self.profile.body;
        let mut entry = dictionary([("IsManaged", self.managed.into()), ("IsEncrypted", false.into())]);
        let copied = ["PayloadIdentifier", "PayloadUUID", "PayloadVersion", "PayloadDisplayName", "PayloadDescription"];
        for key in copied.into_iter().chain(["PayloadOrganization", "PayloadRemovalDisallowed", "HasRemovalPasscode"]) {
            if let Some(value) = body.get(key) {
                entry.insert(key.to_owned(), value.clone());
            }
        }
        let contents = self.profile.payloads.iter().map(|payload| {
            let common = payload.body.iter().filter(|(key, _)| key.starts_with("Payload") && *key != "PayloadContent");
            Value::Dictionary(common.map(|(key, value)| (key.clone(), value.clone())).collect())
        });
        entry.insert("PayloadContent".to_owned(), Value::Array(contents.collect()));
        let signer = self.profile.signer.as_ref().and_then(|signer| signer.to_der().ok());
        entry.insert("SignerCertificates".to_owned(), Value::Array(signer.map(Value::Data).into_iter().collect()));
        entry
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

fn applications(managed_only: bool) -> Vec<Value> {
    let owned = [("com.example.notes", "Notes", "3.1"), ("com.example.chess", "Chess", "12.0.2")];
    let listed = owned.into_iter().filter(|_| !managed_only);
    let entry = |(identifier, name, version): (&str, &str, &str)| {
        Value::Dictionary(dictionary([
            ("Identifier", identifier.into()),
            ("Name", name.into()),
            ("ShortVersion", version.into()),
            ("Version", version.into()),
            ("BundleSize", 24_000_000.into()),
            ("DynamicSize", 1_000_000.into()),
            ("IsValidated", true.into()),
        ]))
    };
    listed.map(entry).collect()
}

fn common_name(certificate: &X509) -> String {
    let mut entries = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME);
    entries.next().and_then(|entry| entry.data().to_string().ok()).map(|name| name.to_string()).unwrap_or_default()
}
