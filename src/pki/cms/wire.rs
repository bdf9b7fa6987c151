//! The shape of `SignedData`, read without copying. Certificates stay opaque: one odd certificate must not spoil the rest.

use openssl::pkey::{HasPublic, PKeyRef};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pki::{
    Error,
    algorithm::{self, Digest, Scheme},
    oid,
    tlv::{self, Reader, Tlv, tag},
};

/// Signer, its issuers, and one to spare.
const MAX_CERTIFICATES: usize = 4;
const MAX_ATTRIBUTES: usize = 32;

/// A `SignedData` with exactly one signer.
#[derive(Debug)]
pub(crate) struct SignedData<'a> {
    /// The object identifier of what was signed.
    pub(crate) content_type: &'a [u8],
    /// What was signed, unless it travels apart.
    pub(crate) content: Option<&'a [u8]>,
    /// At most four, each as it came.
    pub(crate) certificates: Vec<&'a [u8]>,
    pub(crate) signer: Signer<'a>,
}

/// The one `SignerInfo`.
#[derive(Debug)]
pub(crate) struct Signer<'a> {
    id: SignerId<'a>,
    pub(crate) digest: Digest,
    pub(crate) scheme: Scheme,
    pub(crate) attributes: Option<Attributes<'a>>,
    pub(crate) signature: &'a [u8],
}

#[derive(Debug)]
enum SignerId<'a> {
    Issuer { name: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

/// Signed attributes: the bytes between tag and end, in the order they were received and signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The single value of an attribute. Absent is `None`; twice, or with several values, is an error.
    pub(crate) fn find(self, identifier: &der::oid::ObjectIdentifier) -> Result<Option<Tlv<'a>>, Error> {
        let mut reader = Reader::new("a signed attribute", self.0);
        let mut found = None;
        for _ in 0..MAX_ATTRIBUTES {
            if reader.is_empty() {
                return Ok(found);
            }
            let mut attribute = reader.enter(tag::SEQUENCE)?;
            let named = attribute.take(tag::OID)?;
            let mut values = attribute.enter(tag::SET)?;
            attribute.end()?;
            if named.value == identifier.as_bytes() {
                let value = values.any()?;
                values.end()?;
                if found.replace(value).is_some() {
                    return Err(Error::Malformed("a signed attribute"));
                }
            }
        }
        if reader.is_empty() { Ok(found) } else { Err(Error::TooLarge("the list of signed attributes")) }
    }
}

impl<'a> SignedData<'a> {
    /// Reads a DER `ContentInfo` that holds a `SignedData`.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let mut data = content_info("the signed message", der, &oid::SIGNED_DATA)?;
        data.take(tag::INTEGER)?;
        data.take(tag::SET)?;
        let mut encapsulated = data.enter(tag::SEQUENCE)?;
        let content_type = encapsulated.take(tag::OID)?.value;
        let content = match encapsulated.maybe(tag::context(0))? {
            Some(wrapped) => {
                let mut wrapped = data.inside(&wrapped);
                let content = wrapped.take(tag::OCTET_STRING)?;
                wrapped.end()?;
                Some(content.value)
            }
            None => None,
        };
        encapsulated.end()?;
        let certificates = match data.maybe(tag::context(0))? {
            Some(set) => certificates(data.inside(&set))?,
            None => Vec::new(),
        };
        data.maybe(tag::context(1))?;
        let mut signers = data.enter(tag::SET)?;
        data.end()?;
        let signer = Signer::parse(signers.enter(tag::SEQUENCE)?)?;
        if !signers.is_empty() {
            return Err(Error::TooLarge("the number of signers"));
        }
        Ok(Self { content_type, content, certificates, signer })
    }

    /// The certificate that the signer names; whether it may be trusted is another question.
    pub(crate) fn signer_certificate(&self) -> Result<&'a [u8], Error> {
        let missing = Error::Malformed("the signer's certificate");
        match self.signer.id {
            SignerId::KeyId(key_id) => self.certificates.iter().copied().find(|der| has_key_id(der, key_id)).ok_or(missing),
            SignerId::Issuer { name, serial } => {
                let same_serial = || {
                    self.certificates
                        .iter()
                        .copied()
                        .filter_map(|der| Some((der, issuer_and_serial(der)?)))
                        .filter(|(_, found)| found.1 == serial)
                };
                // The same name can be encoded in two ways; a serial number that is alone is enough then.
                match same_serial().find(|(_, found)| found.0 == name) {
                    Some((der, _)) => Ok(der),
                    None => same_serial().next().filter(|_| same_serial().count() == 1).map(|(der, _)| der).ok_or(missing),
                }
            }
        }
    }
}

