//! The OCSP responder: reads what is asked, and signs what the caller found out.
//!
//! In two steps, so that the database is asked in between:
//! [`OcspRequest::parse`], then [`answer`] with a status for each serial number.

use openssl::x509::X509Ref;

use crate::{
    domain::time::Timestamp,
    pki::{
        During, Error, Identity,
        algorithm::{self, Digest},
        oid,
        revoke::Reason,
        tlv::{self, Reader, tag},
    },
};

/// No honest request is larger.
pub const MAX_REQUEST_BYTES: usize = 4096;
/// Certificates asked for in one request.
pub const MAX_CERTIFICATES: usize = 16;
/// Longest nonce that is echoed (RFC 9654, section 2.1).
const MAX_NONCE_BYTES: usize = 128;

/// What is known of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Issued here and valid.
    Good,
    /// Revoked.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// Not issued here.
    Unknown,
}

/// Answers that carry no signature (RFC 6960, section 4.2.1), for requests that cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The request could not be read.
    MalformedRequest,
    /// Something failed here.
    InternalError,
    /// Come back later.
    TryLater,
}

impl Failure {
    /// The bytes of the `OCSPResponse`.
    #[must_use]
    pub fn to_der(self) -> Vec<u8> {
        let code = match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
        };
        tlv::sequence(&[&tlv::element(tag::ENUMERATED, &[&[code]])])
    }
}

/// A request that was read.
#[derive(Debug, Clone)]
pub struct OcspRequest {
    asked: Vec<Asked>,
    nonce: Option<Vec<u8>>,
}

/// One certificate asked for: its `CertID` as it came, which is sent back unchanged.
#[derive(Debug, Clone)]
struct Asked {
    id: Vec<u8>,
    digest: Option<Digest>,
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial: Option<[u8; 16]>,
}

impl OcspRequest {
    /// Reads a DER `OCSPRequest`: at most 4 kB and 16 certificates. A signature is neither demanded nor checked.
    pub fn parse(der: &[u8]) -> Result<Self, Error> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(Error::TooLarge("the OCSP request"));
        }
        let mut outer = Reader::new("the OCSP request", der);
        let mut signed = outer.enter(tag::SEQUENCE)?;
        outer.end()?;
        let mut body = signed.enter(tag::SEQUENCE)?;
        signed.maybe(tag::context(0))?;
        signed.end()?;
        body.maybe(tag::context(0))?;
        body.maybe(tag::context(1))?;
        let mut list = body.enter(tag::SEQUENCE)?;
        let mut asked = Vec::new();
        while !list.is_empty() {
            if asked.len() >= MAX_CERTIFICATES {
                return Err(Error::TooLarge("the number of certificates in the OCSP request"));
            }
            let mut one = list.enter(tag::SEQUENCE)?;
            asked.push(Asked::parse(&mut one)?);
            one.maybe(tag::context(0))?;
            one.end()?;
        }
        let nonce = match body.maybe(tag::context(2))? {
            Some(extensions) => nonce(body.inside(&extensions))?,
            None => None,
        };
        body.end()?;
        if asked.is_empty() { Err(Error::Malformed("the OCSP request")) } else { Ok(Self { asked, nonce }) }
    }

    /// Whether the answer is for this request alone and must not be cached.
    #[must_use]
    pub const fn has_nonce(&self) -> bool {
        self.nonce.is_some()
    }

    /// The serial numbers asked for; those that cannot be ours are left out.
    pub fn serials(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        self.asked.iter().filter_map(|asked| asked.serial)
    }
}

impl Asked {
    fn parse(request: &mut Reader<'_>) -> Result<Self, Error> {
        let id = request.take(tag::SEQUENCE)?;
        let mut fields = request.inside(&id);
        let (digest, _) = fields.algorithm()?;
        let issuer_name = fields.take(tag::OCTET_STRING)?.value.to_vec();
        let issuer_key = fields.take(tag::OCTET_STRING)?.value.to_vec();
        let serial = fields.take(tag::INTEGER)?.value.try_into().ok();
        fields.end()?;
        let digest = Digest::from_identifier(digest).filter(|digest| matches!(digest, Digest::Sha1 | Digest::Sha256));
        Ok(Self { id: id.whole.to_vec(), digest, issuer_name, issuer_key, serial })
    }
}

