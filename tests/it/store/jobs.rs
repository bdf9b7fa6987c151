//! Jobs: enqueued with the change that they follow, done once for each key, revived when wanted again.

use std::sync::Arc;

use enlist::{
    domain::time::Timestamp,
    store::{
        Error, Store,
        jobs::{self, Job, NewJob},
    },
};

use super::fixture::{read, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_job_of_a_transaction_that_fails_is_never_done,
    a_job_that_was_enqueued_twice_is_done_once,
    a_waiting_job_runs_at_the_earlier_of_both_times,
    a_job_that_was_enqueued_while_it_ran_runs_once_more,
    a_job_that_was_enqueued_while_it_ran_for_the_last_time_runs_once_more,
    a_job_that_failed_waits_and_remembers_why,
    a_job_that_was_given_up_is_revived_when_it_is_wanted_again,
    jobs_are_claimed_by_kind_and_in_order,
    nobody_claims_a_job_whose_enqueuing_is_not_committed,
    a_job_is_never_lost_between_enqueuing_and_finishing,
    totals_tell_waiting_from_given_up,
);

pub const KINDS: &[&str] = &["push"];

pub fn job(key: &str) -> NewJob {
    NewJob { kind: "push", key: key.into(), payload: serde_json::json!({ "key": key }), delay_seconds: 0 }
}

pub async fn enqueue(store: &Store, new: NewJob) {
    write(store, move |tx| jobs::enqueue(tx, &new)).await;
}

pub async fn claim(store: &Store) -> Option<Job> {
    write(store, |tx| jobs::claim(tx, KINDS, 60)).await
}

pub async fn finish(store: &Store, job: &Job) {
    let job = job.clone();
    write(store, move |tx| jobs::finish(tx, &job)).await;
}

pub async fn put_off(store: &Store, job: &Job, delay_seconds: Option<i64>) {
    let job = job.clone();
    write(store, move |tx| jobs::put_off(tx, &job, "refused", delay_seconds)).await;
}

pub async fn kept(store: &Store, key: &'static str) -> Option<Job> {
    read(store, move |c| jobs::find_by_key(c, key)).await
}

async fn a_job_of_a_transaction_that_fails_is_never_done(db: Database) {
    let store = db.store();
    let failed: Result<(), Error> = store
        .write(|tx| {
            jobs::enqueue(tx, &job("a"))?;
            Err(Error::Corrupt("no".into()))
        })
        .await;
    assert!(failed.is_err());
    assert!(kept(&store, "a").await.is_none());
    assert!(claim(&store).await.is_none());
}

async fn a_job_that_was_enqueued_twice_is_done_once(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    enqueue(&store, NewJob { payload: serde_json::json!("newer"), ..job("a") }).await;
    let claimed = claim(&store).await.unwrap();
    assert_eq!((claimed.attempts, claimed.payload.as_str()), (1, "\"newer\""), "the newest payload is the one that counts");
    assert!(claim(&store).await.is_none());
    finish(&store, &claimed).await;
    assert!(kept(&store, "a").await.is_none());
}

async fn a_waiting_job_runs_at_the_earlier_of_both_times(db: Database) {
    let store = db.store();
    enqueue(&store, NewJob { delay_seconds: 3600, ..job("a") }).await;
    assert!(claim(&store).await.is_none());
    enqueue(&store, NewJob { delay_seconds: 7200, ..job("a") }).await;
    let before = kept(&store, "a").await.unwrap();
    assert!(before.run_at.since(before.created_at).as_secs() <= 3600, "the later one changes nothing");
    enqueue(&store, job("a")).await;
    assert!(claim(&store).await.is_some());
}

async fn a_job_that_was_enqueued_while_it_ran_runs_once_more(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let first = claim(&store).await.unwrap();
    enqueue(&store, job("a")).await;
    enqueue(&store, job("a")).await;
    assert!(claim(&store).await.is_none(), "one at a time for each key");
    finish(&store, &first).await;
    let second = claim(&store).await.unwrap();
    assert_eq!(second.attempts, 1, "a new wish, with all its tries");
    finish(&store, &second).await;
    assert!(claim(&store).await.is_none());
    assert!(kept(&store, "a").await.is_none());
}

async fn a_job_that_was_enqueued_while_it_ran_for_the_last_time_runs_once_more(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let last_try = claim(&store).await.unwrap();
    enqueue(&store, job("a")).await;
    put_off(&store, &last_try, None).await;
    let waiting = kept(&store, "a").await.unwrap();
    assert_eq!(waiting.dead_at, None, "the new wish must not be given up with the old one");
    assert_eq!(claim(&store).await.unwrap().attempts, 1);
}

