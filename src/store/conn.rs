//! One connection, whichever database it is, and the pools that hand connections out.
#![allow(missing_docs, reason = "the derive writes items without docs")]

use std::time::{Duration, Instant};

use diesel::{
    Connection, ConnectionError, PgConnection, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ManageConnection, Pool},
};

use super::{Error, kept::Kept};

/// One connection, whichever database it is.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

/// Runs one query on whichever backend this is; for what the derive's common subset lacks.
macro_rules! on_backend {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::conn::Conn::Postgres($c) => $body,
            $crate::store::conn::Conn::Sqlite($c) => $body,
        }
    };
}
pub(crate) use on_backend;

/// The first row of a query, locked until the commit. SQLite has one writer, so there is nothing to lock.
macro_rules! first_locked {
    ($tx:expr, $query:expr) => {
        match &mut **$tx {
            $crate::store::conn::Conn::Postgres(c) => $query.for_update().first(c).optional()?,
            $crate::store::conn::Conn::Sqlite(c) => $query.first(c).optional()?,
        }
    };
}
pub(crate) use first_locked;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(String),
    /// A server, as libpq writes it.
    Postgres(String),
}

/// A database address that is neither of the two forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a database address begins with sqlite: or postgres://")]
pub struct UnknownScheme;

impl std::str::FromStr for DatabaseUrl {
    type Err = UnknownScheme;
    // SQLite accepts any text as a file name, so the scheme is matched here: a mistyped server would become a file.
    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).to_owned()))
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Ok(Self::Postgres(text.to_owned()))
        } else {
            Err(UnknownScheme)
        }
    }
}

/// What a SQLite connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Queries only.
    Read,
    /// The one writer, or a command line tool.
    Write,
}

impl Conn {
    /// Opens a connection.
    ///
    /// # Errors
    /// The database cannot be reached, or SQLite does not keep the durability that it was told to keep.
    pub fn open(url: &DatabaseUrl, access: Access) -> Result<Self, Error> {
        match url {
            DatabaseUrl::Postgres(address) => PgConnection::establish(address).map(Conn::Postgres).map_err(Error::connect),
            DatabaseUrl::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&existing_file(path)).map_err(Error::connect)?;
                // SQLite's own function knows the letters of ASCII only.
                super::lower_utils::register_impl(&mut conn, |text: String| text.to_lowercase()).map_err(Error::from)?;
                conn.batch_execute(
                    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                     PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;",
                )
                .map_err(Error::from)?;
                verify_durability(&mut conn)?;
                if access == Access::Read {
                    conn.batch_execute("PRAGMA query_only = ON").map_err(Error::from)?;
                }
                Ok(Conn::Sqlite(conn))
            }
        }
    }

    /// Runs statements that have no result.
    ///
    /// # Errors
    /// The database refuses one of them.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Error> {
        on_backend!(self, |c| c.batch_execute(sql)).map_err(Error::from)
    }

    /// Runs one statement that has no result and comes again and again: it stays prepared.
    ///
    /// # Errors
    /// The database refuses it.
    pub(super) fn run_often(&mut self, sql: &'static str) -> Result<(), Error> {
        on_backend!(self, |c| Kept(diesel::sql_query(sql)).execute(c)).map(drop).map_err(Error::from)
    }

    /// Ends a transaction that may write.
    ///
    /// # Errors
    /// The database refuses, or a statement failed before and the closure passed over it.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        let sql = match self {
            Conn::Sqlite(_) => "COMMIT",
            // After a failed statement PostgreSQL answers a bare COMMIT with success and rolls back. Any other statement fails
            // then; in the same message it costs no round trip.
            Conn::Postgres(_) => "SELECT 1; COMMIT",
        };
        self.run(sql)
    }

    /// Starts a transaction that may write. SQLite takes the write lock at once: an upgrade later would be refused.
    pub(super) fn begin_write(&mut self) -> Result<(), Error> {
        match self {
            Conn::Sqlite(_) => self.run_often("BEGIN IMMEDIATE"),
            Conn::Postgres(_) => self.run("BEGIN"),
        }
    }
}

/// The address of a SQLite file that must be there already: an empty database must never take the place of one that is gone.
fn existing_file(path: &str) -> String {
    let mut address = String::from("file:");
    for character in path.chars() {
        match character {
            '%' => address.push_str("%25"),
            '?' => address.push_str("%3f"),
            '#' => address.push_str("%23"),
            other => address.push(other),
        }
    }
    address.push_str("?mode=rw");
    address
}

/// Reads the settings back: a file system may refuse WAL, and a build may ignore `synchronous`; both lose acknowledged writes.
fn verify_durability(conn: &mut SqliteConnection) -> Result<(), Error> {
    use diesel::{
        RunQueryDsl,
        dsl::sql,
        select,
        sql_types::{Integer, Text},
    };
    let mode: String = select(sql::<Text>("(SELECT journal_mode FROM pragma_journal_mode)")).get_result(conn)?;
    let synchronous: i32 = select(sql::<Integer>("(SELECT synchronous FROM pragma_synchronous)")).get_result(conn)?;
    if mode.eq_ignore_ascii_case("wal") && synchronous >= 2 { Ok(()) } else { Err(Error::NotDurable { mode, synchronous }) }
}

/// A connection in a pool.
pub struct Pooled {
    pub(super) conn: Conn,
    /// A query said that the connection is gone.
    pub(super) is_broken: bool,
    used_at: Instant,
}

/// Makes connections for a pool.
#[derive(Debug, Clone)]
pub struct Manager {
    pub(super) url: DatabaseUrl,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled, Error> {
        Ok(Pooled { conn: Conn::open(&self.url, Access::Read)?, is_broken: false, used_at: Instant::now() })
    }

    // A round trip for each checkout would be felt; a connection that was used a moment ago is taken as it is.
    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Error> {
        let rested = pooled.used_at.elapsed();
        pooled.used_at = Instant::now();
        match pooled.conn {
            Conn::Postgres(_) if rested > Duration::from_millis(500) => pooled.conn.run("SELECT 1"),
            _ => Ok(()),
        }
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.is_broken || std::thread::panicking()
    }
}

/// A pool of connections. Connections are made when they are first needed.
pub(super) fn pool(url: &DatabaseUrl, size: u32) -> Pool<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .connection_timeout(Duration::from_secs(3))
        .test_on_check_out(true)
        .error_handler(Box::new(QuietHandler))
        .build_unchecked(Manager { url: url.clone() })
}

/// The caller is told that the database cannot be reached; saying it for each try of the pool as well would flood the log.
#[derive(Debug)]
struct QuietHandler;

impl diesel::r2d2::HandleError<Error> for QuietHandler {
    fn handle_error(&self, error: Error) {
        tracing::debug!(error = %error, "a pooled connection could not be made");
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::connect(error)
    }
}
