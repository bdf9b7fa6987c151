//! Visits: one browser's walk through the portal, known by a cookie of which only the hash is kept.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::visits};
use crate::domain::{
    backend::Backend,
    device::Ownership,
    id::{EnrollmentId, InvitationId, UserId, VisitId},
    time::Timestamp,
};

/// One visit.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = visits, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct Visit {
    /// Its identifier.
    pub id: VisitId,
    /// SHA-256 of the cookie.
    pub hash: Vec<u8>,
    /// The invitation that it came by.
    pub invitation_id: Option<InvitationId>,
    /// The address that was typed; proves nothing.
    pub email: Option<String>,
    /// Who it is, once a code has proved the mailbox.
    pub user_id: Option<UserId>,
    /// Whose device is being enrolled.
    pub ownership: Ownership,
    /// Which text the person agreed to.
    pub consent_version: Option<String>,
    /// When they agreed.
    pub consented_at: Option<Timestamp>,
    /// The enrollment that was prepared.
    pub enrollment_id: Option<EnrollmentId>,
    /// When the profile was downloaded.
    pub profile_taken_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How the device will be managed, once that was chosen.
    pub backend: Option<Backend>,
}

/// The visit of this hash, if it has not ended.
///
/// # Errors
/// Those of the database.
pub fn find_by_hash(conn: &mut Conn, hash: &[u8], now: Timestamp) -> Result<Option<Visit>, Error> {
    Ok(visits::table
        .filter(visits::hash.eq(hash.to_vec()).and(visits::expires_at.gt(now)))
        .select(Visit::as_select())
        .first(conn)
        .optional()?)
}

/// The visit of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: VisitId) -> Result<Option<Visit>, Error> {
    Ok(visits::table.filter(visits::id.eq(id)).select(Visit::as_select()).first(conn).optional()?)
}

/// The visit of this identifier, locked until the commit.
///
/// # Errors
/// Those of the database.
pub fn find_for_update(tx: &mut Tx<'_>, id: VisitId) -> Result<Option<Visit>, Error> {
    Ok(super::conn::first_locked!(tx, visits::table.filter(visits::id.eq(id)).select(Visit::as_select())))
}

/// Begins a visit.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, visit: &Visit) -> Result<(), Error> {
    diesel::insert_into(visits::table).values(visit).execute(&mut **tx)?;
    Ok(())
}

/// Changes a visit.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, visit: &Visit) -> Result<(), Error> {
    diesel::update(visits::table.filter(visits::id.eq(visit.id))).set(visit).execute(&mut **tx)?;
    Ok(())
}

/// Gives a visit another cookie: the one before is worth nothing from then on. Says whether there was such a visit.
///
/// # Errors
/// Those of the database.
pub fn replace_hash(tx: &mut Tx<'_>, id: VisitId, hash: &[u8]) -> Result<bool, Error> {
    let changed = diesel::update(visits::table.filter(visits::id.eq(id))).set(visits::hash.eq(hash.to_vec())).execute(&mut **tx)?;
    Ok(changed == 1)
}

/// Marks the profile as taken; says whether it was there to be taken, which is once.
///
/// # Errors
/// Those of the database.
pub fn take_profile(tx: &mut Tx<'_>, id: VisitId, enrollment: EnrollmentId, now: Timestamp) -> Result<bool, Error> {
    let changed = diesel::update(visits::table.filter(visits::id.eq(id).and(visits::profile_taken_at.is_null())))
        .set((visits::profile_taken_at.eq(now), visits::enrollment_id.eq(enrollment)))
        .execute(&mut **tx)?;
    Ok(changed == 1)
}

/// Removes visits that have ended, with their codes.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(visits::table.filter(visits::expires_at.lt(before))).execute(&mut **tx)?)
}
