//! The content of protected files, sealed and in pieces, as long as their links are good; and which mail brings which file.

use diesel::{dsl::sql, prelude::*, sql_types::BigInt};

use super::{
    Conn, Error, Tx,
    schema::{mail_files, protected_file_pieces, protected_files, protected_links},
};
use crate::domain::{
    id::{LinkId, MailId},
    time::Timestamp,
};

/// What is kept of a file besides its pieces.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = protected_files)]
pub struct File {
    /// The link that stands for it.
    pub link_id: LinkId,
    /// Its type, as mails name it.
    pub kind: String,
    /// When the link ends.
    pub expires_at: Timestamp,
}

/// A file as a mail brings it.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The link that stands for it.
    pub link: LinkId,
    /// What it is called.
    pub name: String,
    /// How many bytes it has.
    pub length: i64,
    /// Its type and its pieces, sealed and in their order; none where the link is not good any more.
    pub content: Option<(String, Vec<Vec<u8>>)>,
}

/// Keeps a file with its pieces.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, file: &File, pieces: &[Vec<u8>]) -> Result<(), Error> {
    diesel::insert_into(protected_files::table).values(file).execute(&mut **tx)?;
    for (position, piece) in (0_i32..).zip(pieces) {
        let row = (
            protected_file_pieces::link_id.eq(file.link_id),
            protected_file_pieces::position.eq(position),
            protected_file_pieces::sealed_content.eq(piece),
        );
        diesel::insert_into(protected_file_pieces::table).values(row).execute(&mut **tx)?;
    }
    Ok(())
}

/// Has a mail bring a file.
///
/// # Errors
/// Those of the database.
pub fn attach(tx: &mut Tx<'_>, mail: MailId, link: LinkId) -> Result<(), Error> {
    diesel::insert_into(mail_files::table).values((mail_files::mail_id.eq(mail), mail_files::link_id.eq(link))).execute(&mut **tx)?;
    Ok(())
}

/// The file that a mail brings; nothing where it brings none.
///
/// # Errors
/// Those of the database.
pub fn of_mail(conn: &mut Conn, mail: MailId) -> Result<Option<Brought>, Error> {
    let found: Option<(LinkId, Option<String>, Option<i64>)> = mail_files::table
        .inner_join(protected_links::table)
        .filter(mail_files::mail_id.eq(mail))
        .select((mail_files::link_id, protected_links::file_name, protected_links::file_length))
        .first(conn)
        .optional()?;
    let Some((link, Some(name), Some(length))) = found else { return Ok(None) };
    let pieces = pieces(conn, link)?;
    let kind: Option<String> =
        protected_files::table.filter(protected_files::link_id.eq(link)).select(protected_files::kind).first(conn).optional()?;
    // No file is empty: where there are no pieces, it was forgotten between two queries.
    let content = kind.filter(|_| !pieces.is_empty()).map(|kind| (kind, pieces));
    Ok(Some(Brought { link, name, length, content }))
}

/// All pieces of a file, by one query: a file that is withdrawn meanwhile is there as a whole, or not at all.
fn pieces(conn: &mut Conn, link: LinkId) -> Result<Vec<Vec<u8>>, Error> {
    Ok(protected_file_pieces::table
        .filter(protected_file_pieces::link_id.eq(link))
        .order(protected_file_pieces::position.asc())
        .select(protected_file_pieces::sealed_content)
        .load(conn)?)
}

/// How many bytes all files have that are kept.
///
/// # Errors
/// Those of the database.
pub fn kept_bytes(conn: &mut Conn) -> Result<i64, Error> {
    let sum = sql::<BigInt>("CAST(COALESCE(sum(protected_links.file_length), 0) AS BIGINT)");
    let kept = protected_files::table.select(protected_files::link_id);
    Ok(protected_links::table.filter(protected_links::id.eq_any(kept)).select(sum).first(conn)?)
}

/// Forgets the content of a file.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, link: LinkId) -> Result<(), Error> {
    diesel::delete(protected_files::table.filter(protected_files::link_id.eq(link))).execute(&mut **tx)?;
    Ok(())
}

/// Forgets the content of files whose links have ended.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(protected_files::table.filter(protected_files::expires_at.le(now))).execute(&mut **tx)?)
}
