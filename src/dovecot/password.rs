//! Passwords for single devices. Dovecot checks them without asking anybody, and names them to its policy server by a hash, so that
//! neither side has to keep them.
//!
//! A password is 32 random hexadecimal digits and then a seal: SHA-256 over a secret of this server and the user's name. Dovecot makes
//! the same of the name that somebody signs in with (`%{sha256;rounds=1,salt=…:user}`), so that no other password is let through,
//! whatever becomes of the policy server. Which device a password is for, and whether it still holds, follows from its hash.
//!
//! The secret comes first and the name last. Who has a seal can compute that of a longer name, but the longer name has bytes in it
//! that no user name may have.

use openssl::{
    error::ErrorStack,
    rand::rand_bytes,
    sha::{Sha256, sha256},
};

use crate::domain::hex::hex;

/// Random digits at the beginning of a password.
const DIGITS: usize = 32;

/// What Dovecot and this server share.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Keys {
    /// `auth_policy_hash_nonce`.
    pub nonce: String,
    /// The secret of the seals.
    pub seal: String,
}

/// A password that was just made.
pub struct Minted {
    /// The password. It is handed out once.
    pub text: String,
    /// What is kept of it.
    pub hash: Vec<u8>,
}

impl Keys {
    /// New ones.
    ///
    /// # Errors
    /// The random generator fails.
    pub fn generate() -> Result<Self, ErrorStack> {
        Ok(Self { nonce: random::<32>()?, seal: random::<32>()? })
    }

    /// A new password for a user of Dovecot.
    ///
    /// # Errors
    /// The random generator fails.
    pub fn mint(&self, user: &str) -> Result<Minted, ErrorStack> {
        let text = format!("{}{}", random::<{ DIGITS / 2 }>()?, self.sealed(user));
        Ok(Minted { hash: self.hash(user, &text), text })
    }

    /// How Dovecot names a password: `auth_policy_hash_mech = sha256` over nonce, user name, a zero byte, and the password
    /// (seen at Dovecot 2.3.19, `auth-policy.c`).
    fn hash(&self, user: &str, password: &str) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [self.nonce.as_bytes(), user.as_bytes(), &[0], password.as_bytes()] {
            hash.update(part);
        }
        hash.finish().to_vec()
    }

    fn sealed(&self, user: &str) -> String {
        hex(&sha256(format!("{}{user}", self.seal).as_bytes()))
    }

    /// The part of Dovecot's configuration that holds the secrets.
    ///
    /// * `key`: what Dovecot shows to the policy server.
    #[must_use]
    pub fn configuration(&self, key: &str) -> String {
        let Self { nonce, seal } = self;
        format!(
            "auth_policy_server_api_header = Authorization: Bearer {key}\n\
             auth_policy_hash_nonce = {nonce}\n\
             passdb {{\n  driver = static\n  args = password={{PLAIN}}%0.{DIGITS}w%{{sha256;rounds=1,salt={seal}:user}}\n}}\n"
        )
    }
}

fn random<const N: usize>() -> Result<String, ErrorStack> {
    let mut bytes = [0; N];
    rand_bytes(&mut bytes)?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_one_that_dovecot_sends() {
        // Both were read from a Dovecot 2.3.19 with this nonce and this salt.
        let keys = Keys { nonce: "noncenonce".into(), seal: "SEALSEAL".into() };
        let seal = "9d280e8ff94cd0539a04e7c8d2a92dfe3fc10365812519b3be5a1ef53e85b8a8";
        assert_eq!(keys.sealed("ada@example.org"), seal);
        let hash = keys.hash("ada@example.org", &format!("{seal}abcdefghijklmnopqrstuvwxyz"));
        assert_eq!(hex(&hash), "0d2918ae650c042d4e44a52aaec0a55d77401ebe6fbc256289bfaf6567f6c955");
    }

    #[test]
    fn no_two_passwords_are_the_same_and_each_has_the_seal_of_its_user() {
        let keys = Keys::generate().unwrap();
        let (one, other) = (keys.mint("ada").unwrap(), keys.mint("ada").unwrap());
        assert_ne!(one.text, other.text);
        assert_ne!(one.hash, other.hash);
        assert_eq!((one.text.len(), &one.text[DIGITS..]), (DIGITS + 64, &other.text[DIGITS..]));
        assert_ne!(keys.sealed("ada"), keys.sealed("eve"));
    }
}
