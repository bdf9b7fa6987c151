//! Configuration profiles as a device reads them: the signature, the payloads, and what of them starts an enrollment.

use openssl::x509::X509;
use plist::{Dictionary, Value};
use reqwest::Url;

use crate::simulator::{
    cms,
    error::{Result, crypto, protocol},
    propertylist::{self, text},
};

const READING: &str = "read a profile";

/// A configuration profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// `PayloadIdentifier`.
    pub identifier: String,
    /// `PayloadUUID`.
    pub uuid: String,
    /// The whole top level, `PayloadContent` included.
    pub body: Dictionary,
    /// Its payloads; none in a Profile Service profile.
    pub payloads: Vec<Payload>,
    /// Who signed it; none if it came unsigned.
    pub signer: Option<X509>,
}

/// One payload.
#[derive(Debug, Clone)]
pub struct Payload {
    /// `PayloadType`.
    pub kind: String,
    /// `PayloadUUID`.
    pub uuid: String,
    /// All of its keys.
    pub body: Dictionary,
}

impl Profile {
    /// Reads a profile. A signed one must be signed by somebody whom `roots` vouch for; whether an unsigned one will do
    /// is for the caller to say.
    pub fn read(bytes: &[u8], roots: &[X509]) -> Result<Self> {
        // A signed profile begins with an ASN.1 sequence; neither kind of property list does.
        let (content, signer) = if bytes.first() == Some(&0x30) {
            let opened = cms::open(bytes, roots)?;
            (opened.content, Some(opened.signer))
        } else {
            (bytes.to_vec(), None)
        };
        let body = propertylist::read(&content)?;
        let payloads = match body.get("PayloadContent") {
            Some(Value::Array(items)) => items.iter().map(Payload::read).collect::<Result<Vec<_>>>()?,
            Some(Value::Dictionary(_)) => Vec::new(),
            _ => return Err(protocol(READING, "PayloadContent is missing (MCProfileErrorDomain 1002)")),
        };
        let profile = Self {
            identifier: text(&body, "PayloadIdentifier", READING)?.to_owned(),
            uuid: text(&body, "PayloadUUID", READING)?.to_owned(),
            payloads,
            signer,
            body,
        };
        profile.check()?;
        Ok(profile)
    }

    /// What iOS refuses before it looks at any payload.
    fn check(&self) -> Result<()> {
        let kind = text(&self.body, "PayloadType", READING)?;
        if kind != "Configuration" && kind != "Profile Service" {
            return Err(protocol(READING, format!("PayloadType {kind:?} is no profile (MCProfileErrorDomain 1000)")));
        }
        let mut uuids: Vec<&str> = self.payloads.iter().map(|payload| payload.uuid.as_str()).collect();
        uuids.push(&self.uuid);
        let count = uuids.len();
        uuids.sort_unstable();
        uuids.dedup();
        if uuids.len() == count { Ok(()) } else { Err(protocol(READING, "a PayloadUUID is used twice (MCProfileErrorDomain 1007)")) }
    }

    /// The payloads of a type.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Payload> {
        self.payloads.iter().filter(move |payload| payload.kind == kind)
    }

    /// The MDM payload, if this profile enrolls.
    pub fn mdm(&self) -> Result<Option<Mdm>> {
        self.of_kind("com.apple.mdm").next().map(|payload| Mdm::read(&payload.body)).transpose()
    }

    /// The SCEP payload with this UUID; without one the first.
    pub fn scep(&self, uuid: Option<&str>) -> Result<Option<Scep>> {
        let mut found = self.of_kind("com.apple.security.scep");
        found.find(|payload| uuid.is_none_or(|uuid| payload.uuid.eq_ignore_ascii_case(uuid))).map(Scep::read).transpose()
    }

    /// What a Profile Service profile asks for (over-the-air enrollment, phase 1).
    pub fn service(&self) -> Result<Option<Service>> {
        match self.body.get("PayloadContent") {
            Some(Value::Dictionary(content)) => Service::read(content).map(Some),
            _ => Ok(None),
        }
    }

    /// The root certificates that the profile installs.
    pub fn roots(&self) -> Result<Vec<X509>> {
        let kinds = ["com.apple.security.root", "com.apple.security.pkcs1", "com.apple.security.pem"];
        let payloads = self.payloads.iter().filter(|payload| kinds.contains(&payload.kind.as_str()));
        payloads.map(|payload| certificate(&payload.body)).collect()
    }
}

/// Both forms are met in practice, whatever the payload's type says.
fn certificate(payload: &Dictionary) -> Result<X509> {
    let data = payload.get("PayloadContent").and_then(Value::as_data);
    let data = data.ok_or_else(|| protocol("read a certificate payload", "PayloadContent is missing or is not data"))?;
    let read = if data.starts_with(b"-----") { X509::from_pem(data) } else { X509::from_der(data) };
    read.map_err(crypto("read a certificate payload"))
}

