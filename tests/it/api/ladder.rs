//! What happens to a device that breaks its policy, day by day: mails, the loss of access, and the question to an administrator.

use serde_json::{Value, json};

use crate::harness::{
    actors::{IPhone, id},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    a_person_is_warned_reminded_and_told_when_access_is_lost_once_for_each_reason,
    letting_a_silent_device_go_is_proposed_and_decided_by_an_administrator,
    a_device_that_obeys_again_withdraws_the_proposal,
);

const DAY: i64 = 86_400;

async fn enrolled(app: &TestApp, policy: &Value) -> (IPhone, String) {
    let admin = app.admin();
    admin.create_policy(policy).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(app, &user, "company", 0).await;
    phone.obey_all().await;
    app.work().await;
    let device = id(&phone.seen_by(&admin).await);
    (phone, device)
}

/// The subjects of the mails about compliance, oldest first.
async fn subjects(app: &TestApp) -> Vec<String> {
    let mails = app.admin().get("/mails?limit=200").await.expect(200);
    let of = |mail: &Value| (mail["template"] == "compliance").then(|| mail["subject"].as_str().unwrap().to_owned());
    let mut subjects: Vec<String> = mails["items"].as_array().unwrap().iter().filter_map(of).collect();
    subjects.reverse();
    subjects
}

async fn pass(app: &TestApp, days: i64) {
    app.clock.advance_seconds(days * DAY);
    app.sweep().await;
}

async fn a_person_is_warned_reminded_and_told_when_access_is_lost_once_for_each_reason(db: Database) {
    let app = TestApp::start(db).await;
    let policy = json!({ "name": "new systems", "min_os": { "ios": "99" }, "grace_days": 5 });
    let (_phone, device) = enrolled(&app, &policy).await;
    let told = async || subjects(&app).await.iter().map(|subject| subject.contains("has no access")).collect::<Vec<_>>();
    assert_eq!(told().await, [false], "at once");
    pass(&app, 1).await;
    assert_eq!(told().await, [false]);
    pass(&app, 1).await;
    assert_eq!(told().await, [false, false], "again after two days");
    pass(&app, 3).await;
    assert_eq!(app.admin().device(&device).await["access"], "block");
    assert_eq!(told().await, [false, false, true]);
    pass(&app, 10).await;
    assert_eq!(told().await, [false, false, true], "once for each reason");
    pass(&app, 20).await;
    assert_eq!(told().await, [false, false, true, true], "silence is another reason");
    assert!(app.admin().timeline(&device).await.contains(&"person_told".to_owned()));
}

async fn letting_a_silent_device_go_is_proposed_and_decided_by_an_administrator(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ladder = json!({ "notify_user": false, "retire_after_days": 10 });
    let (_phone, device) = enrolled(&app, &json!({ "name": "p", "min_os": { "ios": "99" }, "ladder": ladder })).await;
    pass(&app, 9).await;
    assert!(!admin.timeline(&device).await.contains(&"retirement_proposed".to_owned()));
    pass(&app, 1).await;
    assert!(admin.timeline(&device).await.contains(&"retirement_proposed".to_owned()));
    assert!(subjects(&app).await.is_empty());
    assert_eq!(admin.device(&device).await["enrollment"], "enrolled", "nothing happens by itself");
    let commands = admin.get(&format!("/devices/{device}/commands?limit=200")).await.expect(200);
    let waiting = commands["items"].as_array().unwrap().iter().find(|command| command["state"] == "awaiting_approval").cloned().unwrap();
    admin.post(&format!("/devices/{device}/commands/{}/approve", id(&waiting)), &json!({})).await.expect(202);
    let shown = admin.device(&device).await;
    assert_eq!((&shown["enrollment"], &shown["access"]), (&json!("retired"), &json!("block")));
}

async fn a_device_that_obeys_again_withdraws_the_proposal(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ladder = json!({ "retire_after_days": 1 });
    let (_phone, device) = enrolled(&app, &json!({ "name": "p", "min_os": { "ios": "99" }, "ladder": ladder })).await;
    pass(&app, 1).await;
    let policy = id(&admin.get("/policies").await.expect(200)["items"][0]);
    admin.put(&format!("/policies/{policy}"), &json!({ "name": "p" })).await.expect(200);
    app.work().await;
    assert_eq!(admin.device(&device).await["compliance"], "compliant");
    let commands = admin.get(&format!("/devices/{device}/commands?limit=200")).await.expect(200);
    let states: Vec<&str> = commands["items"].as_array().unwrap().iter().map(|command| command["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"cancelled") && !states.contains(&"awaiting_approval"), "{states:?}");
}
