//! Who may call what: every call of the description, with no token and with each role.

use enlist::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{actors::Admin, app::TestApp, database::Database, every_backend};

every_backend!(every_call_needs_a_token_and_the_right_role, a_field_that_is_not_known_is_refused_by_name);

const ALL: &[Role] = &[Role::Administrator, Role::Helpdesk, Role::Auditor];
const HELP: &[Role] = &[Role::Administrator, Role::Helpdesk];
const AUDIT: &[Role] = &[Role::Administrator, Role::Auditor];
const ADMIN: &[Role] = &[Role::Administrator];

/// Method, path, body, and who may.
type Row = (&'static str, &'static str, Option<Value>, &'static [Role]);

#[allow(clippy::too_many_lines, reason = "it is a list")]
fn table() -> Vec<Row> {
    let some = |body: Value| Some(body);
    let wipe = |scope: &str| Some(json!({ "scope": scope, "reason": "lost", "confirm": "X" }));
    vec![
        ("get", "/destructive-hold", None, ALL),
        ("put", "/destructive-hold", some(json!({ "reason": "a drill" })), ALL),
        ("delete", "/destructive-hold", None, ADMIN),
        ("get", "/users", None, ALL),
        ("post", "/users", some(json!({ "email": "new@example.com", "name": "New" })), HELP),
        ("post", "/users/import", some(json!({ "users": [{ "email": "many@example.com", "name": "Many" }], "invite": true })), HELP),
        ("get", "/imports/{id}", None, ALL),
        ("get", "/users/{id}", None, ALL),
        ("patch", "/users/{id}", some(json!({ "name": "Other" })), HELP),
        ("patch", "/users/{id}", some(json!({ "role": "administrator" })), ADMIN),
        ("patch", "/users/{id}", some(json!({ "password": "correct horse battery" })), ADMIN),
        ("post", "/users", some(json!({ "email": "boss@example.com", "name": "Boss", "role": "auditor" })), ADMIN),
        ("delete", "/users/{id}", None, HELP),
        ("post", "/users/{id}/invitation", some(json!({ "ownership": "company" })), HELP),
        ("post", "/users/{id}/revoke-enrollments", some(json!({ "confirm": true })), HELP),
        ("post", "/users/{id}/enrollment-profile", some(json!({ "platform": "ios" })), HELP),
        ("get", "/groups", None, ALL),
        ("post", "/groups", some(json!({ "name": "Sales" })), HELP),
        ("get", "/groups/{id}", None, ALL),
        ("patch", "/groups/{id}", some(json!({ "name": "Sales" })), HELP),
        ("delete", "/groups/{id}", None, ADMIN),
        ("put", "/groups/{id}/members/{user}", None, ADMIN),
        ("delete", "/groups/{id}/members/{user}", None, ADMIN),
        ("get", "/policies", None, ALL),
        ("post", "/policies", some(json!({ "name": "All" })), ADMIN),
        ("get", "/policies/{id}", None, ALL),
        ("put", "/policies/{id}", some(json!({ "name": "All" })), ADMIN),
        ("delete", "/policies/{id}", None, ADMIN),
        ("post", "/policies/preview", some(json!({ "name": "All" })), ADMIN),
        ("get", "/rollouts", None, ALL),
        ("get", "/reports/saved", None, ALL),
        ("post", "/reports/saved", some(json!({ "name": "All" })), ADMIN),
        ("delete", "/reports/saved/{id}", None, ADMIN),
        ("get", "/devices/{id}/policy", None, ALL),
        ("get", "/access-rules", None, ALL),
        ("post", "/access-rules/preview", some(json!({ "unknown_compliance": "allow" })), ADMIN),
        ("put", "/access-rules", some(json!({ "unknown_compliance": "quarantine" })), ADMIN),
        ("get", "/access-rules/explain", None, ALL),
        ("get", "/devices/{id}/exception", None, ALL),
        ("put", "/devices/{id}/exception", some(json!({ "decision": "allow", "until": "2099-01-01T00:00:00Z" })), ADMIN),
        ("delete", "/devices/{id}/exception", None, ADMIN),
        ("get", "/devices", None, ALL),
        ("get", "/devices/{id}", None, ALL),
        ("get", "/devices/{id}/commands", None, ALL),
        ("post", "/devices/{id}/commands", some(json!({ "kind": "security_info" })), HELP),
        ("post", "/devices/{id}/commands", some(json!({ "kind": "remove_profile", "identifier": "x" })), ADMIN),
        ("get", "/devices/{id}/commands/{command}", None, ALL),
        ("post", "/devices/{id}/commands/{command}/approve", None, HELP),
        ("post", "/devices/{id}/commands/{command}/cancel", None, HELP),
        ("get", "/devices/{id}/timeline", None, ALL),
        ("get", "/devices/{id}/posture", None, ALL),
        ("post", "/devices/{id}/wipe", wipe("selective"), HELP),
        ("post", "/devices/{id}/wipe", wipe("full"), ADMIN),
        ("post", "/devices/{id}/lock", some(json!({ "message": "found?" })), HELP),
        ("delete", "/devices/{id}/lock", None, HELP),
        ("post", "/devices/{id}/clear-passcode", None, HELP),
        ("post", "/devices/{id}/refresh", None, HELP),
        ("post", "/devices/{id}/retire", None, HELP),
        ("get", "/devices/{id}/mail", None, ALL),
        ("post", "/devices/{id}/mail-password", None, HELP),
        ("get", "/mail-access", None, ADMIN),
        ("put", "/mail-access", some(json!({ "settings": { "name": "Work mail" } })), ADMIN),
        ("post", "/mail-access/keys", some(json!({ "confirm": true })), ADMIN),
        ("get", "/reports/compliance", None, ALL),
        ("get", "/links", None, ALL),
        ("post", "/links", some(json!({ "target": "https://example.com/" })), HELP),
        ("post", "/links/bulk", some(json!({ "links": [{ "target": "https://example.com/" }] })), HELP),
        ("post", "/links/files", None, HELP),
        ("get", "/links/{id}", None, ALL),
        ("post", "/links/{id}/withdraw", None, HELP),
        ("get", "/reports/links", None, AUDIT),
        ("get", "/settings", None, ALL),
        ("patch", "/settings", some(json!({ "refresh_hours": 6 })), ADMIN),
        ("get", "/android/launcher", None, ALL),
        ("put", "/android/launcher", None, ADMIN),
        ("get", "/android/launcher/settings", None, ALL),
        ("patch", "/android/launcher/settings", some(json!({ "poll_seconds": 50 })), ADMIN),
        ("get", "/push-certificate", None, ALL),
        ("put", "/push-certificate", some(json!({ "certificate": "" })), ADMIN),
        ("post", "/push-certificate/request", some(json!({ "email": "it@example.com" })), ADMIN),
        ("post", "/settings/test-mail", some(json!({ "recipient": "ada@example.com" })), ADMIN),
        ("get", "/mail-texts", None, ALL),
        ("get", "/mail-texts/{mail}/{language}", None, ALL),
        ("put", "/mail-texts/{mail}/{language}", some(json!({ "subject": "Code", "body": "{{code}}" })), ADMIN),
        ("post", "/mail-texts/{mail}/{language}/preview", some(json!({ "subject": "Code", "body": "{{code}}" })), ADMIN),
        ("delete", "/mail-texts/{mail}/{language}", None, ADMIN),
        ("post", "/announcements", some(json!({ "emails": ["ada@example.com"] })), HELP),
        ("get", "/mails", None, ALL),
        ("get", "/mails/{id}", None, ALL),
        ("post", "/mails/{id}/retry", None, HELP),
        ("post", "/mails/retry", None, HELP),
        ("get", "/jobs", None, ALL),
        ("post", "/jobs/{id}/retry", None, ADMIN),
        ("get", "/webhooks", None, ALL),
        ("post", "/webhooks", some(json!({ "name": "Hooks", "url": "https://hooks.example.com/", "events": ["wipe.ordered"] })), ADMIN),
        ("get", "/webhooks/{id}", None, ALL),
        ("patch", "/webhooks/{id}", some(json!({ "enabled": false })), ADMIN),
        ("delete", "/webhooks/{id}", None, ADMIN),
        ("post", "/webhooks/{id}/test", None, ADMIN),
        ("get", "/webhooks/{id}/deliveries", None, ALL),
        ("post", "/webhooks/{id}/deliveries/{delivery}/retry", None, ADMIN),
        ("get", "/audit", None, AUDIT),
        ("get", "/audit/verification", None, AUDIT),
    ]
}

/// The path with identifiers of nothing that is there.
fn filled(path: &str) -> String {
    let nobody = uuid::Uuid::now_v7().to_string();
    let path = path.replace("{mail}", "code").replace("{language}", "en");
    path.replace("{id}", &nobody).replace("{user}", &nobody).replace("{command}", &nobody).replace("{delivery}", &nobody)
}

async fn call(caller: &Admin, row: &Row) -> crate::harness::actors::Reply {
    let request = caller.request(row.0.to_uppercase().parse::<Method>().unwrap(), &filled(row.1));
    caller
        .send(match &row.2 {
            Some(body) => request.json(body),
            None => request,
        })
        .await
}

async fn every_call_needs_a_token_and_the_right_role(db: Database) {
    let app = TestApp::start(db).await;
    let rows = table();
    let document: Value = reqwest::get(format!("{}/api/openapi.json", app.address())).await.unwrap().json().await.unwrap();
    // Agents come with a certificate and have no role.
    for (path, calls) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| !path.starts_with("/android/")) {
        for method in calls.as_object().unwrap().keys() {
            let is_listed = rows.iter().any(|row| row.0 == method && format!("/api/v1{}", row.1) == *path);
            assert!(is_listed, "{method} {path} is missing in the table");
        }
    }
    let nobody = Admin::new(app.address().to_owned(), None);
    let forger = Admin::new(app.address().to_owned(), Some("enlist_forged".into()));
    for row in &rows {
        for caller in [&nobody, &forger] {
            let reply = call(caller, row).await;
            assert_eq!((reply.status, reply.header("content-type")), (401, "application/problem+json"), "{row:?}");
            assert!(reply.header("www-authenticate").starts_with("Bearer"), "{row:?}");
        }
        for role in ALL {
            let reply = call(&app.caller(*role), row).await;
            assert_eq!(reply.status != 403, row.3.contains(role), "{role}: {row:?}: {}", reply.status);
            assert!(reply.status != 401 && reply.status < 500, "{role}: {row:?}: {}", reply.status);
        }
    }
    app.work().await;
}

async fn a_field_that_is_not_known_is_refused_by_name(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for mut row in table() {
        if let Some(body) = &mut row.2 {
            body["surprise"] = json!(1);
            let reply = call(&admin, &row).await;
            let problem = reply.expect(400);
            assert!(problem["detail"].as_str().unwrap().contains("surprise"), "{row:?}: {problem}");
        }
    }
    for path in [
        "/access-rules/explain",
        "/users",
        "/groups",
        "/policies",
        "/devices",
        "/links",
        "/reports/links",
        "/reports/compliance",
        "/audit",
        "/mails",
        "/jobs",
        "/webhooks",
    ] {
        let problem = admin.get(&format!("{path}?surprise=1")).await.expect(400);
        assert!(problem["detail"].as_str().unwrap().contains("surprise"), "{path}: {problem}");
    }
}
