//! The device's half of SCEP (RFC 8894): asks a server what it can, asks for a certificate, reads the answer.

use der::asn1::{Any, ObjectIdentifier, OctetString};
use openssl::{
    hash::{MessageDigest, hash},
    memcmp,
    pkey::{PKey, Private},
    rand::rand_bytes,
    x509::{X509, X509KeyUsage, X509VerifyResult},
};
use reqwest::Url;

use crate::simulator::{
    cms,
    error::{Error, Result, crypto, der, protocol},
    keychain::{Attribute, Identity, printable},
    transport::Wire,
};

pub(super) const MESSAGE_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.2");
pub(super) const PKI_STATUS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.3");
pub(super) const FAIL_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.4");
pub(super) const SENDER_NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.5");
pub(super) const RECIPIENT_NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.6");
pub(super) const TRANSACTION_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.7");
/// What iOS insists on since version 10 (`MCSCEPErrorDomain` 22006 otherwise).
const NEEDED: [&str; 3] = ["POSTPKIOperation", "SHA-256", "AES"];

/// Which request is made (RFC 8894 section 3.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A first certificate, vouched for by the challenge.
    First,
    /// A new certificate, vouched for by the old one.
    Renewal,
}

impl Kind {
    fn message_type(self) -> &'static str {
        match self {
            Self::First => "19",
            Self::Renewal => "17",
        }
    }
}

/// A SCEP server: what it can and who speaks for it.
#[derive(Debug)]
pub struct Authority {
    /// The words of `GetCACaps`.
    pub capabilities: Vec<String>,
    /// The CA itself.
    pub ca: X509,
    /// To whom requests are encrypted and who signs the answers: an RA, or the CA itself.
    pub recipient: X509,
}

impl Authority {
    /// Asks a server who it is. A fingerprint from the profile (`CAFingerprint`: MD5, SHA-1, SHA-256 or SHA-512 by
    /// its length) must be the CA's.
    pub async fn discover(wire: &Wire, url: &Url, fingerprint: Option<&[u8]>) -> Result<Self> {
        let answer = wire.get(operation(url, "GetCACaps")).await?.ok("SCEP GetCACaps")?;
        let capabilities: Vec<String> = String::from_utf8_lossy(&answer).split_whitespace().map(str::to_owned).collect();
        if let Some(missing) = NEEDED.iter().find(|word| !capabilities.iter().any(|found| found.eq_ignore_ascii_case(word))) {
            return Err(protocol("read SCEP capabilities", format!("{missing} is missing (MCSCEPErrorDomain 22006)")));
        }
        let answer = wire.get(operation(url, "GetCACert")).await?;
        let single = answer.content_type.starts_with("application/x-x509-ca-cert");
        let bytes = answer.ok("SCEP GetCACert")?;
        let bag =
            if single { vec![X509::from_der(&bytes).map_err(crypto("read the CA certificate"))?] } else { cms::certificates(&bytes)? };
        Self::choose(capabilities, &bag, fingerprint)
    }

    /// Chooses by key usage, not by place: the order in a DER set means nothing (RFC 8894 section 4.2).
    fn choose(capabilities: Vec<String>, bag: &[X509], fingerprint: Option<&[u8]>) -> Result<Self> {
        let doing = "choose among the SCEP certificates";
        let signs_certificates = |certificate: &&X509| has(certificate, X509KeyUsage::KEY_CERT_SIGN);
        let ca = bag.iter().find(signs_certificates).or_else(|| bag.first()).ok_or_else(|| protocol(doing, "there are none"))?;
        if !fingerprint.is_none_or(|expected| is_fingerprint(ca, expected)) {
            return Err(protocol(doing, "the CA is not the one of the profile's CAFingerprint"));
        }
        let ca_key = ca.public_key().map_err(crypto(doing))?;
        let issued = |ra: &&X509| ca.issued(ra) == X509VerifyResult::OK && ra.verify(&ca_key).unwrap_or(false);
        let registrar = bag.iter().filter(|one| !std::ptr::eq(*one, ca)).filter(|one| has(one, X509KeyUsage::KEY_ENCIPHERMENT));
        let recipient = registrar.clone().find(issued);
        if recipient.is_none() && registrar.count() > 0 {
            return Err(protocol(doing, "the RA certificate is not from the CA"));
        }
        Ok(Self { capabilities, ca: ca.clone(), recipient: recipient.unwrap_or(ca).clone() })
    }
}

