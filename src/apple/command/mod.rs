//! Commands as Apple devices read them: an XML property list with `CommandUUID` and `Command`.

use plist::{Dictionary, Value};

use super::property_list::{
    self, Limits, ReadError,
    write::{WriteError, clean, dictionary, to_xml},
};
use crate::domain::command::{Command, EraseOptions, ReturnToService, Setting};

/// Why a command cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// `ClearPasscode` without the token that the device gave at its enrollment.
    #[error("the device has given no unlock token, so its passcode cannot be cleared")]
    NoUnlockToken,
    /// It is a command for another platform.
    #[error("Apple devices know no such command")]
    NotApple,
    /// The command stands for a profile that only the services can make, and they did not.
    #[error("the profile that it stands for was not made")]
    NotMade,
    /// The stored property list of a raw command cannot be read.
    #[error("read the raw command")]
    Raw(#[from] RawError),
    /// The property list could not be written.
    #[error("write the command")]
    Write(#[from] WriteError),
}

/// Why a property list is not a raw command.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// Not an acceptable property list.
    #[error("read the property list")]
    Read(#[from] ReadError),
    /// There is no `RequestType`, or it is not the name of a command.
    #[error("the command has no RequestType that is a name of letters and digits")]
    NoRequestType,
    /// The stored name and the name in the property list differ, so the rights were checked for another command.
    #[error("the RequestType of the property list is not the one that was ordered")]
    OtherRequestType,
    /// The property list could not be written.
    #[error("write the property list")]
    Write(#[from] WriteError),
}

/// Encodes a command for a device.
///
/// `unlock_token` is the token of the device's last `TokenUpdate`; only [`Command::ClearPasscode`] uses it.
///
/// # Errors
/// A passcode is to be cleared without a token, or a raw command is not what it says.
pub fn encode(command_uuid: &str, command: &Command, unlock_token: Option<&[u8]>) -> Result<Vec<u8>, EncodeError> {
    let mut envelope = Dictionary::new();
    envelope.insert("CommandUUID".to_owned(), command_uuid.into());
    envelope.insert("Command".to_owned(), Value::Dictionary(body(command, unlock_token)?));
    Ok(to_xml(envelope)?)
}

/// Reads the `Command` dictionary of a raw command, XML or binary, as an administrator's program sends it.
///
/// # Errors
/// It is not a property list within the limits, or has no usable `RequestType`.
pub fn raw_from_plist(bytes: &[u8]) -> Result<Command, RawError> {
    let entries = property_list::read(bytes, &Limits::default())?;
    let request_type = request_type(&entries)?;
    let xml = to_xml(dictionary(&entries))?;
    // The writer makes UTF-8 only.
    Ok(Command::Raw { request_type, plist: String::from_utf8_lossy(&xml).into_owned() })
}

fn request_type(entries: &property_list::Dictionary) -> Result<String, RawError> {
    let name = entries.get("RequestType").and_then(property_list::Value::as_str).ok_or(RawError::NoRequestType)?;
    let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { Ok(name.to_owned()) } else { Err(RawError::NoRequestType) }
}

/// The `Command` dictionary.
fn body(command: &Command, unlock_token: Option<&[u8]>) -> Result<Dictionary, EncodeError> {
    Ok(match command {
        Command::InstallProfile { profile, .. } => request("InstallProfile").with("Payload", Value::Data(profile.clone())),
        Command::RemoveProfile { identifier } => request("RemoveProfile").with("Identifier", identifier.as_str()),
        Command::ProfileList { managed_only } => request("ProfileList").with("ManagedOnly", *managed_only),
        Command::DeviceInformation { queries } => {
            request("DeviceInformation").with("Queries", Value::Array(queries.iter().map(|query| query.as_str().into()).collect()))
        }
        Command::SecurityInfo => request("SecurityInfo"),
        Command::CertificateList { managed_only } => request("CertificateList").with("ManagedOnly", *managed_only),
        Command::InstalledApplicationList { managed_only } => request("InstalledApplicationList").with("ManagedAppsOnly", *managed_only),
        Command::DeviceLock { message, phone_number } => {
            request("DeviceLock").with_text("Message", message.as_deref()).with_text("PhoneNumber", phone_number.as_deref())
        }
        Command::ClearPasscode => {
            let token = unlock_token.ok_or(EncodeError::NoUnlockToken)?;
            request("ClearPasscode").with("UnlockToken", Value::Data(token.to_vec()))
        }
        Command::EraseDevice(options) => erase(options),
        Command::Restrictions { profile_restrictions } => request("Restrictions").with("ProfileRestrictions", *profile_restrictions),
        Command::Settings { settings } => request("Settings").with("Settings", Value::Array(settings.iter().map(setting).collect())),
        Command::RenewIdentity | Command::InstallMailProfile { .. } | Command::RemoveMailProfile => return Err(EncodeError::NotMade),
        Command::ApplyPolicy { .. } | Command::ReportPosture | Command::ResetPasscode { .. } | Command::RemoveWorkData => {
            return Err(EncodeError::NotApple);
        }
        Command::DeclarativeManagement => request("DeclarativeManagement"),
        Command::Raw { request_type, plist } => raw(request_type, plist)?,
    })
}

/// Options are written only where they are chosen: before iOS 14 some must not be combined with others.
fn erase(options: &EraseOptions) -> Dictionary {
    let mut command = request("EraseDevice");
    if options.preserve_data_plan {
        command = command.with("PreserveDataPlan", true);
    }
    if options.disallow_proximity_setup {
        command = command.with("DisallowProximitySetup", true);
    }
    if let Some(ReturnToService { wifi_profile, mdm_profile }) = &options.return_to_service {
        let mut service = Dictionary::new().with("Enabled", true);
        for (key, profile) in [("WiFiProfileData", wifi_profile), ("MDMProfileData", mdm_profile)] {
            if let Some(profile) = profile {
                service = service.with(key, Value::Data(profile.clone()));
            }
        }
        command = command.with("ReturnToService", Value::Dictionary(service));
    }
    command
}

fn setting(setting: &Setting) -> Value {
    let item = |name: &str| Dictionary::new().with("Item", name);
    Value::Dictionary(match setting {
        Setting::DeviceName { name } => item("DeviceName").with("DeviceName", name.as_str()),
        Setting::DataRoaming { enabled } => item("DataRoaming").with("Enabled", *enabled),
        Setting::VoiceRoaming { enabled } => item("VoiceRoaming").with("Enabled", *enabled),
        Setting::PersonalHotspot { enabled } => item("PersonalHotspot").with("Enabled", *enabled),
        Setting::Bluetooth { enabled } => item("Bluetooth").with("Enabled", *enabled),
        Setting::OrganizationInfo { name, email, phone } => {
            let info = Dictionary::new()
                .with("OrganizationName", name.as_str())
                .with_text("OrganizationEmail", email.as_deref())
                .with_text("OrganizationPhone", phone.as_deref());
            item("OrganizationInfo").with("OrganizationInfo", Value::Dictionary(info))
        }
    })
}

fn raw(ordered: &str, plist: &str) -> Result<Dictionary, RawError> {
    let entries = property_list::read(plist.as_bytes(), &Limits::default())?;
    if request_type(&entries)? == ordered { Ok(dictionary(&entries)) } else { Err(RawError::OtherRequestType) }
}

fn request(request_type: &str) -> Dictionary {
    Dictionary::new().with("RequestType", request_type)
}

/// Building a dictionary in one expression.
pub(super) trait With: Sized {
    /// With this value under this key.
    fn with(self, key: &str, value: impl Into<Value>) -> Self;
    /// With this text, unless it is missing or empty.
    fn with_text(self, key: &str, text: Option<&str>) -> Self;
}

impl With for Dictionary {
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.insert(key.to_owned(), value.into());
        self
    }

    fn with_text(self, key: &str, text: Option<&str>) -> Self {
        match text.map(clean).filter(|text| !text.is_empty()) {
            Some(text) => self.with(key, text.as_ref()),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests;
