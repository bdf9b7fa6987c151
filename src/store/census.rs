//! How many devices stood how on each day.

use diesel::prelude::*;

use super::{Conn, Error, Tx, schema::census};
use crate::domain::{compliance::Status, time::Timestamp};

/// One number of one day.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = census)]
pub struct Count {
    /// Midnight in UTC.
    pub day: Timestamp,
    /// The verdict.
    pub compliance: Status,
    /// How many enrolled devices had it.
    pub devices: i64,
}

/// The numbers since this day, oldest first.
///
/// # Errors
/// Those of the database.
pub fn since(conn: &mut Conn, day: Timestamp) -> Result<Vec<Count>, Error> {
    Ok(census::table
        .filter(census::day.ge(day))
        .order((census::day.asc(), census::compliance.asc()))
        .select(Count::as_select())
        .load(conn)?)
}

/// Puts the numbers of a day in place of those that were counted on it before.
///
/// # Errors
/// Those of the database.
pub fn replace(tx: &mut Tx<'_>, day: Timestamp, counts: &[Count]) -> Result<(), Error> {
    diesel::delete(census::table.filter(census::day.eq(day))).execute(&mut **tx)?;
    for count in counts {
        diesel::insert_into(census::table).values(count).execute(&mut **tx)?;
    }
    Ok(())
}

/// Removes the days before this one.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), Error> {
    diesel::delete(census::table.filter(census::day.lt(before))).execute(&mut **tx)?;
    Ok(())
}
