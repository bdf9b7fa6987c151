//! The story of devices with an agent: a work profile on a person's phone, and a company's phone as a whole.

use enlist::{
    domain::{
        audit::{Actor, ActorKind},
        command::Command,
    },
    service::command::Order,
    simulator::{State, android::Mode, android::handset::passcode_of, passcode::Passcode},
};
use serde_json::{Value, json};

use crate::harness::{
    actors::{id, passcode_policy, text},
    android::{Android, answer, behaviour, reasons, standing, start},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    a_work_profile_is_held_to_the_policy_and_removed,
    a_companys_phone_can_be_reset_and_given_another_passcode,
    what_was_put_off_comes_again_when_the_device_can,
    a_device_that_enrolls_anew_begins_a_new_generation,
    a_wipe_is_not_escaped_by_enrolling_anew,
    a_device_that_leaves_is_retired_and_one_that_is_let_go_hears_of_it,
    a_policy_that_changes_reaches_the_device,
    a_command_is_handed_out_until_it_is_answered_and_counts_once,
);

const ADA: &str = "ada@example.com";

async fn a_work_profile_is_held_to_the_policy_and_removed(db: Database) {
    let app = start(db).await;
    let admin = app.admin();
    admin.create_policy(&passcode_policy("All phones")).await;
    app.work().await;
    let user = admin.create_user(ADA).await;
    let mut phone = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Weak, Mode::ProfileOwner)).await;
    assert_eq!(phone.obey_all().await, ["apply_policy acknowledged", "report_posture acknowledged"]);

    let device = phone.seen_by(&admin).await;
    assert_eq!(standing(&device), ["enrolled", "noncompliant", "block"]);
    assert_eq!((&device["platform"], &device["ownership"], &device["model"]), (&json!("android"), &json!("personal"), &json!("Pixel 8")));
    assert_eq!(reasons(&device), ["passcode_too_weak"]);
    assert!(text(&device["reasons"][0], "remedy").contains("Screen lock"));

    phone.set_passcode(passcode_of(Passcode::Strong));
    phone.report().await.unwrap();
    assert_eq!(standing(&phone.seen_by(&admin).await), ["enrolled", "compliant", "allow"]);
    phone.set_rooted(true);
    phone.report().await.unwrap();
    let device = phone.seen_by(&admin).await;
    let device_id = id(&device);
    assert!(admin.timeline(&device_id).await.contains(&"compromised".to_owned()));
    phone.set_rooted(false);
    phone.report().await.unwrap();

    admin.order(&device_id, "lock").await;
    assert_eq!(phone.obey_all().await, ["lock acknowledged"]);
    assert!(phone.is_locked());

    let refused = admin.wipe(&device, "full").await.expect(409);
    assert!(text(&refused, "detail").contains("personal device"), "{refused}");
    admin.wipe(&device, "selective").await.expect(202);
    let pending = admin.device(&device_id).await;
    assert_eq!((&pending["enrollment"], &pending["access"]), (&json!("wipe_pending"), &json!("block")));
    assert_eq!(phone.get("policy").await.unwrap().status, 403, "its certificate is revoked");
    assert_eq!(phone.post("posture", &phone.posture()).await.unwrap().status, 403);
    assert_eq!(phone.post("leave", &json!({})).await.unwrap().status, 403);
    assert_eq!(phone.obey_all().await, ["remove_work_data acknowledged"]);
    assert_eq!(phone.state(), State::Removed);
    assert_eq!(admin.device(&device_id).await["enrollment"], "wiped");
    assert_eq!(phone.get("commands").await.unwrap().status, 403, "the enrollment has ended");
    app.work().await;
}

