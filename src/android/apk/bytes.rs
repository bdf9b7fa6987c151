//! Numbers and pieces at places of a byte string, in little-endian order; nothing where the string is too short.

pub(super) fn piece(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    piece(bytes, at, 2)?.try_into().ok().map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    piece(bytes, at, 4)?.try_into().ok().map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    piece(bytes, at, 8)?.try_into().ok().map(u64::from_le_bytes)
}

/// A 32-bit number that is a place or a length in memory.
pub(super) fn place_at(bytes: &[u8], at: usize) -> Option<usize> {
    u32_at(bytes, at).and_then(|number| usize::try_from(number).ok())
}
