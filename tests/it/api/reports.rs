//! The compliance report: its filters, its totals, and the views that are saved and mailed.

use std::collections::BTreeMap;

use enlist::domain::user::Role;
use serde_json::{Value, json};

use crate::harness::{
    actors::{Admin, IPhone, id},
    app::TestApp,
    clerk::{Clerk, hire},
    database::Database,
    every_backend,
};

every_backend!(
    every_filter_finds_what_it_says_and_the_totals_agree_with_the_rows,
    a_filter_that_cannot_be_read_is_named,
    a_saved_report_is_mailed_when_it_is_due_and_once,
    a_saved_report_goes_to_people_with_a_role_only,
    an_administrator_saves_the_view_that_is_on_the_screen,
);

/// Three phones: Ada's breaks a policy for her group, Bob's is in order and silent for eight days, Cid's is in order.
async fn fleet(app: &TestApp) -> (String, String, [String; 3]) {
    let admin = app.admin();
    let group = admin.create_group("Board").await;
    let mut devices = Vec::new();
    let mut phones = Vec::new();
    for (number, name) in ["ada", "bob", "cid"].into_iter().enumerate() {
        let user = admin.create_user(&format!("{name}@example.com")).await;
        if name == "ada" {
            admin.put(&format!("/groups/{group}/members/{user}"), &json!({})).await.expect(204);
        }
        let ownership = if name == "cid" { "personal" } else { "company" };
        let mut phone = IPhone::enroll(app, &user, ownership, number).await;
        phone.obey_all().await;
        devices.push(id(&phone.seen_by(&admin).await));
        phones.push(phone);
    }
    let policy = admin.create_policy(&json!({ "name": "Board", "groups": [group], "min_os": { "ios": "99" } })).await;
    app.work().await;
    app.clock.advance_days(8);
    for (number, phone) in phones.iter_mut().enumerate() {
        if number != 1 {
            phone.ask().await;
        }
    }
    app.work().await;
    (group, policy, devices.try_into().unwrap())
}

async fn report(admin: &Admin, query: &str) -> Value {
    admin.get(&format!("/reports/compliance?limit=200{query}")).await.expect(200)
}

fn ids(report: &Value) -> Vec<String> {
    report["items"].as_array().unwrap().iter().map(id).collect()
}

/// The totals of a report, counted anew from its rows.
fn recount(report: &Value) -> (i64, BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let (mut by_os, mut by_status) = (BTreeMap::new(), BTreeMap::new());
    let items = report["items"].as_array().unwrap();
    for item in items {
        let word = |key: &str| item[key].as_str().unwrap().to_owned();
        *by_os.entry(word("platform")).or_default() += 1;
        *by_status.entry(word("compliance")).or_default() += 1;
        *by_status.entry(word("enrollment")).or_default() += 1;
    }
    (i64::try_from(items.len()).unwrap(), by_os, by_status)
}

fn totals(report: &Value) -> (i64, BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let map = |key: &str| {
        let all = report["totals"][key].as_object().unwrap().iter().map(|(word, count)| (word.clone(), count.as_i64().unwrap()));
        all.filter(|(_, count)| *count > 0).collect()
    };
    (report["totals"]["devices"].as_i64().unwrap(), map("by_os"), map("by_status"))
}

