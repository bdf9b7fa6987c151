//! Views of the compliance report that somebody saved.

use diesel::prelude::*;

use super::{Conn, Error, Tx, document, parse, schema::saved_reports};
use crate::domain::{id::SavedReportId, schedule::Every, time::Timestamp};

/// One saved view.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = saved_reports, treat_none_as_default_value = false)]
pub struct SavedReport {
    /// Its identifier.
    pub id: SavedReportId,
    /// What it is called.
    pub name: String,
    wanted: String,
    /// How often it is mailed; none where it is only kept.
    pub every: Option<Every>,
    recipients: String,
    /// Who saved it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it was last mailed.
    pub last_sent_at: Option<Timestamp>,
    /// When it is mailed next.
    pub next_at: Option<Timestamp>,
}

impl SavedReport {
    /// A view that was just saved.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn new<W: serde::Serialize>(
        name: String,
        wanted: &W,
        every: Option<Every>,
        recipients: &[String],
        created_by: String,
        now: Timestamp,
    ) -> Result<Self, Error> {
        Ok(Self {
            id: SavedReportId::new(),
            name,
            wanted: document(wanted)?,
            every,
            recipients: document(&recipients)?,
            created_by,
            created_at: now,
            last_sent_at: None,
            next_at: every.map(|every| every.next_after(now)),
        })
    }

    /// Which devices it shows.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn wanted<W: serde::de::DeserializeOwned>(&self) -> Result<W, Error> {
        parse("a saved report", &self.wanted)
    }

    /// The addresses that it is mailed to.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn recipients(&self) -> Result<Vec<String>, Error> {
        parse("the recipients of a report", &self.recipients)
    }
}

/// Every saved view, by name.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn) -> Result<Vec<SavedReport>, Error> {
    Ok(saved_reports::table.order(saved_reports::name.asc()).select(SavedReport::as_select()).load(conn)?)
}

/// The view of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: SavedReportId) -> Result<Option<SavedReport>, Error> {
    Ok(saved_reports::table.filter(saved_reports::id.eq(id)).select(SavedReport::as_select()).first(conn).optional()?)
}

/// Views that are to be mailed by now.
///
/// # Errors
/// Those of the database.
pub fn due(conn: &mut Conn, now: Timestamp) -> Result<Vec<SavedReport>, Error> {
    Ok(saved_reports::table
        .filter(saved_reports::next_at.le(now))
        .order(saved_reports::next_at.asc())
        .select(SavedReport::as_select())
        .load(conn)?)
}

/// Saves a view; a name that is taken is a [`Error::Conflict`].
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, report: &SavedReport) -> Result<(), Error> {
    diesel::insert_into(saved_reports::table).values(report).execute(&mut **tx)?;
    Ok(())
}

/// Notes that a view was mailed, unless somebody else has noted it; says whether it was this one.
///
/// # Errors
/// Those of the database.
pub fn mark_sent(tx: &mut Tx<'_>, report: &SavedReport, now: Timestamp, next_at: Option<Timestamp>) -> Result<bool, Error> {
    let due = saved_reports::table.filter(saved_reports::id.eq(report.id).and(saved_reports::next_at.eq(report.next_at)));
    let sent = (saved_reports::last_sent_at.eq(Some(now)), saved_reports::next_at.eq(next_at));
    Ok(diesel::update(due).set(sent).execute(&mut **tx)? == 1)
}

/// Forgets a view; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: SavedReportId) -> Result<bool, Error> {
    Ok(diesel::delete(saved_reports::table.filter(saved_reports::id.eq(id))).execute(&mut **tx)? == 1)
}
