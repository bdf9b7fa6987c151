//! Agents that mean harm: whatever they send is refused with a reason, and nothing changes.

use enlist::simulator::{android::Mode, passcode::Passcode, transport::Answer};
use serde_json::{Value, json};

use crate::harness::{
    actors::{Admin, id, text},
    android::{Android, answer, behaviour, start, ticket},
    database::Database,
    every_backend,
};

every_backend!(
    documents_that_are_none_are_refused_and_change_nothing,
    an_activation_that_is_none_uses_nothing_up,
    commands_of_another_device_are_out_of_reach,
);

const ADA: &str = "ada@example.com";

/// Nested so deeply that a careless reader would run out of stack.
fn deep() -> String {
    format!("{{\"mode\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000))
}

async fn facts(admin: &Admin, device: &str) -> (Value, Value) {
    let posture = admin.get(&format!("/devices/{device}/posture")).await.expect(200);
    (posture, admin.get(&format!("/devices/{device}/timeline")).await.expect(200))
}

fn is_refused(answer: &Answer) -> bool {
    (400..500).contains(&answer.status) && answer.content_type == "application/problem+json"
}

async fn documents_that_are_none_are_refused_and_change_nothing(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut phone = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let command = admin.order(&device, "lock").await;
    let before = facts(&admin, &device).await;
    let changed = |key: &str, value: Value| {
        let mut posture = phone.posture();
        posture[key] = value;
        posture.to_string()
    };
    let documents = [
        String::new(),
        "{".into(),
        "[]".into(),
        "null".into(),
        deep(),
        changed("model", json!("x".repeat(129))),
        changed("os_version", json!(14)),
        changed("passcode_present", json!("true")),
        changed("mode", json!("god")),
        changed("mode", Value::Null),
        changed("device_id", json!(device)),
        changed("rooted_signals", json!({})),
        changed("security_patch_level", json!("yesterday")),
        "\u{0}".into(),
    ];
    for document in documents {
        for path in ["posture".to_owned(), format!("commands/{command}/answer"), "certificate/renew".to_owned()] {
            let answer = phone.post_raw(&path, "application/json", document.clone().into_bytes()).await.unwrap();
            assert!(is_refused(&answer), "{path}: {} to {}", answer.status, document.chars().take(60).collect::<String>());
        }
    }
    // It is refused before it is read, and the connection may be gone before the answer has arrived.
    if let Ok(answer) = phone.post_raw("posture", "application/json", changed("model", json!("x".repeat(70_000))).into_bytes()).await {
        assert_eq!(answer.status, 413);
    }
    let text = phone.post_raw("posture", "text/plain", phone.posture().to_string().into_bytes()).await.unwrap();
    assert_eq!(text.status, 415);
    for path in ["commands?wait=61", "commands?wait=-1", "commands?wait=soon", "commands?hurry=1", "commands/x/answer", "nothing"] {
        assert!(is_refused(&phone.get(path).await.unwrap()), "{path}");
    }
    assert_eq!(facts(&admin, &device).await, before);
    assert_eq!(admin.command_state(&device, &command).await["state"], json!("queued"));
}

async fn an_activation_that_is_none_uses_nothing_up(db: Database) {
    let app = start(db).await;
    let user = app.admin().create_user(ADA).await;
    let ticket = ticket(&app, &user, "personal").await;
    let phone = Android::new(0, behaviour(Passcode::Strong, Mode::ProfileOwner));
    let good = phone.activation(&ticket.token).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |body: String| {
        let request = client.post(ticket.activate.clone()).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let changed = |path: &str, value: Value| {
        let mut activation = good.clone();
        *activation.pointer_mut(path).unwrap() = value;
        activation.to_string()
    };
    let short = text(&good, "csr").chars().take(100).collect::<String>();
    for body in [
        "{}".to_owned(),
        deep(),
        changed("/csr", json!("")),
        changed("/csr", json!(short)),
        changed("/csr", json!("A".repeat(40_000))),
        changed("/csr", json!(["x"])),
        changed("/device/identifier", json!("short")),
        changed("/device/identifier", json!("00008110-0011:2233")),
        changed("/device/identifier", json!("x".repeat(101))),
        changed("/device/model", json!("")),
        changed("/device/android_version", json!("newest")),
        changed("/mode", json!("root")),
    ] {
        let (status, answer) = send(body.clone()).await;
        assert_eq!(status, 400, "{answer} to {}", body.chars().take(80).collect::<String>());
    }
    let total = app.admin().get("/devices").await.expect(200)["total"].clone();
    assert_eq!(total, 0);
    assert_eq!(send(good.to_string()).await.0, 200, "the token is still good");
}

async fn commands_of_another_device_are_out_of_reach(db: Database) {
    let app = start(db).await;
    let admin = app.admin();
    let (ada, bob) = (admin.create_user(ADA).await, admin.create_user("bob@example.com").await);
    let mut victim = Android::enroll(&app, &ada, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    victim.obey_all().await;
    // It even calls itself the same, which makes it no other user's device.
    let mut thief = Android::enroll(&app, &bob, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    thief.obey_all().await;
    let devices = admin.get("/devices").await.expect(200);
    assert_eq!(devices["total"], 2);
    let device = devices["items"].as_array().unwrap().iter().find(|device| device["user"]["email"] == ADA).map(id).unwrap();
    let command = admin.order(&device, "lock").await;
    let handed_out = victim.get("commands").await.unwrap();
    assert_eq!(thief.get("commands").await.unwrap().status, 204, "it is not told of it");
    for status in ["acknowledged", "failed", "not_now"] {
        let refused = thief.post(&format!("commands/{command}/answer"), &answer(status)).await.unwrap();
        assert_eq!((refused.status, refused.content_type.as_str()), (404, "application/problem+json"));
    }
    assert_eq!(admin.command_state(&device, &command).await["state"], json!("sent"));
    let stolen = thief.obey(&handed_out.body).await.unwrap_err().to_string();
    assert!(stolen.contains("another device"), "an honest agent refuses it as well: {stolen}");
    assert_eq!(victim.obey_all().await, ["lock acknowledged"]);
}
