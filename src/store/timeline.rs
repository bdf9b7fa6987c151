//! A device's timeline: every change of its state with the cause.

use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Conn, Error, Tx,
    page::{Page, PageRequest},
    schema::device_events,
};
use crate::domain::{
    id::{DeviceId, EventId},
    time::Timestamp,
};

/// One line of the timeline.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, Serialize, ToSchema)]
#[diesel(table_name = device_events)]
pub struct DeviceEvent {
    /// Its identifier; later events sort later.
    pub id: EventId,
    /// The device.
    pub device_id: DeviceId,
    /// When.
    pub at: Timestamp,
    /// A stable word for programs, such as `enrolled`.
    pub kind: String,
    /// What happened, for people.
    pub text: String,
    /// Why, or through whom.
    pub cause: String,
}

/// Adds a line, in the transaction of the change that it tells of.
///
/// # Errors
/// Those of the database.
pub fn record(tx: &mut Tx<'_>, device: DeviceId, at: Timestamp, kind: &str, text: impl Into<String>, cause: &str) -> Result<(), Error> {
    let event = DeviceEvent { id: EventId::new(), device_id: device, at, kind: kind.into(), text: text.into(), cause: cause.into() };
    diesel::insert_into(device_events::table).values(event).execute(&mut **tx)?;
    Ok(())
}

/// Lines, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, device: DeviceId, page: PageRequest<EventId>) -> Result<Page<DeviceEvent>, Error> {
    let total = device_events::table.filter(device_events::device_id.eq(device)).count().get_result(conn)?;
    let mut query = device_events::table.filter(device_events::device_id.eq(device)).select(DeviceEvent::as_select()).into_boxed();
    if let Some(before) = page.after {
        query = query.filter(device_events::id.lt(before));
    }
    let items = query.order(device_events::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |event: &DeviceEvent| event.id))
}
