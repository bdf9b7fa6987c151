//! Commands that wait for somebody's approval, and what a restored database must not do again.

use diesel::prelude::*;

use super::{
    Error, Tx,
    commands::ENDINGS,
    imports::{ImportState, Outcome},
    kept::IsUnfinished,
    schema::{commands, import_lines, imports, jobs, mails, webhook_deliveries},
};
use crate::domain::{
    command::{CommandState, Purpose},
    id::{DeviceId, EnrollmentId},
    time::Timestamp,
    webhook::DeliveryState,
};

/// Holds every wipe and retirement that a device may still be given; gives the devices, each once.
///
/// # Errors
/// Those of the database.
pub fn hold_endings(tx: &mut Tx<'_>, why: &str) -> Result<Vec<DeviceId>, Error> {
    let unfinished = || commands::table.filter(IsUnfinished.and(commands::purpose.eq_any(ENDINGS)));
    let devices = unfinished().select(commands::device_id).distinct().order(commands::device_id.asc()).load(&mut **tx)?;
    diesel::update(unfinished()).set((commands::state.eq(CommandState::AwaitingApproval), commands::error.eq(why))).execute(&mut **tx)?;
    Ok(devices)
}

/// Gives up what other systems were to be told; gives how many events there were.
///
/// # Errors
/// Those of the database.
pub fn withdraw_deliveries(tx: &mut Tx<'_>, why: &str) -> Result<usize, Error> {
    Ok(diesel::update(webhook_deliveries::table.filter(webhook_deliveries::state.eq(DeliveryState::Queued)))
        .set((webhook_deliveries::state.eq(DeliveryState::Failed), webhook_deliveries::last_error.eq(why)))
        .execute(&mut **tx)?)
}

/// Ends the imports that were under way; what they had not come to is not done.
///
/// # Errors
/// Those of the database.
pub fn stop_imports(tx: &mut Tx<'_>, why: &str, now: Timestamp) -> Result<(), Error> {
    diesel::update(import_lines::table.filter(import_lines::outcome.eq(Outcome::Waiting)))
        .set((import_lines::outcome.eq(Outcome::Failed), import_lines::why.eq(why)))
        .execute(&mut **tx)?;
    diesel::update(imports::table.filter(imports::state.eq(ImportState::Running)))
        .set((imports::state.eq(ImportState::Finished), imports::finished_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Withdraws what administrators had ordered apart from wipes; gives how many commands there were.
///
/// # Errors
/// Those of the database.
pub fn withdraw_orders(tx: &mut Tx<'_>, why: &str, now: Timestamp) -> Result<usize, Error> {
    Ok(diesel::update(commands::table.filter(IsUnfinished.and(commands::purpose.eq(Purpose::Administrator))))
        .set((commands::state.eq(CommandState::Cancelled), commands::finished_at.eq(now), commands::error.eq(why)))
        .execute(&mut **tx)?)
}

/// Withdraws every mail that waits; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn withdraw_mails(tx: &mut Tx<'_>, why: &str) -> Result<usize, Error> {
    Ok(diesel::update(mails::table.filter(mails::state.eq(super::mails::MailState::Queued)))
        .set((mails::state.eq(super::mails::MailState::Expired), mails::last_error.eq(why), mails::sealed_message.eq(None::<Vec<u8>>)))
        .execute(&mut **tx)?)
}

/// Forgets every job but those of these kinds, which do no harm when they are done again, and lets go of the leases of those.
///
/// # Errors
/// Those of the database.
pub fn forget_jobs(tx: &mut Tx<'_>, except: &[&str]) -> Result<usize, Error> {
    let except: Vec<String> = except.iter().map(|kind| (*kind).to_owned()).collect();
    let forgotten = diesel::delete(jobs::table.filter(jobs::kind.ne_all(except))).execute(&mut **tx)?;
    diesel::update(jobs::table).set(jobs::lease_until.eq(None::<Timestamp>)).execute(&mut **tx)?;
    Ok(forgotten)
}

/// Lets held commands of an enrollment go to the device, as ordered by somebody; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn release(tx: &mut Tx<'_>, enrollment: EnrollmentId, purposes: &[Purpose], by: &str) -> Result<usize, Error> {
    Ok(diesel::update(commands::table.filter(commands::enrollment_id.eq(enrollment)).filter(is_held(purposes)))
        .set((commands::state.eq(CommandState::Queued), commands::error.eq(None::<String>), commands::ordered_by.eq(by)))
        .execute(&mut **tx)?)
}

/// Withdraws held commands of an enrollment; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn withdraw(tx: &mut Tx<'_>, enrollment: EnrollmentId, purposes: &[Purpose], why: &str, now: Timestamp) -> Result<usize, Error> {
    Ok(diesel::update(commands::table.filter(commands::enrollment_id.eq(enrollment)).filter(is_held(purposes)))
        .set((commands::state.eq(CommandState::Cancelled), commands::finished_at.eq(now), commands::error.eq(why)))
        .execute(&mut **tx)?)
}

/// Withdraws commands of an enrollment that were not handed to its device; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn withdraw_unsent(tx: &mut Tx<'_>, enrollment: EnrollmentId, purposes: &[Purpose], why: &str, now: Timestamp) -> Result<usize, Error> {
    let unsent = commands::enrollment_id.eq(enrollment).and(commands::times_sent.eq(0)).and(commands::purpose.eq_any(purposes.to_vec()));
    Ok(diesel::update(commands::table.filter(unsent.and(IsUnfinished)))
        .set((commands::state.eq(CommandState::Cancelled), commands::finished_at.eq(now), commands::error.eq(why)))
        .execute(&mut **tx)?)
}

#[diesel::dsl::auto_type]
fn is_held(purposes: &[Purpose]) -> _ {
    let (state, purposes): (CommandState, Vec<Purpose>) = (CommandState::AwaitingApproval, purposes.to_vec());
    commands::state.eq(state).and(commands::purpose.eq_any(purposes))
}
