//! The outbox: every mail with what became of it. The text is kept, sealed, until it was sent.

use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Conn, Error, Tx, schema::mails};
use crate::{
    domain::{
        id::{MailId, UserId},
        time::Timestamp,
    },
    words,
};

words! {
    /// Where a mail stands.
    pub enum MailState {
        /// Waits to be sent.
        Queued = "queued",
        /// The mail server took it.
        Sent = "sent",
        /// Its time was over before it could be sent.
        Expired = "expired",
        /// It was given up.
        Failed = "failed",
    }
}

/// One mail.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Serialize, ToSchema)]
#[diesel(table_name = mails, treat_none_as_default_value = false)]
pub struct Mail {
    /// Its identifier.
    pub id: MailId,
    /// For which user.
    pub user_id: Option<UserId>,
    /// To which address.
    pub recipient: String,
    /// Which mail it is, such as `invitation`.
    pub template: String,
    /// Its subject.
    pub subject: String,
    /// `Message-ID`, the same however often it is tried.
    pub message_id: String,
    /// The message as it goes over the wire, sealed; gone once it was sent.
    #[serde(skip)]
    pub sealed_message: Option<Vec<u8>>,
    /// Where it stands.
    pub state: MailState,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it loses its point.
    pub expires_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// Why it could not be sent.
    pub last_error: Option<String>,
}

/// The mail of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: MailId) -> Result<Option<Mail>, Error> {
    Ok(mails::table.filter(mails::id.eq(id)).select(Mail::as_select()).first(conn).optional()?)
}

/// The last mails to a user, newest first.
///
/// # Errors
/// Those of the database.
pub fn of_user(conn: &mut Conn, user: UserId, limit: i64) -> Result<Vec<Mail>, Error> {
    Ok(mails::table.filter(mails::user_id.eq(user)).order(mails::id.desc()).limit(limit).select(Mail::as_select()).load(conn)?)
}

/// Keeps a mail.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, mail: &Mail) -> Result<(), Error> {
    diesel::insert_into(mails::table).values(mail).execute(&mut **tx)?;
    Ok(())
}

/// Notes that a mail is finished, one way or the other, and forgets its text.
///
/// # Errors
/// Those of the database.
pub fn finish(tx: &mut Tx<'_>, id: MailId, state: MailState, error: Option<&str>, now: Timestamp) -> Result<(), Error> {
    diesel::update(mails::table.filter(mails::id.eq(id)))
        .set((
            mails::state.eq(state),
            mails::sealed_message.eq(None::<Vec<u8>>),
            mails::sent_at.eq((state == MailState::Sent).then_some(now)),
            mails::last_error.eq(error),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Notes why a mail could not be sent this time.
///
/// # Errors
/// Those of the database.
pub fn note_error(tx: &mut Tx<'_>, id: MailId, error: &str) -> Result<(), Error> {
    diesel::update(mails::table.filter(mails::id.eq(id))).set(mails::last_error.eq(error)).execute(&mut **tx)?;
    Ok(())
}

/// Removes mails that were finished before then.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(mails::table.filter(mails::state.ne(MailState::Queued).and(mails::created_at.lt(before)))).execute(&mut **tx)?)
}
