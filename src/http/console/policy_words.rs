//! What a policy asks for, in words.

use serde_json::Value;

use super::show::count;
use crate::domain::policy::{Enforcement, Rules};

/// What the rules ask for, one short phrase each; nothing where they ask for nothing.
#[must_use]
pub(super) fn demands(rules: &Rules) -> Vec<String> {
    let mut words = passcode(rules);
    let said = [
        (rules.require_encryption, "encrypted"),
        (rules.block_compromised, "not jailbroken or rooted"),
        (rules.require_managed_mail, "mail through an installed account"),
    ];
    words.extend(said.into_iter().filter(|(is_on, _)| *is_on).map(|(_, text)| text.to_owned()));
    let lowest = [("iOS", &rules.min_os.ios), ("iPadOS", &rules.min_os.ipados), ("Android", &rules.min_os.android)];
    words.extend(lowest.into_iter().filter_map(|(name, version)| version.as_ref().map(|version| format!("{name} {version} or later"))));
    words
}

fn passcode(rules: &Rules) -> Vec<String> {
    let passcode = &rules.passcode;
    let mut words = Vec::new();
    if passcode.required {
        let length = if passcode.min_length > 0 { format!(" of at least {} characters", passcode.min_length) } else { String::new() };
        words.push(format!("a passcode{length}"));
    } else if passcode.min_length > 0 {
        words.push(format!("at least {} characters, where there is a passcode", passcode.min_length));
    }
    let said = [(passcode.require_alphanumeric, "letters and digits"), (!passcode.allow_simple, "not a simple one")];
    words.extend(said.into_iter().filter(|(is_on, _)| *is_on).map(|(_, text)| text.to_owned()));
    if passcode.min_complex_characters > 0 {
        words.push(count(passcode.min_complex_characters, "special character"));
    }
    let numbers = [
        passcode.max_failed_attempts.map(|tries| format!("erases itself after {tries} wrong tries")),
        passcode.max_inactivity_minutes.map(|minutes| format!("locks after {}", count(minutes, "minute"))),
        passcode.max_age_days.filter(|days| *days > 0).map(|days| format!("changed every {}", count(days, "day"))),
        passcode.history.filter(|former| *former > 0).map(|former| format!("none of the last {former}")),
    ];
    words.extend(numbers.into_iter().flatten());
    words
}

/// What happens to a device that breaks the rules.
#[must_use]
pub(super) fn consequence(rules: &Rules) -> String {
    let grace = match rules.grace_days {
        0 => "at once".to_owned(),
        days => format!("after {}", count(days, "day")),
    };
    match rules.enforcement {
        Enforcement::Block => format!("Blocked {grace}; silent for at most {}", count(rules.max_silence_days, "day")),
        Enforcement::AllowAndReport => format!("Reported only; silent for at most {}", count(rules.max_silence_days, "day")),
    }
}

/// One setting with its value, in words.
#[must_use]
pub(super) fn setting(name: &str, value: &Value) -> String {
    let label = super::policy_fields::label(name).unwrap_or(name);
    match value {
        Value::Bool(true) => label.to_owned(),
        Value::Bool(false) => format!("{label}: no"),
        Value::String(text) => format!("{label}: {}", text.replace('_', " ")),
        other => format!("{label}: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_said_in_words() {
        assert!(demands(&Rules::default()).is_empty());
        let mut rules = Rules { grace_days: 1, ..Rules::default() };
        (rules.passcode.required, rules.passcode.min_length, rules.passcode.allow_simple) = (true, 6, false);
        rules.min_os.ios = Some("17.4".into());
        assert_eq!(demands(&rules), ["a passcode of at least 6 characters", "not a simple one", "iOS 17.4 or later"]);
        assert_eq!(consequence(&rules), "Blocked after 1 day; silent for at most 30 days");
    }
}
