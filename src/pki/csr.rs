//! What is read from a certificate request: the key, proof that the sender has it, and what it claims.

use openssl::{
    nid::Nid,
    pkey::{PKey, Public},
    x509::X509Req,
};

use crate::pki::{
    Error,
    algorithm::Digest,
    key::{self, KeyError},
    oid,
    tlv::{Reader, tag},
};

/// No honest request is larger: RSA 8192 with a long subject stays below 4 kB.
pub const MAX_CSR_BYTES: usize = 16 * 1024;

/// A request that was proved to come from the holder of its key. The rest is claim, not fact.
#[derive(Debug, Clone)]
pub struct Csr {
    /// The public key, acceptable to [`key::check`].
    pub key: PKey<Public>,
    /// The challenge password, if one was sent.
    pub challenge: Option<String>,
    /// The common name that the sender would like; certificates are never issued from it.
    pub common_name: Option<String>,
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    /// Larger than [`MAX_CSR_BYTES`].
    #[error("the certificate request is too large")]
    TooLarge,
    /// Not a PKCS#10 request.
    #[error("the certificate request is malformed")]
    Malformed(#[source] Option<Error>),
    /// The key is not good enough.
    #[error("the key of the certificate request is refused")]
    Key(#[from] KeyError),
    /// Signed with an algorithm that proves nothing, such as MD5.
    #[error("the signature algorithm of the certificate request is not supported")]
    Algorithm,
    /// The signature does not prove possession of the key.
    #[error("the certificate request is not signed by its own key")]
    NoPossession,
}

/// Reads a PKCS#10 request (RFC 2986): limits first, then shape, key, and at last the signature, which costs most.
pub fn inspect(der: &[u8]) -> Result<Csr, CsrError> {
    if der.len() > MAX_CSR_BYTES {
        return Err(CsrError::TooLarge);
    }
    let challenge = walk(der)?;
    // OpenSSL forgives strings whose letters their type does not have, as certmonger and others write them.
    let request = X509Req::from_der(der).map_err(|_| CsrError::Malformed(None))?;
    let mut names = request.subject_name().entries_by_nid(Nid::COMMONNAME);
    let common_name = names.next().and_then(|name| name.data().to_string().ok());
    let key = request.public_key().map_err(|_| KeyError::Unreadable)?;
    key::check(&key)?;
    if !request.verify(&key).unwrap_or(false) {
        return Err(CsrError::NoPossession);
    }
    Ok(Csr { key, challenge, common_name })
}

/// Whether the bytes have the outer shape of a request; says nothing of its truth.
pub(crate) fn looks_like_request(der: &[u8]) -> bool {
    walk(der).is_ok()
}

/// Walks the request for its challenge password, and refuses signature algorithms that are not known.
fn walk(der: &[u8]) -> Result<Option<String>, CsrError> {
    let shape = |error| CsrError::Malformed(Some(error));
    let mut outer = Reader::new("the certificate request", der);
    let mut request = outer.enter(tag::SEQUENCE).map_err(shape)?;
    outer.end().map_err(shape)?;
    let info = request.enter(tag::SEQUENCE).map_err(shape)?;
    let (algorithm, _) = request.algorithm().map_err(shape)?;
    request.take(tag::BIT_STRING).and_then(|_| request.end()).map_err(shape)?;
    let challenge = challenge(info).map_err(shape)?;
    let digests = [Digest::Sha1, Digest::Sha256, Digest::Sha384, Digest::Sha512];
    let known = digests.iter().flat_map(|digest| [digest.with_rsa(), digest.with_ecdsa()]).chain([oid::RSA_PSS]);
    if known.into_iter().any(|known| known.as_bytes() == algorithm) { Ok(challenge) } else { Err(CsrError::Algorithm) }
}

/// The one `challengePassword` (RFC 2985, section 5.4.1); two of them are an attempt at something.
fn challenge(mut info: Reader<'_>) -> Result<Option<String>, Error> {
    const MALFORMED: Error = Error::Malformed("the challenge password");
    info.take(tag::INTEGER)?;
    info.take(tag::SEQUENCE)?;
    info.take(tag::SEQUENCE)?;
    let Some(attributes) = info.maybe(tag::context(0))? else { return info.end().map(|()| None) };
    let mut attributes = info.inside(&attributes);
    let mut challenge = None;
    while !attributes.is_empty() {
        let mut attribute = attributes.enter(tag::SEQUENCE)?;
        let identifier = attribute.take(tag::OID)?;
        let mut values = attribute.enter(tag::SET)?;
        if identifier.value != oid::CHALLENGE_PASSWORD.as_bytes() {
            continue;
        }
        let value = values.any()?;
        values.end()?;
        if challenge.is_some() || !matches!(value.tag, tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING) {
            return Err(MALFORMED);
        }
        challenge = Some(std::str::from_utf8(value.value).map_err(|_| MALFORMED)?.to_owned());
    }
    info.end()?;
    Ok(challenge)
}

#[cfg(test)]
pub(crate) mod tests {
    use openssl::pkey::Private;

    use super::*;
    use crate::pki::testing::{Desk, rsa};

    /// A request made by the `openssl` command; `-subj` would drop the challenge, hence the file.
    pub(crate) fn request(desk: &Desk, key: &PKey<Private>, challenge: &str) -> Vec<u8> {
        let config = format!(
            "[req]\nprompt=no\ndistinguished_name=dn\nattributes=att\nreq_extensions=ext\n[dn]\nCN=ceo@corp.example\n[att]\n\
             challengePassword={challenge}\n[ext]\nbasicConstraints=CA:TRUE\nextendedKeyUsage=serverAuth\n"
        );
        desk.put("csr.conf", config.as_bytes()).put("csr.key", &key.private_key_to_pem_pkcs8().unwrap());
        desk.run("req -new -config csr.conf -key csr.key -outform DER -out csr.der");
        desk.get("csr.der")
    }

    #[test]
    fn key_challenge_and_name_are_read() {
        let key = rsa();
        let csr = inspect(&request(&Desk::new(), &key, "s3cret+/=")).unwrap();
        assert!(key::same(&csr.key, &key));
        assert_eq!(csr.challenge.as_deref(), Some("s3cret+/="));
        assert_eq!(csr.common_name.as_deref(), Some("ceo@corp.example"));
    }

    #[test]
    fn an_underscore_in_a_printable_string_is_forgiven() {
        let key = rsa();
        let mut der = request(&Desk::new(), &key, "under_score");
        let text = der.windows(11).position(|window| window == b"under_score").unwrap();
        // What certmonger writes, and DER forbids. The request is the signed part, after one header and before 276 bytes.
        der[text - 2] = tag::PRINTABLE_STRING;
        let end = der.len() - 276;
        let signature =
            openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(&der[4..end]).unwrap();
        let start = der.len() - signature.len();
        der[start..].copy_from_slice(&signature);
        assert_eq!(inspect(&der).unwrap().challenge.as_deref(), Some("under_score"));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let der = request(&Desk::new(), &rsa(), "secret");
        for at in (0..der.len()).step_by(3) {
            let mut bad = der.clone();
            bad[at] ^= 1;
            assert!(inspect(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn truncated_padded_and_huge_requests_are_refused() {
        let mut der = request(&Desk::new(), &rsa(), "secret");
        for end in 0..der.len() {
            assert!(inspect(&der[..end]).is_err());
        }
        der.push(0);
        assert!(inspect(&der).is_err());
        assert!(matches!(inspect(&vec![0x30; MAX_CSR_BYTES + 1]), Err(CsrError::TooLarge)));
    }

    #[test]
    fn a_weak_key_and_an_old_digest_are_refused() {
        let desk = Desk::new();
        desk.run("req -new -newkey rsa:1024 -nodes -subj /CN=x -keyout weak.key -outform DER -out weak.der");
        assert!(matches!(inspect(&desk.get("weak.der")), Err(CsrError::Key(KeyError::Size(1024)))));
        desk.run("req -new -newkey rsa:2048 -md5 -nodes -subj /CN=x -keyout md5.key -outform DER -out md5.der");
        assert!(matches!(inspect(&desk.get("md5.der")), Err(CsrError::Algorithm)));
    }
}
