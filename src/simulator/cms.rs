//! Signed and enveloped messages (RFC 5652). What OpenSSL offers is OpenSSL's; the signed attributes of SCEP, to which
//! its safe interface has no access, are written and read here.

use der::{
    Decode as _, Encode as _, Sequence, ValueOrd,
    asn1::{Any, ObjectIdentifier, OctetString, SetOfVec},
};
use openssl::{
    cms::{CMSOptions, CmsContentInfo},
    hash::{MessageDigest, hash},
    memcmp,
    pkcs7::{Pkcs7, Pkcs7Flags},
    sign::{Signer, Verifier},
    stack::Stack,
    symm::Cipher,
    x509::{X509, X509PurposeId, X509Ref, store::X509StoreBuilder},
};

use crate::simulator::{
    error::{Result, crypto, der, protocol},
    keychain::{AlgorithmIdentifier, Attribute, Identity},
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// A detached signature over a body, as `Mdm-Signature` carries it (in DER, not yet base64).
pub fn sign_detached(body: &[u8], signer: &Identity) -> Result<Vec<u8>> {
    sign(body, signer, CMSOptions::BINARY | CMSOptions::DETACHED)
}

/// A signed message that contains the body.
pub fn sign_attached(body: &[u8], signer: &Identity) -> Result<Vec<u8>> {
    sign(body, signer, CMSOptions::BINARY)
}

fn sign(body: &[u8], signer: &Identity, flags: CMSOptions) -> Result<Vec<u8>> {
    let flags = flags | CMSOptions::NOSMIMECAP;
    let message = CmsContentInfo::sign(Some(&signer.certificate), Some(&signer.key), None, Some(body), flags);
    message.and_then(|message| message.to_der()).map_err(crypto("sign a message"))
}

/// A signed message whose signature holds and whose signer's chain ends at a trusted root.
#[derive(Debug)]
pub struct Opened {
    /// What was signed.
    pub content: Vec<u8>,
    /// Who signed it.
    pub signer: X509,
}

/// Opens an attached signed message. `roots` must contain an issuer of the signer.
pub fn open(message: &[u8], roots: &[X509]) -> Result<Opened> {
    let doing = "verify a signed message";
    let parsed = Pkcs7::from_der(message).map_err(crypto(doing))?;
    let mut store = X509StoreBuilder::new().map_err(crypto(doing))?;
    // Configuration profiles are not mail: the signer's extended key usage is its own affair.
    store.set_purpose(X509PurposeId::ANY).map_err(crypto(doing))?;
    for root in roots {
        store.add_cert(root.clone()).map_err(crypto(doing))?;
    }
    let none = Stack::new().map_err(crypto(doing))?;
    let mut content = Vec::new();
    parsed.verify(&none, &store.build(), None, Some(&mut content), Pkcs7Flags::empty()).map_err(crypto(doing))?;
    let signers = parsed.signers(&none, Pkcs7Flags::empty()).map_err(crypto(doing))?;
    let signer = signers.iter().next().ok_or_else(|| protocol(doing, "nobody signed it"))?.to_owned();
    Ok(Opened { content, signer })
}

/// The certificates of a message that has nothing else in it.
pub fn certificates(message: &[u8]) -> Result<Vec<X509>> {
    let doing = "read a bag of certificates";
    let bag = Pkcs7::from_der(message).map_err(crypto(doing))?;
    let stack = bag.signed().and_then(|signed| signed.certificates()).ok_or_else(|| protocol(doing, "it has none"))?;
    Ok(stack.iter().map(ToOwned::to_owned).collect())
}

/// Encrypts to one recipient with AES-256.
pub fn encrypt(content: &[u8], recipient: &X509) -> Result<Vec<u8>> {
    let doing = "encrypt a message";
    let mut recipients = Stack::new().map_err(crypto(doing))?;
    recipients.push(recipient.clone()).map_err(crypto(doing))?;
    let sealed = CmsContentInfo::encrypt(&recipients, content, Cipher::aes_256_cbc(), CMSOptions::BINARY);
    sealed.and_then(|sealed| sealed.to_der()).map_err(crypto(doing))
}

/// Decrypts what was encrypted to this identity.
pub fn decrypt(message: &[u8], recipient: &Identity) -> Result<Vec<u8>> {
    let sealed = CmsContentInfo::from_der(message);
    sealed.and_then(|sealed| sealed.decrypt(&recipient.key, &recipient.certificate)).map_err(crypto("decrypt a message"))
}

#[derive(Sequence)]
struct ContentInfo {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: Any,
}

#[derive(Sequence)]
struct SignedData {
    version: u8,
    digests: SetOfVec<AlgorithmIdentifier>,
    content: Content,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    revocations: Option<SetOfVec<Any>>,
    signers: SetOfVec<SignerInfo>,
}

#[derive(Sequence)]
struct Content {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    bytes: Option<OctetString>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence, ValueOrd)]
struct SignerInfo {
    version: u8,
    signer: Any,
    digest: AlgorithmIdentifier,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    attributes: Option<SetOfVec<Attribute>>,
    algorithm: AlgorithmIdentifier,
    signature: OctetString,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    unsigned: Option<SetOfVec<Any>>,
}

