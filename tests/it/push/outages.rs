//! Apple does not play along: nothing is lost, nobody is bothered more than once, and the administrator is told what matters.

use serde_json::json;

use super::Stage;
use crate::harness::{
    actors::text,
    apns::{self, Answer, TOPIC},
    database::Database,
    every_backend,
};

every_backend!(
    while_apple_is_out_of_reach_commands_wait_and_one_push_follows_for_each_device,
    a_device_that_is_pushed_too_often_waits_as_long_as_apple_says_and_nobody_else_does,
    while_apple_is_overloaded_everybody_waits_as_long_as_it_says,
    a_certificate_that_apple_refuses_raises_an_alarm_and_stops_pushes_until_another_one_comes,
    a_certificate_that_tls_refuses_raises_the_same_alarm,
    a_push_is_never_given_up,
    connections_that_end_in_the_middle_lose_nothing,
);

async fn while_apple_is_out_of_reach_commands_wait_and_one_push_follows_for_each_device(db: Database) {
    let mut stage = Stage::new(db).await;
    let ((mut phone, device), (other, other_device)) = (stage.phone(0).await, stage.phone(1).await);
    stage.apns.stop().await;
    let lock = stage.admin.order(&device, "lock").await;
    stage.admin.order(&other_device, "lock").await;
    for _ in 0..3 {
        stage.let_wait_be_over();
        stage.app.work().await;
        stage.admin.command(&other_device, &json!({ "kind": "security_info" })).await;
    }
    assert_eq!(stage.waiting(), 2);
    assert!(stage.app.jobs("push").iter().all(|job| job.dead_at.is_none()));
    let shown = stage.state().await;
    assert!(text(&shown["last_error"], "why").contains("refused") && shown["rejected"].is_null(), "{shown}");

    // The command is there when the phone comes by itself.
    assert_eq!(stage.admin.command_state(&device, &lock).await["state"], "queued");
    assert_eq!(phone.obey_all().await, ["DeviceLock"]);

    stage.apns.start_again().await;
    stage.let_wait_be_over();
    stage.app.work().await;
    stage.let_wait_be_over();
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.pushes(&other), stage.waiting()), (0, 1, 0));
}

async fn a_device_that_is_pushed_too_often_waits_as_long_as_apple_says_and_nobody_else_does(db: Database) {
    let stage = Stage::new(db).await;
    let ((phone, device), (other, other_device)) = (stage.phone(0).await, stage.phone(1).await);
    stage.apns.plan(phone.device().push_token(), &[Answer::Refuse(429, "TooManyRequests", Some("500"))]);
    let runner = stage.run();
    stage.admin.order(&device, "lock").await;
    stage.apns.wait_for(phone.device().push_token(), 1).await;
    stage.admin.order(&other_device, "lock").await;
    stage.apns.wait_for(other.device().push_token(), 1).await;
    runner.stop().await;
    assert!((490..=640).contains(&stage.put_off_seconds()), "{}", stage.put_off_seconds());
    stage.let_wait_be_over();
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.waiting()), (2, 0));
}

async fn while_apple_is_overloaded_everybody_waits_as_long_as_it_says(db: Database) {
    let stage = Stage::new(db).await;
    let ((phone, device), (other, other_device)) = (stage.phone(0).await, stage.phone(1).await);
    for (status, reason) in [(503, "ServiceUnavailable"), (500, "InternalServerError")] {
        stage.apns.plan(phone.device().push_token(), &[Answer::Refuse(status, reason, Some("300"))]);
        let before = (stage.pushes(&phone), stage.pushes(&other));
        let runner = stage.run();
        stage.admin.order(&device, "lock").await;
        stage.apns.wait_for(phone.device().push_token(), before.0 + 1).await;
        while stage.app.jobs("push")[0].last_error.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!((290..=390).contains(&stage.put_off_seconds()), "{}", stage.put_off_seconds());
        // Due, and yet not sent: the runner waits for the service as a whole.
        stage.admin.order(&other_device, "lock").await;
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert_eq!((stage.pushes(&phone), stage.pushes(&other), stage.waiting()), (before.0 + 1, before.1, 2));
        runner.stop().await;
        let shown = stage.state().await;
        assert_eq!(text(&shown["last_error"], "why"), format!("{status} {reason}"));

        stage.let_wait_be_over();
        stage.app.work().await;
        assert_eq!((stage.pushes(&phone), stage.pushes(&other), stage.waiting()), (before.0 + 2, before.1 + 1, 0));
    }
}

