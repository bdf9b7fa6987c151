//! A command wakes its phone, once, and only where something waits.

use enlist::store::schema::enrollments;
use plist::Value as Plist;
use serde_json::json;

use super::Stage;
use crate::harness::{
    actors::IPhone,
    apns::{self, Answer, TOPIC, hex},
    database::Database,
    every_backend,
};

every_backend!(
    a_command_wakes_the_phone_which_comes_and_obeys,
    many_commands_are_one_push,
    nobody_is_woken_for_nothing,
    without_a_certificate_nothing_is_enqueued_and_the_import_wakes_those_for_whom_something_waits,
    a_push_that_hangs_keeps_neither_other_pushes_nor_other_jobs_back,
);

/// What the phone told the server in its `TokenUpdate`.
async fn magic_of(stage: &Stage, phone: &IPhone) -> String {
    use diesel::prelude::*;
    let token = phone.device().push_token().to_vec();
    let found: Option<Option<String>> = stage
        .app
        .app
        .read(move |conn| {
            let found = enrollments::table.filter(enrollments::push_token.eq(token)).select(enrollments::push_magic).first(conn);
            found.optional().map_err(enlist::store::Error::from)
        })
        .await
        .unwrap();
    found.flatten().unwrap()
}

async fn a_command_wakes_the_phone_which_comes_and_obeys(db: Database) {
    let stage = Stage::new(db).await;
    let (mut phone, device) = stage.phone(0).await;
    assert_eq!(phone.mdm().topic, TOPIC, "new profiles have the topic of the certificate");
    assert_eq!(stage.pushes(&phone), 0, "it came by itself after its enrollment");

    let lock = stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    let received = stage.apns.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let push = &received[0];
    assert_eq!((push.answer, push.topic.as_str(), push.token.as_str()), (200, TOPIC, hex(phone.device().push_token()).as_str()));
    assert_eq!(push.magic, magic_of(&stage, &phone).await);
    assert_eq!(push.expiration, stage.app.clock_now().plus_days(7).seconds());
    assert_eq!(stage.waiting(), 0);

    assert_eq!(phone.obey_all().await, ["DeviceLock"]);
    assert_eq!(stage.admin.command_state(&device, &lock).await["state"], "acknowledged");
    let shown = stage.state().await;
    assert!(shown["last_delivered_at"].is_string() && shown["last_error"].is_null() && shown["warning"].is_null(), "{shown}");
}

async fn many_commands_are_one_push(db: Database) {
    let stage = Stage::new(db).await;
    let (mut phone, device) = stage.phone(0).await;
    let (other, _) = stage.phone(1).await;
    for kind in ["security_info", "profile_list", "certificate_list"] {
        stage.admin.command(&device, &json!({ "kind": kind })).await;
    }
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.pushes(&other), stage.apns.connections()), (1, 0, 1));
    // What comes after the push was sent is worth another one.
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.apns.connections()), (2, 1));
    assert_eq!(phone.obey_all().await.len(), 4);
}

async fn nobody_is_woken_for_nothing(db: Database) {
    let stage = Stage::new(db).await;
    let (mut phone, device) = stage.phone(0).await;
    stage.admin.order(&device, "lock").await;
    // It comes by itself before the push is sent.
    phone.obey_all().await;
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.waiting()), (0, 0));

    stage.admin.order(&device, "lock").await;
    phone.check_out().await.unwrap();
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.waiting()), (0, 0), "it is no longer managed");
}

async fn without_a_certificate_nothing_is_enqueued_and_the_import_wakes_those_for_whom_something_waits(db: Database) {
    let stage = Stage::new(db).await;
    let ((phone, device), (idle, _)) = (stage.phone(0).await, stage.phone(1).await);
    // Under another topic the phones are as far away as without a certificate.
    let other = "com.apple.mgmt.External.other";
    let shown = stage.force(&apns::pem(&apns::certificate(other))).await;
    assert_eq!((&shown["topic"], &shown["devices_with_other_topic"]), (&json!(other), &json!(2)));
    stage.admin.order(&device, "lock").await;
    assert_eq!(stage.waiting(), 0);
    stage.app.work().await;
    let (stranger, _) = stage.phone(2).await;
    assert_eq!(stranger.mdm().topic, other);

    stage.app.database.tamper("DELETE FROM push_certificates");
    stage.admin.order(&device, "refresh").await;
    stage.app.work().await;
    assert_eq!((stage.waiting(), stage.apns.received().len()), (0, 0));
    assert!(stage.state().await["warning"].as_str().unwrap().contains("no push certificate"));

    stage.import(&apns::pem(&apns::certificate(TOPIC))).await;
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.pushes(&idle), stage.pushes(&stranger)), (1, 0, 0));
}

