//! Android's binary XML (`frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h`), as far as the first element of a
//! manifest goes.

use super::bytes::{piece, place_at, u16_at, u32_at};

/// Longest manifest, in bytes.
pub(super) const LONGEST: usize = 4 * 1024 * 1024;
/// Most attributes of the first element; manifests have about ten.
const MOST_ATTRIBUTES: usize = 64;
/// Longest text that is read, in units of its encoding.
const LONGEST_TEXT: usize = 1_000;

const DOCUMENT: u16 = 0x0003;
const STRINGS: u16 = 0x0001;
const RESOURCES: u16 = 0x0180;
const ELEMENT: u16 = 0x0102;
/// `android:versionCode` and `android:versionName`: packages whose names were shortened have nothing else.
const VERSION_CODE: u32 = 0x0101_021b;
const VERSION_NAME: u32 = 0x0101_021c;
/// Kinds of values.
const TEXT: u8 = 0x03;
const DECIMAL: u8 = 0x10;
const HEXADECIMAL: u8 = 0x11;

/// What the first element says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub package: String,
    pub version_name: Option<String>,
    pub version_code: Option<u32>,
}

/// Reads the first element.
pub(super) fn read(bytes: &[u8]) -> Option<Head> {
    if u16_at(bytes, 0)? != DOCUMENT {
        return None;
    }
    let mut at = usize::from(u16_at(bytes, 2)?);
    let (mut strings, mut resources): (&[u8], &[u8]) = (&[], &[]);
    loop {
        let size = place_at(bytes, at.checked_add(4)?)?;
        let chunk = piece(bytes, at, size).filter(|chunk| chunk.len() >= 8)?;
        match u16_at(chunk, 0)? {
            STRINGS => strings = chunk,
            RESOURCES => resources = chunk.get(usize::from(u16_at(chunk, 2)?)..)?,
            ELEMENT => return element(chunk, strings, resources),
            _ => {}
        }
        at = at.checked_add(size)?;
    }
}

fn element(chunk: &[u8], strings: &[u8], resources: &[u8]) -> Option<Head> {
    // What all nodes have, and then what elements have.
    let own = usize::from(u16_at(chunk, 2)?);
    if string(strings, place_at(chunk, own.checked_add(4)?)?)? != "manifest" {
        return None;
    }
    let first = own.checked_add(usize::from(u16_at(chunk, own.checked_add(8)?)?))?;
    let size = usize::from(u16_at(chunk, own.checked_add(10)?)?).max(20);
    let count = usize::from(u16_at(chunk, own.checked_add(12)?)?);
    if count > MOST_ATTRIBUTES {
        return None;
    }
    let mut head = Head::default();
    for index in 0..count {
        let attribute = piece(chunk, first.checked_add(size.checked_mul(index)?)?, 20)?;
        let name = place_at(attribute, 4)?;
        let (kind, value) = (*attribute.get(15)?, u32_at(attribute, 16)?);
        let text = || (kind == TEXT).then(|| string(strings, usize::try_from(value).ok()?)).flatten();
        let resource = u32_at(resources, name.checked_mul(4)?);
        match (resource, string(strings, name).as_deref()) {
            (Some(VERSION_CODE), _) | (None, Some("versionCode")) => {
                head.version_code = matches!(kind, DECIMAL | HEXADECIMAL).then_some(value);
            }
            (Some(VERSION_NAME), _) | (None, Some("versionName")) if kind == TEXT => head.version_name = Some(text()?),
            (_, Some("package")) => head.package = text()?,
            _ => {}
        }
    }
    is_package(&head.package).then_some(head)
}

/// A text of the pool, unless it is longer than any that counts.
fn string(pool: &[u8], index: usize) -> Option<String> {
    let is_utf8 = u32_at(pool, 16)? & 0x100 != 0;
    if index >= place_at(pool, 8)? {
        return None;
    }
    let header = usize::from(u16_at(pool, 2)?);
    let offset = place_at(pool, header.checked_add(index.checked_mul(4)?)?)?;
    let text = pool.get(place_at(pool, 20)?.checked_add(offset)?..)?;
    if is_utf8 {
        let (_, rest) = length8(text)?;
        let (length, rest) = length8(rest)?;
        if length > LONGEST_TEXT {
            return None;
        }
        return String::from_utf8(rest.get(..length)?.to_vec()).ok();
    }
    let first = u16_at(text, 0)?;
    let (length, start) = if first & 0x8000 == 0 {
        (usize::from(first), 2)
    } else {
        (usize::from(first & 0x7fff).checked_mul(65_536)?.checked_add(usize::from(u16_at(text, 2)?))?, 4)
    };
    if length > LONGEST_TEXT {
        return None;
    }
    let units = piece(text, start, length.checked_mul(2)?)?.chunks_exact(2);
    String::from_utf16(&units.filter_map(|unit| u16_at(unit, 0)).collect::<Vec<u16>>()).ok()
}

/// A length of one byte or two.
fn length8(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let first = *bytes.first()?;
    if first & 0x80 == 0 {
        return Some((first.into(), bytes.get(1..)?));
    }
    let second = *bytes.get(1)?;
    Some((usize::from(first & 0x7f).checked_mul(256)?.checked_add(second.into())?, bytes.get(2..)?))
}

/// Whether a text can be the name of a package: at least two words of letters, digits and underscores with dots between them.
pub(super) fn is_package(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    text.len() <= 200 && text.contains('.') && text.split('.').all(is_word)
}
