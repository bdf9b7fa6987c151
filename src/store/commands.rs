//! The command queue. A command belongs to one enrollment, and a finished one never changes again.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx, document,
    kept::{IsDeliverable, IsUnfinished, run_kept},
    page::{Page, PageRequest},
    parse,
    schema::{commands, enrollments},
};
use crate::domain::{
    command::{Command, CommandState, Purpose},
    id::{CommandId, DeviceId, EnrollmentId},
    time::Timestamp,
};

/// The purposes that end an enrollment: all that a device still gets once its wipe or retirement was ordered.
pub(super) const ENDINGS: [Purpose; 4] = [Purpose::SelectiveWipe, Purpose::SelectiveWipeEnd, Purpose::FullWipe, Purpose::Retire];

/// One command in the queue.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = commands, treat_none_as_default_value = false)]
pub struct QueuedCommand {
    /// Its identifier, which is also Apple's `CommandUUID`.
    pub id: CommandId,
    /// For which enrollment.
    pub enrollment_id: EnrollmentId,
    /// For which device.
    pub device_id: DeviceId,
    /// The word for it.
    pub kind: String,
    body: String,
    /// Why it was sent.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: CommandState,
    /// What the administrator gave as reason.
    pub reason: Option<String>,
    /// How often it was handed to the device.
    pub times_sent: i32,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it was last handed to the device.
    pub sent_at: Option<Timestamp>,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// What went wrong.
    pub error: Option<String>,
    /// What the device answered, as JSON text.
    pub answer: Option<String>,
    /// Who ordered it; none where nobody did but the server itself, or the owner of the device.
    pub ordered_by: Option<String>,
}

impl QueuedCommand {
    /// A command that waits for its device.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn new(enrollment: EnrollmentId, device: DeviceId, command: &Command, purpose: Purpose, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            id: CommandId::new(),
            enrollment_id: enrollment,
            device_id: device,
            kind: command.kind().to_owned(),
            body: document(command)?,
            purpose,
            state: CommandState::Queued,
            reason: None,
            times_sent: 0,
            created_at: now,
            sent_at: None,
            finished_at: None,
            error: None,
            answer: None,
            ordered_by: None,
        })
    }

    /// The command itself.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn command(&self) -> Result<Command, Error> {
        parse("a command", &self.body)
    }
}

/// Puts a command at the end of the queue.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, command: &QueuedCommand) -> Result<(), Error> {
    diesel::insert_into(commands::table).values(command).execute(&mut **tx)?;
    Ok(())
}

/// The device of an enrollment. Commands are found by it where `commands_next`, which has the deliverable ones only, does not
/// help.
#[diesel::dsl::auto_type]
fn device_of(enrollment: EnrollmentId) -> _ {
    enrollments::table
        .filter(enrollments::id.eq(enrollment))
        .filter(enrollments::device_id.is_not_null())
        .select(enrollments::device_id.assume_not_null())
}

/// Which commands may be handed out.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Also those that the device put off: it has come anew, not with an answer.
    pub includes_put_off: bool,
    /// Nothing but the wipe or retirement that was ordered.
    pub is_ending_only: bool,
}

/// The next command for an enrollment, oldest first.
///
/// # Errors
/// Those of the database.
pub fn next(conn: &mut Conn, enrollment: EnrollmentId, offer: Offer) -> Result<Option<QueuedCommand>, Error> {
    let waiting = commands::table
        .filter(commands::enrollment_id.eq(enrollment))
        .filter(IsDeliverable)
        .order(commands::id.asc())
        .select(QueuedCommand::as_select());
    let not_put_off = commands::state.ne(CommandState::NotNow);
    // Each is a type of its own, so the common ones are found prepared without their text being written.
    let next = match (offer.includes_put_off, offer.is_ending_only) {
        (true, false) => waiting.first(conn),
        (false, false) => waiting.filter(not_put_off).first(conn),
        (true, true) => waiting.filter(commands::purpose.eq_any(ENDINGS)).first(conn),
        (false, true) => waiting.filter(not_put_off).filter(commands::purpose.eq_any(ENDINGS)).first(conn),
    };
    Ok(next.optional()?)
}

/// The next command for an agent, oldest first. What the device put off comes again where it was handed out before
/// `put_off_before`.
///
/// # Errors
/// Those of the database.
pub fn next_for_agent(
    conn: &mut Conn,
    enrollment: EnrollmentId,
    is_ending_only: bool,
    put_off_before: Timestamp,
) -> Result<Option<QueuedCommand>, Error> {
    let is_due = commands::state.ne(CommandState::NotNow).or(commands::sent_at.le(put_off_before));
    let waiting = commands::table
        .filter(commands::enrollment_id.eq(enrollment))
        .filter(IsDeliverable)
        .filter(is_due)
        .order(commands::id.asc())
        .select(QueuedCommand::as_select());
    let next = if is_ending_only { waiting.filter(commands::purpose.eq_any(ENDINGS)).first(conn) } else { waiting.first(conn) };
    Ok(next.optional()?)
}

