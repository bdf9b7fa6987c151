//! Secrets that the server hands out: tokens of 256 bits, of which only the hash is kept, and codes of eight digits.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{error::ErrorStack, rand::rand_bytes, sha::sha256};

use crate::{domain::enrollment::CODE_DIGITS, pki::random::random_text};

/// A secret to hand out, with what is kept of it.
pub struct Secret {
    /// What is handed out, 43 characters of base64url without underscores.
    pub text: String,
    /// What is kept: SHA-256.
    pub hash: Vec<u8>,
}

impl Secret {
    /// A new secret of 256 random bits, less one, with a prefix that tells people and scanners what it is.
    ///
    /// # Errors
    /// The random generator fails.
    pub fn generate(prefix: &str) -> Result<Self, ErrorStack> {
        loop {
            let mut bytes = [0; 32];
            rand_bytes(&mut bytes)?;
            let drawn = URL_SAFE_NO_PAD.encode(bytes);
            // SCEP clients write challenges as PrintableString, which has no underscore. Every second draw is without one.
            if !drawn.contains('_') {
                let text = format!("{prefix}{drawn}");
                return Ok(Self { hash: hash(&text), text });
            }
        }
    }
}

/// What is kept of a secret.
#[must_use]
pub fn hash(text: &str) -> Vec<u8> {
    sha256(text.as_bytes()).to_vec()
}

/// A code of eight digits, each equally likely.
///
/// # Errors
/// The random generator fails.
pub fn generate_code() -> Result<String, ErrorStack> {
    random_text(b"0123456789", CODE_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            let secret = Secret::generate("").unwrap();
            assert_eq!(secret.text.len(), 43);
            assert!(!secret.text.contains('_'));
            assert_eq!(secret.hash, hash(&secret.text));
            assert!(seen.insert(secret.text));
        }
    }

    #[test]
    fn every_digit_of_a_code_is_about_equally_likely() {
        let mut counts = [0_u32; 10];
        for _ in 0..5_000 {
            let code = generate_code().unwrap();
            assert_eq!(code.len(), CODE_DIGITS);
            for digit in code.bytes() {
                counts[usize::from(digit - b'0')] += 1;
            }
        }
        // 40,000 digits: 4,000 of each, standard deviation 60.
        assert!(counts.iter().all(|count| (3_640..4_360).contains(count)), "{counts:?}");
    }
}
