//! Policies, and which of them reach whom.

use enlist::{
    domain::{
        id::{DeviceId, GroupId},
        passcode::PasscodePolicy,
        policy::Rules,
    },
    store::{
        Error, devices, policies,
        rollouts::{self, Scope},
    },
};

use super::fixture::{device, first, policy, read, stored_group, stored_user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    no_policy_reaches_a_stranger,
    the_strictest_of_all_policies_that_reach_a_user_holds,
    a_policy_is_changed_with_its_groups,
    a_policy_without_its_group_reaches_nobody,
    the_devices_that_a_change_concerns_are_paged,
);

fn length(least: u8) -> Rules {
    Rules { passcode: PasscodePolicy { required: true, min_length: least, ..PasscodePolicy::unrestricted() }, ..Rules::default() }
}

async fn no_policy_reaches_a_stranger(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    assert!(read(&store, move |c| policies::for_user(c, ada.id)).await.is_none());
}

async fn the_strictest_of_all_policies_that_reach_a_user_holds(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let grace = stored_user(&store, "grace@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    let others = stored_group(&store, "others", grace.id).await;
    let mut everyone = policy("everyone", length(6));
    everyone.is_for_everyone = true;
    let mut strict = policy("strict", length(8));
    strict.groups = vec![team.id];
    let mut stricter = policy("stricter", length(12));
    stricter.groups = vec![others.id];
    let names = [everyone.id, strict.id];
    write(&store, move |tx| [everyone, strict, stricter].iter().try_for_each(|policy| policies::insert(tx, policy))).await;
    let of_ada = read(&store, move |c| policies::for_user(c, ada.id)).await.unwrap();
    assert_eq!(of_ada.rules.passcode.min_length, 8);
    assert_eq!(of_ada.from.iter().map(|(id, _)| *id).collect::<Vec<_>>(), names);
    let of_grace = read(&store, move |c| policies::for_user(c, grace.id)).await.unwrap();
    assert_eq!(of_grace.rules.passcode.min_length, 12);
}

async fn a_policy_is_changed_with_its_groups(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    let mut made = policy("p", length(6));
    made.groups = vec![team.id];
    let row = made.clone();
    write(&store, move |tx| policies::insert(tx, &row)).await;
    let id = made.id;
    assert_eq!(read(&store, move |c| policies::find(c, id)).await.unwrap(), made);
    made.groups.clear();
    made.rules = length(9);
    made.name = "q".into();
    let row = made.clone();
    write(&store, move |tx| policies::update(tx, &row)).await;
    assert_eq!(read(&store, |c| policies::list(c, first(5))).await.items, [made]);
    assert!(read(&store, move |c| policies::for_user(c, ada.id)).await.is_none());
    let same_name = store.write(|tx| policies::insert(tx, &policy("q", Rules::default()))).await;
    assert!(matches!(same_name, Err(Error::Conflict(_))), "{same_name:?}");
    let mut dangling = policy("r", Rules::default());
    dangling.groups = vec![GroupId::new()];
    let refused = store.write(move |tx| policies::insert(tx, &dangling)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert!(write(&store, move |tx| policies::delete(tx, id)).await);
    assert!(!write(&store, move |tx| policies::delete(tx, id)).await);
}

async fn a_policy_without_its_group_reaches_nobody(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    let mut made = policy("p", length(6));
    made.groups = vec![team.id];
    write(&store, move |tx| policies::insert(tx, &made)).await;
    write(&store, move |tx| enlist::store::groups::delete(tx, team.id)).await;
    assert!(read(&store, move |c| policies::for_user(c, ada.id)).await.is_none());
}

async fn the_devices_that_a_change_concerns_are_paged(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let grace = stored_user(&store, "grace@example.com").await;
    let team = stored_group(&store, "team", ada.id).await;
    // Two groups with the same member must not make two of one device.
    let twin = stored_group(&store, "twin", ada.id).await;
    let mut of_ada = Vec::new();
    for n in 0..3 {
        let phone = device(ada.id, &format!("ada-{n}"));
        of_ada.push(phone.id);
        write(&store, move |tx| devices::insert(tx, &phone)).await;
    }
    let other = device(grace.id, "grace");
    let other_id = other.id;
    write(&store, move |tx| devices::insert(tx, &other)).await;
    let next = async |scope: Scope, after: Option<DeviceId>| read(&store, move |c| rollouts::next_devices(c, &scope, after, 2)).await;
    let both = Scope::Groups(vec![team.id, twin.id]);
    assert_eq!(next(both.clone(), None).await, of_ada[..2]);
    assert_eq!(next(both.clone(), Some(of_ada[1])).await, of_ada[2..]);
    assert_eq!(next(Scope::Everyone, Some(of_ada[1])).await, [of_ada[2], other_id]);
    assert_eq!(next(Scope::Users(vec![grace.id]), None).await, [other_id]);
    for (scope, count) in [(both, 3), (Scope::Everyone, 4), (Scope::Users(vec![grace.id]), 1)] {
        assert_eq!(read(&store, move |c| rollouts::count_devices(c, &scope)).await, count);
    }
}
