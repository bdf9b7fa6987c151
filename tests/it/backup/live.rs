//! Twenty backups of a server that is written to all the time, and twenty restores.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{QueryDsl, RunQueryDsl};
use enlist::store::{self, DatabaseUrl, Error, schema};
use serde_json::json;

use super::{PASSPHRASE, back_up, empty_like, must_be_whole, restore, said};
use crate::harness::{
    database::Database,
    every_backend,
    process::{Api, Installation},
};

const TIMES: usize = 20;
const WRITERS: usize = 4;
/// Between two writes of one writer: together they make a hundred each second, and catch up where the machine kept them waiting.
const PACE: Duration = Duration::from_millis(40);

every_backend!(every_backup_of_a_busy_server_is_whole);

/// Creates users at an even pace; notes what was acknowledged, and how long the slowest took.
async fn write_on(api: Api, writer: usize, stop: Arc<AtomicBool>, acknowledged: Arc<Mutex<Vec<String>>>) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        let email = format!("writer{writer}-{number}@example.org");
        number += 1;
        let began = Instant::now();
        api.post("users", &json!({ "email": email, "name": "W" })).await.unwrap();
        slowest = slowest.max(began.elapsed());
        acknowledged.lock().unwrap().push(email);
    }
    slowest
}

fn addresses(url: &DatabaseUrl) -> HashSet<String> {
    let all: Vec<String> =
        store::write_once::<_, Error>(url, |tx| Ok(schema::users::table.select(schema::users::email).load(&mut **tx)?)).unwrap();
    all.into_iter().collect()
}

async fn every_backup_of_a_busy_server_is_whole(database: Database) {
    let installation = Arc::new(Installation::new(database));
    let _server = installation.start().await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write_on(installation.api(), writer, Arc::clone(&stop), Arc::clone(&acknowledged))))
        .collect();
    let began = Instant::now();
    let mut seen = 0;
    for time in 0..TIMES {
        // Each backup has something that the one before has not.
        while acknowledged.lock().unwrap().len() == seen {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = acknowledged.lock().unwrap().clone();
        seen = before.len();
        let source = Arc::clone(&installation);
        let checked = tokio::task::spawn_blocking(move || {
            let file = back_up(&source, "backup");
            let target = Installation::bare(empty_like(source.database()));
            let restored = restore(&target, &file, PASSPHRASE);
            assert!(restored.status.success(), "{time}: {}", said(&restored));
            must_be_whole(&target.database().url());
            let kept = addresses(&target.database().url());
            let lost: Vec<&String> = before.iter().filter(|address| !kept.contains(*address)).collect();
            assert!(lost.is_empty(), "{time}: of {} acknowledged writes these are lost: {lost:?}", before.len());
        });
        checked.await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        // Nobody who writes waits for a backup.
        let slowest = writer.await.unwrap();
        assert!(slowest < Duration::from_secs(3), "a write took {slowest:?}");
    }
    let rate = f64::from(u32::try_from(seen).unwrap()) / began.elapsed().as_secs_f64();
    println!("{rate:.0} writes each second while {TIMES} backups were made and restored");
    assert!(rate > 50.0, "only {rate:.0} writes each second were made meanwhile");
}
