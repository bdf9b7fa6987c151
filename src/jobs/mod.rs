//! What happens after a commit: takes jobs from the table, one after the other, and does them. Codes have a runner of their own,
//! because somebody waits for each, and so have mails with files, which take long. So have pushes, and so has ending sessions,
//! which must not wait behind anything.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::{sync::watch, time::Instant};

pub mod kick;
mod mail;
pub mod push;
mod webhook;

use crate::{
    domain::{
        id::ImportId,
        mail::{CODE_JOB, FILE_JOB, MAIL_JOB, MAIL_JOBS},
        retry::{self, delay_seconds},
    },
    service::{
        App, Error, census, deliver, import, push as pushes,
        queue::{self, Lane},
        rollout,
    },
    store::jobs::Job,
};

/// The kind of the job that looks for what time has brought about.
const SWEEP: &str = "sweep";
/// The kinds of the lane that does what no other one does.
const OTHERS: &[&str] = &[MAIL_JOB, deliver::JOB, rollout::JOB, pushes::BACKLOG, SWEEP, census::JOB, import::JOB];
/// The kinds that come back by themselves, after so many seconds.
const RECURRING: [(&str, i64); 2] = [(SWEEP, SWEEP_SECONDS), (census::JOB, CENSUS_SECONDS)];
/// Seconds for which a job is claimed.
const LEASE_SECONDS: i64 = 120;
/// The same for a mail with a file, which has time by its size.
const FILE_LEASE_SECONDS: i64 = 720;
/// Seconds between two counts for the trend.
const CENSUS_SECONDS: i64 = 3600;
/// Seconds between two sweeps.
const SWEEP_SECONDS: i64 = 30;
/// Devices in one sweep.
const SWEEP_DEVICES: i64 = 500;

/// What a job came to.
enum Outcome {
    Done,
    /// It comes back by itself after so many seconds.
    Again(i64),
    /// It keeps count of its tries by itself, and is never given up.
    Later {
        seconds: i64,
        why: String,
    },
    Failed(String),
}

/// The kinds of all lanes.
#[must_use]
pub fn kinds() -> Vec<&'static str> {
    Lane::ALL.into_iter().flat_map(kinds_of).copied().collect()
}

const fn kinds_of(lane: Lane) -> &'static [&'static str] {
    match lane {
        Lane::Codes => &[CODE_JOB],
        Lane::Files => &[FILE_JOB],
        Lane::Others => OTHERS,
    }
}

/// Does the jobs of a lane until told to stop.
pub async fn run(app: Arc<App>, lane: Lane, mut stop: watch::Receiver<bool>) {
    let mut sweep_asked_at: Option<Instant> = None;
    while !*stop.borrow() {
        // Asked for again and again: it is one job however often it is enqueued, and it must never be lost.
        if lane == Lane::Others && sweep_asked_at.is_none_or(|at| at.elapsed() > Duration::from_secs(60)) {
            let is_first = sweep_asked_at.replace(Instant::now()).is_none();
            for (kind, seconds) in RECURRING {
                if let Err(error) = app.enqueue_recurring(kind, if is_first { 0 } else { seconds }).await {
                    tracing::warn!(kind, error = %error, "work that recurs could not be enqueued");
                }
            }
        }
        match work_in(&app, lane).await {
            Ok(true) => {}
            Ok(false) => {
                tokio::select! {
                    () = app.job_enqueued(lane) => {}
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    _ = stop.changed() => {}
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "jobs cannot be read; trying again");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
}

/// Calls agents that wait on this server for what others have ordered, once a second until told to stop.
pub async fn call_agents(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = stop.changed() => {}
        }
        if let Err(error) = app.call_waiting_agents().await {
            tracing::warn!(error = %error, "the queue could not be looked at for agents; trying again");
        }
    }
}

/// Writes behind when devices were last seen, until told to stop and once more then.
pub async fn write_behind(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = stop.changed() => {}
        }
        if let Err(error) = app.flush_seen().await {
            tracing::warn!(error = %error, "when devices were seen could not be written; trying again");
        }
    }
}

