//! A SCEP message is opened: the signature around it, the attributes that steer it, the envelope inside.

use openssl::{cms::CmsContentInfo, x509::X509};

use super::{Cipher, FailInfo, Strength};
use crate::pki::{
    Error, Identity,
    algorithm::Digest,
    cms::{
        ber,
        wire::{self, Attributes, Signed, SignedData},
    },
    csr,
    key::{self, KeyError},
    oid,
    tlv::{Tlv, tag},
};

/// No honest message is larger: a request with four certificates of RSA 8192 stays below 32 kB.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
const MAX_TRANSACTION_BYTES: usize = 128;
const MAX_NONCE_BYTES: usize = 64;
const MAX_RECIPIENTS: usize = 4;

/// The kinds of message (RFC 8894, section 3.2.1.2, and `UpdateReq` of its drafts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageType {
    /// 3: an answer.
    CertRep,
    /// 17: a certificate in the name of one that is still valid.
    RenewalReq,
    /// 18: never became standard; always refused.
    UpdateReq,
    /// 19: a certificate.
    PkcsReq,
    /// 20: has it been issued meanwhile?
    CertPoll,
    /// 21: a certificate by its serial number; refused.
    GetCert,
    /// 22: the revocation list; refused, it has an address of its own.
    GetCrl,
    /// Anything else, as it was written, cut at 16 characters.
    Unknown(String),
}

impl MessageType {
    /// The kind that these digits mean. Never fails.
    #[must_use]
    pub fn from_digits(digits: &str) -> Self {
        match digits {
            "3" => Self::CertRep,
            "17" => Self::RenewalReq,
            "18" => Self::UpdateReq,
            "19" => Self::PkcsReq,
            "20" => Self::CertPoll,
            "21" => Self::GetCert,
            "22" => Self::GetCrl,
            other => Self::Unknown(other.chars().take(16).collect()),
        }
    }
}

/// What an answer must repeat of the request.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The requester's name for this exchange; at most 128 bytes of text. A repeated request bears the same.
    ///
    /// It is chosen by the requester and often a digest of its key, so that two enrollments with one key share it: a known
    /// one is answered with the earlier certificate only if the key of the request is that certificate's.
    pub id: String,
    /// The digest that the answer is signed with.
    pub digest: Digest,
    /// The transaction identifier with its type, byte for byte.
    pub(super) id_der: Vec<u8>,
    /// The requester's nonce, an OCTET STRING, byte for byte.
    pub(super) nonce_der: Vec<u8>,
}

/// What is asked for. There are no other possibilities: every other kind of message was refused.
#[derive(Debug, Clone)]
pub enum Asks {
    /// A certificate, with this PKCS#10 request.
    Enroll(Vec<u8>),
    /// A certificate in the place of the one that signed the message, with this PKCS#10 request.
    Renew(Vec<u8>),
    /// The certificate of an earlier request in the same transaction.
    Poll,
}

/// A message whose signature fits the certificate it brought. Nothing is known yet about that certificate.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the answer repeats.
    pub transaction: Transaction,
    /// What is asked for.
    pub asks: Asks,
    /// The certificate that signed, and to which the answer is encrypted.
    pub signer: X509,
    /// The cipher of the envelope, and of the answer.
    pub cipher: Cipher,
}

/// Why a message is not accepted, when the requester can be told.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What the answer repeats.
    pub transaction: Transaction,
    /// The reason on the wire.
    pub fail_info: FailInfo,
    /// The reason in words; says nothing about secrets.
    pub text: &'static str,
}

/// Why a message is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot even be answered: an HTTP error is all there is.
    #[error("the SCEP message cannot be read")]
    Unreadable(#[from] Error),
    /// It is answered with [`seal_failure`](super::seal_failure).
    #[error("the SCEP message is refused: {}", .0.text)]
    Refused(Box<Refusal>),
}

