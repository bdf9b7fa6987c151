//! Devices: lists, search, totals, what is due, and the timeline.

use enlist::{
    domain::{
        access::Decision,
        compliance::{Reason, Status},
        device::{EnrollmentState, Platform},
        id::{DeviceId, EventId},
        posture::{Fact, Posture, Source},
    },
    store::{
        Error,
        devices::{self, Device, Filter, StatusFilter},
        page::PageRequest,
        postures, tallies, timeline,
    },
};

use super::fixture::{NOW, device, first, read, stored_user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_device_survives_the_database,
    a_user_has_one_device_of_each_identifier_and_two_users_may_claim_the_same,
    devices_are_filtered,
    devices_are_found_by_text,
    pages_stay_whole_while_devices_come,
    totals_count_each_kind,
    what_is_due_comes_in_order,
    last_seen_never_goes_back,
    a_posture_replaces_the_one_before,
    a_timeline_is_newest_first_and_goes_with_its_device,
);

async fn a_device_survives_the_database(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let mut phone = device(ada.id, "udid");
    let reason = Reason { code: "passcode".into(), text: "No passcode".into(), remedy: "Set one".into(), since: NOW };
    phone.set_reasons(std::slice::from_ref(&reason)).unwrap();
    phone.serial = Some("F2L".into());
    phone.deadline = Some(NOW.plus_days(3));
    let (row, id) = (phone.clone(), phone.id);
    write(&store, move |tx| devices::insert(tx, &row)).await;
    let found = read(&store, move |c| devices::find(c, id)).await.unwrap();
    assert_eq!(found.reasons().unwrap(), [reason]);
    assert_eq!((found.deadline, found.access), (Some(NOW.plus_days(3)), Decision::Quarantine));
    phone.serial = None;
    phone.state = EnrollmentState::Enrolled;
    write(&store, move |tx| devices::update(tx, &phone)).await;
    let found = write(&store, move |tx| devices::find_for_update(tx, id)).await.unwrap();
    assert_eq!((found.serial, found.state), (None, EnrollmentState::Enrolled));
    assert!(write(&store, move |tx| devices::delete(tx, id)).await);
    assert!(!write(&store, move |tx| devices::delete(tx, id)).await);
}

async fn a_user_has_one_device_of_each_identifier_and_two_users_may_claim_the_same(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let grace = stored_user(&store, "grace@example.com").await;
    let (mine, hers) = (device(ada.id, "udid"), device(grace.id, "udid"));
    let (my_id, her_id) = (mine.id, hers.id);
    write(&store, move |tx| devices::insert(tx, &mine).and_then(|()| devices::insert(tx, &hers))).await;
    let twice = store.write(move |tx| devices::insert(tx, &device(ada.id, "udid"))).await;
    assert!(matches!(twice, Err(Error::Conflict(_))), "{twice:?}");
    assert_eq!(read(&store, move |c| devices::find_by_identifier(c, ada.id, "udid")).await.unwrap().id, my_id);
    assert_eq!(read(&store, move |c| devices::claimed_by_others(c, ada.id, "udid")).await, [her_id]);
    assert!(read(&store, move |c| devices::find_by_identifier(c, ada.id, "UDID")).await.is_none());
}

/// Keeps these devices of one user and gives the store.
async fn kept(db: &Database, made: Vec<Device>, email: &str) -> enlist::store::Store {
    let store = db.store();
    let mut ada = super::fixture::user(email);
    ada.id = made[0].user_id;
    write(&store, move |tx| {
        enlist::store::users::insert(tx, &ada)?;
        made.iter().try_for_each(|device| devices::insert(tx, device))
    })
    .await;
    store
}

/// What a filter finds, in order.
async fn found(store: &enlist::store::Store, filter: Filter) -> Vec<DeviceId> {
    let page = read(store, move |c| devices::list(c, &filter, first(50))).await;
    assert_eq!(page.total, i64::try_from(page.items.len()).unwrap(), "the total counts what is listed");
    page.items.into_iter().map(|(device, _)| device.id).collect()
}

