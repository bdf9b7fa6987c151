//! Access rules at the console: saved as the API shows them, explained on the device's page, with exceptions for single devices.

use enlist::domain::user::Role;
use serde_json::json;

use crate::harness::{
    actors::{IPhone, id},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(the_form_and_the_api_say_the_same, a_rule_that_is_not_usable_is_named_and_kept, a_device_shows_why_and_takes_an_exception);

const PATH: &str = "/console/access";

async fn the_form_and_the_api_say_the_same(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let board = admin.create_group("Board").await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let shown = clerk.open(PATH).await.expect(200).says("Devices that break their policy").says("A new rule");
    let mut form = shown.form(PATH);
    assert!(form.fill("unenrolled_devices", "block") && form.fill("gate_outage", "fail_open"));
    // The first of the two empty rows.
    for (name, value) in [("platform", "android"), ("os_version", "<13"), ("decision", "allow"), ("note", "too old")] {
        value.clone_into(&mut form.fields.iter_mut().find(|field| field.name == name).unwrap().value);
    }
    form.fields.iter_mut().filter(|field| field.kind == "checkbox").for_each(|field| field.checked = true);
    clerk.submit_form(&shown, &form, PATH, &[]).await.expect(200).says("The access rules were saved").says("Rule 1");
    let rules = admin.get("/access-rules").await.expect(200);
    assert_eq!(
        rules,
        json!({
            "unsupported_devices": "block",
            "unenrolled_devices": "block",
            "unknown_compliance": "quarantine",
            "noncompliant_devices": "block",
            "excluded_groups": [board],
            "rules": [{ "match": { "platform": "android", "os_version": "<13" }, "decision": "allow", "note": "too old" }],
            "gate_outage": "fail_open",
        })
    );
    // Looked at and saved again, nothing changes.
    let again = clerk.open(PATH).await.expect(200);
    clerk.submit(&again, PATH, &[]).await.expect(200);
    assert_eq!(admin.get("/access-rules").await.expect(200), rules);
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    let read = auditor.open(PATH).await.expect(200).says("Board").says("platform Android, system <13: let in (too old)");
    assert!(!read.has_form(PATH));
    app.work().await;
}

async fn a_rule_that_is_not_usable_is_named_and_kept(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let shown = clerk.open(PATH).await.expect(200);
    let mut form = shown.form(PATH);
    assert!(form.fill("os_version", "the newest"));
    let again = clerk.submit_form(&shown, &form, PATH, &[]).await.expect(400);
    let again = again.says("Nothing was saved. Rule 1: Must be a version such as 17 or 17.4");
    assert!(again.form(PATH).find(|field| field.name == "os_version" && field.value == "the newest").is_some());
    assert_eq!(app.admin().get("/access-rules").await.expect(200)["rules"], json!([]));
}

async fn a_device_shows_why_and_takes_an_exception(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = format!("/console/devices/{device}");
    let path = format!("{page}/exception");
    let shown =
        clerk.open(&page).await.expect(200).says("Was the user disabled? No.").says("Is there nothing against it? Yes: it may come in.");
    assert!(shown.has_link(&path));

    let form = clerk.open(&path).await.expect(200);
    let wrong = clerk.submit(&form, &path, &[("until", "2020-01-01")]).await.expect(400);
    wrong.says("This must be in the future");
    let fields = [("decision", "block"), ("note", "lost in a taxi")];
    let page = clerk.submit(&form, &path, &fields).await.expect(200).says("It was decided about this device").says("lost in a taxi");
    page.says("Did an administrator decide about this very device? Yes, administrator@example.com");
    assert_eq!(admin.device(&device).await["access"], "block");

    let form = clerk.open(&path).await.expect(200).says("lost in a taxi");
    clerk.submit(&form, &format!("{path}/end"), &[]).await.expect(200).says("The exception has ended");
    assert_eq!(admin.device(&device).await["access"], "allow");
    app.work().await;
}