async fn a_companys_phone_can_be_reset_and_given_another_passcode(db: Database) {
    let app = start(db).await;
    let admin = app.admin();
    admin.create_policy(&passcode_policy("All phones")).await;
    app.work().await;
    let user = admin.create_user(ADA).await;
    let mut owned = Android::enroll(&app, &user, "company", 0, behaviour(Passcode::None, Mode::DeviceOwner)).await;
    owned.obey_all().await;
    let device = owned.seen_by(&admin).await;
    assert_eq!((standing(&device), reasons(&device)), (["enrolled", "noncompliant", "block"], vec!["passcode_missing".to_owned()]));

    reset_passcode(&app, &device).await.unwrap();
    assert_eq!(owned.obey_all().await, ["reset_passcode acknowledged"]);
    assert_eq!(owned.passcode(), Some("kR4!mw8Zq"));
    assert_eq!(standing(&owned.seen_by(&admin).await), ["enrolled", "compliant", "allow"]);

    // A work profile can do neither, whoever owns the phone.
    let mut profile = Android::enroll(&app, &user, "company", 1, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    profile.obey_all().await;
    let other = profile.seen_by(&admin).await;
    assert!(text(&admin.wipe(&other, "full").await.expect(409), "detail").contains("work profile"));
    assert!(reset_passcode(&app, &other).await.is_err());

    admin.wipe(&device, "full").await.expect(202);
    let pending = admin.device(&text(&device, "id")).await;
    assert_eq!((&pending["enrollment"], &pending["access"]), (&json!("wipe_pending"), &json!("block")));
    assert_eq!(owned.obey_all().await, ["erase_device acknowledged"]);
    assert_eq!((owned.state(), &admin.device(&text(&device, "id")).await["enrollment"]), (State::Wiped, &json!("wiped")));
    app.work().await;
}

async fn reset_passcode(app: &TestApp, device: &Value) -> enlist::service::Result<()> {
    let actor = Actor { kind: ActorKind::CommandLine, name: "the tests".into() };
    let command = Command::ResetPasscode { sealed_passcode: app.app.seal_passcode("kR4!mw8Zq").unwrap() };
    app.app.order(actor, text(device, "id").parse().unwrap(), Order::Command(command)).await.map(drop)
}

async fn what_was_put_off_comes_again_when_the_device_can(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut habits = behaviour(Passcode::Strong, Mode::ProfileOwner);
    habits.defers = true;
    let mut phone = Android::enroll(&app, &user, "personal", 0, habits).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let command = admin.order(&device, "lock").await;
    let first = phone.get("commands").await.unwrap();
    phone.obey(&first.body).await.unwrap();
    assert!(!phone.is_locked());
    assert_eq!(phone.get("commands").await.unwrap().status, 204, "it is left in peace for a while");
    assert_eq!(admin.command_state(&device, &command).await["state"], json!("not_now"));
    app.clock.advance_seconds(61);
    assert_eq!(phone.get("commands").await.unwrap().status, 200, "and is asked again");
    assert_eq!(phone.obey_all().await, ["lock acknowledged"], "or asks itself");
    assert!(phone.is_locked());
}

async fn a_device_that_enrolls_anew_begins_a_new_generation(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut before = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    before.obey_all().await;
    let again = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    let device = again.seen_by(&admin).await;
    assert_eq!((&device["generation"], &device["enrollment"]), (&json!(2), &json!("enrolled")));
    assert_eq!(before.get("commands").await.unwrap().status, 403);
    before.poll(0).await.unwrap();
    assert_eq!(before.state(), State::Removed, "it knows that it is not managed any more");
}

async fn a_wipe_is_not_escaped_by_enrolling_anew(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let phone = Android::enroll(&app, &user, "company", 0, behaviour(Passcode::Strong, Mode::DeviceOwner)).await;
    let device = phone.seen_by(&admin).await;
    admin.wipe(&device, "full").await.expect(202);
    let again = Android::enroll(&app, &user, "company", 0, behaviour(Passcode::Strong, Mode::DeviceOwner)).await;
    let device = again.seen_by(&admin).await;
    assert_eq!((&device["enrollment"], &device["access"], &device["generation"]), (&json!("wipe_pending"), &json!("block"), &json!(2)));
    admin.wipe(&device, "full").await.expect(202);
}

async fn a_device_that_leaves_is_retired_and_one_that_is_let_go_hears_of_it(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut leaver = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    leaver.leave().await.unwrap();
    assert_eq!(leaver.seen_by(&admin).await["enrollment"], "retired");
    let mut other = Android::enroll(&app, &user, "personal", 1, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    other.obey_all().await;
    let device = id(&other.seen_by(&admin).await);
    admin.order(&device, "retire").await;
    assert_eq!(other.obey_all().await, ["remove_work_data acknowledged"]);
    assert_eq!((other.is_enrolled(), &admin.device(&device).await["enrollment"]), (false, &json!("retired")));
}

async fn a_policy_that_changes_reaches_the_device(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut phone = Android::enroll(&app, &user, "company", 0, behaviour(Passcode::Strong, Mode::DeviceOwner)).await;
    assert_eq!(phone.obey_all().await, ["report_posture acknowledged"], "nothing is asked for yet");
    assert_eq!(phone.get("policy").await.unwrap().status, 200);
    let policy = admin.create_policy(&passcode_policy("All phones")).await;
    app.work().await;
    assert_eq!(reasons(&phone.seen_by(&admin).await), ["policy_outdated"]);
    assert_eq!(phone.obey_all().await, ["apply_policy acknowledged", "report_posture acknowledged"]);
    assert_eq!(standing(&phone.seen_by(&admin).await), ["enrolled", "compliant", "allow"]);
    admin
        .put(&format!("/policies/{policy}"), &json!({ "name": "All phones", "passcode": { "required": true, "min_length": 12 } }))
        .await
        .expect(200);
    app.work().await;
    phone.obey_all().await;
    assert_eq!(reasons(&phone.seen_by(&admin).await), ["passcode_too_weak"]);
    admin.delete(&format!("/policies/{policy}")).await.expect(204);
    app.work().await;
    assert_eq!(phone.obey_all().await, ["apply_policy acknowledged", "report_posture acknowledged"], "it hears that nothing is asked for");
}

async fn a_command_is_handed_out_until_it_is_answered_and_counts_once(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut phone = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let command = admin.order(&device, "lock").await;
    let early = phone.post(&format!("commands/{command}/answer"), &answer("acknowledged")).await.unwrap();
    assert_eq!(early.status, 409, "nobody can have done what was not handed out");
    let handed_out = phone.get("commands").await.unwrap();
    phone.obey(&handed_out.body).await.unwrap();
    // The server forgets that it heard the answer, as if the answer had been lost.
    app.database.tamper("UPDATE commands SET state = 'sent', finished_at = NULL WHERE kind = 'lock'");
    assert_eq!(phone.obey_all().await, ["lock acknowledged"], "it is answered again");
    let path = format!("commands/{command}/answer");
    assert_eq!(phone.post(&path, &answer("acknowledged")).await.unwrap().status, 204, "the same again changes nothing");
    assert_eq!(phone.post(&path, &answer("failed")).await.unwrap().status, 409, "another answer is refused");
    assert_eq!(admin.command_state(&device, &command).await["state"], json!("acknowledged"));
}
