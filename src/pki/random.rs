//! Codes and passwords that people type.

use openssl::{error::ErrorStack, rand::rand_bytes};

/// So many characters of an alphabet, each as likely as the other.
///
/// * `alphabet`: 1 to 256 characters of ASCII.
///
/// # Errors
/// The random generator fails.
pub fn random_text(alphabet: &[u8], length: usize) -> Result<String, ErrorStack> {
    let size = alphabet.len().clamp(1, 256);
    // Above the largest multiple of the alphabet some characters would be likelier.
    let usable = (256 / size).saturating_mul(size);
    let mut drawn = String::with_capacity(length);
    while drawn.len() < length {
        let mut bytes = [0; 64];
        rand_bytes(&mut bytes)?;
        let found = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < usable).filter_map(|byte| alphabet.get(byte % size));
        drawn.extend(found.take(length.saturating_sub(drawn.len())).map(|byte| char::from(*byte)));
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::random_text;

    #[test]
    fn every_character_comes_as_often_as_the_others() {
        let text = random_text(b"abcdefghjkmnpqrstuvwxyz23456789", 31_000).unwrap();
        assert_eq!(text.len(), 31_000);
        for letter in "abcdefghjkmnpqrstuvwxyz23456789".chars() {
            let times = text.chars().filter(|found| *found == letter).count();
            assert!((800..1200).contains(&times), "{letter}: {times}");
        }
    }
}