/// Everything that may be handed to the device of an enrollment, oldest first.
///
/// # Errors
/// Those of the database.
pub fn waiting(conn: &mut Conn, enrollment: EnrollmentId, is_ending_only: bool, limit: i64) -> Result<Vec<QueuedCommand>, Error> {
    let waiting = commands::table
        .filter(commands::enrollment_id.eq(enrollment))
        .filter(IsDeliverable)
        .order(commands::id.asc())
        .limit(limit)
        .select(QueuedCommand::as_select());
    Ok(if is_ending_only { waiting.filter(commands::purpose.eq_any(ENDINGS)).load(conn)? } else { waiting.load(conn)? })
}

/// For how many devices a wipe or retirement is under way.
///
/// # Errors
/// Those of the database.
pub fn count_endings(conn: &mut Conn) -> Result<i64, Error> {
    let endings = commands::table.filter(IsUnfinished).filter(commands::purpose.eq_any(ENDINGS));
    Ok(endings.select(diesel::dsl::count(commands::device_id).aggregate_distinct()).first(conn)?)
}

/// For how many devices one is under way that somebody of this name ordered.
///
/// # Errors
/// Those of the database.
pub fn count_endings_ordered_by(conn: &mut Conn, name: &str) -> Result<i64, Error> {
    let endings = commands::table.filter(IsUnfinished).filter(commands::purpose.eq_any(ENDINGS)).filter(commands::ordered_by.eq(name));
    Ok(endings.select(diesel::dsl::count(commands::device_id).aggregate_distinct()).first(conn)?)
}

/// The enrollments for which one is.
///
/// # Errors
/// Those of the database.
pub fn with_endings(conn: &mut Conn) -> Result<Vec<EnrollmentId>, Error> {
    let endings = commands::table.filter(IsUnfinished).filter(commands::purpose.eq_any(ENDINGS));
    Ok(endings.select(commands::enrollment_id).distinct().load(conn)?)
}

/// Whether a device has acknowledged a command of this purpose.
///
/// # Errors
/// Those of the database.
pub fn was_acknowledged(conn: &mut Conn, enrollment: EnrollmentId, purpose: Purpose) -> Result<bool, Error> {
    let done = commands::table.filter(
        commands::enrollment_id
            .eq(enrollment)
            .and(commands::purpose.eq(purpose))
            .and(commands::state.eq(CommandState::Acknowledged))
            .and(commands::device_id.eq_any(device_of(enrollment))),
    );
    Ok(diesel::select(diesel::dsl::exists(done)).get_result(conn)?)
}

/// Enrollments for which something was put into the queue since a command of this identifier could have been made: for servers
/// that hear of each other's orders in no other way.
///
/// # Errors
/// Those of the database.
pub fn called_since(conn: &mut Conn, since: CommandId) -> Result<Vec<EnrollmentId>, Error> {
    Ok(commands::table.filter(commands::id.ge(since)).filter(IsDeliverable).select(commands::enrollment_id).distinct().load(conn)?)
}

/// Whether anything waits for the device.
///
/// # Errors
/// Those of the database.
pub fn has_waiting(conn: &mut Conn, enrollment: EnrollmentId) -> Result<bool, Error> {
    let waiting = commands::table.filter(commands::enrollment_id.eq(enrollment).and(IsDeliverable));
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(conn)?)
}

/// Whether a wipe or retirement waits for the device.
///
/// # Errors
/// Those of the database.
pub fn has_ending_waiting(conn: &mut Conn, enrollment: EnrollmentId) -> Result<bool, Error> {
    let waiting = commands::table.filter(commands::enrollment_id.eq(enrollment).and(commands::purpose.eq_any(ENDINGS)).and(IsUnfinished));
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(conn)?)
}

/// Whether a command of this purpose and kind was finished since then.
///
/// # Errors
/// Those of the database.
pub fn was_finished_since(
    conn: &mut Conn,
    enrollment: EnrollmentId,
    purpose: Purpose,
    kind: &str,
    since: Timestamp,
) -> Result<bool, Error> {
    let finished = commands::table.filter(
        commands::enrollment_id
            .eq(enrollment)
            .and(commands::purpose.eq(purpose))
            .and(commands::kind.eq(kind))
            .and(commands::finished_at.ge(since)),
    );
    Ok(diesel::select(diesel::dsl::exists(finished)).get_result(conn)?)
}

/// Whether a command of this purpose was handed to the device, answered or not.
///
/// # Errors
/// Those of the database.
pub fn was_sent(conn: &mut Conn, enrollment: EnrollmentId, purpose: Purpose) -> Result<bool, Error> {
    let sent = commands::table.filter(
        commands::enrollment_id
            .eq(enrollment)
            .and(commands::purpose.eq(purpose))
            .and(commands::times_sent.gt(0))
            .and(commands::device_id.eq_any(device_of(enrollment))),
    );
    Ok(diesel::select(diesel::dsl::exists(sent)).get_result(conn)?)
}