async fn a_job_that_failed_waits_and_remembers_why(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let first = claim(&store).await.unwrap();
    put_off(&store, &first, Some(600)).await;
    let waiting = kept(&store, "a").await.unwrap();
    assert_eq!((waiting.attempts, waiting.last_error.as_deref(), waiting.lease_until), (1, Some("refused"), None));
    assert!(claim(&store).await.is_none());
    enqueue(&store, job("a")).await;
    assert_eq!(claim(&store).await.unwrap().attempts, 2, "its tries are counted on");
}

async fn a_job_that_was_given_up_is_revived_when_it_is_wanted_again(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let only = claim(&store).await.unwrap();
    put_off(&store, &only, None).await;
    assert!(kept(&store, "a").await.unwrap().dead_at.is_some());
    assert!(claim(&store).await.is_none());
    enqueue(&store, job("a")).await;
    let revived = claim(&store).await.unwrap();
    assert_eq!((revived.attempts, revived.dead_at), (1, None));
}

async fn jobs_are_claimed_by_kind_and_in_order(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    enqueue(&store, NewJob { delay_seconds: -10, ..job("b") }).await;
    enqueue(&store, NewJob { kind: "mail", ..job("c") }).await;
    let mut keys = Vec::new();
    while let Some(claimed) = claim(&store).await {
        keys.push(claimed.key);
    }
    assert_eq!(keys, ["b", "a"], "what has waited longest comes first, and other kinds do not come");
    assert_eq!(write(&store, |tx| jobs::claim(tx, &["mail", "push"], 60)).await.unwrap().key, "c");
    assert!(write(&store, |tx| jobs::claim(tx, &[], 60)).await.is_none());
}

/// A transaction adds to work that waits already; a worker that did that work before the transaction is committed would
/// not see what it adds, and nobody would come again.
async fn nobody_claims_a_job_whose_enqueuing_is_not_committed(db: Database) {
    let store = Arc::new(db.store());
    enqueue(&store, job("a")).await;
    let (is_enqueued, enqueued) = std::sync::mpsc::channel::<()>();
    let (may_commit, committing) = std::sync::mpsc::channel::<()>();
    let transaction = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write(move |tx| {
                    jobs::enqueue(tx, &job("a"))?;
                    is_enqueued.send(()).unwrap();
                    committing.recv().unwrap();
                    Ok::<_, Error>(())
                })
                .await
        }
    });
    tokio::task::spawn_blocking(move || enqueued.recv().unwrap()).await.unwrap();
    if db.is_postgres() {
        assert!(claim(&store).await.is_none(), "the job is locked until the commit");
    }
    may_commit.send(()).unwrap();
    transaction.await.unwrap().unwrap();
    assert!(claim(&store).await.is_some());
}

/// Whoever enqueues always gets a run that begins after their commit, however closely a worker finishes the one before.
async fn a_job_is_never_lost_between_enqueuing_and_finishing(db: Database) {
    let store = Arc::new(db.store());
    let worker = tokio::spawn({
        let store = store.clone();
        async move {
            let mut seen = 0_i64;
            let mut idle = 0;
            while seen < 200 && idle < 20_000 {
                let Some(claimed) = claim(&store).await else {
                    idle += 1;
                    tokio::task::yield_now().await;
                    continue;
                };
                idle = 0;
                // The work: to take notice of the newest number.
                seen = read(&store, |c| enlist::store::settings::find(c, "number")).await.unwrap_or(0);
                finish(&store, &claimed).await;
            }
            seen
        }
    });
    for number in 1..=200_i64 {
        write(&store, move |tx| {
            enlist::store::settings::upsert(tx, "number", &number, Timestamp::from_millis(0))?;
            jobs::enqueue(tx, &job("a"))
        })
        .await;
    }
    assert_eq!(worker.await.unwrap(), 200);
}

async fn totals_tell_waiting_from_given_up(db: Database) {
    let store = db.store();
    enqueue(&store, job("a")).await;
    let given_up = claim(&store).await.unwrap();
    put_off(&store, &given_up, None).await;
    enqueue(&store, job("b")).await;
    enqueue(&store, job("c")).await;
    let mut totals = read(&store, jobs::totals).await;
    totals.sort();
    assert_eq!(totals, [("push".to_owned(), false, 2), ("push".to_owned(), true, 1)]);
}
