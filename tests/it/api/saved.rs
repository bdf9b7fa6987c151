//! Saved reports: to whom they are mailed.

use enlist::domain::user::Role;
use serde_json::{Value, json};

use crate::harness::{app::TestApp, clerk::hire, database::Database, every_backend};

every_backend!(somebody_who_is_disabled_gets_no_report);

async fn somebody_who_is_disabled_gets_no_report(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = hire(&app, "ada@example.com", Role::Auditor).await;
    hire(&app, "bob@example.com", Role::Auditor).await;
    let wanted = |name: &str| json!({ "name": name, "every": "day", "recipients": ["ada@example.com", "bob@example.com"] });
    admin.post("/reports/saved", &wanted("Before")).await.expect(201);
    admin.patch(&format!("/users/{ada}"), &json!({ "state": "disabled" })).await.expect(200);
    app.clock.advance_days(1);
    app.sweep().await;
    let mails = admin.get("/mails?limit=200").await.expect(200);
    let reports = mails["items"].as_array().unwrap().iter().filter(|mail| mail["template"] == "report");
    let recipients: Vec<&Value> = reports.map(|mail| &mail["recipient"]).collect();
    assert_eq!(recipients, [&json!("bob@example.com")]);
    assert_eq!(admin.post("/reports/saved", &wanted("After")).await.expect(400)["field"], "recipients");
    app.work().await;
}
