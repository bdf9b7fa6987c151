//! How many devices there are of each kind, kept beside them by triggers: nobody counts devices to say how many there are.

use diesel::{
    QueryableByName,
    dsl::sql,
    prelude::*,
    select, sql_query,
    sql_types::{BigInt, Nullable},
};

use super::{
    Conn, Error, Tx,
    conn::on_backend,
    devices::{Filter, StatusFilter},
    schema::device_tallies,
};
use crate::domain::{
    compliance::Status,
    device::{EnrollmentState, Platform},
};

/// Rows from which on many become few.
const MANY_ROWS: i64 = 1000;

/// What differs between the tallies and the devices: a kind, and how many devices of it the tallies lack.
macro_rules! missing {
    () => {
        "SELECT platform, ownership, state, compliance, CAST(sum(amount) AS BIGINT) AS amount FROM ( \
            SELECT platform, ownership, state, compliance, count(*) AS amount FROM devices \
                GROUP BY platform, ownership, state, compliance \
            UNION ALL SELECT platform, ownership, state, compliance, -amount FROM device_tallies \
         ) AS both_ways GROUP BY platform, ownership, state, compliance HAVING sum(amount) <> 0"
    };
}

macro_rules! filtered {
    ($query:expr, $filter:expr) => {{
        let mut query = $query.into_boxed();
        if let Some(os) = $filter.os {
            query = query.filter(device_tallies::platform.eq(os));
        }
        query = match $filter.status {
            Some(StatusFilter::Compliance(status)) => query.filter(device_tallies::compliance.eq(status)),
            Some(StatusFilter::Enrollment(state)) => query.filter(device_tallies::state.eq(state)),
            None => query,
        };
        if let Some(ownership) = $filter.ownership {
            query = query.filter(device_tallies::ownership.eq(ownership));
        }
        query
    }};
}

/// How many devices there are of each platform, state and verdict, among those that the filter wants. Its user and its text do not
/// count.
///
/// # Errors
/// Those of the database.
pub fn totals(conn: &mut Conn, filter: &Filter) -> Result<Vec<(Platform, EnrollmentState, Status, i64)>, Error> {
    // The sum of big integers is a number of another type on PostgreSQL; the query builder cannot turn it back.
    let sum = sql::<BigInt>("CAST(sum(amount) AS BIGINT)");
    let query = device_tallies::table.group_by((device_tallies::platform, device_tallies::state, device_tallies::compliance)).select((
        device_tallies::platform,
        device_tallies::state,
        device_tallies::compliance,
        sum,
    ));
    let rows: Vec<(Platform, EnrollmentState, Status, i64)> = filtered!(query, filter).load(conn)?;
    Ok(rows.into_iter().filter(|(.., number)| *number != 0).collect())
}

/// How many devices the filter wants. Its user and its text do not count.
///
/// # Errors
/// Those of the database.
pub fn count(conn: &mut Conn, filter: &Filter) -> Result<i64, Error> {
    let sum = sql::<Nullable<BigInt>>("CAST(sum(amount) AS BIGINT)");
    let number: Option<i64> = filtered!(device_tallies::table.select(sum), filter).get_result(conn)?;
    Ok(number.unwrap_or_default())
}

/// Whether there are so many rows that it is worth while to make few of them.
///
/// # Errors
/// Those of the database.
pub fn are_many(conn: &mut Conn) -> Result<bool, Error> {
    Ok(device_tallies::table.count().get_result::<i64>(conn)? >= MANY_ROWS)
}

/// Makes one row of each kind's many, and none of what cancels out.
///
/// # Errors
/// Those of the database.
pub fn fold(tx: &mut Tx<'_>) -> Result<(), Error> {
    match &mut **tx {
        // One statement, so that what others add meanwhile is neither lost nor counted twice; the query builder has no such one.
        Conn::Postgres(c) => sql_query(
            "WITH gone AS (DELETE FROM device_tallies RETURNING platform, ownership, state, compliance, amount) \
             INSERT INTO device_tallies (platform, ownership, state, compliance, amount) \
             SELECT platform, ownership, state, compliance, sum(amount) FROM gone \
             GROUP BY platform, ownership, state, compliance HAVING sum(amount) <> 0",
        )
        .execute(c)
        .map(drop)?,
        // Nobody else writes meanwhile.
        Conn::Sqlite(c) => {
            let last: i64 = select(sql::<BigInt>("(SELECT coalesce(max(rowid), 0) FROM device_tallies)")).get_result(c)?;
            sql_query(
                "INSERT INTO device_tallies (platform, ownership, state, compliance, amount) \
                 SELECT platform, ownership, state, compliance, sum(amount) FROM device_tallies \
                 GROUP BY platform, ownership, state, compliance HAVING sum(amount) <> 0",
            )
            .execute(c)?;
            sql_query("DELETE FROM device_tallies WHERE rowid <= ?").bind::<BigInt, _>(last).execute(c).map(drop)?;
        }
    }
    Ok(())
}

/// Counts the devices, and says of how many kinds the tallies have another number.
///
/// # Errors
/// Those of the database.
pub fn wrong(conn: &mut Conn) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    // The query builder does not group what is united.
    let query = sql_query(concat!("SELECT count(*) AS number FROM (", missing!(), ") AS differing"));
    let counted: Counted = on_backend!(conn, |c| query.get_result(c))?;
    Ok(counted.number)
}

/// Adds to the tallies what they lack; gives of how many kinds they lacked something.
///
/// # Errors
/// Those of the database.
pub fn mend(tx: &mut Tx<'_>) -> Result<usize, Error> {
    // One statement sees devices and tallies as of one instant, whoever writes meanwhile.
    let query = sql_query(concat!("INSERT INTO device_tallies (platform, ownership, state, compliance, amount) ", missing!()));
    Ok(on_backend!(&mut **tx, |c| query.execute(c))?)
}
