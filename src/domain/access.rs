//! Whether a device may come in, decided from its verdict and its state.

use super::{compliance::Status, device::EnrollmentState, policy::Enforcement, user::UserState};
use crate::words;

words! {
    /// What the gate answers.
    pub enum Decision {
        /// Come in.
        Allow = "allow",
        /// Only the page that explains and helps.
        Quarantine = "quarantine",
        /// Nothing.
        Block = "block",
    }
}

/// What the organization decides about devices that are not compliant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessSettings {
    /// Devices that break their policy.
    pub noncompliant: Decision,
    /// Devices of which too little is known.
    pub unknown: Decision,
    /// Devices that cannot be managed.
    pub unsupported: Decision,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self { noncompliant: Decision::Block, unknown: Decision::Quarantine, unsupported: Decision::Block }
    }
}

/// Decides about one device. Nothing of a disabled user comes in; a wiped or retired device, or one whose wipe was ordered, is blocked whatever else holds.
#[must_use]
pub fn decide(settings: AccessSettings, user: UserState, state: EnrollmentState, status: Status, enforcement: Enforcement) -> Decision {
    if user == UserState::Disabled {
        return Decision::Block;
    }
    match state {
        EnrollmentState::WipePending | EnrollmentState::Wiped | EnrollmentState::Retired => return Decision::Block,
        EnrollmentState::Invited | EnrollmentState::Pending => return settings.unknown,
        EnrollmentState::Enrolled => {}
    }
    match status {
        Status::Compliant | Status::InGrace => Decision::Allow,
        Status::Noncompliant if enforcement == Enforcement::AllowAndReport => Decision::Allow,
        Status::Noncompliant => settings.noncompliant,
        Status::Unknown => settings.unknown,
        Status::Unsupported => settings.unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_whose_wipe_was_ordered_is_blocked_even_if_it_is_compliant() {
        let lenient = AccessSettings { noncompliant: Decision::Quarantine, unknown: Decision::Allow, unsupported: Decision::Allow };
        for state in [EnrollmentState::WipePending, EnrollmentState::Wiped, EnrollmentState::Retired] {
            for status in Status::ALL {
                assert_eq!(decide(lenient, UserState::Active, state, *status, Enforcement::AllowAndReport), Decision::Block);
            }
        }
    }

    #[test]
    fn only_compliance_or_a_reporting_policy_lets_an_enrolled_device_in() {
        let decide =
            |status, enforcement| decide(AccessSettings::default(), UserState::Active, EnrollmentState::Enrolled, status, enforcement);
        assert_eq!(decide(Status::Compliant, Enforcement::Block), Decision::Allow);
        assert_eq!(decide(Status::InGrace, Enforcement::Block), Decision::Allow);
        assert_eq!(decide(Status::Noncompliant, Enforcement::Block), Decision::Block);
        assert_eq!(decide(Status::Noncompliant, Enforcement::AllowAndReport), Decision::Allow);
        assert_eq!(decide(Status::Unknown, Enforcement::AllowAndReport), Decision::Quarantine);
        assert_eq!(decide(Status::Unsupported, Enforcement::Block), Decision::Block);
    }

    #[test]
    fn nothing_of_a_disabled_user_comes_in() {
        let decision =
            decide(AccessSettings::default(), UserState::Disabled, EnrollmentState::Enrolled, Status::Compliant, Enforcement::Block);
        assert_eq!(decision, Decision::Block);
    }
}
