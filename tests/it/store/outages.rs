//! A database that cannot be reached, is locked, or was taken away: an answer in time, and never an empty one in its place.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{
    Connection, SqliteConnection,
    connection::SimpleConnection,
    result::{DatabaseErrorKind, Error as DieselError},
};
use enlist::store::{DatabaseUrl, Error, Store, groups, migrate};

use super::fixture::{first, group, read, write};
use crate::harness::{database::Database, folder::TempFolder};

async fn try_write(store: &Store) -> Result<(), Error> {
    let row = group(&uuid::Uuid::new_v4().to_string());
    store.write(move |tx| groups::insert(tx, &row)).await
}

async fn try_read(store: &Store) -> Result<i64, Error> {
    store.read(|c| groups::list(c, first(1))).await.map(|page| page.total)
}

#[test]
fn a_mistyped_address_makes_no_file() {
    let folder = TempFolder::new("mistyped");
    for text in ["postgre://enlist@db/enlist", "postgres:enlist", "mysql://db", "enlist.db", "", "SQLITE:x", "/var/lib/enlist.db"] {
        assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
    }
    // A server that is not there stays an error; nothing is opened in its place.
    let absent = format!("postgres://enlist@/enlist?host={}", folder.path().display());
    let refused = migrate::forward(&absent.parse().unwrap());
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_told_in_time() {
    let folder = TempFolder::new("absent");
    let absent: DatabaseUrl = format!("postgres://enlist@/enlist?host={}", folder.path().display()).parse().unwrap();
    let store = Store::open(&absent, 4).unwrap();
    let begun = Instant::now();
    assert!(try_write(&store).await.unwrap_err().is_temporary());
    assert!(try_read(&store).await.unwrap_err().is_temporary());
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = TempFolder::new("nowhere");
    let url: DatabaseUrl = format!("sqlite:{}/nowhere/enlist.db", folder.path().display()).parse().unwrap();
    assert!(matches!(migrate::forward(&url), Err(Error::Unavailable(_))));
    assert!(matches!(Store::open(&url, 4).map(drop), Err(Error::Unavailable(_))));
}

#[test]
fn a_store_is_never_opened_on_a_file_that_is_not_there() {
    let db = Database::empty_sqlite();
    assert!(matches!(Store::open(&db.url(), 4).map(drop), Err(Error::Unavailable(_))), "only migrating makes a database");
    assert!(!db.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_deleted_is_told_and_no_empty_database_takes_its_place() {
    let db = Database::sqlite();
    let store = db.store();
    try_write(&store).await.unwrap();
    try_read(&store).await.unwrap();
    std::fs::remove_dir_all(db.path().parent().unwrap()).unwrap();
    for _ in 0..3 {
        let refused = try_write(&store).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "a write to a file without a name is lost: {refused:?}");
    }
    // Many readers at once need more connections than are open.
    let store = Arc::new(store);
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { try_read(&store).await })
        })
        .collect();
    for reader in readers {
        if let Err(error) = reader.await.unwrap() {
            assert!(error.is_temporary(), "{error:?}");
        }
    }
    assert!(!db.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_is_told_and_the_new_one_is_used() {
    let (db, backup) = (Database::sqlite(), Database::sqlite());
    let store = db.store();
    try_write(&store).await.unwrap();
    for suffix in ["-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", db.path().display())));
    }
    std::fs::rename(backup.path(), db.path()).unwrap();
    let refused = try_write(&store).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    try_write(&store).await.unwrap();
    assert_eq!(try_read(&db.store()).await.unwrap(), 1, "what was acknowledged is in the file that is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_wait_for_a_lock_five_seconds_and_all_are_answered_together() {
    let db = Database::sqlite();
    let store = Arc::new(db.store());
    let mut other = SqliteConnection::establish(&db.path().display().to_string()).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let writers: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { try_write(&store).await })
        })
        .collect();
    assert_eq!(try_read(&store).await.unwrap(), 0, "readers do not wait for writers");
    for writer in writers {
        assert!(writer.await.unwrap().unwrap_err().is_temporary());
    }
    assert!(begun.elapsed() < Duration::from_secs(9), "answered after {:?}", begun.elapsed());
    other.batch_execute("ROLLBACK").unwrap();
    try_write(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_reader_does_not_stop_writers() {
    let db = Database::sqlite();
    let store = Arc::new(db.store());
    let mut other = SqliteConnection::establish(&db.path().display().to_string()).unwrap();
    other.batch_execute("BEGIN; SELECT count(*) FROM groups").unwrap();
    write(&store, |tx| groups::insert(tx, &group("a"))).await;
    assert_eq!(read(&store, |c| groups::list(c, first(1))).await.total, 1);
}

#[test]
fn what_means_not_now_is_temporary_and_nothing_else() {
    let of = |kind, message: &str| Error::from(DieselError::DatabaseError(kind, Box::new(message.to_owned()))).is_temporary();
    for message in [
        "database is locked",
        "database or disk is full",
        "disk I/O error",
        "attempt to write a readonly database",
        "unable to open database file",
        "server closed the connection unexpectedly",
        "terminating connection due to administrator command",
        "terminating connection because of crash of another server process",
        "FATAL:  the database system is shutting down",
        "no connection to the server",
        "deadlock detected",
        "SSL connection has been closed unexpectedly",
        "connection to server was lost",
    ] {
        assert!(of(DatabaseErrorKind::Unknown, message), "{message}");
    }
    assert!(of(DatabaseErrorKind::ReadOnlyTransaction, "cannot execute INSERT in a read-only transaction"));
    assert!(of(DatabaseErrorKind::SerializationFailure, "could not serialize access"));
    assert!(of(DatabaseErrorKind::ClosedConnection, ""));
    assert!(!of(DatabaseErrorKind::Unknown, "syntax error at or near \"SELEC\""));
    assert!(!of(DatabaseErrorKind::CheckViolation, "new row violates check constraint"));
    assert!(!of(DatabaseErrorKind::UniqueViolation, "duplicate key"));
}
