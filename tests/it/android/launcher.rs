//! The whole story of a device with the launcher: from the QR code to its end.

use enlist::{
    android::launcher::log::SKEW_SECONDS,
    simulator::{Passcode, android::launcher::LauncherState},
};
use serde_json::json;

use super::launcher_stage::Stage;
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(
    a_device_is_held_to_its_passcode,
    a_lock_stands_until_it_is_taken_away,
    a_forgotten_passcode_is_replaced_once,
    a_selective_wipe_takes_back_what_was_put_there,
    a_full_wipe_needs_its_permission_and_is_over_then,
    a_device_that_enrolls_again_is_the_same_device,
    an_order_reaches_a_waiting_device_at_once,
);

async fn a_device_is_held_to_its_passcode(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let mut launcher = stage.enrolled("R5CT-STORY", Passcode::Weak).await;
    let device = stage.device("R5CT-STORY").await;
    assert_eq!((device["platform"].as_str(), device["enrollment"].as_str()), (Some("android"), Some("enrolled")), "{device}");
    assert_eq!((device["model"].as_str(), device["os_version"].as_str()), (Some("SM-G556B"), Some("15")));
    assert_eq!(device["ownership"], "company");
    assert_eq!(launcher.configuration()["passwordMode"], "easy");

    // Weak, with a remedy.
    assert_eq!(stage.verdict("R5CT-STORY").await, ("noncompliant".into(), vec!["passcode_too_weak".into()]));
    assert!(device["reasons"][0]["remedy"].as_str().unwrap().contains("screen lock"), "{device}");
    assert_eq!(device["access"], "block");

    // Strong: the launcher's screen is opened again, and its log says so.
    launcher.choose_passcode(Passcode::Strong);
    stage.app.clock.advance_seconds(5);
    launcher.open_screen();
    launcher.send_log().await.unwrap();
    assert_eq!(stage.verdict("R5CT-STORY").await, ("compliant".into(), vec![]));
    assert_eq!(stage.device("R5CT-STORY").await["access"], "allow");

    // A day later nobody knows.
    stage.app.clock.advance_days(1);
    launcher.send_info().await.unwrap();
    stage.app.sweep().await;
    assert_eq!(stage.verdict("R5CT-STORY").await, ("unknown".into(), vec!["passcode_not_reported".into()]));
    launcher.fetch().await.unwrap();
    assert_eq!(stage.verdict("R5CT-STORY").await.0, "compliant");

    // The launcher could not tell: it takes the passcode to be good, and the server does not.
    stage.app.clock.advance_seconds(5);
    launcher.fail_to_apply();
    launcher.send_log().await.unwrap();
    assert_eq!(stage.verdict("R5CT-STORY").await, ("unknown".into(), vec!["passcode_not_reported".into()]));

    // A stricter policy asks for another mode, and what was said before says nothing about it.
    stage.app.clock.advance_seconds(5);
    launcher.fetch().await.unwrap();
    let strict = json!({ "name": "Strict", "passcode": { "required": true, "min_complex_characters": 1 } });
    stage.app.admin().create_policy(&strict).await;
    stage.app.work().await;
    assert_eq!(stage.verdict("R5CT-STORY").await, ("in_grace".into(), vec!["policy_outdated".into()]));
    assert!(launcher.poll().await.unwrap());
    assert_eq!(launcher.configuration()["passwordMode"], "strong");
    assert_eq!(stage.verdict("R5CT-STORY").await.0, "unknown", "what was said may have been written before");
    stage.app.clock.advance_seconds(SKEW_SECONDS + 1);
    launcher.open_screen();
    launcher.send_log().await.unwrap();
    assert_eq!(stage.verdict("R5CT-STORY").await.0, "compliant");
    assert_eq!(stage.command("R5CT-STORY", "apply_policy").await["state"], "acknowledged");
    assert_eq!(stage.command("R5CT-STORY", "report_posture").await["state"], "acknowledged");
}

