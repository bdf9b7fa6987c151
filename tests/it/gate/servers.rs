//! Two servers on one database: what is changed at one holds at the other within a second.

use enlist::simulator::Passcode;
use serde_json::json;

use super::{Held, becomes, policy_for, server, set_rules, trusting, verdict};
use crate::harness::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_at_one_server_holds_at_the_other_within_a_second() {
    let here = server(Database::postgres()).await;
    let there = here.start_beside(trusting()).await;
    let admin = here.admin();
    let group = admin.create_group("Sales").await;
    let policy = admin.create_policy(&policy_for(&group)).await;
    let mut held = Held::enroll(&here, "ada@example.com", 0).await;
    let member = format!("/groups/{group}/members/{}", held.user);
    assert_eq!(verdict(&there, &held.phone).await.0, 200);

    // A fact, which the device tells the one server.
    admin.put(&member, &json!({})).await.expect(204);
    becomes(&there, &held.phone, 403, "unknown_compliance").await;
    held.choose(&here, Passcode::Weak).await;
    becomes(&there, &held.phone, 403, "noncompliant").await;
    // The three ways back in.
    admin.delete(&member).await.expect(204);
    becomes(&there, &held.phone, 200, "").await;
    admin.put(&member, &json!({})).await.expect(204);
    becomes(&there, &held.phone, 403, "noncompliant").await;
    let mut changed = policy_for(&group);
    changed["groups"] = json!([]);
    admin.put(&format!("/policies/{policy}"), &changed).await.expect(200);
    becomes(&there, &held.phone, 200, "").await;
    changed = policy_for(&group);
    admin.put(&format!("/policies/{policy}"), &changed).await.expect(200);
    becomes(&there, &held.phone, 403, "noncompliant").await;
    changed["enforcement"] = json!("allow_and_report");
    admin.put(&format!("/policies/{policy}"), &changed).await.expect(200);
    becomes(&there, &held.phone, 200, "").await;
    admin.put(&format!("/policies/{policy}"), &policy_for(&group)).await.expect(200);
    becomes(&there, &held.phone, 403, "noncompliant").await;
    // The rules, an exception, the user, and the end.
    set_rules(&admin, &json!({ "excluded_groups": [group] })).await;
    becomes(&there, &held.phone, 200, "").await;
    set_rules(&admin, &json!({ "excluded_groups": [] })).await;
    becomes(&there, &held.phone, 403, "noncompliant").await;
    let until = here.clock_now().plus_days(1);
    let exception = format!("/devices/{}/exception", held.device);
    admin.put(&exception, &json!({ "decision": "allow", "until": until })).await.expect(200);
    becomes(&there, &held.phone, 200, "").await;
    admin.patch(&format!("/users/{}", held.user), &json!({ "state": "disabled" })).await.expect(200);
    becomes(&there, &held.phone, 403, "user_disabled").await;
    admin.patch(&format!("/users/{}", held.user), &json!({ "state": "active" })).await.expect(200);
    becomes(&there, &held.phone, 200, "").await;
    admin.order(&held.device, "retire").await;
    becomes(&there, &held.phone, 403, "device_gone").await;
    here.work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_a_transaction_that_ends_late_is_not_missed() {
    use diesel::{Connection, PgConnection, connection::SimpleConnection};
    let app = server(Database::postgres()).await;
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    assert_eq!(verdict(&app, &held.phone).await.0, 200);
    let mut late = PgConnection::establish(app.database.url_text()).unwrap();
    late.batch_execute("BEGIN; UPDATE users SET state = 'disabled' WHERE email = 'ada@example.com'").unwrap();
    // Others begin later, end earlier, and are read meanwhile.
    for number in 0..3 {
        app.database.tamper(&format!("UPDATE devices SET reasons = '[]', model = 'Model {number}'"));
        assert_eq!(app.admin().device(&held.device).await["model"], format!("Model {number}"));
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        assert_eq!(verdict(&app, &held.phone).await.0, 200);
    }
    late.batch_execute("COMMIT").unwrap();
    becomes(&app, &held.phone, 403, "user_disabled").await;
}
