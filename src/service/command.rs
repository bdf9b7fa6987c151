//! Orders commands for a device on an administrator's behalf.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result};
use crate::{
    apple::profile,
    domain::{
        audit::Actor,
        backend::{Action, Backend},
        command::{Command, Purpose},
        device::EnrollmentState,
        id::DeviceId,
    },
    store::{
        Tx,
        audit::{self, Entry},
        commands::QueuedCommand,
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
    },
};

/// What an administrator may order, apart from wipes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Ask for the facts that compliance depends on.
    Refresh,
    /// Any command that destroys nothing.
    Command(Command),
}

impl App {
    /// Orders a command.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where the device cannot do it; the text says why.
    pub async fn order(self: &Arc<Self>, actor: Actor, device: DeviceId, order: Order) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let (device, enrollment) = reachable(tx, device)?;
            let queued = match &order {
                Order::Refresh => {
                    let may = enrollment.backend.may(enrollment.management_mode, Action::Refresh);
                    may.map_err(|why| Error::Conflict(why.into()))?;
                    app.refresh_now(tx, &device)?
                }
                Order::Command(command) => {
                    may_send(&enrollment, command)?;
                    app.leaves_own_profiles(command)?;
                    app.queue(tx, &enrollment, device.id, command, Purpose::Administrator)?
                }
            };
            let detail = json!({ "command": queued.id, "kind": queued.kind });
            audit::record(
                tx,
                &Entry {
                    at: app.now(),
                    actor: &actor,
                    action: "device.command",
                    subject_kind: "device",
                    subject: device.id.to_string(),
                    detail,
                },
            )?;
            Ok(queued)
        })
        .await
    }

    /// The profiles of enrollment, passcode and mail are the server's own: removing one would end the management, or undo a
    /// policy, past every safeguard.
    fn leaves_own_profiles(&self, command: &Command) -> Result<()> {
        let (Command::InstallProfile { identifier, .. } | Command::RemoveProfile { identifier }) = command else { return Ok(()) };
        let own = [
            profile::enrollment::identifier(&self.reverse_dns),
            profile::passcode::identifier(&self.reverse_dns),
            profile::mail::identifier(&self.reverse_dns),
        ];
        if own.contains(identifier) {
            return Err(Error::Conflict(
                "this profile is managed by the server itself: change the policy or the settings of mail access, or wipe or retire the device".into(),
            ));
        }
        Ok(())
    }

    fn refresh_now(&self, tx: &mut Tx<'_>, device: &Device) -> Result<QueuedCommand> {
        match self.refresh(tx, device.id)? {
            Some(queued) => Ok(queued),
            None => Err(Error::Conflict(
                "the device was asked already and has not answered yet; it answers when it next contacts the server".into(),
            )),
        }
    }
}

/// The device and its enrollment, if commands can reach it.
pub(super) fn reachable(tx: &mut Tx<'_>, id: DeviceId) -> Result<(Device, Enrollment)> {
    let device = devices::find_for_update(tx, id)?.ok_or(Error::NotFound("device"))?;
    if device.state != EnrollmentState::Enrolled {
        return Err(Error::Conflict(format!("the device is not enrolled (it is {}), so no command can reach it", device.state)));
    }
    let enrollment = device.enrollment_id.map(|id| enrollments::find(tx, id)).transpose()?.flatten();
    let enrollment = enrollment.filter(|enrollment| enrollment.state == Stage::Enrolled);
    enrollment.map(|enrollment| (device, enrollment)).ok_or_else(|| Error::Conflict("the enrollment of the device is not complete".into()))
}

/// Whether an enrollment allows a command.
pub(super) fn may_send(enrollment: &Enrollment, command: &Command) -> Result<()> {
    if command.is_destructive() {
        return Err(Error::Conflict("this command destroys data or ends the management: order a wipe or retire the device instead".into()));
    }
    if let Some(action) = action_of(command) {
        enrollment.backend.may(enrollment.management_mode, action).map_err(|why| Error::Conflict(why.into()))?;
    }
    if is_for_apple(command) != (enrollment.backend == Backend::Apple) && !is_for_both(command) {
        return Err(Error::Conflict("this command is not one for devices of this platform".into()));
    }
    if enrollment.is_user_enrollment && command.is_forbidden_in_user_enrollment() {
        return Err(Error::Conflict("the device was enrolled for a user only, where this command is not allowed".into()));
    }
    if !enrollment.is_user_enrollment && !enrollment.rights.allows(command.needed_rights()) {
        return Err(Error::Conflict(
            "this enrollment was made without the right to do that; rights cannot be added later, the person must enroll again".into(),
        ));
    }
    if matches!(command, Command::ClearPasscode) && enrollment.sealed_unlock_token.is_none() {
        return Err(Error::Conflict("the device has given no unlock token, so its passcode cannot be cleared from here".into()));
    }
    Ok(())
}

/// What a command does, where that depends on what manages the device.
const fn action_of(command: &Command) -> Option<Action> {
    match command {
        Command::DeviceLock { .. } => Some(Action::Lock),
        Command::ClearPasscode | Command::ResetPasscode { .. } => Some(Action::ResetPasscode),
        Command::SecurityInfo | Command::ReportPosture => Some(Action::Refresh),
        _ => None,
    }
}

/// Whether the command exists on every platform, in whatever form.
const fn is_for_both(command: &Command) -> bool {
    matches!(command, Command::DeviceLock { .. } | Command::EraseDevice(_))
}

const fn is_for_apple(command: &Command) -> bool {
    !matches!(command, Command::ApplyPolicy { .. } | Command::ReportPosture | Command::ResetPasscode { .. } | Command::RemoveWorkData)
}
