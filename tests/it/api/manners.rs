//! What holds for every call: errors, pages, limits.

use std::collections::BTreeSet;

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::harness::{
    actors::{IPhone, Reply, id, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(errors_are_problems_and_say_what_is_wrong, lists_page_by_cursor, the_filters_of_devices_find_what_they_say);

#[track_caller]
fn is_problem(reply: &Reply, status: u16) -> Value {
    let problem = reply.expect(status);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")));
    assert!(!text(&problem, "title").is_empty() && text(&problem, "detail").len() > 10, "{problem}");
    assert!(!reply.header("x-request-id").is_empty());
    problem
}

async fn errors_are_problems_and_say_what_is_wrong(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    is_problem(&admin.get("/nothing").await, 404);
    is_problem(&admin.get("/users/nonsense").await, 404);
    is_problem(&admin.get(&format!("/users/{}", uuid::Uuid::now_v7())).await, 404);
    is_problem(&admin.delete("/users").await, 405);
    is_problem(&admin.put("/devices", &json!({})).await, 405);
    let plain = admin.request(Method::POST, "/users").header(header::CONTENT_TYPE, "text/plain").body("{}");
    is_problem(&admin.send(plain).await, 415);
    let broken = admin.request(Method::POST, "/users").header(header::CONTENT_TYPE, "application/json").body("{");
    is_problem(&admin.send(broken).await, 400);
    let long = admin.request(Method::POST, "/users").header(header::CONTENT_TYPE, "application/json").body(vec![b' '; 300 * 1024]);
    is_problem(&admin.send(long).await, 413);
    let missing = is_problem(&admin.post("/users", &json!({ "name": "x" })).await, 400);
    assert!(text(&missing, "detail").contains("email"), "{missing}");
    let wrong = is_problem(&admin.post("/users", &json!({ "email": "nobody", "name": "x" })).await, 400);
    assert_eq!(wrong["field"], "email");
    let reply = admin.get("/users").await;
    assert!(reply.header("content-type").starts_with("application/json"));
}

async fn lists_page_by_cursor(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let mut created = BTreeSet::new();
    for number in 0..5 {
        created.insert(admin.create_user(&format!("ada{number}@example.com")).await);
        admin.create_group(&format!("group {number}")).await;
        admin.create_policy(&json!({ "name": format!("policy {number}") })).await;
    }
    app.work().await;
    let mut seen = BTreeSet::new();
    for path in ["/users", "/groups", "/policies"] {
        let (mut cursor, mut sizes) = (String::new(), Vec::new());
        loop {
            let page = admin.get(&format!("{path}?limit=2&cursor={cursor}")).await.expect(200);
            assert_eq!(page["total"], 5, "{path}");
            let items = page["items"].as_array().unwrap();
            sizes.push(items.len());
            seen.extend(items.iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(sizes, [2, 2, 1], "{path}");
    }
    assert_eq!(seen.len(), 15, "nothing comes twice and nothing is left out");
    assert!(created.is_subset(&seen));
    let whole = admin.get("/users?limit=5").await.expect(200);
    assert_eq!(whole["next_cursor"], Value::Null, "a page that is just full is the last");
    for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("cursor=nonsense", "cursor")] {
        for path in ["/users", "/groups", "/policies", "/devices", "/reports/compliance", "/audit"] {
            let problem = is_problem(&admin.get(&format!("{path}?{query}")).await, 400);
            assert_eq!(problem["field"], field, "{path}?{query}");
        }
    }
}

async fn the_filters_of_devices_find_what_they_say(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (ada, eve) = (admin.create_user("ada@example.com").await, admin.create_user("eve@example.com").await);
    // Number 0 is an iPhone, number 3 an iPad.
    IPhone::enroll(&app, &ada, "company", 0).await.obey_all().await;
    IPhone::enroll(&app, &eve, "personal", 3).await.obey_all().await;
    let count = async |query: &str| admin.get(&format!("/devices?{query}")).await.expect(200)["total"].as_i64().unwrap();
    for (query, expected) in [
        ("", 2),
        ("os=ios", 1),
        ("os=ipados", 1),
        ("os=browser", 0),
        ("status=enrolled", 2),
        ("status=compliant", 2),
        ("status=wiped", 0),
        ("q=eve", 1),
        ("q=EXAMPLE.com", 2),
        ("os=ios&q=eve", 0),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    assert_eq!(count(&format!("user={ada}")).await, 1);
    for query in ["os=nonsense", "status=nonsense", "user=nonsense"] {
        let problem = is_problem(&admin.get(&format!("/devices?{query}")).await, 400);
        assert!(query.starts_with(problem["field"].as_str().unwrap()), "{problem}");
    }
    assert_eq!(admin.get("/reports/compliance?format=xml").await.expect(400)["field"], "format");
}
