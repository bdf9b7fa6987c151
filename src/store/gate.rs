//! What has changed of that from which the gate decides. Triggers write it down in the transaction of the change itself; every
//! server reads it a few times a second, and forgets what it remembers of the devices that it names.
//!
//! On PostgreSQL transactions become visible in another order than they began, so that "everything after the last number" would
//! miss some. What is read instead is everything since the oldest transaction that was still under way when it was last read:
//! some of it twice, none of it never. SQLite has one writer, and what it numbers is in order.

use diesel::prelude::*;

use super::{Conn, Error, Tx, jobs::database_now, schema::gate_changes};
use crate::domain::id::DeviceId;

/// Changes that are told one by one; more of them count as a change of everything.
const MOST: i64 = 10_000;

/// Something that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Of one device.
    Device(DeviceId),
    /// What all devices depend on.
    Everything,
}

/// What has changed, and from where to read the next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// From where to read the next time.
    pub next: i64,
    /// Each with the number of its transaction.
    pub list: Vec<(i64, Changed)>,
}

/// Reads what has changed since then; without a beginning only where to begin.
///
/// # Errors
/// Those of the database.
pub fn changes(conn: &mut Conn, since: Option<i64>) -> Result<Changes, Error> {
    // Before the changes: what becomes visible in between is read again.
    let next = frontier(conn)?;
    let Some(since) = since else { return Ok(Changes { next, list: Vec::new() }) };
    let rows: Vec<(i64, Vec<u8>)> = gate_changes::table
        .filter(gate_changes::sequence.ge(since))
        .order((gate_changes::sequence.asc(), gate_changes::device_id.asc()))
        .limit(MOST + 1)
        .select((gate_changes::sequence, gate_changes::device_id))
        .load(conn)?;
    let is_too_much = i64::try_from(rows.len()).unwrap_or(i64::MAX) > MOST;
    let mut list: Vec<(i64, Changed)> = rows.into_iter().map(|(sequence, device)| (sequence, changed(&device))).collect();
    if is_too_much {
        // A number that no transaction has: it is never taken for one that was read before.
        list.push((-1, Changed::Everything));
    }
    Ok(Changes { next, list })
}

/// Everything below this has been visible by now.
fn frontier(conn: &mut Conn) -> Result<i64, Error> {
    use diesel::{
        dsl::{max, sql},
        select,
        sql_types::BigInt,
    };
    match conn {
        // The query builder knows nothing of snapshots.
        Conn::Postgres(c) => Ok(select(sql::<BigInt>("txid_snapshot_xmin(txid_current_snapshot())")).get_result(c)?),
        Conn::Sqlite(c) => {
            let last: Option<i64> = gate_changes::table.select(max(gate_changes::sequence)).first(c)?;
            Ok(last.unwrap_or(0).saturating_add(1))
        }
    }
}

fn changed(device: &[u8]) -> Changed {
    <[u8; 16]>::try_from(device).map_or(Changed::Everything, |bytes| Changed::Device(DeviceId::from_bytes(bytes)))
}

/// Forgets changes that every server has read long ago, apart from the last one: on SQLite numbers go on from it.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, older_than_seconds: i64) -> Result<usize, Error> {
    use diesel::dsl::max;
    let before = database_now(tx)?.plus_seconds(-older_than_seconds);
    let last: Option<i64> = gate_changes::table.select(max(gate_changes::sequence)).first(&mut **tx)?;
    let Some(last) = last else { return Ok(0) };
    let old = gate_changes::table.filter(gate_changes::at.lt(before.millis()).and(gate_changes::sequence.lt(last)));
    Ok(diesel::delete(old).execute(&mut **tx)?)
}
