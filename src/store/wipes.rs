//! Which devices were given a wipe, or the order to let go, within the last day: what the brake counts.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::wipes_handed_out};
use crate::domain::{
    id::{CommandId, DeviceId},
    time::Timestamp,
};

/// Days for which a line is kept: longer than any window that is counted.
const KEPT_DAYS: i64 = 1;

/// Notes that an order was handed to its device for the first time.
///
/// # Errors
/// Those of the database.
pub fn note(tx: &mut Tx<'_>, command: CommandId, device: DeviceId, now: Timestamp) -> Result<(), Error> {
    diesel::delete(wipes_handed_out::table.filter(wipes_handed_out::at.lt(now.plus_days(-KEPT_DAYS)))).execute(&mut **tx)?;
    let row = (wipes_handed_out::command_id.eq(command), wipes_handed_out::device_id.eq(device), wipes_handed_out::at.eq(now));
    diesel::insert_into(wipes_handed_out::table).values(row).execute(&mut **tx)?;
    Ok(())
}

/// How many devices were given one since then.
///
/// # Errors
/// Those of the database.
pub fn count_since(conn: &mut Conn, since: Timestamp) -> Result<i64, Error> {
    let devices = diesel::dsl::count(wipes_handed_out::device_id).aggregate_distinct();
    Ok(wipes_handed_out::table.filter(wipes_handed_out::at.gt(since)).select(devices).first(conn)?)
}
