//! Enrolled browsers: each is the other end of an enrollment, known by a cookie of which only the hash is kept.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    enrollments::Stage,
    schema::{browsers, devices, enrollments, users},
    users::User,
};
use crate::domain::{
    backend::Backend,
    device::EnrollmentState,
    id::{DeviceId, EnrollmentId, UserId},
    time::Timestamp,
};

/// One browser.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = browsers)]
pub struct Browser {
    /// Its enrollment.
    pub enrollment_id: EnrollmentId,
    /// SHA-256 of the cookie.
    pub hash: Vec<u8>,
    /// What it called itself when it enrolled.
    pub user_agent: String,
    /// When it was used last, to the hour.
    pub used_at: Timestamp,
    /// When its enrollment ends without another use.
    pub expires_at: Timestamp,
}

/// What one query finds out about a cookie.
#[derive(Debug, Clone, Queryable)]
pub struct Known {
    /// The browser.
    pub browser: Browser,
    /// Whose it is.
    pub user: User,
    /// The device that it is in lists and reports.
    pub device_id: DeviceId,
    /// What the device is called.
    pub device_name: Option<String>,
    /// Where the device stands.
    pub state: EnrollmentState,
    /// Where the enrollment stands.
    pub stage: Stage,
}

/// What belongs to a cookie, however it stands: one query, asked for each request that brings one.
///
/// # Errors
/// Those of the database.
pub fn find_by_hash(conn: &mut Conn, hash: &[u8]) -> Result<Option<Known>, Error> {
    Ok(browsers::table
        .inner_join(enrollments::table)
        .inner_join(devices::table.on(enrollments::device_id.eq(devices::id.nullable())))
        .inner_join(users::table.on(users::id.eq(enrollments::user_id)))
        .filter(browsers::hash.eq(hash.to_vec()))
        .select((Browser::as_select(), User::as_select(), devices::id, devices::device_name, devices::state, enrollments::state))
        .first(conn)
        .optional()?)
}

/// Keeps a browser.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, browser: &Browser) -> Result<(), Error> {
    diesel::insert_into(browsers::table).values(browser).execute(&mut **tx)?;
    Ok(())
}

/// Notes a use, which moves the end on.
///
/// # Errors
/// Those of the database.
pub fn renew(tx: &mut Tx<'_>, enrollment: EnrollmentId, used_at: Timestamp, expires_at: Timestamp) -> Result<(), Error> {
    diesel::update(browsers::table.filter(browsers::enrollment_id.eq(enrollment)))
        .set((browsers::used_at.eq(used_at), browsers::expires_at.eq(expires_at)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Enrolled browsers that were not used in time.
///
/// # Errors
/// Those of the database.
pub fn idle(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<EnrollmentId>, Error> {
    Ok(browsers::table
        .inner_join(enrollments::table)
        .filter(browsers::expires_at.le(now).and(enrollments::state.eq(Stage::Enrolled)))
        .order(browsers::expires_at.asc())
        .limit(limit)
        .select(browsers::enrollment_id)
        .load(conn)?)
}

/// How often browsers of a user were enrolled since then.
///
/// # Errors
/// Those of the database.
pub fn enrolled_since(conn: &mut Conn, user: UserId, since: Timestamp) -> Result<i64, Error> {
    Ok(enrollments::table
        .filter(enrollments::user_id.eq(user).and(enrollments::backend.eq(Backend::Browser)).and(enrollments::created_at.ge(since)))
        .count()
        .get_result(conn)?)
}
