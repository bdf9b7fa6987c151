//! The switch that holds every wipe and retirement: nothing destructive is handed to any device, whatever manages it and whichever
//! server it comes to, until somebody releases it.

use enlist::{
    domain::{
        audit::{Actor, ActorKind},
        user::Role,
    },
    simulator::{Passcode, android::Mode},
    store::users,
};
use serde_json::{Value, json};

use crate::{
    android::launcher_stage::Stage,
    harness::{
        actors::{Admin, IPhone, id, text},
        android::{self, Android, behaviour},
        app::{Setup, TestApp},
        clerk::Clerk,
        database::Database,
        every_backend,
        process::Installation,
    },
};

every_backend!(
    no_iphone_is_wiped_or_let_go_while_that_is_held,
    an_iphone_that_has_its_order_already_may_confirm_it,
    no_agent_and_no_launcher_is_given_an_order_either,
    it_holds_on_every_server_at_once,
    everybody_may_hold_and_few_may_release,
    after_too_many_devices_within_a_while_the_server_holds_the_rest,
    people_who_remove_their_own_devices_trip_no_brake,
    what_is_held_can_be_withdrawn,
    whoever_ordered_it_cannot_release_it,
    what_takes_something_away_under_another_name_is_held_as_well,
    the_command_line_holds_while_the_server_runs_and_over_a_restart,
);

const ADDRESS: &str = "/destructive-hold";

async fn hold(admin: &Admin) {
    let held = admin.put(ADDRESS, &json!({ "reason": "somebody is at it" })).await.expect(200);
    assert_eq!((&held["held"], &held["reason"]), (&json!(true), &json!("somebody is at it")));
}

/// Releases what is held, in the name of somebody who has ordered none of it.
async fn release(app: &TestApp) {
    let boss = Actor { kind: ActorKind::User, name: "boss@example.com".into() };
    app.app.release_destructive(boss).await.unwrap();
    app.work().await;
}

async fn phone(app: &TestApp, user: &str, number: usize) -> (IPhone, Value) {
    let mut phone = IPhone::enroll(app, user, "company", number).await;
    phone.obey_all().await;
    app.work().await;
    let device = phone.seen_by(&app.admin()).await;
    (phone, device)
}

async fn no_iphone_is_wiped_or_let_go_while_that_is_held(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    hold(&admin).await;
    for (number, order) in ["full", "selective", "retire"].into_iter().enumerate() {
        let (mut phone, device) = phone(&app, &ada, number).await;
        if order == "retire" {
            admin.order(&id(&device), "retire").await;
        } else {
            admin.wipe(&device, order).await.expect(202);
        }
        app.work().await;
        let seen = phone.seen_by(&admin).await;
        assert_eq!(seen["access"], "block", "{order}: access is cut all the same");
        for _ in 0..3 {
            assert_eq!(phone.obey_all().await, [] as [String; 0], "{order}");
        }
        assert_eq!(admin.get(ADDRESS).await.expect(200)["waiting"], 1);
        release(&app).await;
        assert!(!phone.obey_all().await.is_empty(), "{order}");
        let ended = if order == "retire" { "retired" } else { "wiped" };
        assert_eq!(phone.seen_by(&admin).await["enrollment"], ended);
        assert_eq!(admin.get(ADDRESS).await.expect(200)["waiting"], 0);
        hold(&admin).await;
    }
    // Everything else goes on.
    let (mut phone, device) = phone(&app, &ada, 3).await;
    admin.order(&id(&device), "lock").await;
    assert_eq!(phone.obey_all().await, ["DeviceLock"]);
}

async fn an_iphone_that_has_its_order_already_may_confirm_it(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    let (phone, device) = phone(&app, &ada, 0).await;
    admin.wipe(&device, "full").await.expect(202);
    let order = phone.ask().await.expect("there is an order");
    hold(&admin).await;
    assert!(phone.ask().await.is_none(), "it is not given a second time");
    phone.exchange(phone.answer(&order.uuid, "Acknowledged", [])).await;
    assert_eq!(admin.device(&id(&device)).await["enrollment"], "wiped");
    app.work().await;
}

async fn no_agent_and_no_launcher_is_given_an_order_either(db: Database) {
    let app = android::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("bob@example.com").await;
    let mut agent = Android::enroll(&app, &ada, "company", 0, behaviour(Passcode::Strong, Mode::DeviceOwner)).await;
    agent.obey_all().await;
    let stage = Stage::new(app).await;
    let mut launcher = stage.enrolled("R5CT-HOLD", Passcode::Strong).await;
    admin.patch("/android/launcher/settings", &json!({ "work_apps": ["com.example.mail"] })).await.expect(200);
    let mut other = stage.enrolled("R5CT-PART", Passcode::Strong).await;
    other.install("com.example.mail");
    hold(&admin).await;
    admin.wipe(&stage.device("R5CT-PART").await, "selective").await.expect(202);
    other.fetch().await.unwrap();
    assert!(other.has("com.example.mail"), "a configuration takes nothing away either");
    for device in [agent.seen_by(&admin).await, stage.device("R5CT-HOLD").await] {
        admin.wipe(&device, "full").await.expect(202);
    }
    assert_eq!(agent.obey_all().await, [] as [String; 0]);
    assert!(agent.is_enrolled(), "an answer that it is unknown would make it leave");
    launcher.fetch().await.unwrap();
    assert!(launcher.configuration().get("factoryReset").is_none_or(|reset| reset == false), "{}", launcher.configuration());
    assert!(!launcher.ask_for_reset().await.unwrap(), "also a launcher that asks by itself");
    release(&stage.app).await;
    agent.obey_all().await;
    assert_eq!(agent.seen_by(&admin).await["enrollment"], "wiped");
    launcher.fetch().await.unwrap();
    assert!(launcher.ask_for_reset().await.unwrap());
    assert_eq!(stage.device("R5CT-HOLD").await["enrollment"], "wiped");
    other.fetch().await.unwrap();
    assert!(!other.has("com.example.mail"));
    stage.app.work().await;
}