#[derive(Sequence)]
struct IssuerAndSerial {
    issuer: Any,
    serial: Any,
}

/// Signs content together with attributes (RFC 5652 section 5.4), SHA-256 and RSA, the certificate included.
pub(crate) fn sign_with_attributes(content: &[u8], extra: Vec<Attribute>, by: &Identity) -> Result<Vec<u8>> {
    let doing = "sign a message with attributes";
    let digest = hash(MessageDigest::sha256(), content).map_err(crypto(doing))?;
    let digest = OctetString::new(digest.to_vec()).map_err(der(doing))?;
    let mut attributes = vec![
        Attribute::one(CONTENT_TYPE, Any::encode_from(&DATA).map_err(der(doing))?)?,
        Attribute::one(MESSAGE_DIGEST, Any::encode_from(&digest).map_err(der(doing))?)?,
    ];
    attributes.extend(extra);
    let attributes = SetOfVec::try_from(attributes).map_err(der(doing))?;
    let mut signer = Signer::new(MessageDigest::sha256(), &by.key).map_err(crypto(doing))?;
    let signature = signer.sign_oneshot_to_vec(&attributes.to_der().map_err(der(doing))?).map_err(crypto(doing))?;
    let info = SignerInfo {
        version: 1,
        signer: issuer_and_serial(&by.certificate)?,
        digest: AlgorithmIdentifier { algorithm: SHA256, parameters: None },
        attributes: Some(attributes),
        algorithm: AlgorithmIdentifier::with_null(RSA),
        signature: OctetString::new(signature).map_err(der(doing))?,
        unsigned: None,
    };
    assemble(content, info, &by.certificate)
}

fn assemble(content: &[u8], info: SignerInfo, certificate: &X509) -> Result<Vec<u8>> {
    let doing = "assemble a signed message";
    let certificate = Any::from_der(&certificate.to_der().map_err(crypto(doing))?).map_err(der(doing))?;
    let signed = SignedData {
        version: 1,
        digests: SetOfVec::try_from(vec![info.digest.clone()]).map_err(der(doing))?,
        content: Content { kind: DATA, bytes: Some(OctetString::new(content).map_err(der(doing))?) },
        certificates: Some(SetOfVec::try_from(vec![certificate]).map_err(der(doing))?),
        revocations: None,
        signers: SetOfVec::try_from(vec![info]).map_err(der(doing))?,
    };
    let content = Any::encode_from(&signed).map_err(der(doing))?;
    ContentInfo { kind: SIGNED_DATA, content }.to_der().map_err(der(doing))
}

fn issuer_and_serial(certificate: &X509Ref) -> Result<Any> {
    let doing = "name a signer";
    let issuer = Any::from_der(&certificate.issuer_name().to_der().map_err(crypto(doing))?).map_err(der(doing))?;
    let serial = certificate.serial_number().to_bn().map_err(crypto(doing))?;
    let serial = der::asn1::Uint::new(&serial.to_vec()).and_then(|serial| Any::encode_from(&serial)).map_err(der(doing))?;
    Any::encode_from(&IssuerAndSerial { issuer, serial }).map_err(der(doing))
}

/// A message with signed attributes, its signature verified with the key of `signer`.
#[derive(Debug)]
pub(crate) struct Attributed {
    /// What was signed; SCEP answers that say no have none.
    pub(crate) content: Option<Vec<u8>>,
    attributes: SetOfVec<Attribute>,
}

impl Attributed {
    /// The value of an attribute: the bytes of its string or octet string.
    pub(crate) fn attribute(&self, kind: ObjectIdentifier) -> Option<&[u8]> {
        let found = self.attributes.iter().find(|attribute| attribute.kind == kind)?;
        found.values.get(0).map(Any::value)
    }
}

