//! Brings the database to the schema that this program knows; both dialects are embedded.

use diesel::{
    RunQueryDsl,
    connection::SimpleConnection,
    migration::{MigrationConnection, MigrationSource, MigrationVersion},
    sql_query,
    sql_types::BigInt,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Access, Conn, DatabaseUrl, Error, conn::on_backend};

/// SQLite's steps.
pub const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// PostgreSQL's steps.
pub const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The number of the advisory lock under which servers migrate one after the other; any number that nobody else uses.
const MIGRATION_LOCK: i64 = 0x0045_4e4c_4953_5401;

/// Runs the steps that are missing and returns how many there were. Of several servers that start at once one migrates and
/// the others wait.
///
/// # Errors
/// A step fails, or the database was migrated by a newer program.
pub fn forward(url: &DatabaseUrl) -> Result<usize, Error> {
    let _sqlite = lock_file(url)?;
    create_file(url)?;
    let mut conn = Conn::open(url, Access::Write)?;
    lock(&mut conn)?;
    let result = refuse_newer(&mut conn).and_then(|()| run_pending(&mut conn));
    unlock(&mut conn);
    result
}

/// Undoes every step; what a test needs to show that it works.
///
/// # Errors
/// A step fails.
pub fn backward(url: &DatabaseUrl) -> Result<(), Error> {
    let mut conn = Conn::open(url, Access::Write)?;
    match &mut conn {
        Conn::Sqlite(c) => c.revert_all_migrations(SQLITE).map(drop),
        Conn::Postgres(c) => c.revert_all_migrations(POSTGRES).map(drop),
    }
    .map_err(|error| Error::Migration(format!("undoing a migration failed: {error}")))
}

/// Whether every step has been run.
///
/// # Errors
/// The database cannot be asked.
pub fn is_current(conn: &mut Conn) -> Result<bool, Error> {
    let applied = applied(conn)?;
    Ok(known().iter().all(|version| applied.contains(version)))
}

pub(super) fn run_pending(conn: &mut Conn) -> Result<usize, Error> {
    match conn {
        Conn::Sqlite(c) => c.run_pending_migrations(SQLITE).map(|done| done.len()),
        Conn::Postgres(c) => c.run_pending_migrations(POSTGRES).map(|done| done.len()),
    }
    .map_err(|error| Error::Migration(format!("a migration failed: {error}")))
}

/// Runs those of the missing steps that are listed: what a backup is filled into has the schema that the backup was made from.
///
/// # Errors
/// A step fails, or the database has steps already that the list lacks.
pub(super) fn forward_to(conn: &mut Conn, steps: &[String]) -> Result<(), Error> {
    lock(conn)?;
    let result = on_backend!(&mut *conn, |c| c.setup()).map_err(Error::from).and_then(|_| run_listed(conn, steps));
    unlock(conn);
    result
}

fn run_listed(conn: &mut Conn, steps: &[String]) -> Result<(), Error> {
    let present = applied(conn)?;
    if present.iter().any(|step| !steps.contains(step)) {
        return Err(Error::Migration("the database has a newer schema than the backup; use an empty one".into()));
    }
    macro_rules! run {
        ($conn:expr, $migrations:expr) => {{
            let missing = $conn.pending_migrations($migrations).map_err(|error| failed(&error))?;
            for migration in missing.iter().filter(|migration| steps.contains(&migration.name().version().as_owned().to_string())) {
                $conn.run_migration(migration).map_err(|error| failed(&error))?;
            }
        }};
    }
    match conn {
        Conn::Sqlite(c) => run!(c, SQLITE),
        Conn::Postgres(c) => run!(c, POSTGRES),
    }
    Ok(())
}

fn failed(error: &impl std::fmt::Display) -> Error {
    Error::Migration(format!("a migration failed: {error}"))
}

/// The first of these steps that this program does not know: whoever ran it was newer.
#[must_use]
pub fn unknown_among(steps: &[String]) -> Option<String> {
    let known = known();
    steps.iter().find(|step| !known.contains(step)).cloned()
}