async fn it_holds_on_every_server_at_once(db: Database) {
    let app = TestApp::start(db).await;
    let other = app.start_beside(Setup::default()).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    let (mut phone, device) = phone(&app, &ada, 0).await;
    admin.wipe(&device, "full").await.expect(202);
    hold(&other.admin()).await;
    assert_eq!(phone.obey_all().await, [] as [String; 0]);
    assert_eq!(admin.get(ADDRESS).await.expect(200)["by"], other.admin().get(ADDRESS).await.expect(200)["by"]);
    release(&app).await;
    assert_eq!(phone.obey_all().await, ["EraseDevice"]);
    app.work().await;
}

async fn everybody_may_hold_and_few_may_release(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    assert_eq!(admin.get(ADDRESS).await.expect(200)["held"], false);
    assert_eq!(text(&admin.delete(ADDRESS).await.expect(409), "detail"), "wipes are not held");
    let refused = admin.put(ADDRESS, &json!({ "reason": "x".repeat(501) })).await.expect(400);
    assert_eq!(refused["field"], "reason");
    app.caller(Role::Auditor).put(ADDRESS, &json!({})).await.expect(200);
    admin.put(ADDRESS, &json!({})).await.expect(409);
    for role in [Role::Auditor, Role::Helpdesk] {
        app.caller(role).delete(ADDRESS).await.expect(403);
    }
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    let page = auditor.open("/console/hold").await.expect(200).says("Wipes and retirements are held").says("has to release them");
    assert!(!page.has_form("/console/hold/release"));
    let boss = Clerk::with_role(&app, Role::Administrator).await;
    boss.open("/console/").await.expect(200).says("Wipes and retirements are held");
    let page = boss.open("/console/hold").await.expect(200).says("by auditor");
    boss.submit(&page, "/console/hold/release", &[]).await.expect(200).says("go to their devices again");
    boss.open("/console/").await.expect(200).keeps_quiet_about("Wipes and retirements are held");
    let page = auditor.open("/console/hold").await.expect(200).says("0 devices have one waiting now");
    auditor.submit(&page, "/console/hold", &[("reason", "a drill")]).await.expect(200).says("are held on every server").says("a drill");
    let audited = admin.audited().await;
    assert_eq!(audited.iter().filter(|line| *line == "wipes.hold").count(), 2, "{audited:?}");
    assert_eq!(audited.iter().filter(|line| *line == "wipes.release").count(), 1, "{audited:?}");
}

async fn wiped(phones: &[IPhone], admin: &Admin) -> usize {
    let mut count = 0;
    for phone in phones {
        count += usize::from(phone.seen_by(admin).await["enrollment"] == "wiped");
    }
    count
}

async fn after_too_many_devices_within_a_while_the_server_holds_the_rest(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    admin.patch("/settings", &json!({ "wipe_brake": 2, "wipe_limit": 0 })).await.expect(200);
    let boss = Clerk::with_role(&app, Role::Administrator).await;
    let mut phones = Vec::new();
    for number in 0..4 {
        let (phone, device) = phone(&app, &ada, number).await;
        admin.wipe(&device, if number % 2 == 0 { "full" } else { "selective" }).await.expect(202);
        phones.push(phone);
    }
    app.work().await;
    for phone in &mut phones {
        phone.obey_all().await;
    }
    assert_eq!(wiped(&phones, &admin).await, 2);
    let held = admin.get(ADDRESS).await.expect(200);
    assert_eq!((&held["held"], &held["by"], &held["waiting"]), (&json!(true), &json!("the server"), &json!(2)));
    assert!(text(&held, "reason").starts_with("2 devices were given a wipe or a retirement within 20 minutes"), "{held}");
    boss.open("/console/").await.expect(200).says("Wipes and retirements are held");
    let mails = admin.get("/mails?q=administrator@").await.expect(200);
    assert_eq!((&mails["total"], &mails["items"][0]["template"]), (&json!(1), &json!("held")), "every administrator is told");
    // Whoever releases them has looked: what was handed out before is not counted again.
    release(&app).await;
    app.clock.advance_seconds(1);
    for phone in &mut phones {
        phone.obey_all().await;
    }
    assert_eq!(wiped(&phones, &admin).await, 4);
    let held = admin.get(ADDRESS).await.expect(200);
    assert_eq!((&held["held"], &held["waiting"]), (&json!(true), &json!(0)), "these were two again");
    app.work().await;
}