fn has(certificate: &X509, usage: X509KeyUsage) -> bool {
    certificate.key_usage().is_some_and(|found| found.contains(usage))
}

fn is_fingerprint(certificate: &X509, expected: &[u8]) -> bool {
    let digest = match expected.len() {
        16 => MessageDigest::md5(),
        20 => MessageDigest::sha1(),
        32 => MessageDigest::sha256(),
        64 => MessageDigest::sha512(),
        _ => return false,
    };
    certificate.digest(digest).is_ok_and(|actual| memcmp::eq(&actual, expected))
}

fn operation(url: &Url, name: &str) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("operation", name);
    url
}

/// A request as sent, and what is needed to recognise its answer.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The message in DER; may be sent again as it is.
    pub message: Vec<u8>,
    /// Its transaction, the same for every retry.
    pub transaction: String,
    nonce: Vec<u8>,
    signer: Identity,
}

/// Wraps a certificate request: encrypted to the recipient, signed by `signer`, who is the device itself (self-signed)
/// for a first certificate and the old certificate for a renewal (RFC 8894 section 3.1).
pub fn seal(kind: Kind, request: &[u8], new_key: &PKey<Private>, signer: &Identity, recipient: &X509) -> Result<Sent> {
    let doing = "make a SCEP request";
    let public = new_key.public_key_to_der().map_err(crypto(doing))?;
    let digest = hash(MessageDigest::sha256(), &public).map_err(crypto(doing))?;
    let transaction = digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"));
    let mut nonce = vec![0; 16];
    rand_bytes(&mut nonce).map_err(crypto(doing))?;
    let nonce_value = OctetString::new(nonce.clone()).and_then(|nonce| Any::encode_from(&nonce)).map_err(der(doing))?;
    let attributes = vec![
        Attribute::one(MESSAGE_TYPE, printable(kind.message_type())?)?,
        Attribute::one(TRANSACTION_ID, printable(&transaction)?)?,
        Attribute::one(SENDER_NONCE, nonce_value)?,
    ];
    let message = cms::sign_with_attributes(&cms::encrypt(request, recipient)?, attributes, signer)?;
    Ok(Sent { message, transaction, nonce, signer: signer.clone() })
}

/// Posts a request and reads the answer: the certificate for `new_key`.
pub async fn send(wire: &Wire, url: &Url, sent: &Sent, authority: &Authority, new_key: &PKey<Private>) -> Result<X509> {
    let answer = wire.post(operation(url, "PKIOperation"), "application/x-pki-message", sent.message.clone()).await?;
    read_answer(&answer.ok("SCEP PKIOperation")?, sent, authority, new_key)
}

/// Reads a `CertRep` (RFC 8894 section 3.3.2): checks who signed it and that it answers this request, and takes the
/// certificate for `new_key` out of it.
pub fn read_answer(answer: &[u8], sent: &Sent, authority: &Authority, new_key: &PKey<Private>) -> Result<X509> {
    let doing = "read the SCEP answer";
    let opened = cms::open_with_attributes(answer, &[authority.recipient.clone(), authority.ca.clone()])?;
    let text = |kind| opened.attribute(kind).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if text(MESSAGE_TYPE).as_deref() != Some("3") {
        return Err(protocol(doing, "it is no CertRep"));
    }
    if text(TRANSACTION_ID).as_deref() != Some(sent.transaction.as_str()) || opened.attribute(RECIPIENT_NONCE) != Some(&sent.nonce) {
        return Err(protocol(doing, "it answers another request"));
    }
    match text(PKI_STATUS).as_deref() {
        Some("0") => {}
        Some("2") => return Err(refusal(text(FAIL_INFO).unwrap_or_default())),
        Some("3") => return Err(protocol(doing, "the request is pending; a phone does not wait for that")),
        other => return Err(protocol(doing, format!("pkiStatus is {other:?}"))),
    }
    let sealed = opened.content.ok_or_else(|| protocol(doing, "it has no content"))?;
    let bag = cms::certificates(&cms::decrypt(&sealed, &sent.signer)?)?;
    let is_mine = |one: &X509| one.public_key().is_ok_and(|key| key.public_eq(new_key));
    bag.into_iter().find(is_mine).ok_or_else(|| protocol(doing, "no certificate in it is for the new key"))
}

