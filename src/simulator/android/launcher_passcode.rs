//! The passcode of a simulated Android device, and whether it satisfies a password mode of the launcher.

use crate::simulator::passcode::Passcode;

/// What the owner typed for this choice.
#[must_use]
pub fn typed(passcode: Passcode) -> Option<String> {
    match passcode {
        Passcode::None => None,
        Passcode::Weak => Some("1234".into()),
        Passcode::Strong => Some("Ada-1815".into()),
    }
}

/// Whether a passcode satisfies a mode; without a mode every one does, and even none.
#[must_use]
pub fn is_sufficient(passcode: Option<&str>, mode: Option<&str>) -> bool {
    let Some(mode) = mode else { return true };
    let Some(passcode) = passcode else { return false };
    let has = |kind: fn(char) -> bool| passcode.chars().any(kind);
    let length = passcode.chars().count();
    match mode {
        "present" => length >= 1,
        "easy" => length >= 6,
        "moderate" => length >= 8 && has(|character| character.is_ascii_digit()) && has(|character| character.is_ascii_alphabetic()),
        "strong" => {
            length >= 8
                && has(|character| character.is_ascii_lowercase())
                && has(|character| character.is_ascii_uppercase())
                && has(|character| character.is_ascii_digit())
                && has(|character| character.is_ascii_punctuation())
        }
        // What the system does not know it does not ask for.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_passcode_is_measured_against_each_mode() {
        let modes = [None, Some("present"), Some("easy"), Some("moderate"), Some("strong")];
        for (passcode, expected) in [
            (Passcode::None, [true, false, false, false, false]),
            (Passcode::Weak, [true, true, false, false, false]),
            (Passcode::Strong, [true, true, true, true, true]),
        ] {
            let typed = typed(passcode);
            assert_eq!(modes.map(|mode| is_sufficient(typed.as_deref(), mode)), expected, "{passcode:?}");
        }
        assert!(!is_sufficient(Some("12345678"), Some("moderate")));
        assert!(!is_sufficient(Some("abcd1234"), Some("strong")));
    }
}
