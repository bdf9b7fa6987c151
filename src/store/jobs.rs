//! Jobs: what happens after a commit. Enqueued in the caller's transaction, claimed with a lease by the database's clock.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::{first_locked, on_backend},
    schema::jobs,
};
use crate::domain::{id::JobId, time::Timestamp};

/// One job.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
pub struct Job {
    /// Its identifier.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// There is one job for each key.
    pub key: String,
    /// With what, as JSON text.
    pub payload: String,
    /// Not before this time of the database's clock.
    pub run_at: Timestamp,
    /// How often it was claimed; with the identifier, this names the lease.
    pub attempts: i32,
    /// Until when somebody works on it.
    pub lease_until: Option<Timestamp>,
    /// It was enqueued once more while somebody worked on it.
    pub is_enqueued_again: bool,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When it was given up.
    pub dead_at: Option<Timestamp>,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

/// The database's clock, which all servers share.
///
/// # Errors
/// Those of the database.
pub fn database_now(conn: &mut Conn) -> Result<Timestamp, Error> {
    use diesel::{dsl::sql, select, sql_types::BigInt};
    let millis: i64 = match conn {
        Conn::Postgres(c) => select(sql::<BigInt>("CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")).get_result(c)?,
        Conn::Sqlite(c) => select(sql::<BigInt>("CAST(unixepoch('subsec') * 1000 AS INTEGER)")).get_result(c)?,
    };
    Ok(Timestamp::from_millis(millis))
}

/// Work to be enqueued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What is to be done.
    pub kind: &'static str,
    /// There is one job for each key: enqueued again before it ran, it runs once; while it runs, once more.
    pub key: String,
    /// With what.
    pub payload: serde_json::Value,
    /// Not before so many seconds from now.
    pub delay_seconds: i64,
}

/// Enqueues a job, in the transaction that it follows.
///
/// # Errors
/// Those of the database.
pub fn enqueue(tx: &mut Tx<'_>, new: &NewJob) -> Result<(), Error> {
    let now = database_now(tx)?;
    let job = Job {
        id: JobId::new(),
        kind: new.kind.into(),
        key: new.key.clone(),
        payload: new.payload.to_string(),
        run_at: now.plus_seconds(new.delay_seconds),
        attempts: 0,
        lease_until: None,
        is_enqueued_again: false,
        last_error: None,
        dead_at: None,
        created_at: now,
    };
    for _ in 0..ENQUEUE_TRIES {
        let inserted = on_backend!(&mut **tx, |c| diesel::insert_into(jobs::table).values(&job).on_conflict_do_nothing().execute(c))?;
        if inserted == 1 {
            return Ok(());
        }
        // Locked until the commit: a worker that took the job, or finished it, before this transaction's changes can be seen
        // would leave nobody to come for them. Where the job is gone meanwhile, it is new after all.
        if let Some(present) = first_locked!(tx, jobs::table.filter(jobs::key.eq(&job.key)).select(Job::as_select())) {
            return revive(tx, &present, &job);
        }
    }
    Err(Error::Unavailable(format!("the job {} comes and goes too fast", job.key)))
}

/// How often a job may be finished just before it is enqueued once more.
const ENQUEUE_TRIES: usize = 10;

/// The key is there already: a waiting job runs at the earlier of both times, a running one once more, a dead one again.
fn revive(tx: &mut Tx<'_>, present: &Job, job: &Job) -> Result<(), Error> {
    let row = jobs::table.filter(jobs::id.eq(present.id));
    // Whoever holds the lease may finish yet, even after it has run out.
    if present.lease_until.is_some() {
        diesel::update(row).set((jobs::is_enqueued_again.eq(true), jobs::payload.eq(&job.payload))).execute(&mut **tx)?;
    } else if present.dead_at.is_some() {
        diesel::update(row)
            .set((jobs::dead_at.eq(None::<Timestamp>), jobs::attempts.eq(0), jobs::run_at.eq(job.run_at), jobs::payload.eq(&job.payload)))
            .execute(&mut **tx)?;
    } else {
        let run_at = present.run_at.min(job.run_at);
        diesel::update(row).set((jobs::run_at.eq(run_at), jobs::payload.eq(&job.payload))).execute(&mut **tx)?;
    }
    Ok(())
}

/// The jobs of a kind that are due at an instant and that nobody has.
macro_rules! is_due_by {
    ($kind:expr, $now:expr) => {
        jobs::table
            .filter(jobs::dead_at.is_null().and(jobs::kind.eq($kind)).and(jobs::run_at.le($now)))
            .filter(jobs::lease_until.is_null().or(jobs::lease_until.le($now)))
    };
}

/// Claims the job that has waited longest, of the kinds given, for so many seconds. Nobody else gets it until then.
///
/// # Errors
/// Those of the database.
pub fn claim(tx: &mut Tx<'_>, kinds: &[&str], lease_seconds: i64) -> Result<Option<Job>, Error> {
    Ok(claim_many(tx, kinds, lease_seconds, 1)?.pop())
}

