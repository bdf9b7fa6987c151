//! Visits and invitations: the way in.

use std::sync::Arc;

use enlist::{
    domain::{device::Ownership, id::InvitationId},
    store::{
        Error, enrollments,
        invitations::{self, Invitation},
        visits,
    },
};

use super::fixture::{NOW, enrolled, enrollment, random_hash, read, stored_user, visit, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_visit_is_found_until_it_ends,
    a_profile_is_taken_once_under_fifty_parallel_calls,
    a_visit_outlives_its_invitation_and_its_enrollment,
    the_newest_invitation_of_a_user_is_found,
);

async fn a_visit_is_found_until_it_ends(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let mut made = visit();
    let (hash, row) = (made.hash.clone(), made.clone());
    write(&store, move |tx| visits::insert(tx, &row)).await;
    made.user_id = Some(ada.id);
    made.email = Some("ada@example.com".into());
    let row = made.clone();
    write(&store, move |tx| visits::update(tx, &row)).await;
    let (at_the_end, before) = (hash.clone(), made.expires_at.plus_seconds(-1));
    assert_eq!(read(&store, move |c| visits::find_by_hash(c, &hash, before)).await.unwrap().user_id, Some(ada.id));
    assert!(read(&store, move |c| visits::find_by_hash(c, &at_the_end, made.expires_at)).await.is_none());
    assert!(read(&store, |c| visits::find_by_hash(c, &random_hash(), NOW)).await.is_none());
}

async fn a_profile_is_taken_once_under_fifty_parallel_calls(db: Database) {
    let store = Arc::new(db.store());
    let ada = stored_user(&store, "ada@example.com").await;
    let made = visit();
    let (id, hash) = (made.id, made.hash.clone());
    write(&store, move |tx| visits::insert(tx, &made)).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let prepared = enrollment(ada.id);
                let enrollment = prepared.id;
                let taken = store
                    .write(move |tx| {
                        enrollments::insert(tx, &prepared)?;
                        visits::take_profile(tx, id, prepared.id, NOW)
                    })
                    .await;
                (taken.unwrap(), enrollment)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        let (taken, enrollment) = task.await.unwrap();
        winners.extend(taken.then_some(enrollment));
    }
    assert_eq!(winners.len(), 1);
    let kept = read(&store, move |c| visits::find_by_hash(c, &hash, NOW)).await.unwrap();
    assert_eq!((kept.enrollment_id, kept.profile_taken_at), (Some(winners[0]), Some(NOW)));
}

fn invitation(user: enlist::domain::id::UserId) -> Invitation {
    Invitation {
        id: InvitationId::new(),
        user_id: user,
        hash: random_hash(),
        ownership: Ownership::Company,
        created_at: NOW,
        expires_at: NOW.plus_days(14),
    }
}

async fn a_visit_outlives_its_invitation_and_its_enrollment(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let invited = invitation(ada.user.id);
    let mut made = visit();
    made.invitation_id = Some(invited.id);
    made.enrollment_id = Some(ada.enrollment.id);
    let (hash, user) = (made.hash.clone(), ada.user.id);
    write(&store, move |tx| invitations::insert(tx, &invited).and_then(|()| visits::insert(tx, &made))).await;
    write(&store, move |tx| enlist::store::users::delete(tx, user)).await;
    let kept = read(&store, move |c| visits::find_by_hash(c, &hash, NOW)).await.unwrap();
    assert_eq!((kept.invitation_id, kept.enrollment_id), (None, None));
}

async fn the_newest_invitation_of_a_user_is_found(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let (older, newer) = (invitation(ada.id), invitation(ada.id));
    let (old_hash, old_id, new_id) = (older.hash.clone(), older.id, newer.id);
    let mut same = invitation(ada.id);
    same.hash = older.hash.clone();
    write(&store, move |tx| invitations::insert(tx, &older).and_then(|()| invitations::insert(tx, &newer))).await;
    assert_eq!(read(&store, move |c| invitations::newest_of_user(c, ada.id)).await.unwrap().id, new_id);
    assert_eq!(read(&store, move |c| invitations::find_by_hash(c, &old_hash)).await.unwrap().id, old_id);
    let refused = store.write(move |tx| invitations::insert(tx, &same)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}
