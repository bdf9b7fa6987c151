//! What is kept: all SQL lives here and nothing else does.
//!
//! Callers see two closures: [`Store::read`] and [`Store::write`]. On SQLite every write goes through one writer thread that
//! commits many of them together and answers each only after the commit; on PostgreSQL a write is a transaction on a pooled
//! connection. A write that returns an error leaves nothing behind. Functions that write ask for a [`Tx`], which only
//! `Store::write` makes.

use std::ops::{Deref, DerefMut};

use diesel::{
    r2d2::Pool,
    result::{DatabaseErrorKind, Error as DieselError},
};

use crate::domain::id::EnrollmentId;

pub mod access;
pub mod activation_files;
pub mod attention;
pub mod audit;
pub mod authorities;
pub mod backlog;
pub mod browsers;
pub mod census;
pub mod certificate_list;
pub mod certificates;
pub mod codes;
pub mod commands;
pub mod conn;
pub mod deliveries;
pub mod devices;
pub mod dump;
pub mod enrollments;
pub mod files;
pub mod finders;
pub mod gate;
pub mod gate_cookies;
pub mod groups;
pub mod health;
pub mod held;
pub mod imports;
pub mod invitations;
pub mod jobs;
pub mod kept;
pub mod ladders;
pub mod launcher_packages;
pub mod launchers;
pub mod links;
pub mod mail_accounts;
pub mod mail_texts;
pub mod mails;
pub mod migrate;
pub mod page;
pub mod policies;
pub mod postures;
pub mod push_certificates;
pub mod refill;
pub mod rollouts;
pub mod saved_reports;
#[allow(missing_docs, reason = "the macros write items without docs")]
pub mod schema;
pub mod sessions;
pub mod settings;
pub mod standings;
pub mod tallies;
pub mod timeline;
pub mod tokens;
pub mod users;
pub mod visits;
pub mod webhooks;
pub mod wipes;
mod writer;

pub use conn::{Access, Conn, DatabaseUrl};

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique value exists, or a row that is pointed to does not.
    #[error("the database refused a duplicate or a dangling reference")]
    Conflict(#[source] DieselError),
    /// The database cannot be reached or is too busy; trying again later may work.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The query failed for another reason.
    #[error("a database query failed")]
    Query(#[source] DieselError),
    /// A stored document cannot be read.
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
    /// SQLite would lose acknowledged writes in a power cut.
    #[error(
        "SQLite runs with journal_mode={mode} and synchronous={synchronous}, which can lose data in a power cut; put the data folder on a local file system"
    )]
    NotDurable {
        /// What it runs with.
        mode: String,
        /// What it runs with.
        synchronous: i32,
    },
    /// The schema is not one that this program knows.
    #[error("{0}")]
    Migration(String),
}

impl Error {
    fn connect(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string().lines().next().unwrap_or("no reason given").to_owned())
    }

    /// Whether trying again later may work.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::ForeignKeyViolation => Self::Conflict(error),
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction => Self::connect(info.message()),
                _ if is_outage(info.message()) => Self::connect(info.message()),
                _ => Self::Query(error),
            },
            DieselError::BrokenTransactionManager => Self::connect("the connection was lost"),
            _ => Self::Query(error),
        }
    }
}

/// Messages of both databases that mean "not now" and carry no kind of their own.
fn is_outage(message: &str) -> bool {
    const SIGNS: [&str; 13] = [
        "database is locked",
        "disk is full",
        "disk I/O error",
        "readonly database",
        "unable to open database",
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "connection to server",
        "connection has been closed",
        "the database system is",
        "deadlock detected",
        "could not receive data",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// A transaction that may write. Reading works as on a [`Conn`].
pub struct Tx<'a> {
    conn: &'a mut Conn,
    /// Enrollments for which something was put into the queue.
    called: Vec<EnrollmentId>,
}

impl<'a> Tx<'a> {
    fn new(conn: &'a mut Conn) -> Self {
        Self { conn, called: Vec::new() }
    }

    /// Notes that the device of an enrollment is to be called once everything is committed.
    pub fn call(&mut self, enrollment: EnrollmentId) {
        self.called.push(enrollment);
    }

    /// Takes what was noted; for whoever tells the devices after the commit.
    #[must_use]
    pub fn take_called(&mut self) -> Vec<EnrollmentId> {
        std::mem::take(&mut self.called)
    }
}

impl Deref for Tx<'_> {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.conn
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn
    }
}

