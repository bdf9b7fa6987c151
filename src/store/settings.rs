//! Settings: small JSON documents by name.

use diesel::prelude::*;

use super::{Conn, Error, Tx, conn::on_backend, document, parse, schema::settings};
use crate::domain::time::Timestamp;

/// Reads a setting, or `None` where it was never set.
///
/// # Errors
/// The stored document is not of this type.
pub fn find<T: serde::de::DeserializeOwned>(conn: &mut Conn, key: &str) -> Result<Option<T>, Error> {
    let value: Option<String> = settings::table.filter(settings::key.eq(key)).select(settings::value).first(conn).optional()?;
    value.map(|text| parse(key, &text)).transpose()
}

/// Sets a setting.
///
/// # Errors
/// Those of the database.
pub fn upsert<T: serde::Serialize>(tx: &mut Tx<'_>, key: &str, value: &T, now: Timestamp) -> Result<(), Error> {
    let text = document(value)?;
    let row = (settings::key.eq(key), settings::value.eq(&text), settings::updated_at.eq(now));
    on_backend!(&mut **tx, |c| diesel::insert_into(settings::table)
        .values(row)
        .on_conflict(settings::key)
        .do_update()
        .set((settings::value.eq(&text), settings::updated_at.eq(now)))
        .execute(c))?;
    Ok(())
}

/// Sets a setting that was never set; says whether it did.
///
/// # Errors
/// Those of the database.
pub fn insert_if_missing<T: serde::Serialize>(tx: &mut Tx<'_>, key: &str, value: &T, now: Timestamp) -> Result<bool, Error> {
    let row = (settings::key.eq(key), settings::value.eq(document(value)?), settings::updated_at.eq(now));
    let inserted = on_backend!(&mut **tx, |c| diesel::insert_into(settings::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(inserted == 1)
}

/// Takes a setting away; says whether it was there.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, key: &str) -> Result<bool, Error> {
    Ok(diesel::delete(settings::table.filter(settings::key.eq(key))).execute(&mut **tx)? > 0)
}
