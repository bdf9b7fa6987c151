//! What happens after a commit: takes jobs from the table, one after the other, and does them. Pushes have a runner of their own.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::{sync::watch, time::Instant};

pub mod push;

use crate::{
    domain::id::{MailId, PolicyId},
    service::{App, Error, outbox, policy, push as pushes},
    store::jobs::Job,
};

/// The kind of the job that looks for what time has brought about.
const SWEEP: &str = "sweep";
/// The kinds that are done here, one after the other.
pub const KINDS: &[&str] = &[outbox::JOB, policy::ROLLOUT, pushes::BACKLOG, SWEEP];
/// Seconds for which a job is claimed.
const LEASE_SECONDS: i64 = 120;
/// Seconds between two sweeps.
const SWEEP_SECONDS: i64 = 30;
/// Devices in one sweep.
const SWEEP_DEVICES: i64 = 500;
/// Seconds to wait after each failure; after the last one the job is given up.
const PATIENCE: [i64; 9] = [5, 30, 120, 600, 1800, 3600, 3600, 3600, 3600];

/// What a job came to.
enum Outcome {
    Done,
    /// It comes back by itself after so many seconds.
    Again(i64),
    Failed(String),
}

/// Does jobs until told to stop.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut sweep_asked_at: Option<Instant> = None;
    while !*stop.borrow() {
        // Asked for again and again: it is one job however often it is enqueued, and it must never be lost.
        if sweep_asked_at.is_none_or(|at| at.elapsed() > Duration::from_secs(60)) {
            sweep_asked_at = Some(Instant::now());
            if let Err(error) = app.enqueue_recurring(SWEEP, SWEEP_SECONDS).await {
                tracing::warn!(error = %error, "the sweep could not be enqueued");
            }
        }
        match work_once(&app).await {
            Ok(true) => {}
            Ok(false) => {
                tokio::select! {
                    () = app.job_enqueued() => {}
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

/// Does one job; says whether there was one.
///
/// # Errors
/// Those of the database; the job itself then comes back after its lease.
pub async fn work_once(app: &Arc<App>) -> Result<bool, Error> {
    let Some(job) = app.claim_job(KINDS, LEASE_SECONDS).await? else { return Ok(false) };
    match perform(app, &job).await {
        Outcome::Done => app.finish_job(job).await?,
        Outcome::Again(seconds) => {
            let kind = job.kind.clone();
            app.finish_job(job).await?;
            if kind == SWEEP {
                app.enqueue_recurring(SWEEP, seconds).await?;
            }
        }
        Outcome::Failed(why) => put_off(app, job, why).await?,
    }
    Ok(true)
}

async fn put_off(app: &Arc<App>, job: Job, why: String) -> Result<(), Error> {
    let tries = usize::try_from(job.attempts).unwrap_or(usize::MAX);
    let delay = PATIENCE.get(tries.saturating_sub(1)).copied();
    tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempts, why, "a job failed");
    if delay.is_none()
        && job.kind == outbox::JOB
        && let Ok(MailPayload { mail }) = serde_json::from_str(&job.payload)
    {
        app.give_up_mail(mail, why.clone()).await?;
    }
    app.put_off_job(job, why, delay).await
}

#[derive(Deserialize)]
struct MailPayload {
    mail: MailId,
}

#[derive(Deserialize)]
struct RolloutPayload {
    policy: Option<PolicyId>,
}

async fn perform(app: &Arc<App>, job: &Job) -> Outcome {
    let result = match job.kind.as_str() {
        outbox::JOB => send_mail(app, job).await,
        policy::ROLLOUT => roll_out(app, job).await,
        pushes::BACKLOG => push_backlog(app).await,
        SWEEP => sweep(app).await,
        other => Ok(Outcome::Failed(format!("nobody knows how to do a {other}"))),
    };
    result.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

async fn send_mail(app: &Arc<App>, job: &Job) -> anyhow::Result<Outcome> {
    let MailPayload { mail } = serde_json::from_str(&job.payload)?;
    Ok(match app.send_mail(mail).await? {
        outbox::Sent::Finished => Outcome::Done,
        outbox::Sent::TryAgain(why) => Outcome::Failed(why),
    })
}

async fn roll_out(app: &Arc<App>, job: &Job) -> anyhow::Result<Outcome> {
    let RolloutPayload { policy } = serde_json::from_str(&job.payload)?;
    let devices = app.roll_out(policy).await?;
    tracing::info!(devices, "a policy was brought to its devices");
    Ok(Outcome::Done)
}

async fn push_backlog(app: &Arc<App>) -> anyhow::Result<Outcome> {
    let devices = app.push_backlog().await?;
    tracing::info!(devices, "devices for which something waits are being woken");
    Ok(Outcome::Done)
}

async fn sweep(app: &Arc<App>) -> anyhow::Result<Outcome> {
    let evaluated = app.evaluate_due(SWEEP_DEVICES).await?;
    let asked = app.refresh_due(SWEEP_DEVICES).await?;
    app.renew_due(SWEEP_DEVICES).await?;
    app.end_unused_enrollments(SWEEP_DEVICES).await?;
    app.forget_old().await?;
    app.watch_push_certificate().await?;
    let most = usize::try_from(SWEEP_DEVICES).unwrap_or(usize::MAX);
    Ok(Outcome::Again(if evaluated.max(asked) >= most { 0 } else { SWEEP_SECONDS }))
}
