//! Webhooks as administrators handle them: the secret that is shown once, the address that not everybody sees.

use enlist::domain::user::Role;
use serde_json::{Value, json};

use super::{deliveries, hooked, shown, started, test_event};
use crate::harness::{
    actors::{id, text},
    database::Database,
    every_backend,
    receiver::Receiver,
};

every_backend!(a_secret_is_shown_once_and_can_be_renewed, webhooks_are_made_changed_and_removed);

async fn a_secret_is_shown_once_and_can_be_renewed(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, secret) = hooked(&admin, "one", &receiver).await;
    for role in [Role::Administrator, Role::Helpdesk, Role::Auditor] {
        let caller = app.caller(role);
        let list = caller.get("/webhooks").await.text();
        let one = caller.get(&format!("/webhooks/{webhook}")).await.text();
        assert!(!list.contains("whsec_") && !one.contains("whsec_"), "{list}");
        assert_eq!(one.contains("s3cret"), role == Role::Administrator, "{role}: an address may contain a secret");
    }
    let unchanged = admin.patch(&format!("/webhooks/{webhook}"), &json!({ "name": "first" })).await.expect(200);
    assert_eq!((&unchanged["secret"], &unchanged["name"]), (&Value::Null, &json!("first")));
    test_event(&admin, &webhook).await;
    app.work().await;
    let renewed = admin.patch(&format!("/webhooks/{webhook}"), &json!({ "renew_secret": true })).await.expect(200);
    let renewed = text(&renewed, "secret");
    test_event(&admin, &webhook).await;
    app.work().await;
    let calls = receiver.calls();
    assert!(calls[0].is_signed_with(&secret) && calls[1].is_signed_with(&renewed) && !calls[1].is_signed_with(&secret));
    assert_eq!(calls[0].kind(), "test");
}

async fn webhooks_are_made_changed_and_removed(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    for (body, field) in [
        (json!({ "name": "", "url": receiver.url(), "events": ["wipe.sent"] }), "name"),
        (json!({ "name": "a\nb", "url": receiver.url(), "events": ["wipe.sent"] }), "name"),
        (json!({ "name": "x", "url": receiver.url(), "events": [] }), "events"),
        (json!({ "name": "x", "url": receiver.url(), "events": ["test"] }), "events"),
        (json!({ "name": "x", "url": "nowhere", "events": ["wipe.sent"] }), "url"),
    ] {
        assert_eq!(admin.post("/webhooks", &body).await.expect(400)["field"], field);
    }
    assert_eq!(admin.post("/webhooks", &json!({ "name": "x", "url": receiver.url(), "events": ["wipe.lost"] })).await.status, 400);
    let ((first, _), (second, _)) = (hooked(&admin, "first", &receiver).await, hooked(&admin, "second", &receiver).await);
    let taken = admin.post("/webhooks", &json!({ "name": "first", "url": receiver.url(), "events": ["wipe.sent"] })).await.expect(409);
    assert!(text(&taken, "detail").contains("with this name"), "{taken}");
    assert_eq!(admin.patch(&format!("/webhooks/{second}"), &json!({ "name": "first" })).await.status, 409);
    let page = admin.get("/webhooks?limit=1").await.expect(200);
    assert_eq!((&page["total"], &page["items"][0]["id"]), (&json!(2), &json!(first)));
    let page = admin.get(&format!("/webhooks?limit=1&cursor={}", text(&page, "next_cursor"))).await.expect(200);
    assert_eq!((&page["items"][0]["id"], &page["next_cursor"]), (&json!(second), &Value::Null));
    let off = admin.patch(&format!("/webhooks/{second}"), &json!({ "enabled": false, "events": ["wipe.sent"] })).await.expect(200);
    assert_eq!((&off["state"], &off["events"], &off["enabled"]), (&json!("disabled"), &json!(["wipe.sent"]), &json!(false)));
    assert_eq!(admin.post(&format!("/webhooks/{second}/test"), &json!({})).await.status, 409);
    // What is still on its way when a webhook is removed goes nowhere.
    let delivery = test_event(&admin, &first).await;
    assert_eq!(id(&deliveries(&admin, &first).await[0]), delivery);
    assert_eq!(shown(&admin, &first).await["waiting"], 1);
    admin.delete(&format!("/webhooks/{first}")).await.expect(204);
    app.work().await;
    assert!(receiver.calls().is_empty());
    for path in [format!("/webhooks/{first}"), format!("/webhooks/{first}/deliveries")] {
        assert_eq!(admin.get(&path).await.status, 404);
    }
    assert_eq!(admin.delete(&format!("/webhooks/{first}")).await.status, 404);
    let audited = admin.audited().await;
    let expected = ["webhook.create", "webhook.create", "webhook.change", "webhook.test", "webhook.delete"];
    assert_eq!(audited.iter().filter(|action| action.starts_with("webhook.")).collect::<Vec<_>>(), expected);
}