/// Opens a `PKIOperation` message, BER or DER, of at most 256 kB, with the key of the registration authority.
///
/// Checked are: one signer with its certificate, digest and signature, the strength of algorithms and keys, and that the
/// envelope is for `ra`. Every way in which the envelope can fail gives the same refusal.
pub fn open(body: &[u8], ra: &Identity, strength: Strength) -> Result<Request, OpenError> {
    if body.len() > MAX_MESSAGE_BYTES {
        return Err(Error::TooLarge("the SCEP message").into());
    }
    let der = ber::to_der(body)?;
    let data = SignedData::parse(&der)?;
    let attributes = data.signer.attributes.ok_or(Error::Malformed("the SCEP attributes"))?;
    let transaction = Transaction::read(attributes, answer_digest(data.signer.digest, strength))?;
    match examine(&data, attributes, ra, strength) {
        Ok((asks, signer, cipher)) => Ok(Request { transaction, asks, signer, cipher }),
        Err((fail_info, text)) => Err(OpenError::Refused(Box::new(Refusal { transaction, fail_info, text }))),
    }
}

type Refused = (FailInfo, &'static str);

fn examine(data: &SignedData<'_>, attributes: Attributes<'_>, ra: &Identity, strength: Strength) -> Result<(Asks, X509, Cipher), Refused> {
    if data.signer.digest == Digest::Sha1 && !strength.allow_sha1 {
        return Err((FailInfo::BadAlg, "SHA-1 is not accepted"));
    }
    let signer = signer(data)?;
    let content = verified_content(data, attributes, &signer)?;
    // No branch may fall through to "accepted": whatever is not named here is refused.
    let kind = match message_type(attributes)? {
        MessageType::PkcsReq => Asks::Enroll,
        MessageType::RenewalReq => Asks::Renew,
        MessageType::CertPoll => {
            let (cipher, _) = unseal(content, ra, strength)?;
            return Ok((Asks::Poll, signer, cipher));
        }
        MessageType::CertRep | MessageType::UpdateReq | MessageType::GetCert | MessageType::GetCrl | MessageType::Unknown(_) => {
            return Err((FailInfo::BadRequest, "this kind of message is not accepted"));
        }
    };
    let (cipher, request) = unseal(content, ra, strength)?;
    // With a wrong key OpenSSL decrypts to random bytes, lest the padding of RSA be guessed; one time in 256 they look
    // padded. Such rubbish must be refused like any other broken envelope.
    if csr::looks_like_request(&request) { Ok((kind(request), signer, cipher)) } else { Err(BROKEN_ENVELOPE) }
}

const BROKEN_ENVELOPE: Refused = (FailInfo::BadMessageCheck, "the envelope cannot be opened");

/// The signer's certificate, whose key must be RSA: the answer is encrypted to it.
fn signer(data: &SignedData<'_>) -> Result<X509, Refused> {
    const UNREADABLE: Refused = (FailInfo::BadMessageCheck, "the signer's certificate cannot be read");
    let certificate = data.signer_certificate().map_err(|_| UNREADABLE)?;
    let certificate = X509::from_der(certificate).map_err(|_| UNREADABLE)?;
    let key = certificate.public_key().map_err(|_| UNREADABLE)?;
    if key.id() != openssl::pkey::Id::RSA {
        return Err((FailInfo::BadAlg, "the requester's key must be RSA, as the answer is encrypted to it"));
    }
    match key::check(&key) {
        Ok(()) => Ok(certificate),
        Err(KeyError::Size(_)) => Err((FailInfo::BadAlg, "the requester's RSA key must have 2048 to 8192 bits")),
        Err(_) => Err((FailInfo::BadRequest, "the requester's key is not accepted")),
    }
}

fn verified_content<'a>(data: &SignedData<'a>, attributes: Attributes<'_>, signer: &X509) -> Result<&'a [u8], Refused> {
    const WRONG: Refused = (FailInfo::BadMessageCheck, "the signature does not fit the message");
    let content = data.content.ok_or(WRONG)?;
    let message = Signed {
        content_type: data.content_type,
        digest: data.signer.digest,
        scheme: data.signer.scheme,
        attributes: Some(attributes),
        signature: data.signer.signature,
    };
    let key = signer.public_key().map_err(|_| WRONG)?;
    message.verify(&key, content).map_err(|_| WRONG)?;
    Ok(content)
}

fn message_type(attributes: Attributes<'_>) -> Result<MessageType, Refused> {
    const MISSING: Refused = (FailInfo::BadRequest, "the message has no type");
    let found = attributes.find(&oid::SCEP_MESSAGE_TYPE).ok().flatten().ok_or(MISSING)?;
    text(found).map(MessageType::from_digits).ok_or(MISSING)
}

/// Decrypts an envelope. The cipher is read from the structure, before any key is touched.
fn unseal(envelope: &[u8], ra: &Identity, strength: Strength) -> Result<(Cipher, Vec<u8>), Refused> {
    let cipher = cipher_of(envelope).map_err(|error| match error {
        Error::Unsupported(_) => (FailInfo::BadAlg, "the cipher of the envelope is not accepted"),
        _ => BROKEN_ENVELOPE,
    })?;
    if cipher == Cipher::TripleDes && !strength.allow_3des {
        return Err((FailInfo::BadAlg, "triple DES is not accepted"));
    }
    let content = CmsContentInfo::from_der(envelope).and_then(|envelope| envelope.decrypt(&ra.key, &ra.certificate));
    content.map(|content| (cipher, content)).map_err(|_| BROKEN_ENVELOPE)
}

/// The `contentEncryptionAlgorithm` of an `EnvelopedData` (RFC 5652, section 6.1).
fn cipher_of(envelope: &[u8]) -> Result<Cipher, Error> {
    let der = ber::to_der(envelope)?;
    let mut data = wire::content_info("the envelope", &der, &oid::ENVELOPED_DATA).map_err(|_| Error::Malformed("the envelope"))?;
    data.take(tag::INTEGER)?;
    data.maybe(tag::context(0))?;
    let mut recipients = data.enter(tag::SET)?;
    for _ in 0..MAX_RECIPIENTS {
        if !recipients.is_empty() {
            recipients.any()?;
        }
    }
    recipients.end()?;
    let mut content = data.enter(tag::SEQUENCE)?;
    content.take(tag::OID)?;
    let (identifier, _) = content.algorithm()?;
    Cipher::from_identifier(identifier).ok_or(Error::Unsupported("the cipher"))
}

impl Transaction {
    fn read(attributes: Attributes<'_>, digest: Digest) -> Result<Self, Error> {
        let id = attributes.find(&oid::SCEP_TRANSACTION_ID)?.ok_or(Error::Malformed("the transaction identifier"))?;
        let name = text(id)
            .filter(|name| (1..=MAX_TRANSACTION_BYTES).contains(&name.len()))
            .ok_or(Error::Malformed("the transaction identifier"))?;
        let nonce = attributes.find(&oid::SCEP_SENDER_NONCE)?.ok_or(Error::Malformed("the nonce of the sender"))?;
        if nonce.tag != tag::OCTET_STRING || !(1..=MAX_NONCE_BYTES).contains(&nonce.value.len()) {
            return Err(Error::Malformed("the nonce of the sender"));
        }
        Ok(Self { id: name.to_owned(), digest, id_der: id.whole.to_vec(), nonce_der: nonce.whole.to_vec() })
    }
}

/// SHA-1 is answered to SHA-1 only, and only if that is accepted at all.
const fn answer_digest(asked: Digest, strength: Strength) -> Digest {
    match asked {
        Digest::Sha1 if !strength.allow_sha1 => Digest::Sha256,
        other => other,
    }
}

/// The text of a string attribute. The standard wants `PrintableString`; real clients also send the two others.
fn text(value: Tlv<'_>) -> Option<&str> {
    let known = matches!(value.tag, tag::PRINTABLE_STRING | tag::UTF8_STRING | tag::IA5_STRING);
    std::str::from_utf8(value.value).ok().filter(|text| known && !text.chars().any(char::is_control))
}
