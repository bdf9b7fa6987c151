//! A policy in the terms of what manages an Android device: what can be enforced there, and in which words.

use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{backend::Backend, hex::hex, passcode::PasscodePolicy, policy::Rules},
    words,
};

words! {
    /// Android's qualities of a passcode (`DevicePolicyManager.PASSWORD_QUALITY_*`), which a device owner can ask for.
    pub enum Quality {
        /// Nothing is asked for.
        Unspecified = "unspecified",
        /// Anything but swiping.
        Something = "something",
        /// Digits at least.
        Numeric = "numeric",
        /// Digits without repetition or order.
        NumericComplex = "numeric_complex",
        /// Letters and digits.
        Alphanumeric = "alphanumeric",
        /// Letters, digits and signs.
        Complex = "complex",
    }
}

words! {
    /// Android's levels of a passcode (`DevicePolicyManager.PASSWORD_COMPLEXITY_*`, Android 12), which a work profile can ask for.
    pub enum Complexity {
        /// Nothing is asked for.
        None = "none",
        /// A pattern or any PIN.
        Low = "low",
        /// A PIN without repetition or order, or letters, four characters at least.
        Medium = "medium",
        /// A PIN without repetition or order of eight digits, or six letters.
        High = "high",
    }
}

/// What the agent holds the device to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentPolicy {
    /// Changes with the content; the agent names it when it reports.
    pub version: String,
    /// What the passcode must be like.
    pub passcode: AgentPasscode,
    /// The storage must be encrypted.
    pub require_encryption: bool,
}

/// What the passcode must be like, in Android's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentPasscode {
    /// For a device owner.
    pub quality: Quality,
    /// Least number of characters; 0 leaves it to the device.
    pub min_length: u8,
    /// Least number of characters that are neither letters nor digits.
    pub min_symbols: u8,
    /// For a work profile.
    pub complexity: Complexity,
    /// After so many wrong tries the device, or the work profile, erases itself.
    pub max_failed_attempts: Option<u8>,
    /// Seconds without use after which the device locks.
    pub max_inactivity_seconds: Option<u32>,
    /// Days after which the passcode must be changed.
    pub max_age_days: Option<u16>,
    /// How many former passcodes may not be used again.
    pub history: Option<u8>,
}

words! {
    /// The launcher's `passwordMode`.
    pub enum PasswordMode {
        /// One digit or more.
        Present = "present",
        /// Six digits or more.
        Easy = "easy",
        /// Eight letters and digits or more.
        Moderate = "moderate",
        /// Eight characters with one small and one capital letter, one digit and one sign.
        Strong = "strong",
    }
}

/// What a policy asks of the agent.
#[must_use]
pub fn for_agent(rules: &Rules) -> AgentPolicy {
    let passcode = &rules.passcode;
    let mut policy = AgentPolicy {
        version: String::new(),
        passcode: AgentPasscode {
            quality: quality(passcode),
            min_length: passcode.min_length,
            min_symbols: passcode.min_complex_characters,
            complexity: complexity(passcode),
            max_failed_attempts: passcode.max_failed_attempts,
            max_inactivity_seconds: passcode.max_inactivity_minutes.map(|minutes| u32::from(minutes).saturating_mul(60)),
            max_age_days: passcode.max_age_days.filter(|days| *days > 0),
            history: passcode.history.filter(|count| *count > 0),
        },
        require_encryption: rules.require_encryption,
    };
    policy.version = version(&format!("{policy:?}"));
    policy
}

/// What a policy asks of the launcher; none where it asks for no passcode. Each mode asks for at least as much as the policy,
/// as far as the launcher has a mode that does.
#[must_use]
pub fn for_launcher(passcode: &PasscodePolicy) -> Option<PasswordMode> {
    if !asks_for_passcode(passcode) {
        return None;
    }
    Some(if passcode.min_complex_characters > 0 {
        PasswordMode::Strong
    } else if passcode.require_alphanumeric || passcode.min_length > 6 {
        PasswordMode::Moderate
    } else if passcode.min_length > 1 || !passcode.allow_simple {
        PasswordMode::Easy
    } else {
        PasswordMode::Present
    })
}

