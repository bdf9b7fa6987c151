//! How a device is managed, and what can therefore be done with it: so that nobody is promised what cannot be kept.

use serde::Serialize;
use utoipa::ToSchema;

use super::{browser::Kind, device::Ownership, rights::AccessRights};
use crate::words;

words! {
    /// What manages a device.
    pub enum Backend {
        /// Apple's own MDM protocol.
        Apple = "apple",
        /// Nothing: an Android device with a certificate, which says who it is and no more.
        Certificate = "certificate",
        /// An Android agent that speaks Enlist's own protocol.
        Agent = "agent",
        /// The Headwind launcher on an Android device.
        Headwind = "headwind",
        /// Nothing: a browser with a cookie.
        Browser = "browser",
    }
}

words! {
    /// What an Android agent is on its device, and so what Android lets it do.
    pub enum ManagementMode {
        /// It manages the whole device, which was set up with it.
        DeviceOwner = "device_owner",
        /// It manages a work profile beside the person's own things.
        ProfileOwner = "profile_owner",
    }
}

words! {
    /// How far something can be done.
    pub enum Grade {
        /// Not at all.
        None = "none",
        /// In broad steps only.
        Coarse = "coarse",
        /// As exactly as a policy says it.
        Exact = "exact",
    }
}

words! {
    /// What goes with a selective wipe.
    pub enum SelectiveWipe {
        /// Nothing can be removed from the device.
        Nothing = "nothing",
        /// The profiles that the organization installed, with their accounts and certificates.
        Profiles = "profiles",
        /// The work profile with everything in it.
        WorkProfile = "work_profile",
        /// The apps and files that the organization installed, and the certificate.
        AppsAndCertificate = "apps_and_certificate",
    }
}

/// What a backend can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that can be done or not")]
pub struct Capabilities {
    /// Say whether the passcode meets the policy.
    pub passcode_report: Grade,
    /// Make the device ask for a passcode that meets the policy.
    pub passcode_enforce: Grade,
    /// Lock the screen.
    pub lock: bool,
    /// Remove or replace a forgotten passcode.
    pub reset_passcode: bool,
    /// Be asked for its facts at any time.
    pub refresh: bool,
    /// Reset the device to its factory state.
    pub full_wipe: bool,
    /// Remove what belongs to the organization.
    pub selective_wipe: SelectiveWipe,
    /// Install a client certificate without asking the person.
    pub silent_certificate: bool,
    /// The device has to be reset before it can be enrolled.
    pub needs_factory_reset: bool,
}

/// What an administrator may want done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lock the screen.
    Lock,
    /// Remove or replace the passcode.
    ResetPasscode,
    /// Ask for facts.
    Refresh,
    /// Remove what belongs to the organization.
    SelectiveWipe,
    /// Factory reset.
    FullWipe,
}

const NOTHING: Capabilities = Capabilities {
    passcode_report: Grade::None,
    passcode_enforce: Grade::None,
    lock: false,
    reset_passcode: false,
    refresh: false,
    full_wipe: false,
    selective_wipe: SelectiveWipe::Nothing,
    silent_certificate: false,
    needs_factory_reset: false,
};

impl Capabilities {
    /// What is left of it under the rights that the person has agreed to.
    #[must_use]
    pub const fn within(mut self, rights: AccessRights) -> Self {
        self.full_wipe &= rights.allows(AccessRights::ERASE);
        self.lock &= rights.allows(AccessRights::LOCK_AND_CLEAR_PASSCODE);
        self.reset_passcode &= rights.allows(AccessRights::LOCK_AND_CLEAR_PASSCODE);
        self.refresh &= rights.allows(AccessRights::QUERY_SECURITY);
        if !rights.allows(AccessRights::MANAGE_PROFILES) {
            self.selective_wipe = SelectiveWipe::Nothing;
            self.passcode_enforce = Grade::None;
        }
        self
    }
}

impl Backend {
    /// What this backend can do, given what its agent is on the device; an agent that has not said so is trusted with the least.
    #[must_use]
    pub const fn capabilities(self, mode: Option<ManagementMode>) -> Capabilities {
        let is_device_owner = matches!(mode, Some(ManagementMode::DeviceOwner));
        match self {
            Self::Apple => Capabilities {
                passcode_report: Grade::Exact,
                passcode_enforce: Grade::Exact,
                lock: true,
                reset_passcode: true,
                refresh: true,
                full_wipe: true,
                selective_wipe: SelectiveWipe::Profiles,
                silent_certificate: true,
                needs_factory_reset: false,
            },
            Self::Certificate | Self::Browser => NOTHING,
            Self::Agent => Capabilities {
                passcode_report: Grade::Exact,
                // Since Android 12 a work profile can ask for broad levels of the device's passcode only.
                passcode_enforce: if is_device_owner { Grade::Exact } else { Grade::Coarse },
                lock: true,
                reset_passcode: is_device_owner,
                refresh: true,
                full_wipe: is_device_owner,
                selective_wipe: if is_device_owner { SelectiveWipe::AppsAndCertificate } else { SelectiveWipe::WorkProfile },
                silent_certificate: true,
                needs_factory_reset: is_device_owner,
            },
            Self::Headwind => Capabilities {
                passcode_report: Grade::Coarse,
                passcode_enforce: Grade::Coarse,
                lock: true,
                reset_passcode: true,
                refresh: true,
                full_wipe: true,
                selective_wipe: SelectiveWipe::AppsAndCertificate,
                silent_certificate: false,
                needs_factory_reset: true,
            },
        }
    }

