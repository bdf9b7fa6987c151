//! Sends pushes: many at once, so that one that hangs does not keep others back; never faster than Apple should see; and not at all
//! while that would be in vain.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde::Deserialize;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    domain::id::EnrollmentId,
    service::{
        App, Error,
        push::{Concerns, Pushed},
    },
    store::jobs::Job,
};

/// Seconds for which a push is claimed. It takes less than half of that, however silent Apple is.
const LEASE_SECONDS: i64 = 120;
/// Most pushes under way.
const AT_ONCE: usize = 100;
/// After a round that sent something, the next one waits so long: results and further pushes are then taken together.
const ROUND: Duration = Duration::from_millis(25);
/// How long nothing is looked for where nothing was found.
const IDLE: Duration = Duration::from_secs(1);
/// Seconds for which all pushes wait when the service is down; then one is tried, and when it succeeds all others follow.
const SERVICE_PATIENCE: [u64; 5] = [5, 10, 20, 40, 60];
/// Seconds between two tries while the certificate is not accepted.
const CERTIFICATE_PATIENCE: u64 = 60;
/// Seconds for which one device waits after each failure of its own. A device is never given up.
const DEVICE_PATIENCE: [u64; 6] = [10, 60, 300, 900, 1800, 3600];

/// Sends pushes until told to stop, then lets those under way end.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut gate = Gate::new(Instant::now(), app.push_imports());
    let mut flying = JoinSet::new();
    while !*stop.borrow() {
        while let Some(done) = flying.try_join_next() {
            gate.note(done.ok().as_ref(), Instant::now());
        }
        gate.see_imports(app.push_imports());
        let most = gate.allowance(Instant::now(), flying.len());
        let claimed = if most == 0 { Vec::new() } else { claim(&app, most).await };
        gate.pace.spend(claimed.len());
        let pause = if claimed.is_empty() { gate.pause(Instant::now()) } else { ROUND };
        let is_idle = claimed.is_empty();
        for job in claimed {
            flying.spawn(carry_out(Arc::clone(&app), job));
        }
        tokio::select! {
            Some(done) = flying.join_next(), if is_idle && !flying.is_empty() => gate.note(done.ok().as_ref(), Instant::now()),
            () = app.pushes_due(), if is_idle => {}
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
    while flying.join_next().await.is_some() {}
}

async fn claim(app: &App, most: usize) -> Vec<Job> {
    match app.claim_pushes(LEASE_SECONDS, most).await {
        Ok(jobs) => jobs,
        Err(error) => {
            tracing::warn!(error = %error, "pushes cannot be read; trying again");
            Vec::new()
        }
    }
}

/// Sends the pushes that are due now, all at once; says whether there were any.
///
/// # Errors
/// Those of the database.
pub async fn work_once(app: &Arc<App>) -> Result<bool, Error> {
    let jobs = app.claim_pushes(LEASE_SECONDS, AT_ONCE).await?;
    let sent = join_all(jobs.into_iter().map(|job| carry_out(Arc::clone(app), job))).await;
    Ok(!sent.is_empty())
}

#[derive(Deserialize)]
struct Payload {
    enrollment: EnrollmentId,
}

/// Sends one push and finishes its job, or puts it off.
async fn carry_out(app: Arc<App>, job: Job) -> Pushed {
    let pushed = match serde_json::from_str(&job.payload) {
        Ok(Payload { enrollment }) => app.push(enrollment).await.unwrap_or_else(|error| {
            tracing::warn!(job = %job.id, error = %error, "a push could not be made");
            Pushed::Later { why: error.to_string(), after: None, concerns: Concerns::Device }
        }),
        Err(error) => {
            tracing::error!(job = %job.id, error = %error, "a push cannot be read");
            Pushed::Finished { is_delivered: false }
        }
    };
    let id = job.id;
    let result = match &pushed {
        Pushed::Finished { .. } => app.finish_job(job).await,
        Pushed::Later { why, after, concerns } => {
            let seconds = delay(&job, *after, *concerns);
            app.put_off_job(job, why.clone(), Some(seconds)).await
        }
    };
    if let Err(error) = result {
        tracing::warn!(job = %id, error = %error, "a push could not be finished; it is made once more after its lease");
    }
    pushed
}

/// Seconds until a push may be tried again. A quarter is spread, so that not all come back in the same second.
fn delay(job: &Job, after: Option<Duration>, concerns: Concerns) -> i64 {
    let seconds = match concerns {
        Concerns::Device => step(&DEVICE_PATIENCE, u32::try_from(job.attempts.saturating_sub(1)).unwrap_or(0)),
        // The gate keeps them back as long as that is in vain; they are to be at hand when it opens.
        Concerns::Service => step(&SERVICE_PATIENCE, 0),
        Concerns::Certificate => CERTIFICATE_PATIENCE,
    };
    let seconds = after.map_or(seconds, |after| after.as_secs().saturating_add(1).max(seconds));
    let [.., random] = job.id.as_bytes();
    let spread = seconds.saturating_mul(u64::from(*random)) / 1024;
    i64::try_from(seconds.saturating_add(spread)).unwrap_or(i64::MAX)
}

/// The step of a ladder, or its last one.
fn step(ladder: &[u64], at: u32) -> u64 {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    ladder.get(at).or(ladder.last()).copied().unwrap_or_default()
}

/// Decides how many pushes may be sent now.
struct Gate {
    pace: Pace,
    /// How often everything failed, one time after the other.
    failures: u32,
    held_until: Option<Instant>,
    imports: u64,
}

impl Gate {
    const fn new(now: Instant, imports: u64) -> Self {
        Self { pace: Pace { credit: Pace::MOST, at: now }, failures: 0, held_until: None, imports }
    }

    /// Opens when another certificate was imported.
    fn see_imports(&mut self, imports: u64) {
        if imports != self.imports {
            (self.imports, self.failures, self.held_until) = (imports, 0, None);
        }
    }

    /// How many may be sent in addition to those under way. After everything failed, one at a time until one succeeds.
    fn allowance(&mut self, now: Instant, flying: usize) -> usize {
        if self.held_until.is_some_and(|until| now < until) {
            return 0;
        }
        let most = if self.failures > 0 { 1 } else { AT_ONCE };
        most.saturating_sub(flying).min(self.pace.allowance(now))
    }

    /// How long to wait before it is worth while to ask again.
    fn pause(&self, now: Instant) -> Duration {
        match self.held_until {
            Some(until) if now < until => until.duration_since(now).min(IDLE),
            _ if self.pace.is_spent() => ROUND,
            _ => IDLE,
        }
    }

    /// Learns from what became of a push. Those that fail together count as one failure.
    fn note(&mut self, pushed: Option<&Pushed>, now: Instant) {
        let Some(pushed) = pushed else { return };
        let seconds = match pushed {
            Pushed::Finished { is_delivered: false } => return,
            Pushed::Finished { is_delivered: true } | Pushed::Later { concerns: Concerns::Device, .. } => {
                // One that was on its way before the others failed proves nothing about the present.
                if self.held_until.is_none_or(|until| now >= until) {
                    (self.failures, self.held_until) = (0, None);
                }
                return;
            }
            Pushed::Later { concerns: Concerns::Service, after, .. } => {
                step(&SERVICE_PATIENCE, self.failures).max(after.map_or(0, |after| after.as_secs().saturating_add(1)))
            }
            Pushed::Later { concerns: Concerns::Certificate, .. } => CERTIFICATE_PATIENCE,
        };
        if self.held_until.is_none_or(|until| now >= until) {
            self.failures = self.failures.saturating_add(1);
            self.held_until = now.checked_add(Duration::from_secs(seconds));
        }
    }
}

/// At most 500 pushes in any second: 100 at once, and 400 more in each second.
struct Pace {
    /// Time that was not used yet.
    credit: Duration,
    at: Instant,
}

impl Pace {
    /// What one push costs.
    const COST: Duration = Duration::from_micros(2_500);
    /// Most that is saved up: 100 pushes.
    const MOST: Duration = Duration::from_millis(250);

    fn allowance(&mut self, now: Instant) -> usize {
        self.credit = self.credit.saturating_add(now.saturating_duration_since(self.at)).min(Self::MOST);
        self.at = now;
        usize::try_from(self.credit.as_micros() / Self::COST.as_micros()).unwrap_or(usize::MAX)
    }

    fn spend(&mut self, pushes: usize) {
        let cost = Self::COST.saturating_mul(u32::try_from(pushes).unwrap_or(u32::MAX));
        self.credit = self.credit.saturating_sub(cost);
    }

    fn is_spent(&self) -> bool {
        self.credit < Self::COST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERED: Pushed = Pushed::Finished { is_delivered: true };

    fn later(concerns: Concerns, after: Option<u64>) -> Pushed {
        Pushed::Later { why: "x".into(), after: after.map(Duration::from_secs), concerns }
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn no_second_sees_more_than_five_hundred_pushes_after_a_recovery() {
        let start = Instant::now();
        let mut gate = Gate::new(start, 0);
        let mut sent: Vec<Duration> = Vec::new();
        // Ten thousand wait, and each is answered at once.
        for round in 0_u32..4_000 {
            let now = start + Duration::from_millis(3) * round;
            let count = gate.allowance(now, 0);
            gate.pace.spend(count);
            sent.extend(std::iter::repeat_n(now - start, count));
        }
        for (index, at) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|other| **other < *at + seconds(1)).count();
            assert!(within <= 500, "{within} pushes in the second after {at:?}");
        }
        assert!(sent.len() > 4_000, "{}", sent.len());
    }

    #[test]
    fn while_the_service_is_down_one_push_at_a_time_is_tried() {
        let now = Instant::now();
        let mut gate = Gate::new(now, 0);
        assert_eq!(gate.allowance(now, 0), AT_ONCE);
        for _ in 0..AT_ONCE {
            gate.note(Some(&later(Concerns::Service, None)), now);
        }
        assert_eq!((gate.failures, gate.allowance(now + seconds(4), 0), gate.allowance(now + seconds(5), 0)), (1, 0, 1));
        gate.note(Some(&later(Concerns::Service, None)), now + seconds(5));
        assert_eq!((gate.allowance(now + seconds(14), 0), gate.allowance(now + seconds(15), 0)), (0, 1));
        assert_eq!(gate.allowance(now + seconds(15), 1), 0, "one is under way");
        gate.note(Some(&DELIVERED), now + seconds(15));
        assert_eq!(gate.allowance(now + seconds(15), 0), AT_ONCE);
    }

    #[test]
    fn a_pause_that_apple_asks_for_holds_everybody() {
        let now = Instant::now();
        let mut gate = Gate::new(now, 0);
        gate.note(Some(&later(Concerns::Service, Some(90))), now);
        gate.note(Some(&DELIVERED), now + seconds(1));
        assert_eq!((gate.allowance(now + seconds(90), 0), gate.allowance(now + seconds(91), 0)), (0, 1));
    }

    #[test]
    fn one_device_that_is_refused_holds_nobody() {
        let now = Instant::now();
        let mut gate = Gate::new(now, 0);
        gate.note(Some(&later(Concerns::Device, Some(600))), now);
        assert_eq!(gate.allowance(now, 0), AT_ONCE);
    }

    #[test]
    fn a_rejected_certificate_holds_everybody_until_another_one_comes() {
        let now = Instant::now();
        let mut gate = Gate::new(now, 0);
        gate.note(Some(&later(Concerns::Certificate, None)), now);
        gate.see_imports(0);
        assert_eq!(gate.allowance(now + seconds(59), 0), 0);
        gate.see_imports(1);
        assert_eq!(gate.allowance(now + seconds(1), 0), AT_ONCE);
    }
}
