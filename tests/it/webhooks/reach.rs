//! Whom nobody can make the server call: itself, its network, and the metadata service of its cloud.

use std::net::TcpListener;

use serde_json::json;

use super::{EVENTS, deliveries, shown, test_event};
use crate::harness::{
    actors::{id, text},
    app::{Setup, TestApp},
    database::Database,
    receiver::Receiver,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_refused_however_they_are_written() {
    let app = TestApp::start(Database::sqlite()).await;
    let admin = app.admin();
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[fd00:ec2::254]/",
        "https://[64:ff9b::7f00:1]/",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://user:password@hooks.example.com/",
    ] {
        let refused = admin.post("/webhooks", &json!({ "name": "x", "url": url, "events": EVENTS })).await.expect(400);
        assert_eq!(refused["field"], "url", "{url}");
    }
    let made = admin.post("/webhooks", &json!({ "name": "x", "url": "https://hooks.example.com/", "events": EVENTS })).await.expect(201);
    let changed = admin.patch(&format!("/webhooks/{}", id(&made)), &json!({ "url": "https://[::1]/" })).await.expect(400);
    assert_eq!(changed["field"], "url");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_a_private_address_is_refused_when_it_is_resolved() {
    let app = TestApp::start(Database::sqlite()).await;
    let admin = app.admin();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let made = admin.post("/webhooks", &json!({ "name": "me", "url": url, "events": EVENTS })).await.expect(201);
    let webhook = id(&made);
    test_event(&admin, &webhook).await;
    app.work().await;
    let target = shown(&admin, &webhook).await;
    assert!(text(&target, "last_error").contains("is a private address"), "{target}");
    assert!(listener.accept().is_err(), "nobody was even connected to");
    assert_eq!(deliveries(&admin, &webhook).await[0]["state"], "queued");
    admin.delete(&format!("/webhooks/{webhook}")).await.expect(204);
    app.work_after(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_was_allowed_is_the_only_one() {
    let webhooks = enlist::config::Webhooks { allow_private: "10.0.0.0/8".parse().unwrap(), roots: None };
    let app = TestApp::start_with(Database::sqlite(), Setup { webhooks, ..Setup::default() }).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    // Plain HTTP is for the allowed network, and the name leads to another one.
    let made = admin.post("/webhooks", &json!({ "name": "me", "url": receiver.url(), "events": EVENTS })).await.expect(201);
    let webhook = id(&made);
    test_event(&admin, &webhook).await;
    app.work().await;
    assert!(text(&shown(&admin, &webhook).await, "last_error").contains("is a private address"));
    assert!(receiver.calls().is_empty());
    let refused = admin.post("/webhooks", &json!({ "name": "public", "url": "http://1.1.1.1/", "events": EVENTS })).await.expect(400);
    assert!(text(&refused, "detail").contains("https://"), "{refused}");
    admin.delete(&format!("/webhooks/{webhook}")).await.expect(204);
    app.work_after(10).await;
}
