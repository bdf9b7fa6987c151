//! What devices and users are found by: two narrow tables that triggers write, looked over from time to time.

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};

use super::{Conn, Error, Tx, conn::on_backend};

/// Devices that are not found by what they are.
macro_rules! lost_devices {
    () => {
        "SELECT devices.id FROM devices JOIN users ON users.id = devices.user_id \
         LEFT JOIN device_finder AS f ON f.device_id = devices.id \
         WHERE f.device_id IS NULL OR f.user_id <> devices.user_id OR f.platform <> devices.platform OR f.ownership <> devices.ownership \
            OR f.state <> devices.state OR f.compliance <> devices.compliance OR f.words <> devices.search || '\n' || users.email \
            OR f.codes <> devices.reason_codes OR f.seen_day <> coalesce(devices.last_seen_at, 0) / 86400000"
    };
}

/// Users who are not found by what they are.
macro_rules! lost_users {
    () => {
        "SELECT users.id FROM users LEFT JOIN user_finder AS f ON f.user_id = users.id \
         WHERE f.user_id IS NULL OR f.source <> users.source OR coalesce(f.role, '') <> coalesce(users.role, '') \
            OR f.words <> users.email || '\n' || lower(users.name)"
    };
}

/// How many devices and users are not found by what they are.
///
/// # Errors
/// Those of the database.
pub fn wrong(conn: &mut Conn) -> Result<i64, Error> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    // The query builder cannot join a table that depends on two others.
    let query = sql_query(concat!("SELECT count(*) AS number FROM (", lost_devices!(), " UNION ALL ", lost_users!(), ") AS lost"));
    let counted: Counted = on_backend!(conn, |c| query.get_result(c))?;
    Ok(counted.number)
}

/// Writes anew what is not right.
///
/// # Errors
/// Those of the database.
pub fn mend(tx: &mut Tx<'_>) -> Result<(), Error> {
    if let Conn::Postgres(_) = &**tx {
        // Something is wrong already, and this is the one thing that two may not do at once: whoever writes waits for a moment.
        tx.run("LOCK TABLE users, devices IN SHARE ROW EXCLUSIVE MODE")?;
    }
    tx.run(concat!("DELETE FROM device_finder WHERE device_id IN (", lost_devices!(), ")"))?;
    tx.run(
        "INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words, codes, seen_day) \
         SELECT devices.id, user_id, platform, ownership, devices.state, compliance, search || '\n' || email, reason_codes, \
            coalesce(last_seen_at, 0) / 86400000 \
         FROM devices JOIN users ON users.id = devices.user_id WHERE devices.id NOT IN (SELECT device_id FROM device_finder)",
    )?;
    tx.run(concat!("DELETE FROM user_finder WHERE user_id IN (", lost_users!(), ")"))?;
    tx.run(
        "INSERT INTO user_finder (user_id, source, role, words) SELECT id, source, role, email || '\n' || lower(name) FROM users \
         WHERE id NOT IN (SELECT user_id FROM user_finder)",
    )
}
