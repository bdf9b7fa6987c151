//! Leases on jobs: many workers, workers that die, and clocks that disagree.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use enlist::{
    domain::time::Timestamp,
    store::{Store, jobs},
};

use super::{
    fixture::{read, write},
    jobs::{KINDS, claim, enqueue, finish, job, kept, put_off},
};
use crate::harness::{database::Database, every_backend};

every_backend!(
    two_workers_do_each_of_five_hundred_jobs_once,
    a_job_of_a_dead_worker_is_claimed_again_after_its_lease,
    a_worker_that_lost_its_lease_changes_nothing,
    a_worker_that_lost_its_lease_to_a_second_round_changes_nothing,
    a_job_that_was_enqueued_after_its_lease_ran_out_survives_the_slow_worker,
    leases_go_by_the_clock_of_the_database,
);

/// Lets a lease run out by moving it into the past: waiting for it would take a minute.
fn expire_leases(db: &Database) {
    db.tamper("UPDATE jobs SET lease_until = lease_until - 3600000");
}

async fn two_workers_do_each_of_five_hundred_jobs_once(db: Database) {
    let store = db.store();
    write(&store, |tx| (0..500).try_for_each(|n| jobs::enqueue(tx, &job(&n.to_string())))).await;
    let done = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    // Two servers: each has a store of its own.
    let workers: Vec<_> = [store, db.store()]
        .into_iter()
        .map(|store| {
            let done = done.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while let Some(claimed) = claim(&store).await {
                    *done.lock().unwrap().entry(claimed.key.clone()).or_default() += 1;
                    finish(&store, &claimed).await;
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut sum = 0;
    for worker in workers {
        sum += worker.await.unwrap();
    }
    assert_eq!(sum, 500);
    assert!(done.lock().unwrap().values().all(|times| *times == 1));
    assert!(read(&db.store(), jobs::totals).await.is_empty());
}

async fn a_job_of_a_dead_worker_is_claimed_again_after_its_lease(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let dead = claim(&store).await.unwrap();
    assert!(claim(&store).await.is_none(), "its lease holds");
    expire_leases(&db);
    let again = claim(&store).await.unwrap();
    assert_eq!((again.id, again.attempts), (dead.id, 2));
}

async fn a_worker_that_lost_its_lease_changes_nothing(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let slow = claim(&store).await.unwrap();
    expire_leases(&db);
    let present = claim(&store).await.unwrap();
    finish(&store, &slow).await;
    put_off(&store, &slow, None).await;
    let held = kept(&store, "a").await.unwrap();
    assert_eq!((held.attempts, held.lease_until, held.dead_at), (2, present.lease_until, None));
    finish(&store, &present).await;
    assert!(kept(&store, "a").await.is_none());
}

/// Finished and enqueued again, a job counts its tries from the start: the same count must not be taken for the same lease.
async fn a_worker_that_lost_its_lease_to_a_second_round_changes_nothing(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let slow = claim(&store).await.unwrap();
    expire_leases(&db);
    let present = claim(&store).await.unwrap();
    enqueue(&store, job("a")).await;
    finish(&store, &present).await;
    let second_round = claim(&store).await.unwrap();
    assert_eq!((second_round.id, second_round.attempts), (slow.id, slow.attempts));
    finish(&store, &slow).await;
    assert_eq!(kept(&store, "a").await.unwrap().lease_until, second_round.lease_until);
}

async fn a_job_that_was_enqueued_after_its_lease_ran_out_survives_the_slow_worker(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    claim(&store).await.unwrap();
    expire_leases(&db);
    let slow = kept(&store, "a").await.unwrap();
    enqueue(&store, job("a")).await;
    finish(&store, &slow).await;
    assert!(claim(&store).await.is_some(), "the slow worker has not seen what was wanted after it began");
}

/// What the store believes the present to be, next to what this process believes.
async fn both_clocks(store: &Store) -> (Timestamp, Timestamp) {
    let database = read(store, jobs::database_now).await;
    (database, enlist::domain::time::Clock::now(&enlist::domain::time::SystemClock))
}

async fn leases_go_by_the_clock_of_the_database(db: Database) {
    let store = db.store();
    let (database, ours) = both_clocks(&store).await;
    assert!(ours.since(database).as_secs() < 5 && database.since(ours).as_secs() < 5, "milliseconds, and of this day");
    enqueue(&store, job("a")).await;
    let claimed = write(&store, |tx| jobs::claim(tx, KINDS, 60)).await.unwrap();
    let after = read(&store, jobs::database_now).await;
    let lease_until = claimed.lease_until.unwrap();
    assert!(lease_until >= database.plus_seconds(60) && lease_until <= after.plus_seconds(60));
}
