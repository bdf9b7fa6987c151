//! Secrets at rest: sealed with AES-256-GCM under a key that is kept outside the database.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    pkey::PKey,
    rand::rand_bytes,
    sign::Signer,
    symm::{Cipher, decrypt_aead, encrypt_aead},
};

use super::random::random_text;
use crate::domain::hex::hex;

const NONCE: usize = 12;
const TAG: usize = 16;

/// The key under which secrets in the database are sealed, and from which keyed hashes are made.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// OpenSSL refused.
    #[error("sealing a secret failed")]
    Crypto(#[from] ErrorStack),
    /// The sealed bytes were changed, or sealed under another key or for another purpose.
    #[error("a sealed secret cannot be opened: it was sealed under another key, or changed")]
    NotOurs,
    /// The key's file cannot be read or made.
    #[error("the key file {path} cannot be read or made: {source}")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key's file does not hold a key.
    #[error("the key file {0} must hold exactly 64 hexadecimal digits; restore it from your backup")]
    NotAKey(PathBuf),
}

impl SealKey {
    /// A new random key.
    ///
    /// # Errors
    /// The random generator fails.
    pub fn generate() -> Result<Self, SealError> {
        let mut key = [0; 32];
        rand_bytes(&mut key)?;
        Ok(Self(key))
    }

    /// Reads the key from its file, or makes both where there is none. The file is readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds something else.
    pub fn load_or_create(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_hex(text.trim()).ok_or_else(|| SealError::NotAKey(path.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::generate()?;
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(failed)?;
                }
                match key.create(path)? {
                    Ok(()) => Ok(key),
                    // Another server was quicker; its key is the one that counts.
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Self::load(path),
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Makes the file, where there is none, in one step: a server that starts in the same moment never reads half a key, and one that
    /// dies meanwhile leaves no half of one.
    fn create(&self, path: &Path) -> Result<std::io::Result<()>, SealError> {
        let draft = path.with_extension(format!("{}.new", random_text(b"abcdefghijklmnopqrstuvwxyz", 12)?));
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(self.to_hex().as_bytes())?;
            file.sync_all()?;
            std::fs::hard_link(&draft, path)
        };
        let written = write();
        let removed = std::fs::remove_file(&draft);
        Ok(written.and(removed))
    }

    /// Reads the key from its file, which must be there.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let text = std::fs::read_to_string(path).map_err(|source| SealError::File { path: path.to_owned(), source })?;
        Self::from_hex(text.trim()).ok_or_else(|| SealError::NotAKey(path.to_owned()))
    }

    /// The key of 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(key))
    }

    /// The key as its file holds it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// Seals a secret. `purpose` must be given again to open it, so that one column's secret cannot be moved to another.
    ///
    /// # Errors
    /// OpenSSL refuses.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE];
        rand_bytes(&mut nonce)?;
        let mut tag = [0; TAG];
        let sealed = encrypt_aead(Cipher::aes_256_gcm(), &self.0, Some(&nonce), purpose.as_bytes(), secret, &mut tag)?;
        Ok([nonce.as_slice(), &tag, &sealed].concat())
    }

    /// Opens a sealed secret.
    ///
    /// # Errors
    /// It was changed, or sealed under another key or for another purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or(SealError::NotOurs)?;
        let (tag, sealed) = rest.split_at_checked(TAG).ok_or(SealError::NotOurs)?;
        decrypt_aead(Cipher::aes_256_gcm(), &self.0, Some(nonce), purpose.as_bytes(), sealed, tag).map_err(|_| SealError::NotOurs)
    }

    /// A keyed hash (HMAC-SHA-256): what is kept of a short code, so that the database alone does not tell it.
    ///
    /// # Errors
    /// OpenSSL refuses.
    pub fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> Result<Vec<u8>, SealError> {
        let key = PKey::hmac(&self.0)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        signer.update(purpose.as_bytes())?;
        for part in parts {
            signer.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes())?;
            signer.update(part)?;
        }
        Ok(signer.sign_to_vec()?)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_for_its_purpose_and_under_its_key() {
        let key = SealKey::generate().unwrap();
        let sealed = key.seal("unlock token", b"canary").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(key.open("unlock token", &sealed).unwrap(), b"canary");
        assert!(key.open("mail", &sealed).is_err());
        assert!(SealKey::generate().unwrap().open("unlock token", &sealed).is_err());
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open("unlock token", &changed).is_err());
        assert!(key.open("unlock token", b"short").is_err());
    }

    #[test]
    fn servers_that_start_in_the_same_moment_have_one_key() {
        for _ in 0..20 {
            let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
            let path = folder.join("secret.key");
            let starts: Vec<_> = (0..8)
                .map(|_| {
                    let path = path.clone();
                    std::thread::spawn(move || SealKey::load_or_create(&path).unwrap().0)
                })
                .collect();
            let keys: Vec<[u8; 32]> = starts.into_iter().map(|start| start.join().unwrap()).collect();
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
        let path = folder.join("secret.key");
        let first = SealKey::load_or_create(&path).unwrap();
        assert_eq!(SealKey::load_or_create(&path).unwrap().0, first.0);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "changeme").unwrap();
        assert!(matches!(SealKey::load_or_create(&path), Err(SealError::NotAKey(_))));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
