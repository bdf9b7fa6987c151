//! The request for a push certificate in the form that Apple's portal takes: signed by the holder of an MDM vendor certificate,
//! which Apple gives to members of its developer programs on request.

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::{hash::MessageDigest, pkey::PKey, sign::Signer, x509::X509};

use super::property_list::write::to_xml;

/// Why a request cannot be signed; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The vendor's certificate is not one.
    #[error("the vendor certificate must be PEM: the MDM vendor certificate first, then Apple's intermediate, then Apple's root")]
    Certificate,
    /// The chain is not complete.
    #[error("the vendor certificate must come with its chain up to Apple's root: append the intermediate and the root to the file")]
    Chain,
    /// The vendor's key is not one.
    #[error("the vendor key must be an RSA key in PEM without a pass phrase")]
    Key,
    /// The key belongs to another certificate.
    #[error("the vendor key does not belong to the vendor certificate")]
    OtherKey,
    /// Something else.
    #[error("signing the request failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Signs a request in the vendor's name; gives the text to upload.
///
/// * `request`: the request in DER.
/// * `chain`: the vendor's certificate and those above it, in PEM.
/// * `key`: the vendor's key in PEM.
///
/// # Errors
/// Certificate or key cannot be used.
pub fn sign(request: &[u8], chain: &[u8], key: &[u8]) -> Result<String, SignError> {
    let chain = X509::stack_from_pem(chain).map_err(|_| SignError::Certificate)?;
    let vendor = chain.first().ok_or(SignError::Certificate)?;
    let key = PKey::private_key_from_pem_callback(key, |_| Ok(0)).map_err(|_| SignError::Key)?;
    if key.rsa().is_err() {
        return Err(SignError::Key);
    }
    if !vendor.public_key().is_ok_and(|public| public.public_eq(&key)) {
        return Err(SignError::OtherKey);
    }
    check_chain(&chain)?;
    let mut certificates = String::new();
    for certificate in &chain {
        let pem = certificate.to_pem().map_err(failed)?;
        certificates.push_str(&String::from_utf8_lossy(&pem));
    }
    // Apple's instructions name SHA-1 here. It signs a request that carries its own SHA-256 signature and lives for minutes.
    let mut signer = Signer::new(MessageDigest::sha1(), &key).map_err(failed)?;
    let signature = signer.sign_oneshot_to_vec(request).map_err(failed)?;
    let mut entries = plist::Dictionary::new();
    entries.insert("PushCertRequestCSR".into(), STANDARD.encode(request).into());
    entries.insert("PushCertCertificateChain".into(), certificates.into());
    entries.insert("PushCertSignature".into(), STANDARD.encode(signature).into());
    Ok(STANDARD.encode(to_xml(entries).map_err(failed)?))
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SignError {
    SignError::Failed(error.into())
}

/// Each certificate is signed by the next, the last by itself. Apple's portal refuses anything else without saying why.
fn check_chain(chain: &[X509]) -> Result<(), SignError> {
    let is_signed_by = |lower: &X509, upper: &X509| upper.public_key().and_then(|key| lower.verify(&key)).unwrap_or(false);
    let is_linked = chain.iter().zip(chain.iter().skip(1)).all(|(lower, upper)| is_signed_by(lower, upper));
    let ends = chain.last().is_some_and(|root| is_signed_by(root, root));
    if chain.len() >= 2 && is_linked && ends { Ok(()) } else { Err(SignError::Chain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apple::property_list::{Limits, read},
        pki::{
            ca,
            request::create,
            testing::{Desk, NOW, authority},
        },
    };

    #[test]
    fn a_signed_request_holds_request_chain_and_signature() {
        let root = authority();
        let vendor = ca::issue_profile_signer(&root, "Vendor", NOW).unwrap();
        let request = create("Enlist", "", "").unwrap().request.to_der().unwrap();
        let (certificate, key) = vendor.to_pem().unwrap();
        let chain = [certificate.clone(), root.certificate.to_pem().unwrap()].concat();
        let signed = sign(&request, &chain, &key).unwrap();
        let xml = STANDARD.decode(signed).unwrap();
        let read = read(&xml, &Limits::default()).unwrap();
        let text = |key: &str| read.get(key).and_then(|value| value.as_str()).unwrap().to_owned();
        assert_eq!(STANDARD.decode(text("PushCertRequestCSR")).unwrap(), request);
        assert_eq!(text("PushCertCertificateChain").as_bytes(), chain);
        let desk = Desk::new();
        desk.put("csr.der", &request).put("signature", &STANDARD.decode(text("PushCertSignature")).unwrap());
        desk.put("vendor.pem", &certificate).run("x509 -in vendor.pem -pubkey -noout -out vendor.pub");
        desk.run("dgst -sha1 -verify vendor.pub -signature signature csr.der");
    }

    #[test]
    fn what_apple_would_refuse_is_refused_here() {
        let root = authority();
        let vendor = ca::issue_profile_signer(&root, "Vendor", NOW).unwrap();
        let (certificate, key) = vendor.to_pem().unwrap();
        let root_pem = root.certificate.to_pem().unwrap();
        let chain = [certificate.clone(), root_pem.clone()].concat();
        let other = authority().certificate.to_pem().unwrap();
        assert!(matches!(sign(b"x", b"", &key), Err(SignError::Certificate)));
        assert!(matches!(sign(b"x", &chain, b"nothing"), Err(SignError::Key)));
        assert!(matches!(sign(b"x", &[root_pem, certificate.clone()].concat(), &key), Err(SignError::OtherKey)));
        assert!(matches!(sign(b"x", &certificate, &key), Err(SignError::Chain)));
        assert!(matches!(sign(b"x", &[certificate, other].concat(), &key), Err(SignError::Chain)));
    }
}