impl Payload {
    fn read(item: &Value) -> Result<Self> {
        let body = item.as_dictionary().ok_or_else(|| protocol(READING, "a payload is not a dictionary"))?.clone();
        text(&body, "PayloadIdentifier", READING)?;
        if integer(&body, "PayloadVersion") != Some(1) {
            return Err(protocol(READING, "a payload's PayloadVersion is not 1"));
        }
        Ok(Self { kind: text(&body, "PayloadType", READING)?.to_owned(), uuid: text(&body, "PayloadUUID", READING)?.to_owned(), body })
    }
}

fn integer(from: &Dictionary, key: &str) -> Option<u64> {
    from.get(key).and_then(Value::as_unsigned_integer)
}

fn flag(from: &Dictionary, key: &str) -> bool {
    from.get(key).and_then(Value::as_boolean).unwrap_or(false)
}

fn address(from: &Dictionary, key: &str) -> Result<Url> {
    let written = text(from, key, READING)?;
    // Phones insist on https (MCMDMErrorDomain 12034); a server that runs without TLS serves simulated ones only.
    Url::parse(written)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .ok_or_else(|| protocol(READING, format!("{key} {written:?} is no address")))
}

/// The payload `com.apple.mdm`.
#[derive(Debug, Clone)]
pub struct Mdm {
    /// `ServerURL`: where commands come from.
    pub server_url: Url,
    /// `CheckInURL`, which is the server's own where it is missing.
    pub check_in_url: Url,
    /// `Topic`.
    pub topic: String,
    /// `AccessRights`, a set of bits.
    pub access_rights: u64,
    /// `SignMessage`: every message carries `Mdm-Signature`.
    pub sign_message: bool,
    /// `CheckOutWhenRemoved`.
    pub check_out_when_removed: bool,
    /// `IdentityCertificateUUID`: which payload makes the identity.
    pub identity_uuid: String,
}

impl Mdm {
    fn read(body: &Dictionary) -> Result<Self> {
        let server_url = address(body, "ServerURL")?;
        let check_in_url = if body.contains_key("CheckInURL") { address(body, "CheckInURL")? } else { server_url.clone() };
        let access_rights = integer(body, "AccessRights").unwrap_or(0);
        let lacks = |right: u64, needed: u64| access_rights & right != 0 && access_rights & needed == 0;
        if access_rights == 0 || lacks(2, 1) || lacks(128, 64) {
            return Err(protocol(READING, format!("AccessRights {access_rights} (MCMDMErrorDomain 12000)")));
        }
        Ok(Self {
            server_url,
            check_in_url,
            topic: text(body, "Topic", READING)?.to_owned(),
            access_rights,
            sign_message: flag(body, "SignMessage"),
            check_out_when_removed: flag(body, "CheckOutWhenRemoved"),
            identity_uuid: text(body, "IdentityCertificateUUID", READING)?.to_owned(),
        })
    }
}

/// The payload `com.apple.security.scep`; its keys are in a nested `PayloadContent`.
#[derive(Debug, Clone)]
pub struct Scep {
    /// `URL`.
    pub url: Url,
    /// `Challenge`.
    pub challenge: Option<String>,
    /// `Subject`, flattened: kind and value in order.
    pub subject: Vec<(String, String)>,
    /// `SubjectAltName`: kind and value.
    pub alternative_names: Vec<(String, String)>,
    /// `Keysize` in bits.
    pub key_size: u32,
    /// `Key Usage`: 1 signing, 4 encryption.
    pub key_usage: u64,
    /// `CAFingerprint`.
    pub fingerprint: Option<Vec<u8>>,
}

impl Scep {
    fn read(payload: &Payload) -> Result<Self> {
        let nested = payload.body.get("PayloadContent").and_then(Value::as_dictionary);
        let body = nested.ok_or_else(|| protocol(READING, "the SCEP payload has no nested PayloadContent"))?;
        let key_size = integer(body, "Keysize").unwrap_or(1024);
        let key_size = [1024_u32, 2048, 4096].into_iter().find(|size| u64::from(*size) == key_size);
        if body.get("Key Type").and_then(Value::as_string).is_some_and(|kind| kind != "RSA") {
            return Err(protocol(READING, "SCEP speaks RSA only"));
        }
        Ok(Self {
            url: address(body, "URL")?,
            challenge: body.get("Challenge").and_then(Value::as_string).map(str::to_owned),
            subject: subject(body.get("Subject")),
            alternative_names: alternative_names(body.get("SubjectAltName")),
            key_size: key_size.ok_or_else(|| protocol(READING, "Keysize is not 1024, 2048 or 4096"))?,
            key_usage: integer(body, "Key Usage").unwrap_or(0),
            fingerprint: body.get("CAFingerprint").and_then(Value::as_data).map(<[u8]>::to_vec),
        })
    }
}

