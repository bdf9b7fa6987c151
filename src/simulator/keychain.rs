//! The device's keys and certificates, and the certificate request that it sends (RFC 2986).

use der::{
    Decode as _, Encode as _, Sequence, ValueOrd,
    asn1::{Any, BitString, ObjectIdentifier, SetOfVec},
};
use openssl::{
    asn1::{Asn1Integer, Asn1Time},
    bn::{BigNum, MsbOption},
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
    x509::{
        X509, X509Builder, X509Extension, X509Name, X509NameBuilder,
        extension::{KeyUsage, SubjectAlternativeName},
    },
};

use crate::simulator::error::{Result, crypto, der};

const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// A private key and the certificate for it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The key; it never leaves the device.
    pub key: PKey<Private>,
    /// The certificate.
    pub certificate: X509,
}

impl Identity {
    /// An identity of one's own making: signs SCEP requests before there is a certificate, and plays foreigners in tests.
    pub fn self_signed(key: PKey<Private>, subject: &X509Name, days: u32) -> Result<Self> {
        let doing = "make a self-signed certificate";
        let certificate = self_signed(&key, subject, days).map_err(crypto(doing))?;
        Ok(Self { key, certificate })
    }

    /// A foreigner's identity with a new key and this common name, valid for a day.
    pub fn stranger(common_name: &str) -> Result<Self> {
        let subject = name(&[("CN".to_owned(), common_name.to_owned())])?;
        Self::self_signed(rsa_key(2048)?, &subject, 1)
    }

    /// Whether the certificate has used up two thirds of its life.
    pub fn is_due_for_renewal(&self) -> Result<bool> {
        let doing = "read a certificate's validity";
        let now = Asn1Time::days_from_now(0).map_err(crypto(doing))?;
        let seconds = |diff: openssl::asn1::TimeDiff| i64::from(diff.days) * 86_400 + i64::from(diff.secs);
        let lived = seconds(self.certificate.not_before().diff(&now).map_err(crypto(doing))?);
        let life = seconds(self.certificate.not_before().diff(self.certificate.not_after()).map_err(crypto(doing))?);
        Ok(lived.saturating_mul(3) >= life.saturating_mul(2))
    }
}

fn self_signed(key: &PKey<Private>, subject: &X509Name, days: u32) -> std::result::Result<X509, openssl::error::ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::ONE, false)?;
    let serial: Asn1Integer = serial.to_asn1_integer()?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(subject)?;
    let (start, end) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(days)?);
    builder.set_not_before(&start)?;
    builder.set_not_after(&end)?;
    builder.set_pubkey(key)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().key_encipherment().build()?)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// A new RSA key of so many bits.
pub fn rsa_key(bits: u32) -> Result<PKey<Private>> {
    Rsa::generate(bits).and_then(PKey::from_rsa).map_err(crypto("make a key"))
}

/// A distinguished name of attributes in order; each is a short name (`CN`, `O`) or a dotted object identifier.
pub fn name(attributes: &[(String, String)]) -> Result<X509Name> {
    let doing = "make a subject name";
    let mut builder = X509NameBuilder::new().map_err(crypto(doing))?;
    for (kind, value) in attributes {
        builder.append_entry_by_text(kind, value).map_err(crypto(doing))?;
    }
    Ok(builder.build())
}

/// What a certificate request asks for.
pub struct Wish<'a> {
    /// The subject.
    pub subject: &'a X509Name,
    /// The challenge password; none in a renewal.
    pub challenge: Option<&'a str>,
    /// The profile's `Key Usage`: 1 signing, 4 encryption, 5 both.
    pub key_usage: u64,
    /// Alternative names: `rfc822Name`, `dNSName` or `uniformResourceIdentifier`, and the value.
    pub alternative_names: &'a [(String, String)],
}

#[derive(Sequence)]
struct Request {
    info: RequestInfo,
    algorithm: AlgorithmIdentifier,
    signature: BitString,
}

#[derive(Sequence)]
struct RequestInfo {
    version: u8,
    subject: Any,
    public_key: Any,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true")]
    attributes: SetOfVec<Attribute>,
}

/// An algorithm and its parameters (RFC 5280 section 4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Sequence, ValueOrd)]
pub(crate) struct AlgorithmIdentifier {
    pub(crate) algorithm: ObjectIdentifier,
    #[asn1(optional = "true")]
    pub(crate) parameters: Option<Any>,
}

impl AlgorithmIdentifier {
    /// With NULL parameters, as RSA has them.
    pub(crate) fn with_null(algorithm: ObjectIdentifier) -> Self {
        Self { algorithm, parameters: Some(Any::null()) }
    }
}

/// An attribute with its values (RFC 2986 section 4.1, RFC 5652 section 5.3).
#[derive(Clone, Debug, PartialEq, Eq, Sequence, ValueOrd)]
pub(crate) struct Attribute {
    pub(crate) kind: ObjectIdentifier,
    pub(crate) values: SetOfVec<Any>,
}

