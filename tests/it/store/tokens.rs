//! API tokens.

use enlist::{
    domain::{id::TokenId, user::Role},
    store::{
        Error,
        tokens::{self, Token},
    },
};

use super::fixture::{NOW, random_hash, read, write};
use crate::harness::{database::Database, every_backend};

every_backend!(a_token_is_valid_until_it_is_taken_back, two_tokens_never_share_a_hash);

fn token(name: &str) -> Token {
    Token {
        id: TokenId::new(),
        name: name.into(),
        role: Role::Auditor,
        hash: random_hash(),
        created_at: NOW,
        revoked_at: None,
        created_by: None,
        created_by_user: None,
    }
}

async fn a_token_is_valid_until_it_is_taken_back(db: Database) {
    let store = db.store();
    let (first, second, other) = (token("backup"), token("backup"), token("report"));
    let (hash, other_hash) = (first.hash.clone(), other.hash.clone());
    write(&store, move |tx| [first, second, other].iter().try_for_each(|token| tokens::insert(tx, token))).await;
    let kept = hash.clone();
    assert_eq!(read(&store, move |c| tokens::find_valid(c, &kept)).await.unwrap().role, Role::Auditor);
    assert!(read(&store, |c| tokens::find_valid(c, &random_hash())).await.is_none());
    assert!(read(&store, |c| tokens::find_valid(c, &[])).await.is_none());
    assert_eq!(write(&store, |tx| tokens::revoke(tx, "backup", NOW)).await, 2);
    assert_eq!(write(&store, |tx| tokens::revoke(tx, "backup", NOW)).await, 0);
    assert!(read(&store, move |c| tokens::find_valid(c, &hash)).await.is_none());
    assert!(read(&store, move |c| tokens::find_valid(c, &other_hash)).await.is_some());
    assert_eq!(read(&store, tokens::list).await.len(), 3, "what was taken back stays on record");
}

async fn two_tokens_never_share_a_hash(db: Database) {
    let store = db.store();
    let (first, mut second) = (token("a"), token("b"));
    second.hash = first.hash.clone();
    let refused = store
        .write(move |tx| {
            tokens::insert(tx, &first)?;
            tokens::insert(tx, &second)
        })
        .await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert!(read(&store, tokens::list).await.is_empty(), "a transaction that fails leaves nothing");
}
