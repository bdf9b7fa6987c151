//! Fills an empty database from a backup: in one transaction, so that a restore that fails leaves nothing behind.

use diesel::{
    QueryDsl, RunQueryDsl,
    connection::{AnsiTransactionManager, TransactionManager},
    sql_query,
    sql_types::BigInt,
};

use super::{
    Access, Conn, DatabaseUrl, Error, Tx,
    conn::on_backend,
    dump, migrate,
    schema::{audit, devices, users},
};

/// What a database holds, as far as a restore has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing at all.
    Nothing,
    /// What a server puts there by itself at its first start.
    Fresh,
    /// Somebody has worked with it.
    Used,
    /// Tables of another program.
    Foreign,
}

/// Looks at what is there.
///
/// # Errors
/// Those of the database.
pub fn content(conn: &mut Conn) -> Result<Content, Error> {
    let tables = dump::tables(conn)?;
    let has = |name: &str| tables.iter().any(|table| table.name == name);
    if tables.is_empty() {
        return Ok(Content::Nothing);
    }
    if !(has("users") && has("devices") && has("audit")) {
        // A restore that was killed between two steps of migration leaves the first of them; nobody has worked with such a database.
        let steps = migrate::steps(conn)?;
        let is_ours = !steps.is_empty() && migrate::unknown_among(&steps).is_none();
        return Ok(if is_ours { Content::Fresh } else { Content::Foreign });
    }
    let counted = [
        users::table.count().get_result::<i64>(conn)?,
        devices::table.count().get_result::<i64>(conn)?,
        audit::table.count().get_result::<i64>(conn)?,
    ];
    Ok(if counted.iter().all(|count| *count == 0) { Content::Fresh } else { Content::Used })
}

/// How many others are connected to a PostgreSQL database; always nobody on SQLite, where a lock tells.
///
/// # Errors
/// Those of the database.
pub fn others_connected(conn: &mut Conn) -> Result<i64, Error> {
    #[derive(diesel::QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let Conn::Postgres(c) = conn else { return Ok(0) };
    // The query builder does not know the server's own views.
    let counted: Counted = sql_query(
        "SELECT count(*) AS number FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    )
    .get_result(c)?;
    Ok(counted.number)
}

/// Brings an empty database to the schema of a backup and runs the closure in one transaction that may write.
///
/// * `schema`: the steps of migration that the backup's database had.
///
/// # Errors
/// Those of the closure, and those of the database; nothing was changed then but the schema.
pub fn refill<T, E: From<Error>>(url: &DatabaseUrl, schema: &[String], f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
    let mut conn = Conn::open(url, Access::Write)?;
    migrate::forward_to(&mut conn, schema)?;
    // Diesel keeps count of the transaction, because the steps of migration that may follow begin one of their own within it.
    on_backend!(&mut conn, |c| AnsiTransactionManager::begin_transaction(c)).map_err(Error::from)?;
    match f(&mut Tx::new(&mut conn)) {
        Ok(value) => {
            on_backend!(&mut conn, |c| AnsiTransactionManager::commit_transaction(c)).map_err(Error::from)?;
            if let Conn::Sqlite(_) = conn {
                conn.run("PRAGMA wal_checkpoint(TRUNCATE)")?;
            }
            Ok(value)
        }
        Err(error) => {
            if let Err(lost) = on_backend!(&mut conn, |c| AnsiTransactionManager::rollback_transaction(c)) {
                tracing::debug!(error = %lost, "a rollback found no connection");
            }
            Err(error)
        }
    }
}

/// Runs the steps of migration that came after the backup.
///
/// # Errors
/// A step fails.
pub fn catch_up(tx: &mut Tx<'_>) -> Result<(), Error> {
    migrate::run_pending(tx).map(drop)
}

/// Whether the database itself finds nothing wrong: on SQLite its pages, its indexes, and rows that point nowhere.
///
/// # Errors
/// Those of the database.
pub fn is_sound(conn: &mut Conn) -> Result<bool, Error> {
    use diesel::{dsl::sql, select, sql_types::Text};
    let Conn::Sqlite(c) = conn else { return Ok(true) };
    let pages: String = select(sql::<Text>("(SELECT quick_check FROM pragma_quick_check LIMIT 1)")).get_result(c)?;
    let dangling: i64 = select(sql::<BigInt>("(SELECT count(*) FROM pragma_foreign_key_check)")).get_result(c)?;
    Ok(pages == "ok" && dangling == 0)
}