async fn devices_are_filtered(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let mut made: Vec<Device> = (0..4).map(|n| device(owner, &format!("udid-{n}"))).collect();
    made[1].platform = Platform::Android;
    made[2].compliance = Status::Noncompliant;
    made[3].state = EnrollmentState::Wiped;
    let ids: Vec<DeviceId> = made.iter().map(|device| device.id).collect();
    let store = kept(&db, made, "ada@example.com").await;
    assert_eq!(found(&store, Filter::default()).await, ids);
    assert_eq!(found(&store, Filter { os: Some(Platform::Android), ..Filter::default() }).await, [ids[1]]);
    let broken = StatusFilter::Compliance(Status::Noncompliant);
    assert_eq!(found(&store, Filter { status: Some(broken), ..Filter::default() }).await, [ids[2]]);
    let wiped = StatusFilter::Enrollment(EnrollmentState::Wiped);
    assert_eq!(found(&store, Filter { status: Some(wiped), ..Filter::default() }).await, [ids[3]]);
    assert!(found(&store, Filter { os: Some(Platform::Android), status: Some(wiped), ..Filter::default() }).await.is_empty());
    assert_eq!(found(&store, Filter { user: Some(owner), ..Filter::default() }).await.len(), 4);
    assert!(found(&store, Filter { user: Some(enlist::domain::id::UserId::new()), ..Filter::default() }).await.is_empty());
    let mut newest_first = ids.clone();
    newest_first.reverse();
    let of_user: Vec<DeviceId> = read(&store, move |c| devices::of_user(c, owner)).await.iter().map(|device| device.id).collect();
    assert_eq!(of_user, newest_first);
}

async fn devices_are_found_by_text(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let mut made: Vec<Device> = (0..5).map(|n| device(owner, &format!("UDID-{n}"))).collect();
    made[0].serial = Some("F2LX9".into());
    made[1].model = Some("iPhone 15 Pro".into());
    made[2].device_name = Some("Änne's 100% phone".into());
    made[3].device_name = Some("under_score".into());
    made[4].device_name = Some("underXscore".into());
    let ids: Vec<DeviceId> = made.iter().map(|device| device.id).collect();
    let store = kept(&db, made, "ada@example.com").await;
    let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
    assert_eq!(found(&store, text("f2lx")).await, [ids[0]]);
    assert_eq!(found(&store, text("IPHONE 15")).await, [ids[1]]);
    assert_eq!(found(&store, text("100%")).await, [ids[2]]);
    assert_eq!(found(&store, text("äNNE")).await, [ids[2]]);
    assert_eq!(found(&store, text("under_")).await, [ids[3]]);
    assert_eq!(found(&store, text("udid-4")).await, [ids[4]]);
    assert_eq!(found(&store, text("ADA@EXAMPLE")).await.len(), 5);
    assert_eq!(found(&store, text("%")).await, [ids[2]]);
    assert!(found(&store, text("\\")).await.is_empty());
}

async fn pages_stay_whole_while_devices_come(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let made: Vec<Device> = (0..5).map(|n| device(owner, &format!("udid-{n}"))).collect();
    let ids: Vec<DeviceId> = made.iter().map(|device| device.id).collect();
    let store = kept(&db, made, "ada@example.com").await;
    let page = read(&store, |c| devices::list(c, &Filter::default(), first(2))).await;
    assert_eq!(
        page.items.iter().map(|(device, email)| (device.id, email.as_str())).collect::<Vec<_>>(),
        [(ids[0], "ada@example.com"), (ids[1], "ada@example.com")]
    );
    let cursor: DeviceId = page.next_cursor.unwrap().parse().unwrap();
    // Neither one that goes nor one that comes shifts what follows.
    let gone = ids[0];
    write(&store, move |tx| devices::delete(tx, gone)).await;
    write(&store, move |tx| devices::insert(tx, &device(owner, "late"))).await;
    let page = read(&store, move |c| devices::list(c, &Filter::default(), PageRequest { limit: 3, after: Some(cursor) })).await;
    assert_eq!(page.items.iter().map(|(device, _)| device.id).collect::<Vec<_>>(), ids[2..]);
    assert!(page.next_cursor.is_some(), "the one that came late is on the next page");
}

async fn totals_count_each_kind(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let mut made: Vec<Device> = (0..4).map(|n| device(owner, &format!("udid-{n}"))).collect();
    made[3].platform = Platform::Ipados;
    made[3].compliance = Status::Compliant;
    let store = kept(&db, made, "ada@example.com").await;
    let mut all = read(&store, |c| tallies::totals(c, &Filter::default())).await;
    all.sort();
    assert_eq!(
        all,
        [(Platform::Ios, EnrollmentState::Pending, Status::Unknown, 3), (Platform::Ipados, EnrollmentState::Pending, Status::Compliant, 1)]
    );
    let filter = Filter { os: Some(Platform::Ipados), ..Filter::default() };
    assert_eq!(read(&store, move |c| tallies::totals(c, &filter)).await.len(), 1);
}

