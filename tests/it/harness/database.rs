//! A database for each test, migrated and its own; gone when the test is over.

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use enlist::store::{DatabaseUrl, Store, migrate};

use super::{
    folder::TempFolder,
    postgres::{Cluster, Durability},
};

/// Names a server that is there, instead of one made for the tests.
const OVERRIDE: &str = "ENLIST_TEST_POSTGRES";
/// The migrated database that others are copied from.
const TEMPLATE: &str = "enlist_template";

/// A database, removed when this is dropped.
pub struct Database {
    text: String,
    place: Place,
}

enum Place {
    Folder(TempFolder),
    Server {
        administration: String,
        name: String,
    },
    /// Somebody else removes it.
    Elsewhere {
        name: String,
    },
}

impl Database {
    /// A migrated SQLite database in a folder of its own.
    pub fn sqlite() -> Self {
        static TEMPLATE_FILE: OnceLock<Vec<u8>> = OnceLock::new();
        let bytes = TEMPLATE_FILE.get_or_init(|| {
            let template = Self::empty_sqlite();
            migrate::forward(&template.url()).unwrap();
            std::fs::read(template.path()).unwrap()
        });
        let database = Self::empty_sqlite();
        std::fs::write(database.path(), bytes).unwrap();
        database
    }

    /// A place for a SQLite database; there is no file yet.
    pub fn empty_sqlite() -> Self {
        let folder = TempFolder::new("sqlite");
        Self { text: format!("sqlite:{}", folder.path().join("enlist.db").display()), place: Place::Folder(folder) }
    }

    /// A migrated PostgreSQL database.
    pub fn postgres() -> Self {
        match Server::get() {
            Server::Ours(_) => Self::create(&format!("TEMPLATE {TEMPLATE}")),
            Server::Theirs(_) => {
                let database = Self::create("");
                migrate::forward(&database.url()).unwrap();
                database
            }
        }
    }

    /// An empty PostgreSQL database.
    pub fn empty_postgres() -> Self {
        Self::create("")
    }

    fn create(how: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let name = format!("enlist_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let server = Server::get();
        execute(&server.url("postgres"), &format!("CREATE DATABASE {name} {how}"));
        Self { text: server.url(&name), place: Place::Server { administration: server.url("postgres"), name } }
    }

    /// The same PostgreSQL database for another server, which must be gone before this one is.
    pub fn for_another_server(&self) -> Self {
        let Place::Server { name, .. } = &self.place else { panic!("a SQLite file has one server") };
        Self { text: self.text.clone(), place: Place::Elsewhere { name: name.clone() } }
    }

    /// Whether somebody else removes it.
    pub fn is_of_another_server(&self) -> bool {
        matches!(self.place, Place::Elsewhere { .. })
    }

    /// Where it is, as the store takes it.
    pub fn url(&self) -> DatabaseUrl {
        self.text.parse().unwrap()
    }

    /// Where it is, as a person configures it.
    pub fn url_text(&self) -> &str {
        &self.text
    }

    /// The file of a SQLite database.
    pub fn path(&self) -> PathBuf {
        match &self.place {
            Place::Folder(folder) => folder.path().join("enlist.db"),
            Place::Server { name, .. } | Place::Elsewhere { name } => panic!("{name} is not a file"),
        }
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Server { .. } | Place::Elsewhere { .. })
    }

    /// Opens it.
    pub fn store(&self) -> Store {
        Store::open(&self.url(), 8).unwrap()
    }

    /// Takes a PostgreSQL database away from everybody, or gives it back.
    pub fn set_reachable(&self, is_reachable: bool) {
        let Place::Server { administration, name } = &self.place else { panic!("a file is always there") };
        // One statement each: the first cannot be changed within a transaction with the second.
        execute(administration, &format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {is_reachable}"));
        if !is_reachable {
            execute(administration, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
        }
    }

    /// Runs statements past the store: what somebody with a database client could do.
    pub fn tamper(&self, sql: &str) {
        match &self.place {
            Place::Folder(_) => {
                let path = self.path().display().to_string();
                diesel::SqliteConnection::establish(&path).unwrap().batch_execute(&format!("PRAGMA busy_timeout=5000; {sql}")).unwrap();
            }
            Place::Server { .. } | Place::Elsewhere { .. } => execute(&self.text, sql),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { administration, name } = &self.place
            && let Ok(mut conn) = PgConnection::establish(administration)
        {
            // A panic here would hide the one that ended the test.
            drop(conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        }
    }
}

fn execute(url: &str, sql: &str) {
    PgConnection::establish(url).expect("the PostgreSQL server of the tests answers").batch_execute(sql).unwrap();
}

/// The server that all tests of this process share.
enum Server {
    Ours(Cluster),
    Theirs(String),
}

impl Server {
    fn get() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            if let Ok(url) = std::env::var(OVERRIDE) {
                return Self::Theirs(url);
            }
            let cluster = Cluster::start(Durability::Fast);
            execute(&cluster.url("postgres"), &format!("CREATE DATABASE {TEMPLATE}"));
            migrate::forward(&cluster.url(TEMPLATE).parse().unwrap()).unwrap();
            Self::Ours(cluster)
        })
    }

    fn url(&self, database: &str) -> String {
        match self {
            Self::Ours(cluster) => cluster.url(database),
            Self::Theirs(url) => with_database(url, database),
        }
    }
}

/// The same server address with another database.
fn with_database(url: &str, database: &str) -> String {
    let (address, options) = url.split_once('?').map_or((url, String::new()), |(address, options)| (address, format!("?{options}")));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    format!("{}/{database}{options}", &address[..end])
}

#[test]
fn the_database_of_an_address_is_exchanged() {
    assert_eq!(with_database("postgres://me:pw@host:1", "x"), "postgres://me:pw@host:1/x");
    assert_eq!(with_database("postgres://host/old?sslmode=require", "x"), "postgres://host/x?sslmode=require");
}
