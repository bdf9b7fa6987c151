//! The whole story of a device, as a system hears it that is told of everything.

use std::collections::BTreeSet;

use enlist::{domain::time::Timestamp, simulator::passcode::Passcode};
use serde_json::{Value, json};

use super::{EVENTS, deliveries, hooked, started};
use crate::harness::{
    actors::{IPhone, passcode_policy, text},
    database::Database,
    every_backend,
    receiver::{Call, Receiver},
};

every_backend!(the_whole_story_is_told_once_in_order_and_signed, only_what_is_wanted_is_told, two_that_send_at_once_tell_each_event_once);

async fn the_whole_story_is_told_once_in_order_and_signed(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, secret) = hooked(&admin, "everything", &receiver).await;
    admin.create_policy(&passcode_policy("Company phones")).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.device_mut().set_passcode(Passcode::Strong);
    phone.obey_all().await;
    let device = phone.seen_by(&admin).await;
    assert_eq!(device["access"], "allow");
    app.work().await;
    let enrolled = receiver.kinds();
    assert_eq!(enrolled.iter().filter(|kind| *kind == "device.enrolled").count(), 1);
    receiver.forget();
    admin.wipe(&device, "full").await.expect(202);
    app.work().await;
    assert_eq!(receiver.kinds(), ["device.verdict_changed", "device.access_changed", "wipe.ordered"]);
    let ordered = &receiver.calls()[2].event()["data"];
    assert_eq!(
        (&ordered["scope"], &ordered["device"]["access"], &ordered["device"]["enrollment"]),
        (&json!("full"), &json!("block"), &json!("wipe_pending"))
    );
    // It is handed out twice, because the first answer was lost on the way.
    phone.ask().await.unwrap();
    assert_eq!(phone.obey_all().await, ["EraseDevice"]);
    app.work().await;
    assert_eq!(receiver.kinds(), ["device.verdict_changed", "device.access_changed", "wipe.ordered", "wipe.sent", "wipe.acknowledged"]);
    well_formed(&receiver.calls(), &secret, &device, app.app.now());
    let told = deliveries(&admin, &webhook).await;
    assert_eq!(told.len(), enrolled.len() + 5);
    assert!(told.iter().all(|delivery| delivery["state"] == "delivered" && delivery["attempts"] == 1 && delivery["last_status"] == 204));
    let log = admin.get("/audit?limit=200").await.text();
    assert!(!log.contains("s3cret") && !log.contains(&secret), "neither the secret nor the address is in the log");
}

fn well_formed(calls: &[Call], secret: &str, device: &Value, now: Timestamp) {
    let mut ids = BTreeSet::new();
    for call in calls {
        let event = call.event();
        assert!(call.is_signed_with(secret), "{call:?}");
        assert!(!call.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
        assert_eq!(event["id"], json!(call.id));
        assert!(ids.insert(call.id.clone()), "each is told once");
        assert!((now.seconds() - call.timestamp).abs() < 300, "{call:?}");
        assert!(now.since(Timestamp::parse(&text(&event, "at")).unwrap()).as_secs() < 300);
        assert_eq!((&event["data"]["device"]["id"], &event["data"]["device"]["serial"]), (&device["id"], &device["serial"]));
        assert_eq!(event["data"]["user"]["email"], "ada@example.com");
    }
    assert_eq!((&calls[1].event()["data"]["before"], &calls[1].event()["data"]["after"]), (&json!("allow"), &json!("block")));
    let (ordered, sent) = (calls[2].event(), calls[3].event());
    assert_eq!(ordered["data"]["command"], sent["data"]["command"]);
}

async fn only_what_is_wanted_is_told(db: Database) {
    let app = started(db).await;
    let (admin, receiver, nothing) = (app.admin(), Receiver::start(), Receiver::start());
    let wish = json!({ "name": "wipes", "url": receiver.url(), "events": ["wipe.ordered", "device.enrolled", "wipe.ordered"] });
    let made = admin.post("/webhooks", &wish).await.expect(201);
    assert_eq!(made["events"], json!(["device.enrolled", "wipe.ordered"]));
    let (off, _) = hooked(&admin, "off", &nothing).await;
    admin.patch(&format!("/webhooks/{off}"), &json!({ "enabled": false })).await.expect(200);
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "personal", 1).await;
    phone.obey_all().await;
    admin.wipe(&phone.seen_by(&admin).await, "selective").await.expect(202);
    phone.obey_all().await;
    app.work().await;
    assert_eq!(receiver.kinds(), ["device.enrolled", "wipe.ordered"]);
    assert!(nothing.calls().is_empty() && deliveries(&admin, &off).await.is_empty());
    assert!(EVENTS.len() > 2);
}

async fn two_that_send_at_once_tell_each_event_once(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, _) = hooked(&admin, "everything", &receiver).await;
    let mut expected = Vec::new();
    for _ in 0..12 {
        expected.push(super::test_event(&admin, &webhook).await);
    }
    let work = || {
        let app = std::sync::Arc::clone(&app.app);
        tokio::spawn(async move { while enlist::jobs::work_once(&app).await.unwrap() {} })
    };
    let (one, other) = (work(), work());
    one.await.unwrap();
    other.await.unwrap();
    // Whoever came while another one sent comes again a moment later.
    app.work_after(0).await;
    let told: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    assert_eq!(told, expected, "each once, in their order");
}
