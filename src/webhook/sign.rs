//! The signature of a webhook: HMAC-SHA256 over identifier, time and body, under a secret that sender and receiver share.

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::{error::ErrorStack, hash::MessageDigest, pkey::PKey, rand::rand_bytes, sign::Signer};

/// Tells people and secret scanners what it is.
const PREFIX: &str = "whsec_";

/// A secret that a target shares with the server.
pub struct Secret([u8; 32]);

/// A secret that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of a webhook cannot be read")]
pub struct SecretError;

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The random generator fails.
    pub fn generate() -> Result<Self, ErrorStack> {
        let mut bytes = [0; 32];
        rand_bytes(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The one of these bytes.
    ///
    /// # Errors
    /// They are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        bytes.try_into().map(Self).map_err(|_| SecretError)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The form in which it is handed out: `whsec_` and base64.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.0))
    }

    /// The value of `webhook-signature`.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> Result<String, ErrorStack> {
        let key = PKey::hmac(&self.0)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        signer.update(format!("{id}.{timestamp}.{body}").as_bytes())?;
        Ok(format!("v1,{}", STANDARD.encode(signer.sign_to_vec()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_identifier_time_and_body() {
        let secret = Secret([7; 32]);
        let signed = secret.sign("a", 1, "{}").unwrap();
        assert!(signed.starts_with("v1,") && signed.len() == 3 + 44, "{signed}");
        assert_eq!(secret.sign("a", 1, "{}").unwrap(), signed);
        for (id, at, body) in [("b", 1, "{}"), ("a", 2, "{}"), ("a", 1, "{ }")] {
            assert_ne!(secret.sign(id, at, body).unwrap(), signed);
        }
        assert_ne!(Secret([8; 32]).sign("a", 1, "{}").unwrap(), signed);
    }

    #[test]
    fn a_secret_is_32_bytes_in_base64() {
        let secret = Secret::generate().unwrap();
        let text = secret.text();
        assert_eq!(STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap(), secret.as_bytes());
        assert_eq!(Secret::from_bytes(secret.as_bytes()).unwrap().text(), text);
        assert!(Secret::from_bytes(&[0; 31]).is_err());
    }
}
