//! The two wipes. Access is cut and the certificate revoked when a wipe is ordered; the device is told when it next comes.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, mail_profile, queue, settings};
use crate::{
    apple::profile,
    domain::{
        audit::Actor,
        backend::Backend,
        command::{Command, EraseOptions, Purpose},
        device::{EnrollmentState, WipeRefusal, WipeScope, WipeTarget},
        id::DeviceId,
        rights::AccessRights,
        webhook::EventKind,
    },
    store::{
        self, Conn, Tx,
        audit::{self, Entry},
        certificates,
        commands::{self, QueuedCommand},
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        mail_accounts, postures, timeline, users,
    },
};

/// The window of the limit on wipes, in minutes.
const WINDOW_MINUTES: i64 = 20;

/// What an administrator asks for.
#[derive(Debug, Clone)]
pub struct WipeOrder {
    /// Which wipe.
    pub scope: WipeScope,
    /// Why; kept in the audit log.
    pub reason: String,
    /// The device's serial number, or its identifier where it has none, typed by the administrator.
    pub confirm: String,
    /// Options of a full wipe.
    pub options: EraseOptions,
}

/// Why something destructive is ordered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Why<'a> {
    /// Who orders it; none for the owner of the device.
    pub ordered_by: Option<&'a Actor>,
    /// For what reason.
    pub reason: &'a str,
}

