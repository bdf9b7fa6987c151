//! Users and groups.

use enlist::{
    domain::{
        device::EnrollmentState,
        id::{GroupId, UserId},
        user::{Role, UserState},
    },
    store::{
        Error, devices, groups,
        page::PageRequest,
        users::{self, Filter},
    },
};

use super::fixture::{NOW, device, first, group, read, stored_group, stored_user, user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    an_address_belongs_to_one_user,
    a_user_is_found_and_changed,
    users_are_found_by_parts_of_their_name_and_address,
    search_takes_its_special_characters_literally,
    users_are_listed_page_by_page,
    deleting_a_user_takes_their_devices_and_memberships,
    a_role_counts_only_active_users,
    memberships_come_and_go,
    a_group_without_user_or_user_without_group_is_a_conflict,
    managed_devices_are_counted,
);

async fn an_address_belongs_to_one_user(db: Database) {
    let store = db.store();
    stored_user(&store, "ada@example.com").await;
    let again = user("ada@example.com");
    let refused = store.write(move |tx| users::insert(tx, &again)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
}

async fn a_user_is_found_and_changed(db: Database) {
    let store = db.store();
    let mut ada = stored_user(&store, "ada@example.com").await;
    ada.role = Some(Role::Helpdesk);
    ada.password_hash = Some("$argon2id$x".into());
    let row = ada.clone();
    write(&store, move |tx| users::update(tx, &row)).await;
    let found = read(&store, |c| users::find_by_email(c, "ada@example.com")).await.unwrap();
    assert_eq!((found.id, found.role), (ada.id, Some(Role::Helpdesk)));
    // What is taken away must be gone as well.
    ada.role = None;
    ada.password_hash = None;
    let row = ada.clone();
    write(&store, move |tx| users::update(tx, &row)).await;
    let found = read(&store, move |c| users::find(c, ada.id)).await.unwrap();
    assert_eq!((found.role, found.password_hash), (None, None));
    assert!(read(&store, |c| users::find(c, UserId::new())).await.is_none());
}

/// The addresses that a search for this text finds.
async fn found(store: &enlist::store::Store, text: &str) -> Vec<String> {
    let filter = Filter { text: Some(text.into()), ..Filter::default() };
    let page = read(store, move |c| users::list(c, &filter, first(10))).await;
    assert_eq!(page.total, i64::try_from(page.items.len()).unwrap());
    page.items.into_iter().map(|user| user.email).collect()
}

async fn users_are_found_by_parts_of_their_name_and_address(db: Database) {
    let store = db.store();
    let mut grace = user("grace@example.com");
    grace.name = "Grace Hopper".into();
    let mut aerger = user("b@example.com");
    aerger.name = "Ärger Øre".into();
    write(&store, move |tx| {
        users::insert(tx, &grace)?;
        users::insert(tx, &aerger)
    })
    .await;
    assert_eq!(found(&store, "HOPP").await, ["grace@example.com"]);
    assert_eq!(found(&store, "Grace@").await, ["grace@example.com"]);
    assert_eq!(found(&store, "example").await.len(), 2);
    assert_eq!(found(&store, "ärger").await, ["b@example.com"]);
    assert_eq!(found(&store, "ÄRGER øre").await, ["b@example.com"]);
    assert!(found(&store, "nobody").await.is_empty());
}

async fn search_takes_its_special_characters_literally(db: Database) {
    let store = db.store();
    for name in ["a_b@example.com", "axb@example.com", "a%b@example.com", "a\\b@example.com"] {
        stored_user(&store, name).await;
    }
    assert_eq!(found(&store, "a_b").await, ["a_b@example.com"]);
    assert_eq!(found(&store, "a%b").await, ["a%b@example.com"]);
    assert_eq!(found(&store, "a\\b").await, ["a\\b@example.com"]);
    assert_eq!(found(&store, "%").await, ["a%b@example.com"]);
    assert!(found(&store, "' OR 1=1 --").await.is_empty());
}

async fn users_are_listed_page_by_page(db: Database) {
    let store = db.store();
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(stored_user(&store, &format!("u{n}@example.com")).await.id);
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = read(&store, move |c| users::list(c, &Filter::default(), PageRequest { limit: 2, after })).await;
        assert_eq!(page.total, 5);
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|user| user.id));
        let Some(cursor) = page.next_cursor else { break };
        after = Some(cursor.parse::<UserId>().unwrap());
    }
    assert_eq!(seen, made);
    let exact = read(&store, |c| users::list(c, &Filter::default(), first(5))).await;
    assert!(exact.next_cursor.is_none(), "a page that is full to the last item is the last");
}

