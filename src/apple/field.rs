//! Typed and bounded access to the keys of a message from a device, and the error that names the key at fault.

use super::property_list::{Dictionary, Limits, ReadError, Value, read};

/// How many characters an identifier or a descriptive text may have.
pub const MOST_CHARACTERS: usize = 256;

/// Why a message from a device is not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not an acceptable property list.
    #[error("read the property list")]
    Read(#[from] ReadError),
    /// A key that the message must have is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A key has a value of another type.
    #[error("{key} is not {expected}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A key has a value that is out of bounds.
    #[error("{key} {why}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A `MessageType` that this server does not know; cut at 64 characters.
    #[error("the MessageType '{0}' is not known")]
    UnknownMessage(String),
}

/// Bytes that must not appear in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// The keys of one message.
pub(super) struct Fields(Dictionary);

impl Fields {
    /// Reads a message's body.
    pub fn read(body: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(read(body, &Limits::default())?))
    }

    /// Everything, when the named keys have been read.
    pub fn into_inner(self) -> Dictionary {
        self.0
    }

    /// The value under the key, of any type.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// A name that is compared or stored as it is: printable ASCII without blanks, at most `most` characters, not empty.
    pub fn identifier(&self, key: &'static str, most: usize) -> Result<Option<String>, DecodeError> {
        let Some(text) = self.string(key)? else { return Ok(None) };
        if text.is_empty() {
            return Err(DecodeError::Invalid { key, why: "is empty" });
        }
        if text.len() > most {
            return Err(DecodeError::Invalid { key, why: "is too long" });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DecodeError::Invalid { key, why: "has characters that are not allowed" });
        }
        Ok(Some(text.to_owned()))
    }

    /// An identifier that must be there.
    pub fn required(&self, key: &'static str, most: usize) -> Result<String, DecodeError> {
        self.identifier(key, most)?.ok_or(DecodeError::Missing(key))
    }

    /// A text for people: control characters are dropped, the rest is cut at [`MOST_CHARACTERS`]; nothing left is none.
    pub fn text(&self, key: &'static str) -> Result<Option<String>, DecodeError> {
        Ok(self.string(key)?.and_then(for_people))
    }

    /// Data of at most `most` bytes; empty data is none.
    pub fn data(&self, key: &'static str, most: usize) -> Result<Option<Vec<u8>>, DecodeError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let bytes = value.as_data().ok_or(DecodeError::WrongType { key, expected: "data" })?;
        if bytes.len() > most {
            return Err(DecodeError::Invalid { key, why: "is too long" });
        }
        Ok(Some(bytes.to_vec()).filter(|bytes| !bytes.is_empty()))
    }

    /// A truth value.
    pub fn boolean(&self, key: &'static str) -> Result<Option<bool>, DecodeError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or(DecodeError::WrongType { key, expected: "a boolean" })
    }

    /// A string as it is.
    pub fn string(&self, key: &'static str) -> Result<Option<&str>, DecodeError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or(DecodeError::WrongType { key, expected: "a string" })
    }
}

/// A text as it is shown to people; see [`Fields::text`].
pub(super) fn for_people(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|character| !character.is_control()).take(MOST_CHARACTERS).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
