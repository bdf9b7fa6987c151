//! Delivers events to a target, in their order and one at a time. A target that does not answer is tried again less and less often,
//! and after a day not at all until an administrator says that it is mended; what it was to be told of waits for that.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{App, Error, Result, queue::draw};
use crate::{
    domain::{
        id::{DeliveryId, WebhookId},
        retry::{USUAL_TRIES, delay_seconds},
        time::Timestamp,
        webhook::DeliveryState,
    },
    store::{
        Tx,
        deliveries::{self, Delivery},
        jobs::{self, NewJob},
        webhooks::{self, Webhook},
    },
    webhook::{Message, Refusal, Secret},
};

/// The kind of the jobs that deliver events.
pub const JOB: &str = "webhook";
pub(super) const PURPOSE: &str = "webhook";
/// How long one turn sends, at most; the longest answer comes on top. Both are over before the turn is taken away.
const TURN: Duration = Duration::from_secs(60);
/// Seconds for which the turn is taken.
const TURN_SECONDS: i64 = 90;
/// After so many seconds without an answer a target is paused.
const PAUSE_SECONDS: u64 = 24 * 3600;
/// How often an event is sent to a target that does not answer, before the next one is tried in its place: over about a day.
const TRIES_WITHOUT_ANSWER: i32 = 30;

/// What a job is to deliver.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Errand {
    /// To which target.
    pub webhook: WebhookId,
    /// Which delivery the job stands for; none where it stands for all that wait.
    pub delivery: Option<DeliveryId>,
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is nothing left that the job stands for.
    Over,
    /// It must come again.
    Later {
        /// After so many seconds.
        seconds: i64,
        /// Why.
        why: String,
    },
}

/// Enqueues the job that delivers. Each event has its own, so that changes of different devices never wait for each other.
pub(super) fn enqueue(tx: &mut Tx<'_>, errand: Errand) -> Result<()> {
    let what = errand.delivery.map_or_else(|| errand.webhook.to_string(), |delivery| delivery.to_string());
    Ok(jobs::enqueue(tx, &NewJob { kind: JOB, key: format!("{JOB}:{what}"), payload: serde_json::json!(errand), delay_seconds: 0 })?)
}

impl App {
    /// Sends what waits for a target.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn deliver(self: &Arc<Self>, errand: Errand) -> Result<Turn> {
        let now = self.now();
        let taken = self.write(move |tx| begin(tx, errand, now)).await?;
        if let Some(ended) = taken {
            return Ok(ended);
        }
        let sent = self.send_waiting(errand.webhook).await;
        self.write(move |tx| Ok(webhooks::end_turn(tx, errand.webhook)?)).await?;
        sent?;
        let now = self.now();
        self.read(move |conn| {
            let Some(webhook) = webhooks::find(conn, errand.webhook)? else { return Ok::<_, Error>(Turn::Over) };
            let waiting = match errand.delivery {
                Some(delivery) => deliveries::find(conn, delivery)?.filter(|delivery| delivery.state == DeliveryState::Queued),
                None => deliveries::next_waiting(conn, errand.webhook)?,
            };
            Ok(outlook(&webhook, waiting, now).unwrap_or(Turn::Over))
        })
        .await
    }

    async fn send_waiting(self: &Arc<Self>, id: WebhookId) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < TURN {
            let now = self.now();
            let next = self
                .read(move |conn| {
                    let webhook = webhooks::find(conn, id)?.filter(|webhook| may_send(webhook, now));
                    let delivery = deliveries::next_due(conn, id, now)?;
                    Ok::<_, Error>(webhook.zip(delivery))
                })
                .await?;
            let Some((webhook, delivery)) = next else { return Ok(()) };
            let result = self.send_event(&webhook, &delivery).await?;
            self.write(move |tx| settle(tx, webhook.id, delivery.id, result, now)).await?;
        }
        Ok(())
    }

    async fn send_event(&self, webhook: &Webhook, delivery: &Delivery) -> Result<std::result::Result<u16, Refusal>> {
        let secret = Secret::from_bytes(&self.keys.open(PURPOSE, &webhook.sealed_secret)?)
            .map_err(|error| Error::internal("reading the secret of a webhook", error))?;
        let message = Message {
            url: &webhook.url,
            secret: &secret,
            id: delivery.id.to_string(),
            timestamp: self.now().seconds(),
            body: &delivery.body,
        };
        Ok(self.messenger.send(&message).await)
    }
}

/// Whether anything goes to a target at present.
fn may_send(webhook: &Webhook, now: Timestamp) -> bool {
    webhook.is_enabled && webhook.paused_at.is_none() && webhook.retry_at.is_none_or(|at| at <= now)
}

