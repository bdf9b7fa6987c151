//! Policies at the console: explained, created, changed, brought to devices, deleted.

use enlist::domain::user::Role;
use serde_json::{Value, json};

use super::people::value;
use crate::harness::{
    actors::{IPhone, text},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    a_policy_from_the_form_is_the_one_that_the_api_shows,
    everything_that_is_wrong_is_said_at_once_and_what_was_typed_stays,
    a_change_reaches_the_devices_and_says_how_many,
);

/// What the form asks for below, in the words of the API.
fn expected(id: &Value, group: &str) -> Value {
    json!({
        "id": id,
        "name": "Everything",
        "everyone": false,
        "groups": [group],
        "passcode": {
            "required": true,
            "min_length": 8,
            "require_alphanumeric": true,
            "min_complex_characters": 1,
            "allow_simple": false,
            "max_failed_attempts": 10,
            "max_inactivity_minutes": 0,
            "max_age_days": 365,
            "history": 5,
        },
        "require_encryption": true,
        "block_compromised": true,
        "min_os": { "ios": "17.4", "ipados": null, "android": "13" },
        "require_managed_mail": true,
        "max_silence_days": 14,
        "grace_days": 3,
        "enforcement": "allow_and_report",
        "ladder": { "notify_user": true, "remind_every_days": 5, "retire_after_days": 60 },
    })
}

async fn a_policy_from_the_form_is_the_one_that_the_api_shows(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/policies").await.expect(200).says("nothing is asked of any device");
    let path = "/console/policies/new";
    let new = clerk.open(path).await.expect(200).says("erases everything on it").says("Empty: the person chooses freely");
    let mut form = new.form(path);
    for (name, value) in [
        ("name", "Everything"),
        ("reach", "groups"),
        ("passcode.min_length", "8"),
        ("passcode.min_complex_characters", "1"),
        ("passcode.max_failed_attempts", "10"),
        ("passcode.max_inactivity_minutes", "0"),
        ("passcode.max_age_days", "365"),
        ("passcode.history", "5"),
        ("min_os.ios", "17.4"),
        ("min_os.android", "13"),
        ("max_silence_days", "14"),
        ("grace_days", "3"),
        ("enforcement", "allow_and_report"),
        ("ladder.remind_every_days", "5"),
        ("ladder.retire_after_days", "60"),
    ] {
        assert!(form.fill(name, value), "no field {name}");
    }
    for field in form.fields.iter_mut().filter(|field| field.kind == "checkbox") {
        field.checked = field.name != "passcode.allow_simple";
    }
    let page = clerk.submit_form(&new, &form, path, &[]).await.expect(200).says("The policy was created").says("It reaches 0 devices");
    let all = admin.get("/policies").await.expect(200);
    assert_eq!(all["items"][0], expected(&all["items"][0]["id"], &group));
    // Looked at and saved again, nothing changes.
    let path = page.page.url.path().to_owned();
    let again = clerk.open(&path).await.expect(200);
    clerk.submit(&again, &path, &[]).await.expect(200).says("The policy was saved");
    assert_eq!(admin.get("/policies").await.expect(200), all);
    let list = clerk.open("/console/policies").await.expect(200).says("Sales").says("a passcode of at least 8 characters");
    list.says("erases itself after 10 wrong tries").says("Reported only; silent for at most 14 days").says("iOS 17.4 or later");
    app.work().await;
}

async fn everything_that_is_wrong_is_said_at_once_and_what_was_typed_stays(database: Database) {
    let app = TestApp::start(database).await;
    app.admin().create_policy(&json!({ "name": "Taken" })).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let path = "/console/policies/new";
    let new = clerk.open(path).await.expect(200);
    let fields = [("name", "Mine"), ("passcode.min_length", "17"), ("max_silence_days", "soon"), ("min_os.ios", "seventeen")];
    let again = clerk.submit(&new, path, &fields).await.expect(400).says("Nothing was saved");
    let again = again.says("a whole number from 0 to 16").says("a whole number from 1 to 120").says("a version such as 17.4");
    for (name, typed) in fields {
        assert_eq!(value(&again, path, name), typed);
    }
    let mend = [("name", "Taken"), ("passcode.min_length", ""), ("max_silence_days", ""), ("min_os.ios", "")];
    let taken = clerk.submit(&again, path, &mend).await.expect(400).says("This name is taken");
    clerk.submit(&taken, path, &[("name", "")]).await.expect(400).says("must be 1 to 100 characters");
    assert_eq!(app.admin().get("/policies").await.expect(200)["total"], 1);
    let helper = Clerk::with_role(&app, Role::Helpdesk).await;
    helper.look(path).await.expect(403);
    app.work().await;
}

async fn a_change_reaches_the_devices_and_says_how_many(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 1).await;
    phone.obey_all().await;
    app.work().await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let new = clerk.open("/console/policies/new").await;
    let fields = [("name", "New enough"), ("min_os.ios", "99")];
    let page = clerk.submit(&new, "/console/policies/new", &fields).await.expect(200).says("It reaches 1 device").says("0 of 1");
    let path = page.page.url.path().to_owned();
    app.work().await;
    clerk.open(&path).await.expect(200).says("It reaches 1 device").keeps_quiet_about("being brought");
    let device = text(&phone.seen_by(&admin).await, "id");
    assert_eq!(admin.device(&device).await["compliance"], "noncompliant");
    let ask = clerk.open(&format!("{path}/delete")).await.expect(200).says("It reaches 1 device").says("iOS 99 or later");
    clerk.submit(&ask, &format!("{path}/delete"), &[]).await.expect(200).says("The policy was deleted");
    app.work().await;
    assert_ne!(admin.device(&device).await["compliance"], "noncompliant");
}
