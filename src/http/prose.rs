//! Errors and sizes as people and logs read them.

/// An error with everything that caused it, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A reason as a whole sentence.
#[must_use]
pub fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let rest = letters.as_str();
    let end = if rest.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{end}")
}

/// A number of bytes in the unit that fits.
#[must_use]
pub fn size(bytes: i64) -> String {
    const KIB: i64 = 1024;
    let (unit, name) = match bytes {
        ..KIB if bytes == 1 => return "1 byte".into(),
        ..KIB => return format!("{bytes} bytes"),
        _ if bytes < KIB * KIB => (KIB, "KiB"),
        _ if bytes < KIB * KIB * KIB => (KIB * KIB, "MiB"),
        _ => (KIB * KIB * KIB, "GiB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_the_unit_that_fits() {
        let told = [1, 512, 1024, 1536, 1024 * 1024 - 1, 10 * 1024 * 1024].map(size);
        assert_eq!(told, ["1 byte", "512 bytes", "1.0 KiB", "1.5 KiB", "1023.9 KiB", "10.0 MiB"]);
    }

    #[test]
    fn a_reason_becomes_a_sentence() {
        assert_eq!(sentence("the profile is gone"), "The profile is gone.");
        assert_eq!(sentence(""), ".");
    }
}
