//! The ZIP archive that a package is (PKWARE APPNOTE 4.3), as far as one file in it has to be found.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use super::{
    NotAnApk, Source,
    bytes::{piece, place_at, u16_at, u32_at},
};

/// Length of the record at the end, without its comment.
const END: usize = 22;
/// Longest comment behind it.
const COMMENT: usize = 65_535;
/// Longest list of files that is read, in bytes.
const LONGEST_LIST: usize = 16 * 1024 * 1024;

/// The list of files in an archive.
pub(super) struct Directory {
    /// Where it begins.
    pub offset: u64,
    list: Vec<u8>,
}

/// Finds the list of files.
pub(super) fn directory(source: &mut dyn Source) -> Result<Directory, NotAnApk> {
    let broken = NotAnApk::Form("it is no complete ZIP archive");
    let length = source.length();
    let tail = length.min(u64::try_from(END.saturating_add(COMMENT)).unwrap_or(u64::MAX));
    let bytes = source.read_at(length.saturating_sub(tail), usize::try_from(tail).unwrap_or(0))?;
    let Some(end) = end_of(&bytes) else { return Err(broken) };
    let (Some(size), Some(offset)) = (place_at(end, 12), u32_at(end, 16)) else { return Err(broken) };
    let offset = u64::from(offset);
    let is_inside = u64::try_from(size).ok().and_then(|size| offset.checked_add(size)).is_some_and(|last| last <= length);
    if size > LONGEST_LIST || !is_inside {
        return Err(broken);
    }
    Ok(Directory { offset, list: source.read_at(offset, size)? })
}

/// The record at the end: the last one whose comment reaches to the end of the file.
fn end_of(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.len().checked_sub(END)?;
    (0..=last).rev().filter_map(|at| bytes.get(at..)).find(|end| {
        let comment = u16_at(end, 20).map(usize::from);
        end.starts_with(b"PK\x05\x06") && comment.and_then(|comment| comment.checked_add(END)) == Some(end.len())
    })
}

/// The content of one file.
pub(super) fn content(source: &mut dyn Source, directory: &Directory, name: &str, most: usize) -> Result<Vec<u8>, NotAnApk> {
    let entry = find(&directory.list, name).ok_or(NotAnApk::Form("it has no manifest"))?;
    let broken = NotAnApk::Form("its manifest is damaged");
    let (Some(method), Some(packed), Some(offset)) = (u16_at(entry, 10), place_at(entry, 20), u32_at(entry, 42)) else {
        return Err(broken);
    };
    if packed > most {
        return Err(broken);
    }
    let offset = u64::from(offset);
    let head = source.read_at(offset, 30)?;
    let lengths = u16_at(&head, 26).zip(u16_at(&head, 28));
    let Some((name, extra)) = lengths.filter(|_| head.starts_with(b"PK\x03\x04")) else { return Err(broken) };
    let start = offset.saturating_add(30).saturating_add(name.into()).saturating_add(extra.into());
    let bytes = source.read_at(start, packed)?;
    match method {
        0 => Ok(bytes),
        8 => decompress_to_vec_with_limit(&bytes, most).map_err(|_| broken),
        _ => Err(broken),
    }
}

/// The entry of a file in the list.
fn find<'a>(list: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut rest = list;
    while rest.starts_with(b"PK\x01\x02") {
        let name = usize::from(u16_at(rest, 28)?);
        if piece(rest, 46, name)? == wanted.as_bytes() {
            return Some(rest);
        }
        let after = usize::from(u16_at(rest, 30)?).checked_add(usize::from(u16_at(rest, 32)?))?;
        rest = rest.get(name.checked_add(after)?.checked_add(46)?..)?;
    }
    None
}
