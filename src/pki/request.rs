//! Certificate requests of our own: for certificates that somebody else signs, such as Apple's for pushes.

use openssl::{
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    x509::{X509Name, X509Req, X509ReqBuilder},
};

use crate::pki::{During, Error};

/// A request with the key that it is for.
pub struct Request {
    /// The request.
    pub request: X509Req,
    /// The key, RSA 2048.
    pub key: PKey<Private>,
}

/// Makes a key and a request for it. Takes as long as the making of the key.
///
/// # Errors
/// A text does not fit into a name.
pub fn create(common_name: &str, organization: &str, email: &str) -> Result<Request, Error> {
    let key = Rsa::generate(2048).and_then(PKey::from_rsa).during("make a key")?;
    let mut name = X509Name::builder().during("start a name")?;
    for (field, text) in [(Nid::COMMONNAME, common_name), (Nid::ORGANIZATIONNAME, organization), (Nid::PKCS9_EMAILADDRESS, email)] {
        let text: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
        if !text.is_empty() {
            name.append_entry_by_nid(field, &text).during("write a name")?;
        }
    }
    let name = name.build();
    let mut builder = X509ReqBuilder::new().during("start a certificate request")?;
    builder.set_version(0).during("set the version")?;
    builder.set_subject_name(&name).during("set the subject")?;
    builder.set_pubkey(&key).during("set the public key")?;
    builder.sign(&key, MessageDigest::sha256()).during("sign a certificate request")?;
    Ok(Request { request: builder.build(), key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{csr, testing::Desk};

    #[test]
    fn a_request_is_one_for_openssl_and_for_us() {
        let made = create("Enlist push", "Example", "it@example.com").unwrap();
        let desk = Desk::new();
        desk.put("csr.pem", &made.request.to_pem().unwrap());
        let text = desk.run("req -in csr.pem -noout -verify -text -nameopt RFC2253");
        assert!(text.contains("CN=Enlist push") && text.contains("O=Example") && text.contains("it@example.com"), "{text}");
        let read = csr::inspect(&made.request.to_der().unwrap()).unwrap();
        assert!(read.key.public_eq(&made.key) && read.common_name.as_deref() == Some("Enlist push"));
    }
}
