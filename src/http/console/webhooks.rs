//! Webhooks: systems that are told of events, how each fares, and what it was told.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    see,
    show::{Badge, When},
};
use crate::{
    domain::{
        id::{DeliveryId, WebhookId},
        time::Timestamp,
        webhook::{DeliveryState, EventKind, TargetState},
    },
    http::{
        api::paging,
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        webhooks::{NewWebhook, WebhookChange},
    },
    store::{
        self,
        deliveries::{self, Delivery},
        page::PageRequest,
        webhooks::{self, Webhook},
    },
};

/// Rows on a page.
const ROWS: i64 = 30;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct WebhookQuery {
    #[serde(default)]
    done: String,
    #[serde(default)]
    cursor: String,
}

impl WebhookQuery {
    fn done(&self) -> Option<&'static str> {
        Some(match self.done.as_str() {
            "saved" => "The webhook was saved.",
            "deleted" => "The webhook was removed. Nothing is sent to it any more.",
            "test" => "A test event was written. Its line below says what became of it; load the page again in a moment.",
            "retry" => "The event is sent again. Its line below says what became of it; load the page again in a moment.",
            _ => return None,
        })
    }
}

#[derive(Debug, Serialize)]
struct WebhookRow {
    id: WebhookId,
    name: String,
    url: String,
    state: Badge,
    error: Option<String>,
    succeeded: Option<When>,
    retry: Option<When>,
}

const fn target_state(state: TargetState) -> Badge {
    let (text, class) = match state {
        TargetState::Active => ("Active", "good"),
        TargetState::Failing => ("Failing", "care"),
        TargetState::Paused => ("Paused", "bad"),
        TargetState::Disabled => ("Switched off", "plain"),
    };
    Badge { text, class, word: state.as_str() }
}

const fn delivery_state(state: DeliveryState) -> Badge {
    let (text, class) = match state {
        DeliveryState::Queued => ("Waiting", "plain"),
        DeliveryState::Delivered => ("Taken", "good"),
        DeliveryState::Failed => ("Given up", "bad"),
    };
    Badge { text, class, word: state.as_str() }
}

/// What an event means, in the list of choices.
const fn meaning(event: EventKind) -> &'static str {
    match event {
        EventKind::DeviceEnrolled => "A device completed its enrollment",
        EventKind::VerdictChanged => "The verdict about a device changed",
        EventKind::AccessChanged => "A device may come in, or no longer may",
        EventKind::WipeOrdered => "A wipe was ordered; access is cut from here on",
        EventKind::WipeSent => "The wipe was handed to the device",
        EventKind::WipeAcknowledged => "The device said that the wipe was carried out",
        EventKind::Test => "A test",
    }
}

fn row(webhook: Webhook, now: Timestamp) -> WebhookRow {
    WebhookRow {
        state: target_state(webhook.state()),
        id: webhook.id,
        name: webhook.name,
        url: webhook.url,
        error: webhook.last_error.filter(|_| webhook.consecutive_failures > 0),
        succeeded: When::some(webhook.last_success_at, now),
        retry: When::some(webhook.retry_at, now),
    }
}

#[derive(Debug, Serialize)]
struct WebhooksView {
    rows: Vec<WebhookRow>,
    next: Option<String>,
}

/// `GET /console/webhooks`
pub async fn get_webhooks(admin: Admin, query: web::Query<WebhookQuery>) -> Result<HttpResponse, Problem> {
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let page = admin.app.read(move |conn| Ok::<_, Error>(webhooks::list(conn, page)?)).await?;
    let now = admin.app.now();
    let view = WebhooksView {
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        rows: page.items.into_iter().map(|webhook| row(webhook, now)).collect(),
    };
    Ok(Frame::new(&admin, "/console/webhooks", "Webhooks").wide().done(query.done()).show(&admin, "console/webhooks", &view))
}

/// The form, as it was typed.
#[derive(Debug, Default, Deserialize)]
pub struct WebhookForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    event: Vec<EventKind>,
    #[serde(default)]
    enabled: String,
    #[serde(default)]
    new_secret: String,
}

#[derive(Debug, Serialize)]
struct EventChoice {
    word: &'static str,
    text: &'static str,
    is_chosen: bool,
}

