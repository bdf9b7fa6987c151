//! Passcode requirements: their ranges, and how the strictest of several comes about.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a passcode must be like. Ranges are Apple's (`com.apple.mobiledevice.passwordpolicy`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasscodePolicy {
    /// A passcode must be set.
    pub required: bool,
    /// Least number of characters, 0 to 16; 0 leaves it to the device.
    pub min_length: u8,
    /// Letters and digits, not digits alone.
    pub require_alphanumeric: bool,
    /// Least number of characters that are neither letters nor digits, 0 to 4.
    pub min_complex_characters: u8,
    /// Whether repeated and ascending characters such as 1234 are accepted.
    #[serde(default = "yes")]
    pub allow_simple: bool,
    /// After so many wrong tries the device erases itself, 2 to 11; none leaves it to the device.
    pub max_failed_attempts: Option<u8>,
    /// Minutes without use after which the device locks, 0 to 15; none leaves it to the person.
    pub max_inactivity_minutes: Option<u8>,
    /// Days after which the passcode must be changed, 0 to 730; none or 0 means never.
    pub max_age_days: Option<u16>,
    /// How many former passcodes may not be used again, 0 to 50.
    pub history: Option<u8>,
}

const fn yes() -> bool {
    true
}

/// One value that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be between {least} and {most}")]
pub struct OutOfRange {
    /// The field's name in the API.
    pub field: &'static str,
    /// Smallest accepted value.
    pub least: u16,
    /// Largest accepted value.
    pub most: u16,
}

impl PasscodePolicy {
    /// Asks for nothing: what holds where no policy reaches a device.
    #[must_use]
    pub fn unrestricted() -> Self {
        Self { allow_simple: true, ..Self::default() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let ranges = [
            ("passcode.min_length", Some(u16::from(self.min_length)), 0, 16),
            ("passcode.min_complex_characters", Some(u16::from(self.min_complex_characters)), 0, 4),
            ("passcode.max_failed_attempts", self.max_failed_attempts.map(u16::from), 2, 11),
            ("passcode.max_inactivity_minutes", self.max_inactivity_minutes.map(u16::from), 0, 15),
            ("passcode.max_age_days", self.max_age_days, 0, 730),
            ("passcode.history", self.history.map(u16::from), 0, 50),
        ];
        for (field, value, least, most) in ranges {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err(OutOfRange { field, least, most });
            }
        }
        Ok(())
    }

    /// Whether it asks for anything at all.
    #[must_use]
    pub fn asks_for_something(&self) -> bool {
        *self != Self::unrestricted()
    }

    /// The strictest of each requirement of both. Commutative, associative and idempotent, so the order of policies never matters.
    #[must_use]
    pub fn strictest(&self, other: &Self) -> Self {
        Self {
            required: self.required || other.required,
            min_length: self.min_length.max(other.min_length),
            require_alphanumeric: self.require_alphanumeric || other.require_alphanumeric,
            min_complex_characters: self.min_complex_characters.max(other.min_complex_characters),
            allow_simple: self.allow_simple && other.allow_simple,
            max_failed_attempts: lower(self.max_failed_attempts, other.max_failed_attempts),
            max_inactivity_minutes: lower(self.max_inactivity_minutes, other.max_inactivity_minutes),
            max_age_days: lower(self.max_age_days.filter(|days| *days > 0), other.max_age_days.filter(|days| *days > 0)),
            history: self.history.max(other.history),
        }
    }
}

/// The lower of two limits, where none means no limit.
fn lower<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (only, None) | (None, only) => only,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_policy() -> impl Strategy<Value = PasscodePolicy> {
        (
            (any::<bool>(), 0u8..=16, any::<bool>(), 0u8..=4, any::<bool>()),
            (prop::option::of(2u8..=11), prop::option::of(0u8..=15), prop::option::of(1u16..=730), prop::option::of(0u8..=50)),
        )
            .prop_map(|((required, min_length, require_alphanumeric, min_complex_characters, allow_simple), (a, b, c, d))| {
                PasscodePolicy {
                    required,
                    min_length,
                    require_alphanumeric,
                    min_complex_characters,
                    allow_simple,
                    max_failed_attempts: a,
                    max_inactivity_minutes: b,
                    max_age_days: c,
                    history: d,
                }
            })
    }

    proptest! {
        #[test]
        fn the_strictest_does_not_depend_on_the_order(a in any_policy(), b in any_policy(), c in any_policy()) {
            prop_assert_eq!(a.strictest(&b), b.strictest(&a));
            prop_assert_eq!(a.strictest(&b).strictest(&c), a.strictest(&b.strictest(&c)));
            prop_assert_eq!(a.strictest(&a), a.clone());
            prop_assert_eq!(a.strictest(&PasscodePolicy::unrestricted()), a.clone());
            prop_assert!(a.strictest(&b).check().is_ok());
        }
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let policy = PasscodePolicy { max_failed_attempts: Some(1), ..PasscodePolicy::unrestricted() };
        assert_eq!(policy.check().unwrap_err().to_string(), "passcode.max_failed_attempts must be between 2 and 11");
        assert!(PasscodePolicy { min_length: 17, ..PasscodePolicy::unrestricted() }.check().is_err());
        assert!(PasscodePolicy { max_failed_attempts: Some(11), max_age_days: Some(0), ..PasscodePolicy::unrestricted() }.check().is_ok());
    }

    #[test]
    fn what_is_left_out_asks_for_nothing() {
        assert_eq!(serde_json::from_str::<PasscodePolicy>("{}").unwrap(), PasscodePolicy::unrestricted());
    }
}
