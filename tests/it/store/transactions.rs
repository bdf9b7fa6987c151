//! Transactions: all or nothing, alone or in a group, whatever the closure does.

use std::sync::Arc;

use enlist::{
    domain::id::GroupId,
    store::{Error, Store, groups, users},
};

use super::fixture::{first, group, read, user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_closure_that_fails_leaves_nothing,
    failures_do_not_disturb_their_group,
    a_closure_that_panics_is_answered_and_the_store_lives_on,
    a_reader_that_panics_is_answered_and_the_store_lives_on,
    an_error_that_the_closure_swallows_never_passes_for_a_commit,
    a_transaction_sees_its_own_writes,
    a_caller_that_goes_away_does_no_harm,
    a_reader_cannot_write,
);

async fn count(store: &Store) -> i64 {
    read(store, |c| groups::list(c, first(1))).await.total
}

async fn a_closure_that_fails_leaves_nothing(db: Database) {
    let store = db.store();
    let failed: Result<(), Error> = store
        .write(|tx| {
            groups::insert(tx, &group("a"))?;
            users::insert(tx, &user("a@example.com"))?;
            Err(Error::Corrupt("changed its mind".into()))
        })
        .await;
    assert!(matches!(failed, Err(Error::Corrupt(_))), "the closure's own error comes back: {failed:?}");
    assert_eq!(count(&store).await, 0);
    assert!(read(&store, |c| users::find_by_email(c, "a@example.com")).await.is_none());
}

async fn failures_do_not_disturb_their_group(db: Database) {
    let store = Arc::new(db.store());
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let result: Result<(), Error> = store
                    .write(move |tx| {
                        groups::insert(tx, &group(&n.to_string()))?;
                        match n % 3 {
                            0 => Ok(()),
                            1 => Err(Error::Corrupt("no".into())),
                            // The database itself refuses.
                            _ => groups::insert(tx, &group(&n.to_string())),
                        }
                    })
                    .await;
                (n, result)
            })
        })
        .collect();
    for task in tasks {
        let (n, result) = task.await.unwrap();
        match n % 3 {
            0 => assert!(result.is_ok(), "{result:?}"),
            1 => assert!(matches!(result, Err(Error::Corrupt(_))), "{result:?}"),
            _ => assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}"),
        }
    }
    assert_eq!(count(&store).await, 100);
}

async fn a_closure_that_panics_is_answered_and_the_store_lives_on(db: Database) {
    let store = Arc::new(db.store());
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let result: Result<(), Error> = store
                    .write(move |tx| {
                        groups::insert(tx, &group(&n.to_string()))?;
                        assert!(n != 50, "this panic is part of the test");
                        Ok(())
                    })
                    .await;
                (n, result)
            })
        })
        .collect();
    let mut acknowledged = 0;
    for task in tasks {
        let (n, result) = task.await.unwrap();
        match result {
            Ok(()) => {
                assert_ne!(n, 50);
                acknowledged += 1;
            }
            Err(error) => assert!(error.is_temporary(), "{error:?}"),
        }
    }
    assert_eq!(count(&store).await, acknowledged, "what was acknowledged is there, and nothing else");
    write(&store, |tx| groups::insert(tx, &group("after"))).await;
    assert_eq!(count(&store).await, acknowledged + 1);
}

async fn a_reader_that_panics_is_answered_and_the_store_lives_on(db: Database) {
    let store = db.store();
    for _ in 0..20 {
        let failed: Result<(), Error> = store.read(|_| panic!("this panic is part of the test")).await;
        assert!(failed.unwrap_err().is_temporary());
    }
    assert_eq!(count(&store).await, 0);
}

async fn an_error_that_the_closure_swallows_never_passes_for_a_commit(db: Database) {
    let store = db.store();
    write(&store, |tx| groups::insert(tx, &group("taken"))).await;
    let result: Result<(), Error> = store
        .write(|tx| {
            groups::insert(tx, &group("before"))?;
            drop(groups::insert(tx, &group("taken")));
            Ok(())
        })
        .await;
    // Databases differ in what is left of the transaction. What must not be is an answer that lies about it.
    let is_kept = count(&store).await == 2;
    assert_eq!(result.is_ok(), is_kept, "{result:?}");
    write(&store, |tx| groups::insert(tx, &group("after"))).await;
}

async fn a_transaction_sees_its_own_writes(db: Database) {
    let store = db.store();
    let made = group("a");
    let id = made.id;
    let found = write(&store, move |tx| {
        groups::insert(tx, &made)?;
        groups::find(tx, id)
    })
    .await;
    assert!(found.is_some());
}

async fn a_caller_that_goes_away_does_no_harm(db: Database) {
    let store = Arc::new(db.store());
    for n in 0..20 {
        let task = tokio::spawn({
            let store = store.clone();
            async move { store.write(move |tx| groups::insert(tx, &group(&n.to_string()))).await }
        });
        tokio::task::yield_now().await;
        task.abort();
    }
    write(&store, |tx| groups::insert(tx, &group("after"))).await;
    assert!(count(&store).await >= 1);
}

async fn a_reader_cannot_write(db: Database) {
    let store = db.store();
    let refused: Result<bool, Error> = store.read(|c| groups::count_existing(c, &[GroupId::new()]).map(|n| n > 0)).await;
    assert!(!refused.unwrap());
    if db.is_postgres() {
        return;
    }
    // On SQLite even a statement that got past the types is refused.
    let refused: Result<(), Error> = store
        .read(|c| match c {
            enlist::store::Conn::Sqlite(c) => {
                use diesel::connection::SimpleConnection;
                c.batch_execute("DELETE FROM audit_head").map_err(Error::from)
            }
            enlist::store::Conn::Postgres(_) => Ok(()),
        })
        .await;
    assert!(refused.is_err());
}
