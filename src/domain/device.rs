//! The words for a device's platform and state, and the moves between states that are legal.

use super::backend::{Action, Backend, ManagementMode};
use crate::words;

words! {
    /// What kind of device this is.
    pub enum Platform {
        /// An iPhone.
        Ios = "ios",
        /// An iPad.
        Ipados = "ipados",
        /// A Mac.
        Macos = "macos",
        /// An Android phone or tablet.
        Android = "android",
        /// A browser with an enrollment cookie.
        Browser = "browser",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// Who owns the device; decides about the rights that are asked for.
    pub enum Ownership {
        /// The company owns it.
        Company = "company",
        /// The person owns it: it can never be erased as a whole.
        Personal = "personal",
    }
}

words! {
    /// Where a device stands with its enrollment.
    pub enum EnrollmentState {
        /// The person was asked to enroll it.
        Invited = "invited",
        /// The profile was made or installed; the device has not completed the enrollment.
        Pending = "pending",
        /// Managed.
        Enrolled = "enrolled",
        /// No longer managed.
        Retired = "retired",
        /// A wipe was ordered; access is cut; not seen done yet.
        WipePending = "wipe_pending",
        /// The wipe was seen to be done.
        Wiped = "wiped",
    }
}

impl EnrollmentState {
    /// Whether the device may still talk to the command channel.
    #[must_use]
    pub const fn is_managed(self) -> bool {
        matches!(self, Self::Enrolled | Self::WipePending)
    }

    /// Whether a device may go from this state to the other.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use EnrollmentState::{Enrolled, Invited, Pending, Retired, WipePending, Wiped};
        matches!(
            (self, next),
            (Invited | Retired | Wiped | Pending | Enrolled | WipePending, Pending)
                | (Pending, Enrolled | Retired)
                | (Enrolled, WipePending | Retired)
                | (WipePending, Wiped | Retired)
                | (Invited, Retired)
        )
    }
}

words! {
    /// The two wipes.
    pub enum WipeScope {
        /// Company data, accounts, profiles and certificates go; the person's own stay.
        Selective = "selective",
        /// Factory reset.
        Full = "full",
    }
}

/// Why a wipe cannot be ordered; the text is for the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WipeRefusal {
    /// The device belongs to the person.
    #[error("this is a personal device: it can only be wiped selectively, which removes company data and leaves the person's own")]
    Personal,
    /// The enrollment was made without the right to erase, which cannot be added later.
    #[error(
        "this enrollment was made without the right to erase; rights cannot be added later: wipe selectively, or let the person enroll again as a company device"
    )]
    NoEraseRight,
    /// User Enrollment knows no erase.
    #[error("the device was enrolled for a user only, and such an enrollment cannot erase the device: wipe selectively")]
    UserEnrollment,
    /// There is no command channel.
    #[error("the device is not enrolled (it is {0}), so no command can reach it")]
    NotManaged(EnrollmentState),
    /// A wipe is under way already.
    #[error("a wipe of this device is under way already; it is carried out when the device next contacts the server")]
    AlreadyPending,
    /// A selective wipe needs the right to manage profiles.
    #[error("this enrollment was made without the right to remove profiles, so company data cannot be removed: retire the device instead")]
    NoProfileRight,
    /// What manages the device cannot do it.
    #[error("{0}")]
    Backend(&'static str),
    /// This platform has no such command.
    #[error("devices of this platform cannot be wiped")]
    Unsupported,
}

/// What must be known of a device to decide about a wipe.
#[derive(Debug, Clone, Copy)]
pub struct WipeTarget {
    /// Its platform.
    pub platform: Platform,
    /// Its owner.
    pub ownership: Ownership,
    /// Its state.
    pub state: EnrollmentState,
    /// The rights of the present enrollment.
    pub rights: super::rights::AccessRights,
    /// Whether it is a User Enrollment.
    pub is_user_enrollment: bool,
    /// What manages it.
    pub backend: Backend,
    /// What its agent is on it.
    pub mode: Option<ManagementMode>,
}

