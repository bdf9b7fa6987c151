//! Codes sent to mailboxes; only a keyed hash of each is kept.

use diesel::prelude::*;

use super::{Conn, Error, Tx, conn::first_locked, schema::codes};
use crate::domain::{
    id::{CodeId, VisitId},
    time::Timestamp,
};

/// One code. Codes for addresses that nobody has are kept as well, so that both cost the same.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = codes, treat_none_as_default_value = false)]
pub struct Code {
    /// Its identifier.
    pub id: CodeId,
    /// The visit that asked for it, and the only one where it works.
    pub visit_id: VisitId,
    /// Where it was sent.
    pub email: String,
    /// Keyed hash of the digits.
    pub hash: Vec<u8>,
    /// How often it was tried.
    pub tries: i32,
    /// How often it was tried in vain.
    pub failures: i32,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used or replaced.
    pub spent_at: Option<Timestamp>,
}

/// The newest code of a visit, locked until the commit.
///
/// # Errors
/// Those of the database.
pub fn newest(tx: &mut Tx<'_>, visit: VisitId) -> Result<Option<Code>, Error> {
    Ok(first_locked!(tx, codes::table.filter(codes::visit_id.eq(visit)).order(codes::id.desc()).select(Code::as_select())))
}

/// How many codes were sent to an address since then.
///
/// # Errors
/// Those of the database.
pub fn sent_since(conn: &mut Conn, email: &str, since: Timestamp) -> Result<i64, Error> {
    Ok(codes::table.filter(codes::email.eq(email).and(codes::created_at.ge(since))).count().get_result(conn)?)
}

/// How often codes for an address were tried in vain since then.
///
/// # Errors
/// Those of the database.
pub fn failures_since(conn: &mut Conn, email: &str, since: Timestamp) -> Result<i64, Error> {
    let failures: Option<i64> = codes::table
        .filter(codes::email.eq(email).and(codes::created_at.ge(since)))
        .select(diesel::dsl::sum(codes::failures))
        .first(conn)?;
    Ok(failures.unwrap_or(0))
}

/// Keeps a new code and ends the older ones of the same address: only the newest works.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, code: &Code) -> Result<(), Error> {
    diesel::update(codes::table.filter(codes::email.eq(&code.email).and(codes::spent_at.is_null())))
        .set(codes::spent_at.eq(code.created_at))
        .execute(&mut **tx)?;
    diesel::insert_into(codes::table).values(code).execute(&mut **tx)?;
    Ok(())
}

/// Counts a try; a successful one uses the code up.
///
/// # Errors
/// Those of the database.
pub fn count_try(tx: &mut Tx<'_>, id: CodeId, has_failed: bool, now: Timestamp) -> Result<(), Error> {
    let row = codes::table.filter(codes::id.eq(id));
    if has_failed {
        diesel::update(row).set((codes::tries.eq(codes::tries + 1), codes::failures.eq(codes::failures + 1))).execute(&mut **tx)?;
    } else {
        diesel::update(row).set((codes::tries.eq(codes::tries + 1), codes::spent_at.eq(now))).execute(&mut **tx)?;
    }
    Ok(())
}
