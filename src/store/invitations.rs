//! Invitations: the links of the mails that ask users to enroll.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::invitations};
use crate::domain::{
    device::Ownership,
    id::{InvitationId, UserId},
    time::Timestamp,
};

/// One invitation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = invitations)]
pub struct Invitation {
    /// Its identifier.
    pub id: InvitationId,
    /// Who is invited.
    pub user_id: UserId,
    /// SHA-256 of the link's secret.
    pub hash: Vec<u8>,
    /// For whose device it is.
    pub ownership: Ownership,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The invitation of this hash, whether it is still good or not.
///
/// # Errors
/// Those of the database.
pub fn find_by_hash(conn: &mut Conn, hash: &[u8]) -> Result<Option<Invitation>, Error> {
    Ok(invitations::table.filter(invitations::hash.eq(hash.to_vec())).select(Invitation::as_select()).first(conn).optional()?)
}

/// The invitation of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: InvitationId) -> Result<Option<Invitation>, Error> {
    Ok(invitations::table.filter(invitations::id.eq(id)).select(Invitation::as_select()).first(conn).optional()?)
}

/// The newest invitation of a user.
///
/// # Errors
/// Those of the database.
pub fn newest_of_user(conn: &mut Conn, user: UserId) -> Result<Option<Invitation>, Error> {
    Ok(invitations::table
        .filter(invitations::user_id.eq(user))
        .order(invitations::id.desc())
        .select(Invitation::as_select())
        .first(conn)
        .optional()?)
}

/// Keeps an invitation.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, invitation: &Invitation) -> Result<(), Error> {
    diesel::insert_into(invitations::table).values(invitation).execute(&mut **tx)?;
    Ok(())
}
