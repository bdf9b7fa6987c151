//! Profiles for Apple devices, made from the valid property lists in `profiles/apple` by typed code. Signing them is left to
//! the certificate authority's part.

pub mod enrollment;
pub mod mail;
pub mod ota;
pub mod passcode;
pub mod scep;

use openssl::sha::sha256;
use plist::{Dictionary, Value};

use super::{
    command::With,
    property_list::write::{WriteError, to_xml},
};
use crate::domain::passcode::OutOfRange;

/// The content type under which a profile is handed out.
pub const CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// Why a profile cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The property list that comes with this program cannot be read.
    #[error("read the base of the {0} profile")]
    Base(&'static str, #[source] plist::Error),
    /// The property list that comes with this program lacks something.
    #[error("the base of the {0} profile is not a profile")]
    NotAProfile(&'static str),
    /// A value that Apple does not accept.
    #[error("{key} {why}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A requirement is out of range.
    #[error("check the passcode requirements")]
    Passcode(#[from] OutOfRange),
    /// The property list could not be written.
    #[error("write the profile")]
    Write(#[from] WriteError),
}

/// A profile that is ready to be signed or sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// `PayloadIdentifier`: the same for every version of this profile.
    pub identifier: String,
    /// `PayloadUUID`: the same for the same content, another for another.
    pub uuid: String,
    /// The XML property list.
    pub xml: Vec<u8>,
}

/// Without the content, which may hold a challenge.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("identifier", &self.identifier).field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

/// A host name turned around, as identifiers of profiles begin: `mdm.example.com` gives `com.example.mdm`.
#[must_use]
pub fn reverse_dns(host: &str) -> String {
    host.trim_end_matches('.').rsplit('.').collect::<Vec<_>>().join(".").to_ascii_lowercase()
}

/// A base file: the profile itself and the payloads inside.
struct Base {
    name: &'static str,
    profile: Dictionary,
    payloads: std::vec::IntoIter<Value>,
}

impl Base {
    fn load(name: &'static str, bytes: &[u8]) -> Result<Self, ProfileError> {
        let value = Value::from_reader_xml(bytes).map_err(|error| ProfileError::Base(name, error))?;
        let mut profile = value.into_dictionary().ok_or(ProfileError::NotAProfile(name))?;
        let payloads = profile.remove("PayloadContent").and_then(Value::into_array).ok_or(ProfileError::NotAProfile(name))?;
        Ok(Self { name, profile, payloads: payloads.into_iter() })
    }

    /// The next payload, which must be of this type.
    fn payload(&mut self, payload_type: &str) -> Result<Dictionary, ProfileError> {
        let payload = self.payloads.next().and_then(Value::into_dictionary).ok_or(ProfileError::NotAProfile(self.name))?;
        let is_expected = payload.get("PayloadType").and_then(Value::as_string) == Some(payload_type);
        if is_expected { Ok(payload) } else { Err(ProfileError::NotAProfile(self.name)) }
    }

    /// The finished profile of these payloads.
    fn finish(self, identifier: String, organization: &str, payloads: Vec<Payload>) -> Result<Profile, ProfileError> {
        let hashed: String = payloads.iter().map(|payload| payload.uuid.as_str()).collect();
        let content = payloads.into_iter().map(|payload| Value::Dictionary(payload.entries)).collect();
        let profile = Payload::new(self.profile.with_text("PayloadOrganization", Some(organization)), &identifier, &hashed)?;
        let xml = to_xml(profile.entries.with("PayloadContent", Value::Array(content)))?;
        Ok(Profile { identifier, uuid: profile.uuid, xml })
    }
}

/// One payload with its identifier and the UUID that follows from its content.
struct Payload {
    uuid: String,
    entries: Dictionary,
}

impl Payload {
    /// Names the payload. `more` is content that is not in the entries but makes another payload.
    fn new(entries: Dictionary, identifier: &str, more: &str) -> Result<Self, ProfileError> {
        let mut entries = entries.with("PayloadIdentifier", identifier).with("PayloadVersion", 1);
        entries.remove("PayloadUUID");
        let mut hashed = to_xml(entries.clone())?;
        hashed.extend_from_slice(more.as_bytes());
        let uuid = content_uuid(&hashed);
        entries.insert("PayloadUUID".to_owned(), uuid.as_str().into());
        Ok(Self { uuid, entries })
    }
}

/// A UUID (version 8, RFC 9562 section 5.8) of the content's SHA-256, in capitals as Apple writes them.
fn content_uuid(content: &[u8]) -> String {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(sha256(content)).for_each(|(byte, hash)| *byte = hash);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().hyphenated().to_string().to_uppercase()
}

/// Checks that an address is one of the web. Apple demands `https://` of every one but SCEP's; `http://` is let through for
/// simulated devices, and the server says at its start that real ones will refuse it.
fn web_address(key: &'static str, url: &str) -> Result<(), ProfileError> {
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(())
    } else {
        Err(ProfileError::Invalid { key, why: "must begin with https://" })
    }
}

#[cfg(test)]
mod tests;
