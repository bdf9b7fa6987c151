//! Targets of webhooks: systems that are told of events, and how each of them fares.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx, document,
    page::{Page, PageRequest},
    parse,
    schema::webhooks,
};
use crate::domain::{
    id::WebhookId,
    time::Timestamp,
    webhook::{EventKind, TargetState},
};

/// One target.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhooks, treat_none_as_default_value = false)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// What administrators call it.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// What signs them, sealed.
    pub sealed_secret: Vec<u8>,
    events: String,
    /// Whether it is switched on.
    pub is_enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an administrator last changed it.
    pub updated_at: Timestamp,
    /// When it last took an event.
    pub last_success_at: Option<Timestamp>,
    /// When it last did not.
    pub last_failure_at: Option<Timestamp>,
    /// Why it last did not.
    pub last_error: Option<String>,
    /// How often it did not since it last did.
    pub consecutive_failures: i32,
    /// Since when it does not answer.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before then.
    pub retry_at: Option<Timestamp>,
    /// Since when nothing is sent at all.
    pub paused_at: Option<Timestamp>,
    /// Until when somebody sends, by the database's clock.
    pub lease_until: Option<Timestamp>,
}

impl Webhook {
    /// A target that was just made.
    ///
    /// # Errors
    /// The events cannot be written as JSON.
    pub fn new(name: String, url: String, sealed_secret: Vec<u8>, events: &[EventKind], now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            id: WebhookId::new(),
            name,
            url,
            sealed_secret,
            events: document(&events)?,
            is_enabled: true,
            created_at: now,
            updated_at: now,
            last_success_at: None,
            last_failure_at: None,
            last_error: None,
            consecutive_failures: 0,
            failing_since: None,
            retry_at: None,
            paused_at: None,
            lease_until: None,
        })
    }

    /// What it wants to be told of.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn events(&self) -> Result<Vec<EventKind>, Error> {
        parse("the events of a webhook", &self.events)
    }

    /// Sets what it wants to be told of.
    ///
    /// # Errors
    /// The events cannot be written as JSON.
    pub fn set_events(&mut self, events: &[EventKind]) -> Result<(), Error> {
        self.events = document(&events)?;
        Ok(())
    }

    /// How it fares.
    #[must_use]
    pub const fn state(&self) -> TargetState {
        if !self.is_enabled {
            TargetState::Disabled
        } else if self.paused_at.is_some() {
            TargetState::Paused
        } else if self.consecutive_failures > 0 {
            TargetState::Failing
        } else {
            TargetState::Active
        }
    }

    /// Forgets that it ever failed: an administrator says that it is mended.
    pub const fn forgive(&mut self) {
        self.consecutive_failures = 0;
        (self.failing_since, self.retry_at, self.paused_at) = (None, None, None);
    }
}

/// The target of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: WebhookId) -> Result<Option<Webhook>, Error> {
    Ok(webhooks::table.filter(webhooks::id.eq(id)).select(Webhook::as_select()).first(conn).optional()?)
}

/// Targets, oldest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, page: PageRequest<WebhookId>) -> Result<Page<Webhook>, Error> {
    let total = webhooks::table.count().get_result(conn)?;
    let mut query = webhooks::table.select(Webhook::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(webhooks::id.gt(after));
    }
    let items = query.order(webhooks::id.asc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |webhook: &Webhook| webhook.id))
}

/// How many targets there are.
///
/// # Errors
/// Those of the database.
pub fn count(conn: &mut Conn) -> Result<i64, Error> {
    Ok(webhooks::table.count().get_result(conn)?)
}

/// The targets that are switched on and want this event, with whether they are paused. Asked for each event, and the table has few
/// rows: usually none.
///
/// # Errors
/// Those of the database.
pub fn wanting(conn: &mut Conn, event: EventKind) -> Result<Vec<(WebhookId, bool)>, Error> {
    let rows: Vec<(WebhookId, String, Option<Timestamp>)> = webhooks::table
        .filter(webhooks::is_enabled.eq(true))
        .order(webhooks::id.asc())
        .select((webhooks::id, webhooks::events, webhooks::paused_at))
        .load(conn)?;
    let mut wanting = Vec::new();
    for (id, events, paused_at) in rows {
        if parse::<Vec<EventKind>>("the events of a webhook", &events)?.contains(&event) {
            wanting.push((id, paused_at.is_some()));
        }
    }
    Ok(wanting)
}

/// Adds a target; a name that is taken is a [`Error::Conflict`].
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, webhook: &Webhook) -> Result<(), Error> {
    diesel::insert_into(webhooks::table).values(webhook).execute(&mut **tx)?;
    Ok(())
}

/// Changes what an administrator sets of a target; a name that is taken is a [`Error::Conflict`].
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, webhook: &Webhook) -> Result<(), Error> {
    diesel::update(webhooks::table.filter(webhooks::id.eq(webhook.id)))
        .set((
            webhooks::name.eq(&webhook.name),
            webhooks::url.eq(&webhook.url),
            webhooks::sealed_secret.eq(&webhook.sealed_secret),
            webhooks::events.eq(&webhook.events),
            webhooks::is_enabled.eq(webhook.is_enabled),
            webhooks::updated_at.eq(webhook.updated_at),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Removes a target with all its deliveries; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: WebhookId) -> Result<bool, Error> {
    Ok(diesel::delete(webhooks::table.filter(webhooks::id.eq(id))).execute(&mut **tx)? == 1)
}

/// Takes the turn of sending to a target, for so many seconds: events go out in their order, so only one may send. Says whether the
/// turn was free.
///
/// # Errors
/// Those of the database.
pub fn take_turn(tx: &mut Tx<'_>, id: WebhookId, seconds: i64) -> Result<bool, Error> {
    let now = super::jobs::database_now(tx)?;
    let free = webhooks::table.filter(webhooks::id.eq(id)).filter(webhooks::lease_until.is_null().or(webhooks::lease_until.le(now)));
    Ok(diesel::update(free).set(webhooks::lease_until.eq(now.plus_seconds(seconds))).execute(&mut **tx)? == 1)
}

/// Gives the turn back.
///
/// # Errors
/// Those of the database.
pub fn end_turn(tx: &mut Tx<'_>, id: WebhookId) -> Result<(), Error> {
    diesel::update(webhooks::table.filter(webhooks::id.eq(id))).set(webhooks::lease_until.eq(None::<Timestamp>)).execute(&mut **tx)?;
    Ok(())
}

/// Notes how a target fares after an event was sent to it, and nothing else of it.
///
/// # Errors
/// Those of the database.
pub fn note_health(tx: &mut Tx<'_>, webhook: &Webhook) -> Result<(), Error> {
    diesel::update(webhooks::table.filter(webhooks::id.eq(webhook.id)))
        .set((
            webhooks::last_success_at.eq(webhook.last_success_at),
            webhooks::last_failure_at.eq(webhook.last_failure_at),
            webhooks::last_error.eq(&webhook.last_error),
            webhooks::consecutive_failures.eq(webhook.consecutive_failures),
            webhooks::failing_since.eq(webhook.failing_since),
            webhooks::retry_at.eq(webhook.retry_at),
            webhooks::paused_at.eq(webhook.paused_at),
        ))
        .execute(&mut **tx)?;
    Ok(())
}
