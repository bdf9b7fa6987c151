//! Settings, and the limit on wipes that one of them is.

use enlist::domain::user::Role;
use serde_json::json;

use crate::harness::{
    actors::{IPhone, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(settings_are_checked_kept_and_written_down, nobody_wipes_more_than_the_limit_allows);

async fn settings_are_checked_kept_and_written_down(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let before = admin.get("/settings").await.expect(200);
    for (field, value) in [
        ("organization", json!("")),
        ("organization", json!("x".repeat(61))),
        ("organization", json!("a\nb")),
        ("mail_sender", json!("nobody")),
        ("mail_sender", json!("")),
        ("certificate_days", json!(29)),
        ("certificate_days", json!(826)),
        ("refresh_hours", json!(0)),
        ("refresh_hours", json!(169)),
        ("android_personal", json!(["headwind"])),
        ("android_personal", json!(["agent", "agent"])),
        ("android_company", json!(["apple"])),
    ] {
        let refused = admin.patch("/settings", &json!({ field: value })).await.expect(400);
        assert_eq!(refused["field"], field, "{value}");
    }
    // One wrong value keeps the others out, too.
    assert_eq!(admin.patch("/settings", &json!({ "wipe_limit": 3, "refresh_hours": 0 })).await.status, 400);
    assert_eq!(admin.get("/settings").await.expect(200), before);
    let lines = admin.audited().await.len();
    let change = json!({ "organization": "Example", "certificate_days": 30, "refresh_hours": 168, "wipe_limit": 3,
        "android_personal": [], "android_company": ["headwind", "certificate"] });
    let mut expected = before;
    for (field, value) in change.as_object().unwrap() {
        expected[field] = value.clone();
    }
    assert_eq!(admin.patch("/settings", &change).await.expect(200), expected);
    assert_eq!(admin.get("/settings").await.expect(200), expected);
    let line = admin.get("/audit?action=settings.change&limit=1").await.expect(200);
    assert_eq!(line["items"][0]["actor_name"], "administrator");
    let detail: serde_json::Value = serde_json::from_str(&text(&line["items"][0], "detail")).unwrap();
    assert_eq!((&detail["before"]["refresh_hours"], &detail["after"]["refresh_hours"]), (&json!(6), &json!(168)));
    assert_eq!(admin.audited().await.len(), lines + 1);
    app.work().await;
}

async fn nobody_wipes_more_than_the_limit_allows(db: Database) {
    let app = TestApp::start(db).await;
    let (admin, helpdesk) = (app.admin(), app.caller(Role::Helpdesk));
    admin.patch("/settings", &json!({ "wipe_limit": 1 })).await.expect(200);
    let user = admin.create_user("ada@example.com").await;
    let mut devices = Vec::new();
    for number in 0..3 {
        devices.push(IPhone::enroll(&app, &user, "company", number).await.seen_by(&admin).await);
    }
    admin.wipe(&devices[0], "full").await.expect(202);
    let refused = admin.wipe(&devices[1], "full").await;
    assert!(text(&refused.expect(429), "detail").contains("wipe_limit"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(admin.device_of(&text(&devices[1], "serial")).await["enrollment"], "enrolled");
    helpdesk.wipe(&devices[2], "selective").await.expect(202);
    app.clock.advance_seconds(20 * 60 + 1);
    admin.wipe(&devices[1], "full").await.expect(202);
    assert_eq!(admin.audited().await.iter().filter(|action| *action == "device.wipe").count(), 3);
}