/// Opens a signed message with attributes. One of `signers` must have signed it.
pub(crate) fn open_with_attributes(message: &[u8], signers: &[X509]) -> Result<Attributed> {
    let doing = "open a message with attributes";
    let outer = ContentInfo::from_der(message).map_err(der(doing))?;
    if outer.kind != SIGNED_DATA {
        return Err(protocol(doing, "it is not signed data"));
    }
    let body: SignedData = outer.content.decode_as().map_err(der(doing))?;
    let [info] = body.signers.as_slice() else { return Err(protocol(doing, "it does not have one signer")) };
    let attributes = info.attributes.clone().ok_or_else(|| protocol(doing, "it has no signed attributes"))?;
    let signer = signers.iter().find(|candidate| issuer_and_serial(candidate).is_ok_and(|name| name == info.signer));
    let signer = signer.ok_or_else(|| protocol(doing, "a stranger signed it"))?;
    let digest = digest_of(info.digest.algorithm)?;
    let content = body.content.bytes.map(|bytes| bytes.as_bytes().to_vec());
    let opened = Attributed { content, attributes };
    check(&opened, info, digest, signer)?;
    Ok(opened)
}

fn digest_of(algorithm: ObjectIdentifier) -> Result<MessageDigest> {
    match algorithm {
        SHA256 => Ok(MessageDigest::sha256()),
        SHA384 => Ok(MessageDigest::sha384()),
        SHA512 => Ok(MessageDigest::sha512()),
        other => Err(protocol("open a message with attributes", format!("the digest {other} is not accepted"))),
    }
}

fn check(opened: &Attributed, info: &SignerInfo, digest: MessageDigest, signer: &X509) -> Result<()> {
    let doing = "verify a message with attributes";
    let actual = hash(digest, opened.content.as_deref().unwrap_or_default()).map_err(crypto(doing))?;
    let claimed = opened.attribute(MESSAGE_DIGEST).unwrap_or_default();
    if claimed.len() != actual.len() || !memcmp::eq(claimed, &actual) {
        return Err(protocol(doing, "the content was changed"));
    }
    let key = signer.public_key().map_err(crypto(doing))?;
    let mut verifier = Verifier::new(digest, &key).map_err(crypto(doing))?;
    let covered = opened.attributes.to_der().map_err(der(doing))?;
    if verifier.verify_oneshot(info.signature.as_bytes(), &covered).map_err(crypto(doing))? {
        Ok(())
    } else {
        Err(protocol(doing, "the signature is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn a_detached_signature_is_one_that_openssl_accepts() {
        let signer = Identity::stranger("phone").unwrap();
        let folder = std::env::temp_dir().join(format!("enlist-cms-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let body = b"<plist/>\nline\r\n";
        fs::write(folder.join("body"), body).unwrap();
        fs::write(folder.join("cert"), signer.certificate.to_pem().unwrap()).unwrap();
        fs::write(folder.join("sig"), sign_detached(body, &signer).unwrap()).unwrap();
        let words = "cms -verify -binary -inform DER -in sig -content body -CAfile cert -purpose any -out /dev/null";
        let output = Command::new("openssl").args(words.split(' ')).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_a_trusted_signer_is_believed() {
        let (signer, other) = (Identity::stranger("a").unwrap(), Identity::stranger("b").unwrap());
        let message = sign_attached(b"hello", &signer).unwrap();
        let opened = open(&message, std::slice::from_ref(&signer.certificate)).unwrap();
        assert_eq!(opened.content, b"hello");
        assert_eq!(opened.signer.to_der().unwrap(), signer.certificate.to_der().unwrap());
        assert!(open(&message, &[other.certificate]).is_err());
        assert!(open(b"junk", &[]).is_err());
    }

    #[test]
    fn attributes_are_signed_and_openssl_agrees() {
        let (signer, other) = (Identity::stranger("a").unwrap(), Identity::stranger("b").unwrap());
        let kind = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.7");
        let extra = vec![Attribute::one(kind, crate::simulator::keychain::printable("t1").unwrap()).unwrap()];
        let message = sign_with_attributes(b"content", extra, &signer).unwrap();
        assert_eq!(open(&message, std::slice::from_ref(&signer.certificate)).unwrap().content, b"content");
        let opened = open_with_attributes(&message, std::slice::from_ref(&signer.certificate)).unwrap();
        assert_eq!(opened.attribute(kind), Some(&b"t1"[..]));
        assert!(open_with_attributes(&message, &[other.certificate]).is_err());
        let mut bent = message.clone();
        let place = bent.windows(7).position(|window| window == b"content").unwrap();
        bent[place] = b'C';
        assert!(open_with_attributes(&bent, std::slice::from_ref(&signer.certificate)).is_err());
        assert!(open_with_attributes(&message[..40], &[signer.certificate]).is_err());
    }

    #[test]
    fn only_the_recipient_decrypts() {
        let (me, other) = (Identity::stranger("a").unwrap(), Identity::stranger("b").unwrap());
        let sealed = encrypt(b"secret", &me.certificate).unwrap();
        assert_eq!(decrypt(&sealed, &me).unwrap(), b"secret");
        assert!(decrypt(&sealed, &other).is_err());
    }
}