async fn a_lock_stands_until_it_is_taken_away(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    let mut launcher = stage.enrolled("R5CT-LOCK", Passcode::Strong).await;
    let id = stage.device("R5CT-LOCK").await["id"].as_str().unwrap().to_owned();
    admin.send(admin.request(reqwest::Method::DELETE, &format!("/devices/{id}/lock"))).await.expect(409);
    let order = json!({ "message": "Found? Please call.", "phone_number": "+49 30 1234" });
    admin.post(&format!("/devices/{id}/lock"), &order).await.expect(202);
    assert_eq!(stage.command("R5CT-LOCK", "lock").await["state"], "queued");
    assert!(launcher.poll().await.unwrap());
    assert_eq!(launcher.lock(), Some("Found? Please call.\n+49 30 1234"));
    assert_eq!(stage.command("R5CT-LOCK", "lock").await["state"], "acknowledged");
    launcher.fetch().await.unwrap();
    assert!(launcher.lock().is_some(), "it stays locked");
    admin.send(admin.request(reqwest::Method::DELETE, &format!("/devices/{id}/lock"))).await.expect(202);
    assert!(launcher.poll().await.unwrap());
    assert_eq!(launcher.lock(), None);
    assert!(admin.audited().await.contains(&"device.unlock".to_owned()));
}

async fn a_forgotten_passcode_is_replaced_once(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    let mut launcher = stage.enrolled("R5CT-RESET", Passcode::Strong).await;
    let id = stage.device("R5CT-RESET").await["id"].as_str().unwrap().to_owned();
    let sealed = stage.app.app.seal_passcode("482913").unwrap();
    let command = enlist::domain::command::Command::ResetPasscode { sealed_passcode: sealed };
    let actor = enlist::domain::audit::Actor { kind: enlist::domain::audit::ActorKind::CommandLine, name: "the tests".into() };
    stage.app.app.order(actor, id.parse().unwrap(), enlist::service::command::Order::Command(command)).await.unwrap();
    // The answer is lost once; the passcode is sent again, and then no more.
    launcher.fetch_and_lose().await.unwrap();
    assert_eq!(stage.command("R5CT-RESET", "reset_passcode").await["state"], "sent");
    launcher.fetch().await.unwrap();
    assert_eq!(launcher.passcode(), Some("482913"));
    assert_eq!(stage.command("R5CT-RESET", "reset_passcode").await["state"], "acknowledged");
    launcher.fetch().await.unwrap();
    assert_eq!(launcher.passcode_resets(), 1);
    assert!(!admin.get(&format!("/devices/{id}/commands?limit=200")).await.text().contains("482913"));
}

async fn a_selective_wipe_takes_back_what_was_put_there(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    let settings = json!({ "work_apps": ["com.example.mail"], "restrictions": ["no_safe_boot"] });
    admin.patch("/android/launcher/settings", &settings).await.expect(200);
    let mut launcher = stage.enrolled("R5CT-WIPE", Passcode::Strong).await;
    launcher.install("com.example.mail");
    launcher.install("com.example.game");
    assert_eq!(launcher.configuration()["restrictions"], "no_safe_boot");
    let device = stage.device("R5CT-WIPE").await;
    admin.wipe(&device, "selective").await.expect(202);
    let cut = stage.device("R5CT-WIPE").await;
    assert_eq!((cut["enrollment"].as_str(), cut["access"].as_str()), (Some("wipe_pending"), Some("block")), "access is cut at once");
    // A report that was under way, and an answer that was lost, end nothing.
    launcher.send_info().await.unwrap();
    launcher.fetch_and_lose().await.unwrap();
    launcher.send_info().await.unwrap();
    assert_eq!(stage.device("R5CT-WIPE").await["enrollment"], "wipe_pending");
    stage.app.clock.advance_seconds(61);
    assert!(launcher.poll().await.unwrap(), "what was lost is announced again");
    assert!(!launcher.has("com.example.mail") && launcher.has("com.example.game"));
    assert_eq!((&launcher.configuration()["passwordMode"], &launcher.configuration()["restrictions"]), (&json!(null), &json!(null)));
    let gone = stage.device("R5CT-WIPE").await;
    assert_eq!(gone["enrollment"], "wiped", "{gone}");
    launcher.fetch().await.unwrap();
    assert_eq!(launcher.state(), LauncherState::Forgotten);
    assert!(!launcher.ask_for_reset().await.unwrap());
}

