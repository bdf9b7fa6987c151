//! Over-the-air enrollment (Apple's Profile Service): the profile of the first phase, and the attributes that the device sends
//! back, signed, in the second and the third. Verifying the signatures is left to the caller.

use plist::{Dictionary, Value};

use super::{Payload, Profile, ProfileError, web_address};
use crate::apple::{
    command::With,
    field::{DecodeError, Fields, MOST_CHARACTERS, Secret},
    property_list::{self, write::to_xml},
};

/// The attributes that are asked for.
const ATTRIBUTES: &[&str] = &["UDID", "VERSION", "PRODUCT", "SERIAL", "IMEI", "MEID", "DEVICE_NAME"];

/// The profile of the first phase.
#[derive(Clone)]
pub struct ProfileService {
    /// Begins the identifier; see [`super::reverse_dns`].
    pub reverse_dns: String,
    /// The organization's name, shown to the person.
    pub organization: String,
    /// Where the device sends its attributes.
    pub url: String,
    /// Comes back as `CHALLENGE`; unguessable, for one person and one walk through the portal.
    pub challenge: String,
}

impl ProfileService {
    /// Makes the profile.
    ///
    /// # Errors
    /// The address does not begin with `https://`.
    pub fn profile(&self) -> Result<Profile, ProfileError> {
        web_address("URL", &self.url)?;
        let identifier = format!("{}.profile-service", self.reverse_dns);
        let attributes = ATTRIBUTES.iter().map(|name| Value::from(*name)).collect();
        let content = Dictionary::new().with("URL", self.url.as_str()).with("DeviceAttributes", Value::Array(attributes));
        let entries = Dictionary::new()
            .with("PayloadType", "Profile Service")
            .with("PayloadDisplayName", "Device enrollment")
            .with("PayloadDescription", "Lets this device tell the enrollment server what it is.")
            .with_text("PayloadOrganization", Some(&self.organization))
            .with("PayloadContent", Value::Dictionary(content.clone()));
        let Payload { uuid, entries } = Payload::new(entries, &identifier, "")?;
        let content = content.with("Challenge", self.challenge.as_str());
        let xml = to_xml(entries.with("PayloadContent", Value::Dictionary(content)))?;
        Ok(Profile { identifier, uuid, xml })
    }
}

/// What a device says of itself in the second and third phase; also Apple's `MachineInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceAttributes {
    /// `UDID`; absent in a User Enrollment.
    pub udid: Option<String>,
    /// `SERIAL`; absent in a User Enrollment.
    pub serial: Option<String>,
    /// `PRODUCT`, such as "iPhone15,4".
    pub product: Option<String>,
    /// `VERSION`: the build of the system.
    pub version: Option<String>,
    /// `OS_VERSION` (iOS 17).
    pub os_version: Option<String>,
    /// `IMEI`.
    pub imei: Option<String>,
    /// `MEID`.
    pub meid: Option<String>,
    /// `DEVICE_NAME`.
    pub device_name: Option<String>,
    /// `LANGUAGE`.
    pub language: Option<String>,
    /// `MDM_CAN_REQUEST_SOFTWARE_UPDATE` (iOS 17).
    pub can_request_software_update: bool,
    /// `CHALLENGE`, as the first phase gave it.
    pub challenge: Option<Secret>,
}

/// Reads the content of the signed message; whoever calls has verified the signature.
///
/// # Errors
/// It is not a property list, or the error names the key that is wrong.
pub fn decode(content: &[u8]) -> Result<DeviceAttributes, DecodeError> {
    let mut fields = Fields::read(content)?;
    let challenge = challenge(fields.take("CHALLENGE"))?;
    Ok(DeviceAttributes {
        udid: fields.identifier("UDID", 64)?,
        serial: fields.text("SERIAL")?,
        product: fields.text("PRODUCT")?,
        version: fields.text("VERSION")?,
        os_version: fields.text("OS_VERSION")?,
        imei: fields.text("IMEI")?,
        meid: fields.text("MEID")?,
        device_name: fields.text("DEVICE_NAME")?,
        language: fields.text("LANGUAGE")?,
        can_request_software_update: fields.boolean("MDM_CAN_REQUEST_SOFTWARE_UPDATE")?.unwrap_or(false),
        challenge,
    })
}

/// Devices return the challenge as a string; some older ones as data.
fn challenge(value: Option<property_list::Value>) -> Result<Option<Secret>, DecodeError> {
    let bytes = match value {
        None => return Ok(None),
        Some(property_list::Value::String(text)) => text.into_bytes(),
        Some(property_list::Value::Data(bytes)) => bytes,
        Some(_) => return Err(DecodeError::WrongType { key: "CHALLENGE", expected: "a string" }),
    };
    if bytes.len() > MOST_CHARACTERS { Err(DecodeError::Invalid { key: "CHALLENGE", why: "is too long" }) } else { Ok(Some(Secret(bytes))) }
}