/// Claims so many jobs at most, those that have waited longest.
///
/// # Errors
/// Those of the database.
pub fn claim_many(tx: &mut Tx<'_>, kinds: &[&str], lease_seconds: i64, most: usize) -> Result<Vec<Job>, Error> {
    let now = database_now(tx)?;
    let mut claimed = Vec::new();
    for kind in kinds {
        claimed.extend(due(tx, kind, now, most)?);
    }
    claimed.sort_by_key(|job: &Job| (job.run_at, job.id));
    claimed.truncate(most);
    for job in &mut claimed {
        job.attempts = job.attempts.saturating_add(1);
        job.lease_until = Some(now.plus_seconds(lease_seconds));
        diesel::update(jobs::table.filter(jobs::id.eq(job.id)))
            .set((jobs::attempts.eq(job.attempts), jobs::lease_until.eq(job.lease_until), jobs::is_enqueued_again.eq(false)))
            .execute(&mut **tx)?;
    }
    Ok(claimed)
}

/// The jobs of one kind that are due and that nobody has, oldest first. The index has them in this order for each kind.
fn due(tx: &mut Tx<'_>, kind: &str, now: Timestamp, most: usize) -> Result<Vec<Job>, Error> {
    macro_rules! due {
        () => {
            is_due_by!(kind, now)
                .order((jobs::run_at.asc(), jobs::id.asc()))
                .limit(i64::try_from(most).unwrap_or(i64::MAX))
                .select(Job::as_select())
        };
    }
    Ok(match &mut **tx {
        Conn::Postgres(c) => due!().for_update().skip_locked().load(c)?,
        Conn::Sqlite(c) => due!().load(c)?,
    })
}

/// Whether a job of this kind is due: a glance that takes no lock, for those who would otherwise claim in vain.
///
/// # Errors
/// Those of the database.
pub fn is_due(conn: &mut Conn, kind: &str) -> Result<bool, Error> {
    let now = database_now(conn)?;
    Ok(diesel::select(diesel::dsl::exists(is_due_by!(kind, now))).get_result(conn)?)
}

/// Removes a finished job, or lets it wait again if it was enqueued meanwhile. Does nothing if the lease was lost.
///
/// # Errors
/// Those of the database.
pub fn finish(tx: &mut Tx<'_>, job: &Job) -> Result<(), Error> {
    let now = database_now(tx)?;
    let ours = jobs::table.filter(is_held(job));
    diesel::delete(ours.filter(jobs::is_enqueued_again.eq(false))).execute(&mut **tx)?;
    diesel::update(ours)
        .set((jobs::attempts.eq(0), jobs::lease_until.eq(None::<Timestamp>), jobs::run_at.eq(now), jobs::is_enqueued_again.eq(false)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Lets a failed job wait for so many seconds, or gives it up.
///
/// # Errors
/// Those of the database.
pub fn put_off(tx: &mut Tx<'_>, job: &Job, error: &str, delay_seconds: Option<i64>) -> Result<(), Error> {
    let now = database_now(tx)?;
    let run_at = now.plus_seconds(delay_seconds.unwrap_or(0));
    let ours = jobs::table.filter(is_held(job));
    let waits = (jobs::run_at.eq(run_at), jobs::last_error.eq(error), jobs::is_enqueued_again.eq(false));
    if delay_seconds.is_none() {
        // What was enqueued meanwhile has all its tries before it; only what nobody asked for again is given up.
        diesel::update(ours.filter(jobs::is_enqueued_again.eq(true)))
            .set((waits, jobs::attempts.eq(0), jobs::lease_until.eq(None::<Timestamp>)))
            .execute(&mut **tx)?;
    }
    let dead_at = if delay_seconds.is_none() { Some(now) } else { None };
    diesel::update(ours).set((waits, jobs::dead_at.eq(dead_at), jobs::lease_until.eq(None::<Timestamp>))).execute(&mut **tx)?;
    Ok(())
}

/// Whether a job is still leased as it was when this was claimed. The tries alone do not tell: they begin anew.
#[diesel::dsl::auto_type]
fn is_held(job: &Job) -> _ {
    let (id, attempts): (JobId, i32) = (job.id, job.attempts);
    let lease_until: Option<Timestamp> = job.lease_until;
    jobs::id.eq(id).and(jobs::attempts.eq(attempts)).and(jobs::lease_until.eq(lease_until))
}

/// How many jobs wait and how many were given up, by kind.
///
/// # Errors
/// Those of the database.
pub fn totals(conn: &mut Conn) -> Result<Vec<(String, bool, i64)>, Error> {
    use diesel::dsl::count_star;
    let rows: Vec<(String, i64)> =
        jobs::table.filter(jobs::dead_at.is_null()).group_by(jobs::kind).select((jobs::kind, count_star())).load(conn)?;
    let dead: Vec<(String, i64)> =
        jobs::table.filter(jobs::dead_at.is_not_null()).group_by(jobs::kind).select((jobs::kind, count_star())).load(conn)?;
    Ok(rows.into_iter().map(|(kind, n)| (kind, false, n)).chain(dead.into_iter().map(|(kind, n)| (kind, true, n))).collect())
}

/// The job of this key.
///
/// # Errors
/// Those of the database.
pub fn find_by_key(conn: &mut Conn, key: &str) -> Result<Option<Job>, Error> {
    Ok(jobs::table.filter(jobs::key.eq(key)).select(Job::as_select()).first(conn).optional()?)
}
