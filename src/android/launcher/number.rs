//! Device numbers: 128 random bits in base32 (RFC 4648, in small letters, without padding), which need no escaping in an address.

use openssl::{error::ErrorStack, rand::rand_bytes};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters of a number.
const LENGTH: usize = 26;

/// A new number.
///
/// # Errors
/// The random generator fails.
pub fn generate() -> Result<String, ErrorStack> {
    let mut bytes = [0; 16];
    rand_bytes(&mut bytes)?;
    Ok(encode(bytes))
}

fn encode(bytes: [u8; 16]) -> String {
    // Two zero bits make 130 bits, which are 26 digits.
    let bits = u128::from_be_bytes(bytes);
    let digit = |index: usize| {
        let place = u32::try_from(index).unwrap_or_default().saturating_mul(5);
        let value = if place < 125 { bits >> (123_u32.saturating_sub(place)) } else { bits << 2 };
        usize::try_from(value & 31).ok().and_then(|value| ALPHABET.get(value)).copied().map_or('a', char::from)
    };
    (0..LENGTH).map(digit).collect()
}

/// Whether a text can be a number at all. What cannot is not looked for.
#[must_use]
pub fn is_shaped(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_base32() {
        // What `basenc --base32` writes, in small letters and without its padding.
        assert_eq!(encode([0; 16]), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(encode([0xff; 16]), "77777777777777777777777774");
        assert_eq!(encode(*b"0123456789abcdef"), "gaytemzugu3doobzmfrggzdfmy");
    }

    #[test]
    fn numbers_are_never_the_same_and_have_their_shape() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let number = generate().unwrap();
            assert!(is_shaped(&number));
            assert!(seen.insert(number));
        }
        for odd in ["", "dev-001", "GAYTEMZUGU3DOOBZMFRGGZDFMY", "gaytemzugu3doobzmfrggzdfm1", "gaytemzugu3doobzmfrggzdfmyy"] {
            assert!(!is_shaped(odd), "{odd}");
        }
    }
}