/// Takes the turn; gives how it ended where it could not be taken.
fn begin(tx: &mut Tx<'_>, errand: Errand, now: Timestamp) -> Result<Option<Turn>> {
    let Some(webhook) = webhooks::find(tx, errand.webhook)? else { return Ok(Some(Turn::Over)) };
    if let Some(delivery) = errand.delivery {
        let waiting = deliveries::find(tx, delivery)?.filter(|delivery| delivery.state == DeliveryState::Queued);
        let is_later = waiting.as_ref().is_none_or(|delivery| delivery.next_attempt_at > now);
        if is_later || !may_send(&webhook, now) {
            return Ok(Some(outlook(&webhook, waiting, now).unwrap_or(Turn::Over)));
        }
    } else if !may_send(&webhook, now) {
        let waiting = deliveries::next_waiting(tx, errand.webhook)?;
        return Ok(Some(outlook(&webhook, waiting, now).unwrap_or(Turn::Over)));
    }
    if webhooks::take_turn(tx, errand.webhook, TURN_SECONDS)? {
        return Ok(None);
    }
    Ok(Some(Turn::Later { seconds: 1, why: "another event is being sent to this target".into() }))
}

/// When what waits is to be tried again. What waits for a target that is paused or switched off has no time: enabling it enqueues
/// a job anew.
fn outlook(webhook: &Webhook, waiting: Option<Delivery>, now: Timestamp) -> Option<Turn> {
    let waiting = waiting?;
    if !webhook.is_enabled || webhook.paused_at.is_some() {
        return None;
    }
    let at = waiting.next_attempt_at.max(webhook.retry_at.unwrap_or(now));
    let millis = i64::try_from(at.since(now).as_millis()).unwrap_or(i64::MAX);
    let why = waiting.last_error.or_else(|| webhook.last_error.clone()).unwrap_or_else(|| "other events go first".into());
    Some(Turn::Later { seconds: millis.saturating_add(999) / 1000, why })
}

/// Notes what came of sending an event, on the event and on its target.
fn settle(
    tx: &mut Tx<'_>,
    webhook: WebhookId,
    delivery: DeliveryId,
    result: std::result::Result<u16, Refusal>,
    now: Timestamp,
) -> Result<()> {
    // Either may have been removed meanwhile.
    let (Some(mut webhook), Some(mut delivery)) = (webhooks::find(tx, webhook)?, deliveries::find(tx, delivery)?) else { return Ok(()) };
    delivery.attempts = delivery.attempts.saturating_add(1);
    match result {
        Ok(status) => {
            delivery.state = DeliveryState::Delivered;
            delivery.delivered_at = Some(now);
            (delivery.last_status, delivery.last_error) = (Some(i32::from(status)), None);
            webhook.last_success_at = Some(now);
            webhook.last_error = None;
            webhook.forgive();
        }
        Err(refusal) => {
            tracing::warn!(
                webhook = webhook.name,
                event = delivery.event,
                attempt = delivery.attempts,
                why = refusal.why,
                "an event was not taken"
            );
            refuse(&mut webhook, &mut delivery, &refusal, now);
        }
    }
    webhooks::note_health(tx, &webhook)?;
    Ok(deliveries::note_attempt(tx, &delivery)?)
}

fn refuse(webhook: &mut Webhook, delivery: &mut Delivery, refusal: &Refusal, now: Timestamp) {
    webhook.last_failure_at = Some(now);
    webhook.last_error = Some(refusal.why.clone());
    webhook.consecutive_failures = webhook.consecutive_failures.saturating_add(1);
    delivery.last_status = refusal.status.map(i32::from);
    delivery.last_error = Some(refusal.why.clone());
    let tries = if refusal.is_of_message {
        // The target is well: the events that follow are not held up by this one.
        delivery.next_attempt_at = now.plus_seconds(delay_seconds(delivery.attempts, draw()));
        webhook.failing_since = None;
        USUAL_TRIES
    } else {
        let since = *webhook.failing_since.get_or_insert(now);
        webhook.retry_at = Some(now.plus_seconds(delay_seconds(webhook.consecutive_failures, draw())));
        if refusal.is_final || now.since(since) >= Duration::from_secs(PAUSE_SECONDS) {
            webhook.paused_at = Some(now);
            tracing::error!(
                webhook = webhook.name,
                why = refusal.why,
                "a webhook is paused: it did not answer for too long, or wants no more"
            );
        }
        TRIES_WITHOUT_ANSWER
    };
    if delivery.attempts >= tries {
        delivery.state = DeliveryState::Failed;
    }
}
