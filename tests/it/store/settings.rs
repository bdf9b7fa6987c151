//! Settings, and the server's own certificates.

use std::sync::Arc;

use enlist::store::{
    Error,
    authorities::{self, Authority, AuthorityKind},
    settings,
};

use super::fixture::{NOW, read, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_setting_is_kept_and_replaced,
    a_setting_is_made_once,
    a_setting_of_another_form_is_an_error,
    of_many_authorities_one_is_kept
);

async fn a_setting_is_kept_and_replaced(db: Database) {
    let store = db.store();
    assert_eq!(read(&store, |c| settings::find::<Vec<u8>>(c, "numbers")).await, None);
    for value in [vec![1_u8, 2], vec![]] {
        let row = value.clone();
        write(&store, move |tx| settings::upsert(tx, "numbers", &row, NOW)).await;
        assert_eq!(read(&store, |c| settings::find::<Vec<u8>>(c, "numbers")).await, Some(value));
    }
}

async fn a_setting_is_made_once(db: Database) {
    let store = db.store();
    assert!(write(&store, |tx| settings::insert_if_missing(tx, "name", &"first", NOW)).await);
    assert!(!write(&store, |tx| settings::insert_if_missing(tx, "name", &"second", NOW)).await);
    assert_eq!(read(&store, |c| settings::find::<String>(c, "name")).await.as_deref(), Some("first"));
}

async fn a_setting_of_another_form_is_an_error(db: Database) {
    let store = db.store();
    write(&store, |tx| settings::upsert(tx, "name", &"text", NOW)).await;
    let refused = store.read(|c| settings::find::<u8>(c, "name")).await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

async fn of_many_authorities_one_is_kept(db: Database) {
    let store = Arc::new(db.store());
    let tasks: Vec<_> = (0..20_u8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let made = Authority {
                    kind: AuthorityKind::DeviceCa,
                    certificate: vec![n],
                    sealed_key: vec![n],
                    not_after: NOW.plus_days(3650),
                    created_at: NOW,
                };
                (n, write(&store, move |tx| authorities::insert_if_missing(tx, &made)).await)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        let (n, is_kept) = task.await.unwrap();
        winners.extend(is_kept.then_some(n));
    }
    let kept = read(&store, authorities::list).await;
    assert_eq!((winners.len(), kept.len()), (1, 1));
    assert_eq!(kept[0].certificate, winners);
}
