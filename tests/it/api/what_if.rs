//! What a policy would change, what it then changes, and how the change comes to the devices that it concerns.

use serde_json::{Value, json};

use crate::harness::{
    actors::{Admin, IPhone, id, passcode_policy},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    a_preview_says_what_then_happens_and_changes_nothing,
    a_preview_refuses_what_could_not_be_saved,
    a_change_for_one_group_is_brought_to_its_members_only,
    each_setting_of_a_device_names_the_policy_that_it_comes_from,
    an_administrator_sees_what_a_policy_changes_before_saving_it,
);

async fn compliant_phone(app: &TestApp, email: &str, number: usize) -> (String, IPhone, Value) {
    let admin = app.admin();
    let user = admin.create_user(email).await;
    let mut phone = IPhone::enroll(app, &user, "company", number).await;
    phone.obey_all().await;
    app.work().await;
    let device = phone.seen_by(&admin).await;
    (user, phone, device)
}

async fn rollouts(admin: &Admin) -> Vec<Value> {
    admin.get("/rollouts").await.expect(200).as_array().unwrap().clone()
}

async fn a_preview_says_what_then_happens_and_changes_nothing(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let policy = admin.create_policy(&passcode_policy("all")).await;
    let (_, _phone, device) = compliant_phone(&app, "ada@example.com", 0).await;
    let (_, _other, _) = compliant_phone(&app, "grace@example.com", 1).await;
    let before = (admin.device(&id(&device)).await, admin.get("/policies").await.json(), admin.audited().await);

    let newer = json!({ "id": policy, "name": "all", "passcode": { "required": true, "min_length": 6 }, "min_os": { "ios": "99" } });
    let found = admin.post("/policies/preview", &newer).await.expect(200);
    assert_eq!((&found["devices_affected"], &found["newly_noncompliant"]), (&json!(2), &json!(2)), "{found}");
    assert_eq!(found["newly_blocked"], json!({ "users": 2, "devices": 2 }), "{found}");
    assert_eq!(found["changes"][0]["reasons"][0]["code"], "os_outdated", "{found}");
    let patient = json!({ "id": policy, "name": "all", "min_os": { "ios": "99" }, "grace_days": 3 });
    let found = admin.post("/policies/preview", &patient).await.expect(200);
    assert_eq!((&found["newly_in_grace"], &found["newly_blocked"]["devices"]), (&json!(2), &json!(0)), "{found}");
    assert!(found["changes"][0]["grace_until"].is_string(), "{found}");
    let after = (admin.device(&id(&device)).await, admin.get("/policies").await.json(), admin.audited().await);
    assert_eq!(before, after, "a preview changes nothing");
    assert!(app.jobs("rollout").is_empty());

    let mut saved = newer.clone();
    saved["id"].take();
    saved.as_object_mut().unwrap().remove("id");
    admin.put(&format!("/policies/{policy}"), &saved).await.expect(200);
    app.work().await;
    let shown = admin.device(&id(&device)).await;
    assert_eq!((&shown["compliance"], &shown["access"]), (&json!("noncompliant"), &json!("block")));
    let last = rollouts(&admin).await.remove(0);
    assert_eq!((&last["devices"], &last["done"], &last["changed"]), (&json!(2), &json!(2), &json!(2)), "{last}");
    assert!(last["finished_at"].is_string(), "{last}");
}

async fn a_preview_refuses_what_could_not_be_saved(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let refused = admin.post("/policies/preview", &json!({ "name": "x", "grace_days": 999 })).await.expect(400);
    assert_eq!(refused["field"], "grace_days");
    let nobody = "01890000-0000-7000-8000-000000000000";
    assert_eq!(admin.post("/policies/preview", &json!({ "name": "x", "groups": [nobody] })).await.expect(400)["field"], "groups");
    assert_eq!(admin.post("/policies/preview", &json!({ "id": nobody, "name": "x" })).await.status, 404);
}

async fn a_change_for_one_group_is_brought_to_its_members_only(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (ada, _phone, device) = compliant_phone(&app, "ada@example.com", 0).await;
    let (_, _other, other) = compliant_phone(&app, "grace@example.com", 1).await;
    let group = admin.create_group("Sales").await;
    admin.put(&format!("/groups/{group}/members/{ada}"), &json!({})).await.expect(204);
    let judged_before = admin.device(&id(&other)).await["evaluated_at"].clone();
    app.clock.advance_seconds(60);
    admin.create_policy(&json!({ "name": "sales", "groups": [group], "min_os": { "ios": "99" } })).await;
    app.work().await;
    assert_eq!(admin.device(&id(&device)).await["compliance"], "noncompliant");
    assert_eq!(admin.device(&id(&other)).await["evaluated_at"], judged_before, "nobody else was judged");
    assert_eq!(rollouts(&admin).await[0]["devices"], 1);

    // The group goes: its members are no longer held to the policy, and still nobody else is judged.
    assert_eq!(admin.delete(&format!("/groups/{group}")).await.status, 204);
    app.work().await;
    assert_eq!(admin.device(&id(&device)).await["compliance"], "compliant");
    assert_eq!(admin.device(&id(&other)).await["evaluated_at"], judged_before);
}

async fn each_setting_of_a_device_names_the_policy_that_it_comes_from(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_policy(&json!({ "name": "all", "passcode": { "required": true, "min_length": 6 } })).await;
    admin.create_policy(&json!({ "name": "board", "passcode": { "required": true, "min_length": 8 }, "max_silence_days": 7 })).await;
    let (_, _phone, device) = compliant_phone(&app, "ada@example.com", 0).await;
    let asked = admin.get(&format!("/devices/{}/policy", id(&device))).await.expect(200);
    let of = |setting: &str| {
        let found = asked.as_array().unwrap().iter().find(|origin| origin["setting"] == setting).cloned().unwrap_or_default();
        let names: Vec<String> =
            found["policies"].as_array().into_iter().flatten().map(|policy| policy["name"].as_str().unwrap().into()).collect();
        (found["value"].clone(), names)
    };
    assert_eq!(of("passcode.min_length"), (json!(8), vec!["board".to_owned()]));
    assert_eq!(of("passcode.required").1, ["all", "board"]);
    assert_eq!(of("max_silence_days"), (json!(7), vec!["board".to_owned()]));
    let clerk = Clerk::with_role(&app, enlist::domain::user::Role::Auditor).await;
    clerk.look(&format!("/console/devices/{}", id(&device))).await.says("Least number of characters: 8").says("from board");
}

async fn an_administrator_sees_what_a_policy_changes_before_saving_it(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (_, _phone, device) = compliant_phone(&app, "ada@example.com", 0).await;
    let clerk = Clerk::with_role(&app, enlist::domain::user::Role::Administrator).await;
    let form = clerk.look("/console/policies/new").await;
    let tried = clerk
        .submit(&form, "/console/policies/new", &[("name", "New systems"), ("min_os.ios", "99"), ("preview", "yes")])
        .await
        .expect(200)
        .says("Nothing was saved yet")
        .says("1 device of 1 person would lose access at once");
    assert!(tried.has_link(&format!("/console/devices/{}", id(&device))));
    assert_eq!(admin.get("/policies").await.json()["total"], 0);
    // What was typed is still there, so that it can be saved as it is.
    clerk.submit(&tried, "/console/policies/new", &[]).await.expect(200).says("The policy was created");
    app.work().await;
    assert_eq!(admin.device(&id(&device)).await["access"], "block");
}
