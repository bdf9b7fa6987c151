//! Approves or cancels what waits for somebody's approval: wipes and retirements that a restore has held, and retirements that a
//! policy proposes; and cancels what was ordered and no device has been given yet.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, check_in::end_enrollment, queue, wipe::lock_device};
use crate::{
    domain::{
        audit::Actor,
        command::{CommandState, Purpose},
        device::EnrollmentState,
        id::{CommandId, DeviceId},
    },
    store::{
        Tx,
        audit::{self, Entry},
        commands::{self, QueuedCommand},
        devices::{self, Device},
        enrollments::{self, Stage},
        held, timeline,
    },
};

impl App {
    /// Lets a held command go to its device; of a selective wipe all steps at once. Gives the command.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] where it does not wait for approval, or its enrollment has ended;
    /// [`Error::TooMany`] past the limit of the administrator.
    pub async fn approve_command(self: &Arc<Self>, actor: Actor, device: DeviceId, command: CommandId) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let (mut device, waiting) = waiting(tx, device, command)?;
            app.within_limit(tx, &actor)?;
            let enrollment = enrollments::find_for_update(tx, waiting.enrollment_id)?;
            let Some(enrollment) = enrollment.filter(|found| device.enrollment_id == Some(found.id) && found.state != Stage::Ended) else {
                return Err(Error::Conflict(
                    "the enrollment that this was ordered for has ended, so nothing can reach the device: cancel it".into(),
                ));
            };
            let released = held::release(tx, enrollment.id, steps_of(waiting.purpose), &actor.name)?;
            if released == 0 {
                return Err(not_waiting(waiting.state));
            }
            // What a policy proposed left everything as it was until now.
            if waiting.purpose == Purpose::Retire && device.state == EnrollmentState::Enrolled {
                app.cut_off(tx, &mut device, &enrollment, EnrollmentState::Retired)?;
            }
            queue::wake(tx, &enrollment, 0)?;
            let text = format!("What was held was approved: {}.", words_for(waiting.purpose));
            timeline::record(tx, device.id, app.now(), "command_approved", text, &actor.name)?;
            app.note_decision(tx, &actor, "device.approve", &waiting)?;
            decided(tx, &waiting)
        })
        .await
    }

    /// Withdraws a command that waits for approval, or a wipe or retirement that its device has not been given yet; of a selective wipe
    /// all steps at once. Gives the command.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] where it does not wait for approval, and was given to the device or is none of those.
    pub async fn cancel_command(self: &Arc<Self>, actor: Actor, device: DeviceId, command: CommandId) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let device = lock_device(tx, device)?;
            let waiting = commands::find_of_device(tx, device.id, command)?.ok_or(Error::NotFound("command"))?;
            if waiting.state != CommandState::AwaitingApproval {
                return app.cancel_unsent(tx, &actor, device, &waiting);
            }
            let why = format!("cancelled by {}", actor.name);
            if held::withdraw(tx, waiting.enrollment_id, steps_of(waiting.purpose), &why, app.now())? == 0 {
                return Err(not_waiting(waiting.state));
            }
            let was_cut = device.state != EnrollmentState::Enrolled;
            let text = if was_cut {
                format!(
                "What was held was cancelled: {}. The device stays blocked, because its certificate was revoked when this was ordered: it comes in again when it is enrolled anew.",
                words_for(waiting.purpose)
            )
            } else {
                format!("What was proposed was declined: {}. The device stays enrolled.", words_for(waiting.purpose))
            };
            timeline::record(tx, device.id, app.now(), "command_cancelled", text, &actor.name)?;
            app.note_decision(tx, &actor, "device.cancel", &waiting)?;
            decided(tx, &waiting)
        })
        .await
    }

    /// Withdraws what the device has not been given yet. Its certificate was revoked with the order, so the device is let go: it comes in
    /// again when it is enrolled anew.
    fn cancel_unsent(&self, tx: &mut Tx<'_>, actor: &Actor, mut device: Device, order: &QueuedCommand) -> Result<QueuedCommand> {
        let steps = steps_of(order.purpose);
        if !order.purpose.is_destructive() {
            return Err(not_waiting(order.state));
        }
        for step in steps {
            if commands::was_sent(tx, order.enrollment_id, *step)? {
                return Err(Error::Conflict(
                    "it was given to the device already, which may be carrying it out: it cannot be withdrawn".into(),
                ));
            }
        }
        let (now, why) = (self.now(), format!("cancelled by {}", actor.name));
        if held::withdraw_unsent(tx, order.enrollment_id, steps, &why, now)? == 0 {
            return Err(not_waiting(order.state));
        }
        if let Some(mut enrollment) = enrollments::find_for_update(tx, order.enrollment_id)? {
            end_enrollment(
                tx,
                &mut enrollment,
                "an order was withdrawn after its certificate had been revoked",
                "privilege_withdrawn",
                now,
            )?;
        }
        device.state = EnrollmentState::Retired;
        devices::update(tx, &device)?;
        self.reconcile_device(tx, device.id, "administrator")?;
        let text = format!(
            "What was ordered was withdrawn before the device was given it: {}. Nothing on it was changed; it comes in again when it is enrolled anew.",
            words_for(order.purpose)
        );
        timeline::record(tx, device.id, now, "command_cancelled", text, &actor.name)?;
        self.note_decision(tx, actor, "device.cancel", order)?;
        decided(tx, order)
    }

    fn note_decision(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, command: &QueuedCommand) -> Result<()> {
        let detail = json!({ "command": command.id, "kind": command.kind, "purpose": command.purpose });
        let subject = command.device_id.to_string();
        Ok(audit::record(tx, &Entry { at: self.now(), actor, action, subject_kind: "device", subject, detail })?)
    }
}

fn waiting(tx: &mut Tx<'_>, device: DeviceId, command: CommandId) -> Result<(Device, QueuedCommand)> {
    let device = lock_device(tx, device)?;
    let command = commands::find_of_device(tx, device.id, command)?.ok_or(Error::NotFound("command"))?;
    if command.state == CommandState::AwaitingApproval { Ok((device, command)) } else { Err(not_waiting(command.state)) }
}

fn not_waiting(state: CommandState) -> Error {
    Error::Conflict(format!("the command does not wait for approval: it is {state}"))
}

/// What belongs together and is decided together.
const fn steps_of(purpose: Purpose) -> &'static [Purpose] {
    match purpose {
        Purpose::SelectiveWipe | Purpose::SelectiveWipeEnd => &[Purpose::SelectiveWipe, Purpose::SelectiveWipeEnd],
        Purpose::FullWipe => &[Purpose::FullWipe],
        Purpose::Retire => &[Purpose::Retire],
        Purpose::Administrator => &[Purpose::Administrator],
        Purpose::Facts => &[Purpose::Facts],
        Purpose::Policy => &[Purpose::Policy],
        Purpose::Renewal => &[Purpose::Renewal],
    }
}

const fn words_for(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SelectiveWipe | Purpose::SelectiveWipeEnd => "the selective wipe",
        Purpose::FullWipe => "the full wipe",
        Purpose::Retire => "letting the device go",
        _ => "the command",
    }
}

fn decided(tx: &mut Tx<'_>, command: &QueuedCommand) -> Result<QueuedCommand> {
    commands::find_of_device(tx, command.device_id, command.id)?.ok_or(Error::NotFound("command"))
}
