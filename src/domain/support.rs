//! What becomes of each setting of a policy on each kind of device: whether it is enforced there, only checked, or neither. So that
//! whoever writes a policy sees what it will do.

use super::backend::{Backend, ManagementMode};
use crate::words;

words! {
    /// What becomes of a setting.
    pub enum Support {
        /// The device itself holds its owner to it, exactly as it is asked for.
        Enforced = "enforced",
        /// The device holds its owner to the nearest of a few levels.
        Broadly = "broadly",
        /// The device says how it stands, and loses access if that does not suffice.
        Checked = "checked",
        /// Nothing on the device takes it over or says how it stands.
        Impossible = "impossible",
    }
}

words! {
    /// A setting of a policy, by its name in the API.
    pub enum Setting {
        /// A passcode is set.
        Required = "passcode.required",
        /// Least number of characters.
        MinLength = "passcode.min_length",
        /// Letters and digits.
        Alphanumeric = "passcode.require_alphanumeric",
        /// Characters that are neither.
        ComplexCharacters = "passcode.min_complex_characters",
        /// No repetitions and rows.
        NotSimple = "passcode.allow_simple",
        /// Wrong tries before everything is erased.
        FailedAttempts = "passcode.max_failed_attempts",
        /// Minutes before the device locks.
        Inactivity = "passcode.max_inactivity_minutes",
        /// Days before the passcode must be changed.
        Age = "passcode.max_age_days",
        /// Former passcodes that may not be used again.
        History = "passcode.history",
        /// The storage is encrypted.
        Encryption = "require_encryption",
        /// Neither jailbroken nor rooted.
        NotCompromised = "block_compromised",
        /// Lowest version of the system.
        MinOs = "min_os",
        /// Mail comes through an account that the organization installed.
        ManagedMail = "require_managed_mail",
        /// Days of silence.
        Silence = "max_silence_days",
    }
}

/// What becomes of a setting on devices that are managed in this way.
#[must_use]
pub const fn support(backend: Backend, mode: Option<ManagementMode>, setting: Setting) -> Support {
    match backend {
        Backend::Apple => apple(setting),
        Backend::Agent => agent(matches!(mode, Some(ManagementMode::DeviceOwner)), setting),
        Backend::Headwind => headwind(setting),
        Backend::Certificate | Backend::Browser => Support::Impossible,
    }
}

const fn apple(setting: Setting) -> Support {
    match setting {
        Setting::Encryption | Setting::MinOs | Setting::ManagedMail | Setting::Silence => Support::Checked,
        // Apple's protocol has no word for a jailbreak.
        Setting::NotCompromised => Support::Impossible,
        _ => Support::Enforced,
    }
}

/// Since Android 12 a work profile asks for one of three levels of the device's passcode, and for nothing else about what it is
/// made of (`DevicePolicyManager.setRequiredPasswordComplexity`).
const fn agent(is_device_owner: bool, setting: Setting) -> Support {
    match setting {
        Setting::Encryption | Setting::NotCompromised | Setting::MinOs | Setting::Silence => Support::Checked,
        Setting::ManagedMail => Support::Impossible,
        Setting::MinLength | Setting::Alphanumeric | Setting::ComplexCharacters if !is_device_owner => Support::Broadly,
        _ => Support::Enforced,
    }
}

/// The launcher knows four modes of a password and nothing else; none of them forbids repetitions and rows.
const fn headwind(setting: Setting) -> Support {
    match setting {
        Setting::Required => Support::Enforced,
        Setting::MinLength | Setting::Alphanumeric | Setting::ComplexCharacters => Support::Broadly,
        Setting::MinOs | Setting::Silence => Support::Checked,
        _ => Support::Impossible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backend::Grade;

    const COLUMNS: [(Backend, Option<ManagementMode>); 5] = [
        (Backend::Apple, None),
        (Backend::Agent, Some(ManagementMode::DeviceOwner)),
        (Backend::Agent, Some(ManagementMode::ProfileOwner)),
        (Backend::Headwind, None),
        (Backend::Certificate, None),
    ];

    #[test]
    fn what_is_said_of_passcodes_agrees_with_what_the_backend_can_do() {
        for (backend, mode) in COLUMNS {
            let length = support(backend, mode, Setting::MinLength);
            let expected = match backend.capabilities(mode).passcode_enforce {
                Grade::Exact => Support::Enforced,
                Grade::Coarse => Support::Broadly,
                Grade::None => Support::Impossible,
            };
            assert_eq!(length, expected, "{backend} {mode:?}");
        }
    }

    #[test]
    fn a_certificate_and_a_browser_promise_nothing() {
        for setting in Setting::ALL {
            assert_eq!(support(Backend::Certificate, None, *setting), Support::Impossible, "{setting}");
            assert_eq!(support(Backend::Browser, None, *setting), Support::Impossible, "{setting}");
        }
    }

    #[test]
    fn a_work_profile_never_does_more_than_the_owner_of_the_device() {
        for setting in Setting::ALL {
            let of = |mode| support(Backend::Agent, Some(mode), *setting);
            assert!(of(ManagementMode::DeviceOwner) <= of(ManagementMode::ProfileOwner), "{setting}");
        }
    }

    #[test]
    fn nobody_says_that_a_launcher_forbids_rows_or_an_iphone_reports_a_jailbreak() {
        assert_eq!(support(Backend::Headwind, None, Setting::NotSimple), Support::Impossible);
        assert_eq!(support(Backend::Apple, None, Setting::NotCompromised), Support::Impossible);
        assert_eq!(support(Backend::Agent, None, Setting::NotCompromised), Support::Checked);
    }
}
