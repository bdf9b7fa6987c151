//! Many users at once: what was asked for, line by line, and what became of each.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::{first_locked, on_backend},
    document, parse,
    schema::{import_lines, imports, mails},
};
use crate::{
    domain::{
        audit::{Actor, ActorKind},
        device::Ownership,
        id::{GroupId, ImportId, MailId, UserId},
        time::Timestamp,
    },
    store::mails::MailState,
    words,
};

words! {
    /// What is done with each line.
    pub enum ImportKind {
        /// A user is created.
        Users = "users",
        /// A user who is there is invited.
        Invitations = "invitations",
        /// A user who is there is written the announcement.
        Announcements = "announcements",
    }
}

words! {
    /// Whether there is still something to do.
    pub enum ImportState {
        /// Lines are waiting.
        Running = "running",
        /// Every line has been dealt with.
        Finished = "finished",
    }
}

words! {
    /// What became of a line.
    pub enum Outcome {
        /// Nothing yet.
        Waiting = "waiting",
        /// The user was created.
        Created = "created",
        /// The user, who was there before, was written to.
        Invited = "invited",
        /// The user was there before, and nothing was changed.
        Existing = "existing",
        /// It could not be done.
        Failed = "failed",
    }
}

/// One import.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = imports, treat_none_as_default_value = false)]
pub struct Import {
    /// Its identifier.
    pub id: ImportId,
    /// What is done.
    pub kind: ImportKind,
    /// Whether there is still something to do.
    pub state: ImportState,
    /// Through which door it was asked for.
    pub actor_kind: ActorKind,
    /// By whom.
    pub actor_name: String,
    /// Those who are created are invited as well.
    pub should_invite: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the last line was dealt with.
    pub finished_at: Option<Timestamp>,
}

impl Import {
    /// Who asked for it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { kind: self.actor_kind, name: self.actor_name.clone() }
    }
}

/// One line of an import.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = import_lines, treat_none_as_default_value = false)]
pub struct Line {
    /// Of which import.
    pub import_id: ImportId,
    /// Its number.
    pub number: i64,
    /// The user's address, in its normal form.
    pub email: String,
    /// The user's name.
    pub name: String,
    groups: String,
    /// Whose device is to be enrolled.
    pub ownership: Ownership,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it failed.
    pub why: Option<String>,
    /// The user.
    pub user_id: Option<UserId>,
    /// The mail to them.
    pub mail_id: Option<MailId>,
}

impl Line {
    /// A line that waits.
    ///
    /// # Errors
    /// The groups cannot be written as JSON.
    pub fn new(
        import: ImportId,
        number: i64,
        email: String,
        name: String,
        groups: &[GroupId],
        ownership: Ownership,
    ) -> Result<Self, Error> {
        Ok(Self {
            import_id: import,
            number,
            email,
            name,
            groups: document(&groups)?,
            ownership,
            outcome: Outcome::Waiting,
            why: None,
            user_id: None,
            mail_id: None,
        })
    }

    /// The groups that the user is put into.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn groups(&self) -> Result<Vec<GroupId>, Error> {
        parse("the groups of a line", &self.groups)
    }
}

/// The import of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: ImportId) -> Result<Option<Import>, Error> {
    Ok(imports::table.filter(imports::id.eq(id)).select(Import::as_select()).first(conn).optional()?)
}

/// The import, locked until the commit, so that no line is dealt with twice.
///
/// # Errors
/// Those of the database.
pub fn find_for_update(tx: &mut Tx<'_>, id: ImportId) -> Result<Option<Import>, Error> {
    Ok(first_locked!(tx, imports::table.filter(imports::id.eq(id)).select(Import::as_select())))
}

/// The imports that were asked for last, newest first.
///
/// # Errors
/// Those of the database.
pub fn newest(conn: &mut Conn, limit: i64) -> Result<Vec<Import>, Error> {
    Ok(imports::table.order(imports::id.desc()).limit(limit).select(Import::as_select()).load(conn)?)
}

/// Whether another import of this kind is being worked through.
///
/// # Errors
/// Those of the database.
pub fn is_another_running(conn: &mut Conn, kind: ImportKind, id: ImportId) -> Result<bool, Error> {
    let others = imports::table.filter(imports::kind.eq(kind).and(imports::state.eq(ImportState::Running)).and(imports::id.ne(id)));
    Ok(diesel::select(diesel::dsl::exists(others)).get_result(conn)?)
}