fn choices(chosen: &[EventKind]) -> Vec<EventChoice> {
    let offered = EventKind::ALL.iter().filter(|event| **event != EventKind::Test);
    offered.map(|event| EventChoice { word: event.as_str(), text: meaning(*event), is_chosen: chosen.contains(event) }).collect()
}

#[derive(Debug, Serialize)]
struct FormView {
    address: String,
    name: String,
    url: String,
    events: Vec<EventChoice>,
}

/// `GET /console/webhooks/new`
pub async fn get_new(admin: Admin) -> HttpResponse {
    show_new(&admin, &WebhookForm { event: EventKind::ALL.to_vec(), ..WebhookForm::default() }, None)
}

/// `POST /console/webhooks/new`: makes one, and shows its secret this once.
pub async fn post_new(form: Form<WebhookForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let new = NewWebhook { name: fields.name.trim().to_owned(), url: fields.url.trim().to_owned(), events: fields.event.clone() };
    match admin.app.create_webhook(admin.actor.clone(), new).await {
        Ok((webhook, secret)) => show_one(&admin, webhook.id, Shown { secret: Some(secret), ..Shown::default() }).await,
        Err(error) => Ok(show_new(&admin, &fields, Some(why_not(error)?))),
    }
}

/// What was wrong with what was typed.
fn why_not(error: Error) -> Result<String, Problem> {
    match error {
        Error::Invalid { field, why } => Ok(sentence(&format!(
            "{} {why}",
            match field.as_str() {
                "url" => "The address",
                "events" => "The list of events",
                _ => "The name",
            }
        ))),
        Error::Conflict(why) => Ok(sentence(&why)),
        other => Err(other.into()),
    }
}

fn show_new(admin: &Admin, form: &WebhookForm, error: Option<String>) -> HttpResponse {
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let frame = Frame::new(admin, "/console/webhooks", "New webhook").below("/console/webhooks", "Webhooks").refused(error);
    let view =
        FormView { address: "/console/webhooks/new".into(), name: form.name.clone(), url: form.url.clone(), events: choices(&form.event) };
    frame.show_as(admin, status, "console/webhook_new", &view)
}

#[derive(Debug, Serialize)]
struct DeliveryRow {
    id: DeliveryId,
    may_retry: bool,
    event: String,
    state: Badge,
    attempts: i32,
    at: When,
    delivered: Option<When>,
    next: Option<When>,
    error: Option<String>,
}

fn delivery_row(delivery: Delivery, is_sent_to: bool, now: Timestamp) -> DeliveryRow {
    let is_waiting = delivery.state == DeliveryState::Queued;
    DeliveryRow {
        id: delivery.id,
        may_retry: is_sent_to && delivery.state == DeliveryState::Failed,
        event: delivery.event,
        state: delivery_state(delivery.state),
        attempts: delivery.attempts,
        at: When::new(delivery.created_at, now),
        delivered: When::some(delivery.delivered_at, now),
        next: (is_waiting && delivery.attempts > 0).then(|| When::new(delivery.next_attempt_at, now)),
        error: delivery.last_error.filter(|_| delivery.state != DeliveryState::Delivered),
    }
}

#[derive(Debug, Serialize)]
struct WebhookView {
    one: WebhookRow,
    form: FormView,
    is_enabled: bool,
    may_test: bool,
    failures: i32,
    secret: Option<String>,
    deliveries: Vec<DeliveryRow>,
    next: Option<String>,
}

/// What the page of one webhook shows besides.
#[derive(Debug, Default)]
struct Shown {
    secret: Option<String>,
    done: Option<&'static str>,
    error: Option<String>,
    typed: Option<WebhookForm>,
    cursor: String,
}

/// `GET /console/webhooks/{id}`
pub async fn get_webhook(admin: Admin, id: web::Path<WebhookId>, query: web::Query<WebhookQuery>) -> Result<HttpResponse, Problem> {
    show_one(&admin, *id, Shown { done: query.done(), cursor: query.cursor.clone(), ..Shown::default() }).await
}

