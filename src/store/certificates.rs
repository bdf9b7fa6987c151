//! Device certificates and the one-time rights to obtain them.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    kept::run_kept,
    schema::{certificates, challenges},
};
use crate::domain::{
    id::{CertificateId, ChallengeId, EnrollmentId},
    time::Timestamp,
};

/// A one-time right to obtain a certificate. The subject is decided here.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = challenges, treat_none_as_default_value = false)]
pub struct Challenge {
    /// Its identifier.
    pub id: ChallengeId,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// For which enrollment.
    pub enrollment_id: EnrollmentId,
    /// Common name that the certificate will have.
    pub common_name: String,
    /// Mail address that the certificate will have.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub spent_at: Option<Timestamp>,
}

/// A device certificate.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = certificates, treat_none_as_default_value = false)]
pub struct Certificate {
    /// Its identifier.
    pub id: CertificateId,
    /// Serial number, sixteen bytes.
    pub serial: Vec<u8>,
    /// SHA-256 of the certificate.
    pub fingerprint: Vec<u8>,
    /// The enrollment that it belongs to.
    pub enrollment_id: EnrollmentId,
    /// Common name.
    pub common_name: String,
    /// Mail address.
    pub email: String,
    /// DER.
    pub certificate: Vec<u8>,
    /// SHA-256 over the transaction's name and the public key.
    pub transaction_hash: Vec<u8>,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When the device is asked to renew it.
    pub renew_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why, in the words of RFC 5280.
    pub revocation_reason: Option<String>,
}

/// Keeps a challenge.
///
/// # Errors
/// Those of the database.
pub fn insert_challenge(tx: &mut Tx<'_>, challenge: &Challenge) -> Result<(), Error> {
    diesel::insert_into(challenges::table).values(challenge).execute(&mut **tx)?;
    Ok(())
}

/// Uses up the challenge of this hash if it is good: the test and the mark are one statement, so it works once.
///
/// # Errors
/// Those of the database.
pub fn spend_challenge(tx: &mut Tx<'_>, hash: &[u8], now: Timestamp) -> Result<Option<Challenge>, Error> {
    let is_good = challenges::spent_at.is_null().and(challenges::expires_at.gt(now));
    let spent = run_kept!(
        tx,
        diesel::update(challenges::table.filter(challenges::hash.eq(hash.to_vec()).and(is_good))).set(challenges::spent_at.eq(now))
    )?;
    if spent == 0 {
        return Ok(None);
    }
    Ok(challenges::table.filter(challenges::hash.eq(hash.to_vec())).select(Challenge::as_select()).first(&mut **tx).optional()?)
}

/// Uses up every challenge of an enrollment that is still good.
///
/// # Errors
/// Those of the database.
pub fn spend_challenges_of(tx: &mut Tx<'_>, enrollment: EnrollmentId, now: Timestamp) -> Result<usize, Error> {
    Ok(diesel::update(challenges::table.filter(challenges::enrollment_id.eq(enrollment).and(challenges::spent_at.is_null())))
        .set(challenges::spent_at.eq(now))
        .execute(&mut **tx)?)
}

/// Removes challenges that ended before then.
///
/// # Errors
/// Those of the database.
pub fn purge_challenges(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(challenges::table.filter(challenges::expires_at.lt(before))).execute(&mut **tx)?)
}

/// Whether there is a good challenge of this hash for this enrollment; changes nothing.
///
/// # Errors
/// Those of the database.
pub fn challenge_of(conn: &mut Conn, hash: &[u8]) -> Result<Option<Challenge>, Error> {
    Ok(challenges::table.filter(challenges::hash.eq(hash.to_vec())).select(Challenge::as_select()).first(conn).optional()?)
}

/// The certificate that this very request was answered with before.
///
/// # Errors
/// Those of the database.
pub fn of_transaction(conn: &mut Conn, transaction_hash: &[u8]) -> Result<Option<Certificate>, Error> {
    Ok(certificates::table
        .filter(certificates::transaction_hash.eq(transaction_hash.to_vec()))
        .select(Certificate::as_select())
        .first(conn)
        .optional()?)
}

/// The certificate of this fingerprint.
///
/// # Errors
/// Those of the database.
pub fn of_fingerprint(conn: &mut Conn, fingerprint: &[u8]) -> Result<Option<Certificate>, Error> {
    Ok(certificates::table
        .filter(certificates::fingerprint.eq(fingerprint.to_vec()))
        .select(Certificate::as_select())
        .first(conn)
        .optional()?)
}

