//! Ends sessions at the mail server, apart from all other jobs: whoever may not read mail any more must be out within seconds,
//! whatever else there is to do.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    domain::retry::{USUAL_TRIES, delay_seconds},
    service::{App, Error, mail_sessions::Whose, queue::draw},
    store::jobs::Job,
};

/// Seconds for which a job is claimed; the mail server answers within a few.
const LEASE_SECONDS: i64 = 30;
/// How long nothing is looked for where nothing was found.
const IDLE: Duration = Duration::from_millis(500);
/// How often it is tried again at once, so to speak: a mail server that restarts is back within seconds.
const QUICK_TRIES: i32 = 5;
/// Seconds between two of those.
const QUICK_SECONDS: i64 = 1;

/// Ends sessions until told to stop.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match work_once(&app).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = %error, "jobs that end mail sessions cannot be read; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(IDLE) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Does one job; says whether there was one.
///
/// # Errors
/// Those of the database; the job itself then comes back after its lease.
pub async fn work_once(app: &Arc<App>) -> Result<bool, Error> {
    let Some(job) = app.claim_kick(LEASE_SECONDS).await? else { return Ok(false) };
    let failure = match serde_json::from_str::<Whose>(&job.payload) {
        Ok(whose) => app.kick(&whose).await?,
        Err(error) => Some(format!("the job cannot be read: {error}")),
    };
    match failure {
        None => app.finish_job(job).await?,
        Some(why) => {
            tracing::warn!(job = %job.id, attempt = job.attempts, why, "mail sessions could not be ended");
            let delay = delay(&job);
            app.put_off_job(job, why, delay).await?;
        }
    }
    Ok(true)
}

/// How long a job waits that failed; none where it is given up.
fn delay(job: &Job) -> Option<i64> {
    let slow_tries = job.attempts.saturating_sub(QUICK_TRIES);
    if slow_tries <= 0 {
        return Some(QUICK_SECONDS);
    }
    (slow_tries < USUAL_TRIES).then(|| delay_seconds(slow_tries, draw()))
}