async fn people_who_remove_their_own_devices_trip_no_brake(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    admin.patch("/settings", &json!({ "wipe_brake": 1 })).await.expect(200);
    let user = app.app.read(|conn| users::find_by_email(conn, "ada@example.com")).await.unwrap().unwrap();
    for number in 0..3 {
        let (mut phone, device) = phone(&app, &ada, number).await;
        app.app.remove_own_device(&user, id(&device).parse().unwrap()).await.unwrap();
        assert_eq!(phone.obey_all().await, ["RemoveProfile"]);
    }
    assert_eq!(admin.get(ADDRESS).await.expect(200)["held"], false);
    app.work().await;
}

async fn what_is_held_can_be_withdrawn(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    let (_, device) = phone(&app, &ada, 0).await;
    hold(&admin).await;
    let order = id(&admin.wipe(&device, "full").await.expect(202)["command"]);
    let path = format!("/devices/{}/commands/{order}/cancel", id(&device));
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open(&format!("/console/devices/{}", id(&device))).await.expect(200);
    page.form(&format!("/console{path}"));
    admin.post(&path, &json!({})).await.expect(202);
    assert_eq!(admin.command_state(&id(&device), &order).await["state"], "cancelled");
    admin.post(&path, &json!({})).await.expect(409);
    release(&app).await;
    // One enrollment is enough to come in again.
    let mut again = IPhone::enroll(&app, &ada, "company", 0).await;
    assert!(!again.obey_all().await.contains(&"EraseDevice".to_owned()));
    let seen = again.seen_by(&admin).await;
    assert_eq!((&seen["enrollment"], &seen["access"]), (&json!("enrolled"), &json!("allow")));
    // What the device was given cannot be taken back.
    let order = id(&admin.wipe(&seen, "full").await.expect(202)["command"]);
    again.ask().await.expect("there is an order");
    let refused = admin.post(&format!("/devices/{}/commands/{order}/cancel", id(&seen)), &json!({})).await.expect(409);
    assert!(text(&refused, "detail").contains("was given to the device already"), "{refused}");
    app.work().await;
}

async fn whoever_ordered_it_cannot_release_it(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    let (_, device) = phone(&app, &ada, 0).await;
    admin.wipe(&device, "full").await.expect(202);
    hold(&admin).await;
    let refused = admin.delete(ADDRESS).await.expect(409);
    assert!(text(&refused, "detail").contains("somebody else has to release them"), "{refused}");
    for change in [json!({ "wipe_brake": 0 }), json!({ "wipe_limit": 0 })] {
        let refused = admin.patch("/settings", &change).await.expect(409);
        assert!(text(&refused, "detail").contains("stay as they are until they are released"), "{refused}");
    }
    release(&app).await;
    // From the shell it is held against every account.
    let shell = Actor { kind: ActorKind::CommandLine, name: "root".into() };
    app.app.hold_destructive(shell.clone(), "").await.unwrap();
    let boss = Clerk::with_role(&app, Role::Administrator).await;
    let page = boss.open("/console/hold").await.expect(200);
    boss.submit(&page, "/console/hold/release", &[]).await.expect(409).says("and are released there");
    app.app.release_destructive(shell).await.unwrap();
    app.work().await;
}

async fn what_takes_something_away_under_another_name_is_held_as_well(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user("ada@example.com").await;
    let (mut phone, device) = phone(&app, &ada, 0).await;
    hold(&admin).await;
    admin.command(&id(&device), &json!({ "kind": "remove_profile", "identifier": "com.example.wifi" })).await;
    admin.order(&id(&device), "lock").await;
    assert_eq!(phone.obey_all().await, ["DeviceLock"]);
    release(&app).await;
    assert_eq!(phone.obey_all().await, ["RemoveProfile"]);
    app.work().await;
}

async fn the_command_line_holds_while_the_server_runs_and_over_a_restart(db: Database) {
    let place = Installation::new(db);
    let mut server = place.start().await;
    let said = |words: &[&str], good: bool| {
        let done = place.run(words, "");
        assert_eq!(done.status.success(), good, "{done:?}");
        String::from_utf8(if good { done.stdout } else { done.stderr }).unwrap()
    };
    assert!(said(&["hold-destructive", "--reason", "a drill"], true).contains("0 device(s)"));
    assert!(said(&["hold-destructive"], false).contains("held already"));
    let held = place.admin().get(ADDRESS).await.expect(200);
    assert_eq!((&held["held"], &held["reason"]), (&json!(true), &json!("a drill")));
    server.terminate();
    assert!(server.wait().await.success());
    let mut server = place.start().await;
    assert_eq!(place.admin().get(ADDRESS).await.expect(200)["held"], true);
    assert!(said(&["hold-destructive", "--release"], true).contains("0 device(s)"));
    assert_eq!(place.admin().get(ADDRESS).await.expect(200)["held"], false);
    server.terminate();
    server.wait().await;
}
