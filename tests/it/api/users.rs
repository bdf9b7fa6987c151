//! Users: their addresses are theirs alone, and nobody can leave the server without an administrator.

use serde_json::{Value, json};

use crate::harness::{
    actors::{IPhone, id, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    an_address_belongs_to_one_user,
    the_last_administrator_stays,
    a_user_with_devices_under_management_stays,
    a_user_is_found_changed_and_disabled,
    revoking_enrollments_asks_first_and_cuts_off_at_once,
    revoking_enrollments_counts_every_device_against_the_limit,
);

async fn an_address_belongs_to_one_user(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user("ada@example.com").await;
    let other = admin.create_user("eve@example.com").await;
    let again = json!({ "email": " ADA@Example.com ", "name": "Ada" });
    assert!(text(&admin.post("/users", &again).await.expect(409), "detail").contains("address"));
    assert_eq!(admin.patch(&format!("/users/{other}"), &json!({ "email": "ADA@example.com" })).await.status, 409);
    let before = admin.audited().await.len();
    assert_eq!(admin.get("/users").await.expect(200)["total"], 2);
    assert_eq!(admin.audited().await.len(), before, "reading leaves no line");
}

async fn the_last_administrator_stays(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let boss = |email: &str| json!({ "email": email, "name": "Boss", "role": "administrator", "password": "correct horse battery" });
    let first = id(&admin.post("/users", &boss("first@example.com")).await.expect(201));
    let path = format!("/users/{first}");
    for change in [json!({ "role": null }), json!({ "role": "auditor" }), json!({ "state": "disabled" })] {
        assert_eq!(admin.patch(&path, &change).await.status, 409, "{change}");
    }
    assert_eq!(admin.delete(&path).await.status, 409);
    let second = id(&admin.post("/users", &boss("second@example.com")).await.expect(201));
    assert_eq!(admin.patch(&path, &json!({ "role": null })).await.expect(200)["role"], Value::Null);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.delete(&format!("/users/{second}")).await.status, 409);
    let weak = json!({ "email": "third@example.com", "name": "Third", "password": "short" });
    assert_eq!(admin.post("/users", &weak).await.expect(400)["field"], "password");
    let shown = admin.get(&format!("/users/{second}")).await;
    assert!(!shown.text().contains("password"), "a password is never shown, not even hashed");
}

async fn a_user_with_devices_under_management_stays(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let path = format!("/users/{user}");
    assert_eq!(admin.get(&path).await.expect(200)["devices"], 1);
    assert!(text(&admin.delete(&path).await.expect(409), "detail").starts_with("1 device"));
    let device = id(&phone.seen_by(&admin).await);
    admin.order(&device, "retire").await;
    phone.obey_all().await;
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    assert_eq!(admin.get("/devices").await.expect(200)["total"], 0);
    app.work().await;
}

async fn a_user_is_found_changed_and_disabled(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let body = json!({ "email": "ada@example.com", "name": "Ada", "groups": [group] });
    let user = admin.post("/users", &body).await.expect(201);
    assert_eq!(
        (&user["source"], &user["state"], &user["role"], &user["groups"]),
        (&json!("local"), &json!("active"), &Value::Null, &json!([group]))
    );
    let user = id(&user);
    admin.create_user("eve@example.com").await;
    for query in [format!("group={group}"), "q=ada@".into()] {
        let found = admin.get(&format!("/users?{query}")).await.expect(200);
        assert_eq!((found["total"].as_i64(), id(&found["items"][0])), (Some(1), user.clone()), "{query}");
    }
    let path = format!("/users/{user}");
    assert_eq!(admin.patch(&path, &json!({ "name": "Ada King" })).await.expect(200)["name"], "Ada King");
    assert_eq!(admin.patch(&path, &json!({ "name": " " })).await.expect(400)["field"], "name");
    assert_eq!(admin.patch(&path, &json!({ "state": "disabled" })).await.expect(200)["state"], "disabled");
    assert_eq!(admin.post(&format!("{path}/invitation"), &json!({})).await.status, 409);
    let nobody = json!({ "email": "x@example.com", "name": "X", "groups": [uuid::Uuid::now_v7()] });
    assert_eq!(admin.post("/users", &nobody).await.expect(400)["field"], "groups");
    assert_eq!(admin.get("/users?q=x@").await.expect(200)["total"], 0, "what was refused left nothing behind");
}

async fn revoking_enrollments_asks_first_and_cuts_off_at_once(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let mut unused = IPhone::with_profile(&app, &user, "company", 1).await;
    let path = format!("/users/{user}/revoke-enrollments");
    for body in [json!({}), json!({ "confirm": false })] {
        assert!(text(&admin.post(&path, &body).await.expect(409), "detail").starts_with("1 device"));
    }
    assert_eq!(phone.seen_by(&admin).await["access"], "allow");
    assert_eq!(admin.post(&path, &json!({ "confirm": true })).await.expect(200)["revoked"], 1);
    assert_eq!(phone.seen_by(&admin).await["access"], "block");
    assert!(unused.scep().await.is_err(), "a profile that was not used yet is worth nothing");
    assert_eq!(phone.obey_all().await, ["RemoveProfile"]);
}

async fn revoking_enrollments_counts_every_device_against_the_limit(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.patch("/settings", &json!({ "wipe_limit": 2 })).await.expect(200);
    let mut users = Vec::new();
    for (email, numbers) in [("ada@example.com", 0..2), ("bob@example.com", 2..3)] {
        let user = admin.create_user(email).await;
        for number in numbers {
            IPhone::enroll(&app, &user, "company", number).await.obey_all().await;
        }
        users.push(user);
    }
    let revoke = |user: &str| format!("/users/{user}/revoke-enrollments");
    admin.post(&revoke(&users[0]), &json!({ "confirm": true })).await.expect(200);
    admin.post(&revoke(&users[1]), &json!({ "confirm": true })).await.expect(429);
    assert_eq!(admin.get("/devices?status=retired").await.expect(200)["total"], 2);
    assert_eq!(admin.get("/devices?status=enrolled").await.expect(200)["total"], 1, "what is refused changes nothing");
}
