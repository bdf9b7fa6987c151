//! Wakes a device through Apple's push service. What cannot be sent is never lost: the command waits, and the device gets it at its
//! next contact in any case.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use openssl::{pkey::PKey, x509::X509};
use serde_json::json;
use tokio::sync::Notify;

use super::{App, Error, Result, push_health::Noted, queue};
use crate::{
    apple::apns::{Apns, Client, Notification, Outcome},
    domain::{
        id::{EnrollmentId, PushCertificateId},
        time::Timestamp,
    },
    pki::Identity,
    store::{
        Conn, Tx, commands,
        enrollments::{self, Enrollment},
        jobs::{self, Job, NewJob},
        push_certificates::{self, PushCertificate},
        timeline,
    },
};

/// The kind of the job that wakes all devices for which something waits, once that is possible.
pub const BACKLOG: &str = "push_backlog";
/// Seals the key of the push certificate.
pub(super) const PURPOSE: &str = "push key";
/// Days for which Apple should try to reach a device that is switched off.
const KEPT_DAYS: i64 = 7;
/// Devices of one transaction while the backlog is enqueued.
const BACKLOG_PAGE: i64 = 200;

/// What the pushes of this server share.
pub(super) struct Pusher {
    apns: Apns,
    /// The certificate that was used last, opened.
    client: Mutex<Option<(PushCertificateId, Timestamp, Arc<Client>)>>,
    pub(super) noted: Mutex<Noted>,
    /// Rings when it is worth while to look for pushes at once.
    due: Notify,
    /// Counts the certificates that were imported here.
    imports: AtomicU64,
}

impl Pusher {
    pub(super) fn new(apns: Apns) -> Self {
        Self { apns, client: Mutex::default(), noted: Mutex::default(), due: Notify::new(), imports: AtomicU64::new(0) }
    }

    /// A certificate was imported: what kept pushes back before does so no longer.
    pub(super) fn begin_anew(&self) {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Noted::default();
        self.imports.fetch_add(1, Ordering::SeqCst);
        self.due.notify_one();
    }
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// It is done: Apple took it, or there is nobody to wake.
    Finished {
        /// Whether Apple took it.
        is_delivered: bool,
    },
    /// It should be tried again.
    Later {
        /// Why it did not work.
        why: String,
        /// Not before so long from now, if Apple said so.
        after: Option<Duration>,
        /// Whom the trouble concerns.
        concerns: Concerns,
    },
}

/// Whom a failed push concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerns {
    /// This device only.
    Device,
    /// The push service, hence everybody.
    Service,
    /// The certificate, hence everybody until an administrator has done something.
    Certificate,
}

/// What has to be known to wake a device.
struct Known {
    enrollment: Enrollment,
    certificate: PushCertificate,
}

/// Gives what has to be known, or nothing where there is nobody to wake, or nothing to wake them for.
fn known(conn: &mut Conn, id: EnrollmentId) -> Result<Option<Known>> {
    let Some(enrollment) = enrollments::find(conn, id)?.filter(|enrollment| enrollment.ended_at.is_none()) else { return Ok(None) };
    let Some(certificate) = push_certificates::active(conn)? else { return Ok(None) };
    // Under another topic Apple does not know the token.
    let may = enrollment.push_token.is_some() && enrollment.topic == certificate.topic;
    Ok((may && commands::has_waiting(conn, id)?).then_some(Known { enrollment, certificate }))
}

impl App {
    /// Wakes the device of an enrollment, if something waits for it.
    ///
    /// # Errors
    /// Those of the database; the key of the certificate cannot be opened.
    pub async fn push(&self, id: EnrollmentId) -> Result<Pushed> {
        const NOBODY: Pushed = Pushed::Finished { is_delivered: false };
        let Some(Known { enrollment, certificate }) = self.read(move |conn| known(conn, id)).await? else { return Ok(NOBODY) };
        let now = self.now();
        let (Some(token), Some(magic), Some(topic)) =
            (enrollment.push_token.clone(), enrollment.push_magic.clone(), certificate.topic.clone())
        else {
            return Ok(NOBODY);
        };
        if let Some(end) = certificate.not_after.filter(|end| now >= *end) {
            let why = format!("the push certificate has expired on {}", end.calendar().date());
            return self.rejected(why).await;
        }
        let client = self.push_client(&certificate)?;
        let notification = Notification { token: token.clone(), magic, topic, expires_at: now.plus_days(KEPT_DAYS) };
        match self.pusher.apns.push(&client, &notification).await {
            Outcome::Delivered => {
                self.note_delivered().await?;
                Ok(Pushed::Finished { is_delivered: true })
            }
            Outcome::TokenGone(why) => {
                self.forget_token(enrollment, token, why).await?;
                Ok(NOBODY)
            }
            Outcome::TryLater { why, after, is_for_all } => {
                self.note_trouble(why.clone()).await?;
                Ok(Pushed::Later { why, after, concerns: if is_for_all { Concerns::Service } else { Concerns::Device } })
            }
            Outcome::Unreachable(why) => {
                self.note_trouble(why.clone()).await?;
                Ok(Pushed::Later { why, after: None, concerns: Concerns::Service })
            }
            Outcome::CertificateRejected(why) => self.rejected(why).await,
        }
    }