/// The next lines that wait.
///
/// # Errors
/// Those of the database.
pub fn waiting(conn: &mut Conn, id: ImportId, limit: i64) -> Result<Vec<Line>, Error> {
    Ok(import_lines::table
        .filter(import_lines::import_id.eq(id).and(import_lines::outcome.eq(Outcome::Waiting)))
        .order(import_lines::number.asc())
        .limit(limit)
        .select(Line::as_select())
        .load(conn)?)
}

/// The first lines with this outcome.
///
/// # Errors
/// Those of the database.
pub fn with_outcome(conn: &mut Conn, id: ImportId, outcome: Outcome, limit: i64) -> Result<Vec<Line>, Error> {
    Ok(import_lines::table
        .filter(import_lines::import_id.eq(id).and(import_lines::outcome.eq(outcome)))
        .order(import_lines::number.asc())
        .limit(limit)
        .select(Line::as_select())
        .load(conn)?)
}

/// How far an import has come, and its mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Lines in all.
    pub total: i64,
    /// Lines that wait.
    pub waiting: i64,
    /// Users that were created.
    pub created: i64,
    /// Users that were invited, or written to.
    pub invited: i64,
    /// Users that were there before.
    pub existing: i64,
    /// Lines that could not be done.
    pub failed: i64,
    /// Mails that are still to be sent.
    pub mails_waiting: i64,
    /// Mails that the mail server took.
    pub mails_sent: i64,
    /// Mails that were given up.
    pub mails_failed: i64,
}

/// Counts the lines of an import, and its mails. A mail that is not kept any more was finished long ago, as sent.
///
/// # Errors
/// Those of the database.
pub fn count(conn: &mut Conn, id: ImportId) -> Result<Counts, Error> {
    use diesel::dsl::count_star;
    let of_import = import_lines::table.filter(import_lines::import_id.eq(id));
    let lines: Vec<(Outcome, i64)> = of_import.group_by(import_lines::outcome).select((import_lines::outcome, count_star())).load(conn)?;
    let lines: HashMap<Outcome, i64> = lines.into_iter().collect();
    let of = |outcome: Outcome| lines.get(&outcome).copied().unwrap_or_default();
    let invited: i64 = of_import.filter(import_lines::mail_id.is_not_null()).count().get_result(conn)?;
    let mails: Vec<(MailState, i64)> = import_lines::table
        .inner_join(mails::table.on(import_lines::mail_id.eq(mails::id.nullable())))
        .filter(import_lines::import_id.eq(id))
        .group_by(mails::state)
        .select((mails::state, count_star()))
        .load(conn)?;
    let mails: HashMap<MailState, i64> = mails.into_iter().collect();
    let mailed = |state: MailState| mails.get(&state).copied().unwrap_or_default();
    let (waiting, failed) = (mailed(MailState::Queued), mailed(MailState::Failed).saturating_add(mailed(MailState::Expired)));
    Ok(Counts {
        total: lines.values().fold(0, |sum, count| sum.saturating_add(*count)),
        waiting: of(Outcome::Waiting),
        created: of(Outcome::Created),
        invited,
        existing: of(Outcome::Existing),
        failed: of(Outcome::Failed),
        mails_waiting: waiting,
        mails_sent: invited.saturating_sub(waiting).saturating_sub(failed),
        mails_failed: failed,
    })
}

/// Keeps an import.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, import: &Import, lines: &[Line]) -> Result<(), Error> {
    diesel::insert_into(imports::table).values(import).execute(&mut **tx)?;
    // Both databases limit how many values one statement may have.
    for some in lines.chunks(500) {
        on_backend!(&mut **tx, |c| diesel::insert_into(import_lines::table).values(some).execute(c))?;
    }
    Ok(())
}

/// Notes what became of a line.
///
/// # Errors
/// Those of the database.
pub fn settle(tx: &mut Tx<'_>, line: &Line) -> Result<(), Error> {
    let row = import_lines::table.filter(import_lines::import_id.eq(line.import_id).and(import_lines::number.eq(line.number)));
    diesel::update(row)
        .set((
            import_lines::outcome.eq(line.outcome),
            import_lines::why.eq(&line.why),
            import_lines::user_id.eq(line.user_id),
            import_lines::mail_id.eq(line.mail_id),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Notes that every line was dealt with.
///
/// # Errors
/// Those of the database.
pub fn finish(tx: &mut Tx<'_>, id: ImportId, now: Timestamp) -> Result<(), Error> {
    diesel::update(imports::table.filter(imports::id.eq(id)))
        .set((imports::state.eq(ImportState::Finished), imports::finished_at.eq(Some(now))))
        .execute(&mut **tx)?;
    Ok(())
}

/// Removes imports that were asked for before then.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(imports::table.filter(imports::created_at.lt(before).and(imports::state.eq(ImportState::Finished))))
        .execute(&mut **tx)?)
}
