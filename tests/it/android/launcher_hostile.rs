//! What no launcher would send: nothing of it changes anything, and nothing ends the server.

use enlist::simulator::{
    Passcode,
    android::launcher::{LauncherState, sign},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::launcher_stage::Stage;
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(
    messages_that_no_launcher_writes_are_refused,
    nobody_speaks_for_another_device,
    lines_of_other_times_say_nothing,
    the_word_of_a_launcher_that_does_not_own_its_device_counts_for_nothing,
);

async fn send(stage: &Stage, method: Method, path: &str, body: Vec<u8>) -> StatusCode {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, format!("{}/android/hw/rest{path}", stage.app.address()));
    request.header("content-type", "application/json").body(body).send().await.unwrap().status()
}

async fn messages_that_no_launcher_writes_are_refused(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let launcher = stage.enrolled("R5CT-H", Passcode::Strong).await;
    let before = stage.device("R5CT-H").await;
    let number = launcher.number();
    let long = "x".repeat(300_000);
    let infos = [
        String::new(),
        "{".into(),
        "null".into(),
        "[]".into(),
        format!("{{\"deviceId\":\"{number}\",\"model\":7}}"),
        format!("{{\"deviceId\":\"{number}\",\"mdmMode\":\"no\"}}"),
        format!("{{\"deviceId\":\"{number}\",\"serial\":\"a\\u0000b\"}}"),
        format!("{{\"deviceId\":\"{number}\",\"model\":\"{}\"}}", "x".repeat(500)),
        format!("{{\"deviceId\":\"{number}\",\"files\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("{{\"deviceId\":\"{number}\",\"a\":1,\"deviceId\":\"{number}\"}}"),
    ];
    for info in infos {
        assert_eq!(send(&stage, Method::POST, "/public/sync/info", info.clone().into_bytes()).await, 400, "{info:.100}");
    }
    assert_eq!(send(&stage, Method::POST, "/public/sync/info", long.into_bytes()).await, 413);
    let many = format!("[{}]", vec!["{\"timestamp\":1}"; 101].join(","));
    for lines in ["", "{}", "[1]", "[{\"timestamp\":\"now\"}]", "[{\"timestamp\":1e99}]", &many] {
        let path = format!("/plugins/devicelog/log/list/{number}");
        assert_eq!(send(&stage, Method::POST, &path, lines.as_bytes().to_vec()).await, 400, "{lines:.100}");
    }
    for odd in ["x", "dev-001", "%00", "..%2f..", &"a".repeat(26), &"a".repeat(5_000)] {
        for path in ["/plugins/devicelog/log/list/", "/plugins/devicereset/public/", "/plugins/devicereset/public/password/"] {
            let status = send(&stage, Method::POST, &format!("{path}{odd}"), b"[]".to_vec()).await;
            assert_eq!(status, 404, "{path}{odd:.40}");
        }
    }
    assert_eq!(send(&stage, Method::POST, &format!("/plugins/devicereset/public/reboot/{number}"), b"{}".to_vec()).await, 409);
    for method in [Method::PUT, Method::GET] {
        let path = format!("/plugins/deviceinfo/deviceinfo/public/{number}");
        assert_eq!(send(&stage, method, &path, b"{}".to_vec()).await, 404, "what is not offered is not there");
    }
    let after = stage.device("R5CT-H").await;
    for key in ["enrollment", "compliance", "model", "serial", "os_version", "access"] {
        assert_eq!(before[key], after[key], "{key}");
    }
}

async fn nobody_speaks_for_another_device(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let first = stage.enrolled("R5CT-ONE", Passcode::Strong).await;
    let mut thief = stage.installed("R5CT-THIEF", Passcode::Weak).await;
    thief.enroll().await.unwrap();
    // With the number of another one, and its own serial number.
    thief.set_number(first.number());
    let refused = thief.send_info().await.unwrap_err().to_string();
    assert!(refused.contains("error.duplicate.device"), "{refused}");
    assert_eq!(stage.device("R5CT-ONE").await["compliance"], "compliant");
    // A report before any configuration binds nothing.
    let fresh = stage.installed("R5CT-FRESH", Passcode::Strong).await;
    let mut early = stage.installed("R5CT-EARLY", Passcode::Strong).await;
    early.set_number(fresh.number());
    assert!(early.send_info().await.unwrap_err().to_string().contains("error.permission.denied"));
    assert_eq!(stage.app.admin().get("/devices?q=R5CT-EARLY").await.expect(200)["total"], 0);
    // A wipe of one permits nothing to the other.
    let mut second = stage.enrolled("R5CT-TWO", Passcode::Strong).await;
    let device = stage.device("R5CT-ONE").await;
    stage.app.admin().wipe(&device, "full").await.expect(202);
    assert!(!second.ask_for_reset().await.unwrap());
    second.fetch().await.unwrap();
    assert_eq!(second.state(), LauncherState::Managed);
    // A user who was disabled cannot begin.
    let mut late = stage.installed("R5CT-LATE", Passcode::Strong).await;
    stage.app.admin().patch(&format!("/users/{}", stage.user), &json!({ "state": "disabled" })).await.expect(200);
    assert!(late.enroll().await.unwrap_err().to_string().contains("error.permission.denied"));
    stage.app.work().await;
}

async fn lines_of_other_times_say_nothing(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let launcher = stage.enrolled("R5CT-LINES", Passcode::Weak).await;
    let verdict = ("noncompliant".to_owned(), vec!["passcode_too_weak".to_owned()]);
    assert_eq!(stage.verdict("R5CT-LINES").await, verdict);
    let now = stage.app.clock_now().millis();
    let line = |at: i64, package: &str, message: &str| -> Value {
        json!([{ "timestamp": at, "logLevel": 4, "packageId": package, "message": message }])
    };
    let good = "Active password quality sufficient: true";
    for lines in [
        line(now - 3_600_000, "com.hmdm.launcher", good),
        line(now + 3_600_000, "com.hmdm.launcher", good),
        line(i64::MAX, "com.hmdm.launcher", good),
        line(now, "com.example.other", good),
        line(now, "com.hmdm.launcher", "Everything is fine: true"),
    ] {
        launcher.send_lines(&lines).await.unwrap();
        assert_eq!(stage.verdict("R5CT-LINES").await, verdict, "{lines}");
    }
    // A newer line counts; an older one that comes after it does not.
    stage.app.clock.advance_seconds(10);
    launcher.send_lines(&line(now + 9_000, "com.hmdm.launcher", good)).await.unwrap();
    assert_eq!(stage.verdict("R5CT-LINES").await.0, "compliant");
    launcher.send_lines(&line(now + 1_000, "com.hmdm.launcher", "Active password quality sufficient: false")).await.unwrap();
    assert_eq!(stage.verdict("R5CT-LINES").await.0, "compliant");
}

async fn the_word_of_a_launcher_that_does_not_own_its_device_counts_for_nothing(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let mut options = stage.options("R5CT-ADMIN", Passcode::Strong);
    options.is_device_owner = false;
    let code = stage.code().await;
    let mut launcher = enlist::simulator::android::launcher::Launcher::provision(&code.json, options).await.unwrap();
    launcher.enroll().await.unwrap();
    assert!(launcher.poll().await.unwrap());
    assert_eq!(stage.verdict("R5CT-ADMIN").await, ("unknown".into(), vec!["passcode_not_reported".into()]));
    // The signature is no secret, and so it opens nothing by itself.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let id = uuid::Uuid::now_v7();
    let rest = format!("{id}/launcher.apk");
    let request = client.get(format!("{}/files/{rest}", stage.app.address())).header("X-Request-Signature", sign(&rest));
    assert_eq!(request.send().await.unwrap().status(), 404);
}