async fn show_one(admin: &Admin, id: WebhookId, shown: Shown) -> Result<HttpResponse, Problem> {
    let page: PageRequest<DeliveryId> = paging::page(Some(ROWS), Some(&shown.cursor))?;
    let (webhook, page) = admin
        .app
        .read(move |conn| {
            let webhook = webhooks::find(conn, id)?.ok_or(Error::NotFound("webhook"))?;
            Ok::<_, Error>((webhook, deliveries::list(conn, id, None, page)?))
        })
        .await?;
    let now = admin.app.now();
    let events = webhook.events().map_err(Error::from)?;
    let typed = shown.typed.unwrap_or_else(|| WebhookForm {
        name: webhook.name.clone(),
        url: webhook.url.clone(),
        event: events,
        ..WebhookForm::default()
    });
    let status = if shown.error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let frame = Frame::new(admin, "/console/webhooks", webhook.name.clone())
        .below("/console/webhooks", "Webhooks")
        .wide()
        .done(shown.done)
        .refused(shown.error);
    let is_sent_to = matches!(webhook.state(), TargetState::Active | TargetState::Failing);
    let view = WebhookView {
        form: FormView { address: format!("/console/webhooks/{id}"), name: typed.name, url: typed.url, events: choices(&typed.event) },
        is_enabled: webhook.is_enabled,
        may_test: is_sent_to,
        failures: webhook.consecutive_failures,
        one: row(webhook, now),
        secret: shown.secret,
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        deliveries: page.items.into_iter().map(|delivery| delivery_row(delivery, is_sent_to, now)).collect(),
    };
    Ok(frame.show_as(admin, status, "console/webhook", &view))
}

/// `POST /console/webhooks/{id}`
pub async fn post_webhook(form: Form<WebhookForm>, id: web::Path<WebhookId>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let change = WebhookChange {
        name: Some(fields.name.trim().to_owned()),
        url: Some(fields.url.trim().to_owned()),
        events: Some(fields.event.clone()),
        enabled: Some(!fields.enabled.is_empty()),
        renews_secret: !fields.new_secret.is_empty(),
    };
    match admin.app.change_webhook(admin.actor.clone(), *id, change).await {
        Ok((_, secret @ Some(_))) => show_one(&admin, *id, Shown { secret, ..Shown::default() }).await,
        Ok((_, None)) => Ok(see(&format!("/console/webhooks/{id}?done=saved"))),
        Err(error) => {
            let error = Some(why_not(error)?);
            show_one(&admin, *id, Shown { error, typed: Some(fields), ..Shown::default() }).await
        }
    }
}

/// `POST /console/webhooks/{id}/test`
pub async fn post_test(form: Form<NoFields>, id: web::Path<WebhookId>) -> Result<HttpResponse, Problem> {
    form.admin.app.test_webhook(form.admin.actor.clone(), *id).await?;
    Ok(see(&format!("/console/webhooks/{id}?done=test")))
}

/// `POST /console/webhooks/{id}/deliveries/{delivery}/retry`
pub async fn post_retry(form: Form<NoFields>, path: web::Path<(WebhookId, DeliveryId)>) -> Result<HttpResponse, Problem> {
    let (webhook, delivery) = path.into_inner();
    form.admin.app.retry_delivery(form.admin.actor.clone(), webhook, delivery).await?;
    Ok(see(&format!("/console/webhooks/{webhook}?done=retry")))
}

#[derive(Debug, Serialize)]
struct DeleteView {
    id: WebhookId,
    url: String,
    waiting: i64,
}

/// `GET /console/webhooks/{id}/delete`
pub async fn get_delete(admin: Admin, id: web::Path<WebhookId>) -> Result<HttpResponse, Problem> {
    let id = *id;
    let found = admin.app.read(move |conn| Ok::<_, store::Error>((webhooks::find(conn, id)?, deliveries::count_waiting(conn, id)?))).await;
    let (webhook, waiting) = found.map_err(Error::from)?;
    let webhook = webhook.ok_or(Error::NotFound("webhook"))?;
    let frame = Frame::new(&admin, "/console/webhooks", "Remove this webhook?")
        .below("/console/webhooks", "Webhooks")
        .below(format!("/console/webhooks/{id}"), webhook.name);
    Ok(frame.show(&admin, "console/webhook_delete", &DeleteView { id, url: webhook.url, waiting }))
}

/// `POST /console/webhooks/{id}/delete`
pub async fn post_delete(form: Form<NoFields>, id: web::Path<WebhookId>) -> Result<HttpResponse, Problem> {
    form.admin.app.delete_webhook(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/webhooks?done=deleted"))
}