fn refuse_newer(conn: &mut Conn) -> Result<(), Error> {
    on_backend!(&mut *conn, |c| c.setup()).map_err(Error::from)?;
    let known = known();
    match applied(conn)?.into_iter().find(|version| !known.contains(version)) {
        None => Ok(()),
        Some(version) => Err(Error::Migration(format!(
            "the database was migrated by a newer version of enlist (step {version} is not known here); install that version or a newer one"
        ))),
    }
}

/// The steps that this program knows. Both folders hold the same names, so either will do.
fn known() -> Vec<String> {
    let migrations: Vec<Box<dyn diesel::migration::Migration<diesel::sqlite::Sqlite>>> =
        MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE).unwrap_or_default();
    migrations.iter().map(|migration| migration.name().version().as_owned().to_string()).collect()
}

/// The steps that were run, asked for in a way that changes nothing: diesel's own way makes the list where there is none.
///
/// # Errors
/// The database cannot be asked.
pub fn steps(conn: &mut Conn) -> Result<Vec<String>, Error> {
    #[derive(diesel::QueryableByName)]
    struct Step {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    #[derive(diesel::QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let is_there = match conn {
        Conn::Sqlite(_) => "SELECT count(*) AS number FROM sqlite_schema WHERE name = '__diesel_schema_migrations'",
        Conn::Postgres(_) => "SELECT count(*) AS number FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')",
    };
    let lists: Counted = on_backend!(&mut *conn, |c| sql_query(is_there).get_result(c))?;
    if lists.number == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT CAST(version AS TEXT) AS version FROM __diesel_schema_migrations ORDER BY version";
    let steps: Vec<Step> = on_backend!(conn, |c| sql_query(sql).load(c))?;
    Ok(steps.into_iter().map(|step| step.version).collect())
}

/// Whether these are all steps that this program knows.
#[must_use]
pub fn are_all(steps: &[String]) -> bool {
    known().iter().all(|step| steps.contains(step))
}

fn applied(conn: &mut Conn) -> Result<Vec<String>, Error> {
    let versions: Vec<MigrationVersion<'static>> = on_backend!(conn, |c| c.applied_migrations())
        .map_err(|error| Error::Unavailable(format!("the list of migrations cannot be read: {error}")))?;
    Ok(versions.into_iter().map(|version| version.to_string()).collect())
}

/// Makes the file of a new SQLite database. Nothing else does, so that a database that is gone is never replaced by an empty one.
fn create_file(url: &DatabaseUrl) -> Result<(), Error> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map(drop)
        .map_err(|error| Error::Unavailable(format!("the database {path} cannot be made: {error}")))
}

/// SQLite has no lock that outlives a transaction, and each step is one; so a file beside the database is locked.
fn lock_file(url: &DatabaseUrl) -> Result<Option<std::fs::File>, Error> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(None) };
    let failed = |error: std::io::Error| Error::Unavailable(format!("{path}-migration cannot be locked: {error}"));
    let file = std::fs::File::create(format!("{path}-migration")).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(Some(file))
}

fn lock(conn: &mut Conn) -> Result<(), Error> {
    match conn {
        // Released with the connection at the latest.
        Conn::Postgres(c) => {
            c.batch_execute("SET lock_timeout = '60s'")?;
            sql_query("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(MIGRATION_LOCK).execute(c).map_err(still_locked)?;
            c.batch_execute("SET lock_timeout = 0")?;
        }
        Conn::Sqlite(_) => {}
    }
    Ok(())
}

/// What it means that the lock could not be had.
fn still_locked(error: diesel::result::Error) -> Error {
    match &error {
        diesel::result::Error::DatabaseError(_, info) if info.message().contains("lock timeout") => {
            Error::Unavailable("another server has been migrating the database for more than a minute; start again when it is done".into())
        }
        _ => error.into(),
    }
}

fn unlock(conn: &mut Conn) {
    if let Conn::Postgres(c) = conn
        && let Err(error) = sql_query("SELECT pg_advisory_unlock($1)").bind::<BigInt, _>(MIGRATION_LOCK).execute(c)
    {
        tracing::debug!(error = %error, "the migration lock goes with the connection");
    }
}