/// Signs the answer: valid from `now` to `next_update`, the nonce echoed, `status` asked once for each certificate of ours.
///
/// `responder` is the authority itself or one that it delegated
/// ([`issue_ocsp_responder`](crate::pki::ca::issue_ocsp_responder)). A certificate of another authority is `unknown`.
pub fn answer(
    request: &OcspRequest,
    ca: &X509Ref,
    responder: &Identity,
    (now, next_update): (Timestamp, Timestamp),
    mut status: impl FnMut(&[u8; 16]) -> Status,
) -> Result<Vec<u8>, Error> {
    let authority = Authority::new(ca)?;
    let mut singles = Vec::new();
    for asked in &request.asked {
        let found = match asked.serial {
            Some(serial) if authority.is_meant_by(asked)? => status(&serial),
            _ => Status::Unknown,
        };
        let until = tlv::element(tag::context(0), &[&tlv::generalized_time(next_update)]);
        singles.extend(tlv::sequence(&[&asked.id, &found.to_der(), &tlv::generalized_time(now), &until]));
    }
    let by_key = tlv::octets(&openssl::sha::sha1(&key_bits(&responder.certificate)?));
    let extensions = match &request.nonce {
        Some(nonce) => tlv::element(tag::context(1), &[&tlv::sequence(&[nonce])]),
        None => Vec::new(),
    };
    let by_key = tlv::element(tag::context(2), &[&by_key]);
    let body = tlv::sequence(&[&by_key, &tlv::generalized_time(now), &tlv::sequence(&[&singles]), &extensions]);
    let (algorithm, signature) = algorithm::sign(Digest::Sha256, &responder.key, &body)?;
    let certificate = responder.certificate.to_der().during("encode the responder's certificate")?;
    let certificates = tlv::element(tag::context(0), &[&tlv::sequence(&[&certificate])]);
    let basic = tlv::sequence(&[&body, &algorithm, &tlv::bits(&signature), &certificates]);
    let bytes = tlv::sequence(&[&tlv::oid(&oid::OCSP_BASIC), &tlv::octets(&basic)]);
    Ok(tlv::sequence(&[&tlv::element(tag::ENUMERATED, &[&[0]]), &tlv::element(tag::context(0), &[&bytes])]))
}

impl Status {
    fn to_der(self) -> Vec<u8> {
        match self {
            Self::Good => tlv::element(tag::context_primitive(0), &[]),
            Self::Unknown => tlv::element(tag::context_primitive(2), &[]),
            Self::Revoked { at, reason } => {
                let reason = reason.enumerated().map(|code| tlv::element(tag::context(0), &[&code])).unwrap_or_default();
                tlv::element(tag::context(1), &[&tlv::generalized_time(at), &reason])
            }
        }
    }
}

/// What the hashes of a `CertID` are taken of.
struct Authority {
    name: Vec<u8>,
    key: Vec<u8>,
}

impl Authority {
    fn new(ca: &X509Ref) -> Result<Self, Error> {
        Ok(Self { name: ca.subject_name().to_der().during("encode the issuer")?, key: key_bits(ca)? })
    }

    fn is_meant_by(&self, asked: &Asked) -> Result<bool, Error> {
        let Some(digest) = asked.digest else { return Ok(false) };
        Ok(*digest.of(&self.name)? == *asked.issuer_name && *digest.of(&self.key)? == *asked.issuer_key)
    }
}

/// The bits of a certificate's public key, without the algorithm around them.
fn key_bits(certificate: &X509Ref) -> Result<Vec<u8>, Error> {
    let der = certificate.public_key().and_then(|key| key.public_key_to_der()).during("encode the public key")?;
    let mut info = Reader::new("the public key", &der).enter(tag::SEQUENCE)?;
    info.take(tag::SEQUENCE)?;
    let bits = info.take(tag::BIT_STRING)?;
    bits.value.split_first().map(|(_, bits)| bits.to_vec()).ok_or(Error::Malformed("the public key"))
}

