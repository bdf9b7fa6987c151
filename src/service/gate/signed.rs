//! What browsers are given for the gate: secrets that carry a signature. Anybody can make one up, and the gate has few connections to
//! the database, so that a made-up one is refused before the database is asked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::rand::rand_bytes;

use crate::{
    pki::seal::{SealError, SealKey},
    service::secrets::{self, Secret},
};

/// What signs tickets.
pub(super) const TICKET: &str = "gate ticket";
/// What signs cookies.
pub(super) const COOKIE: &str = "gate cookie";
/// Bytes that are drawn; the signature comes after them.
const DRAWN: usize = 16;
/// Bytes of the signature.
const SIGNATURE: usize = 16;

/// A new secret for a host.
///
/// # Errors
/// OpenSSL refuses.
pub(super) fn draw(keys: &SealKey, purpose: &str, host: &str) -> Result<Secret, SealError> {
    let mut drawn = [0; DRAWN];
    rand_bytes(&mut drawn)?;
    let text = URL_SAFE_NO_PAD.encode([drawn.as_slice(), &sign(keys, purpose, host, &drawn)?].concat());
    Ok(Secret { hash: secrets::hash(&text), text })
}

/// Whether a secret was once given for this purpose and this host. Whether it still counts is for the database to say.
///
/// # Errors
/// OpenSSL refuses.
pub(super) fn is_ours(keys: &SealKey, purpose: &str, host: &str, text: &str) -> Result<bool, SealError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let Some((drawn, signature)) = bytes.split_at_checked(DRAWN).filter(|(_, signature)| signature.len() == SIGNATURE) else {
        return Ok(false);
    };
    Ok(openssl::memcmp::eq(signature, &sign(keys, purpose, host, drawn)?))
}

fn sign(keys: &SealKey, purpose: &str, host: &str, drawn: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut signature = keys.keyed_hash(purpose, &[host.as_bytes(), drawn])?;
    signature.truncate(SIGNATURE);
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_ours_for_its_purpose_and_its_host_only() {
        let keys = SealKey::generate().unwrap();
        let secret = draw(&keys, COOKIE, "app.example.com").unwrap();
        assert_eq!((secret.text.len(), &secret.hash), (43, &secrets::hash(&secret.text)));
        assert!(is_ours(&keys, COOKIE, "app.example.com", &secret.text).unwrap());
        assert!(!is_ours(&keys, TICKET, "app.example.com", &secret.text).unwrap());
        assert!(!is_ours(&keys, COOKIE, "app.example.com:8443", &secret.text).unwrap());
        assert!(!is_ours(&SealKey::generate().unwrap(), COOKIE, "app.example.com", &secret.text).unwrap());
        assert_ne!(draw(&keys, COOKIE, "app.example.com").unwrap().text, secret.text);
    }

    #[test]
    fn what_was_made_up_is_not_ours() {
        let keys = SealKey::generate().unwrap();
        let good = draw(&keys, COOKIE, "app.example.com").unwrap().text;
        let made_up = Secret::generate("").unwrap().text;
        let longer = format!("{good}AAAA");
        for text in ["", "A", "====", "\u{e9}", &made_up, &longer, good.get(..40).unwrap(), good.get(..22).unwrap()] {
            assert!(!is_ours(&keys, COOKIE, "app.example.com", text).unwrap(), "{text}");
        }
    }
}
