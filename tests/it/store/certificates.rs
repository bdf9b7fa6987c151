//! Device certificates and the one-time rights to them.

use std::sync::Arc;

use enlist::store::{Error, certificates};

use super::fixture::{NOW, certificate, challenge, enrolled, random_hash, read, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_challenge_is_spent_exactly_once_under_a_hundred_parallel_calls,
    an_expired_or_unknown_challenge_is_refused,
    a_challenge_whose_transaction_fails_is_not_spent,
    a_certificate_is_found_by_each_of_its_names,
    serial_numbers_and_transactions_are_unique,
    certificates_are_revoked_apart_from_one,
);

async fn a_challenge_is_spent_exactly_once_under_a_hundred_parallel_calls(db: Database) {
    let store = Arc::new(db.store());
    let ada = enrolled(&store, "ada@example.com").await;
    let made = challenge(ada.enrollment.id);
    let hash = made.hash.clone();
    write(&store, move |tx| certificates::insert_challenge(tx, &made)).await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (store, hash) = (store.clone(), hash.clone());
            tokio::spawn(async move { store.write(move |tx| certificates::spend_challenge(tx, &hash, NOW)).await.unwrap() })
        })
        .collect();
    let mut spent = Vec::new();
    for task in tasks {
        spent.extend(task.await.unwrap());
    }
    assert_eq!(spent.len(), 1);
    assert_eq!((spent[0].common_name.as_str(), spent[0].spent_at), ("device", Some(NOW)));
}

async fn an_expired_or_unknown_challenge_is_refused(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let made = challenge(ada.enrollment.id);
    let (hash, end) = (made.hash.clone(), made.expires_at);
    write(&store, move |tx| certificates::insert_challenge(tx, &made)).await;
    let late = hash.clone();
    assert!(write(&store, move |tx| certificates::spend_challenge(tx, &late, end)).await.is_none());
    assert!(write(&store, |tx| certificates::spend_challenge(tx, &random_hash(), NOW)).await.is_none());
    assert!(write(&store, |tx| certificates::spend_challenge(tx, &[], NOW)).await.is_none());
    let kept = hash.clone();
    assert_eq!(read(&store, move |c| certificates::challenge_of(c, &kept)).await.unwrap().spent_at, None);
    assert!(write(&store, move |tx| certificates::spend_challenge(tx, &hash, end.plus_seconds(-1))).await.is_some());
}

async fn a_challenge_whose_transaction_fails_is_not_spent(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let made = challenge(ada.enrollment.id);
    let hash = made.hash.clone();
    write(&store, move |tx| certificates::insert_challenge(tx, &made)).await;
    let tried = hash.clone();
    let failed: Result<(), Error> = store
        .write(move |tx| {
            assert!(certificates::spend_challenge(tx, &tried, NOW)?.is_some());
            Err(Error::Corrupt("the request is not signed".into()))
        })
        .await;
    assert!(failed.is_err());
    assert!(write(&store, move |tx| certificates::spend_challenge(tx, &hash, NOW)).await.is_some());
}

async fn a_certificate_is_found_by_each_of_its_names(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let (older, newer) = (certificate(ada.enrollment.id), certificate(ada.enrollment.id));
    let (old, new) = (older.clone(), newer.clone());
    write(&store, move |tx| certificates::insert(tx, &older).and_then(|()| certificates::insert(tx, &newer))).await;
    let (id, enrollment) = (old.id, ada.enrollment.id);
    assert_eq!(read(&store, move |c| certificates::of_serial(c, &old.serial)).await.unwrap().id, id);
    assert_eq!(read(&store, move |c| certificates::of_fingerprint(c, &old.fingerprint)).await.unwrap().id, id);
    assert_eq!(read(&store, move |c| certificates::of_transaction(c, &old.transaction_hash)).await.unwrap().id, id);
    assert_eq!(read(&store, move |c| certificates::newest_of_enrollment(c, enrollment)).await.unwrap().id, new.id);
    assert!(read(&store, |c| certificates::of_fingerprint(c, &random_hash())).await.is_none());
}

async fn serial_numbers_and_transactions_are_unique(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let made = certificate(ada.enrollment.id);
    let (mut serial, mut transaction) = (certificate(ada.enrollment.id), certificate(ada.enrollment.id));
    serial.serial = made.serial.clone();
    transaction.transaction_hash = made.transaction_hash.clone();
    write(&store, move |tx| certificates::insert(tx, &made)).await;
    for twin in [serial, transaction] {
        let refused = store.write(move |tx| certificates::insert(tx, &twin)).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    }
}

async fn certificates_are_revoked_apart_from_one(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let enrollment = ada.enrollment.id;
    let made: Vec<_> = (0..3).map(|_| certificate(enrollment)).collect();
    let (rows, keep) = (made.clone(), made[2].id);
    write(&store, move |tx| rows.iter().try_for_each(|row| certificates::insert(tx, row))).await;
    let revoke =
        async |except| write(&store, move |tx| certificates::revoke_of_enrollment(tx, enrollment, except, "superseded", NOW)).await;
    assert_eq!(revoke(Some(keep)).await, 2);
    assert_eq!(revoke(Some(keep)).await, 0);
    let listed = read(&store, |c| certificates::revoked(c, NOW)).await;
    let expected: Vec<_> = made[..2].iter().map(|row| (row.serial.clone(), NOW, Some("superseded".to_owned()))).collect();
    assert_eq!(listed, expected);
    assert!(read(&store, move |c| certificates::revoked(c, NOW.plus_days(365))).await.is_empty(), "expired ones need no listing");
    assert_eq!(revoke(None).await, 1);
}
