//! How a device knows that a package is the right one: by its bytes, or by the certificate in its signature (APK Signature Scheme
//! v2), both as SHA-256 in base64 with the alphabet of addresses.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::sha::sha256;

use crate::simulator::error::{Result, protocol};

const MAGIC: &[u8] = b"APK Sig Block 42";
const SCHEME_V2: [u8; 4] = [0x1a, 0x87, 0x09, 0x71];

/// Compares a package with the checksum of its bytes.
pub fn check_package(apk: &[u8], checksum: &str) -> Result<()> {
    check(&sha256(apk), checksum, "the package is not the one that was announced")
}

/// Compares the certificate that a package was signed with, with its checksum.
pub fn check_signature(apk: &[u8], checksum: &str) -> Result<()> {
    let certificate = certificate(apk).ok_or_else(|| protocol("check the package", "it carries no signature of scheme v2"))?;
    check(&sha256(certificate), checksum, "the package was signed by somebody else")
}

fn check(hash: &[u8], checksum: &str, why: &str) -> Result<()> {
    // Devices read it with padding and without.
    let announced = URL_SAFE_NO_PAD.decode(checksum.trim_end_matches('='));
    let announced = announced.map_err(|error| protocol("read the checksum", error.to_string()))?;
    if announced == hash { Ok(()) } else { Err(protocol("check the package", why)) }
}

/// The first certificate of the first signer: found from the magic backwards, as a device does it.
fn certificate(apk: &[u8]) -> Option<&[u8]> {
    let magic = apk.windows(MAGIC.len()).rposition(|window| window == MAGIC)?;
    let size = number(apk, magic.checked_sub(8)?, 8)?;
    let end = magic.checked_sub(8)?;
    let mut pairs = apk.get(end.checked_add(24)?.checked_sub(size)?..end)?;
    loop {
        let length = number(pairs, 0, 8)?;
        let pair = pairs.get(8..length.checked_add(8)?)?;
        if let Some(value) = pair.strip_prefix(&SCHEME_V2) {
            let signed = inner(inner(inner(value)?)?)?;
            let digests = number(signed, 0, 4)?;
            return inner(inner(signed.get(digests.checked_add(4)?..)?)?);
        }
        pairs = pairs.get(length.checked_add(8)?..)?;
    }
}

/// What a length of four bytes announces.
fn inner(bytes: &[u8]) -> Option<&[u8]> {
    let length = number(bytes, 0, 4)?;
    bytes.get(4..length.checked_add(4)?)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    bytes.iter().rev().try_fold(0_usize, |number, byte| number.checked_mul(256)?.checked_add(usize::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_its_bytes_with_padding_and_without() {
        // openssl dgst -sha256 -binary | basenc --base64url, of the three letters "abc".
        let checksum = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        check_package(b"abc", checksum).unwrap();
        check_package(b"abc", &format!("{checksum}=")).unwrap();
        assert!(check_package(b"abd", checksum).is_err());
        assert!(check_signature(b"abc", checksum).is_err());
    }
}
