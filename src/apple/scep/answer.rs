//! The answer to a SCEP message: a signed `CertRep`, with the certificate in an envelope or the reason of the failure.

use openssl::{
    cms::{CMSOptions, CmsContentInfo},
    stack::Stack,
    x509::{X509, X509Ref},
};

use super::message::{Request, Transaction};
use crate::pki::{
    During, Error, Identity,
    cms::{certificates_only, seal},
    oid,
    tlv::{self, tag},
};

/// Why a request failed (RFC 8894, section 3.2.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailInfo {
    /// An algorithm is not accepted.
    BadAlg,
    /// The message was changed on its way, or cannot be opened.
    BadMessageCheck,
    /// The request is not permitted or makes no sense.
    BadRequest,
    /// A clock is wrong.
    BadTime,
    /// No certificate fits what was asked for.
    BadCertId,
}

impl FailInfo {
    const fn digit(self) -> &'static str {
        match self {
            Self::BadAlg => "0",
            Self::BadMessageCheck => "1",
            Self::BadRequest => "2",
            Self::BadTime => "3",
            Self::BadCertId => "4",
        }
    }
}

/// Encloses `issued`, and after it `chain`, in an envelope that only the requester can open, and signs it.
///
/// Cipher and digest are those of the request.
pub fn seal_success(request: &Request, ra: &Identity, issued: &X509Ref, chain: &[X509]) -> Result<Vec<u8>, Error> {
    let mut certificates: Vec<&X509Ref> = vec![issued];
    certificates.extend(chain.iter().map(|certificate| &**certificate));
    let bundle = certificates_only(&certificates)?;
    let mut recipients = Stack::new().during("name the recipient")?;
    recipients.push(request.signer.clone()).during("name the recipient")?;
    let envelope = CmsContentInfo::encrypt(&recipients, &bundle, request.cipher.symmetric(), CMSOptions::BINARY)
        .and_then(|envelope| envelope.to_der())
        .during("close the envelope")?;
    certificate_reply(&request.transaction, ra, Some(&envelope), vec![printable(&oid::SCEP_PKI_STATUS, "0")])
}

/// Signs the news that a request failed. `text` reaches the requester: it must say nothing about secrets.
pub fn seal_failure(transaction: &Transaction, ra: &Identity, fail_info: FailInfo, text: &str) -> Result<Vec<u8>, Error> {
    let text = tlv::element(tag::UTF8_STRING, &[text.as_bytes()]);
    let attributes = vec![
        printable(&oid::SCEP_PKI_STATUS, "2"),
        printable(&oid::SCEP_FAIL_INFO, fail_info.digit()),
        seal::attribute(&oid::SCEP_FAIL_INFO_TEXT, &text),
    ];
    certificate_reply(transaction, ra, None, attributes)
}

fn certificate_reply(
    transaction: &Transaction,
    ra: &Identity,
    envelope: Option<&[u8]>,
    mut attributes: Vec<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; 16];
    openssl::rand::rand_bytes(&mut nonce).during("draw a nonce")?;
    attributes.extend([
        printable(&oid::SCEP_MESSAGE_TYPE, "3"),
        seal::attribute(&oid::SCEP_TRANSACTION_ID, &transaction.id_der),
        seal::attribute(&oid::SCEP_SENDER_NONCE, &tlv::octets(&nonce)),
        seal::attribute(&oid::SCEP_RECIPIENT_NONCE, &transaction.nonce_der),
    ]);
    seal::sign_with_attributes(envelope, attributes, ra, &[], transaction.digest)
}

fn printable(identifier: &der::oid::ObjectIdentifier, text: &str) -> Vec<u8> {
    seal::attribute(identifier, &tlv::element(tag::PRINTABLE_STRING, &[text.as_bytes()]))
}
