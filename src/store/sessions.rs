//! Who is signed in to the console, and which sign-ins have failed of late.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    schema::{sessions, sign_in_failures, users},
};
use crate::domain::{
    id::{FailureId, SessionId, UserId},
    time::Timestamp,
};

use super::users::User;

/// One session.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// SHA-256 of the cookie.
    pub hash: Vec<u8>,
    /// Whose it is.
    pub user_id: UserId,
    /// What the browser calls itself.
    pub browser: String,
    /// From which network address it began.
    pub address: String,
    /// What counts as one place to come from.
    pub network: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// The session of this hash with its user, if it was used since `idle_since` and has not ended.
///
/// # Errors
/// Those of the database.
pub fn find_valid(conn: &mut Conn, hash: &[u8], idle_since: Timestamp, now: Timestamp) -> Result<Option<(Session, User)>, Error> {
    Ok(sessions::table
        .inner_join(users::table)
        .filter(sessions::hash.eq(hash.to_vec()).and(sessions::expires_at.gt(now)).and(sessions::last_seen_at.gt(idle_since)))
        .select((Session::as_select(), User::as_select()))
        .first(conn)
        .optional()?)
}

/// Every session that was used since then, newest first, with its user; of one user or of all.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, user: Option<UserId>, idle_since: Timestamp, now: Timestamp) -> Result<Vec<(Session, User)>, Error> {
    let mut query = sessions::table
        .inner_join(users::table)
        .filter(sessions::expires_at.gt(now).and(sessions::last_seen_at.gt(idle_since)))
        .select((Session::as_select(), User::as_select()))
        .into_boxed();
    if let Some(user) = user {
        query = query.filter(sessions::user_id.eq(user));
    }
    Ok(query.order(sessions::id.desc()).limit(200).load(conn)?)
}

/// Begins a session.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, session: &Session) -> Result<(), Error> {
    diesel::insert_into(sessions::table).values(session).execute(&mut **tx)?;
    Ok(())
}

/// Notes that a session is in use.
///
/// # Errors
/// Those of the database.
pub fn touch(tx: &mut Tx<'_>, id: SessionId, now: Timestamp) -> Result<(), Error> {
    diesel::update(sessions::table.filter(sessions::id.eq(id))).set(sessions::last_seen_at.eq(now)).execute(&mut **tx)?;
    Ok(())
}

/// Ends a session; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: SessionId) -> Result<bool, Error> {
    Ok(diesel::delete(sessions::table.filter(sessions::id.eq(id))).execute(&mut **tx)? == 1)
}

/// Ends every session of a user but one; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn end_of_user(tx: &mut Tx<'_>, user: UserId, but: Option<SessionId>) -> Result<usize, Error> {
    let of_user = sessions::table.filter(sessions::user_id.eq(user));
    Ok(match but {
        Some(kept) => diesel::delete(of_user.filter(sessions::id.ne(kept))).execute(&mut **tx)?,
        None => diesel::delete(of_user).execute(&mut **tx)?,
    })
}

/// The user whose session this is.
///
/// # Errors
/// Those of the database.
pub fn owner(conn: &mut Conn, id: SessionId) -> Result<Option<UserId>, Error> {
    Ok(sessions::table.filter(sessions::id.eq(id)).select(sessions::user_id).first(conn).optional()?)
}

/// A sign-in that failed.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sign_in_failures)]
pub struct Failure {
    /// Its identifier.
    pub id: FailureId,
    /// The address that was typed.
    pub email: String,
    /// From which network.
    pub address: String,
    /// When.
    pub at: Timestamp,
}

/// The failures for this mail address since then: from which network address, and when. At most a thousand, newest first.
///
/// # Errors
/// Those of the database.
pub fn failures_since(conn: &mut Conn, email: &str, since: Timestamp) -> Result<Vec<(String, Timestamp)>, Error> {
    Ok(sign_in_failures::table
        .filter(sign_in_failures::email.eq(email).and(sign_in_failures::at.ge(since)))
        .order(sign_in_failures::at.desc())
        .limit(1000)
        .select((sign_in_failures::address, sign_in_failures::at))
        .load(conn)?)
}

/// Keeps a failure.
///
/// # Errors
/// Those of the database.
pub fn note_failure(tx: &mut Tx<'_>, failure: &Failure) -> Result<(), Error> {
    diesel::insert_into(sign_in_failures::table).values(failure).execute(&mut **tx)?;
    Ok(())
}

/// Forgets the failures for a mail address from a network address, because the password was right at last.
///
/// # Errors
/// Those of the database.
pub fn forgive(tx: &mut Tx<'_>, email: &str, address: &str) -> Result<(), Error> {
    diesel::delete(sign_in_failures::table.filter(sign_in_failures::email.eq(email).and(sign_in_failures::address.eq(address))))
        .execute(&mut **tx)?;
    Ok(())
}

/// Whether a user has signed in from this network, as far as sessions are kept.
///
/// # Errors
/// Those of the database.
pub fn was_at(conn: &mut Conn, user: UserId, network: &str) -> Result<bool, Error> {
    let there = sessions::table.filter(sessions::user_id.eq(user).and(sessions::network.eq(network)));
    Ok(diesel::select(diesel::dsl::exists(there)).get_result(conn)?)
}

/// Removes sessions that ended before then, and failures that were long ago.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, ended_before: Timestamp, failures_before: Timestamp) -> Result<(), Error> {
    diesel::delete(sessions::table.filter(sessions::expires_at.le(ended_before))).execute(&mut **tx)?;
    diesel::delete(sign_in_failures::table.filter(sign_in_failures::at.lt(failures_before))).execute(&mut **tx)?;
    Ok(())
}
