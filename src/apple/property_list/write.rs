//! Writes property lists as XML, the form that every device reads.

use std::{
    borrow::Cow,
    time::{Duration, UNIX_EPOCH},
};

use super::{Dictionary, Value};

/// The property list could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write the property list")]
pub struct WriteError(#[source] plist::Error);

/// Writes the dictionary as an XML property list. Characters that XML cannot hold are left out of all texts.
///
/// # Errors
/// The underlying writer failed.
pub fn to_xml(mut dictionary: plist::Dictionary) -> Result<Vec<u8>, WriteError> {
    dictionary.iter_mut().for_each(|(_, value)| clean_value(value));
    let mut xml = Vec::new();
    plist::Value::Dictionary(dictionary).to_writer_xml(&mut xml).map_err(WriteError)?;
    Ok(xml)
}

/// The same dictionary in the writer's form.
#[must_use]
pub fn dictionary(entries: &Dictionary) -> plist::Dictionary {
    entries.iter().map(|(key, value)| (clean(key).into_owned(), writable(value))).collect()
}

/// The same value in the writer's form. The reader's limit on depth bounds the recursion.
fn writable(value: &Value) -> plist::Value {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Boolean(value) => (*value).into(),
        Value::Data(bytes) => plist::Value::Data(bytes.clone()),
        Value::Date(instant) => {
            let distance = Duration::from_millis(instant.millis().unsigned_abs());
            let time = if instant.millis() < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
            plist::Value::Date(time.unwrap_or(UNIX_EPOCH).into())
        }
        Value::Uid(number) => plist::Value::Uid(plist::Uid::new(*number)),
        Value::Array(items) => plist::Value::Array(items.iter().map(writable).collect()),
        Value::Dictionary(entries) => plist::Value::Dictionary(dictionary(entries)),
    }
}

fn clean_value(value: &mut plist::Value) {
    match value {
        plist::Value::String(text) => {
            if let Cow::Owned(cleaned) = clean(text) {
                *text = cleaned;
            }
        }
        plist::Value::Array(items) => items.iter_mut().for_each(clean_value),
        plist::Value::Dictionary(entries) => entries.iter_mut().for_each(|(_, value)| clean_value(value)),
        _ => {}
    }
}

/// The text without the characters that XML 1.0 (section 2.2) does not allow even escaped.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_allowed = |character: char| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    };
    if text.chars().all(is_allowed) { Cow::Borrowed(text) } else { Cow::Owned(text.chars().filter(|c| is_allowed(*c)).collect()) }
}
