//! The passcode profile (`com.apple.mobiledevice.passwordpolicy`), made from the requirements that hold for a device.

use super::{Base, Payload, Profile, ProfileError};
use crate::{apple::command::With, domain::passcode::PasscodePolicy};

const BASE: &[u8] = include_bytes!("../../../profiles/apple/passcode.mobileconfig");

/// `PayloadType` of the payload inside; evidence in a `ProfileList`.
pub const PAYLOAD_TYPE: &str = "com.apple.mobiledevice.passwordpolicy";

/// `PayloadIdentifier` of the passcode profile, the same for every policy: a new one replaces the old one in place.
#[must_use]
pub fn identifier(reverse_dns: &str) -> String {
    format!("{reverse_dns}.passcode")
}

/// Makes the profile. The same requirements for the same organization give the same UUID, others another, so that a
/// `ProfileList` shows which version a device has.
///
/// # Errors
/// A requirement is out of Apple's range.
pub fn profile(reverse_dns: &str, organization: &str, policy: &PasscodePolicy) -> Result<Profile, ProfileError> {
    policy.check()?;
    let mut base = Base::load("passcode", BASE)?;
    let mut payload = base
        .payload(PAYLOAD_TYPE)?
        .with("forcePIN", policy.required)
        .with("allowSimple", policy.allow_simple)
        .with("requireAlphanumeric", policy.require_alphanumeric)
        .with("minLength", policy.min_length)
        .with("minComplexChars", policy.min_complex_characters);
    // Zero means "never" or "none", which Apple writes by leaving the key out.
    let optional = [
        ("maxFailedAttempts", policy.max_failed_attempts.map(u16::from)),
        ("maxInactivity", policy.max_inactivity_minutes.map(u16::from)),
        ("maxPINAgeInDays", policy.max_age_days.filter(|days| *days > 0)),
        ("pinHistory", policy.history.map(u16::from).filter(|count| *count > 0)),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            payload = payload.with(key, value);
        }
    }
    let identifier = identifier(reverse_dns);
    let payload = Payload::new(payload.with_text("PayloadOrganization", Some(organization)), &format!("{identifier}.policy"), "")?;
    base.finish(identifier, organization, vec![payload])
}
