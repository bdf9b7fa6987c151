//! The block between files and list in which newer signatures stand (APK Signature Scheme v2 and v3): its first certificate.

use super::{
    NotAnApk, Source,
    bytes::{piece, place_at, u32_at, u64_at},
};

const MAGIC: &[u8; 16] = b"APK Sig Block 42";
/// The schemes, oldest first: the oldest has the certificate that devices of every version know the package by.
const SCHEMES: [u32; 3] = [0x7109_871a, 0xf053_68c0, 0x1b93_ad61];
/// Longest block that is read, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The certificate of the one signer, DER; none where there is no such block, or more than one signer.
pub(super) fn certificate(source: &mut dyn Source, list: u64) -> Result<Option<Vec<u8>>, NotAnApk> {
    let Some(footer) = list.checked_sub(24) else { return Ok(None) };
    let end = source.read_at(footer, 24)?;
    let Some(size) = u64_at(&end, 0).filter(|size| end.ends_with(MAGIC) && (24..=LONGEST).contains(size)) else { return Ok(None) };
    // The size counts what follows its first mention; at the end it comes once more, before the magic.
    let Some(start) = list.checked_sub(size) else { return Ok(None) };
    let block = source.read_at(start, usize::try_from(size.saturating_sub(24)).unwrap_or(0))?;
    Ok(SCHEMES.into_iter().find_map(|scheme| only_signer(pair(&block, scheme)?)))
}

/// The value of a pair in the block.
fn pair(block: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut rest = block;
    while !rest.is_empty() {
        let length = usize::try_from(u64_at(rest, 0)?).ok()?;
        let pair = piece(rest, 8, length)?;
        if u32_at(pair, 0)? == wanted {
            return pair.get(4..);
        }
        rest = rest.get(length.checked_add(8)?..)?;
    }
    None
}

fn only_signer(value: &[u8]) -> Option<Vec<u8>> {
    let (signers, _) = prefixed(value)?;
    let (signer, others) = prefixed(signers)?;
    if !others.is_empty() {
        return None;
    }
    let (content, _) = prefixed(signer)?;
    let (_digests, rest) = prefixed(content)?;
    let (certificates, _) = prefixed(rest)?;
    let (first, _) = prefixed(certificates)?;
    Some(first.to_vec())
}

/// What a length of four bytes announces, and what comes after.
fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = place_at(bytes, 0)?;
    Some((piece(bytes, 4, length)?, bytes.get(length.checked_add(4)?..)?))
}
