//! What was acknowledged is on the disk, whatever happens next.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use diesel::{RunQueryDsl, dsl::sql, select, sql_types::Text};
use enlist::store::{Access, Conn, DatabaseUrl, Error, Store, groups, migrate};

use super::fixture::{first, group, read, write};
use crate::harness::{
    database::Database,
    every_backend,
    postgres::{Cluster, Durability},
};

every_backend!(a_thousand_parallel_writes_are_all_there_after_reopening, a_store_finishes_what_waits_before_it_closes);

async fn count(store: &Store) -> i64 {
    read(store, |c| groups::list(c, first(1))).await.total
}

async fn a_thousand_parallel_writes_are_all_there_after_reopening(db: Database) {
    let store = Arc::new(db.store());
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.write(move |tx| groups::insert(tx, &group(&n.to_string()))).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    drop(store);
    assert_eq!(count(&db.store()).await, 1000);
}

async fn a_store_finishes_what_waits_before_it_closes(db: Database) {
    let store = Arc::new(db.store());
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.write(move |tx| groups::insert(tx, &group(&n.to_string()))).await.is_ok() })
        })
        .collect();
    drop(store);
    let mut acknowledged = 0;
    for task in tasks {
        acknowledged += i64::from(task.await.unwrap());
    }
    assert_eq!((acknowledged, count(&db.store()).await), (50, 50));
}

/// The settings of a connection, as SQLite itself tells them.
fn pragmas(conn: &mut Conn) -> Result<String, Error> {
    let Conn::Sqlite(c) = conn else { panic!("this is SQLite") };
    let line = sql::<Text>(
        "(SELECT (SELECT journal_mode FROM pragma_journal_mode) || ' ' || (SELECT synchronous FROM pragma_synchronous) || ' ' || \
         (SELECT foreign_keys FROM pragma_foreign_keys) || ' ' || (SELECT timeout FROM pragma_busy_timeout) || ' ' || \
         (SELECT query_only FROM pragma_query_only))",
    );
    Ok(select(line).get_result(c)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_settings_that_keep_data() {
    let db = Database::sqlite();
    let store = db.store();
    assert_eq!(read(&store, pragmas).await, "wal 2 1 5000 1");
    assert_eq!(write(&store, |tx| pragmas(tx)).await, "wal 2 1 5000 0");
    assert_eq!(pragmas(&mut Conn::open(&db.url(), Access::Write).unwrap()).unwrap(), "wal 2 1 5000 0");
}

/// Writes until told to stop; notes what was acknowledged, and lets no error pass that is not temporary.
async fn write_until(store: Arc<Store>, worker: u32, stop: Arc<std::sync::atomic::AtomicBool>, acknowledged: Arc<Mutex<Vec<String>>>) {
    let mut n = 0_u32;
    while !stop.load(std::sync::atomic::Ordering::SeqCst) {
        let name = format!("{worker}-{n}");
        n += 1;
        let row = group(&name);
        match store.write(move |tx| groups::insert(tx, &row)).await {
            Ok(()) => acknowledged.lock().unwrap().push(name),
            Err(error) => assert!(error.is_temporary(), "{error:?}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgresql_under_load_loses_nothing_and_heals() {
    let cluster = Cluster::start(Durability::Full);
    let url: DatabaseUrl = cluster.url("postgres").parse().unwrap();
    migrate::forward(&url).unwrap();
    let store = Arc::new(Store::open(&url, 8).unwrap());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..8).map(|n| tokio::spawn(write_until(store.clone(), n, stop.clone(), acknowledged.clone()))).collect();
    let has_begun = async || {
        while acknowledged.lock().unwrap().len() < 100 {
            tokio::task::yield_now().await;
        }
    };
    has_begun().await;
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.restart_immediately();
        cluster
    })
    .await
    .unwrap();
    let up_again = Instant::now();
    // The pool must heal by itself; errors until then are answers, not hangs.
    loop {
        let row = group(&uuid::Uuid::new_v4().to_string());
        match store.write(move |tx| groups::insert(tx, &row)).await {
            Ok(()) => break,
            Err(error) => assert!(error.is_temporary(), "{error:?}"),
        }
        assert!(up_again.elapsed() < Duration::from_secs(3), "the pool has not healed");
    }
    let healed_after = up_again.elapsed();
    assert!(healed_after < Duration::from_secs(3), "healed after {healed_after:?}");
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    let kept: std::collections::HashSet<String> =
        read(&store, |c| groups::list(c, first(1_000_000))).await.items.into_iter().map(|group| group.name).collect();
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !kept.contains(*name)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged writes are lost", lost.len(), acknowledged.len());
    drop(store);
    drop(cluster);
}