/// The nonce extension, whole; other extensions are ignored, none of them is critical to us.
fn nonce(mut extensions: Reader<'_>) -> Result<Option<Vec<u8>>, Error> {
    let mut list = extensions.enter(tag::SEQUENCE)?;
    extensions.end()?;
    let mut nonce = None;
    while !list.is_empty() {
        let extension = list.take(tag::SEQUENCE)?;
        let mut fields = list.inside(&extension);
        if fields.take(tag::OID)?.value != oid::OCSP_NONCE.as_bytes() {
            continue;
        }
        fields.maybe(tag::BOOLEAN)?;
        let value = fields.take(tag::OCTET_STRING)?.value;
        fields.end()?;
        // Two bytes more, as the nonce is an OCTET STRING within.
        if value.len() > MAX_NONCE_BYTES.saturating_add(3) || nonce.replace(tlv::extension(&oid::OCSP_NONCE, value)).is_some() {
            return Err(Error::Malformed("the nonce of the OCSP request"));
        }
    }
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{
        ca,
        issue::{issue_device, tests::template},
        testing::{Desk, NOW, authority, rsa},
    };

    fn scene() -> (Desk, Identity, Identity, [u8; 16]) {
        let (desk, ca, template) = (Desk::new(), authority(), template());
        let responder = ca::issue_ocsp_responder(&ca, "Example", NOW).unwrap();
        let device = issue_device(&ca, &template, &rsa()).unwrap();
        desk.put_identity("ca", &ca).put("device.pem", &device.to_pem().unwrap());
        (desk, ca, responder, template.serial)
    }

    #[test]
    fn openssl_accepts_good_revoked_and_unknown() {
        let (desk, ca, responder, serial) = scene();
        let gone = Status::Revoked { at: NOW, reason: Reason::CessationOfOperation };
        for digest in ["-sha1", "-sha256"] {
            for (status, expected) in [(Status::Good, "good"), (gone, "cessationOfOperation"), (Status::Unknown, "unknown")] {
                for signer in [&responder, &ca] {
                    desk.run(&format!("ocsp {digest} -issuer ca.pem -cert device.pem -reqout request -noverify"));
                    let request = OcspRequest::parse(&desk.get("request")).unwrap();
                    assert!(request.has_nonce());
                    assert_eq!(request.serials().collect::<Vec<_>>(), [serial]);
                    let der = answer(&request, &ca.certificate, signer, (NOW, NOW.plus_days(1)), |asked| {
                        assert_eq!(*asked, serial);
                        status
                    });
                    desk.put("response", &der.unwrap());
                    let at = NOW.seconds();
                    let text = desk.run(&format!(
                        "ocsp {digest} -respin response -reqin request -no_nonce -issuer ca.pem -cert device.pem -CAfile ca.pem -attime {at} -validity_period 1000000000 -resp_text"
                    ));
                    assert!(
                        text.contains("Response verify OK") && text.contains(expected) && !text.contains("WARNING: no nonce"),
                        "{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_certificate_of_another_authority_is_unknown() {
        let (desk, ..) = scene();
        desk.run("ocsp -issuer ca.pem -cert device.pem -reqout request -no_nonce");
        let request = OcspRequest::parse(&desk.get("request")).unwrap();
        assert!(!request.has_nonce());
        let other = authority();
        answer(&request, &other.certificate, &other, (NOW, NOW.plus_days(1)), |_| panic!("must not be asked")).unwrap();
    }

    #[test]
    fn truncated_requests_and_too_many_questions_are_refused() {
        let (desk, ..) = scene();
        desk.run("ocsp -issuer ca.pem -cert device.pem -reqout request");
        let whole = desk.get("request");
        for end in 0..whole.len() {
            assert!(OcspRequest::parse(&whole[..end]).is_err());
        }
        let many = "-serial 1 ".repeat(MAX_CERTIFICATES + 1);
        desk.run(&format!("ocsp -issuer ca.pem {many} -reqout request"));
        assert!(matches!(OcspRequest::parse(&desk.get("request")), Err(Error::TooLarge(_))));
        assert!(OcspRequest::parse(&vec![0x30; MAX_REQUEST_BYTES + 1]).is_err());
    }

    #[test]
    fn a_failure_is_readable() {
        let desk = Desk::new();
        desk.put("response", &Failure::TryLater.to_der());
        assert!(desk.openssl("ocsp -respin response -resp_text -noverify").1.contains("trylater"));
    }
}
