//! Property lists: reads XML and binary ones within limits, writes either.

use std::io::Cursor;

use plist::{
    Dictionary, Value,
    stream::{Event, Reader},
};

use crate::simulator::error::{Error, Result, protocol};

/// Collections nest at most this deep.
const DEPTH_LIMIT: usize = 32;
/// Values at most: a small binary list can name one object many times.
const EVENT_LIMIT: usize = 100_000;
/// Bytes of text and data at most, for the same reason.
const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// Reads a property list whose root is a dictionary.
pub fn read(bytes: &[u8]) -> Result<Dictionary> {
    let doing = "read a property list";
    let (mut depth, mut size) = (0_usize, 0_usize);
    let mut events = Vec::new();
    for event in Reader::new(Cursor::new(bytes)) {
        let event = event.map_err(|source| Error::Plist { doing, source })?;
        match &event {
            Event::Data(data) => size = size.saturating_add(data.len()),
            Event::String(text) => size = size.saturating_add(text.len()),
            Event::StartArray(_) | Event::StartDictionary(_) => depth += 1,
            Event::EndCollection => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_LIMIT || size > SIZE_LIMIT || events.len() >= EVENT_LIMIT {
            return Err(protocol(doing, "too deep or too long"));
        }
        events.push(Ok(event));
    }
    let value = Value::from_events(events).map_err(|source| Error::Plist { doing, source })?;
    value.into_dictionary().ok_or_else(|| protocol(doing, "the root is not a dictionary"))
}

/// Writes a property list as XML, or in the binary form that devices may use as well.
pub fn write(dictionary: Dictionary, binary: bool) -> Result<Vec<u8>> {
    let value = Value::Dictionary(dictionary);
    let mut bytes = Vec::new();
    let written = if binary { value.to_writer_binary(&mut bytes) } else { value.to_writer_xml(&mut bytes) };
    written.map_err(|source| Error::Plist { doing: "write a property list", source })?;
    Ok(bytes)
}

/// A dictionary of pairs.
#[must_use]
pub fn dictionary<const N: usize>(pairs: [(&str, Value); N]) -> Dictionary {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The text under a key; that it is missing is an error that names it.
pub fn text<'a>(from: &'a Dictionary, key: &str, doing: &'static str) -> Result<&'a str> {
    from.get(key).and_then(Value::as_string).ok_or_else(|| protocol(doing, format!("{key} is missing or is not a string")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_back() {
        let list = dictionary([("A", "x".into()), ("B", Value::Data(vec![1, 2]))]);
        for binary in [false, true] {
            assert_eq!(read(&write(list.clone(), binary).unwrap()).unwrap(), list);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0_u8.., 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[b"bplist00", bytes.as_slice()].concat());
        }
    }

    #[test]
    fn deep_and_broken_lists_are_refused() {
        let deep = format!("<plist><dict><key>a</key>{}{}</dict></plist>", "<array>".repeat(40), "</array>".repeat(40));
        assert!(read(deep.as_bytes()).is_err());
        for bytes in [&b""[..], b"<plist>", b"bplist00", b"<plist><string>x</string></plist>", b"\x00\xff"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
