//! The audit log: append only, each line sealed with the hash of the one before.

use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Conn, Error, Tx,
    conn::first_locked,
    document,
    kept::run_kept,
    page::{Page, PageRequest},
    schema::{audit, audit_head},
};
use crate::domain::{
    audit::{Actor, ActorKind, Line, seal},
    time::Timestamp,
};

/// One line of the log.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Serialize, ToSchema)]
#[diesel(table_name = audit)]
pub struct AuditLine {
    /// Its place, from 1 without gaps.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Through which door somebody acted.
    pub actor_kind: ActorKind,
    /// Who.
    pub actor_name: String,
    /// What, such as `device.wipe`.
    pub action: String,
    /// To what kind of thing.
    pub subject_kind: String,
    /// To which one.
    pub subject: String,
    /// The rest, as JSON text.
    pub detail: String,
    /// The seal.
    #[serde(serialize_with = "as_hex")]
    #[schema(value_type = String)]
    pub hash: Vec<u8>,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use std::fmt::Write;
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(hex, "{byte:02x}").map_err(serde::ser::Error::custom)?;
    }
    serializer.serialize_str(&hex)
}

/// What happened, before it has its place in the log.
pub struct Entry<'a> {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: &'a Actor,
    /// What, such as `device.wipe`.
    pub action: &'static str,
    /// To what kind of thing.
    pub subject_kind: &'static str,
    /// To which one.
    pub subject: String,
    /// The rest.
    pub detail: serde_json::Value,
}

/// Appends a line, in the transaction of the change that it tells of.
///
/// # Errors
/// Those of the database; the change must then not happen.
pub fn record(tx: &mut Tx<'_>, entry: &Entry<'_>) -> Result<(), Error> {
    let head: Option<(i64, Vec<u8>)> = first_locked!(tx, audit_head::table.select((audit_head::sequence, audit_head::hash)));
    let (sequence, previous) = head.ok_or_else(|| Error::Corrupt("the audit log has lost its end".into()))?;
    let detail = document(&entry.detail)?;
    let line = Line {
        sequence: sequence.saturating_add(1),
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        subject_kind: entry.subject_kind,
        subject: &entry.subject,
        detail: &detail,
    };
    let hash = seal(&previous, &line).to_vec();
    run_kept!(tx, diesel::update(audit_head::table).set((audit_head::sequence.eq(line.sequence), audit_head::hash.eq(&hash))))?;
    diesel::insert_into(audit::table)
        .values(AuditLine {
            sequence: line.sequence,
            at: line.at,
            actor_kind: entry.actor.kind,
            actor_name: entry.actor.name.clone(),
            action: entry.action.into(),
            subject_kind: entry.subject_kind.into(),
            subject: entry.subject.clone(),
            detail: detail.clone(),
            hash,
        })
        .execute(&mut **tx)?;
    Ok(())
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this actor.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// Not before this instant.
    pub since: Option<Timestamp>,
}

/// Lines, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, filter: &Filter, page: PageRequest<i64>) -> Result<Page<AuditLine>, Error> {
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query = $query.into_boxed();
            if let Some(actor) = &filter.actor {
                query = query.filter(audit::actor_name.eq(actor.clone()));
            }
            if let Some(action) = &filter.action {
                query = query.filter(audit::action.eq(action.clone()));
            }
            if let Some(since) = filter.since {
                query = query.filter(audit::at.ge(since));
            }
            query
        }};
    }
    let total = filtered!(audit::table.count()).get_result(conn)?;
    let mut query = filtered!(audit::table.select(AuditLine::as_select()));
    if let Some(before) = page.after {
        query = query.filter(audit::sequence.lt(before));
    }
    let items = query.order(audit::sequence.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |line: &AuditLine| line.sequence))
}

/// Makes every other writer of the log wait until the commit, so that what was counted stays true.
///
/// # Errors
/// Those of the database.
pub fn lock(tx: &mut Tx<'_>) -> Result<(), Error> {
    let head: Option<i64> = first_locked!(tx, audit_head::table.select(audit_head::sequence));
    head.map(drop).ok_or_else(|| Error::Corrupt("the audit log has lost its end".into()))
}

/// How often an actor did one of these things since then.
///
/// # Errors
/// Those of the database.
pub fn count_since(conn: &mut Conn, actor: &str, actions: &[&str], since: Timestamp) -> Result<i64, Error> {
    Ok(audit::table
        .filter(
            audit::actor_name
                .eq(actor)
                .and(audit::action.eq_any(actions.iter().map(|action| (*action).to_owned()).collect::<Vec<_>>()))
                .and(audit::at.ge(since)),
        )
        .count()
        .get_result(conn)?)
}

/// Whether the chain holds from its first line to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verification {
    /// Every line is as it was written, and none is missing.
    pub is_intact: bool,
    /// How many lines were read.
    pub lines: i64,
    /// The first line that is not as it was written.
    pub broken_at: Option<i64>,
}

/// Reads the whole log and checks every seal, while others go on writing.
///
/// # Errors
/// Those of the database.
pub fn verify(conn: &mut Conn) -> Result<Verification, Error> {
    let mut previous = vec![0_u8; 32];
    let mut sequence = 0_i64;
    // Read before the lines: whatever it says must then be found among them.
    let mut head = end_of_chain(conn)?;
    loop {
        let lines: Vec<AuditLine> = audit::table
            .filter(audit::sequence.gt(sequence))
            .order(audit::sequence.asc())
            .limit(1000)
            .select(AuditLine::as_select())
            .load(conn)?;
        if lines.is_empty() {
            if head.0 >= sequence {
                break;
            }
            // Lines were added since, and the end with them; an end that lags behind its lines is none.
            head = end_of_chain(conn)?;
            if head.0 < sequence {
                break;
            }
            continue;
        }
        for line in lines {
            let expected = sequence.saturating_add(1);
            if line.sequence != expected || seal_of(&previous, &line).as_slice() != line.hash {
                return Ok(Verification { is_intact: false, lines: sequence, broken_at: Some(expected) });
            }
            sequence = line.sequence;
            previous = line.hash;
        }
    }
    let is_intact = head == (sequence, previous);
    Ok(Verification { is_intact, lines: sequence, broken_at: if is_intact { None } else { Some(sequence.saturating_add(1)) } })
}

/// Where the chain ends; before its beginning if somebody has removed that.
fn end_of_chain(conn: &mut Conn) -> Result<(i64, Vec<u8>), Error> {
    let head: Option<(i64, Vec<u8>)> = audit_head::table.select((audit_head::sequence, audit_head::hash)).first(conn).optional()?;
    Ok(head.unwrap_or((-1, Vec::new())))
}

fn seal_of(previous: &[u8], line: &AuditLine) -> [u8; 32] {
    let actor = Actor { kind: line.actor_kind, name: line.actor_name.clone() };
    seal(
        previous,
        &Line {
            sequence: line.sequence,
            at: line.at,
            actor: &actor,
            action: &line.action,
            subject_kind: &line.subject_kind,
            subject: &line.subject,
            detail: &line.detail,
        },
    )
}