    async fn rejected(&self, why: String) -> Result<Pushed> {
        self.note_rejected(why.clone()).await?;
        Ok(Pushed::Later { why, after: None, concerns: Concerns::Certificate })
    }

    /// The certificate with its key. Opened once for each that is imported.
    fn push_client(&self, certificate: &PushCertificate) -> Result<Arc<Client>> {
        let imported_at = certificate.imported_at.unwrap_or_default();
        let mut kept = self.pusher.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, at, client)) = kept.as_ref()
            && (*id, *at) == (certificate.id, imported_at)
        {
            return Ok(Arc::clone(client));
        }
        let key = self.keys.open(PURPOSE, &certificate.sealed_key)?;
        let der = certificate.certificate.as_deref().unwrap_or_default();
        let identity = Identity { certificate: X509::from_der(der)?, key: PKey::private_key_from_pkcs8(&key)? };
        let client = Arc::new(Client::new(identity)?);
        *kept = Some((certificate.id, imported_at, Arc::clone(&client)));
        Ok(client)
    }

    /// The token is dead; the device is not. It comes back by itself, and brings a new token when it has one.
    async fn forget_token(&self, enrollment: Enrollment, token: Vec<u8>, why: String) -> Result<()> {
        let now = self.now();
        self.write(move |tx| {
            if enrollments::forget_push_token(tx, enrollment.id, &token)?
                && let Some(device) = enrollment.device_id
            {
                let text = format!("Apple takes no more pushes for the device ({why}). It is woken again once it has sent a new token.");
                timeline::record(tx, device, now, "push_token_gone", text, "push")?;
            }
            Ok(())
        })
        .await
    }

    /// Enqueues a push for every device for which something waits: while there was no certificate, or another one, nothing was
    /// enqueued. Gives how many there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn push_backlog(&self) -> Result<usize> {
        let (mut after, mut count) = (None, 0_usize);
        loop {
            let page = self.write(move |tx| wake_page(tx, after)).await?;
            let Some(last) = page.last() else { break };
            count = count.saturating_add(page.len());
            after = Some(*last);
        }
        self.pusher.due.notify_one();
        Ok(count)
    }

    /// Waits until it is worth while to look for pushes at once.
    pub async fn pushes_due(&self) {
        self.pusher.due.notified().await;
    }

    /// Counts the push certificates that were imported by this process.
    #[must_use]
    pub fn push_imports(&self) -> u64 {
        self.pusher.imports.load(Ordering::SeqCst)
    }

    /// Claims pushes that are due, so many at most. Where none is due, nothing is written.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim_pushes(&self, lease_seconds: i64, most: usize) -> Result<Vec<Job>> {
        if !self.read(|conn| Ok::<_, Error>(jobs::is_due(conn, queue::PUSH)?)).await? {
            return Ok(Vec::new());
        }
        self.write(move |tx| Ok(jobs::claim_many(tx, &[queue::PUSH], lease_seconds, most)?)).await
    }
}

fn wake_page(tx: &mut Tx<'_>, after: Option<EnrollmentId>) -> Result<Vec<EnrollmentId>> {
    let Some(topic) = push_certificates::active_topic(tx)? else { return Ok(Vec::new()) };
    let page = enrollments::waiting_for_push(tx, &topic, after, BACKLOG_PAGE)?;
    for enrollment in &page {
        queue::wake(tx, enrollment, 0)?;
    }
    Ok(page.into_iter().map(|enrollment| enrollment.id).collect())
}

/// Enqueues the backlog: at once, and once more a little later, for commands whose transaction had not seen the certificate yet.
pub(super) fn enqueue_backlog(tx: &mut Tx<'_>) -> Result<()> {
    for (key, delay_seconds) in [("push_backlog", 0), ("push_backlog:again", 60)] {
        jobs::enqueue(tx, &NewJob { kind: BACKLOG, key: key.into(), payload: json!({}), delay_seconds })?;
    }
    Ok(())
}
