//! What must hold whatever happens.

use enlist::simulator::iphone::{Command, Door, Signature};
use plist::Value as Plist;
use serde_json::json;

use super::revocation::Authority;
use crate::harness::{
    actors::{IPhone, id, passcode_policy, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    a_new_authenticate_clears_the_queue_and_no_command_of_an_older_generation_is_delivered,
    nobody_is_pushed_before_the_first_token_update_nor_after_check_out,
    the_certificate_of_one_device_cannot_act_as_another,
    an_expired_certificate_may_only_be_renewed,
    no_erase_is_ever_queued_for_a_personal_device_or_without_the_right,
    not_now_as_the_last_word_waits_and_not_now_before_another_answer_schedules_a_push,
    answers_count_once_and_unknown_ones_are_ignored,
    access_is_cut_at_the_moment_of_the_wipe_request,
);

async fn a_new_authenticate_clears_the_queue_and_no_command_of_an_older_generation_is_delivered(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    let device = id(&phone.seen_by(&admin).await);
    phone.obey_all().await;
    let lock = admin.order(&device, "lock").await;

    // The same profile once more: another generation of the same enrollment.
    phone.authenticate().await.unwrap();
    assert_eq!(admin.command_state(&device, &lock).await["state"], "cancelled");
    phone.token_update().await.unwrap();
    let obeyed = phone.obey_all().await;
    assert!(!obeyed.is_empty() && !obeyed.contains(&"DeviceLock".to_owned()), "{obeyed:?}");

    // A new profile on the same device: another enrollment.
    let lock = admin.order(&device, "lock").await;
    let mut again = IPhone::enroll(&app, &user, "company", 0).await;
    assert_eq!(admin.command_state(&device, &lock).await["state"], "cancelled");
    assert!(!again.obey_all().await.contains(&"DeviceLock".to_owned()));
    let late = phone.send(Door::Connect, phone.idle_request().unwrap(), Signature::Own).await.unwrap();
    assert_eq!(late.status, 403);
    assert_eq!(admin.device(&device).await["generation"], 3);
}

async fn nobody_is_pushed_before_the_first_token_update_nor_after_check_out(db: Database) {
    let app = TestApp::start(db).await;
    app.import_push_certificate().await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::with_profile(&app, &user, "company", 0).await;
    phone.certify(0).await;
    phone.authenticate().await.unwrap();
    let device = id(&phone.seen_by(&admin).await);
    let refused = admin.post(&format!("/devices/{device}/lock"), &json!({})).await.expect(409);
    assert!(text(&refused, "detail").contains("not enrolled"), "{refused}");
    admin.create_policy(&passcode_policy("all")).await;
    app.work().await;
    assert!(app.jobs("push").is_empty());

    phone.token_update().await.unwrap();
    assert_eq!(app.jobs("push").len(), 1);
    phone.obey_all().await;
    app.forget_pushes();

    phone.check_out().await.unwrap();
    for what in ["lock", "refresh", "retire"] {
        assert_eq!(admin.post(&format!("/devices/{device}/{what}"), &json!({})).await.status, 409, "{what}");
    }
    assert_eq!(admin.wipe(&admin.device(&device).await, "selective").await.status, 409);
    admin.create_policy(&passcode_policy("more")).await;
    app.clock.advance_days(1);
    app.sweep().await;
    assert!(app.jobs("push").is_empty());
}

async fn the_certificate_of_one_device_cannot_act_as_another(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (ada, eve) = (admin.create_user("ada@example.com").await, admin.create_user("eve@example.com").await);
    let mut victim = IPhone::enroll(&app, &ada, "company", 0).await;
    let attacker = IPhone::enroll(&app, &eve, "company", 1).await;
    victim.obey_all().await;
    let device = id(&victim.seen_by(&admin).await);
    let lock = admin.order(&device, "lock").await;

    let false_identity = attacker.identity().unwrap();
    let bodies = [
        (Door::Connect, victim.idle_request().unwrap()),
        (Door::Connect, victim.answer(&lock.to_uppercase(), "Acknowledged", [])),
        (Door::CheckIn, victim.authenticate_body().unwrap()),
        (Door::CheckIn, victim.token_update_body().unwrap()),
        (Door::CheckIn, victim.check_in_body("CheckOut", plist::Dictionary::new()).unwrap()),
    ];
    for (door, body) in bodies {
        let answer = victim.send(door, body, Signature::By(false_identity)).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (403, 0), "a device survives this answer");
    }
    assert_eq!(admin.command_state(&device, &lock).await["state"], "queued");
    assert_eq!(admin.device(&device).await["generation"], 1);
    assert_eq!(victim.obey_all().await, ["DeviceLock"]);
    assert!(attacker.ask().await.is_some(), "the attacker's own device is as it was");
}

async fn an_expired_certificate_may_only_be_renewed(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    app.clock.advance_days(366);
    for (door, body) in [(Door::Connect, phone.idle_request().unwrap()), (Door::CheckIn, phone.authenticate_body().unwrap())] {
        let answer = phone.send(door, body, Signature::Own).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (403, 0), "it must not forget its management: it can still renew");
    }
    phone.renew().await.unwrap();
    let lock = admin.order(&device, "lock").await;
    assert!(phone.obey_all().await.contains(&"DeviceLock".to_owned()));
    assert_eq!(admin.command_state(&device, &lock).await["state"], "acknowledged");

    // Not for ever: a certificate that ended long ago is worth nothing.
    app.clock.advance_days(365 + 31);
    assert!(phone.renew().await.is_err());
}

