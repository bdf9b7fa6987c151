//! The certificate authority: makes, inspects, signs and revokes. Bytes and domain types in, bytes out.
//!
//! OpenSSL does the cryptography; `x509-parser` looks into what strangers send; the shells around certificates
//! (CMS, CRL, OCSP) are walked by `tlv`. Where keys are kept and who may have a certificate is decided elsewhere.

pub mod algorithm;
pub mod ca;
pub mod chain;
pub mod cms;
pub mod csr;
mod draft;
pub mod issue;
pub mod key;
pub(crate) mod oid;
pub mod pkcs12;
pub mod random;
pub mod request;
pub mod revoke;
pub mod seal;
pub(crate) mod tlv;
pub mod vault;

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private},
    x509::X509,
};

use crate::domain::time::Timestamp;

/// A certificate and its private key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: X509,
    /// The private key that belongs to it.
    pub key: PKey<Private>,
}

impl Identity {
    /// Reads a PEM certificate and its PEM private key, which must belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        let certificate = X509::from_pem(certificate).during("read a certificate")?;
        // The callback answers for the pass phrase: without it OpenSSL would ask at the terminal.
        let key = PKey::private_key_from_pem_callback(key, |_| Ok(0)).during("read a private key")?;
        let own = certificate.public_key().during("read the key of a certificate")?;
        if own.public_eq(&key) { Ok(Self { certificate, key }) } else { Err(Error::Unsupported("a private key of another certificate")) }
    }

    /// The certificate and the private key (PKCS#8, not encrypted), both as PEM.
    pub fn to_pem(&self) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let certificate = self.certificate.to_pem().during("write a certificate")?;
        Ok((certificate, self.key.private_key_to_pem_pkcs8().during("write a private key")?))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("subject", &self.certificate.subject_name()).finish_non_exhaustive()
    }
}

/// What can go wrong while certificates and signed messages are made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// OpenSSL refused; the operation says at what.
    #[error("{operation}")]
    Openssl {
        /// What was being done.
        operation: &'static str,
        /// What OpenSSL says of it.
        source: ErrorStack,
    },
    /// The bytes are not what they should be.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// More bytes, elements or levels than anybody honest sends.
    #[error("{0} exceeds the limits")]
    TooLarge(&'static str),
    /// Well-formed, but with an algorithm or shape that is not accepted here.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// The signature or the digest does not fit.
    #[error("the signature does not fit the message")]
    BadSignature,
}

/// Gives an OpenSSL error the name of the operation that failed.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, ErrorStack> {
    fn during(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Openssl { operation, source })
    }
}

/// A time of a certificate as an instant.
///
/// # Errors
/// The time is not one.
pub fn instant(time: &openssl::asn1::Asn1TimeRef) -> Result<Timestamp, Error> {
    let since_1970 = openssl::asn1::Asn1Time::from_unix(0).and_then(|start| start.diff(time)).during("read a time")?;
    let seconds = i64::from(since_1970.days).saturating_mul(86_400).saturating_add(i64::from(since_1970.secs));
    Ok(Timestamp::from_millis(seconds.saturating_mul(1000)))
}

/// SHA-256 of a certificate's DER: the name by which it is looked up.
#[must_use]
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    openssl::sha::sha256(der)
}

/// A new serial number: 126 random bits, positive, and always exactly sixteen bytes long.
///
/// The second highest bit is set, so that the number has no leading zero byte and its sixteen bytes compare with the
/// content of a DER INTEGER as they are.
pub fn random_serial() -> Result<[u8; 16], Error> {
    let mut serial = [0; 16];
    openssl::rand::rand_bytes(&mut serial).during("draw a serial number")?;
    let [first, ..] = &mut serial;
    *first = (*first & 0x3f) | 0x40;
    Ok(serial)
}

/// The serial number of a certificate as sixteen bytes; `None` if it is negative or longer, hence not one of ours.
#[must_use]
pub fn serial_of(certificate: &X509) -> Option<[u8; 16]> {
    let number = certificate.serial_number().to_bn().ok()?;
    if number.is_negative() {
        return None;
    }
    number.to_vec_padded(16).ok()?.try_into().ok()
}

#[cfg(test)]
pub(crate) mod testing {
    use std::{path::PathBuf, process::Command};

    use openssl::{
        pkey::{PKey, Private},
        rsa::Rsa,
    };

    use super::Identity;
    use crate::domain::time::Timestamp;

    /// 2026-11-22T00:00:00Z.
    pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_305_600_000);

    pub(crate) fn authority() -> Identity {
        super::ca::create_authority("Example", NOW).unwrap()
    }

    pub(crate) fn rsa() -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
    }

    pub(crate) fn self_signed(key: &PKey<Private>) -> openssl::x509::X509 {
        super::ca::testing_self_signed(key, NOW)
    }

    /// A directory of its own that is removed with the value, for conversations with the `openssl` command.
    pub(crate) struct Desk(PathBuf);

    impl Desk {
        pub(crate) fn new() -> Self {
            let path = std::env::temp_dir().join(format!("enlist-pki-{}", uuid::Uuid::now_v7()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> &Self {
            std::fs::write(self.0.join(name), bytes).unwrap();
            self
        }

        pub(crate) fn put_identity(&self, name: &str, identity: &Identity) -> &Self {
            self.put(&format!("{name}.pem"), &identity.certificate.to_pem().unwrap());
            self.put(&format!("{name}.key"), &identity.key.private_key_to_pem_pkcs8().unwrap())
        }

        pub(crate) fn get(&self, name: &str) -> Vec<u8> {
            std::fs::read(self.0.join(name)).unwrap()
        }

        /// Runs `openssl` with these words; gives success, and both outputs as text.
        pub(crate) fn openssl(&self, words: &str) -> (bool, String) {
            let out = Command::new("openssl").args(words.split_whitespace()).current_dir(&self.0).output().unwrap();
            (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
        }

        pub(crate) fn run(&self, words: &str) -> String {
            let (ok, text) = self.openssl(words);
            assert!(ok, "openssl {words}: {text}");
            text
        }
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_identity_survives_its_text_and_keeps_to_its_key() {
        let (one, two) = (rsa(), rsa());
        let identity = |key: &PKey<Private>| Identity { certificate: self_signed(key), key: key.clone() };
        let (certificate, key) = identity(&one).to_pem().unwrap();
        assert!(Identity::from_pem(&certificate, &key).unwrap().key.public_eq(&one));
        assert!(Identity::from_pem(&certificate, &identity(&two).to_pem().unwrap().1).is_err());
        let locked = one.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_256_cbc(), b"secret").unwrap();
        assert!(Identity::from_pem(&certificate, &locked).is_err(), "no prompt, an error");
    }

    #[test]
    fn serial_numbers_are_positive_and_sixteen_bytes() {
        for _ in 0..200 {
            let serial = super::random_serial().unwrap();
            assert!((0x40..0x80).contains(&serial[0]));
        }
    }
}