async fn a_certificate_that_apple_refuses_raises_an_alarm_and_stops_pushes_until_another_one_comes(db: Database) {
    let stage = Stage::new(db).await;
    let ((phone, device), (mut other, other_device)) = (stage.phone(0).await, stage.phone(1).await);
    stage.apns.always(Answer::Refuse(403, "BadCertificate", None));
    let runner = stage.run();
    stage.admin.order(&device, "lock").await;
    stage.apns.wait_for(phone.device().push_token(), 1).await;
    let began = std::time::Instant::now();
    while stage.state().await["rejected"].is_null() {
        assert!(began.elapsed().as_secs() < 60, "the administrator is told within a minute");
    }
    let shown = stage.state().await;
    assert!(text(&shown, "warning").contains("403 BadCertificate"), "{shown}");
    let metrics = stage.admin.metrics().await;
    assert!(metrics.contains("enlist_push_certificate_rejected 1"), "{metrics}");

    // No tries are burnt: not even a due push goes out.
    stage.admin.order(&other_device, "lock").await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!((stage.pushes(&phone), stage.pushes(&other), stage.waiting()), (1, 0, 2));
    assert_eq!(other.obey_all().await, ["DeviceLock"], "commands are handed out all the same");

    stage.apns.always(Answer::Deliver);
    let shown = stage.import(&apns::pem(&apns::certificate(TOPIC))).await;
    assert!(shown["warning"].is_null() && shown["rejected"].is_null(), "{shown}");
    while enlist::jobs::work_once(&stage.app.app).await.unwrap() {}
    stage.apns.wait_for(phone.device().push_token(), 2).await;
    runner.stop().await;
    assert_eq!((stage.pushes(&other), stage.waiting()), (0, 0), "the other one has come already");
    assert!(stage.admin.metrics().await.contains("enlist_push_certificate_rejected 0"));
}

async fn a_certificate_that_tls_refuses_raises_the_same_alarm(db: Database) {
    let stage = Stage::new(db).await;
    let (mut phone, device) = stage.phone(0).await;
    stage.import(&apns::pem(&apns::foreign_certificate(TOPIC))).await;
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    let shown = stage.state().await;
    assert!(text(&shown["rejected"], "why").contains("unknown ca"), "{shown}");
    assert_eq!((stage.apns.received().len(), stage.waiting()), (0, 1));
    assert_eq!(phone.obey_all().await, ["DeviceLock"]);
    stage.let_wait_be_over();
    stage.app.work().await;
}

async fn a_push_is_never_given_up(db: Database) {
    let stage = Stage::new(db).await;
    let (phone, device) = stage.phone(0).await;
    stage.apns.plan(phone.device().push_token(), &[Answer::Refuse(429, "TooManyRequests", None); 30]);
    stage.admin.order(&device, "lock").await;
    let mut waits = Vec::new();
    for _ in 0..30 {
        stage.app.work().await;
        waits.push(stage.put_off_seconds());
        stage.let_wait_be_over();
    }
    assert!(waits[0] <= 13 && waits[29] >= 3600 && waits[29] <= 4501, "{waits:?}");
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.waiting()), (31, 0));
}

async fn connections_that_end_in_the_middle_lose_nothing(db: Database) {
    let stage = Stage::new(db).await;
    let ((phone, device), (other, other_device)) = (stage.phone(0).await, stage.phone(1).await);
    for (round, answer) in [Answer::Cut, Answer::GoAway].into_iter().enumerate() {
        let (sent, connections) = (stage.pushes(&phone), stage.apns.connections());
        stage.apns.plan(phone.device().push_token(), &[answer]);
        stage.admin.order(&device, "lock").await;
        stage.app.work().await;
        assert_eq!((stage.pushes(&phone), stage.waiting()), (sent + 2, 0), "{answer:?}");
        assert_eq!(stage.apns.connections(), connections + 1 + usize::from(round == 0), "{answer:?}");
        assert_eq!(stage.apns.received().last().unwrap().answer, 200);
    }
    // Those that are under way end in peace; the next ones take another connection.
    let connections = stage.apns.connections();
    stage.apns.plan(phone.device().push_token(), &[Answer::LastOne]);
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    let mut sent = 0;
    while stage.apns.connections() == connections {
        assert!(sent < 1000, "the connection that was to end is used for ever");
        // One that overtakes the farewell may still be taken.
        stage.admin.order(&other_device, "lock").await;
        stage.app.work().await;
        sent += 1;
        assert_eq!((stage.pushes(&other), stage.waiting()), (sent, 0));
    }
    assert_eq!(stage.apns.connections(), connections + 1);
    assert_eq!(stage.state().await["last_error"], json!(null), "none of this is trouble");
}
