//! Managed mail accounts, and the hashes of their passwords.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::on_backend,
    devices::Device,
    enrollments::Stage,
    schema::{devices, enrollments, mail_accounts, mail_passwords},
};
use crate::domain::{
    id::{CommandId, EnrollmentId},
    time::Timestamp,
};

/// The managed mail account of an enrollment.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = mail_accounts, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct MailAccount {
    /// Whose it is.
    pub enrollment_id: EnrollmentId,
    /// `PayloadUUID` of the profile that was last queued; none after it failed.
    pub version: Option<String>,
    /// How often a new password was ordered.
    pub rotation: i32,
    /// When it was first queued.
    pub created_at: Timestamp,
    /// When somebody last signed in with its password.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_address: Option<String>,
}

impl MailAccount {
    /// An account that was not queued yet.
    #[must_use]
    pub const fn new(enrollment_id: EnrollmentId, now: Timestamp) -> Self {
        Self { enrollment_id, version: None, rotation: 0, created_at: now, last_used_at: None, last_address: None }
    }
}

/// What is kept of a password.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = mail_passwords, treat_none_as_default_value = false)]
pub struct MailPassword {
    /// The hash by which Dovecot names it.
    pub hash: Vec<u8>,
    /// Whose it is.
    pub enrollment_id: EnrollmentId,
    /// The command with which it was handed out.
    pub command_id: CommandId,
    /// The user name that goes with it.
    pub login: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What one query finds out about a password.
#[derive(Debug, Clone)]
pub struct Known {
    /// Whose it is.
    pub enrollment_id: EnrollmentId,
    /// Where the enrollment stands.
    pub stage: Stage,
    /// The device.
    pub device: Device,
}

/// Finds the device that a password was made for: one query, asked for each login.
///
/// # Errors
/// Those of the database.
pub fn recognize(conn: &mut Conn, hash: &[u8]) -> Result<Option<Known>, Error> {
    let row: Option<(EnrollmentId, Stage, Device)> = mail_passwords::table
        .inner_join(enrollments::table)
        .inner_join(devices::table.on(enrollments::device_id.eq(devices::id.nullable())))
        .filter(mail_passwords::hash.eq(hash.to_vec()))
        .select((enrollments::id, enrollments::state, Device::as_select()))
        .first(conn)
        .optional()?;
    Ok(row.map(|(enrollment_id, stage, device)| Known { enrollment_id, stage, device }))
}

/// The mail account of an enrollment.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, enrollment: EnrollmentId) -> Result<Option<MailAccount>, Error> {
    Ok(mail_accounts::table.filter(mail_accounts::enrollment_id.eq(enrollment)).select(MailAccount::as_select()).first(conn).optional()?)
}

/// Keeps a mail account as it is now.
///
/// # Errors
/// Those of the database.
pub fn upsert(tx: &mut Tx<'_>, account: &MailAccount) -> Result<(), Error> {
    on_backend!(&mut **tx, |c| diesel::insert_into(mail_accounts::table)
        .values(account)
        .on_conflict(mail_accounts::enrollment_id)
        .do_update()
        .set(account)
        .execute(c))?;
    Ok(())
}

/// Forgets a mail account.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, enrollment: EnrollmentId) -> Result<(), Error> {
    diesel::delete(mail_accounts::table.filter(mail_accounts::enrollment_id.eq(enrollment))).execute(&mut **tx)?;
    Ok(())
}

/// Notes that the profile could not be installed, so that it is queued again.
///
/// # Errors
/// Those of the database.
pub fn forget_version(tx: &mut Tx<'_>, enrollment: EnrollmentId) -> Result<(), Error> {
    diesel::update(mail_accounts::table.filter(mail_accounts::enrollment_id.eq(enrollment)))
        .set(mail_accounts::version.eq(None::<String>))
        .execute(&mut **tx)?;
    Ok(())
}

/// Notes that somebody signed in with a password.
///
/// # Errors
/// Those of the database.
pub fn note_use(tx: &mut Tx<'_>, enrollment: EnrollmentId, now: Timestamp, address: &str) -> Result<(), Error> {
    diesel::update(mail_accounts::table.filter(mail_accounts::enrollment_id.eq(enrollment)))
        .set((mail_accounts::last_used_at.eq(now), mail_accounts::last_address.eq(address)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Keeps the hash of a password.
///
/// # Errors
/// Those of the database.
pub fn insert_password(tx: &mut Tx<'_>, password: &MailPassword) -> Result<(), Error> {
    diesel::insert_into(mail_passwords::table).values(password).execute(&mut **tx)?;
    Ok(())
}

/// The passwords of an enrollment that hold, newest first. Usually one; while a new one is on its way, the one before as well.
///
/// # Errors
/// Those of the database.
pub fn passwords(conn: &mut Conn, enrollment: EnrollmentId) -> Result<Vec<MailPassword>, Error> {
    Ok(mail_passwords::table
        .filter(mail_passwords::enrollment_id.eq(enrollment))
        .order(mail_passwords::created_at.desc())
        .select(MailPassword::as_select())
        .load(conn)?)
}

/// Forgets the passwords of an enrollment: all of them, or those that were not handed out with this command. Gives how many.
///
/// # Errors
/// Those of the database.
pub fn forget_passwords(tx: &mut Tx<'_>, enrollment: EnrollmentId, except: Option<CommandId>) -> Result<usize, Error> {
    let all = mail_passwords::table.filter(mail_passwords::enrollment_id.eq(enrollment));
    Ok(match except {
        Some(command) => diesel::delete(all.filter(mail_passwords::command_id.ne(command))).execute(&mut **tx)?,
        None => diesel::delete(all).execute(&mut **tx)?,
    })
}

/// Forgets the passwords that were handed out with one command: the device did not take them.
///
/// # Errors
/// Those of the database.
pub fn forget_untaken(tx: &mut Tx<'_>, enrollment: EnrollmentId, command: CommandId) -> Result<(), Error> {
    let untaken = mail_passwords::enrollment_id.eq(enrollment).and(mail_passwords::command_id.eq(command));
    diesel::delete(mail_passwords::table.filter(untaken)).execute(&mut **tx)?;
    Ok(())
}

/// Forgets every password of everybody; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn forget_all_passwords(tx: &mut Tx<'_>) -> Result<usize, Error> {
    Ok(diesel::delete(mail_passwords::table).execute(&mut **tx)?)
}

/// How many devices have a mail account.
///
/// # Errors
/// Those of the database.
pub fn count(conn: &mut Conn) -> Result<i64, Error> {
    Ok(mail_accounts::table.count().get_result(conn)?)
}
