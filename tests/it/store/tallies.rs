//! What triggers keep beside the tables: the numbers of the devices, and what devices and users are found by.

use diesel_migrations::MigrationHarness;
use enlist::{
    domain::{
        compliance::Status,
        device::{EnrollmentState, Ownership, Platform},
        id::UserId,
        user::Role,
    },
    store::{
        Error, Store,
        devices::{self, Device, Filter, StatusFilter},
        finders, migrate, tallies,
        users::{self, User},
    },
};

use super::fixture::{self, first, read, stored_user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    whatever_happens_the_numbers_are_those_of_a_recount,
    what_changes_no_kind_writes_no_tally,
    folding_loses_nothing_that_others_add_meanwhile,
    what_was_written_past_the_triggers_is_mended,
    a_database_that_was_full_before_is_counted,
    users_are_found_by_their_present_name_and_devices_by_the_present_address,
);

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }

    /// Makes another kind of device of it, or the same.
    fn change(&mut self, device: &mut Device) {
        device.platform = self.pick(Platform::ALL);
        device.ownership = self.pick(Ownership::ALL);
        device.state = self.pick(EnrollmentState::ALL);
        device.compliance = self.pick(Status::ALL);
        device.device_name = Some(format!("Phone {}", self.roll(9)));
    }
}

/// The people of one of those who work at once, and the devices of these.
struct Worker {
    dice: Dice,
    name: usize,
    count: usize,
    owned: Vec<(User, Vec<Device>)>,
}

impl Worker {
    fn new(name: usize) -> Self {
        Self { dice: Dice(name as u64 + 7), name, count: 0, owned: Vec::new() }
    }

    fn next(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    async fn hire(&mut self, store: &Store) {
        let number = self.next();
        let user = fixture::user(&format!("person-{}-{number}@example.com", self.name));
        let row = user.clone();
        write(store, move |tx| users::insert(tx, &row)).await;
        self.owned.push((user, Vec::new()));
    }

    async fn step(&mut self, store: &Store) {
        let place = self.dice.roll(self.owned.len());
        let action = self.dice.roll(10);
        match action {
            0 => self.hire(store).await,
            1 if self.owned.len() > 1 => {
                let (user, _) = self.owned.swap_remove(place);
                assert!(write(store, move |tx| users::delete(tx, user.id)).await);
            }
            2 => self.rename(store, place).await,
            3 => write(store, tallies::fold).await,
            4..=6 => self.add(store, place).await,
            _ => self.alter(store, place, action == 7, action == 8).await,
        }
    }

    async fn rename(&mut self, store: &Store, place: usize) {
        let number = self.next();
        let role = self.dice.pick(&[None, Some(Role::Auditor)]);
        let user = &mut self.owned[place].0;
        (user.email, user.name) = (format!("moved-{}-{number}@example.com", self.name), format!("Ärger {number}"));
        user.role = role;
        let row = user.clone();
        write(store, move |tx| users::find_for_update(tx, row.id).and_then(|_| users::update(tx, &row))).await;
    }

    async fn add(&mut self, store: &Store, place: usize) {
        let number = self.next();
        let mut device = fixture::device(self.owned[place].0.id, &format!("udid-{number}"));
        self.dice.change(&mut device);
        self.owned[place].1.push(device.clone());
        write(store, move |tx| devices::insert(tx, &device)).await;
    }

    /// Changes a device, removes it, or does either and thinks better of it.
    async fn alter(&mut self, store: &Store, place: usize, is_end: bool, is_undone: bool) {
        let (user, phones) = &mut self.owned[place];
        if phones.is_empty() {
            return;
        }
        let chosen = self.dice.roll(phones.len());
        let (person, mut device) = (user.id, phones[chosen].clone());
        self.dice.change(&mut device);
        let row = device.clone();
        let done = store.write(move |tx| {
            users::find_for_update(tx, person)?;
            devices::update(tx, &row)?;
            if is_end || is_undone {
                devices::delete(tx, row.id)?;
            }
            if is_undone { Err(Error::Corrupt("somebody thought better of it".into())) } else { Ok(()) }
        });
        assert_eq!(done.await.is_err(), is_undone);
        if is_end {
            phones.swap_remove(chosen);
        } else if !is_undone {
            phones[chosen] = device;
        }
    }
}

/// Every filter that the tallies answer.
fn filters() -> Vec<Filter> {
    let mut all = vec![Filter::default()];
    for os in std::iter::once(None).chain(Platform::ALL.iter().copied().map(Some)) {
        for ownership in std::iter::once(None).chain(Ownership::ALL.iter().copied().map(Some)) {
            let verdicts = Status::ALL.iter().map(|status| StatusFilter::Compliance(*status));
            let states = EnrollmentState::ALL.iter().map(|state| StatusFilter::Enrollment(*state));
            for status in std::iter::once(None).chain(verdicts.chain(states).map(Some)) {
                all.push(Filter { os, ownership, status, ..Filter::default() });
            }
        }
    }
    all
}

/// Counts everything in another way, and compares.
async fn must_be_right(store: &Store) {
    assert_eq!(read(store, tallies::wrong).await, 0, "a recount gives other numbers");
    assert_eq!(read(store, finders::wrong).await, 0, "something is not found by what it is");
    for filter in filters() {
        let wanted = filter.clone();
        let (listed, counted, totals) = read(store, move |conn| {
            let listed = devices::list_items(conn, &wanted, first(100_000))?;
            Ok((listed, tallies::count(conn, &wanted)?, tallies::totals(conn, &wanted)?))
        })
        .await;
        for (device, _) in &listed {
            assert!(filter.os.is_none_or(|os| os == device.platform) && filter.ownership.is_none_or(|of| of == device.ownership));
            assert!(match filter.status {
                Some(StatusFilter::Compliance(status)) => status == device.compliance,
                Some(StatusFilter::Enrollment(state)) => state == device.state,
                None => true,
            });
        }
        let number = i64::try_from(listed.len()).unwrap();
        assert_eq!((counted, totals.iter().map(|(.., number)| number).sum::<i64>()), (number, number), "{filter:?}");
    }
}

async fn whatever_happens_the_numbers_are_those_of_a_recount(db: Database) {
    let store = std::sync::Arc::new(db.store());
    let workers: Vec<_> = (0..4)
        .map(|name| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let mut worker = Worker::new(name);
                worker.hire(&store).await;
                for _ in 0..120 {
                    worker.step(&store).await;
                }
                worker.owned.iter().map(|(_, devices)| devices.len()).sum::<usize>()
            })
        })
        .collect();
    let mut left = 0;
    for worker in workers {
        left += worker.await.unwrap();
    }
    assert!(left > 20, "{left} devices are too few to show anything");
    assert_eq!(read(&store, |conn| tallies::count(conn, &Filter::default())).await, i64::try_from(left).unwrap());
    must_be_right(&store).await;
    write(&store, tallies::fold).await;
    must_be_right(&store).await;
}