/// `[[["CN", "x"]], [["O", "y"]]]` → pairs.
fn subject(value: Option<&Value>) -> Vec<(String, String)> {
    let sets = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_array);
    sets.flatten()
        .filter_map(|pair| match pair.as_array().map(Vec::as_slice) {
            Some([kind, value]) => Some((kind.as_string()?.to_owned(), value.as_string()?.to_owned())),
            _ => None,
        })
        .collect()
}

/// A value is one string or several.
fn alternative_names(value: Option<&Value>) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for (kind, value) in value.and_then(Value::as_dictionary).into_iter().flatten() {
        let many = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        names.extend(many.iter().filter_map(Value::as_string).map(|name| (kind.clone(), name.to_owned())));
    }
    names
}

/// What a Profile Service profile asks a device to send (over-the-air enrollment, phase 1).
#[derive(Debug, Clone)]
pub struct Service {
    /// `URL`.
    pub url: Url,
    /// `DeviceAttributes`.
    pub attributes: Vec<String>,
    /// `Challenge`.
    pub challenge: Option<String>,
}

impl Service {
    fn read(content: &Dictionary) -> Result<Self> {
        let attributes = content.get("DeviceAttributes").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            url: address(content, "URL")?,
            attributes: attributes.filter_map(Value::as_string).map(str::to_owned).collect(),
            challenge: content.get("Challenge").and_then(Value::as_string).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{keychain::Identity, propertylist::dictionary};

    fn payload(uuid: &str, kind: &str, keys: Dictionary) -> Value {
        let mut body = dictionary([("PayloadType", kind.into()), ("PayloadUUID", uuid.into()), ("PayloadVersion", 1.into())]);
        body.insert("PayloadIdentifier".into(), "x".into());
        body.extend(keys);
        Value::Dictionary(body)
    }

    fn written(kind: &str, content: Value) -> Vec<u8> {
        let top = payload("top", kind, dictionary([("PayloadContent", content)]));
        propertylist::write(top.into_dictionary().unwrap(), true).unwrap()
    }

    #[test]
    fn scep_and_roots_are_read() {
        let pair = |kind: &str, value: &str| Value::Array(vec![Value::Array(vec![kind.into(), value.into()])]);
        let names = dictionary([("rfc822Name", "a@b.c".into())]);
        let nested = dictionary([
            ("URL", "https://mdm.example.com/scep".into()),
            ("Subject", Value::Array(vec![pair("CN", "n"), pair("1.2.3", "o")])),
            ("SubjectAltName", Value::Dictionary(names)),
            ("Keysize", 2048.into()),
        ]);
        let root = Identity::stranger("root").unwrap().certificate;
        let content = Value::Array(vec![
            payload("s", "com.apple.security.scep", dictionary([("PayloadContent", Value::Dictionary(nested))])),
            payload("r", "com.apple.security.root", dictionary([("PayloadContent", Value::Data(root.to_der().unwrap()))])),
        ]);
        let profile = Profile::read(&written("Configuration", content), &[]).unwrap();
        let scep = profile.scep(Some("S")).unwrap().unwrap();
        assert_eq!(scep.subject, [("CN".into(), "n".into()), ("1.2.3".into(), "o".into())]);
        assert_eq!(scep.alternative_names, [("rfc822Name".into(), "a@b.c".into())]);
        assert_eq!(profile.roots().unwrap().len(), 1);
        assert!(profile.scep(Some("r")).unwrap().is_none() && profile.mdm().unwrap().is_none() && profile.service().unwrap().is_none());
    }

    #[test]
    fn a_profile_service_is_recognised() {
        let content = dictionary([("URL", "https://mdm.example.com/ota".into()), ("DeviceAttributes", Value::Array(vec!["UDID".into()]))]);
        let profile = Profile::read(&written("Profile Service", Value::Dictionary(content)), &[]).unwrap();
        assert_eq!(profile.service().unwrap().unwrap().attributes, ["UDID"]);
    }

    #[test]
    fn what_a_phone_would_refuse_is_refused() {
        let twice = Value::Array(vec![payload("a", "x", Dictionary::new()), payload("a", "y", Dictionary::new())]);
        assert!(Profile::read(&written("Configuration", twice), &[]).is_err());
        assert!(Profile::read(&written("com.apple.mdm", Value::Array(Vec::new())), &[]).is_err());
        assert!(Profile::read(&written("Configuration", Value::Array(vec!["x".into()])), &[]).is_err());
        for rights in [0_u64, 2, 128] {
            let keys = dictionary([
                ("ServerURL", "https://m.example/".into()),
                ("Topic", "t".into()),
                ("AccessRights", rights.into()),
                ("IdentityCertificateUUID", "i".into()),
            ]);
            let profile = Profile::read(&written("Configuration", Value::Array(vec![payload("m", "com.apple.mdm", keys)])), &[]).unwrap();
            assert!(profile.mdm().is_err(), "{rights}");
        }
    }
}