impl App {
    /// Orders a wipe.
    ///
    /// In one transaction: everything that waited for the device is withdrawn, the wipe is queued, the certificate revoked,
    /// access cut, and a line written to the audit log. Gives the command that completes the wipe.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] where the confirmation does not match; [`Error::Conflict`] where the device cannot
    /// be wiped this way; [`Error::TooMany`] past the limit of the administrator.
    pub async fn wipe(self: &Arc<Self>, actor: Actor, device: DeviceId, order: WipeOrder) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let mut device = lock_device(tx, device)?;
            confirm(&device, &order)?;
            let enrollment = device.enrollment_id.map(|id| enrollments::find_for_update(tx, id)).transpose()?.flatten();
            may_wipe(tx, &device, enrollment.as_ref(), order.scope)?;
            let Some(enrollment) = enrollment else { return Err(refused(WipeRefusal::NotManaged(device.state))) };
            app.within_limit(tx, &actor)?;
            let last = app.queue_wipe(tx, &enrollment, &device, &order, &actor)?;
            app.cut_off(tx, &mut device, &enrollment, EnrollmentState::WipePending)?;
            app.tell(tx, &actor, &device, &order, &last, enrollment.backend)?;
            Ok(last)
        })
        .await
    }

    /// Revokes the certificates of a device and blocks it, whatever the device itself does next.
    pub(super) fn cut_off(&self, tx: &mut Tx<'_>, device: &mut Device, enrollment: &Enrollment, state: EnrollmentState) -> Result<()> {
        certificates::revoke_of_enrollment(tx, enrollment.id, None, "privilege_withdrawn", self.now())?;
        certificates::spend_challenges_of(tx, enrollment.id, self.now())?;
        device.state = state;
        device.refresh_at = None;
        devices::update(tx, device)?;
        self.reconcile_device(tx, device.id, "administrator")?;
        mail_profile::cut_off(tx, enrollment.id)
    }

    fn queue_wipe(
        &self,
        tx: &mut Tx<'_>,
        enrollment: &Enrollment,
        device: &Device,
        order: &WipeOrder,
        actor: &Actor,
    ) -> Result<QueuedCommand> {
        let why = Why { ordered_by: Some(actor), reason: &order.reason };
        commands::cancel_all(tx, enrollment.id, "a wipe was ordered", self.now())?;
        if order.scope == WipeScope::Full {
            return self.queue_with_reason(tx, enrollment, device.id, &Command::EraseDevice(order.options.clone()), Purpose::FullWipe, why);
        }
        if enrollment.backend != Backend::Apple {
            return self.queue_with_reason(tx, enrollment, device.id, &Command::RemoveWorkData, Purpose::SelectiveWipeEnd, why);
        }
        let last = profile::enrollment::identifier(&self.reverse_dns);
        if enrollment.rights.allows(AccessRights::MANAGE_PROFILES) {
            for identifier in self.managed_profiles(tx, enrollment, device)?.into_iter().filter(|identifier| *identifier != last) {
                self.queue_with_reason(tx, enrollment, device.id, &Command::RemoveProfile { identifier }, Purpose::SelectiveWipe, why)?;
            }
        }
        self.queue_with_reason(tx, enrollment, device.id, &Command::RemoveProfile { identifier: last }, Purpose::SelectiveWipeEnd, why)
    }

    /// The profiles that the server has installed: those that the device reported, and those that were queued.
    fn managed_profiles(&self, tx: &mut Tx<'_>, enrollment: &Enrollment, device: &Device) -> Result<Vec<String>> {
        let posture = postures::get(tx, device.id)?;
        let mut identifiers: Vec<String> =
            posture.managed_profiles.map(|fact| fact.value.into_iter().map(|profile| profile.identifier).collect()).unwrap_or_default();
        let passcode = profile::passcode::identifier(&self.reverse_dns);
        if enrollment.passcode_profile.is_some() && !identifiers.contains(&passcode) {
            identifiers.push(passcode);
        }
        let mail = profile::mail::identifier(&self.reverse_dns);
        if mail_accounts::find(tx, enrollment.id)?.is_some() && !identifiers.contains(&mail) {
            identifiers.push(mail);
        }
        Ok(identifiers)
    }

    pub(super) fn queue_with_reason(
        &self,
        tx: &mut Tx<'_>,
        enrollment: &Enrollment,
        device: DeviceId,
        command: &Command,
        purpose: Purpose,
        why: Why<'_>,
    ) -> Result<QueuedCommand> {
        let mut queued = QueuedCommand::new(enrollment.id, device, command, purpose, self.now())?;
        queued.reason = Some(why.reason.to_owned());
        queued.ordered_by = why.ordered_by.map(|actor| actor.name.clone());
        commands::insert(tx, &queued)?;
        queue::wake(tx, enrollment, 0)?;
        Ok(queued)
    }

    /// Wipes and retirements count alike: both end the management of a device.
    pub(super) fn within_limit(&self, tx: &mut Tx<'_>, actor: &Actor) -> Result<()> {
        audit::lock(tx)?;
        let limit = i64::from(settings::read(tx, &self.default_sender)?.wipe_limit);
        let ordered = audit::count_since(
            tx,
            &actor.name,
            &["device.wipe", "device.retire", "device.approve"],
            self.now().plus_seconds(-WINDOW_MINUTES * 60),
        )?;
        if limit == 0 || ordered < limit {
            return Ok(());
        }
        Err(Error::TooMany {
            why: format!(
                "{ordered} wipes and retirements were ordered in your name within {WINDOW_MINUTES} minutes, which is the limit; wait, or let an administrator raise wipe_limit in the settings"
            ),
            retry_after_seconds: 60,
        })
    }

    fn tell(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        device: &Device,
        order: &WipeOrder,
        command: &QueuedCommand,
        backend: Backend,
    ) -> Result<()> {
        let now = self.now();
        let text = match order.scope {
            WipeScope::Selective if backend == Backend::Headwind => {
                "A selective wipe was ordered: access ends; the apps that are set as the organization's, the passcode rules, the restrictions and the lock go from the device. The launcher and everything else stay on it."
            }
            WipeScope::Selective => "A selective wipe was ordered: company data goes, the person's own stays.",
            WipeScope::Full => "A full wipe was ordered: the device is reset to its factory state.",
        };
        timeline::record(tx, device.id, now, "wipe_ordered", text, &actor.name)?;
        // Access was cut meanwhile: the event shows the device as it is now.
        if let Some(device) = devices::find(tx, device.id)? {
            self.announce(tx, EventKind::WipeOrdered, &device, json!({ "command": command.id, "scope": order.scope }))?;
        }
        let detail = json!({ "scope": order.scope, "reason": order.reason, "command": command.id, "serial": device.serial });
        Ok(audit::record(
            tx,
            &Entry { at: now, actor, action: "device.wipe", subject_kind: "device", subject: device.id.to_string(), detail },
        )?)
    }
}

