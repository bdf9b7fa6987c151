//! Certificates of the server itself: the device CA and those that it signs for the server.

use diesel::prelude::*;

use super::{Conn, Error, Tx, conn::on_backend, schema::authorities};
use crate::{domain::time::Timestamp, words};

words! {
    /// What a certificate of the server is for.
    pub enum AuthorityKind {
        /// Signs device certificates.
        DeviceCa = "device_ca",
        /// Speaks SCEP in the CA's name.
        ScepRa = "scep_ra",
        /// Signs configuration profiles.
        ProfileSigner = "profile_signer",
        /// Signs OCSP answers.
        OcspResponder = "ocsp_responder",
    }
}

/// One certificate with its sealed key.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = authorities, treat_none_as_default_value = false)]
pub struct Authority {
    /// What it is for.
    pub kind: AuthorityKind,
    /// DER.
    pub certificate: Vec<u8>,
    /// The private key, sealed.
    pub sealed_key: Vec<u8>,
    /// End of its validity.
    pub not_after: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Every certificate.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn) -> Result<Vec<Authority>, Error> {
    Ok(authorities::table.select(Authority::as_select()).load(conn)?)
}

/// Keeps a certificate unless there is one of its kind already: of two servers that start at once, one wins.
///
/// # Errors
/// Those of the database.
pub fn insert_if_missing(tx: &mut Tx<'_>, authority: &Authority) -> Result<bool, Error> {
    let inserted =
        on_backend!(&mut **tx, |c| diesel::insert_into(authorities::table).values(authority).on_conflict_do_nothing().execute(c))?;
    Ok(inserted == 1)
}

/// Puts a certificate in the place of the one of its kind.
///
/// # Errors
/// Those of the database.
pub fn replace(tx: &mut Tx<'_>, authority: &Authority) -> Result<(), Error> {
    diesel::delete(authorities::table.filter(authorities::kind.eq(authority.kind))).execute(&mut **tx)?;
    diesel::insert_into(authorities::table).values(authority).execute(&mut **tx)?;
    Ok(())
}
