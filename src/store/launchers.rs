//! Enrollments by the launcher, and the numbers by which their devices are known.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    enrollments::Enrollment,
    schema::{enrollments, launcher_numbers, launchers},
};
use crate::domain::{id::EnrollmentId, time::Timestamp};

/// What is kept for an enrollment.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = launchers, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct Launcher {
    /// The enrollment.
    pub enrollment_id: EnrollmentId,
    /// SHA-256 of the cookie that allows the download.
    pub cookie_hash: Vec<u8>,
    /// Upper-case hexadecimal MD5 of the password of the launcher's own settings.
    pub panel_password: String,
    /// A device must have begun by then.
    pub expires_at: Timestamp,
    /// When the configuration was last fetched.
    pub configured_at: Option<Timestamp>,
    /// The version of the policy in it.
    pub configured_version: Option<String>,
    /// From when on lines of the log count for that version; none before the device has shown that it has it.
    pub version_since: Option<Timestamp>,
    /// When the device showed that the last configuration had reached it.
    pub confirmed_at: Option<Timestamp>,
    /// Since when it is locked.
    pub locked_at: Option<Timestamp>,
    /// What the locked screen says.
    pub lock_message: Option<String>,
}

/// One number.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = launcher_numbers, treat_none_as_default_value = false)]
pub struct Number {
    /// SHA-256 of the number.
    pub hash: Vec<u8>,
    /// The enrollment.
    pub enrollment_id: EnrollmentId,
    /// The number itself, sealed.
    pub sealed_number: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a device first used it.
    pub used_at: Option<Timestamp>,
    /// When the device used its successor.
    pub retired_at: Option<Timestamp>,
}

/// Everything that belongs to a number: one query, asked for each request of each device.
///
/// # Errors
/// Those of the database.
pub fn by_number(conn: &mut Conn, hash: &[u8]) -> Result<Option<(Number, Launcher, Enrollment)>, Error> {
    Ok(launcher_numbers::table
        .inner_join(launchers::table.inner_join(enrollments::table))
        .filter(launcher_numbers::hash.eq(hash.to_vec()))
        .select((Number::as_select(), Launcher::as_select(), Enrollment::as_select()))
        .first(conn)
        .optional()?)
}

/// The enrollment of a download's cookie.
///
/// # Errors
/// Those of the database.
pub fn by_cookie(conn: &mut Conn, hash: &[u8]) -> Result<Option<(Launcher, Enrollment)>, Error> {
    Ok(launchers::table
        .inner_join(enrollments::table)
        .filter(launchers::cookie_hash.eq(hash.to_vec()))
        .select((Launcher::as_select(), Enrollment::as_select()))
        .first(conn)
        .optional()?)
}

/// What is kept for an enrollment.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, enrollment: EnrollmentId) -> Result<Option<Launcher>, Error> {
    Ok(launchers::table.filter(launchers::enrollment_id.eq(enrollment)).select(Launcher::as_select()).first(conn).optional()?)
}

/// The number that an enrollment was given last.
///
/// # Errors
/// Those of the database.
pub fn newest_number(conn: &mut Conn, enrollment: EnrollmentId) -> Result<Option<Number>, Error> {
    Ok(launcher_numbers::table
        .filter(launcher_numbers::enrollment_id.eq(enrollment).and(launcher_numbers::retired_at.is_null()))
        .order((launcher_numbers::created_at.desc(), launcher_numbers::used_at.is_null().desc()))
        .select(Number::as_select())
        .first(conn)
        .optional()?)
}

/// How many numbers an enrollment was given.
///
/// # Errors
/// Those of the database.
pub fn count_numbers(conn: &mut Conn, enrollment: EnrollmentId) -> Result<i64, Error> {
    Ok(launcher_numbers::table.filter(launcher_numbers::enrollment_id.eq(enrollment)).count().get_result(conn)?)
}

/// Begins an enrollment.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, launcher: &Launcher) -> Result<(), Error> {
    diesel::insert_into(launchers::table).values(launcher).execute(&mut **tx)?;
    Ok(())
}

/// Changes what is kept for an enrollment.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, launcher: &Launcher) -> Result<(), Error> {
    diesel::update(launchers::table.filter(launchers::enrollment_id.eq(launcher.enrollment_id))).set(launcher).execute(&mut **tx)?;
    Ok(())
}

/// Gives an enrollment a number.
///
/// # Errors
/// Those of the database.
pub fn insert_number(tx: &mut Tx<'_>, number: &Number) -> Result<(), Error> {
    diesel::insert_into(launcher_numbers::table).values(number).execute(&mut **tx)?;
    Ok(())
}

/// Takes a number back that no device has used.
///
/// # Errors
/// Those of the database.
pub fn delete_number(tx: &mut Tx<'_>, number: &Number) -> Result<(), Error> {
    diesel::delete(launcher_numbers::table.filter(launcher_numbers::hash.eq(number.hash.clone()))).execute(&mut **tx)?;
    Ok(())
}

/// Notes that a device uses a number: every other number of its enrollment is worth nothing from then on.
///
/// # Errors
/// Those of the database.
pub fn use_number(tx: &mut Tx<'_>, number: &Number, now: Timestamp) -> Result<(), Error> {
    let others = launcher_numbers::enrollment_id.eq(number.enrollment_id).and(launcher_numbers::hash.ne(number.hash.clone()));
    diesel::update(launcher_numbers::table.filter(others.and(launcher_numbers::retired_at.is_null())))
        .set(launcher_numbers::retired_at.eq(now))
        .execute(&mut **tx)?;
    diesel::update(launcher_numbers::table.filter(launcher_numbers::hash.eq(number.hash.clone())))
        .set(launcher_numbers::used_at.eq(now))
        .execute(&mut **tx)?;
    Ok(())
}
