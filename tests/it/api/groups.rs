//! Groups: a change of membership moves policies at once.

use serde_json::json;

use crate::harness::{
    actors::{IPhone, id, passcode_policy},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(a_change_of_membership_moves_a_policy_at_once, groups_are_created_renamed_and_removed);

async fn a_change_of_membership_moves_a_policy_at_once(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let mut policy = passcode_policy("sales");
    policy["groups"] = json!([group]);
    admin.create_policy(&policy).await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    assert_eq!(admin.device(&device).await["compliance"], "compliant");

    let member = format!("/groups/{group}/members/{user}");
    let put = || async { admin.send(admin.request(reqwest::Method::PUT, &member)).await.status };
    assert_eq!(put().await, 204);
    assert_eq!(admin.device(&device).await["compliance"], "unknown", "no job has run: it holds at once");
    assert_eq!(phone.obey_all().await.first().map(String::as_str), Some("InstallProfile"));
    assert_eq!(admin.device(&device).await["compliance"], "compliant");
    let lines = admin.audited().await.len();
    assert_eq!(put().await, 204);
    assert_eq!(admin.audited().await.len(), lines, "what changes nothing is not written down");
    assert_eq!(admin.get(&format!("/groups/{group}")).await.expect(200)["members"], 1);

    assert_eq!(admin.delete(&member).await.status, 204);
    assert_eq!(phone.obey_all().await.first().map(String::as_str), Some("RemoveProfile"));
    assert_eq!(phone.device().profiles().len(), 1);
    assert_eq!(admin.device(&device).await["compliance"], "compliant");
}

async fn groups_are_created_renamed_and_removed(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (sales, other) = (admin.create_group("Sales").await, admin.create_group("Other").await);
    let path = format!("/groups/{sales}");
    assert_eq!(admin.post("/groups", &json!({ "name": "Sales" })).await.status, 409);
    assert_eq!(admin.patch(&format!("/groups/{other}"), &json!({ "name": "Sales" })).await.status, 409);
    assert_eq!(admin.patch(&path, &json!({ "name": "Sales North" })).await.expect(200)["name"], "Sales North");
    for name in ["", " ", "a\nb", &"x".repeat(101)] {
        assert_eq!(admin.post("/groups", &json!({ "name": name })).await.expect(400)["field"], "name");
    }
    let nobody = uuid::Uuid::now_v7();
    assert_eq!(admin.send(admin.request(reqwest::Method::PUT, &format!("{path}/members/{nobody}"))).await.status, 404);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    let audited = admin.audited().await;
    assert_eq!(audited.iter().filter(|action| action.starts_with("group.")).count(), 4, "{audited:?}");
    app.work().await;
}
