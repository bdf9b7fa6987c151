//! What a person is told before they agree: what the organization will be able to do, and what not, by what manages the device and
//! by who owns it. Never less than what is possible, and never more.

use super::{
    backend::{Backend, Grade, ManagementMode, SelectiveWipe},
    device::Ownership,
    rights::AccessRights,
};

/// The two lists of the page that asks for consent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// What the organization will be able to do, most serious first.
    pub can: Vec<&'static str>,
    /// What it will not be able to do.
    pub cannot: Vec<&'static str>,
}

/// What is told of a device that will be managed in this way.
#[must_use]
pub fn promise(backend: Backend, ownership: Ownership) -> Promise {
    let rights = backend.rights(ownership);
    match backend {
        Backend::Apple => Promise { can: rights.explained(), cannot: rights.not_granted() },
        Backend::Certificate | Backend::Browser => Promise {
            can: vec![
                if backend == Backend::Browser {
                    "recognize this browser by its cookie, until its enrollment ends or is revoked"
                } else {
                    "recognize this device by its certificate, until the certificate ends or is revoked"
                },
                "see the model and the version of the system that this browser tells",
            ],
            cannot: ITEMS.iter().map(|item| item.text).collect(),
        },
        Backend::Agent | Backend::Headwind => {
            let mut told = Promise::default();
            for item in ITEMS {
                if rights.allows(item.right) && is_possible(backend, item) {
                    told.can.push(match backend {
                        Backend::Agent if item.needs_whole_device => item.on_whole_device,
                        _ => item.text,
                    });
                } else {
                    told.cannot.push(item.text);
                }
            }
            told
        }
    }
}

/// One thing that may be possible.
struct Item {
    right: AccessRights,
    text: &'static str,
    /// The same where an agent can do it only if it manages the whole device.
    on_whole_device: &'static str,
    needs_whole_device: bool,
    what: What,
}

enum What {
    FullWipe,
    Lock,
    ResetPasscode,
    EnforcePasscode,
    SelectiveWipe,
    Other,
}

const fn item(right: AccessRights, text: &'static str, what: What) -> Item {
    Item { right, text, on_whole_device: text, needs_whole_device: false, what }
}

const ITEMS: &[Item] = &[
    Item {
        right: AccessRights::ERASE,
        text: "erase the whole device, with everything that is on it",
        on_whole_device: "erase the whole device, with everything that is on it, if the agent manages the whole device",
        needs_whole_device: true,
        what: What::FullWipe,
    },
    item(
        AccessRights::MANAGE_PROFILES,
        "remove what belongs to the organization: the work profile with everything in it, or the apps and settings that it has installed",
        What::SelectiveWipe,
    ),
    item(AccessRights::LOCK_AND_CLEAR_PASSCODE, "lock the screen", What::Lock),
    Item {
        right: AccessRights::LOCK_AND_CLEAR_PASSCODE,
        text: "replace a forgotten passcode",
        on_whole_device: "replace a forgotten passcode, if the agent manages the whole device",
        needs_whole_device: true,
        what: What::ResetPasscode,
    },
    item(AccessRights::MANAGE_PROFILES, "ask for a screen lock that follows its rules", What::EnforcePasscode),
    item(AccessRights::MANAGE_APPS, "install apps of the organization and remove them again", What::Other),
    item(
        AccessRights::QUERY_SECURITY,
        "see whether a screen lock is set and suffices, whether the device is encrypted, and whether it was tampered with (never the passcode itself)",
        What::Other,
    ),
    item(AccessRights::QUERY_DEVICE, "see the model, the name and the system version of the device", What::Other),
    item(AccessRights::QUERY_NETWORK, "see the telephone number, the IMEI and the network addresses", What::Other),
    item(AccessRights::QUERY_APPS, "see the list of your own apps", What::Other),
];

/// Whether the backend can do it on some device at least.
fn is_possible(backend: Backend, item: &Item) -> bool {
    [ManagementMode::DeviceOwner, ManagementMode::ProfileOwner].into_iter().any(|mode| {
        let can = backend.capabilities(Some(mode));
        match item.what {
            What::FullWipe => can.full_wipe,
            What::Lock => can.lock,
            What::ResetPasscode => can.reset_passcode,
            What::EnforcePasscode => can.passcode_enforce != Grade::None,
            What::SelectiveWipe => can.selective_wipe != SelectiveWipe::Nothing,
            What::Other => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_either_possible_or_said_to_be_impossible() {
        for backend in [Backend::Agent, Backend::Headwind] {
            for ownership in [Ownership::Company, Ownership::Personal] {
                let told = promise(backend, ownership);
                assert_eq!(told.can.len() + told.cannot.len(), ITEMS.len(), "{backend} {ownership}");
                let erases = told.can.iter().any(|text| text.contains("erase"));
                assert_eq!(erases, ownership == Ownership::Company, "{backend} {ownership}");
            }
        }
    }

    #[test]
    fn a_certificate_lets_nobody_do_anything() {
        let told = promise(Backend::Certificate, Ownership::Company);
        assert_eq!(told.cannot.len(), ITEMS.len());
        assert!(told.can.iter().all(|text| text.starts_with("recognize") || text.starts_with("see the model")), "{told:?}");
    }

    #[test]
    fn an_apple_device_is_told_its_rights() {
        let told = promise(Backend::Apple, Ownership::Personal);
        assert_eq!(told.can, AccessRights::PERSONAL.explained());
        assert_eq!(told.cannot, AccessRights::PERSONAL.not_granted());
    }
}
