//! What a database can say about its own health.

use diesel::{QueryableByName, dsl::max, prelude::*, sql_query, sql_types::Text};

use super::{
    Conn, Error,
    jobs::database_now,
    schema::{audit, devices, jobs, mails},
};
use crate::domain::time::Timestamp;

/// Settings of PostgreSQL with which an acknowledged write can be lost; SQLite is not opened with such.
///
/// # Errors
/// Those of the database.
pub fn careless_settings(conn: &mut Conn) -> Result<Vec<String>, Error> {
    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let Conn::Postgres(c) = conn else { return Ok(Vec::new()) };
    // The query builder does not know the server's own views.
    let found: Vec<Setting> = sql_query(
        "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off' ORDER BY name",
    )
    .load(c)?;
    Ok(found.into_iter().map(|setting| setting.name).collect())
}

/// The latest time that any row bears, if there are rows.
///
/// # Errors
/// Those of the database.
pub fn newest_row(conn: &mut Conn) -> Result<Option<Timestamp>, Error> {
    let times: [Option<Timestamp>; 3] = [
        audit::table.select(max(audit::at)).first(conn)?,
        devices::table.select(max(devices::last_seen_at)).first(conn)?,
        mails::table.select(max(mails::created_at)).first(conn)?,
    ];
    Ok(times.into_iter().flatten().max())
}

/// How the queue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Jobs that were given up.
    pub dead: i64,
    /// Why the last of them was.
    pub last_error: Option<String>,
    /// Since when the job that has waited longest is due, if one is.
    pub due_since: Option<Timestamp>,
    /// The present, by the database's clock.
    pub now: Timestamp,
}

/// Looks at the queue of these kinds.
///
/// # Errors
/// Those of the database.
pub fn queue(conn: &mut Conn, kinds: &[&str]) -> Result<Queue, Error> {
    use diesel::dsl::min;
    let now = database_now(conn)?;
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let is_free = jobs::lease_until.is_null().or(jobs::lease_until.le(now));
    Ok(Queue {
        dead: jobs::table.filter(jobs::dead_at.is_not_null()).count().get_result(conn)?,
        last_error: jobs::table
            .filter(jobs::dead_at.is_not_null())
            .order(jobs::dead_at.desc())
            .select(jobs::last_error)
            .first::<Option<String>>(conn)
            .optional()?
            .flatten(),
        due_since: jobs::table
            .filter(jobs::dead_at.is_null().and(jobs::run_at.le(now)).and(jobs::kind.eq_any(kinds)))
            .filter(is_free)
            .select(min(jobs::run_at))
            .first(conn)?,
        now,
    })
}
