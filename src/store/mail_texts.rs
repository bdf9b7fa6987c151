//! Mails as an administrator has written them.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::mail_texts};
use crate::domain::{
    mail::{MailKind, MailText},
    time::Timestamp,
};

/// One text.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = mail_texts)]
pub struct WrittenText {
    /// Of which mail. Kept as text: a version that is older than the database may not know it.
    pub kind: String,
    /// In which language.
    pub language: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// By whom.
    pub updated_by: String,
}

impl WrittenText {
    /// What it says.
    #[must_use]
    pub fn text(&self) -> MailText {
        MailText { subject: self.subject.clone(), body: self.body.clone() }
    }
}

/// The text of a mail in a language, where somebody has written one.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, kind: MailKind, language: &str) -> Result<Option<WrittenText>, Error> {
    Ok(mail_texts::table.find((kind.as_str(), language)).select(WrittenText::as_select()).first(conn).optional()?)
}

/// All of them.
///
/// # Errors
/// Those of the database.
pub fn all(conn: &mut Conn) -> Result<Vec<WrittenText>, Error> {
    Ok(mail_texts::table.order((mail_texts::kind, mail_texts::language)).select(WrittenText::as_select()).load(conn)?)
}

/// Keeps a text in the place of the one before.
///
/// # Errors
/// Those of the database.
pub fn replace(tx: &mut Tx<'_>, text: &WrittenText) -> Result<(), Error> {
    diesel::delete(mail_texts::table.find((text.kind.as_str(), text.language.as_str()))).execute(&mut **tx)?;
    diesel::insert_into(mail_texts::table).values(text).execute(&mut **tx)?;
    Ok(())
}

/// Forgets a text; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, kind: MailKind, language: &str) -> Result<bool, Error> {
    Ok(diesel::delete(mail_texts::table.find((kind.as_str(), language))).execute(&mut **tx)? > 0)
}
