//! Lets devices go: one, or all of a user. The certificate is revoked and access cut at once; the device removes the enrollment
//! profile, and everything that came with it, when it next comes.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result,
    check_in::end_enrollment,
    wipe::{Why, lock_device, may_retire},
};
use crate::{
    apple::profile,
    domain::{
        audit::Actor,
        backend::Backend,
        command::{Command, CommandState, Purpose},
        device::EnrollmentState,
        id::{DeviceId, UserId},
    },
    store::{
        Conn, Tx,
        audit::{self, Entry},
        commands::{self, Conclusion, QueuedCommand},
        devices, enrollments, timeline, users,
    },
};

/// Why devices are let go where all of a user are.
const REVOKED: &str = "all enrollments of the user were revoked";

impl App {
    /// Lets a device go; gives the command that tells the device.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where the device is not managed.
    pub async fn retire(self: &Arc<Self>, actor: Actor, device: DeviceId) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            app.retire_one(tx, device, &actor, Why { ordered_by: Some(&actor), reason: "retired by an administrator" })?
                .ok_or_else(|| Error::Conflict("the device is not enrolled, or a wipe of it is under way".into()))
        })
        .await
    }

    /// Lets a device go because its owner wants it.
    ///
    /// # Errors
    /// As [`App::retire`].
    pub(super) async fn retire_own(self: &Arc<Self>, owner: Actor, device: DeviceId) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            app.retire_one(tx, device, &owner, Why { ordered_by: None, reason: "removed by its owner" })?
                .ok_or_else(|| Error::Conflict("the device is not enrolled, or a wipe of it is under way".into()))
        })
        .await
    }

    /// Lets one device go, within the limit of whoever wants it: many devices of one person count as much as those of many.
    fn retire_one(&self, tx: &mut Tx<'_>, id: DeviceId, actor: &Actor, why: Why<'_>) -> Result<Option<QueuedCommand>> {
        let mut device = lock_device(tx, id)?;
        let enrollment = device.enrollment_id.map(|id| enrollments::find_for_update(tx, id)).transpose()?.flatten();
        if !may_retire(tx, &device, enrollment.as_ref())? {
            return Ok(None);
        }
        let Some(mut enrollment) = enrollment else { return Ok(None) };
        self.within_limit(tx, actor)?;
        commands::cancel_all(tx, enrollment.id, "the device was retired", self.now())?;
        let command = match enrollment.backend {
            Backend::Apple => Command::RemoveProfile { identifier: profile::enrollment::identifier(&self.reverse_dns) },
            _ => Command::RemoveWorkData,
        };
        let mut queued = self.queue_with_reason(tx, &enrollment, id, &command, Purpose::Retire, why)?;
        self.cut_off(tx, &mut device, &enrollment, EnrollmentState::Retired)?;
        if !enrollment.backend.has_command_channel() {
            // Nothing on the device has to hear of it: what there was to do is done.
            let conclusion = Conclusion { state: CommandState::Acknowledged, error: None, answer: None };
            commands::conclude(tx, queued.id, &conclusion, self.now())?;
            queued.state = CommandState::Acknowledged;
            end_enrollment(tx, &mut enrollment, why.reason, "privilege_withdrawn", self.now())?;
        }
        timeline::record(tx, id, self.now(), "retired", "The device was let go.", &actor.name)?;
        let (detail, subject) = (json!({ "command": queued.id, "why": why.reason }), id.to_string());
        audit::record(tx, &Entry { at: self.now(), actor, action: "device.retire", subject_kind: "device", subject, detail })?;
        Ok(Some(queued))
    }

    /// Ends every enrollment of a user: those that are complete, and those that are under way. Without confirmation nothing
    /// happens and the error says how many devices would lose access.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] without confirmation.
    pub async fn revoke_enrollments(self: &Arc<Self>, actor: Actor, user: UserId, is_confirmed: bool) -> Result<usize> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let why = Why { ordered_by: Some(&actor), reason: REVOKED };
            app.revoke_all(tx, &actor, user, is_confirmed, why)
        })
        .await
    }

    /// Ends every enrollment of one's own.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn revoke_own(self: &Arc<Self>, owner: Actor, user: UserId) -> Result<usize> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let why = Why { ordered_by: None, reason: REVOKED };
            app.revoke_all(tx, &owner, user, true, why)
        })
        .await
    }

    fn revoke_all(&self, tx: &mut Tx<'_>, actor: &Actor, user: UserId, is_confirmed: bool, why: Why<'_>) -> Result<usize> {
        users::find_for_update(tx, user)?.ok_or(Error::NotFound("user"))?;
        let devices = devices::of_user(tx, user)?;
        let affected = devices.iter().filter(|device| device.state == EnrollmentState::Enrolled).count();
        if !is_confirmed {
            return Err(Error::Conflict(format!(
                "{affected} device(s) of this user would lose access at once and would have to be enrolled again; repeat the call with \"confirm\": true"
            )));
        }
        // All of them before the first line of the audit log, as a device that speaks locks itself before that.
        for device in &devices {
            devices::find_for_update(tx, device.id)?;
        }
        let mut revoked = 0_usize;
        for device in devices {
            if self.retire_one(tx, device.id, actor, why)?.is_some() {
                revoked = revoked.saturating_add(1);
            }
        }
        for mut enrollment in enrollments::of_user(tx, user)? {
            if enrollment.state != enrollments::Stage::Enrolled {
                end_enrollment(tx, &mut enrollment, why.reason, "privilege_withdrawn", self.now())?;
            }
        }
        let (detail, subject) = (json!({ "revoked": revoked }), user.to_string());
        audit::record(tx, &Entry { at: self.now(), actor, action: "user.revoke_enrollments", subject_kind: "user", subject, detail })?;
        Ok(revoked)
    }
}

/// Whether a user has anything that [`App::revoke_enrollments`] would end.
pub(super) fn has_something_to_end(conn: &mut Conn, user: UserId) -> Result<bool> {
    if enrollments::of_user(conn, user)?.iter().any(|enrollment| enrollment.state != enrollments::Stage::Enrolled) {
        return Ok(true);
    }
    for device in devices::of_user(conn, user)? {
        let enrollment = device.enrollment_id.map(|id| enrollments::find(conn, id)).transpose()?.flatten();
        if may_retire(conn, &device, enrollment.as_ref())? {
            return Ok(true);
        }
    }
    Ok(false)
}
