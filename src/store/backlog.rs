//! The backlog: jobs as administrators see them, and as they have them tried again.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    jobs::{Job, database_now},
    page::{Page, PageRequest},
    schema::jobs,
};
use crate::{
    domain::{id::JobId, time::Timestamp},
    words,
};

words! {
    /// Where a job stands.
    pub enum JobState {
        /// Waits for its time, and has not failed.
        Waiting = "waiting",
        /// Somebody works on it.
        Running = "running",
        /// Failed, and waits to be tried again.
        Failing = "failing",
        /// Was given up.
        Dead = "dead",
    }
}

impl Job {
    /// Where it stands, at this time of the database's clock.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> JobState {
        if self.dead_at.is_some() {
            JobState::Dead
        } else if self.lease_until.is_some_and(|end| end > now) {
            JobState::Running
        } else if self.last_error.is_some() {
            JobState::Failing
        } else {
            JobState::Waiting
        }
    }
}

/// Which jobs are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Which stand here.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<String>,
}

/// Jobs, newest first, with the time of the database's clock.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, filter: &Filter, page: PageRequest<JobId>) -> Result<(Page<Job>, Timestamp), Error> {
    let now = database_now(conn)?;
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query = $query.into_boxed();
            if let Some(kind) = &filter.kind {
                query = query.filter(jobs::kind.eq(kind.clone()));
            }
            match filter.state {
                Some(JobState::Dead) => query = query.filter(jobs::dead_at.is_not_null()),
                Some(JobState::Running) => query = query.filter(jobs::dead_at.is_null()).filter(jobs::lease_until.gt(now)),
                Some(JobState::Failing) => query = query.filter(is_idle(now)).filter(jobs::last_error.is_not_null()),
                Some(JobState::Waiting) => query = query.filter(is_idle(now)).filter(jobs::last_error.is_null()),
                None => {}
            }
            query
        }};
    }
    let total = filtered!(jobs::table.count()).get_result(conn)?;
    let mut query = filtered!(jobs::table.select(Job::as_select()));
    if let Some(before) = page.after {
        query = query.filter(jobs::id.lt(before));
    }
    let items = query.order(jobs::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok((Page::cut(items, page.limit, total, |job: &Job| job.id), now))
}

/// Whether a job is alive and nobody works on it.
#[diesel::dsl::auto_type]
fn is_idle(now: Timestamp) -> _ {
    jobs::dead_at.is_null().and(jobs::lease_until.is_null().or(jobs::lease_until.le(now)))
}

/// The job of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: JobId) -> Result<Option<Job>, Error> {
    Ok(jobs::table.filter(jobs::id.eq(id)).select(Job::as_select()).first(conn).optional()?)
}

/// The jobs of these keys, as far as there are any.
///
/// # Errors
/// Those of the database.
pub fn find_by_keys(conn: &mut Conn, keys: &[String]) -> Result<Vec<Job>, Error> {
    Ok(jobs::table.filter(jobs::key.eq_any(keys.to_vec())).select(Job::as_select()).load(conn)?)
}

/// Lets jobs run at once that wait for their time; gives how many there were. Their tries are counted on.
///
/// # Errors
/// Those of the database.
pub fn hasten(tx: &mut Tx<'_>, keys: &[String]) -> Result<usize, Error> {
    let now = database_now(tx)?;
    let waiting = jobs::table.filter(jobs::key.eq_any(keys.to_vec())).filter(jobs::dead_at.is_null().and(jobs::run_at.gt(now)));
    Ok(diesel::update(waiting.filter(jobs::lease_until.is_null())).set(jobs::run_at.eq(now)).execute(&mut **tx)?)
}

/// Gives a job all its tries again, from now on; says whether it could: nobody may be working on it.
///
/// # Errors
/// Those of the database.
pub fn retry(tx: &mut Tx<'_>, id: JobId) -> Result<bool, Error> {
    let now = database_now(tx)?;
    let idle = jobs::table.filter(jobs::id.eq(id)).filter(jobs::lease_until.is_null().or(jobs::lease_until.le(now)));
    let changed = diesel::update(idle)
        .set((jobs::dead_at.eq(None::<Timestamp>), jobs::attempts.eq(0), jobs::run_at.eq(now), jobs::lease_until.eq(None::<Timestamp>)))
        .execute(&mut **tx)?;
    Ok(changed == 1)
}
