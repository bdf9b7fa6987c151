//! What each device has said of itself: one document for each device.

use diesel::prelude::*;

use super::{Conn, Error, Tx, conn::on_backend, document, kept::Kept, parse, schema::postures};
use crate::domain::{id::DeviceId, posture::Posture, time::Timestamp};

/// What the device has said; an empty posture where it has said nothing.
///
/// # Errors
/// Those of the database.
pub fn get(conn: &mut Conn, device: DeviceId) -> Result<Posture, Error> {
    let facts: Option<String> = postures::table.filter(postures::device_id.eq(device)).select(postures::facts).first(conn).optional()?;
    facts.map_or_else(|| Ok(Posture::default()), |text| parse("a posture", &text))
}

/// Keeps what a device has said.
///
/// # Errors
/// Those of the database.
pub fn upsert(tx: &mut Tx<'_>, device: DeviceId, posture: &Posture, now: Timestamp) -> Result<(), Error> {
    let facts = document(posture)?;
    let row = (postures::device_id.eq(device), postures::facts.eq(&facts), postures::updated_at.eq(now));
    on_backend!(&mut **tx, |c| Kept(
        diesel::insert_into(postures::table)
            .values(row)
            .on_conflict(postures::device_id)
            .do_update()
            .set((postures::facts.eq(&facts), postures::updated_at.eq(now)))
    )
    .execute(c))?;
    Ok(())
}