/// How many rows the tallies have.
async fn rows(store: &Store) -> i64 {
    use diesel::{QueryDsl, RunQueryDsl};
    read(store, |conn| Ok(enlist::store::schema::device_tallies::table.count().get_result(conn)?)).await
}

async fn what_changes_no_kind_writes_no_tally(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let mut phone = fixture::device(ada.id, "udid");
    let (row, id) = (phone.clone(), phone.id);
    write(&store, move |tx| devices::insert(tx, &row)).await;
    assert_eq!(rows(&store).await, 1);
    phone.device_name = Some("Ada's".into());
    phone.evaluate_at = Some(fixture::NOW);
    let row = phone.clone();
    write(&store, move |tx| devices::update(tx, &row)).await;
    write(&store, move |tx| devices::touch(tx, &[(id, fixture::NOW)])).await;
    assert_eq!(rows(&store).await, 1, "what devices do all the time does not touch the tallies");
    phone.compliance = Status::Compliant;
    write(&store, move |tx| devices::update(tx, &phone)).await;
    assert_eq!(rows(&store).await, 3);
    write(&store, tallies::fold).await;
    assert_eq!(rows(&store).await, 1);
    must_be_right(&store).await;
    write(&store, move |tx| devices::delete(tx, id)).await;
    write(&store, tallies::fold).await;
    assert_eq!(rows(&store).await, 0, "what cancels out leaves nothing");
}

async fn folding_loses_nothing_that_others_add_meanwhile(db: Database) {
    let store = std::sync::Arc::new(db.store());
    let ada = stored_user(&store, "ada@example.com").await;
    let add = |store: std::sync::Arc<Store>, name: &'static str| async move {
        for number in 0..60 {
            let device = fixture::device(ada.id, &format!("{name}-{number}"));
            write(&store, move |tx| devices::insert(tx, &device)).await;
        }
    };
    let fold = |store: std::sync::Arc<Store>| async move {
        for _ in 0..60 {
            write(&store, tallies::fold).await;
        }
    };
    let tasks = [
        tokio::spawn(add(store.clone(), "a")),
        tokio::spawn(add(store.clone(), "b")),
        tokio::spawn(fold(store.clone())),
        tokio::spawn(fold(store.clone())),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(read(&store, |conn| tallies::count(conn, &Filter::default())).await, 120);
    must_be_right(&store).await;
}

