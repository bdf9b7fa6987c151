//! Webhooks: who is told of what, in which order, how often it is tried, and whom nobody can make the server call.

mod manage;
mod reach;
mod story;
mod trouble;

use enlist::config::Webhooks;
use serde_json::{Value, json};

use crate::harness::{
    actors::{Admin, id, text},
    app::{Setup, TestApp},
    database::Database,
    receiver::Receiver,
};

/// Every event but the test event.
pub const EVENTS: [&str; 6] =
    ["device.enrolled", "device.verdict_changed", "device.access_changed", "wipe.ordered", "wipe.sent", "wipe.acknowledged"];

/// A server whose webhooks may reach this machine.
pub async fn started(db: Database) -> TestApp {
    let webhooks = Webhooks { allow_private: "127.0.0.0/8, ::1".parse().unwrap(), roots: None };
    TestApp::start_with(db, Setup { webhooks, ..Setup::default() }).await
}

/// A webhook for every event to this receiver; gives its identifier and its secret.
pub async fn hooked(admin: &Admin, name: &str, receiver: &Receiver) -> (String, String) {
    let made = admin.post("/webhooks", &json!({ "name": name, "url": receiver.url(), "events": EVENTS })).await.expect(201);
    (id(&made), text(&made, "secret"))
}

/// A webhook as the API shows it.
pub async fn shown(admin: &Admin, webhook: &str) -> Value {
    admin.get(&format!("/webhooks/{webhook}")).await.expect(200)
}

/// Asks for a test event; gives the identifier of its delivery.
pub async fn test_event(admin: &Admin, webhook: &str) -> String {
    id(&admin.post(&format!("/webhooks/{webhook}/test"), &json!({})).await.expect(202))
}

/// The deliveries of a webhook, oldest first.
pub async fn deliveries(admin: &Admin, webhook: &str) -> Vec<Value> {
    let page = admin.get(&format!("/webhooks/{webhook}/deliveries?limit=200")).await.expect(200);
    page["items"].as_array().unwrap().iter().rev().cloned().collect()
}
