//! A certificate with its key in one file under a password (PKCS#12, RFC 7292), as phones install it.

use openssl::{hash::MessageDigest, nid::Nid, pkcs12::Pkcs12, stack::Stack, x509::X509};

use super::{During, Error, Identity, random::random_text};
use crate::words;

words! {
    /// With which algorithms a file is protected.
    pub enum Form {
        /// Triple DES and a SHA-1 MAC. Android 13 and older read nothing newer and call the password wrong instead.
        Legacy = "legacy",
        /// AES-256 and a SHA-256 MAC, for Android 14 and newer.
        Modern = "modern",
    }
}

/// Iterations of the key derivation and of the MAC: old phones need no second for them.
const ITERATIONS: u32 = 10_000;
/// Characters of a password.
const PASSWORD_LENGTH: usize = 10;
/// What a password is made of. Nothing that looks like something else, and no capital letters, which take a key more on a phone.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Puts a certificate, its key and the certificates above it into one file.
///
/// * `name`: what the phone calls it (`friendlyName`).
/// * `password`: neither empty, which some makers refuse, nor with a NUL.
///
/// # Errors
/// OpenSSL refuses, or name or password hold a NUL.
pub fn bundle(identity: &Identity, above: &[X509], name: &str, password: &str, form: Form) -> Result<Vec<u8>, Error> {
    if password.is_empty() || password.contains('\0') || name.contains('\0') {
        return Err(Error::Malformed("the name or the password of a PKCS#12 file"));
    }
    let mut chain = Stack::new().during("list a chain")?;
    for certificate in above {
        chain.push(certificate.clone()).during("list a chain")?;
    }
    let (cipher, digest) = match form {
        Form::Legacy => (Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC, MessageDigest::sha1()),
        Form::Modern => (Nid::AES_256_CBC, MessageDigest::sha256()),
    };
    let mut builder = Pkcs12::builder();
    builder.name(name).pkey(&identity.key).cert(&identity.certificate).ca(chain);
    builder.key_algorithm(cipher).cert_algorithm(cipher).key_iter(ITERATIONS).mac_iter(ITERATIONS).mac_md(digest);
    let file = builder.build2(password).during("make a PKCS#12 file")?;
    file.to_der().during("write a PKCS#12 file")
}

/// A new password, each as likely as the other: a little more than 49 bits.
///
/// # Errors
/// The random generator fails.
pub fn password() -> Result<String, Error> {
    random_text(ALPHABET, PASSWORD_LENGTH).during("draw a password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{
        issue::{issue_device, tests::template},
        testing::{Desk, authority, rsa},
    };

    fn identity(ca: &Identity) -> Identity {
        let key = rsa();
        Identity { certificate: issue_device(ca, &template(), &key).unwrap(), key }
    }

    #[test]
    fn both_forms_open_with_openssl_and_hold_key_certificate_and_authority() {
        let (ca, desk) = (authority(), Desk::new());
        let own = identity(&ca);
        for (form, words) in [
            (Form::Legacy, ["pbeWithSHA1And3-KeyTripleDES-CBC", "MAC: sha1, Iteration 10000"]),
            (Form::Modern, ["AES-256-CBC", "MAC: sha256, Iteration 10000"]),
        ] {
            let file = bundle(&own, std::slice::from_ref(&ca.certificate), "Work of Ada", "abcdefghjk", form).unwrap();
            desk.put("device.p12", &file);
            let said = desk.run("pkcs12 -in device.p12 -info -nodes -passin pass:abcdefghjk");
            assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 2, "{said}");
            assert!(said.contains("BEGIN PRIVATE KEY") && said.contains("friendlyName: Work of Ada"), "{said}");
            let (_, told) = desk.openssl("pkcs12 -in device.p12 -info -noout -passin pass:abcdefghjk");
            for word in words {
                assert!(told.contains(word), "{word} is not in {told}");
            }
            assert!(!desk.openssl("pkcs12 -in device.p12 -nodes -passin pass:abcdefghjx").0);
        }
    }

    #[test]
    fn a_name_or_password_that_phones_stumble_over_is_refused() {
        let ca = authority();
        let own = identity(&ca);
        assert!(bundle(&own, &[], "a", "", Form::Legacy).is_err());
        assert!(bundle(&own, &[], "a\0", "x", Form::Legacy).is_err());
    }

    #[test]
    fn passwords_are_easy_to_read_and_never_the_same() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let password = password().unwrap();
            assert_eq!(password.len(), PASSWORD_LENGTH);
            assert!(!password.contains(|c: char| "0O1lioI".contains(c)), "{password}");
            assert!(seen.insert(password));
        }
    }
}