async fn what_was_written_past_the_triggers_is_mended(db: Database) {
    let store = db.store();
    let phone = fixture::enrolled(&store, "ada@example.com").await;
    fixture::enrolled(&store, "grace@example.com").await;
    must_be_right(&store).await;
    db.tamper("DELETE FROM device_tallies; DELETE FROM user_finder");
    db.tamper("UPDATE device_finder SET words = 'nobody', state = 'wiped'");
    assert_eq!(read(&store, tallies::wrong).await, 1);
    assert_eq!(read(&store, finders::wrong).await, 4);
    assert_eq!(write(&store, tallies::mend).await, 1);
    write(&store, finders::mend).await;
    must_be_right(&store).await;
    assert_eq!(write(&store, tallies::mend).await, 0, "what is right is left alone");
    let filter = Filter { text: Some("ada@".into()), ..Filter::default() };
    let found = read(&store, move |conn| devices::list(conn, &filter, first(9))).await;
    assert_eq!(found.items.iter().map(|(device, _)| device.id).collect::<Vec<_>>(), [phone.device.id]);
}

async fn a_database_that_was_full_before_is_counted(db: Database) {
    let store = db.store();
    for number in 0..3 {
        fixture::enrolled(&store, &format!("person{number}@example.com")).await;
    }
    let steps = migrate::steps(&mut enlist::store::Conn::open(&db.url(), enlist::store::Access::Read).unwrap()).unwrap();
    let later = steps.iter().filter(|step| step.as_str() >= "20261126060000").count();
    assert!(later > 2);
    for _ in 0..later {
        use diesel::Connection;
        if db.is_postgres() {
            diesel::PgConnection::establish(db.url_text()).unwrap().revert_last_migration(migrate::POSTGRES).unwrap();
        } else {
            let path = db.path().display().to_string();
            diesel::SqliteConnection::establish(&path).unwrap().revert_last_migration(migrate::SQLITE).unwrap();
        }
    }
    db.tamper("UPDATE devices SET compliance = 'compliant' WHERE identifier = 'UDID-of-person1@example.com'");
    db.tamper("UPDATE users SET email = 'changed@example.com', name = 'Ärger' WHERE email = 'person2@example.com'");
    assert_eq!(migrate::forward(&db.url()).unwrap(), later);
    must_be_right(&store).await;
    let compliant = Filter { status: Some(StatusFilter::Compliance(Status::Compliant)), ..Filter::default() };
    assert_eq!(read(&store, move |conn| tallies::count(conn, &compliant)).await, 1);
    assert_eq!(users_with(&store, "ärger").await.len(), 1);
    let moved = Filter { text: Some("CHANGED@".into()), ..Filter::default() };
    assert_eq!(read(&store, move |conn| devices::list(conn, &moved, first(9))).await.total, 1);
}

/// Who is found by this text.
async fn users_with(store: &Store, text: &'static str) -> Vec<UserId> {
    let filter = users::Filter { text: Some(text.into()), ..users::Filter::default() };
    let page = read(store, move |conn| users::list(conn, &filter, first(50))).await;
    assert_eq!(page.total, i64::try_from(page.items.len()).unwrap());
    page.items.into_iter().map(|user| user.id).collect()
}

async fn users_are_found_by_their_present_name_and_devices_by_the_present_address(db: Database) {
    let store = db.store();
    let made = fixture::enrolled(&store, "ada@example.com").await;
    let mut user = made.user;
    let id = user.id;
    (user.email, user.name) = ("byron@example.com".into(), "Ärmel Byron".into());
    write(&store, move |tx| users::update(tx, &user)).await;
    assert_eq!(users_with(&store, "ÄRMEL").await, [id]);
    assert_eq!(users_with(&store, "byron@").await, [id]);
    assert!(users_with(&store, "lovelace").await.is_empty());
    assert!(users_with(&store, "com ärmel").await.is_empty(), "address and name are two things");
    for (text, number) in [("byron@", 1), ("ada@example", 1), ("udid-of-ada@example.com byron", 0)] {
        let filter = Filter { text: Some(text.into()), ..Filter::default() };
        let page = read(&store, move |conn| devices::list(conn, &filter, first(9))).await;
        assert_eq!(page.total, number, "{text}");
    }
    must_be_right(&store).await;
}
