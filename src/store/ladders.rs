//! How far devices that break their policy have come on its ladder.

use diesel::prelude::*;

use super::{Conn, Error, Tx, conn::on_backend, document, parse, schema::ladders};
use crate::domain::{id::DeviceId, ladder::Climbed, time::Timestamp};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = ladders, treat_none_as_default_value = false, treat_none_as_null = true)]
struct Row {
    device_id: DeviceId,
    since: Timestamp,
    mailed_at: Option<Timestamp>,
    blocked_for: String,
    proposed_at: Option<Timestamp>,
}

/// How far a device has come; none where it obeys.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, device: DeviceId) -> Result<Option<Climbed>, Error> {
    let row: Option<Row> = ladders::table.filter(ladders::device_id.eq(device)).select(Row::as_select()).first(conn).optional()?;
    row.map(|row| {
        Ok(Climbed {
            since: row.since,
            mailed_at: row.mailed_at,
            blocked_for: parse("what a person was told", &row.blocked_for)?,
            proposed_at: row.proposed_at,
        })
    })
    .transpose()
}

/// Keeps how far a device has come.
///
/// # Errors
/// Those of the database.
pub fn upsert(tx: &mut Tx<'_>, device: DeviceId, climbed: &Climbed) -> Result<(), Error> {
    let row = Row {
        device_id: device,
        since: climbed.since,
        mailed_at: climbed.mailed_at,
        blocked_for: document(&climbed.blocked_for)?,
        proposed_at: climbed.proposed_at,
    };
    on_backend!(&mut **tx, |c| diesel::insert_into(ladders::table)
        .values(&row)
        .on_conflict(ladders::device_id)
        .do_update()
        .set(&row)
        .execute(c))?;
    Ok(())
}

/// Forgets it: the device obeys again.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, device: DeviceId) -> Result<(), Error> {
    diesel::delete(ladders::table.filter(ladders::device_id.eq(device))).execute(&mut **tx)?;
    Ok(())
}
