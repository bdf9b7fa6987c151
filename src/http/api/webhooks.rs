//! Webhooks: systems that are told of events, and what each of them was told.

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, Problem},
    paging,
};
use crate::{
    domain::{
        id::{DeliveryId, WebhookId},
        time::Timestamp,
        user::Permission,
        webhook::{DeliveryState, EventKind, TargetState},
    },
    http::extract::caller::Caller,
    service::{
        App, Error, host_of,
        webhooks::{NewWebhook, WebhookChange},
    },
    store::{
        self, Conn,
        deliveries::{self, Delivery},
        page::Page,
        webhooks::{self as rows, Webhook},
    },
};

/// A target of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Identifier.
    pub id: WebhookId,
    /// Name.
    pub name: String,
    /// Where events go. An address may contain a secret: who may not change it sees the host only.
    pub url: String,
    /// What it is told of.
    pub events: Vec<EventKind>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// How it fares.
    pub state: TargetState,
    /// How many events wait for it.
    pub waiting: i64,
    /// How often it did not take an event since it last did.
    pub consecutive_failures: i32,
    /// When it last took an event.
    pub last_success_at: Option<Timestamp>,
    /// When it last did not.
    pub last_failure_at: Option<Timestamp>,
    /// Why it last did not; null once it did again.
    pub last_error: Option<String>,
    /// Since when it does not answer.
    pub failing_since: Option<Timestamp>,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// Since when nothing is sent until it is enabled again.
    pub paused_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl WebhookView {
    /// The view of a target.
    ///
    /// * `may_manage`: whether the one who looks may change it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn of(conn: &mut Conn, webhook: Webhook, may_manage: bool) -> Result<Self, store::Error> {
        Ok(Self {
            waiting: deliveries::count_waiting(conn, webhook.id)?,
            events: webhook.events()?,
            state: webhook.state(),
            id: webhook.id,
            name: webhook.name,
            url: if may_manage { webhook.url } else { host_of(&webhook.url).split(['/', '?']).next().unwrap_or_default().to_owned() },
            enabled: webhook.is_enabled,
            consecutive_failures: webhook.consecutive_failures,
            last_success_at: webhook.last_success_at,
            last_failure_at: webhook.last_failure_at,
            last_error: webhook.last_error,
            failing_since: webhook.failing_since,
            retry_at: webhook.retry_at,
            paused_at: webhook.paused_at,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        })
    }
}

/// A target with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookWithSecret {
    /// The target.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// What signs the events: `whsec_` and base64. Null where there is no new one.
    pub secret: Option<String>,
}

async fn shown(app: &App, webhook: Webhook, secret: Option<String>) -> Result<WebhookWithSecret, ApiError> {
    let webhook = app.read(move |conn| WebhookView::of(conn, webhook, true)).await?;
    Ok(WebhookWithSecret { webhook, secret })
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WebhookQuery {
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", params(WebhookQuery), responses((status = 200, body = Page<WebhookView>)), tag = "webhooks", security(("token" = [])))]
pub async fn list_webhooks(
    caller: Caller,
    app: web::Data<App>,
    query: Query<WebhookQuery>,
) -> Result<web::Json<Page<WebhookView>>, ApiError> {
    caller.must(Permission::Read)?;
    let may_manage = caller.role.may(Permission::ManageSettings);
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let page = app
        .read(move |conn| {
            let page = rows::list(conn, page)?;
            let items = page.items.into_iter().map(|webhook| WebhookView::of(conn, webhook, may_manage)).collect::<Result<_, _>>()?;
            Ok::<_, store::Error>(Page { items, next_cursor: page.next_cursor, total: page.total })
        })
        .await?;
    Ok(web::Json(page))
}

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookBody {
    /// Name, 1 to 60 characters.
    name: String,
    /// Where events go: an address with https://.
    url: String,
    /// What it is told of.
    events: Vec<EventKind>,
}

/// Makes a webhook. The secret in the answer is shown this once.
#[utoipa::path(post, path = "/api/v1/webhooks", request_body = WebhookBody, responses((status = 201, body = WebhookWithSecret), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn create_webhook(caller: Caller, app: web::Data<App>, body: web::Json<WebhookBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let body = body.into_inner();
    let app = app.into_inner();
    let new = NewWebhook { name: body.name, url: body.url, events: body.events };
    let (webhook, secret) = app.create_webhook(caller.actor, new).await?;
    Ok(HttpResponse::Created().json(shown(&app, webhook, Some(secret)).await?))
}

/// Gives one webhook.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", params(("id" = WebhookId, Path)), responses((status = 200, body = WebhookView), (status = 404, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn get_webhook(caller: Caller, app: web::Data<App>, id: web::Path<WebhookId>) -> Result<web::Json<WebhookView>, ApiError> {
    caller.must(Permission::Read)?;
    let (id, may_manage) = (id.into_inner(), caller.role.may(Permission::ManageSettings));
    let found = app.read(move |conn| rows::find(conn, id)?.map(|webhook| WebhookView::of(conn, webhook, may_manage)).transpose()).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("webhook"))?))
}