/// The certificate of this serial number.
///
/// # Errors
/// Those of the database.
pub fn of_serial(conn: &mut Conn, serial: &[u8]) -> Result<Option<Certificate>, Error> {
    Ok(certificates::table.filter(certificates::serial.eq(serial.to_vec())).select(Certificate::as_select()).first(conn).optional()?)
}

/// The newest certificate of an enrollment.
///
/// # Errors
/// Those of the database.
pub fn newest_of_enrollment(conn: &mut Conn, enrollment: EnrollmentId) -> Result<Option<Certificate>, Error> {
    Ok(certificates::table
        .filter(certificates::enrollment_id.eq(enrollment))
        .order(certificates::id.desc())
        .select(Certificate::as_select())
        .first(conn)
        .optional()?)
}

/// Keeps a certificate.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, certificate: &Certificate) -> Result<(), Error> {
    diesel::insert_into(certificates::table).values(certificate).execute(&mut **tx)?;
    Ok(())
}

/// Revokes every certificate of an enrollment, apart from one; gives how many.
///
/// # Errors
/// Those of the database.
pub fn revoke_of_enrollment(
    tx: &mut Tx<'_>,
    enrollment: EnrollmentId,
    except: Option<CertificateId>,
    reason: &str,
    now: Timestamp,
) -> Result<usize, Error> {
    let mut query = diesel::update(certificates::table)
        .filter(certificates::enrollment_id.eq(enrollment).and(certificates::revoked_at.is_null()))
        .set((certificates::revoked_at.eq(now), certificates::revocation_reason.eq(reason)))
        .into_boxed();
    if let Some(except) = except {
        query = query.filter(certificates::id.ne(except));
    }
    Ok(query.execute(&mut **tx)?)
}

/// Revokes the certificates of an enrollment that nobody has used, because others take their place: all but the one that the
/// enrollment is pinned to and the one that asks; gives how many.
///
/// # Errors
/// Those of the database.
pub fn revoke_unused(tx: &mut Tx<'_>, enrollment: EnrollmentId, [pinned, asking]: [&[u8]; 2], now: Timestamp) -> Result<usize, Error> {
    let others = certificates::fingerprint.ne(pinned.to_vec()).and(certificates::fingerprint.ne(asking.to_vec()));
    let unused = certificates::enrollment_id.eq(enrollment).and(certificates::revoked_at.is_null()).and(others);
    Ok(diesel::update(certificates::table.filter(unused))
        .set((certificates::revoked_at.eq(now), certificates::revocation_reason.eq("superseded")))
        .execute(&mut **tx)?)
}

/// How many certificates an enrollment was given since then.
///
/// # Errors
/// Those of the database.
pub fn issued_since(conn: &mut Conn, enrollment: EnrollmentId, since: Timestamp) -> Result<i64, Error> {
    let issued = certificates::table.filter(certificates::enrollment_id.eq(enrollment).and(certificates::created_at.ge(since)));
    Ok(issued.count().get_result(conn)?)
}

/// A revoked certificate: its serial number, when it was revoked, and why in the words of RFC 5280.
pub type Revoked = (Vec<u8>, Timestamp, Option<String>);

/// Serial numbers, times and reasons of what was revoked and has not expired.
///
/// # Errors
/// Those of the database.
pub fn revoked(conn: &mut Conn, now: Timestamp) -> Result<Vec<Revoked>, Error> {
    Ok(certificates::table
        .filter(certificates::revoked_at.is_not_null().and(certificates::not_after.gt(now)))
        .order(certificates::id.asc())
        .select((certificates::serial, certificates::revoked_at.assume_not_null(), certificates::revocation_reason))
        .load(conn)?)
}

/// Enrollments whose certificate is due for renewal, each with the certificate.
///
/// # Errors
/// Those of the database.
pub fn due_for_renewal(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<(CertificateId, EnrollmentId)>, Error> {
    Ok(certificates::table
        .filter(certificates::renew_at.le(now).and(certificates::revoked_at.is_null()))
        .order(certificates::renew_at.asc())
        .limit(limit)
        .select((certificates::id, certificates::enrollment_id))
        .load(conn)?)
}

/// Notes when a device is asked again to renew its certificate; never, where no time is given.
///
/// # Errors
/// Those of the database.
pub fn set_renew_at(tx: &mut Tx<'_>, id: CertificateId, at: Option<Timestamp>) -> Result<(), Error> {
    diesel::update(certificates::table.filter(certificates::id.eq(id))).set(certificates::renew_at.eq(at)).execute(&mut **tx)?;
    Ok(())
}