async fn a_full_wipe_needs_its_permission_and_is_over_then(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    let mut launcher = stage.enrolled("R5CT-ERASE", Passcode::Strong).await;
    assert!(!launcher.ask_for_reset().await.unwrap(), "nobody has ordered it");
    let device = stage.device("R5CT-ERASE").await;
    admin.wipe(&device, "full").await.expect(202);
    assert_eq!(stage.command("R5CT-ERASE", "erase_device").await["state"], "queued");
    assert!(launcher.poll().await.unwrap());
    assert_eq!(launcher.state(), LauncherState::Reset);
    let gone = stage.device("R5CT-ERASE").await;
    assert_eq!((gone["enrollment"].as_str(), gone["access"].as_str()), (Some("wiped"), Some("block")));
    assert_eq!(stage.command("R5CT-ERASE", "erase_device").await["state"], "acknowledged");
    // The permission may have been lost on the way: it is given again, and so is the order.
    assert!(launcher.ask_for_reset().await.unwrap());
    launcher.fetch().await.unwrap();
    assert_eq!(launcher.state(), LauncherState::Reset);
    let timeline = admin.timeline(gone["id"].as_str().unwrap()).await;
    assert_eq!(timeline.iter().filter(|kind| *kind == "wiped").count(), 1, "{timeline:?}");
}

async fn a_device_that_enrolls_again_is_the_same_device(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let mut first = stage.enrolled("R5CT-AGAIN", Passcode::Strong).await;
    let before = stage.device("R5CT-AGAIN").await;
    let second = stage.enrolled("R5CT-AGAIN", Passcode::Weak).await;
    let after = stage.device("R5CT-AGAIN").await;
    assert_eq!(before["id"], after["id"]);
    assert_eq!(after["compliance"], "noncompliant");
    assert_ne!(first.number(), second.number());
    first.fetch().await.unwrap();
    assert_eq!(first.state(), LauncherState::Forgotten, "the number of the time before is worth nothing");
    // Retired: the launcher hears of it, and that is the end.
    let admin = stage.app.admin();
    let mut second = second;
    admin.order(after["id"].as_str().unwrap(), "retire").await;
    assert_eq!(stage.device("R5CT-AGAIN").await["access"], "block");
    assert!(second.poll().await.unwrap());
    assert_eq!(stage.device("R5CT-AGAIN").await["enrollment"], "retired");
    assert_eq!(stage.command("R5CT-AGAIN", "remove_work_data").await["state"], "acknowledged");
    assert!(!second.poll().await.unwrap());
    assert_eq!(second.state(), LauncherState::Forgotten);
}

async fn an_order_reaches_a_waiting_device_at_once(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    let mut launcher = stage.enrolled("R5CT-WAIT", Passcode::Strong).await;
    let id = stage.device("R5CT-WAIT").await["id"].as_str().unwrap().to_owned();
    admin.patch("/android/launcher/settings", &json!({ "poll_seconds": 1 })).await.expect(200);
    assert!(!launcher.wait_for_news().await.unwrap(), "nothing came in time");
    admin.patch("/android/launcher/settings", &json!({ "poll_seconds": 240 })).await.expect(200);
    let began = std::time::Instant::now();
    let waiting = tokio::spawn(async move {
        let has_news = launcher.wait_for_news().await.unwrap();
        (launcher, has_news)
    });
    // Whether the order comes before or after the device waits must not matter.
    admin.order(&id, "refresh").await;
    let (mut launcher, has_news) = waiting.await.unwrap();
    assert!(has_news && began.elapsed() < std::time::Duration::from_secs(14), "{:?}", began.elapsed());
    launcher.fetch().await.unwrap();
    assert_eq!(stage.command("R5CT-WAIT", "report_posture").await["state"], "acknowledged");
    // A server that stops sends everybody home.
    let app = std::sync::Arc::clone(&stage.app.app);
    let waiting = tokio::spawn(async move { launcher.wait_for_news().await.unwrap() });
    app.send_agents_home();
    assert!(!waiting.await.unwrap());
}