/// The device, with its user locked first: the one order in which everything that changes a device's state locks.
pub(super) fn lock_device(tx: &mut Tx<'_>, id: DeviceId) -> Result<Device> {
    let found = devices::find(tx, id)?.ok_or(Error::NotFound("device"))?;
    users::find_for_update(tx, found.user_id)?;
    devices::find_for_update(tx, id)?.ok_or(Error::NotFound("device"))
}

/// The administrator must have typed what is printed on the device.
fn confirm(device: &Device, order: &WipeOrder) -> Result<()> {
    let expected = device.serial.clone().unwrap_or_else(|| device.id.to_string());
    if order.confirm.trim() != expected {
        let what = if device.serial.is_some() { "serial number" } else { "id" };
        return Err(Error::invalid("confirm", format!("must be the {what} of the device, so that no other device is wiped by mistake")));
    }
    let reason = order.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 || reason.chars().any(char::is_control) {
        return Err(Error::invalid("reason", "must say in 1 to 500 characters, without line breaks, why the device is wiped"));
    }
    Ok(())
}

fn may_wipe(tx: &mut Tx<'_>, device: &Device, enrollment: Option<&Enrollment>, scope: WipeScope) -> Result<()> {
    refusal(tx, device, enrollment, scope)?.map_or(Ok(()), |why| Err(refused(why)))
}

/// Why a device cannot be wiped this way; `None` where it can.
///
/// A wipe that failed on the device may be ordered again, and so may one of a device that was let go and still has its enrollment;
/// one that is under way may not.
pub(super) fn refusal(
    conn: &mut Conn,
    device: &Device,
    enrollment: Option<&Enrollment>,
    scope: WipeScope,
) -> std::result::Result<Option<WipeRefusal>, store::Error> {
    let has_failed = match enrollment {
        Some(enrollment) if device.state == EnrollmentState::WipePending => !commands::has_ending_waiting(conn, enrollment.id)?,
        // It was let go, and has not come to hear of it yet.
        Some(enrollment) if device.state == EnrollmentState::Retired => enrollment.state == Stage::Enrolled,
        _ => false,
    };
    let target = WipeTarget {
        platform: device.platform,
        ownership: device.ownership,
        state: if has_failed { EnrollmentState::Enrolled } else { device.state },
        rights: enrollment.map_or(AccessRights::from_bits(0), |enrollment| enrollment.rights),
        is_user_enrollment: enrollment.is_some_and(|enrollment| enrollment.is_user_enrollment),
        backend: enrollment.map_or(Backend::Apple, |enrollment| enrollment.backend),
        mode: enrollment.and_then(|enrollment| enrollment.management_mode),
    };
    Ok(target.may_wipe(scope).err())
}

/// Whether a device can be let go: it is enrolled, or it escaped a wipe by enrolling anew.
pub(super) fn may_retire(conn: &mut Conn, device: &Device, enrollment: Option<&Enrollment>) -> std::result::Result<bool, store::Error> {
    Ok(match enrollment {
        Some(enrollment) if device.state == EnrollmentState::WipePending => !commands::has_ending_waiting(conn, enrollment.id)?,
        Some(_) => device.state == EnrollmentState::Enrolled,
        None => false,
    })
}

fn refused(why: WipeRefusal) -> Error {
    Error::Conflict(why.to_string())
}