impl<'a> Signer<'a> {
    fn parse(mut info: Reader<'a>) -> Result<Self, Error> {
        info.take(tag::INTEGER)?;
        let id = if let Some(key_id) = info.maybe(tag::context_primitive(0))? {
            SignerId::KeyId(key_id.value)
        } else {
            let mut named = info.enter(tag::SEQUENCE)?;
            let id = SignerId::Issuer { name: named.take(tag::SEQUENCE)?.whole, serial: named.take(tag::INTEGER)?.value };
            named.end()?;
            id
        };
        let (digest, _) = info.algorithm()?;
        let digest = Digest::from_identifier(digest).ok_or(Error::Unsupported("the digest algorithm"))?;
        let attributes = info.maybe(tag::context(0))?.map(|attributes| Attributes(attributes.value));
        let (identifier, parameters) = info.algorithm()?;
        let scheme = algorithm::scheme(identifier, parameters, digest)?;
        let signature = info.take(tag::OCTET_STRING)?.value;
        info.maybe(tag::context(1))?;
        info.end()?;
        Ok(Self { id, digest, scheme, attributes, signature })
    }
}

/// What a signature covers, as RFC 5652 section 5.4 says: the signed attributes if there are any, else the content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) content_type: &'a [u8],
    pub(crate) digest: Digest,
    pub(crate) scheme: Scheme,
    pub(crate) attributes: Option<Attributes<'a>>,
    pub(crate) signature: &'a [u8],
}

impl Signed<'_> {
    /// Checks digest, content type and signature of `content`.
    pub(crate) fn verify<T: HasPublic>(&self, key: &PKeyRef<T>, content: &[u8]) -> Result<(), Error> {
        let Some(attributes) = self.attributes else {
            // A signature over attributes is also one over a content that looks like them: whoever strips the attributes of
            // an honest message would have a second one. No content that is signed for us begins like a SET.
            if content.first() == Some(&tag::SET) {
                return Err(Error::BadSignature);
            }
            return algorithm::verify(self.scheme, self.digest, key, &[content], self.signature);
        };
        let digest = attributes.find(&oid::MESSAGE_DIGEST)?.ok_or(Error::BadSignature)?;
        let content_type = attributes.find(&oid::CONTENT_TYPE)?.ok_or(Error::BadSignature)?;
        if digest.tag != tag::OCTET_STRING || content_type.tag != tag::OID || content_type.value != self.content_type {
            return Err(Error::BadSignature);
        }
        if *self.digest.of(content)? != *digest.value {
            return Err(Error::BadSignature);
        }
        // They travel under the tag [0] and are signed under the tag of a SET.
        let mut header = Vec::with_capacity(6);
        tlv::push_header(&mut header, tag::SET, attributes.0.len());
        algorithm::verify(self.scheme, self.digest, key, &[&header, attributes.0], self.signature)
    }
}

/// Opens a `ContentInfo` of the given type.
pub(crate) fn content_info<'a>(what: &'static str, der: &'a [u8], expected: &der::oid::ObjectIdentifier) -> Result<Reader<'a>, Error> {
    let mut outer = Reader::new(what, der);
    let mut info = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    if info.take(tag::OID)?.value != expected.as_bytes() {
        return Err(Error::Unsupported("the content type"));
    }
    let mut wrapped = info.enter(tag::context(0))?;
    info.end()?;
    let inner = wrapped.enter(tag::SEQUENCE)?;
    wrapped.end()?;
    Ok(inner)
}

/// Certificates of a set; other kinds of `CertificateChoices` are passed over but count.
fn certificates(mut set: Reader<'_>) -> Result<Vec<&[u8]>, Error> {
    let mut found = Vec::new();
    for _ in 0..MAX_CERTIFICATES {
        if set.is_empty() {
            break;
        }
        let choice = set.any()?;
        if choice.tag == tag::SEQUENCE {
            found.push(choice.whole);
        }
    }
    if set.is_empty() { Ok(found) } else { Err(Error::TooLarge("the number of certificates")) }
}

/// Issuer and serial number as they stand in a certificate.
fn issuer_and_serial(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut body = Reader::new("a certificate", der).enter(tag::SEQUENCE).ok()?.enter(tag::SEQUENCE).ok()?;
    body.maybe(tag::context(0)).ok()?;
    let serial = body.take(tag::INTEGER).ok()?.value;
    body.take(tag::SEQUENCE).ok()?;
    Some((body.take(tag::SEQUENCE).ok()?.whole, serial))
}

fn has_key_id(der: &[u8], key_id: &[u8]) -> bool {
    use x509_parser::extensions::ParsedExtension;
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(found) => found.0 == key_id,
        _ => false,
    })
}
