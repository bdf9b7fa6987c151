//! Deliveries of webhooks: each event for each target, with what became of it.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    page::{Page, PageRequest},
    schema::webhook_deliveries,
};
use crate::domain::{
    id::{DeliveryId, WebhookId},
    time::Timestamp,
    webhook::DeliveryState,
};

/// One event for one target.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_deliveries, treat_none_as_default_value = false)]
pub struct Delivery {
    /// Its identifier, the same at every try; later events have later ones.
    pub id: DeliveryId,
    /// For which target.
    pub webhook_id: WebhookId,
    /// The word for the event.
    pub event: String,
    /// JSON, as it is sent.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: i32,
    /// When the event happened.
    pub created_at: Timestamp,
    /// Not before then.
    pub next_attempt_at: Timestamp,
    /// When the target took it.
    pub delivered_at: Option<Timestamp>,
    /// What the target last answered.
    pub last_status: Option<i32>,
    /// Why it was last not taken.
    pub last_error: Option<String>,
}

/// The delivery of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: DeliveryId) -> Result<Option<Delivery>, Error> {
    Ok(webhook_deliveries::table.filter(webhook_deliveries::id.eq(id)).select(Delivery::as_select()).first(conn).optional()?)
}

/// The deliveries of a target, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(
    conn: &mut Conn,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    page: PageRequest<DeliveryId>,
) -> Result<Page<Delivery>, Error> {
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query = $query.filter(webhook_deliveries::webhook_id.eq(webhook)).into_boxed();
            if let Some(state) = state {
                query = query.filter(webhook_deliveries::state.eq(state));
            }
            query
        }};
    }
    let total = filtered!(webhook_deliveries::table.count()).get_result(conn)?;
    let mut query = filtered!(webhook_deliveries::table.select(Delivery::as_select()));
    if let Some(before) = page.after {
        query = query.filter(webhook_deliveries::id.lt(before));
    }
    let items = query.order(webhook_deliveries::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |delivery: &Delivery| delivery.id))
}

/// The oldest delivery of a target whose time has come.
///
/// # Errors
/// Those of the database.
pub fn next_due(conn: &mut Conn, webhook: WebhookId, now: Timestamp) -> Result<Option<Delivery>, Error> {
    Ok(webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::state.eq(DeliveryState::Queued)))
        .filter(webhook_deliveries::next_attempt_at.le(now))
        .order(webhook_deliveries::id.asc())
        .select(Delivery::as_select())
        .first(conn)
        .optional()?)
}

/// The delivery of a target that waits and is due first.
///
/// # Errors
/// Those of the database.
pub fn next_waiting(conn: &mut Conn, webhook: WebhookId) -> Result<Option<Delivery>, Error> {
    Ok(webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::state.eq(DeliveryState::Queued)))
        .order((webhook_deliveries::next_attempt_at.asc(), webhook_deliveries::id.asc()))
        .select(Delivery::as_select())
        .first(conn)
        .optional()?)
}

/// How many deliveries of a target wait.
///
/// # Errors
/// Those of the database.
pub fn count_waiting(conn: &mut Conn, webhook: WebhookId) -> Result<i64, Error> {
    Ok(webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook).and(webhook_deliveries::state.eq(DeliveryState::Queued)))
        .count()
        .get_result(conn)?)
}

/// Adds a delivery, in the transaction of the change that it tells of.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<(), Error> {
    diesel::insert_into(webhook_deliveries::table).values(delivery).execute(&mut **tx)?;
    Ok(())
}

/// Notes what came of a try.
///
/// # Errors
/// Those of the database.
pub fn note_attempt(tx: &mut Tx<'_>, delivery: &Delivery) -> Result<(), Error> {
    diesel::update(webhook_deliveries::table.filter(webhook_deliveries::id.eq(delivery.id)))
        .set((
            webhook_deliveries::state.eq(delivery.state),
            webhook_deliveries::attempts.eq(delivery.attempts),
            webhook_deliveries::next_attempt_at.eq(delivery.next_attempt_at),
            webhook_deliveries::delivered_at.eq(delivery.delivered_at),
            webhook_deliveries::last_status.eq(delivery.last_status),
            webhook_deliveries::last_error.eq(&delivery.last_error),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Removes deliveries that are older than that, whatever became of them.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(webhook_deliveries::table.filter(webhook_deliveries::created_at.lt(before))).execute(&mut **tx)?)
}
