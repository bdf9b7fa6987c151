//! Numbers and answers: which number is good when, what becomes of answers that are lost, and what a request must be signed with.

use enlist::simulator::{
    Passcode,
    android::launcher::{Launcher, LauncherState, sign},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::launcher_stage::Stage;
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(
    a_number_of_a_code_is_worth_nothing_once_its_successor_was_used,
    answers_that_are_lost_change_nothing,
    a_code_that_was_not_used_in_time_is_worth_nothing,
    what_is_not_signed_rightly_is_refused,
    a_code_is_given_once_and_only_where_there_is_a_launcher,
);

/// What an address answers.
async fn ask(stage: &Stage, method: Method, path: &str, signed: &str, body: Option<Value>) -> (StatusCode, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request =
        client.request(method, format!("{}/android/hw/rest{path}", stage.app.address())).header("X-Request-Signature", signed);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap_or_default())
}

async fn word_of(stage: &Stage, method: Method, number: &str) -> String {
    let path = format!("/public/sync/configuration/{number}");
    let (status, answer) = ask(stage, method, &path, &sign(number), Some(json!({}))).await;
    assert_eq!(status, 200, "launchers read errors from the answer");
    answer["message"].as_str().unwrap_or("OK").to_owned()
}

async fn a_number_of_a_code_is_worth_nothing_once_its_successor_was_used(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let mut launcher = stage.installed("R5CT-N", Passcode::Strong).await;
    let first = launcher.number().to_owned();
    assert_eq!(first.len(), 26, "128 bits in base32");
    launcher.enroll_and_lose().await.unwrap();
    let (_, answer) = ask(&stage, Method::GET, &format!("/public/sync/configuration/{first}"), &sign(&first), None).await;
    let second = answer["data"]["newNumber"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    // Whoever asks once more gets another one, and the one that nobody has used is worth nothing: two never know the same number.
    let (_, again) = ask(&stage, Method::GET, &format!("/public/sync/configuration/{first}"), &sign(&first), None).await;
    let third = again["data"]["newNumber"].as_str().unwrap().to_owned();
    assert!(third != second && third != first);
    assert_eq!(word_of(&stage, Method::GET, &second).await, "error.notfound.device");
    launcher.enroll().await.unwrap();
    let second = launcher.number().to_owned();
    assert!(![first.clone(), third].contains(&second));
    launcher.fetch().await.unwrap();
    assert!(launcher.configuration().get("newNumber").is_none(), "it is changed once");
    assert_eq!(word_of(&stage, Method::GET, &first).await, "error.notfound.device");
    assert_eq!(word_of(&stage, Method::POST, &first).await, "error.duplicate.device");
    assert_eq!(word_of(&stage, Method::POST, &second).await, "error.duplicate.device");
    for table in ["device_events", "audit", "jobs"] {
        assert!(!everything(&stage, table).contains(&second), "{table} tells a number");
    }
}

/// All rows of a table as one text.
fn everything(stage: &Stage, table: &str) -> String {
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        text: String,
    }
    let column = match table {
        "audit" => "detail",
        "jobs" => "payload",
        _ => "text",
    };
    let query = format!("SELECT {column} AS text FROM {table}");
    let rows: Vec<Row> = enlist::store::write_once::<_, enlist::store::Error>(&stage.app.database.url(), |tx| {
        Ok(match &mut **tx {
            enlist::store::Conn::Postgres(c) => sql_query(&query).load(c).unwrap(),
            enlist::store::Conn::Sqlite(c) => sql_query(&query).load(c).unwrap(),
        })
    })
    .unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

async fn answers_that_are_lost_change_nothing(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let mut launcher = stage.installed("R5CT-L", Passcode::Weak).await;
    for _ in 0..3 {
        launcher.enroll_and_lose().await.unwrap();
    }
    launcher.enroll().await.unwrap();
    launcher.send_info().await.unwrap();
    assert_eq!(stage.device("R5CT-L").await["enrollment"], "enrolled");
    // The policy is not believed to be there before the device has shown that it is.
    launcher.fetch_and_lose().await.unwrap();
    assert_eq!(stage.command("R5CT-L", "apply_policy").await["state"], "sent");
    assert_eq!(stage.verdict("R5CT-L").await.0, "unknown");
    launcher.fetch().await.unwrap();
    assert_eq!(stage.command("R5CT-L", "apply_policy").await["state"], "acknowledged");
    assert_eq!(stage.verdict("R5CT-L").await.1, ["passcode_too_weak"]);
}

async fn a_code_that_was_not_used_in_time_is_worth_nothing(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let code = stage.code().await;
    let mut late = Launcher::provision(&code.json, stage.options("R5CT-T", Passcode::Strong)).await.unwrap();
    stage.app.clock.advance_seconds(2 * 3600 + 1);
    late.enroll().await.unwrap();
    assert_eq!(late.state(), LauncherState::Forgotten);
    assert!(
        Launcher::provision(&code.json, stage.options("R5CT-T", Passcode::Strong)).await.is_err(),
        "nor is the launcher to be had with it"
    );
    assert_eq!(word_of(&stage, Method::POST, late.number()).await, "error.notfound.device");
}

async fn what_is_not_signed_rightly_is_refused(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let launcher = stage.enrolled("R5CT-S", Passcode::Strong).await;
    let number = launcher.number();
    let configuration = format!("/public/sync/configuration/{number}");
    let (status, answer) = ask(&stage, Method::GET, &configuration, &sign("another"), None).await;
    assert_eq!((status, answer["message"].as_str()), (StatusCode::OK, Some("error.permission.denied")));
    stage.app.admin().patch("/android/launcher/settings", &json!({ "poll_seconds": 1 })).await.expect(200);
    for (path, signed, expected) in [
        (format!("/notification/polling/{number}"), format!("android/hw/rest/notification/polling/{number}"), 200),
        (format!("/notification/polling/{number}"), format!("/android/hw/rest/notification/polling/{number}"), 200),
        (format!("/notification/polling/{number}"), "x".into(), 403),
        (format!("/notifications/device/{number}"), format!("android/hw/rest/notification/polling/{number}"), 200),
        (format!("/notifications/device/{number}"), format!("/android/hw/rest/notifications/device/{number}"), 200),
        (format!("/notifications/device/{number}"), number.into(), 403),
    ] {
        let (status, answer) = ask(&stage, Method::GET, &path, &sign(&signed).to_lowercase(), None).await;
        assert_eq!(status, expected, "{path} signed over {signed}: {answer}");
    }
    let nobody = "a".repeat(26);
    let signed = sign(&format!("android/hw/rest/notification/polling/{nobody}"));
    assert_eq!(ask(&stage, Method::GET, &format!("/notification/polling/{nobody}"), &signed, None).await.0, 404);
    // A launcher that was built with another secret.
    let own = json!({ "request_secret": "our own secret" });
    let settings = stage.app.admin().patch("/android/launcher/settings", &own).await.expect(200);
    assert_eq!(settings["has_own_secret"], true);
    assert!(!settings.to_string().contains("our own secret"));
    let (_, answer) = ask(&stage, Method::GET, &configuration, &sign(number), None).await;
    assert_eq!(answer["message"], "error.permission.denied");
}

async fn a_code_is_given_once_and_only_where_there_is_a_launcher(database: Database) {
    use enlist::service::Error;
    let app = TestApp::start(database).await;
    let user = app.admin().create_user("ada@example.com").await;
    let stage = Stage { app, user };
    assert!(!stage.app.app.has_launcher().await.unwrap());
    assert!(matches!(stage.app.app.provision_launcher(stage.visit()).await, Err(Error::Conflict(_))));
    super::launcher_stage::upload(&stage.app, &super::launcher_stage::apk("com.hmdm.launcher", 10)).await.expect(200);
    assert!(stage.app.app.has_launcher().await.unwrap());
    let visit = stage.visit();
    let code = stage.app.app.provision_launcher(visit).await.unwrap();
    assert!(!code.has_wifi && code.expires_at == stage.app.clock_now().plus_seconds(7200));
    assert!(matches!(stage.app.app.provision_launcher(visit).await, Err(Error::Conflict(_))));
    stage.app.work().await;
}
