//! Activation certificates with their keys that wait to be downloaded, sealed. Each is there for minutes and is given out once.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::activation_files};
use crate::domain::{
    id::{EnrollmentId, VisitId},
    time::Timestamp,
};

/// One file.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = activation_files)]
pub struct ActivationFile {
    /// The enrollment that its certificate names.
    pub enrollment_id: EnrollmentId,
    /// The visit that earned it.
    pub visit_id: VisitId,
    /// The PKCS#12 file, sealed.
    pub sealed_file: Vec<u8>,
    /// When it goes unused.
    pub expires_at: Timestamp,
}

/// Keeps a file.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, file: &ActivationFile) -> Result<(), Error> {
    diesel::insert_into(activation_files::table).values(file).execute(&mut **tx)?;
    Ok(())
}

/// Until when the file of an enrollment waits for its visit; none where there is none.
///
/// # Errors
/// Those of the database.
pub fn waits_until(conn: &mut Conn, enrollment: EnrollmentId, visit: VisitId, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let is_good = activation_files::visit_id.eq(visit).and(activation_files::expires_at.gt(now));
    Ok(activation_files::table
        .filter(activation_files::enrollment_id.eq(enrollment).and(is_good))
        .select(activation_files::expires_at)
        .first(conn)
        .optional()?)
}

/// Takes the file of an enrollment out of the table, which works once.
///
/// # Errors
/// Those of the database.
pub fn take(tx: &mut Tx<'_>, enrollment: EnrollmentId, visit: VisitId, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
    let is_good = activation_files::visit_id.eq(visit).and(activation_files::expires_at.gt(now));
    let found: Option<Vec<u8>> = activation_files::table
        .filter(activation_files::enrollment_id.eq(enrollment).and(is_good))
        .select(activation_files::sealed_file)
        .first(&mut **tx)
        .optional()?;
    // Of two that read it at the same moment, one removes it.
    Ok(if delete(tx, enrollment)? { found } else { None })
}

/// Enrollments whose files were not taken in time.
///
/// # Errors
/// Those of the database.
pub fn expired(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<EnrollmentId>, Error> {
    Ok(activation_files::table
        .filter(activation_files::expires_at.le(now))
        .order(activation_files::expires_at.asc())
        .limit(limit)
        .select(activation_files::enrollment_id)
        .load(conn)?)
}

/// Removes the file of an enrollment; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, enrollment: EnrollmentId) -> Result<bool, Error> {
    Ok(diesel::delete(activation_files::table.filter(activation_files::enrollment_id.eq(enrollment))).execute(&mut **tx)? == 1)
}
