//! The outbox: every mail with what became of it. The text is kept, sealed, until it was sent.

use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Conn, Error, Tx,
    page::{Page, PageRequest},
    schema::mails,
};
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
    /// How often it was tried.
    pub attempts: i32,
    /// The mail server itself could not be used when it was last tried.
    pub is_unreachable: bool,
}

/// Which mails are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which stand here.
    pub state: Option<MailState>,
    /// To addresses that contain this text.
    pub recipient: Option<String>,
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

/// Mails, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, filter: &Filter, page: PageRequest<MailId>) -> Result<Page<Mail>, Error> {
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query = $query.into_boxed();
            if let Some(state) = filter.state {
                query = query.filter(mails::state.eq(state));
            }
            if let Some(text) = &filter.recipient {
                query = query.filter(super::lower(mails::recipient).like(super::contains(text)).escape('\\'));
            }
            query
        }};
    }
    let total = filtered!(mails::table.count()).get_result(conn)?;
    let mut query = filtered!(mails::table.select(Mail::as_select()));
    if let Some(before) = page.after {
        query = query.filter(mails::id.lt(before));
    }
    let items = query.order(mails::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |mail: &Mail| mail.id))
}

/// Mails that were given up and still have their text, oldest first.
///
/// # Errors
/// Those of the database.
pub fn failed(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<(MailId, String)>, Error> {
    Ok(mails::table
        .filter(mails::state.eq(MailState::Failed).and(mails::sealed_message.is_not_null()))
        .filter(mails::expires_at.is_null().or(mails::expires_at.gt(now)))
        .order(mails::id.asc())
        .limit(limit)
        .select((mails::id, mails::template))
        .load(conn)?)
}

/// Mails that wait because the mail server could not be used, oldest first.
///
/// # Errors
/// Those of the database.
pub fn unreachable(conn: &mut Conn, limit: i64) -> Result<Vec<MailId>, Error> {
    Ok(mails::table
        .filter(mails::state.eq(MailState::Queued).and(mails::is_unreachable.eq(true)))
        .order(mails::id.asc())
        .limit(limit)
        .select(mails::id)
        .load(conn)?)
}

/// Notes that a mail is finished, one way or the other. Its text is forgotten, unless it was given up: then an administrator can
/// have it tried again.
///
/// # Errors
/// Those of the database.
pub fn finish(tx: &mut Tx<'_>, id: MailId, state: MailState, error: Option<&str>, now: Timestamp) -> Result<(), Error> {
    let row = mails::table.filter(mails::id.eq(id));
    diesel::update(row)
        .set((
            mails::state.eq(state),
            mails::sent_at.eq((state == MailState::Sent).then_some(now)),
            mails::last_error.eq(error),
            mails::is_unreachable.eq(false),
        ))
        .execute(&mut **tx)?;
    if state != MailState::Failed {
        diesel::update(row).set(mails::sealed_message.eq(None::<Vec<u8>>)).execute(&mut **tx)?;
    }
    Ok(())
}

/// Counts a try that begins.
///
/// # Errors
/// Those of the database.
pub fn count_attempt(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    diesel::update(mails::table.filter(mails::id.eq(id))).set(mails::attempts.eq(mails::attempts + 1)).execute(&mut **tx)?;
    Ok(())
}

/// Notes why a mail could not be sent this time, and whether that was for want of a mail server.
///
/// # Errors
/// Those of the database.
pub fn note_error(tx: &mut Tx<'_>, id: MailId, error: &str, is_unreachable: bool) -> Result<(), Error> {
    diesel::update(mails::table.filter(mails::id.eq(id)))
        .set((mails::last_error.eq(error), mails::is_unreachable.eq(is_unreachable)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Lets a mail that was given up wait again.
///
/// # Errors
/// Those of the database.
pub fn requeue(tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
    diesel::update(mails::table.filter(mails::id.eq(id).and(mails::state.eq(MailState::Failed))))
        .set(mails::state.eq(MailState::Queued))
        .execute(&mut **tx)?;
    Ok(())
}

/// Forgets the text of mails that were given up and have lost their point since.
///
/// # Errors
/// Those of the database.
pub fn forget_expired(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    let given_up = mails::table.filter(mails::state.eq(MailState::Failed).and(mails::sealed_message.is_not_null()));
    Ok(diesel::update(given_up.filter(mails::expires_at.le(now))).set(mails::sealed_message.eq(None::<Vec<u8>>)).execute(&mut **tx)?)
}

/// Removes mails that were finished before then.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(mails::table.filter(mails::state.ne(MailState::Queued).and(mails::created_at.lt(before)))).execute(&mut **tx)?)
}