impl Attribute {
    /// With one value.
    pub(crate) fn one(kind: ObjectIdentifier, value: Any) -> Result<Self> {
        let values = SetOfVec::try_from(vec![value]).map_err(der("make an attribute"))?;
        Ok(Self { kind, values })
    }
}

/// A certificate request in DER, signed by its key.
pub fn request(key: &PKey<Private>, wish: &Wish<'_>) -> Result<Vec<u8>> {
    let doing = "make a certificate request";
    let info = RequestInfo {
        version: 0,
        subject: Any::from_der(&wish.subject.to_der().map_err(crypto(doing))?).map_err(der(doing))?,
        public_key: Any::from_der(&key.public_key_to_der().map_err(crypto(doing))?).map_err(der(doing))?,
        attributes: attributes(wish)?,
    };
    let covered = info.to_der().map_err(der(doing))?;
    let mut signer = Signer::new(MessageDigest::sha256(), key).map_err(crypto(doing))?;
    let signature = signer.sign_oneshot_to_vec(&covered).map_err(crypto(doing))?;
    let signature = BitString::from_bytes(&signature).map_err(der(doing))?;
    let request = Request { info, algorithm: AlgorithmIdentifier::with_null(SHA256_WITH_RSA), signature };
    request.to_der().map_err(der(doing))
}

fn attributes(wish: &Wish<'_>) -> Result<SetOfVec<Attribute>> {
    let doing = "make the attributes of a certificate request";
    let mut attributes = vec![Attribute::one(EXTENSION_REQUEST, Any::encode_from(&extensions(wish)?).map_err(der(doing))?)?];
    if let Some(challenge) = wish.challenge {
        let value = printable(challenge)?;
        attributes.push(Attribute::one(CHALLENGE_PASSWORD, value)?);
    }
    SetOfVec::try_from(attributes).map_err(der(doing))
}

/// A `PrintableString` where the text allows it, else a `UTF8String` (RFC 2985 section 5.4.1).
pub(crate) fn printable(text: &str) -> Result<Any> {
    let doing = "encode a string";
    match der::asn1::PrintableString::new(text) {
        Ok(value) => Any::encode_from(&value).map_err(der(doing)),
        Err(_) => Any::encode_from(&text.to_owned()).map_err(der(doing)),
    }
}

fn extensions(wish: &Wish<'_>) -> Result<Vec<Any>> {
    let doing = "make the extensions of a certificate request";
    let mut usage = KeyUsage::new();
    usage.critical();
    if wish.key_usage & 1 == 1 || wish.key_usage == 0 {
        usage.digital_signature();
    }
    if wish.key_usage & 4 == 4 || wish.key_usage == 0 {
        usage.key_encipherment();
    }
    let mut extensions = vec![usage.build().map_err(crypto(doing))?];
    if !wish.alternative_names.is_empty() {
        extensions.push(alternative_names(wish.alternative_names).map_err(crypto(doing))?);
    }
    let encode = |extension: X509Extension| Any::from_der(&extension.to_der().map_err(crypto(doing))?).map_err(der(doing));
    extensions.into_iter().map(encode).collect()
}

fn alternative_names(names: &[(String, String)]) -> std::result::Result<X509Extension, openssl::error::ErrorStack> {
    let mut builder = SubjectAlternativeName::new();
    for (kind, value) in names {
        match kind.as_str() {
            "rfc822Name" => builder.email(value),
            "dNSName" => builder.dns(value),
            "uniformResourceIdentifier" => builder.uri(value),
            _ => &mut builder,
        };
    }
    // The context is that of the certificate to be; for these kinds of names it is never looked at.
    let blank = X509Builder::new()?;
    builder.build(&blank.x509v3_context(None, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::x509::X509Req;

    #[test]
    fn a_request_carries_its_wish_and_verifies() {
        let key = rsa_key(2048).unwrap();
        let subject = name(&[("CN".into(), "device".into()), ("O".into(), "Exämple".into())]).unwrap();
        let names = [("rfc822Name".to_owned(), "ann@example.com".to_owned()), ("odd".to_owned(), "x".to_owned())];
        let wish = Wish { subject: &subject, challenge: Some("s3cret"), key_usage: 5, alternative_names: &names };
        let encoded = request(&key, &wish).unwrap();
        let read = X509Req::from_der(&encoded).unwrap();
        assert!(read.verify(&key).unwrap());
        assert_eq!(read.extensions().unwrap().len(), 2);
        assert!(encoded.windows(6).any(|window| window == b"s3cret"));
    }

    #[test]
    fn a_certificate_is_due_after_two_thirds_of_its_life() {
        let young = Identity::stranger("x").unwrap();
        assert!(!young.is_due_for_renewal().unwrap());
        let old = Identity::self_signed(young.key, &name(&[("CN".into(), "x".into())]).unwrap(), 0).unwrap();
        assert!(old.is_due_for_renewal().unwrap());
    }
}
