//! Targets of webhooks: made, changed, tried, removed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    App, Error, Result, announce,
    deliver::{self, Errand, PURPOSE},
    host_of,
};
use crate::{
    domain::{
        audit::Actor,
        id::WebhookId,
        webhook::{EventKind, TargetState},
    },
    store::{
        Tx,
        audit::{self, Entry},
        deliveries::Delivery,
        webhooks::{self, Webhook},
    },
    webhook::Secret,
};

/// Most targets.
const MOST: i64 = 50;

/// A target to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// What administrators call it.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// What it wants to be told of.
    pub events: Vec<EventKind>,
}

/// A change of a target; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// What administrators call it.
    pub name: Option<String>,
    /// Where events go.
    pub url: Option<String>,
    /// What it wants to be told of.
    pub events: Option<Vec<EventKind>>,
    /// Whether it is switched on. `true` also ends a pause.
    pub enabled: Option<bool>,
    /// Whether it gets a new secret.
    pub renews_secret: bool,
}

impl App {
    /// Makes a target; its secret is shown this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value is not usable, [`Error::Conflict`] where the name is taken or there are too many.
    pub async fn create_webhook(self: &Arc<Self>, actor: Actor, new: NewWebhook) -> Result<(Webhook, String)> {
        let (name, events) = (checked_name(&new.name)?, checked_events(new.events)?);
        self.check_url(&new.url)?;
        let secret = Secret::generate()?;
        let webhook = Webhook::new(name, new.url, self.keys.seal(PURPOSE, secret.as_bytes())?, &events, self.now())?;
        let app = Arc::clone(self);
        let webhook = self
            .write(move |tx| {
                if webhooks::count(tx)? >= MOST {
                    return Err(Error::Conflict(format!("there are {MOST} webhooks already, and no more are possible")));
                }
                webhooks::insert(tx, &webhook).map_err(|error| taken(error.into()))?;
                app.note_webhook(tx, &actor, "webhook.create", &webhook, json!({ "events": events }))?;
                Ok(webhook)
            })
            .await?;
        Ok((webhook, secret.text()))
    }

    /// Changes a target; gives it with its new secret, if it was to get one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Conflict`].
    pub async fn change_webhook(self: &Arc<Self>, actor: Actor, id: WebhookId, change: WebhookChange) -> Result<(Webhook, Option<String>)> {
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let events = change.events.map(checked_events).transpose()?;
        change.url.as_deref().map(|url| self.check_url(url)).transpose()?;
        let secret = change.renews_secret.then(Secret::generate).transpose()?;
        let sealed = secret.as_ref().map(|secret| self.keys.seal(PURPOSE, secret.as_bytes())).transpose()?;
        let shown = secret.map(|secret| secret.text());
        // The rest of an address may be a secret.
        let host = change.url.as_deref().map(|url| host_of(url).split(['/', '?']).next().unwrap_or_default().to_owned());
        let detail = json!({ "name": name, "host": host, "events": events, "enabled": change.enabled, "secret": shown.is_some() });
        let app = Arc::clone(self);
        let webhook = self
            .write(move |tx| {
                audit::lock(tx)?;
                let mut webhook = webhooks::find(tx, id)?.ok_or(Error::NotFound("webhook"))?;
                webhook.name = name.unwrap_or(webhook.name);
                webhook.url = change.url.unwrap_or(webhook.url);
                webhook.sealed_secret = sealed.unwrap_or(webhook.sealed_secret);
                webhook.is_enabled = change.enabled.unwrap_or(webhook.is_enabled);
                webhook.updated_at = app.now();
                if let Some(events) = &events {
                    webhook.set_events(events)?;
                }
                webhooks::update(tx, &webhook).map_err(|error| taken(error.into()))?;
                if change.enabled == Some(true) {
                    resume(tx, &mut webhook)?;
                }
                app.note_webhook(tx, &actor, "webhook.change", &webhook, detail)?;
                Ok(webhook)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok((webhook, shown))
    }

    /// Removes a target, and what it was still to be told.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_webhook(self: &Arc<Self>, actor: Actor, id: WebhookId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            // First, as wherever a device is wiped and the order then announced: two locks are taken in one order.
            audit::lock(tx)?;
            let webhook = webhooks::find(tx, id)?.ok_or(Error::NotFound("webhook"))?;
            webhooks::delete(tx, id)?;
            app.note_webhook(tx, &actor, "webhook.delete", &webhook, json!({}))
        })
        .await
    }

    /// Sends an event that tells of nothing, to see whether the target takes it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where nothing is sent to the target.
    pub async fn test_webhook(self: &Arc<Self>, actor: Actor, id: WebhookId) -> Result<Delivery> {
        let app = Arc::clone(self);
        let delivery = self
            .write(move |tx| {
                let webhook = webhooks::find(tx, id)?.ok_or(Error::NotFound("webhook"))?;
                if let state @ (TargetState::Disabled | TargetState::Paused) = webhook.state() {
                    return Err(Error::Conflict(format!("nothing is sent to this webhook, because it is {state}: enable it first")));
                }
                let data = json!({ "message": "This event tells of nothing. It shows that events arrive." });
                let delivery = announce::write(tx, id, EventKind::Test, &data, app.now())?;
                // Whoever asks for a test wants to know now.
                let mut webhook = webhook;
                webhook.retry_at = None;
                webhooks::note_health(tx, &webhook)?;
                deliver::enqueue(tx, Errand { webhook: id, delivery: Some(delivery.id) })?;
                app.note_webhook(tx, &actor, "webhook.test", &webhook, json!({ "delivery": delivery.id }))?;
                Ok(delivery)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(delivery)
    }

    fn check_url(&self, url: &str) -> Result<()> {
        self.messenger.check_url(url).map(drop).map_err(|why| Error::invalid("url", why))
    }

    /// The address may have a secret in it, so the log does not.
    fn note_webhook(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, webhook: &Webhook, mut detail: Value) -> Result<()> {
        if let Some(detail) = detail.as_object_mut() {
            detail.insert("name".into(), json!(webhook.name));
        }
        Ok(audit::record(tx, &Entry { at: self.now(), actor, action, subject_kind: "webhook", subject: webhook.id.to_string(), detail })?)
    }
}

/// Ends a pause, and sends what has waited.
fn resume(tx: &mut Tx<'_>, webhook: &mut Webhook) -> Result<()> {
    webhook.forgive();
    webhooks::note_health(tx, webhook)?;
    deliver::enqueue(tx, Errand { webhook: webhook.id, delivery: None })
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "must be 1 to 60 characters without line breaks"));
    }
    Ok(name.to_owned())
}

/// The events, each once. The test event reaches every target anyway.
fn checked_events(mut events: Vec<EventKind>) -> Result<Vec<EventKind>> {
    events.retain(|event| *event != EventKind::Test);
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        return Err(Error::invalid("events", "must name at least one event, such as wipe.ordered"));
    }
    Ok(events)
}

fn taken(error: Error) -> Error {
    match error {
        Error::Conflict(_) => Error::Conflict("there is a webhook with this name already".into()),
        other => other,
    }
}
