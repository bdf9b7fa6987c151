//! The SCEP payload (`com.apple.security.scep`): how a device gets its identity. Its keys are in a nested dictionary.

use openssl::sha::sha1;
use plist::{Dictionary, Value};

use super::{Base, Payload, Profile, ProfileError};
use crate::apple::command::With;

const BASE: &[u8] = include_bytes!("../../../profiles/apple/scep.mobileconfig");

/// Where and how a device asks for its identity certificate.
#[derive(Clone)]
pub struct Scep {
    /// `URL` of the SCEP server. May be http: the messages protect themselves.
    pub url: String,
    /// `Challenge`: the right to one certificate. Never part of a UUID.
    pub challenge: String,
    /// The organization (O) of the subject.
    pub organization: String,
    /// The common name (CN) of the subject: names the enrollment.
    pub subject_common_name: String,
    /// The certificate of the authority, DER; the device accepts no other.
    pub ca_certificate_der: Vec<u8>,
}

impl Scep {
    /// A profile with this payload alone, for the second phase of an over-the-air enrollment.
    ///
    /// # Errors
    /// The address or the challenge is not usable.
    pub fn profile(&self, reverse_dns: &str) -> Result<Profile, ProfileError> {
        let base = Base::load("SCEP", BASE)?;
        let identifier = format!("{reverse_dns}.scep");
        let payload = self.payload(&format!("{identifier}.identity"))?;
        base.finish(identifier, &self.organization, vec![payload])
    }

    /// The payload, named by this identifier.
    pub(super) fn payload(&self, identifier: &str) -> Result<Payload, ProfileError> {
        if !self.url.starts_with("https://") && !self.url.starts_with("http://") {
            return Err(ProfileError::Invalid { key: "URL", why: "must begin with https:// or http://" });
        }
        if self.challenge.is_empty() || self.subject_common_name.is_empty() {
            return Err(ProfileError::Invalid { key: "Challenge", why: "and the common name must not be empty" });
        }
        let mut outer = Base::load("SCEP", BASE)?.payload("com.apple.security.scep")?;
        let settings = outer.remove("PayloadContent").and_then(Value::into_dictionary).ok_or(ProfileError::NotAProfile("SCEP"))?;
        let settings = settings
            .with("URL", self.url.as_str())
            .with("Subject", subject(&[("O", &self.organization), ("CN", &self.subject_common_name)]))
            // Apple documents SHA-1 or MD5 of the authority's certificate, and nothing newer.
            .with("CAFingerprint", Value::Data(sha1(&self.ca_certificate_der).to_vec()));
        // The UUID is made before the challenge is added: it is public, the challenge is not.
        let mut payload = Payload::new(outer.with("PayloadContent", Value::Dictionary(settings.clone())), identifier, "")?;
        let settings: Dictionary = settings.with("Challenge", self.challenge.as_str());
        payload.entries.insert("PayloadContent".to_owned(), Value::Dictionary(settings));
        Ok(payload)
    }
}

/// An X.500 name as Apple writes it: an array of arrays of pairs.
fn subject(parts: &[(&str, &str)]) -> Value {
    let part = |(name, value): &(&str, &str)| Value::Array(vec![Value::Array(vec![(*name).into(), (*value).into()])]);
    Value::Array(parts.iter().filter(|(_, value)| !value.is_empty()).map(part).collect())
}
