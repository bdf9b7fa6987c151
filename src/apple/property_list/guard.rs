//! What is checked of the raw bytes before the `plist` crate sees them: constructs on which its readers would lose content,
//! panic, or allocate by a count that a stranger wrote.

use super::{Limits, ReadError};

/// The tags that say a version or an encoding.
const MAY_HAVE_ATTRIBUTES: &[&str] = &["plist", "?xml"];
/// How long such a tag may be, in bytes.
const MOST_ATTRIBUTES: usize = 1024;

/// Checks an XML property list and gives its text, without byte order mark and surrounding whitespace.
pub(super) fn check_xml<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, ReadError> {
    let text = std::str::from_utf8(bytes).map_err(ReadError::Encoding)?;
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    if !text.starts_with('<') {
        return Err(ReadError::NotAPropertyList);
    }
    // Each is an event of its own to the reader, and honest texts have few.
    if text.matches('&').count() > limits.events {
        return Err(ReadError::TooMany);
    }
    // Every value has at most two tags.
    let most_tags = limits.events.saturating_mul(2).saturating_add(16);
    for (index, tag) in text.split('<').skip(1).enumerate() {
        if index > most_tags {
            return Err(ReadError::TooMany);
        }
        check_tag(tag)?;
    }
    // The reader takes the end of the input for the end of `plist`.
    if text.ends_with("</plist>") { Ok(text) } else { Err(ReadError::Truncated) }
}

/// Checks one piece of XML: what follows a `<`, up to the next one.
fn check_tag(tag: &str) -> Result<(), ReadError> {
    if let Some(declaration) = tag.strip_prefix('!') {
        return match declaration {
            // The reader would skip it and lose text.
            cdata if cdata.starts_with('[') => Err(ReadError::Unsupported("a CDATA section")),
            kind if kind.starts_with("--") => Ok(()),
            kind if kind.starts_with("DOCTYPE") && !kind.contains('[') => Ok(()),
            _ => Err(ReadError::Unsupported("a document type of its own")),
        };
    }
    let name = tag.split(['>', '/', ' ', '\t', '\r', '\n']).next().unwrap_or_default();
    if name.contains(':') {
        return Err(ReadError::Unsupported("namespaces"));
    }
    if name == "date" {
        return check_date(tag);
    }
    let after = tag.strip_prefix(name).unwrap_or_default().trim_ascii_start();
    if after.starts_with(['>', '/']) || (MAY_HAVE_ATTRIBUTES.contains(&name) && tag.len() <= MOST_ATTRIBUTES) {
        Ok(())
    } else {
        Err(ReadError::Unsupported("attributes"))
    }
}

/// Checks `date>2026-01-31T12:00:00Z`. With an offset the reader's conversion to UTC can leave the years that it knows, and panics.
fn check_date(tag: &str) -> Result<(), ReadError> {
    let date = tag.strip_prefix("date>").ok_or(ReadError::BadDate)?;
    let is_shaped = date.len() == 20
        && date.bytes().zip(b"0000-00-00T00:00:00Z").all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == *other,
        });
    if is_shaped { Ok(()) } else { Err(ReadError::BadDate) }
}

/// The last 32 bytes of a binary property list, as far as they matter.
struct Trailer {
    offset_size: usize,
    reference_size: usize,
    objects: usize,
    table: usize,
}

/// Checks the trailer and every entry of the offset table, so that no count is believed that the bytes do not bear out.
pub(super) fn check_binary(bytes: &[u8], limits: &Limits) -> Result<(), ReadError> {
    let (body, trailer) = bytes.split_last_chunk::<32>().ok_or(ReadError::Truncated)?;
    let trailer = read_trailer(body, trailer, limits)?;
    let objects = body.get(..trailer.table).ok_or(ReadError::Truncated)?;
    let mut children = 0_usize;
    for index in 0..trailer.objects {
        let at = trailer.table.saturating_add(index.saturating_mul(trailer.offset_size));
        let offset = number(body, at, trailer.offset_size).ok_or(ReadError::Truncated)?;
        if offset < 8 || offset >= trailer.table {
            return Err(ReadError::Inconsistent("an object is outside of the file"));
        }
        children = children.saturating_add(check_object(objects, offset, trailer.reference_size)?);
        // Every collection of an honest file is used at least once, so its children will be events.
        if children > limits.events {
            return Err(ReadError::TooMany);
        }
    }
    Ok(())
}

fn read_trailer(body: &[u8], trailer: &[u8; 32], limits: &Limits) -> Result<Trailer, ReadError> {
    let field = |at, size| number(trailer, at, size).ok_or(ReadError::Inconsistent("a number of the trailer is too large"));
    let (offset_size, reference_size) = (field(6, 1)?, field(7, 1)?);
    let (objects, top, table) = (field(8, 8)?, field(16, 8)?, field(24, 8)?);
    if ![1, 2, 3, 4, 8].contains(&offset_size) || ![1, 2, 3, 4, 8].contains(&reference_size) {
        return Err(ReadError::Inconsistent("an impossible size of numbers"));
    }
    if objects > limits.events {
        return Err(ReadError::TooMany);
    }
    if top >= objects {
        return Err(ReadError::Inconsistent("the top object does not exist"));
    }
    let table_end = objects.checked_mul(offset_size).and_then(|size| size.checked_add(table));
    if table_end != Some(body.len()) {
        return Err(ReadError::Inconsistent("the offset table does not end where the trailer begins"));
    }
    Ok(Trailer { offset_size, reference_size, objects, table })
}

/// Checks that an object's content lies inside the file; gives the number of its children.
fn check_object(objects: &[u8], offset: usize, reference_size: usize) -> Result<usize, ReadError> {
    let marker = *objects.get(offset).ok_or(ReadError::Truncated)?;
    let (unit, children_each) = match marker >> 4 {
        0x4 | 0x5 => (1, 0),
        0x6 => (2, 0),
        0xa => (reference_size, 1),
        0xd => (reference_size.saturating_mul(2), 2),
        _ => return Ok(0),
    };
    let (count, start) = match marker & 0x0f {
        0x0f => {
            let size_marker = *objects.get(offset.saturating_add(1)).ok_or(ReadError::Truncated)?;
            if size_marker & 0xfc != 0x10 {
                return Err(ReadError::Inconsistent("a length that is not an integer"));
            }
            let size = 1_usize << (size_marker & 0x03);
            let count = number(objects, offset.saturating_add(2), size).ok_or(ReadError::Inconsistent("a length out of range"))?;
            (count, offset.saturating_add(2).saturating_add(size))
        }
        small => (usize::from(small), offset.saturating_add(1)),
    };
    let end = count.checked_mul(unit).and_then(|size| size.checked_add(start));
    if end.is_none_or(|end| end > objects.len()) {
        return Err(ReadError::Inconsistent("an object is longer than the file"));
    }
    Ok(count.saturating_mul(children_each))
}

/// The big-endian number of `size` bytes at `at`, if it is there and fits.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    let value = bytes.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    usize::try_from(value).ok()
}