    /// Whether something can be done by this backend at all; ownership and consent are judged elsewhere.
    ///
    /// # Errors
    /// The reason why not, for the administrator.
    pub fn may(self, mode: Option<ManagementMode>, action: Action) -> Result<(), &'static str> {
        let can = self.capabilities(mode);
        let is_possible = match action {
            Action::Lock => can.lock,
            Action::ResetPasscode => can.reset_passcode,
            Action::Refresh => can.refresh,
            Action::SelectiveWipe => can.selective_wipe != SelectiveWipe::Nothing,
            Action::FullWipe => can.full_wipe,
        };
        if is_possible { Ok(()) } else { Err(self.refusal(action)) }
    }

    const fn refusal(self, action: Action) -> &'static str {
        match (self, action) {
            (Self::Certificate, Action::SelectiveWipe) => {
                "the device only has a certificate and nothing on it obeys: nothing can be removed from it; retire it, which revokes the certificate and cuts access at once"
            }
            (Self::Certificate, Action::FullWipe) => {
                "the device only has a certificate and nothing on it obeys, so it cannot be reset; retire it, which revokes the certificate and cuts access at once"
            }
            (Self::Certificate, _) => {
                "the device only has a certificate and nothing on it obeys; enroll it with an agent to be able to do this"
            }
            (Self::Browser, _) => "a browser is not managed: retire it, which ends its access at once",
            (Self::Agent, Action::FullWipe) => {
                "the agent manages a work profile and not the whole device, and Android lets it reset nothing else: wipe selectively, which removes the work profile"
            }
            (Self::Agent, Action::ResetPasscode) => {
                "the agent manages a work profile and not the whole device, and Android does not let it change the device's passcode"
            }
            (Self::Agent | Self::Headwind | Self::Apple, _) => "what manages this device cannot do this",
        }
    }

    /// What a person is asked to agree to: never more than the backend can do, and on a personal device never a reset.
    #[must_use]
    pub const fn rights(self, ownership: Ownership) -> AccessRights {
        match self {
            Self::Apple => AccessRights::for_ownership(ownership),
            Self::Certificate | Self::Browser => AccessRights::from_bits(0),
            Self::Agent | Self::Headwind => match ownership {
                Ownership::Company => AccessRights::ANDROID_COMPANY,
                Ownership::Personal => AccessRights::ANDROID_PERSONAL,
            },
        }
    }

    /// What kind of device it manages.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Apple => Kind::Apple,
            Self::Certificate | Self::Agent | Self::Headwind => Kind::Android,
            Self::Browser => Kind::Browser,
        }
    }

    /// Whether commands are fetched by something on the device.
    #[must_use]
    pub const fn has_command_channel(self) -> bool {
        matches!(self, Self::Apple | Self::Agent | Self::Headwind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_for_a_device_that_only_has_a_certificate() {
        for action in [Action::Lock, Action::ResetPasscode, Action::Refresh, Action::SelectiveWipe, Action::FullWipe] {
            assert!(Backend::Certificate.may(None, action).is_err(), "{action:?}");
        }
        assert_eq!(Backend::Certificate.rights(Ownership::Company).bits(), 0);
    }

    #[test]
    fn only_the_owner_of_the_whole_device_can_reset_it() {
        assert!(Backend::Agent.may(Some(ManagementMode::DeviceOwner), Action::FullWipe).is_ok());
        assert!(Backend::Agent.may(Some(ManagementMode::ProfileOwner), Action::FullWipe).unwrap_err().contains("work profile"));
        assert!(Backend::Agent.may(None, Action::FullWipe).is_err());
        assert!(Backend::Headwind.may(None, Action::FullWipe).is_ok());
    }

    #[test]
    fn what_nobody_agreed_to_cannot_be_done() {
        let company = Backend::Agent.capabilities(Some(ManagementMode::DeviceOwner));
        assert_eq!(company.within(Backend::Agent.rights(Ownership::Company)), company);
        let personal = company.within(Backend::Agent.rights(Ownership::Personal));
        assert!(!personal.full_wipe && personal.lock && personal.selective_wipe == SelectiveWipe::AppsAndCertificate);
        let nothing = Backend::Apple.capabilities(None).within(AccessRights::from_bits(0));
        assert!(!nothing.lock && !nothing.refresh && nothing.selective_wipe == SelectiveWipe::Nothing);
    }

    #[test]
    fn no_personal_device_gives_the_right_to_a_reset() {
        for backend in Backend::ALL {
            assert!(!backend.rights(Ownership::Personal).allows(AccessRights::ERASE), "{backend}");
        }
    }
}