async fn no_erase_is_ever_queued_for_a_personal_device_or_without_the_right(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut personal = IPhone::enroll(&app, &user, "personal", 0).await;
    let mut company = IPhone::enroll(&app, &user, "company", 1).await;
    assert_eq!(personal.mdm().access_rights & 8, 0);
    app.database.tamper("UPDATE enrollments SET rights = 5143");
    for (phone, why) in [(&mut personal, "personal device"), (&mut company, "without the right to erase")] {
        let device = phone.seen_by(&admin).await;
        let refused = admin.wipe(&device, "full").await.expect(409);
        assert!(text(&refused, "detail").contains(why), "{refused}");
        let plist = "<plist version=\"1.0\"><dict><key>RequestType</key><string>EraseDevice</string></dict></plist>";
        let path = format!("/devices/{}/commands", id(&device));
        assert_eq!(admin.post(&path, &json!({ "kind": "raw", "plist": plist })).await.status, 409);
        assert_eq!(admin.device(&id(&device)).await["enrollment"], "enrolled");
        assert!(!phone.obey_all().await.contains(&"EraseDevice".to_owned()));
        let queue = admin.get(&format!("{path}?limit=200")).await.expect(200);
        assert!(queue["items"].as_array().unwrap().iter().all(|command| command["kind"] != "erase_device"), "{queue}");
    }
}

async fn not_now_as_the_last_word_waits_and_not_now_before_another_answer_schedules_a_push(db: Database) {
    let app = TestApp::start(db).await;
    app.import_push_certificate().await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);

    let first = admin.command(&device, &json!({ "kind": "security_info" })).await;
    app.forget_pushes();
    let command = phone.ask().await.unwrap();
    assert_eq!(command.uuid, first.to_uppercase());
    assert!(phone.exchange(phone.answer(&command.uuid, "NotNow", [])).await.is_none(), "not again in the same session");
    assert_eq!(admin.command_state(&device, &first).await["state"], "not_now");
    assert!(app.jobs("push").is_empty(), "the device comes back by itself");

    let second = admin.command(&device, &json!({ "kind": "profile_list" })).await;
    app.forget_pushes();
    let command = phone.ask().await.unwrap();
    assert_eq!(command.uuid, first.to_uppercase(), "what was put off is offered when the device comes anew");
    let command = phone.exchange(phone.answer(&command.uuid, "NotNow", [])).await.unwrap();
    assert_eq!(command.uuid, second.to_uppercase());
    assert!(phone.exchange(phone.answer(&command.uuid, "Acknowledged", [])).await.is_none());
    let pushes = app.jobs("push");
    assert_eq!(pushes.len(), 1);
    let delay = pushes[0].run_at.since(pushes[0].created_at).as_secs();
    assert!((1..=3600).contains(&delay), "{delay}");
    assert_eq!(phone.obey_all().await, ["SecurityInfo"]);
}

async fn answers_count_once_and_unknown_ones_are_ignored(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (ada, eve) = (admin.create_user("ada@example.com").await, admin.create_user("eve@example.com").await);
    let mut phone = IPhone::enroll(&app, &ada, "company", 0).await;
    let mut other = IPhone::enroll(&app, &eve, "company", 1).await;
    phone.obey_all().await;
    other.obey_all().await;
    let (device, others) = (id(&phone.seen_by(&admin).await), id(&other.seen_by(&admin).await));

    let lock = admin.order(&device, "lock").await;
    let Command { uuid, .. } = phone.ask().await.unwrap();
    let acknowledged = phone.answer(&uuid, "Acknowledged", []);
    assert!(phone.exchange(acknowledged.clone()).await.is_none());
    let before = admin.command_state(&device, &lock).await;
    assert_eq!(before["state"], "acknowledged");
    let events = admin.timeline(&device).await.len();
    app.clock.advance_seconds(60);
    for status in ["Acknowledged", "Error", "NotNow", "CommandFormatError"] {
        assert!(phone.exchange(phone.answer(&uuid, status, [])).await.is_none());
    }
    assert!(phone.exchange(acknowledged).await.is_none());
    assert_eq!(admin.command_state(&device, &lock).await, before);
    assert_eq!(admin.timeline(&device).await.len(), events);

    // Nobody answers for somebody else, and nonsense does not keep the queue from moving.
    let foreign = admin.order(&others, "lock").await;
    let own = admin.order(&device, "lock").await;
    for uuid in [foreign.to_uppercase(), uuid::Uuid::new_v4().to_string(), "0001_nonsense".to_owned()] {
        let next = phone.exchange(phone.answer(&uuid, "Acknowledged", [("Extra", Plist::from(1))])).await.unwrap();
        assert_eq!(next.uuid, own.to_uppercase());
    }
    assert_eq!(admin.command_state(&others, &foreign).await["state"], "queued");
    assert_eq!(other.obey_all().await, ["DeviceLock"]);
}

async fn access_is_cut_at_the_moment_of_the_wipe_request(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let authority = Authority::of(&app).await;
    for (number, (scope, ownership)) in [("selective", "personal"), ("full", "company"), ("retire", "personal")].into_iter().enumerate() {
        let user = admin.create_user(&format!("ada{number}@example.com")).await;
        let mut phone = IPhone::enroll(&app, &user, ownership, number).await;
        phone.obey_all().await;
        let device = phone.seen_by(&admin).await;
        let certificate = phone.identity().unwrap().certificate.clone();
        assert_eq!(device["access"], "allow");
        assert!(!authority.has_revoked(&certificate).await);
        if scope == "retire" {
            admin.order(&id(&device), "retire").await;
        } else {
            admin.wipe(&device, scope).await.expect(202);
        }
        let device = admin.device(&id(&device)).await;
        assert_eq!(device["access"], "block");
        assert_eq!(device["compliance"], "noncompliant");
        assert!(authority.has_revoked(&certificate).await);
        // The phone has heard nothing yet, and is told when it comes.
        assert_eq!(phone.obey_all().await.len(), 1);
    }
}
