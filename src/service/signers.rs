//! Who signed a message: the certificate of an `Mdm-Signature`, verified once for each certificate and remembered.
//!
//! Only the signature and the issuer are judged here. Whether the certificate is revoked, expired or bound to somebody else is
//! in the database, and is asked there in the same query that every message needs anyway.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lru::LruCache;
use openssl::pkey::{PKey, Public};

use super::App;
use crate::pki::{
    chain::{self, Purpose},
    cms::Detached,
    fingerprint,
};

/// How many certificates are remembered.
const REMEMBERED: usize = 50_000;
/// Most characters of the header.
const LONGEST_HEADER: usize = 64 * 1024;

/// SHA-256 of a certificate.
pub type Fingerprint = [u8; 32];

/// Certificates whose issuer was verified, with their keys.
pub struct Signers(Mutex<LruCache<Fingerprint, Arc<PKey<Public>>>>);

impl Default for Signers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(REMEMBERED).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl Signers {
    fn get(&self, fingerprint: &Fingerprint) -> Option<Arc<PKey<Public>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(fingerprint).cloned()
    }

    fn put(&self, fingerprint: Fingerprint, key: Arc<PKey<Public>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(fingerprint, key);
    }
}

/// A message that was not signed by a device certificate of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// There is no signature.
    #[error("the message carries no signature")]
    Missing,
    /// The connection came without a certificate.
    #[error("a device certificate is needed: come to the port for devices with it")]
    NoCertificate,
    /// The signature cannot be read.
    #[error("the signature of the message cannot be read")]
    Unreadable,
    /// The certificate is not one of ours.
    #[error("the message is signed by a certificate that this server did not issue")]
    Foreign,
    /// The signature is of another message, or of another key.
    #[error("the signature does not belong to this message")]
    Wrong,
}

impl App {
    /// Finds out which of our certificates signed a message.
    ///
    /// * `header`: the value of `Mdm-Signature`, base64 of a detached CMS signature.
    /// * `body`: the message.
    ///
    /// # Errors
    /// It was none.
    pub fn signer_of(&self, header: &str, body: &[u8]) -> Result<Fingerprint, SignerError> {
        if header.len() > LONGEST_HEADER {
            return Err(SignerError::Unreadable);
        }
        let signature = STANDARD.decode(header.trim()).map_err(|_| SignerError::Unreadable)?;
        let signature = Detached::open(&signature).map_err(|_| SignerError::Unreadable)?;
        let certificate = signature.signer_certificate_der();
        let fingerprint = fingerprint(certificate);
        let key = match self.signers.get(&fingerprint) {
            Some(key) => key,
            None => self.verified_key(certificate)?,
        };
        signature.verify(&key, body).map_err(|_| SignerError::Wrong)?;
        self.signers.put(fingerprint, key);
        Ok(fingerprint)
    }

    /// Finds out whether a certificate that came by TLS, or from a trusted proxy, is one of ours.
    ///
    /// # Errors
    /// It is not.
    pub fn certificate_of(&self, der: &[u8]) -> Result<Fingerprint, SignerError> {
        let fingerprint = fingerprint(der);
        if self.signers.get(&fingerprint).is_none() {
            let key = self.verified_key(der)?;
            self.signers.put(fingerprint, key);
        }
        Ok(fingerprint)
    }

    fn verified_key(&self, certificate: &[u8]) -> Result<Arc<PKey<Public>>, SignerError> {
        let ca = &self.authorities.device_ca.certificate;
        // An expired certificate is let through here: the database says so with a better answer.
        let verified =
            chain::verify_issued_by(ca, certificate, self.now(), Purpose::ExpiredClientAuth).map_err(|_| SignerError::Foreign)?;
        verified.public_key().map(Arc::new).map_err(|_| SignerError::Unreadable)
    }
}