fn refusal(fail_info: String) -> Error {
    let meaning = match fail_info.as_str() {
        "0" => "badAlg",
        "1" => "badMessageCheck",
        "2" => "badRequest",
        "3" => "badTime",
        "4" => "badCertId",
        _ => "not a number of RFC 8894",
    };
    Error::Scep { fail_info, meaning }
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509Req;

    use super::*;
    use crate::simulator::{
        keychain::{Wish, name, request, rsa_key},
        rehearsal::authority::{bag, reply},
    };

    /// What a registrar answers to this request.
    fn answer(registrar: &Identity, sent: &Sent, status: &str, content: &[u8]) -> Vec<u8> {
        reply(registrar, sent.transaction.as_bytes(), &sent.nonce, status, content)
    }

    fn sent() -> (Identity, Authority, Identity, Sent) {
        let registrar = Identity::stranger("RA").unwrap();
        let authority = Authority::choose(Vec::new(), std::slice::from_ref(&registrar.certificate), None).unwrap();
        let subject = name(&[("CN".into(), "phone".into())]).unwrap();
        let me = Identity::self_signed(rsa_key(2048).unwrap(), &subject, 1).unwrap();
        let wish = Wish { subject: &subject, challenge: Some("once"), key_usage: 5, alternative_names: &[] };
        let csr = request(&me.key, &wish).unwrap();
        let sent = seal(Kind::First, &csr, &me.key, &me, &authority.recipient).unwrap();
        (registrar, authority, me, sent)
    }

    #[test]
    fn the_registrar_reads_the_request() {
        let (registrar, _, me, sent) = sent();
        let opened = cms::open_with_attributes(&sent.message, std::slice::from_ref(&me.certificate)).unwrap();
        assert_eq!(opened.attribute(MESSAGE_TYPE), Some(&b"19"[..]));
        assert_eq!(opened.attribute(TRANSACTION_ID), Some(sent.transaction.as_bytes()));
        let csr = cms::decrypt(&opened.content.unwrap(), &registrar).unwrap();
        assert!(X509Req::from_der(&csr).unwrap().verify(&me.key).unwrap());
    }

    #[test]
    fn a_granted_certificate_is_taken_and_a_refusal_is_named() {
        let (registrar, authority, me, sent) = sent();
        let granted = answer(&registrar, &sent, "0", &cms::encrypt(&bag(&[&me.certificate]), &me.certificate).unwrap());
        let certificate = read_answer(&granted, &sent, &authority, &me.key).unwrap();
        assert_eq!(certificate.to_der().unwrap(), me.certificate.to_der().unwrap());
        let refused = answer(&registrar, &sent, "2", b"");
        assert!(matches!(read_answer(&refused, &sent, &authority, &me.key), Err(Error::Scep { meaning: "badRequest", .. })));
    }

    #[test]
    fn answers_of_strangers_to_others_and_for_other_keys_are_refused() {
        let (registrar, authority, me, sent) = sent();
        let stranger = Identity::stranger("RA").unwrap();
        let sealed = cms::encrypt(&bag(&[&stranger.certificate]), &me.certificate).unwrap();
        assert!(read_answer(&answer(&stranger, &sent, "0", &sealed), &sent, &authority, &me.key).is_err());
        assert!(read_answer(&answer(&registrar, &sent, "0", &sealed), &sent, &authority, &me.key).is_err());
        let other = Sent { nonce: vec![0; 16], ..sent.clone() };
        assert!(read_answer(&answer(&registrar, &other, "0", &sealed), &sent, &authority, &me.key).is_err());
    }

    #[test]
    fn the_fingerprint_of_the_profile_must_be_the_authoritys() {
        let one = Identity::stranger("CA").unwrap().certificate;
        let right = one.digest(MessageDigest::sha256()).unwrap().to_vec();
        assert!(Authority::choose(Vec::new(), std::slice::from_ref(&one), Some(&right)).is_ok());
        assert!(Authority::choose(Vec::new(), std::slice::from_ref(&one), Some(&[0; 32])).is_err());
        assert!(Authority::choose(Vec::new(), &[], None).is_err());
    }
}
