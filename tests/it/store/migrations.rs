//! Migrations: forward, back and forward again; many at once; and never under a newer database.

use std::{collections::BTreeSet, path::Path, sync::Barrier};

use enlist::store::{Access, Conn, Error, migrate};

use super::schema::dump;
use crate::harness::{database::Database, every_backend};

every_backend!(a_database_that_was_migrated_says_so, a_database_of_a_newer_program_is_refused);

/// The names of the steps of one dialect.
fn names(dialect: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_dialects_have_the_same_steps() {
    let steps = names("sqlite");
    assert_eq!(steps, names("postgres"));
    assert!(!steps.is_empty());
    for (dialect, step) in ["sqlite", "postgres"].iter().flat_map(|dialect| steps.iter().map(move |step| (dialect, step))) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect).join(step);
        for file in ["up.sql", "down.sql"] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            assert!(!text.trim().is_empty(), "{}/{file} is missing or empty", folder.display());
        }
    }
}

fn up_down_up(db: &Database) {
    let url = db.url();
    let empty = dump(db);
    let steps = names("sqlite").len();
    assert_eq!(migrate::forward(&url).unwrap(), steps);
    let first = dump(db);
    assert!(first.len() > 100);
    assert_eq!(migrate::forward(&url).unwrap(), 0, "a second start has nothing to do");
    migrate::backward(&url).unwrap();
    assert_eq!(dump(db), empty, "going back leaves nothing");
    assert_eq!(migrate::forward(&url).unwrap(), steps);
    assert_eq!(dump(db), first);
}

#[test]
fn sqlite_goes_up_down_and_up() {
    up_down_up(&Database::empty_sqlite());
}

#[test]
fn postgresql_goes_up_down_and_up() {
    up_down_up(&Database::empty_postgres());
}

/// Several servers start at once: one migrates, the others wait, and each step is run once.
fn start_together(db: &Database) {
    let barrier = Barrier::new(6);
    let url = db.url();
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    migrate::forward(&url).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut counts = counts;
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 0, 0, 0, names("sqlite").len()]);
}

#[test]
fn of_many_that_migrate_sqlite_at_once_one_does() {
    start_together(&Database::empty_sqlite());
}

#[test]
fn of_many_that_migrate_postgresql_at_once_one_does() {
    start_together(&Database::empty_postgres());
}

async fn a_database_that_was_migrated_says_so(db: Database) {
    let store = db.store();
    assert!(store.read(migrate::is_current).await.unwrap());
    let last = names("sqlite").pop_last().unwrap();
    let version = last.split('_').next().unwrap().replace('-', "");
    db.tamper(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"));
    assert!(!store.read(migrate::is_current).await.unwrap());
}

async fn a_database_of_a_newer_program_is_refused(db: Database) {
    let before = dump(&db);
    db.tamper("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    let refused = migrate::forward(&db.url());
    let Err(Error::Migration(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("newer version") && message.contains("29990101000000"), "{message}");
    assert_eq!(dump(&db), before);
    // The refusal must not keep the lock.
    db.tamper("DELETE FROM __diesel_schema_migrations WHERE version = '29990101000000'");
    assert_eq!(migrate::forward(&db.url()).unwrap(), 0);
    drop(Conn::open(&db.url(), Access::Read).unwrap());
}
