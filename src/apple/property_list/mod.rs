//! The reader for property lists that come from the network, XML and binary alike, with limits on depth, count and size.
//! A tree of the `plist` crate is never built from such bytes: it would be dropped recursively, and shared references of
//! the binary form would be expanded without end. Writing is left to [`mod@write`].

mod guard;
#[cfg(test)]
mod tests;
pub mod write;

use std::{collections::BTreeMap, time::UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use plist::stream::{BinaryReader, Event, OwnedEvent, XmlReader};

use crate::domain::time::Timestamp;

/// A dictionary, by key.
pub type Dictionary = BTreeMap<String, Value>;

/// One value of a property list. Never nested deeper than [`Limits::depth`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `<string>`.
    String(String),
    /// `<integer>`.
    Integer(i64),
    /// `<real>`.
    Real(f64),
    /// `<true/>` or `<false/>`.
    Boolean(bool),
    /// `<data>`.
    Data(Vec<u8>),
    /// `<date>`.
    Date(Timestamp),
    /// The identifier of a keyed archive; binary form only.
    Uid(u64),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<dict>`.
    Dictionary(Dictionary),
}

impl Value {
    /// The value under this key, if this is a dictionary that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_dict()?.get(key)
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if this is an integer.
    #[must_use]
    pub const fn as_i64(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    /// The bytes, if this is data.
    #[must_use]
    pub fn as_data(&self) -> Option<&[u8]> {
        if let Self::Data(bytes) = self { Some(bytes) } else { None }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The entries, if this is a dictionary.
    #[must_use]
    pub const fn as_dict(&self) -> Option<&Dictionary> {
        if let Self::Dictionary(entries) = self { Some(entries) } else { None }
    }

    /// The same as JSON: data as base64, dates as RFC 3339, a real that JSON cannot write as null.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::String(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::Boolean(value) => (*value).into(),
            Self::Data(bytes) => STANDARD.encode(bytes).into(),
            Self::Date(instant) => instant.to_string().into(),
            Self::Uid(number) => (*number).into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Dictionary(entries) => entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }
}

/// How much a property list may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep dictionaries and arrays may be nested; the top level counts as one.
    pub depth: usize,
    /// How many keys, values and ends of collections there may be, after shared references are followed.
    pub events: usize,
    /// How many bytes the encoded form may have, and how many bytes all keys, strings and data may have together.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, events: 100_000, bytes: 8 * 1024 * 1024 }
    }
}

/// Why bytes are not an acceptable property list.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Neither an XML nor a binary property list.
    #[error("these bytes are not a property list")]
    NotAPropertyList,
    /// The XML is not UTF-8.
    #[error("decode the text of the property list")]
    Encoding(#[source] std::str::Utf8Error),
    /// The underlying reader refused it.
    #[error("parse the property list")]
    Syntax(#[source] plist::Error),
    /// It ends before everything that was opened is closed.
    #[error("the property list ends too early")]
    Truncated,
    /// There is more after the end.
    #[error("there is something after the end of the property list")]
    TrailingContent,
    /// Nested too deeply.
    #[error("the property list is nested too deeply")]
    TooDeep,
    /// Too many keys and values.
    #[error("the property list holds too many values")]
    TooMany,
    /// Too many bytes.
    #[error("the property list is too large")]
    TooLarge,
    /// The top level is not a dictionary.
    #[error("the top level of the property list is not a dictionary")]
    NotADictionary,
    /// A dictionary has one key twice.
    #[error("a dictionary of the property list has the key '{0}' twice")]
    DuplicateKey(String),
    /// A dictionary's key is not a string, or has no value.
    #[error("a dictionary of the property list has a key without a value, or a key that is not a string")]
    BadKey,
    /// A number that does not fit into 64 bits with sign.
    #[error("an integer of the property list is out of range")]
    IntegerRange,
    /// A date that is not written as Apple writes it, or is out of range.
    #[error("a date of the property list is not acceptable")]
    BadDate,
    /// Something that XML allows and property lists do not need.
    #[error("the property list uses {0}, which is not accepted")]
    Unsupported(&'static str),
    /// The tables of the binary form contradict each other.
    #[error("the binary property list is inconsistent: {0}")]
    Inconsistent(&'static str),
}

/// Reads a property list, XML or binary, whose top level is a dictionary.
///
/// # Errors
/// The bytes are no property list, are malformed, or exceed the limits.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Dictionary, ReadError> {
    if bytes.len() > limits.bytes {
        return Err(ReadError::TooLarge);
    }
    if bytes.starts_with(b"bplist00") {
        guard::check_binary(bytes, limits)?;
        return build(BinaryReader::new(std::io::Cursor::new(bytes)), limits);
    }
    let text = guard::check_xml(bytes, limits)?;
    build(XmlReader::new(text.as_bytes()), limits)
}

/// Builds the tree from the events, counting as it goes.
fn build(events: impl Iterator<Item = Result<OwnedEvent, plist::Error>>, limits: &Limits) -> Result<Dictionary, ReadError> {
    let mut builder = Builder { limits, stack: Vec::new(), root: None, events: 0, bytes: 0 };
    for event in events {
        builder.take(event.map_err(ReadError::Syntax)?)?;
    }
    if !builder.stack.is_empty() {
        return Err(ReadError::Truncated);
    }
    builder.root.ok_or(ReadError::Truncated)
}

/// A collection that is not closed yet.
enum Open {
    Array(Vec<Value>),
    Dictionary { entries: Dictionary, key: Option<String> },
}

/// What has been read so far.
struct Builder<'a> {
    limits: &'a Limits,
    stack: Vec<Open>,
    root: Option<Dictionary>,
    events: usize,
    bytes: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: OwnedEvent) -> Result<(), ReadError> {
        if self.root.is_some() {
            return Err(ReadError::TrailingContent);
        }
        self.events = self.events.saturating_add(1);
        if self.events > self.limits.events {
            return Err(ReadError::TooMany);
        }
        match event {
            Event::StartArray(_) => self.open(Open::Array(Vec::new())),
            Event::StartDictionary(_) => self.open(Open::Dictionary { entries: Dictionary::new(), key: None }),
            Event::EndCollection => self.close(),
            Event::String(text) => self.string(text.into_owned()),
            Event::Data(bytes) => {
                self.count(bytes.len())?;
                self.put(Value::Data(bytes.into_owned()))
            }
            Event::Boolean(value) => self.put(Value::Boolean(value)),
            Event::Integer(number) => self.put(Value::Integer(number.as_signed().ok_or(ReadError::IntegerRange)?)),
            Event::Real(number) => self.put(Value::Real(number)),
            Event::Date(date) => self.put(Value::Date(timestamp(date)?)),
            Event::Uid(uid) => self.put(Value::Uid(uid.get())),
            _ => Err(ReadError::Unsupported("an unknown kind of value")),
        }
    }

    fn open(&mut self, collection: Open) -> Result<(), ReadError> {
        match self.stack.last() {
            None if matches!(collection, Open::Array(_)) => return Err(ReadError::NotADictionary),
            Some(Open::Dictionary { key: None, .. }) => return Err(ReadError::BadKey),
            _ => {}
        }
        if self.stack.len() >= self.limits.depth {
            return Err(ReadError::TooDeep);
        }
        self.stack.push(collection);
        Ok(())
    }

    fn close(&mut self) -> Result<(), ReadError> {
        let value = match self.stack.pop().ok_or(ReadError::NotADictionary)? {
            Open::Dictionary { key: Some(_), .. } => return Err(ReadError::BadKey),
            Open::Dictionary { entries, .. } if self.stack.is_empty() => {
                self.root = Some(entries);
                return Ok(());
            }
            Open::Dictionary { entries, .. } => Value::Dictionary(entries),
            Open::Array(items) => Value::Array(items),
        };
        self.put(value)
    }

    fn string(&mut self, text: String) -> Result<(), ReadError> {
        self.count(text.len())?;
        // XML has no way to write it, and databases refuse it.
        if text.contains('\0') {
            return Err(ReadError::Unsupported("a string with a null character"));
        }
        match self.stack.last_mut() {
            Some(Open::Dictionary { entries, key: key @ None }) => {
                if entries.contains_key(&text) {
                    return Err(ReadError::DuplicateKey(text.chars().take(64).collect()));
                }
                *key = Some(text);
                Ok(())
            }
            _ => self.put(Value::String(text)),
        }
    }

    fn put(&mut self, value: Value) -> Result<(), ReadError> {
        match self.stack.last_mut() {
            Some(Open::Array(items)) => items.push(value),
            Some(Open::Dictionary { entries, key }) => {
                entries.insert(key.take().ok_or(ReadError::BadKey)?, value);
            }
            None => return Err(ReadError::NotADictionary),
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), ReadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.bytes { Err(ReadError::TooLarge) } else { Ok(()) }
    }
}

/// The instant of a date.
fn timestamp(date: plist::Date) -> Result<Timestamp, ReadError> {
    let millis = match std::time::SystemTime::from(date).duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).ok(),
        Err(before) => i64::try_from(before.duration().as_millis()).ok().map(i64::wrapping_neg),
    };
    millis.map(Timestamp::from_millis).ok_or(ReadError::BadDate)
}
