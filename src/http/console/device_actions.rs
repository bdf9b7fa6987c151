//! What can be done with one device by whoever looks at it; what cannot be done is shown with the reason.

use serde::Serialize;

use super::wording::wording;
use crate::{
    domain::{backend::Backend, user::Permission},
    http::{extract::admin::Admin, prose::sentence},
    service::offers::{DeviceWithOffers, Offer},
};

/// Something that can be done, or why it cannot.
#[derive(Debug, Serialize)]
pub(super) struct Action {
    address: String,
    text: &'static str,
    effect: &'static str,
    refusal: Option<String>,
    class: &'static str,
    /// It happens at once, without a page in between.
    is_direct: bool,
}

struct Row<'a> {
    needs: Permission,
    path: &'static str,
    text: &'static str,
    effect: &'static str,
    offer: &'a Offer,
    class: &'static str,
}

/// What can be done by this administrator.
pub(super) fn actions(admin: &Admin, found: &DeviceWithOffers) -> Vec<Action> {
    rows(found)
        .into_iter()
        .filter(|row| admin.may(row.needs))
        .map(|row| Action {
            address: format!("/console/devices/{}/{}", found.device.id, row.path),
            text: row.text,
            effect: row.effect,
            refusal: row.offer.as_ref().err().map(|why| sentence(why)),
            class: row.class,
            is_direct: row.path == "refresh",
        })
        .chain(unlock(admin, found))
        .collect()
}

/// The lock of the launcher, which nobody can take away on the device itself.
fn unlock(admin: &Admin, found: &DeviceWithOffers) -> Option<Action> {
    (found.is_locked && admin.may(Permission::SupportDevices)).then(|| Action {
        address: format!("/console/devices/{}/unlock", found.device.id),
        text: "Unlock",
        effect: "Takes the lock away. Nobody can do that on the device itself.",
        refusal: None,
        class: "plain",
        is_direct: true,
    })
}

fn rows(found: &DeviceWithOffers) -> [Row<'_>; 6] {
    use Permission::{SupportDevices, WipeFully, WipeSelectively};
    let (offers, words) = (&found.offers, wording(found.backend(), found.mode()));
    let row = |needs, path, text, effect, offer, class| Row { needs, path, text, effect, offer, class };
    [
        row(SupportDevices, "refresh", "Check again", "Asks the device for its facts. Nothing on it changes.", &offers.refresh, "plain"),
        row(SupportDevices, "lock", "Lock", lock_effect(found.backend()), &offers.lock, "plain"),
        row(SupportDevices, "clear-passcode", words.passcode, words.passcode_effect, &offers.clear_passcode, "plain"),
        row(WipeSelectively, "retire", "Retire", words.retire_effect, &offers.retire, "care"),
        row(WipeSelectively, "wipe/selective", "Selective wipe", words.selective_effect, &offers.selective_wipe, "bad"),
        row(
            WipeFully,
            "wipe/full",
            "Full wipe",
            "Resets the device to its factory state. Everything on it is lost, the person's own data too.",
            &offers.full_wipe,
            "bad",
        ),
    ]
}

const fn lock_effect(backend: Backend) -> &'static str {
    match backend {
        Backend::Headwind => "Covers the screen, the passcode notwithstanding, until it is unlocked from here.",
        _ => "Locks the screen. The passcode opens it again.",
    }
}