async fn what_is_due_comes_in_order(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let mut made: Vec<Device> = (0..4).map(|n| device(owner, &format!("udid-{n}"))).collect();
    for (device, seconds) in made.iter_mut().zip([0, -10, 1]) {
        device.evaluate_at = Some(NOW.plus_seconds(seconds));
        device.refresh_at = Some(NOW.plus_seconds(-seconds));
    }
    let ids: Vec<DeviceId> = made.iter().map(|device| device.id).collect();
    let store = kept(&db, made, "ada@example.com").await;
    assert_eq!(read(&store, |c| devices::due_for_evaluation(c, NOW, 10)).await, [ids[1], ids[0]]);
    assert_eq!(read(&store, |c| devices::due_for_evaluation(c, NOW, 1)).await, [ids[1]]);
    assert_eq!(read(&store, |c| devices::due_for_refresh(c, NOW, 10)).await, [ids[2], ids[0]]);
}

async fn last_seen_never_goes_back(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let made: Vec<Device> = (0..3).map(|n| device(owner, &format!("udid-{n}"))).collect();
    let before = made[0].clone();
    let ids: Vec<DeviceId> = made.iter().map(|device| device.id).collect();
    let store = kept(&db, made, "ada@example.com").await;
    let (a, b, unknown) = (ids[0], ids[1], DeviceId::new());
    write(&store, move |tx| devices::touch(tx, &[(a, NOW), (b, NOW.plus_seconds(5)), (unknown, NOW)])).await;
    write(&store, move |tx| devices::touch(tx, &[(a, NOW.plus_seconds(-5)), (b, NOW.plus_seconds(9))])).await;
    write(&store, |tx| devices::touch(tx, &[])).await;
    // A change that was read before must not put an older time back.
    write(&store, move |tx| devices::update(tx, &before)).await;
    let seen: Vec<_> =
        read(&store, move |c| devices::of_user(c, owner)).await.into_iter().rev().map(|device| device.last_seen_at).collect();
    assert_eq!(seen, [Some(NOW), Some(NOW.plus_seconds(9)), None]);
}

async fn a_posture_replaces_the_one_before(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let made = vec![device(owner, "udid")];
    let id = made[0].id;
    let store = kept(&db, made, "ada@example.com").await;
    assert_eq!(read(&store, move |c| postures::get(c, id)).await, Posture::default());
    for value in [true, false] {
        let posture = Posture { passcode_present: Some(Fact { value, source: Source::SecurityInfo, at: NOW }), ..Posture::default() };
        let row = posture.clone();
        write(&store, move |tx| postures::upsert(tx, id, &row, NOW)).await;
        assert_eq!(read(&store, move |c| postures::get(c, id)).await, posture);
    }
    let dangling = store.write(|tx| postures::upsert(tx, DeviceId::new(), &Posture::default(), NOW)).await;
    assert!(matches!(dangling, Err(Error::Conflict(_))), "{dangling:?}");
}

async fn a_timeline_is_newest_first_and_goes_with_its_device(db: Database) {
    let owner = enlist::domain::id::UserId::new();
    let made = vec![device(owner, "udid")];
    let id = made[0].id;
    let store = kept(&db, made, "ada@example.com").await;
    write(&store, move |tx| {
        ["one", "two", "three"].iter().try_for_each(|kind| timeline::record(tx, id, NOW, kind, format!("It is {kind}"), "a test"))
    })
    .await;
    let page = read(&store, move |c| timeline::list(c, id, first(2))).await;
    assert_eq!((page.total, page.items[0].kind.as_str(), page.items[1].kind.as_str()), (3, "three", "two"));
    let after: Option<EventId> = Some(page.next_cursor.unwrap().parse().unwrap());
    let page = read(&store, move |c| timeline::list(c, id, PageRequest { limit: 2, after })).await;
    assert_eq!((page.items.len(), page.items[0].text.as_str(), page.next_cursor), (1, "It is one", None));
    write(&store, move |tx| devices::delete(tx, id)).await;
    assert_eq!(read(&store, move |c| timeline::list(c, id, first(2))).await.total, 0);
}