async fn every_filter_finds_what_it_says_and_the_totals_agree_with_the_rows(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (group, policy, [ada, bob, cid]) = fleet(&app).await;
    let all = [ada.clone(), bob.clone(), cid.clone()];
    let cases: Vec<(String, Vec<&String>)> = vec![
        (String::new(), all.iter().collect()),
        ("&os=ios".into(), all.iter().collect()),
        ("&os=android".into(), vec![]),
        ("&status=noncompliant".into(), vec![&ada]),
        ("&status=enrolled".into(), all.iter().collect()),
        ("&ownership=personal".into(), vec![&cid]),
        (format!("&group={group}"), vec![&ada]),
        (format!("&policy={policy}"), vec![&ada]),
        ("&reason=os_outdated".into(), vec![&ada]),
        ("&reason=silent".into(), vec![]),
        ("&unseen_days=7".into(), vec![&bob]),
        ("&unseen_days=9".into(), vec![]),
        (format!("&group={group}&unseen_days=1"), vec![]),
        ("&os=ios&status=compliant&ownership=company".into(), vec![&bob]),
    ];
    for (query, expected) in cases {
        let found = report(&admin, &query).await;
        assert_eq!(ids(&found), expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
        assert_eq!(totals(&found), recount(&found), "{query}");
        assert_eq!(found["total"], found["totals"]["devices"], "{query}");
        let csv = admin.get(&format!("/reports/compliance?format=csv{query}")).await.text();
        assert_eq!(csv.lines().count(), 1 + ids(&found).len(), "{query}: {csv}");
    }
    // A policy for everyone reaches everyone.
    let everyone = admin.create_policy(&json!({ "name": "All" })).await;
    app.work().await;
    assert_eq!(ids(&report(&admin, &format!("&policy={everyone}")).await), all);
    // What is mended is found no more.
    admin.delete(&format!("/policies/{policy}")).await.expect(204);
    app.work().await;
    assert!(ids(&report(&admin, "&reason=os_outdated").await).is_empty());
}

async fn a_filter_that_cannot_be_read_is_named(db: Database) {
    let app = TestApp::start(db).await;
    for (field, value) in [("os", "beos"), ("status", "fine"), ("group", "x"), ("policy", "1"), ("reason", "mood"), ("unseen_days", "0")] {
        let refused = app.admin().get(&format!("/reports/compliance?{field}={value}")).await.expect(400);
        assert_eq!(refused["field"], field, "{refused}");
    }
}

async fn mailed(app: &TestApp) -> Vec<Value> {
    let mails = app.admin().get("/mails?limit=200").await.expect(200);
    mails["items"].as_array().unwrap().iter().filter(|mail| mail["template"] == "report").cloned().collect()
}

async fn a_saved_report_is_mailed_when_it_is_due_and_once(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    fleet(&app).await;
    hire(&app, "chief@example.com", Role::Auditor).await;
    let body = json!({ "name": "Broken", "filter": { "status": "noncompliant" }, "every": "day", "recipients": ["chief@example.com"] });
    let saved = admin.post("/reports/saved", &body).await.expect(201);
    assert!(saved["next_at"].as_str().unwrap().ends_with("T06:00:00.000Z"), "{saved}");
    app.sweep().await;
    assert!(mailed(&app).await.is_empty(), "it is not due yet");
    app.clock.advance_days(1);
    app.sweep().await;
    app.sweep().await;
    let mails = mailed(&app).await;
    assert_eq!(mails.len(), 1, "once");
    assert_eq!(mails[0]["recipient"], "chief@example.com");
    assert!(mails[0]["subject"].as_str().unwrap().starts_with("Broken: 1 device(s)"), "{}", mails[0]);
    app.clock.advance_days(1);
    app.sweep().await;
    assert_eq!(mailed(&app).await.len(), 2);
    assert_eq!(admin.delete(&format!("/reports/saved/{}", id(&saved))).await.status, 204);
    app.clock.advance_days(1);
    app.sweep().await;
    assert_eq!(mailed(&app).await.len(), 2, "it was forgotten");
    assert!(admin.audited().await.contains(&"report.save".to_owned()));
}

async fn a_saved_report_goes_to_people_with_a_role_only(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user("ada@example.com").await;
    for recipients in [json!([]), json!(["ada@example.com"]), json!(["nobody@example.com"]), json!(["nonsense"])] {
        let body = json!({ "name": "x", "every": "week", "recipients": recipients });
        assert_eq!(admin.post("/reports/saved", &body).await.expect(400)["field"], "recipients", "{recipients}");
    }
    assert_eq!(admin.post("/reports/saved", &json!({ "name": "kept" })).await.expect(201)["next_at"], Value::Null);
    assert_eq!(admin.post("/reports/saved", &json!({ "name": "kept" })).await.status, 409);
    assert_eq!(admin.post("/reports/saved", &json!({ "name": "y", "filter": { "reason": "mood" } })).await.status, 400);
}

async fn an_administrator_saves_the_view_that_is_on_the_screen(db: Database) {
    let app = TestApp::start(db).await;
    fleet(&app).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.look("/console/report?status=noncompliant&reason=os_outdated").await.says("1 device(s)");
    assert!(page.has_link("/console/report/saved?status=noncompliant&reason=os_outdated"));
    let form = clerk.look("/console/report/saved?status=noncompliant&reason=os_outdated").await.says("No view was saved yet");
    let saved = clerk.submit(&form, "/console/report/saved", &[("name", "Old systems"), ("every", "week")]).await.expect(200);
    let saved = saved.says("The view was saved").says("Every Monday morning").says("administrator@example.com");
    assert!(saved.has_link("/console/report?status=noncompliant&reason=os_outdated"));
    clerk.submit(&saved, "/console/report/forget", &[]).await.expect(200).says("The view was forgotten");
}