/// Connections for what must be answered now.
const APART: u32 = 2;

/// The database.
pub struct Store {
    readers: Pool<conn::Manager>,
    /// For what must be answered now, however much else is going on.
    apart: Pool<conn::Manager>,
    writer: Option<writer::Writer>,
}

impl Store {
    /// Opens the database. Nothing is connected yet on PostgreSQL; SQLite's writer starts.
    ///
    /// * `url`: where it is.
    /// * `connections`: how many connections PostgreSQL may be asked for; SQLite takes at most four readers.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(url: &DatabaseUrl, connections: u32) -> Result<Self, Error> {
        let (writer, size) = match url {
            DatabaseUrl::Sqlite(_) => (Some(writer::Writer::start(url.clone())?), connections.min(4)),
            DatabaseUrl::Postgres(_) => (None, connections),
        };
        Ok(Self { readers: conn::pool(url, size.max(1)), apart: conn::pool(url, APART), writer })
    }

    /// Runs queries.
    ///
    /// # Errors
    /// Those of the closure, and [`Error::Unavailable`].
    pub async fn read<T, E>(&self, f: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let pool = self.readers.clone();
        blocking(move || with_pooled(&pool, f)).await
    }

    /// Runs queries on connections that nothing else uses: they never wait behind reports and pages.
    ///
    /// # Errors
    /// Those of the closure, and [`Error::Unavailable`].
    pub async fn read_apart<T, E>(&self, f: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let pool = self.apart.clone();
        blocking(move || with_pooled(&pool, f)).await
    }

    /// Runs a transaction: everything in the closure is kept if it returns `Ok`, and nothing of it otherwise.
    ///
    /// # Errors
    /// Those of the closure, and [`Error::Unavailable`].
    pub async fn write<T, E>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if let Some(writer) = &self.writer {
            return writer.write(f).await;
        }
        let pool = self.readers.clone();
        blocking(move || with_pooled(&pool, |conn| transaction(conn, f))).await
    }
}

/// Runs a closure on a thread that may block.
async fn blocking<T: Send + 'static, E: From<Error> + Send + 'static>(f: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(panic) => Err(E::from(Error::Unavailable(format!("a database task ended early: {panic}")))),
    }
}

fn with_pooled<T, E: From<Error>>(pool: &Pool<conn::Manager>, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    let mut pooled = pool.get().map_err(|error| E::from(Error::connect(error)))?;
    let result = f(&mut pooled.conn);
    // An error may mean that the connection is gone. Asking is a round trip, and errors are rare.
    if result.is_err() && matches!(pooled.conn, Conn::Postgres(_)) {
        pooled.is_broken = pooled.conn.run("SELECT 1").is_err();
    }
    result
}

/// One transaction on one connection.
fn transaction<T, E: From<Error>>(conn: &mut Conn, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
    conn.begin_write()?;
    match f(&mut Tx::new(conn)) {
        Ok(value) => {
            conn.commit()?;
            Ok(value)
        }
        Err(error) => {
            // Where even this fails the connection is gone, and the transaction with it.
            if let Err(lost) = conn.run("ROLLBACK") {
                tracing::debug!(error = %lost, "a rollback found no connection");
            }
            Err(error)
        }
    }
}

/// Runs a transaction on a connection of one's own, without a server. For the command line and for migrations.
///
/// # Errors
/// Those of the closure, and those of the database.
pub fn write_once<T, E: From<Error>>(url: &DatabaseUrl, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
    let mut conn = Conn::open(url, Access::Write)?;
    transaction(&mut conn, f)
}

/// Reads a stored document.
fn parse<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt(format!("{what}: {error}")))
}

/// Writes a document for storing.
fn document<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt(error.to_string()))
}

diesel::define_sql_function! {
    /// The text in lower case, in both databases.
    #[allow(missing_docs, reason = "the macro writes items without docs")]
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// A pattern for `LIKE … ESCAPE '\'` that finds this text anywhere, in lower case.
fn contains(text: &str) -> String {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