/// A change of a webhook; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChangeBody {
    /// Name, 1 to 60 characters.
    name: Option<String>,
    /// Where events go.
    url: Option<String>,
    /// What it is told of.
    events: Option<Vec<EventKind>>,
    /// Whether it is switched on. `true` also ends a pause, and sends what has waited.
    enabled: Option<bool>,
    /// True for a new secret, shown in the answer; the old one is no longer used.
    #[serde(default)]
    renew_secret: bool,
}

/// Changes a webhook.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", params(("id" = WebhookId, Path)), request_body = WebhookChangeBody, responses((status = 200, body = WebhookWithSecret), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn change_webhook(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<WebhookId>,
    body: web::Json<WebhookChangeBody>,
) -> Result<web::Json<WebhookWithSecret>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let body = body.into_inner();
    let app = app.into_inner();
    let change =
        WebhookChange { name: body.name, url: body.url, events: body.events, enabled: body.enabled, renews_secret: body.renew_secret };
    let (webhook, secret) = app.change_webhook(caller.actor, id.into_inner(), change).await?;
    Ok(web::Json(shown(&app, webhook, secret).await?))
}

/// Removes a webhook, and what it was still to be told.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", params(("id" = WebhookId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn delete_webhook(caller: Caller, app: web::Data<App>, id: web::Path<WebhookId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    app.into_inner().delete_webhook(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// One event for one target.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Identifier, which is the header `webhook-id` of every try.
    pub id: DeliveryId,
    /// The event.
    pub event: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: i32,
    /// What the target last answered.
    pub last_status: Option<i32>,
    /// Why it was last not taken.
    pub last_error: Option<String>,
    /// When the event happened.
    pub created_at: Timestamp,
    /// Not sent again before then; null where it is not sent again.
    pub next_attempt_at: Option<Timestamp>,
    /// When the target took it.
    pub delivered_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event: delivery.event,
            state: delivery.state,
            attempts: delivery.attempts,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            next_attempt_at: (delivery.state == DeliveryState::Queued).then_some(delivery.next_attempt_at),
            delivered_at: delivery.delivered_at,
        }
    }
}

/// Sends a webhook an event that tells of nothing, to see whether it arrives.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", params(("id" = WebhookId, Path)), responses((status = 202, body = DeliveryView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn test_webhook(caller: Caller, app: web::Data<App>, id: web::Path<WebhookId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let delivery = app.into_inner().test_webhook(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::Accepted().json(DeliveryView::from(delivery)))
}

/// Has an event sent at once that waits or was given up.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/retry", params(("id" = WebhookId, Path), ("delivery" = DeliveryId, Path)), responses((status = 202, body = DeliveryView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn retry_delivery(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(WebhookId, DeliveryId)>,
) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let (webhook, delivery) = path.into_inner();
    let delivery = app.into_inner().retry_delivery(caller.actor, webhook, delivery).await?;
    Ok(HttpResponse::Accepted().json(DeliveryView::from(delivery)))
}

/// Which deliveries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// `queued`, `delivered` or `failed`.
    state: Option<String>,
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what a webhook was told of or is to be, newest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", params(("id" = WebhookId, Path), DeliveryQuery), responses((status = 200, body = Page<DeliveryView>), (status = 404, body = Problem)), tag = "webhooks", security(("token" = [])))]
pub async fn list_deliveries(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<WebhookId>,
    query: Query<DeliveryQuery>,
) -> Result<web::Json<Page<DeliveryView>>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let state = paging::optional("state", query.state.as_deref())?;
    let found =
        app.read(move |conn| rows::find(conn, id)?.map(|webhook| deliveries::list(conn, webhook.id, state, page)).transpose()).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("webhook"))?.map(DeliveryView::from)))
}