/// The version of the policy that a device must have taken over; none where nothing is asked of its passcode, or where nothing
/// on the device could take anything over.
#[must_use]
pub fn wanted_version(backend: Backend, rules: &Rules) -> Option<String> {
    if !rules.passcode.asks_for_something() {
        return None;
    }
    match backend {
        Backend::Agent => Some(for_agent(rules).version),
        Backend::Headwind => Some(version(for_launcher(&rules.passcode).map_or("null", PasswordMode::as_str))),
        Backend::Apple | Backend::Certificate | Backend::Browser => None,
    }
}

fn asks_for_passcode(passcode: &PasscodePolicy) -> bool {
    passcode.required || passcode.min_length > 0 || passcode.require_alphanumeric || passcode.min_complex_characters > 0
}

fn quality(passcode: &PasscodePolicy) -> Quality {
    if passcode.min_complex_characters > 0 {
        Quality::Complex
    } else if passcode.require_alphanumeric {
        Quality::Alphanumeric
    } else if !passcode.allow_simple {
        Quality::NumericComplex
    } else if passcode.min_length > 0 {
        Quality::Numeric
    } else if passcode.required {
        Quality::Something
    } else {
        Quality::Unspecified
    }
}

/// The lowest level that gives what the policy asks for, as far as one does.
fn complexity(passcode: &PasscodePolicy) -> Complexity {
    if !asks_for_passcode(passcode) && passcode.allow_simple {
        Complexity::None
    } else if passcode.require_alphanumeric || passcode.min_complex_characters > 0 || passcode.min_length > 4 {
        Complexity::High
    } else if passcode.min_length > 0 || !passcode.allow_simple {
        Complexity::Medium
    } else {
        Complexity::Low
    }
}

/// Sixteen hexadecimal digits that stand for a content.
fn version(content: &str) -> String {
    hex(sha256(content.as_bytes()).split_at(8).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passcode() -> PasscodePolicy {
        PasscodePolicy { required: true, ..PasscodePolicy::unrestricted() }
    }

    #[test]
    fn a_stricter_passcode_is_never_a_lower_mode_of_the_launcher() {
        let table = [
            (PasscodePolicy::unrestricted(), None),
            (passcode(), Some(PasswordMode::Present)),
            (PasscodePolicy { min_length: 4, ..passcode() }, Some(PasswordMode::Easy)),
            (PasscodePolicy { min_length: 6, ..passcode() }, Some(PasswordMode::Easy)),
            (PasscodePolicy { min_length: 8, ..passcode() }, Some(PasswordMode::Moderate)),
            (PasscodePolicy { require_alphanumeric: true, ..passcode() }, Some(PasswordMode::Moderate)),
            (PasscodePolicy { min_complex_characters: 1, ..passcode() }, Some(PasswordMode::Strong)),
        ];
        for (policy, mode) in table {
            assert_eq!(for_launcher(&policy), mode, "{policy:?}");
        }
    }

    #[test]
    fn the_version_changes_with_what_is_asked_and_with_nothing_else() {
        let rules = Rules { passcode: passcode(), ..Rules::default() };
        let longer = Rules { passcode: PasscodePolicy { min_length: 8, ..passcode() }, ..Rules::default() };
        let patient = Rules { grace_days: 9, ..rules.clone() };
        for backend in [Backend::Agent, Backend::Headwind] {
            assert_ne!(wanted_version(backend, &rules), wanted_version(backend, &longer), "{backend}");
            assert_eq!(wanted_version(backend, &rules), wanted_version(backend, &patient), "{backend}");
            assert_eq!(wanted_version(backend, &Rules::default()), None, "{backend}");
        }
        assert_eq!(wanted_version(Backend::Certificate, &rules), None);
    }

    #[test]
    fn a_work_profile_is_asked_for_the_lowest_level_that_suffices() {
        let of = |policy: &PasscodePolicy| complexity(policy);
        assert_eq!(of(&PasscodePolicy::unrestricted()), Complexity::None);
        assert_eq!(of(&passcode()), Complexity::Low);
        assert_eq!(of(&PasscodePolicy { min_length: 4, ..passcode() }), Complexity::Medium);
        assert_eq!(of(&PasscodePolicy { min_length: 6, ..passcode() }), Complexity::High);
    }
}
