//! Orders that wait for approval: from the overview to the device, and decided there.

use enlist::domain::user::Role;
use serde_json::json;

use crate::harness::{
    actors::{IPhone, id},
    app::TestApp,
    clerk::{Clerk, PASSWORD},
    database::Database,
    every_backend,
};

every_backend!(a_proposed_retirement_is_found_from_the_overview_and_approved);

async fn a_proposed_retirement_is_found_from_the_overview_and_approved(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ladder = json!({ "notify_user": false, "retire_after_days": 1 });
    admin.create_policy(&json!({ "name": "p", "min_os": { "ios": "99" }, "ladder": ladder })).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    app.work().await;
    let device = id(&phone.seen_by(&admin).await);
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    assert!(!clerk.open("/console/").await.source.contains("Waiting for approval"));
    app.clock.advance_days(1);
    app.sweep().await;
    // The session of yesterday is over.
    clerk.sign_in("administrator@example.com", PASSWORD).await.expect(200);
    let shown = clerk.open("/console/").await.expect(200).says("1 order waiting for approval").says("of ada@example.com");
    let address = format!("/console/devices/{device}");
    assert!(shown.source.contains(&format!("href=\"{address}\"")), "{}", shown.source);
    let page = clerk.open(&address).await.expect(200);
    let commands = admin.get(&format!("/devices/{device}/commands?limit=200")).await.expect(200);
    let waiting = commands["items"].as_array().unwrap().iter().find(|command| command["state"] == "awaiting_approval").cloned().unwrap();
    clerk.submit(&page, &format!("{address}/commands/{}/approve", id(&waiting)), &[]).await.expect(200).says("The order was approved");
    assert_eq!(admin.device(&device).await["enrollment"], "retired");
    app.work().await;
}
