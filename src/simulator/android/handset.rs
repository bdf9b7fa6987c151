//! What an Android device is made of, and its passcode: a deterministic variety, each device with its own identifiers.

use serde_json::Value;

use crate::simulator::{
    model::{fingerprint, serial},
    passcode::Passcode,
};

/// The hardware and the system of one device.
#[derive(Debug, Clone)]
pub struct Handset {
    /// `Build.MANUFACTURER`.
    pub manufacturer: &'static str,
    /// `Build.MODEL`.
    pub model: &'static str,
    /// `Build.VERSION.RELEASE`.
    pub android_version: &'static str,
    /// `Build.VERSION.SECURITY_PATCH`.
    pub security_patch: &'static str,
    /// The serial number.
    pub serial: String,
    /// What stays the same for the life of the device.
    pub identifier: String,
}

const MAKES: [(&str, &str); 4] = [("Google", "Pixel 8"), ("Samsung", "SM-A546B"), ("Fairphone", "FP5"), ("Nokia", "XR21")];
const SYSTEMS: [(&str, &str); 3] = [("14", "2026-10-05"), ("15", "2026-11-01"), ("13", "2026-08-05")];

impl Handset {
    /// The device with this number in the fleet of that name: the same again each time, and no two alike.
    #[must_use]
    pub fn numbered(fleet: &str, number: usize) -> Self {
        let (manufacturer, model) = MAKES.get(number % MAKES.len()).copied().unwrap_or(("Google", "Pixel 8"));
        let (android_version, security_patch) = SYSTEMS.get(number % SYSTEMS.len()).copied().unwrap_or(("14", "2026-10-05"));
        // Not the serial numbers of the iPhones of the same name.
        let seed = fingerprint(&format!("android {fleet}"), number);
        Self { manufacturer, model, android_version, security_patch, serial: serial(seed), identifier: format!("esid-{seed:016x}") }
    }

    /// What its browser says it is.
    #[must_use]
    pub fn user_agent(&self) -> String {
        let (version, model) = (self.android_version, self.model);
        format!(
            "Mozilla/5.0 (Linux; Android {version}; {model}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
        )
    }
}

/// The passcode that each word of the command line stands for.
#[must_use]
pub fn passcode_of(word: Passcode) -> Option<String> {
    match word {
        Passcode::None => None,
        Passcode::Weak => Some("1234".to_owned()),
        Passcode::Strong => Some("7h!kQ2rs".to_owned()),
    }
}

/// Android's levels of a passcode, lowest first.
const LEVELS: [&str; 4] = ["none", "low", "medium", "high"];
/// Android's qualities of a passcode, lowest first.
const QUALITIES: [&str; 6] = ["unspecified", "something", "numeric", "numeric_complex", "alphanumeric", "complex"];

/// Its level: a PIN that is repeated or in order is low; others are medium from four characters on, high from eight digits or six
/// letters on.
#[must_use]
pub fn complexity(passcode: Option<&str>) -> &'static str {
    let Some(passcode) = passcode else { return "none" };
    let (length, is_pin) = (passcode.chars().count(), passcode.chars().all(|c| c.is_ascii_digit()));
    if length < 4 || (is_pin && is_simple(passcode)) {
        "low"
    } else if length >= if is_pin { 8 } else { 6 } {
        "high"
    } else {
        "medium"
    }
}

fn quality(passcode: Option<&str>) -> &'static str {
    let Some(passcode) = passcode else { return "unspecified" };
    let has = |test: fn(&char) -> bool| passcode.chars().any(|c| test(&c));
    let (letters, digits) = (has(char::is_ascii_alphabetic), has(char::is_ascii_digit));
    let symbols = passcode.chars().any(|c| !c.is_ascii_alphanumeric());
    match (letters, digits, symbols) {
        (true, true, true) => "complex",
        (true, true, false) => "alphanumeric",
        (false, true, false) if is_simple(passcode) => "numeric",
        (false, true, false) => "numeric_complex",
        _ => "something",
    }
}

/// Four characters with the same step from each to the next: 4444, 1234, 8642.
fn is_simple(passcode: &str) -> bool {
    let values: Vec<i64> = passcode.chars().map(|c| i64::from(u32::from(c))).collect();
    let steps: Vec<i64> = values.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    steps.windows(3).any(|three| three.iter().all(|step| Some(step) == three.first()))
}

fn rank(order: &[&str], word: &str) -> usize {
    // What is not known is stricter than anything that can be met.
    order.iter().position(|known| *known == word).unwrap_or(usize::MAX)
}

/// Whether a passcode meets the `passcode` of a policy, as the system tells the agent: by quality and length where the agent
/// manages the whole device, by level where it manages a work profile.
#[must_use]
pub fn satisfies(passcode: Option<&str>, policy: &Value, manages_device: bool) -> bool {
    let word = |key: &str| policy.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| policy.get(key).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    if !manages_device {
        return rank(&LEVELS, complexity(passcode)) >= rank(&LEVELS, word("complexity"));
    }
    let text = passcode.unwrap_or_default();
    let symbols = text.chars().filter(|c| !c.is_ascii_alphanumeric()).count();
    rank(&QUALITIES, quality(passcode)) >= rank(&QUALITIES, word("quality"))
        && text.chars().count() >= number("min_length")
        && symbols >= number("min_symbols")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_passcode_has_its_level() {
        let table = [
            (None, "none"),
            (Some("1234"), "low"),
            (Some("44448"), "low"),
            (Some("8642"), "low"),
            (Some("2580"), "medium"),
            (Some("25807391"), "high"),
            (Some("abx"), "low"),
            (Some("abxq"), "medium"),
            (Some("7h!kQ2rs"), "high"),
        ];
        for (passcode, level) in table {
            assert_eq!(complexity(passcode), level, "{passcode:?}");
        }
    }

    #[test]
    fn a_passcode_is_measured_by_what_the_agent_manages() {
        let policy = json!({ "quality": "numeric_complex", "min_length": 6, "min_symbols": 0, "complexity": "high" });
        for (passcode, device, profile) in [
            (None, false, false),
            (Some("1234"), false, false),
            (Some("258073"), true, false),
            (Some("25807391"), true, true),
            (Some("7h!kQ2rs"), true, true),
        ] {
            assert_eq!((satisfies(passcode, &policy, true), satisfies(passcode, &policy, false)), (device, profile), "{passcode:?}");
        }
        assert!(satisfies(None, &json!({ "quality": "unspecified", "complexity": "none" }), true));
        assert!(!satisfies(Some("7h!kQ2rs"), &json!({ "quality": "biometric" }), true), "what is not known is not met");
    }
}