async fn a_push_that_hangs_keeps_neither_other_pushes_nor_other_jobs_back(db: Database) {
    let stage = Stage::new(db).await;
    let ((slow, slow_device), (quick, quick_device)) = (stage.phone(0).await, stage.phone(1).await);
    stage.apns.plan(slow.device().push_token(), &[Answer::Hang(200)]);
    let runner = stage.run();
    stage.admin.order(&slow_device, "lock").await;
    stage.apns.wait_for(slow.device().push_token(), 1).await;

    stage.admin.order(&quick_device, "lock").await;
    stage.apns.wait_for(quick.device().push_token(), 1).await;
    while enlist::jobs::work_once(&stage.app.app).await.unwrap() {}
    let sent = || std::fs::read_dir(stage.app.outbox()).unwrap().count();
    let before = sent();
    let user = stage.admin.create_user("bob@example.com").await;
    stage.admin.invite(&user, "company").await;
    while enlist::jobs::work_once(&stage.app.app).await.unwrap() {}
    assert_eq!(sent(), before + 1, "the mail has left");
    assert_eq!(stage.waiting(), 1, "the first push is still under way");

    stage.apns.release();
    runner.stop().await;
    assert_eq!((stage.pushes(&slow), stage.waiting()), (1, 0));
}

mod token {
    use super::*;

    every_backend!(
        a_token_that_apple_gave_up_is_pushed_no_more_until_a_new_one_comes,
        a_token_that_came_while_the_old_one_was_given_up_is_kept,
    );

    async fn a_token_that_apple_gave_up_is_pushed_no_more_until_a_new_one_comes(db: Database) {
        let stage = Stage::new(db).await;
        let (mut phone, device) = stage.phone(0).await;
        let answers = [(410, "Unregistered"), (400, "BadDeviceToken")];
        for (round, (status, reason)) in answers.into_iter().enumerate() {
            stage.apns.plan(phone.device().push_token(), &[Answer::Refuse(status, reason, None)]);
            stage.admin.order(&device, "lock").await;
            stage.app.work().await;
            stage.let_wait_be_over();
            stage.app.work().await;
            let sent = 2 * round + 1;
            assert_eq!((stage.pushes(&phone), stage.waiting()), (sent, 0), "once, and not again");
            stage.admin.order(&device, "refresh").await;
            stage.app.work().await;
            assert_eq!((stage.pushes(&phone), stage.waiting()), (sent, 0), "the token is dead");
            assert_eq!(stage.admin.device(&device).await["enrollment"], "enrolled", "the device is not");
            let told = stage.admin.timeline(&device).await;
            assert_eq!(told.iter().filter(|kind| *kind == "push_token_gone").count(), round + 1, "{told:?}");

            // A token that comes anew is good again, and what waits is announced at once.
            phone.token_update().await.unwrap();
            stage.app.work().await;
            assert_eq!(stage.pushes(&phone), sent + 1);
            assert!(phone.obey_all().await.contains(&"DeviceLock".to_owned()));
        }
        assert!(stage.state().await["warning"].is_null(), "nothing that an administrator could do");
    }

    async fn a_token_that_came_while_the_old_one_was_given_up_is_kept(db: Database) {
        let stage = Stage::new(db).await;
        let (phone, device) = stage.phone(0).await;
        let old = phone.device().push_token().to_vec();
        stage.apns.plan(&old, &[Answer::Hang(410)]);
        stage.admin.order(&device, "lock").await;
        let runner = stage.run();
        stage.apns.wait_for(&old, 1).await;
        let new = vec![7; 32];
        let keys =
            [("Topic", Plist::String(TOPIC.into())), ("Token", Plist::Data(new.clone())), ("PushMagic", Plist::String("another".into()))];
        assert_eq!(phone.check_in("TokenUpdate", keys).await.status, 200);
        stage.apns.release();
        stage.apns.wait_for(&new, 1).await;
        runner.stop().await;
        assert_eq!(stage.apns.received().last().unwrap().magic, "another");
    }
}
