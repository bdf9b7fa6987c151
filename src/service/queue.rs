//! Jobs from the side of the use cases: what is enqueued after a commit, and how the runner claims and finishes it.

use serde_json::json;
use tokio::sync::Notify;

use super::{App, Error, Result};
use crate::{
    domain::backend::Backend,
    store::{
        Tx,
        enrollments::Enrollment,
        jobs::{self, Job, NewJob},
        push_certificates,
    },
};

/// The kind of the jobs that wake devices through Apple's push service.
pub const PUSH: &str = "push";

/// Asks for a push to a device after the commit. Several requests before it is sent become one. A device without a push
/// token is not woken: before its first `TokenUpdate`, and after its enrollment has ended. Nor is one that no certificate can
/// reach: when one is imported, all devices for which something waits are woken.
///
/// An agent is not pushed to: it waits for its commands on a connection of its own.
pub(super) fn wake(tx: &mut Tx<'_>, enrollment: &Enrollment, delay_seconds: i64) -> Result<()> {
    if matches!(enrollment.backend, Backend::Agent | Backend::Headwind) {
        tx.call(enrollment.id);
        return Ok(());
    }
    if enrollment.push_token.is_none() || enrollment.ended_at.is_some() {
        return Ok(());
    }
    let topic = push_certificates::active_topic(tx)?;
    if topic.is_none() || topic != enrollment.topic {
        return Ok(());
    }
    let id = enrollment.id;
    Ok(jobs::enqueue(tx, &NewJob { kind: PUSH, key: format!("push:{id}"), payload: json!({ "enrollment": id }), delay_seconds })?)
}

/// A number that is another one each time, so that what failed together is not tried again together.
#[must_use]
pub fn draw() -> u8 {
    let [first, ..] = *uuid::Uuid::new_v4().as_bytes();
    first
}

/// Who does jobs apart from whom, so that neither waits for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Sends codes.
    Codes,
    /// Sends mails with files.
    Files,
    /// Does everything else.
    Others,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Codes, Self::Files, Self::Others];
}

/// Ring when a job was enqueued here: one for each lane, because a bell wakes one alone.
#[derive(Debug, Default)]
pub(super) struct Bells {
    codes: Notify,
    files: Notify,
    others: Notify,
}

impl Bells {
    /// Wakes one runner of each lane, or the next one that asks.
    pub(super) fn notify_one(&self) {
        for lane in Lane::ALL {
            self.of(lane).notify_one();
        }
    }

    const fn of(&self, lane: Lane) -> &Notify {
        match lane {
            Lane::Codes => &self.codes,
            Lane::Files => &self.files,
            Lane::Others => &self.others,
        }
    }
}

impl App {
    /// Waits until a job was enqueued by this server.
    pub async fn job_enqueued(&self, lane: Lane) {
        self.jobs_waiting.of(lane).notified().await;
    }

    /// Claims the next job of these kinds for so many seconds.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim_job(&self, kinds: &'static [&'static str], lease_seconds: i64) -> Result<Option<Job>> {
        self.write(move |tx| Ok(jobs::claim(tx, kinds, lease_seconds)?)).await
    }

    /// The same after a glance that takes no lock, for those who would mostly claim in vain.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim_due(&self, kinds: &'static [&'static str], lease_seconds: i64) -> Result<Option<Job>> {
        let is_due = self.read(move |conn| {
            for kind in kinds {
                if jobs::is_due(conn, kind)? {
                    return Ok(true);
                }
            }
            Ok::<_, Error>(false)
        });
        if is_due.await? { self.claim_job(kinds, lease_seconds).await } else { Ok(None) }
    }

    /// Finishes a job.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn finish_job(&self, job: Job) -> Result<()> {
        self.write(move |tx| Ok(jobs::finish(tx, &job)?)).await
    }

    /// Lets a failed job wait for so many seconds, or gives it up.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn put_off_job(&self, job: Job, error: String, delay_seconds: Option<i64>) -> Result<()> {
        self.write(move |tx| Ok(jobs::put_off(tx, &job, &error, delay_seconds)?)).await
    }

    /// Enqueues work that comes back by itself, such as the sweep.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn enqueue_recurring(&self, kind: &'static str, delay_seconds: i64) -> Result<()> {
        self.write(move |tx| Ok(jobs::enqueue(tx, &NewJob { kind, key: kind.into(), payload: json!({}), delay_seconds })?)).await
    }

    /// Writes down when devices were last seen. What cannot be written is kept for the next time.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn flush_seen(&self) -> Result<()> {
        let seen = self.seen.take();
        if seen.is_empty() {
            return Ok(());
        }
        let written = seen.clone();
        let result = self.write(move |tx| Ok(crate::store::devices::touch(tx, &written)?)).await;
        if result.is_err() {
            self.seen.put_back(seen);
        }
        result
    }

    /// Whether the database answers and has every migration.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn is_ready(&self) -> Result<bool> {
        Ok(self.read(crate::store::migrate::is_current).await?)
    }
}
