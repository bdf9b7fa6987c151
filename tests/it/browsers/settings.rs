//! The settings of browser enrollment, in the API and in the console (A1 to A5, A7, A8, A15, B5 to B7, B9).

use enlist::domain::user::Role;
use serde_json::json;

use super::{ADA, CHROME, enroll, surfer, visit};
use crate::harness::{actors::text, app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(
    enrollment_is_on_for_everybody_until_somebody_switches_it_off,
    the_duration_is_a_whole_number_from_1_to_365,
    a_risky_change_has_to_be_confirmed_and_says_why,
    the_console_warns_and_saves_only_what_was_confirmed,
    it_is_one_setting_for_all_and_by_group_only_where_groups_are_named,
    the_codes_come_from_the_address_that_was_set,
);

// A1, B5
async fn enrollment_is_on_for_everybody_until_somebody_switches_it_off(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let settings = admin.get("/settings").await.expect(200);
    assert_eq!((&settings["browser_enrollment_enabled"], &settings["browser_enrollment_days"]), (&json!(true), &json!(365)));
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let off = json!({ "browser_enrollment_enabled": false, "confirm_risk": true });
    admin.patch("/settings", &off).await.expect(200);
    let page = ada.look(ada.at("/browser").unwrap()).await.unwrap();
    assert!(page.text.contains("does not enroll browsers at the moment") && !page.is_marked("browser-enrolled"), "{}", page.text);
    let clerk = Clerk::stranger(&app);
    clerk.open("/browser").await;
    let sent = clerk.request(reqwest::Method::POST, "/browser").header("sec-fetch-site", "same-origin").form(&[("email", ADA)]);
    clerk.send(sent).await.expect(409).says("Browsers are not enrolled here");
    // The enrollments were not thrown away.
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": true })).await.expect(200);
    assert!(ada.is_known().await.unwrap());
    app.work().await;
}

// A2
async fn the_duration_is_a_whole_number_from_1_to_365(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for wrong in [json!(0), json!(366), json!(-1), json!(30.5), json!("30"), json!(""), json!(null), json!(true), json!(65_566), json!([])]
    {
        let refused = admin.patch("/settings", &json!({ "browser_enrollment_days": wrong })).await.expect(400);
        assert_eq!(refused["field"], "browser_enrollment_days", "{wrong}: {refused}");
        assert!(text(&refused, "detail").contains("a whole number from 1 to 365"), "{refused}");
    }
    for right in [1, 365, 30] {
        let saved = admin.patch("/settings", &json!({ "browser_enrollment_days": right })).await.expect(200);
        assert_eq!(saved["browser_enrollment_days"], right);
    }
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    for wrong in ["0", "366", "", "many", "1.5", "-3"] {
        let page = clerk.open("/console/browsers").await;
        let refused = clerk.submit(&page, "/console/browsers", &[("days", wrong)]).await.expect(400);
        refused.says("The number of days must be a whole number from 1 to 365").form("/console/browsers");
    }
    assert_eq!(admin.get("/settings").await.expect(200)["browser_enrollment_days"], 30);
    app.work().await;
}

// A4, A5
async fn a_risky_change_has_to_be_confirmed_and_says_why(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (first, second) = ("nobody who follows a protected link", "whether a link looks safe needs browser enrollment");
    let refused = |change: serde_json::Value| {
        let admin = &admin;
        async move { text(&admin.patch("/settings", &change).await.expect(409), "detail") }
    };
    let off = refused(json!({ "browser_enrollment_enabled": false })).await;
    assert!(off.contains(first) && !off.contains(second) && off.contains("confirm_risk"), "{off}");
    admin.patch("/settings", &json!({ "browser_enrollment_awareness": true })).await.expect(200);
    let both = refused(json!({ "browser_enrollment_enabled": false })).await;
    assert!(both.contains(first) && both.contains(second), "{both}");
    assert_eq!(admin.get("/settings").await.expect(200)["browser_enrollment_enabled"], true);
    // The other order: it is off already when the awareness question is switched on.
    admin.patch("/settings", &json!({ "browser_enrollment_awareness": false })).await.expect(200);
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": false, "confirm_risk": true })).await.expect(200);
    let aware = refused(json!({ "browser_enrollment_awareness": true })).await;
    assert!(!aware.contains(first) && aware.contains(second), "{aware}");
    // What is as it was is no risk that would have to be confirmed again.
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": false, "refresh_hours": 7 })).await.expect(200);
    let line = admin.get("/audit?action=settings.change&limit=200").await.expect(200);
    let confirmed = line["items"].as_array().unwrap().iter().any(|line| text(line, "detail").contains(first));
    assert!(confirmed, "which risk was confirmed is written down");
    app.work().await;
}

// A1, A4, A5, B7
async fn the_console_warns_and_saves_only_what_was_confirmed(db: Database) {
    let app = TestApp::start(db).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let is_on = || async { app.admin().get("/settings").await.expect(200)["browser_enrollment_enabled"] == true };
    let page = clerk.open("/console/browsers").await;
    let mut form = page.form("/console/browsers");
    form.fields.retain(|field| field.name != "enabled");
    for field in form.fields.iter_mut().filter(|field| field.name == "awareness") {
        field.checked = true;
    }
    let warned = clerk.submit_form(&page, &form, "/console/browsers", &[]).await.expect(409);
    let warned = warned.says("Without browser enrollment nobody").says("The question whether a link looks safe needs browser enrollment");
    assert!(is_on().await, "looking at a warning changes nothing");
    let saved = clerk.submit(&warned, "/console/browsers", &[("confirm_risk", "yes")]).await.expect(200);
    saved.says("The settings were saved").form("/console/browsers");
    assert!(!is_on().await);
    app.work().await;
}

// A15, B6
async fn it_is_one_setting_for_all_and_by_group_only_where_groups_are_named(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let scoped = json!({ "browser_enrollment_enabled": true, "scope": "sales" });
    assert!(text(&admin.patch("/settings", &scoped).await.expect(400), "detail").contains("scope"));
    let user = admin.create_user(ADA).await;
    let group = admin.create_group("Sales").await;
    let nowhere = json!({ "browser_enrollment_groups": [uuid::Uuid::now_v7().to_string()] });
    assert_eq!(admin.patch("/settings", &nowhere).await.expect(400)["field"], "browser_enrollment_groups");
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    admin.patch("/settings", &json!({ "browser_enrollment_groups": [group] })).await.expect(200);
    assert!(!ada.is_known().await.unwrap(), "who is in none of the groups is not known any more");
    let asked = visit(&app, &ada, "/browser").await;
    assert!(asked.page.text.contains("Browsers are not enrolled for your account"), "{}", asked.page.text);
    admin.send(admin.request(reqwest::Method::PUT, &format!("/groups/{group}/members/{user}"))).await;
    assert!(ada.is_known().await.unwrap());
    app.work().await;
}

// A7, A8, B9
async fn the_codes_come_from_the_address_that_was_set(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/settings").await.says("Nobody has set the sender's address").form("/console/settings");
    for wrong in ["", "<>", "postmaster", "a b@example.com"] {
        assert_eq!(admin.patch("/settings", &json!({ "mail_sender": wrong })).await.expect(400)["field"], "mail_sender", "{wrong}");
    }
    admin.patch("/settings", &json!({ "mail_sender": "postmaster@example.com" })).await.expect(200);
    clerk.open("/console/settings").await.keeps_quiet_about("Nobody has set the sender's address").form("/console/settings");
    enroll(&app, &surfer(&app, CHROME, ADA)).await;
    let mail =
        std::fs::read_dir(app.outbox()).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).next().unwrap();
    assert!(mail.contains("postmaster@example.com") && !mail.contains("<>"), "{mail}");
}
