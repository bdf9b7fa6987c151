//! The audit log: one unbroken chain, whoever writes and whatever somebody does to it afterwards.

use std::sync::Arc;

use enlist::{
    domain::{
        audit::{Actor, ActorKind},
        time::Timestamp,
    },
    store::{
        Error, Store, Tx,
        audit::{self, Entry, Filter, Verification},
        page::PageRequest,
    },
};

use super::fixture::{NOW, first, read, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    an_empty_log_is_intact,
    two_hundred_parallel_lines_make_an_unbroken_chain,
    the_chain_is_intact_while_lines_are_added,
    a_transaction_that_fails_leaves_no_gap,
    a_changed_line_is_found,
    a_removed_line_is_found,
    a_removed_end_is_found,
    an_added_line_is_found,
    a_lost_end_of_the_chain_stops_writing,
    lines_are_filtered_and_paged_newest_first,
);

fn record(tx: &mut Tx<'_>, actor: &str, action: &'static str, at: Timestamp) -> Result<(), Error> {
    let actor = Actor { kind: ActorKind::User, name: actor.into() };
    let detail = serde_json::json!({ "why": "a test; \"quotes\" and Ärger" });
    audit::record(tx, &Entry { at, actor: &actor, action, subject_kind: "device", subject: "1".into(), detail })
}

async fn lines(store: &Store, count: i64) {
    write(store, move |tx| (0..count).try_for_each(|n| record(tx, "ada", "device.wipe", NOW.plus_seconds(n)))).await;
}

async fn verified(store: &Store) -> Verification {
    read(store, audit::verify).await
}

async fn an_empty_log_is_intact(db: Database) {
    assert_eq!(verified(&db.store()).await, Verification { is_intact: true, lines: 0, broken_at: None });
}

async fn two_hundred_parallel_lines_make_an_unbroken_chain(db: Database) {
    let store = Arc::new(db.store());
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.write(move |tx| record(tx, "ada", "device.wipe", NOW.plus_seconds(n))).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(verified(&store).await, Verification { is_intact: true, lines: 200, broken_at: None });
    let sequences: Vec<i64> =
        read(&store, |c| audit::list(c, &Filter::default(), first(300))).await.items.iter().map(|line| line.sequence).collect();
    assert_eq!(sequences, (1..=200).rev().collect::<Vec<_>>());
}

async fn the_chain_is_intact_while_lines_are_added(db: Database) {
    let store = Arc::new(db.store());
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0..300 {
                write(&store, move |tx| record(tx, "ada", "device.wipe", NOW.plus_seconds(n))).await;
            }
        }
    });
    while !writer.is_finished() {
        let seen = verified(&store).await;
        assert!(seen.is_intact, "{seen:?}");
    }
    writer.await.unwrap();
    assert_eq!(verified(&store).await.lines, 300);
}

async fn a_transaction_that_fails_leaves_no_gap(db: Database) {
    let store = db.store();
    lines(&store, 2).await;
    let failed: Result<(), Error> = store
        .write(|tx| {
            record(tx, "ada", "device.wipe", NOW)?;
            Err(Error::Corrupt("no".into()))
        })
        .await;
    assert!(failed.is_err());
    lines(&store, 1).await;
    assert_eq!(verified(&store).await, Verification { is_intact: true, lines: 3, broken_at: None });
}

async fn a_changed_line_is_found(db: Database) {
    let store = db.store();
    lines(&store, 5).await;
    for change in ["actor_name = 'eve'", "at = at + 1", "action = 'device.lock'", "subject = '2'", "detail = '{}'", "actor_kind = 'token'"]
    {
        let column = change.split(' ').next().unwrap();
        db.tamper(&format!("CREATE TABLE saved AS SELECT * FROM audit WHERE sequence = 3; UPDATE audit SET {change} WHERE sequence = 3"));
        assert_eq!(verified(&store).await, Verification { is_intact: false, lines: 2, broken_at: Some(3) }, "{change}");
        db.tamper(&format!("UPDATE audit SET {column} = (SELECT {column} FROM saved) WHERE sequence = 3; DROP TABLE saved"));
        assert!(verified(&store).await.is_intact);
    }
}

async fn a_removed_line_is_found(db: Database) {
    let store = db.store();
    lines(&store, 5).await;
    db.tamper("DELETE FROM audit WHERE sequence = 2");
    assert_eq!(verified(&store).await, Verification { is_intact: false, lines: 1, broken_at: Some(2) });
}

async fn a_removed_end_is_found(db: Database) {
    let store = db.store();
    lines(&store, 5).await;
    db.tamper("DELETE FROM audit WHERE sequence > 3");
    assert_eq!(verified(&store).await, Verification { is_intact: false, lines: 3, broken_at: Some(4) });
    db.tamper("DELETE FROM audit");
    assert_eq!(verified(&store).await, Verification { is_intact: false, lines: 0, broken_at: Some(1) });
}

async fn an_added_line_is_found(db: Database) {
    let store = db.store();
    lines(&store, 2).await;
    db.tamper(
        "INSERT INTO audit (sequence, at, actor_kind, actor_name, action, subject_kind, subject, detail, hash) \
         SELECT 3, at, actor_kind, actor_name, action, subject_kind, subject, detail, hash FROM audit WHERE sequence = 2",
    );
    assert!(!verified(&store).await.is_intact);
}

async fn a_lost_end_of_the_chain_stops_writing(db: Database) {
    let store = db.store();
    db.tamper("DELETE FROM audit_head");
    let refused = store.write(|tx| record(tx, "ada", "device.wipe", NOW)).await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

async fn lines_are_filtered_and_paged_newest_first(db: Database) {
    let store = db.store();
    write(&store, |tx| {
        record(tx, "ada", "device.wipe", NOW)?;
        record(tx, "grace", "device.wipe", NOW.plus_seconds(1))?;
        record(tx, "ada", "device.lock", NOW.plus_seconds(2))?;
        record(tx, "ada", "device.wipe", NOW.plus_seconds(3))
    })
    .await;
    let list = async |filter: Filter, page| {
        let page = read(&store, move |c| audit::list(c, &filter, page)).await;
        (page.items.iter().map(|line| line.sequence).collect::<Vec<_>>(), page.total, page.next_cursor)
    };
    assert_eq!(list(Filter::default(), first(3)).await, (vec![4, 3, 2], 4, Some("2".into())));
    assert_eq!(list(Filter::default(), PageRequest { limit: 3, after: Some(2) }).await, (vec![1], 4, None));
    let of_ada = Filter { actor: Some("ada".into()), action: Some("device.wipe".into()), since: None };
    assert_eq!(list(of_ada, first(9)).await, (vec![4, 1], 2, None));
    let late = Filter { since: Some(NOW.plus_seconds(2)), ..Filter::default() };
    assert_eq!(list(late, first(9)).await, (vec![4, 3], 2, None));
    assert_eq!(read(&store, |c| audit::count_since(c, "ada", &["device.wipe"], NOW.plus_seconds(1))).await, 1);
}