/// Whether a command of this purpose and kind waits already.
///
/// # Errors
/// Those of the database.
pub fn is_waiting(conn: &mut Conn, enrollment: EnrollmentId, purpose: Purpose, kind: &str) -> Result<bool, Error> {
    let waiting = commands::table
        .filter(commands::enrollment_id.eq(enrollment).and(commands::purpose.eq(purpose)).and(commands::kind.eq(kind)).and(IsUnfinished));
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(conn)?)
}

/// Marks a command as handed to the device; says whether it still could be.
///
/// # Errors
/// Those of the database.
pub fn mark_sent(tx: &mut Tx<'_>, id: CommandId, now: Timestamp) -> Result<bool, Error> {
    let changed = run_kept!(
        tx,
        diesel::update(commands::table.filter(commands::id.eq(id).and(IsDeliverable))).set((
            commands::state.eq(CommandState::Sent),
            commands::sent_at.eq(now),
            commands::times_sent.eq(commands::times_sent + 1)
        ))
    )?;
    Ok(changed == 1)
}

/// The command of this identifier, if it belongs to this enrollment.
///
/// # Errors
/// Those of the database.
pub fn find_of_enrollment(conn: &mut Conn, enrollment: EnrollmentId, id: CommandId) -> Result<Option<QueuedCommand>, Error> {
    Ok(commands::table
        .filter(commands::id.eq(id).and(commands::enrollment_id.eq(enrollment)))
        .select(QueuedCommand::as_select())
        .first(conn)
        .optional()?)
}

/// The command of this identifier, if it belongs to this device.
///
/// # Errors
/// Those of the database.
pub fn find_of_device(conn: &mut Conn, device: DeviceId, id: CommandId) -> Result<Option<QueuedCommand>, Error> {
    Ok(commands::table
        .filter(commands::id.eq(id).and(commands::device_id.eq(device)))
        .select(QueuedCommand::as_select())
        .first(conn)
        .optional()?)
}

/// What became of a command.
pub struct Conclusion {
    /// Where it stands now.
    pub state: CommandState,
    /// What went wrong.
    pub error: Option<String>,
    /// What the device answered, as JSON text.
    pub answer: Option<String>,
}

/// Notes a device's answer, unless the command is finished already; says whether it was noted.
///
/// # Errors
/// Those of the database.
pub fn conclude(tx: &mut Tx<'_>, id: CommandId, conclusion: &Conclusion, now: Timestamp) -> Result<bool, Error> {
    let finished_at = conclusion.state.is_terminal().then_some(now);
    let changed = run_kept!(
        tx,
        diesel::update(commands::table.filter(commands::id.eq(id).and(IsUnfinished))).set((
            commands::state.eq(conclusion.state),
            commands::finished_at.eq(finished_at),
            commands::error.eq(conclusion.error.as_deref()),
            commands::answer.eq(conclusion.answer.as_deref()),
        ))
    )?;
    Ok(changed == 1)
}

/// Withdraws everything that waits for an enrollment; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn cancel_all(tx: &mut Tx<'_>, enrollment: EnrollmentId, why: &str, now: Timestamp) -> Result<usize, Error> {
    Ok(run_kept!(
        tx,
        diesel::update(
            commands::table.filter(
                commands::enrollment_id
                    .eq(enrollment)
                    .and(IsUnfinished.or(commands::state.eq(CommandState::AwaitingApproval)))
                    .and(commands::device_id.eq_any(device_of(enrollment))),
            ),
        )
        .set((commands::state.eq(CommandState::Cancelled), commands::finished_at.eq(now), commands::error.eq(why)))
    )?)
}

/// Withdraws waiting commands of one purpose and kind: a newer one takes their place.
///
/// # Errors
/// Those of the database.
pub fn cancel_kind(
    tx: &mut Tx<'_>,
    enrollment: EnrollmentId,
    purpose: Purpose,
    kind: &str,
    why: &str,
    now: Timestamp,
) -> Result<usize, Error> {
    Ok(run_kept!(
        tx,
        diesel::update(commands::table.filter(
            commands::enrollment_id.eq(enrollment).and(commands::purpose.eq(purpose)).and(commands::kind.eq(kind)).and(IsUnfinished),
        ),)
        .set((commands::state.eq(CommandState::Cancelled), commands::finished_at.eq(now), commands::error.eq(why)))
    )?)
}

/// The commands of a device, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, device: DeviceId, page: PageRequest<CommandId>) -> Result<Page<QueuedCommand>, Error> {
    let total = commands::table.filter(commands::device_id.eq(device)).count().get_result(conn)?;
    let mut query = commands::table.filter(commands::device_id.eq(device)).select(QueuedCommand::as_select()).into_boxed();
    if let Some(before) = page.after {
        query = query.filter(commands::id.lt(before));
    }
    let items = query.order(commands::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |command: &QueuedCommand| command.id))
}
