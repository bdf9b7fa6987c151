//! The push certificate, and the keys for which one was asked.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::push_certificates};
use crate::domain::{id::PushCertificateId, time::Timestamp};

/// A key with its certificate, once that was imported.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = push_certificates, treat_none_as_default_value = false)]
pub struct PushCertificate {
    /// Its identifier.
    pub id: PushCertificateId,
    /// SHA-256 of the public key.
    pub key_hash: Vec<u8>,
    /// The private key, sealed.
    pub sealed_key: Vec<u8>,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// The certificate in DER. What has one is in use.
    pub certificate: Option<Vec<u8>>,
    /// The push topic that the certificate is for.
    pub topic: Option<String>,
    /// End of its validity.
    pub not_after: Option<Timestamp>,
    /// Who imported it.
    pub imported_by: Option<String>,
    /// When.
    pub imported_at: Option<Timestamp>,
}

/// The certificate in use.
///
/// # Errors
/// Those of the database.
pub fn active(conn: &mut Conn) -> Result<Option<PushCertificate>, Error> {
    Ok(push_certificates::table
        .filter(push_certificates::certificate.is_not_null())
        .order(push_certificates::imported_at.desc())
        .select(PushCertificate::as_select())
        .first(conn)
        .optional()?)
}

/// The topic of the certificate in use.
///
/// # Errors
/// Those of the database.
pub fn active_topic(conn: &mut Conn) -> Result<Option<String>, Error> {
    let topic: Option<Option<String>> = push_certificates::table
        .filter(push_certificates::certificate.is_not_null())
        .order(push_certificates::imported_at.desc())
        .select(push_certificates::topic)
        .first(conn)
        .optional()?;
    Ok(topic.flatten())
}

/// What belongs to a public key.
///
/// # Errors
/// Those of the database.
pub fn find_by_key(conn: &mut Conn, key_hash: &[u8]) -> Result<Option<PushCertificate>, Error> {
    Ok(push_certificates::table
        .filter(push_certificates::key_hash.eq(key_hash.to_vec()))
        .select(PushCertificate::as_select())
        .first(conn)
        .optional()?)
}

/// When a certificate was last asked for that was not imported yet.
///
/// # Errors
/// Those of the database.
pub fn last_request(conn: &mut Conn) -> Result<Option<Timestamp>, Error> {
    Ok(push_certificates::table
        .filter(push_certificates::certificate.is_null())
        .order(push_certificates::requested_at.desc())
        .select(push_certificates::requested_at)
        .first(conn)
        .optional()?)
}

/// Keeps the key of a request, and forgets older ones beyond so many.
///
/// # Errors
/// Those of the database.
pub fn insert_request(tx: &mut Tx<'_>, request: &PushCertificate, most: i64) -> Result<(), Error> {
    diesel::insert_into(push_certificates::table).values(request).execute(&mut **tx)?;
    let old: Vec<PushCertificateId> = push_certificates::table
        .filter(push_certificates::certificate.is_null())
        .order((push_certificates::requested_at.desc(), push_certificates::id.desc()))
        .offset(most)
        .limit(100)
        .select(push_certificates::id)
        .load(&mut **tx)?;
    diesel::delete(push_certificates::table.filter(push_certificates::id.eq_any(old))).execute(&mut **tx)?;
    Ok(())
}

/// Puts a certificate into use in the place of the one before, which is forgotten with its key.
///
/// # Errors
/// Those of the database.
pub fn activate(tx: &mut Tx<'_>, certificate: &PushCertificate) -> Result<(), Error> {
    let is_before = push_certificates::certificate.is_not_null().or(push_certificates::id.eq(certificate.id));
    diesel::delete(push_certificates::table.filter(is_before)).execute(&mut **tx)?;
    diesel::insert_into(push_certificates::table).values(certificate).execute(&mut **tx)?;
    Ok(())
}
