//! What an order does, in words that are true for what manages the device.

use crate::domain::backend::{Backend, ManagementMode, SelectiveWipe};

/// What the pages say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wording {
    /// What the order about a forgotten passcode is called.
    pub passcode: &'static str,
    /// What it does.
    pub passcode_effect: &'static str,
    /// What letting the device go does, in short.
    pub retire_effect: &'static str,
    /// The same step by step.
    pub retire: &'static [&'static str],
    /// What a selective wipe does, in short.
    pub selective_effect: &'static str,
    /// What goes with it, besides access.
    pub selective_goes: &'static [&'static str],
    /// What stays.
    pub selective_stays: &'static str,
}

/// The words for a device that is managed in this way.
pub(super) const fn wording(backend: Backend, mode: Option<ManagementMode>) -> Wording {
    let (selective_effect, selective_goes, selective_stays) = selective(backend, mode);
    let (passcode, passcode_effect) = passcode(backend);
    let (retire_effect, retire) = retire(backend, mode);
    Wording { passcode, passcode_effect, retire_effect, retire, selective_effect, selective_goes, selective_stays }
}

const fn passcode(backend: Backend) -> (&'static str, &'static str) {
    match backend {
        Backend::Apple => ("Clear passcode", "Removes a passcode that was forgotten. Until a new one is set, anybody can open the device."),
        _ => ("Reset passcode", "Puts a temporary passcode in place of one that was forgotten, and shows it to you once."),
    }
}

const OWN_THINGS: &str = "Everything that belongs to the person: photos, messages, their own apps and accounts.";

/// In short, what goes, and what stays.
const fn selective(backend: Backend, mode: Option<ManagementMode>) -> (&'static str, &'static [&'static str], &'static str) {
    match (backend, backend.capabilities(mode).selective_wipe) {
        (Backend::Apple, _) => (
            "Removes company data and accounts. Photos, messages and apps of the person stay.",
            &["Accounts, certificates and settings of the organization, when the device next connects."],
            OWN_THINGS,
        ),
        (_, SelectiveWipe::WorkProfile) => (
            "Removes the work profile with everything in it. What is outside of it stays.",
            &["The work profile with all its apps, accounts and files, and the certificate in it, when the device next connects."],
            "Everything outside of the work profile.",
        ),
        (Backend::Headwind, _) => (
            "Removes the organization's apps, files and settings. The person's own things on the device stay.",
            &["Apps, files and settings of the organization that the launcher has installed, when the device next connects."],
            OWN_THINGS,
        ),
        (_, SelectiveWipe::AppsAndCertificate) => (
            "Removes the organization's apps and certificate. The person's own things on the device stay.",
            &["Apps of the organization and the certificate of the device, when it next connects."],
            OWN_THINGS,
        ),
        (_, SelectiveWipe::Nothing | SelectiveWipe::Profiles) => ("Removes company data from the device.", &[], OWN_THINGS),
    }
}

const CUT: &str = "The device loses access at once, and its certificate is revoked.";
const BACK: &str = "To come back, the device has to be enrolled again.";
const STAYS: &str = "The person's own data stays.";

const fn retire(backend: Backend, mode: Option<ManagementMode>) -> (&'static str, &'static [&'static str]) {
    match backend {
        Backend::Apple => (
            "Ends the management: access is cut and what was installed from here is removed.",
            &[
                CUT,
                "When it next connects it removes the enrollment profile, and with it everything that was installed from here.",
                STAYS,
                BACK,
            ],
        ),
        Backend::Certificate | Backend::Browser => (
            "Ends the access at once: the certificate is revoked. Nothing on the device is changed.",
            &[
                CUT,
                "Nothing on the device obeys, so nothing is removed from it. The certificate that is left there opens nothing any more.",
                BACK,
            ],
        ),
        Backend::Agent => match mode {
            Some(ManagementMode::DeviceOwner) => (
                "Ends the management: access is cut, and apps and certificate of the organization are removed.",
                &[CUT, "When it next connects the agent removes the organization's apps and the certificate.", STAYS, BACK],
            ),
            _ => (
                "Ends the management: access is cut and the work profile is removed.",
                &[CUT, "When it next connects the agent removes the work profile with everything in it.", STAYS, BACK],
            ),
        },
        Backend::Headwind => (
            "Ends the management: access is cut, and apps, files and settings of the organization are removed.",
            &[CUT, "When it next connects the launcher removes the organization's apps, files and settings.", STAYS, BACK],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_says_what_really_goes() {
        let goes = |backend, mode| wording(backend, mode).selective_goes.concat();
        assert!(goes(Backend::Agent, Some(ManagementMode::ProfileOwner)).contains("work profile"));
        assert!(goes(Backend::Agent, Some(ManagementMode::DeviceOwner)).contains("certificate"));
        assert!(goes(Backend::Headwind, None).contains("files and settings"));
        assert_eq!(goes(Backend::Certificate, None), "");
        let certificate = wording(Backend::Certificate, None);
        assert!(certificate.retire.concat().contains("Nothing on the device obeys") && certificate.retire_effect.contains("revoked"));
    }
}
