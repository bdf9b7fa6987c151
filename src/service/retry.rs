//! Has tried again, on an administrator's word, what failed or waits: mails, events for webhooks, and any other job.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    App, Error, Result,
    deliver::{self, Errand},
    outbox,
};
use crate::{
    domain::{
        audit::Actor,
        id::{DeliveryId, JobId, MailId, WebhookId},
        webhook::{DeliveryState, TargetState},
    },
    store::{
        Tx,
        audit::{self, Entry},
        backlog,
        deliveries::{self, Delivery},
        jobs::Job,
        mails::{self, Mail, MailState},
        webhooks,
    },
};

/// Most mails that one call has tried again.
const MOST: i64 = 10_000;

impl App {
    /// Has a mail sent at once that waits or was given up.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where there is nothing left to be sent.
    pub async fn retry_mail(self: &Arc<Self>, actor: Actor, id: MailId) -> Result<Mail> {
        let app = Arc::clone(self);
        let mail = self
            .write(move |tx| {
                let mail = mails::find(tx, id)?.ok_or(Error::NotFound("mail"))?;
                app.send_again(tx, &mail)?;
                app.note_retry(tx, &actor, "mail.retry", ("mail", id.to_string()), json!({ "recipient": mail.recipient }))?;
                mails::find(tx, id)?.ok_or(Error::NotFound("mail"))
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(mail)
    }

    /// Has every mail sent again that was given up and has not lost its point; gives how many there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn retry_failed_mails(self: &Arc<Self>, actor: Actor) -> Result<usize> {
        let app = Arc::clone(self);
        let count = self
            .write(move |tx| {
                let failed = mails::failed(tx, app.now(), MOST)?;
                for (id, template) in &failed {
                    mails::requeue(tx, *id)?;
                    outbox::enqueue_sending(tx, *id, template)?;
                }
                app.note_retry(tx, &actor, "mail.retry", ("mail", "all".into()), json!({ "count": failed.len() }))?;
                Ok(failed.len())
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(count)
    }

    /// Has a job done at once, with all its tries before it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where somebody works on it.
    pub async fn retry_job(self: &Arc<Self>, actor: Actor, id: JobId) -> Result<Job> {
        let app = Arc::clone(self);
        let job = self
            .write(move |tx| {
                let job = backlog::find(tx, id)?.ok_or(Error::NotFound("job"))?;
                // The mail of a job that was given up was given up with it.
                if let Some(mail) = outbox::mail_of(&job)
                    && job.dead_at.is_some()
                {
                    let mail = mails::find(tx, mail)?.ok_or_else(|| Error::Conflict("the mail of this job is gone".into()))?;
                    app.send_again(tx, &mail)?;
                }
                if !backlog::retry(tx, id)? {
                    return Err(Error::Conflict("somebody works on this job at the moment".into()));
                }
                app.note_retry(tx, &actor, "job.retry", ("job", id.to_string()), json!({ "kind": job.kind, "key": job.key }))?;
                backlog::find(tx, id)?.ok_or(Error::NotFound("job"))
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(job)
    }

    /// Has an event sent at once that waits or was given up, with all its tries before it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where the target has taken it or nothing is sent to the target.
    pub async fn retry_delivery(self: &Arc<Self>, actor: Actor, webhook: WebhookId, id: DeliveryId) -> Result<Delivery> {
        let app = Arc::clone(self);
        let delivery = self
            .write(move |tx| {
                let mut webhook = webhooks::find(tx, webhook)?.ok_or(Error::NotFound("webhook"))?;
                let found = deliveries::find(tx, id)?.filter(|found| found.webhook_id == webhook.id);
                let mut delivery = found.ok_or(Error::NotFound("delivery"))?;
                if delivery.state == DeliveryState::Delivered {
                    return Err(Error::Conflict("the webhook has taken this event".into()));
                }
                if let state @ (TargetState::Disabled | TargetState::Paused) = webhook.state() {
                    return Err(Error::Conflict(format!("nothing is sent to this webhook, because it is {state}: enable it first")));
                }
                (delivery.state, delivery.attempts, delivery.next_attempt_at) = (DeliveryState::Queued, 0, app.now());
                deliveries::note_attempt(tx, &delivery)?;
                // Whoever asks for a try wants it now.
                webhook.retry_at = None;
                webhooks::note_health(tx, &webhook)?;
                deliver::enqueue(tx, Errand { webhook: webhook.id, delivery: Some(id) })?;
                let detail = json!({ "name": webhook.name, "delivery": id, "event": delivery.event });
                app.note_retry(tx, &actor, "webhook.retry", ("webhook", webhook.id.to_string()), detail)?;
                Ok(delivery)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(delivery)
    }

    fn send_again(&self, tx: &mut Tx<'_>, mail: &Mail) -> Result<()> {
        let conflict = |why: &str| Err(Error::Conflict(why.into()));
        match mail.state {
            MailState::Sent => return conflict("the mail was sent"),
            MailState::Expired => {
                return conflict("the mail has lost its point: send a new invitation, or let the person ask for a new code");
            }
            MailState::Failed if mail.sealed_message.is_none() => return conflict("the text of the mail is gone"),
            MailState::Failed | MailState::Queued => {}
        }
        if mail.expires_at.is_some_and(|end| self.now() >= end) {
            return conflict("the mail has lost its point: send a new invitation, or let the person ask for a new code");
        }
        mails::requeue(tx, mail.id)?;
        outbox::enqueue_sending(tx, mail.id, &mail.template)
    }

    fn note_retry(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, on: (&'static str, String), detail: Value) -> Result<()> {
        let (subject_kind, subject) = on;
        Ok(audit::record(tx, &Entry { at: self.now(), actor, action, subject_kind, subject, detail })?)
    }
}