/// Does one job, of whatever lane; says whether there was one.
///
/// # Errors
/// Those of the database; the job itself then comes back after its lease.
pub async fn work_once(app: &Arc<App>) -> Result<bool, Error> {
    for lane in Lane::ALL {
        if work_in(app, lane).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn work_in(app: &Arc<App>, lane: Lane) -> Result<bool, Error> {
    let claimed = match lane {
        Lane::Codes => app.claim_due(kinds_of(lane), LEASE_SECONDS).await?,
        Lane::Files => app.claim_due(kinds_of(lane), FILE_LEASE_SECONDS).await?,
        Lane::Others => app.claim_job(kinds_of(lane), LEASE_SECONDS).await?,
    };
    let Some(job) = claimed else { return Ok(false) };
    match perform(app, &job).await {
        Outcome::Done => app.finish_job(job).await?,
        Outcome::Again(seconds) => {
            let recurring = RECURRING.iter().find(|(kind, _)| *kind == job.kind);
            app.finish_job(job).await?;
            if let Some((kind, _)) = recurring {
                app.enqueue_recurring(kind, seconds).await?;
            }
        }
        Outcome::Later { seconds, why } => app.put_off_job(job, why, Some(seconds)).await?,
        Outcome::Failed(why) => put_off(app, job, why).await?,
    }
    Ok(true)
}

async fn put_off(app: &Arc<App>, job: Job, why: String) -> Result<(), Error> {
    let delay = (job.attempts < tries(&job.kind)).then(|| delay_seconds(job.attempts, queue::draw()));
    tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempts, why, "a job failed");
    if delay.is_none() && MAIL_JOBS.contains(&job.kind.as_str()) {
        mail::give_up(app, &job, &why).await?;
    }
    app.put_off_job(job, why, delay).await
}

/// How often a job of this kind is tried.
fn tries(kind: &str) -> i32 {
    match kind {
        kind if MAIL_JOBS.contains(&kind) => retry::MAIL_TRIES,
        // What waits for a target is counted with the target, and stays as long as there is any.
        deliver::JOB => i32::MAX,
        _ => retry::USUAL_TRIES,
    }
}

#[derive(Deserialize)]
struct ImportPayload {
    import: ImportId,
}

async fn perform(app: &Arc<App>, job: &Job) -> Outcome {
    let result = match job.kind.as_str() {
        CODE_JOB | FILE_JOB | MAIL_JOB => mail::send(app, job).await,
        deliver::JOB => webhook::deliver(app, job).await,
        rollout::JOB => roll_out(app, job).await,
        import::JOB => continue_import(app, job).await,
        pushes::BACKLOG => push_backlog(app).await,
        SWEEP => sweep(app).await,
        census::JOB => take_census(app).await,
        other => Ok(Outcome::Failed(format!("nobody knows how to do a {other}"))),
    };
    result.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

async fn roll_out(app: &Arc<App>, job: &Job) -> anyhow::Result<Outcome> {
    let devices = app.continue_rollout(rollout::read_payload(&job.payload)?).await?;
    tracing::info!(devices, "a change was brought to its devices");
    Ok(Outcome::Done)
}

async fn continue_import(app: &Arc<App>, job: &Job) -> anyhow::Result<Outcome> {
    let ImportPayload { import } = serde_json::from_str(&job.payload)?;
    app.continue_import(import).await?;
    Ok(Outcome::Done)
}

async fn push_backlog(app: &Arc<App>) -> anyhow::Result<Outcome> {
    let devices = app.push_backlog().await?;
    tracing::info!(devices, "devices for which something waits are being woken");
    Ok(Outcome::Done)
}

async fn take_census(app: &Arc<App>) -> anyhow::Result<Outcome> {
    app.verify_tallies().await?;
    app.take_census().await?;
    Ok(Outcome::Again(CENSUS_SECONDS))
}

async fn sweep(app: &Arc<App>) -> anyhow::Result<Outcome> {
    let evaluated = app.evaluate_due(SWEEP_DEVICES).await?;
    let asked = app.refresh_due(SWEEP_DEVICES).await?;
    app.renew_due(SWEEP_DEVICES).await?;
    app.end_unused_enrollments(SWEEP_DEVICES).await?;
    app.end_idle_browsers(SWEEP_DEVICES).await?;
    app.end_untaken_activations(SWEEP_DEVICES).await?;
    app.forget_old().await?;
    app.fold_tallies().await?;
    app.watch_push_certificate().await?;
    app.hasten_mails().await?;
    app.mail_due_reports().await?;
    let most = usize::try_from(SWEEP_DEVICES).unwrap_or(usize::MAX);
    Ok(Outcome::Again(if evaluated.max(asked) >= most { 0 } else { SWEEP_SECONDS }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::file::LONGEST, mail::smtp::size_seconds};

    #[test]
    fn nobody_else_sends_a_file_while_it_is_being_sent() {
        // A mail is half as long again as its file at most, and the other lease is for a mail server that is silent.
        let seconds = i64::try_from(size_seconds(LONGEST / 2 * 3)).unwrap();
        assert!(seconds + LEASE_SECONDS <= FILE_LEASE_SECONDS, "{seconds}");
    }
}
