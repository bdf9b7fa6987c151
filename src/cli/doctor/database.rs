//! The database: whether it answers, keeps what it was told, agrees about the time, and whether its jobs are done.

use super::{Finding, Site};
use crate::{
    jobs::kinds,
    store::{self, Conn, finders, health, jobs::database_now, migrate, refill, tallies},
};

/// Seconds by which two clocks may differ.
const DRIFT_SECONDS: i64 = 60;
/// Seconds that a job may wait for somebody to do it.
const LATE_SECONDS: i64 = 300;

/// Whether it answers, has the schema of this program, loses nothing, and is sound.
pub(super) fn database(site: &mut Site<'_>) -> Finding {
    let conn = match &mut site.database {
        Ok(conn) => conn,
        Err(why) => {
            return Finding::wrong(
                why.clone(),
                "see that the database is there and reachable, and that database-url is right; a new one is made by 'enlist init' or 'enlist serve'",
            );
        }
    };
    look(conn).unwrap_or_else(|error| Finding::wrong(format!("the database cannot be asked: {error}"), "look at the database's own log"))
}

fn look(conn: &mut Conn) -> Result<Finding, store::Error> {
    let steps = migrate::steps(conn)?;
    if let Some(step) = migrate::unknown_among(&steps) {
        return Ok(Finding::wrong(
            format!("the database was migrated by a newer version of enlist (step {step})"),
            "install that version or a newer one",
        ));
    }
    if !migrate::are_all(&steps) {
        return Ok(Finding::wrong("the database lacks steps of migration", "start the server once: it migrates the database"));
    }
    let careless = health::careless_settings(conn)?;
    if !careless.is_empty() {
        return Ok(Finding::wrong(
            format!("PostgreSQL runs with {} off, and can lose what it has acknowledged", careless.join(" and ")),
            "switch it on in postgresql.conf",
        ));
    }
    if !refill::is_sound(conn)? {
        return Ok(Finding::wrong("the database file is damaged", "stop the server and restore the last backup into an empty data folder"));
    }
    if tallies::wrong(conn)? > 0 || finders::wrong(conn)? > 0 {
        return Ok(Finding::wrong(
            "what is kept beside devices and users, to count and to find them, does not agree with them",
            "let the server run: it puts that right within the hour; find out who writes into the database besides it",
        ));
    }
    let what = if matches!(conn, Conn::Sqlite(_)) { "SQLite" } else { "PostgreSQL" };
    Ok(Finding::ok(format!("{what} answers, is migrated, and keeps what it acknowledges")))
}

/// This machine's clock against the database's, and against what was written.
pub(super) fn clock(site: &mut Site<'_>) -> Finding {
    let now = site.now;
    let seen = site.database().map(|conn| database_now(conn).and_then(|there| Ok((there, health::newest_row(conn)?))));
    let (there, newest) = match seen {
        Ok(Ok(seen)) => seen,
        Ok(Err(_)) => return Finding::unknown("the database cannot be asked"),
        Err(finding) => return finding,
    };
    let remedy = "let both machines take their time from the network (chrony or systemd-timesyncd)";
    if there.seconds().abs_diff(now.seconds()) > DRIFT_SECONDS.unsigned_abs() {
        return Finding::wrong(format!("this machine says {now} and the database says {there}"), remedy);
    }
    match newest {
        Some(newest) if newest > now.plus_seconds(DRIFT_SECONDS) => Finding::wrong(
            format!("this machine says {now}, but something was written at {newest} already: the clock was set back, or was ahead"),
            "set the clock right before the server goes on: codes and certificates depend on it",
        ),
        _ => Finding::ok("the clock agrees with the database's and with what was written"),
    }
}

/// Whether what was promised is being done.
pub(super) fn jobs(site: &mut Site<'_>) -> Finding {
    let queue = match site.database().map(|conn| health::queue(conn, &kinds())) {
        Ok(Ok(queue)) => queue,
        Ok(Err(_)) => return Finding::unknown("the database cannot be asked"),
        Err(finding) => return finding,
    };
    if queue.dead > 0 {
        let why = queue.last_error.unwrap_or_else(|| "no reason was noted".into());
        return Finding::wrong(
            format!("{} job(s) were given up; the last one because: {why}", queue.dead),
            "mend what they say, and order again what is still wanted, such as an invitation",
        );
    }
    match queue.due_since {
        Some(since) if since < queue.now.plus_seconds(-LATE_SECONDS) => {
            Finding::wrong(format!("nobody has done what is due since {since}"), "start the server, or look into its log")
        }
        _ => Finding::ok("nothing waits that should be done, and nothing was given up"),
    }
}
