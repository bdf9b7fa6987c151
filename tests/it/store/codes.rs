//! Codes sent to mailboxes.

use enlist::store::{Error, codes, visits};

use super::fixture::{NOW, code, read, visit, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    only_the_newest_code_of_an_address_works,
    tries_and_failures_are_counted,
    what_was_sent_is_counted_from_an_instant,
    codes_go_with_their_visit,
);

async fn only_the_newest_code_of_an_address_works(db: Database) {
    let store = db.store();
    let (mine, theirs) = (visit(), visit());
    let (my_id, their_id) = (mine.id, theirs.id);
    write(&store, move |tx| {
        visits::insert(tx, &mine)?;
        visits::insert(tx, &theirs)?;
        codes::insert(tx, &code(my_id, "ada@example.com", NOW))?;
        codes::insert(tx, &code(my_id, "grace@example.com", NOW))?;
        codes::insert(tx, &code(their_id, "ada@example.com", NOW.plus_seconds(9)))
    })
    .await;
    let newest = write(&store, move |tx| codes::newest(tx, my_id)).await.unwrap();
    assert_eq!((newest.email.as_str(), newest.spent_at), ("grace@example.com", None));
    let other = write(&store, move |tx| codes::newest(tx, their_id)).await.unwrap();
    assert_eq!((other.email.as_str(), other.spent_at), ("ada@example.com", None));
    write(&store, move |tx| codes::insert(tx, &code(my_id, "ada@example.com", NOW.plus_seconds(20)))).await;
    let replaced = write(&store, move |tx| codes::newest(tx, their_id)).await.unwrap();
    assert_eq!(replaced.spent_at, Some(NOW.plus_seconds(20)));
}

async fn tries_and_failures_are_counted(db: Database) {
    let store = db.store();
    let visit = visit();
    let made = code(visit.id, "ada@example.com", NOW);
    let (visit_id, id) = (visit.id, made.id);
    write(&store, move |tx| visits::insert(tx, &visit).and_then(|()| codes::insert(tx, &made))).await;
    for _ in 0..2 {
        write(&store, move |tx| codes::count_try(tx, id, true, NOW)).await;
    }
    write(&store, move |tx| codes::count_try(tx, id, false, NOW.plus_seconds(3))).await;
    let kept = write(&store, move |tx| codes::newest(tx, visit_id)).await.unwrap();
    assert_eq!((kept.tries, kept.failures, kept.spent_at), (3, 2, Some(NOW.plus_seconds(3))));
    assert_eq!(read(&store, |c| codes::failures_since(c, "ada@example.com", NOW)).await, 2);
    assert_eq!(read(&store, |c| codes::failures_since(c, "nobody@example.com", NOW)).await, 0);
}

async fn what_was_sent_is_counted_from_an_instant(db: Database) {
    let store = db.store();
    let visit = visit();
    let id = visit.id;
    write(&store, move |tx| {
        visits::insert(tx, &visit)?;
        (0..4).try_for_each(|n| codes::insert(tx, &code(id, "ada@example.com", NOW.plus_seconds(n * 10))))
    })
    .await;
    assert_eq!(read(&store, |c| codes::sent_since(c, "ada@example.com", NOW.plus_seconds(10))).await, 3);
    assert_eq!(read(&store, |c| codes::sent_since(c, "other@example.com", NOW)).await, 0);
}

async fn codes_go_with_their_visit(db: Database) {
    let store = db.store();
    let visit = visit();
    let (id, expires_at) = (visit.id, visit.expires_at);
    write(&store, move |tx| visits::insert(tx, &visit).and_then(|()| codes::insert(tx, &code(id, "ada@example.com", NOW)))).await;
    assert_eq!(write(&store, move |tx| visits::purge(tx, expires_at)).await, 0);
    assert_eq!(write(&store, move |tx| visits::purge(tx, expires_at.plus_seconds(1))).await, 1);
    assert!(write(&store, move |tx| codes::newest(tx, id)).await.is_none());
    let dangling = store.write(move |tx| codes::insert(tx, &code(id, "ada@example.com", NOW))).await;
    assert!(matches!(dangling, Err(Error::Conflict(_))), "{dangling:?}");
}