async fn deleting_a_user_takes_their_devices_and_memberships(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    let phone = device(ada.id, "udid");
    let id = phone.id;
    write(&store, move |tx| devices::insert(tx, &phone)).await;
    assert!(write(&store, move |tx| users::delete(tx, ada.id)).await);
    assert!(!write(&store, move |tx| users::delete(tx, ada.id)).await);
    assert!(read(&store, move |c| devices::find(c, id)).await.is_none());
    assert_eq!(read(&store, move |c| groups::count_members(c, team.id)).await, 0);
}

async fn a_role_counts_only_active_users(db: Database) {
    let store = db.store();
    let mut active = user("a@example.com");
    active.role = Some(Role::Administrator);
    let mut disabled = user("b@example.com");
    disabled.role = Some(Role::Administrator);
    disabled.state = UserState::Disabled;
    write(&store, move |tx| {
        users::insert(tx, &active)?;
        users::insert(tx, &disabled)
    })
    .await;
    assert_eq!(read(&store, |c| users::count_role(c, Role::Administrator)).await, 1);
    assert_eq!(read(&store, |c| users::count_role(c, Role::Auditor)).await, 0);
}

async fn memberships_come_and_go(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    stored_user(&store, "grace@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    assert!(!write(&store, move |tx| groups::add_member(tx, team.id, ada.id)).await, "she is a member already");
    let filter = Filter { group: Some(team.id), ..Filter::default() };
    let members = read(&store, move |c| users::list(c, &filter, first(10))).await;
    assert_eq!(members.items.iter().map(|user| user.id).collect::<Vec<_>>(), [ada.id]);
    assert_eq!(read(&store, move |c| users::groups(c, ada.id)).await, [team.id]);
    assert_eq!(read(&store, move |c| groups::count_existing(c, &[team.id, GroupId::new()])).await, 1);
    assert!(write(&store, move |tx| groups::rename(tx, team.id, "crew")).await);
    assert_eq!(read(&store, move |c| groups::find(c, team.id)).await.unwrap().name, "crew");
    assert!(write(&store, move |tx| groups::remove_member(tx, team.id, ada.id)).await);
    assert!(!write(&store, move |tx| groups::remove_member(tx, team.id, ada.id)).await);
    assert!(write(&store, move |tx| groups::delete(tx, team.id)).await);
    assert_eq!(read(&store, |c| groups::list(c, first(10))).await.total, 0);
}

async fn a_group_without_user_or_user_without_group_is_a_conflict(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    let nobody = store.write(move |tx| groups::add_member(tx, team.id, UserId::new())).await;
    assert!(matches!(nobody, Err(Error::Conflict(_))), "{nobody:?}");
    let nowhere = store.write(move |tx| groups::add_member(tx, GroupId::new(), ada.id)).await;
    assert!(matches!(nowhere, Err(Error::Conflict(_))), "{nowhere:?}");
    let same_name = store.write(|tx| groups::insert(tx, &group("team"))).await;
    assert!(matches!(same_name, Err(Error::Conflict(_))), "{same_name:?}");
}

async fn managed_devices_are_counted(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    for (n, state) in EnrollmentState::ALL.iter().enumerate() {
        let mut phone = device(ada.id, &format!("udid-{n}"));
        phone.state = *state;
        phone.last_seen_at = Some(NOW);
        write(&store, move |tx| devices::insert(tx, &phone)).await;
    }
    assert_eq!(read(&store, move |c| users::managed_devices(c, ada.id)).await, 2, "enrolled, and waiting for its wipe");
}