impl WipeTarget {
    /// Whether a wipe of this scope may be ordered now.
    ///
    /// # Errors
    /// The reason why not.
    pub fn may_wipe(&self, scope: WipeScope) -> Result<(), WipeRefusal> {
        use super::rights::AccessRights;
        if !matches!(self.platform, Platform::Ios | Platform::Ipados | Platform::Android | Platform::Browser) {
            return Err(WipeRefusal::Unsupported);
        }
        match self.state {
            EnrollmentState::Enrolled => {}
            EnrollmentState::WipePending => return Err(WipeRefusal::AlreadyPending),
            other => return Err(WipeRefusal::NotManaged(other)),
        }
        let action = match scope {
            WipeScope::Selective => Action::SelectiveWipe,
            WipeScope::Full => Action::FullWipe,
        };
        // A personal device is refused as such, whatever manages it.
        if scope == WipeScope::Selective || self.ownership == Ownership::Company {
            self.backend.may(self.mode, action).map_err(WipeRefusal::Backend)?;
        }
        match scope {
            WipeScope::Selective if !self.rights.allows(AccessRights::MANAGE_PROFILES) && !self.is_user_enrollment => {
                Err(WipeRefusal::NoProfileRight)
            }
            WipeScope::Full if self.is_user_enrollment => Err(WipeRefusal::UserEnrollment),
            WipeScope::Full if self.ownership == Ownership::Personal => Err(WipeRefusal::Personal),
            WipeScope::Full if !self.rights.allows(AccessRights::ERASE) => Err(WipeRefusal::NoEraseRight),
            WipeScope::Selective | WipeScope::Full => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rights::AccessRights;
    use super::*;

    const COMPANY: WipeTarget = WipeTarget {
        platform: Platform::Ios,
        ownership: Ownership::Company,
        state: EnrollmentState::Enrolled,
        rights: AccessRights::COMPANY,
        is_user_enrollment: false,
        backend: Backend::Apple,
        mode: None,
    };

    #[test]
    fn a_company_device_can_be_wiped_both_ways() {
        assert_eq!(COMPANY.may_wipe(WipeScope::Full), Ok(()));
        assert_eq!(COMPANY.may_wipe(WipeScope::Selective), Ok(()));
    }

    #[test]
    fn an_erase_is_refused_for_personal_devices_for_user_enrollments_and_without_the_right() {
        let personal = WipeTarget { ownership: Ownership::Personal, ..COMPANY };
        assert_eq!(personal.may_wipe(WipeScope::Full), Err(WipeRefusal::Personal));
        assert_eq!(personal.may_wipe(WipeScope::Selective), Ok(()));
        let user = WipeTarget { is_user_enrollment: true, ..COMPANY };
        assert_eq!(user.may_wipe(WipeScope::Full), Err(WipeRefusal::UserEnrollment));
        let without = WipeTarget { rights: AccessRights::PERSONAL, ..COMPANY };
        assert_eq!(without.may_wipe(WipeScope::Full), Err(WipeRefusal::NoEraseRight));
    }

    #[test]
    fn a_wipe_needs_an_enrolled_device() {
        for state in EnrollmentState::ALL.iter().copied().filter(|state| *state != EnrollmentState::Enrolled) {
            assert!(WipeTarget { state, ..COMPANY }.may_wipe(WipeScope::Selective).is_err(), "{state}");
        }
    }

    #[test]
    fn a_wiped_device_comes_back_only_by_enrolling() {
        assert!(EnrollmentState::Wiped.may_become(EnrollmentState::Pending));
        for state in EnrollmentState::ALL.iter().copied().filter(|state| *state != EnrollmentState::Pending) {
            assert!(!EnrollmentState::Wiped.may_become(state), "{state}");
        }
        assert!(!EnrollmentState::WipePending.may_become(EnrollmentState::Enrolled));
    }
}
