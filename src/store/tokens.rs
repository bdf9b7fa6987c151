//! API tokens; only the hash of each is kept.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    schema::{api_tokens, users},
};
use crate::domain::{
    id::{TokenId, UserId},
    time::Timestamp,
    user::{Role, UserState},
};

/// One token.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_tokens, treat_none_as_default_value = false)]
pub struct Token {
    /// Its identifier.
    pub id: TokenId,
    /// What the administrator calls it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// Who made it, by the name in the audit log; nothing where that was not noted yet.
    pub created_by: Option<String>,
    /// The user who made it, as long as there is one.
    pub created_by_user: Option<UserId>,
}

/// What is known of whoever made a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// Their role, if they have one.
    pub role: Option<Role>,
    /// Whether they take part.
    pub state: UserState,
}

/// The valid token of this hash.
///
/// # Errors
/// Those of the database.
pub fn find_valid(conn: &mut Conn, hash: &[u8]) -> Result<Option<Token>, Error> {
    Ok(api_tokens::table
        .filter(api_tokens::hash.eq(hash.to_vec()).and(api_tokens::revoked_at.is_null()))
        .select(Token::as_select())
        .first(conn)
        .optional()?)
}

/// Every token, oldest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn) -> Result<Vec<Token>, Error> {
    Ok(api_tokens::table.order(api_tokens::id.asc()).select(Token::as_select()).load(conn)?)
}

/// Every token with the user who made it, if there still is one; oldest first.
///
/// # Errors
/// Those of the database.
pub fn list_with_makers(conn: &mut Conn) -> Result<Vec<(Token, Option<Maker>)>, Error> {
    let rows = api_tokens::table
        .left_join(users::table)
        .order(api_tokens::id.asc())
        .select((Token::as_select(), (users::role, users::state).nullable()))
        .load::<(Token, Option<(Option<Role>, UserState)>)>(conn)?;
    Ok(rows.into_iter().map(|(token, maker)| (token, maker.map(|(role, state)| Maker { role, state }))).collect())
}

/// Keeps a token.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, token: &Token) -> Result<(), Error> {
    diesel::insert_into(api_tokens::table).values(token).execute(&mut **tx)?;
    Ok(())
}

/// Takes back every valid token of this name; gives how many there were.
///
/// # Errors
/// Those of the database.
pub fn revoke(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<usize, Error> {
    Ok(diesel::update(api_tokens::table.filter(api_tokens::name.eq(name).and(api_tokens::revoked_at.is_null())))
        .set(api_tokens::revoked_at.eq(now))
        .execute(&mut **tx)?)
}
