//! Many users at once: by a list at the console, by the API, and everybody who has no device; also when the server dies meanwhile.

use std::time::{Duration, Instant};

use enlist::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::value;
use crate::harness::{
    actors::{IPhone, text},
    app::TestApp,
    clerk::{Clerk, Shown},
    database::Database,
    every_backend,
    process::Installation,
};

every_backend!(
    a_list_is_shown_first_and_imported_when_confirmed,
    a_file_is_read_and_what_cannot_be_read_says_why,
    an_upload_must_come_from_ones_own_page,
    the_helpdesk_may_not_name_groups,
    everybody_without_a_device_is_invited,
    programs_import_and_watch_as_well,
    an_import_goes_on_where_a_killed_server_left_it,
);

const PATH: &str = "/console/users/import";

/// Sends a form with a file, as browsers do.
async fn upload(clerk: &Clerk, csrf: &str, file: &[u8], fields: &[(&str, &str)]) -> Shown {
    let mut body = Vec::new();
    for (name, value) in [("csrf", csrf)].iter().chain(fields) {
        body.extend(format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes());
    }
    let head = "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"list.csv\"\r\nContent-Type: text/csv\r\n\r\n";
    body.extend(head.as_bytes());
    body.extend(file);
    body.extend(b"\r\n--X--\r\n");
    let request = clerk.request(Method::POST, PATH).header("content-type", "multipart/form-data; boundary=X");
    clerk.send(request.body(body)).await
}

async fn a_list_is_shown_first_and_imported_when_confirmed(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    admin.create_user("bob@example.com").await;
    let group = admin.create_group("Sales").await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open(PATH).await.expect(200).says("One person in each line");
    let list = "address;name;groups;ownership\nada@example.com;Ada <Countess>;sales;company\nbob@example.com;Bob\nnobody;No\n\
                cy@example.com;Cy;Unknown\ndan@example.com;Dan";
    let preview = clerk.submit(&page, PATH, &[("text", list)]).await.expect(200).says("Create 2 users?").says("Nothing was written yet");
    let preview = preview.says("Ada <Countess>").says("Line 4").says("is not a mail address").says("There is no group \"Unknown\"");
    let preview = preview.says("Exist already").says("bob@example.com").says("Create and invite 2 users");
    assert_eq!(admin.get("/users").await.expect(200)["total"], 2, "nothing is written before the confirmation");
    let progress = clerk.submit(&preview, PATH, &[]).await.expect(200).says("Users are being created").says("0 of 3 done");
    assert!(!progress.source.contains("http-equiv=\"refresh\"") && progress.source.contains("<progress"));
    let followed = clerk.open(&format!("{}?follow=yes", progress.page.url.path())).await.expect(200).says("looks again by itself");
    assert!(followed.source.contains("http-equiv=\"refresh\""), "whoever asks for it need not look again themselves");
    app.work().await;
    let done = clerk.open(progress.page.url.path()).await.expect(200).says("The list was imported").says("by administrator@example.com");
    let done = done.says("Created 2").says("Invited 2").says("Existed already 1").says("Failed 0").says("Sent 2");
    assert!(!done.source.contains("http-equiv=\"refresh\""), "there is nothing left to wait for");
    let ada = admin.get("/users?q=ada@").await.expect(200)["items"][0].clone();
    assert_eq!((&ada["name"], &ada["groups"]), (&json!("Ada <Countess>"), &json!([group])));
    let said = admin.audited().await;
    assert_eq!(said.iter().filter(|action| *action == "user.import").count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|action| *action == "user.invite").count(), 2, "{said:?}");
    // The same list again: everybody is there, so there is nothing to confirm.
    let page = clerk.open(PATH).await.says("Earlier imports");
    assert!(page.has_link(done.page.url.path()));
    let preview = clerk.submit(&page, PATH, &[("text", "ada@example.com,Ada\n")]).await.expect(200).says("Create 0 users?");
    assert!(!preview.has_form(PATH));
}

async fn a_file_is_read_and_what_cannot_be_read_says_why(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open(PATH).await;
    let csrf = value(&page, PATH, "csrf");
    let file = "\u{feff}ada@example.com,Ada\r\nzoe@example.com,\"Zoë, the second\"\r\n".as_bytes();
    let preview = upload(&clerk, &csrf, file, &[("ownership", "company")]).await.expect(200);
    let preview = preview.says("Create 2 users?").says("Zoë, the second").says("Company");
    clerk.submit(&preview, PATH, &[]).await.expect(200);
    app.work().await;
    assert_eq!(app.admin().get("/users?q=zoe").await.expect(200)["items"][0]["name"], "Zoë, the second");
    upload(&clerk, &csrf, b"ada@example.com,M\xfcller", &[]).await.expect(400).says("not in UTF-8");
    upload(&clerk, &csrf, b"", &[("text", "  ")]).await.expect(400).says("The list is empty");
    let broken = upload(&clerk, &csrf, b"", &[("text", "ada@example.com,\"Ada")]).await.expect(400).says("never closed");
    assert!(broken.source.contains("ada@example.com,&quot;Ada"), "what was typed stays");
    let many = (0..10_001).map(|number| format!("u{number}@example.com,U")).collect::<Vec<_>>().join("\n");
    upload(&clerk, &csrf, many.as_bytes(), &[]).await.expect(400).says("at most 10000 lines");
    let long = vec![b'x'; 3 * 1024 * 1024];
    let status = upload(&clerk, &csrf, &long, &[]).await.status;
    assert_eq!(status, 413);
}

async fn an_upload_must_come_from_ones_own_page(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let file = b"ada@example.com,Ada";
    upload(&clerk, "", file, &[("confirm", "yes")]).await.expect(403);
    upload(&clerk, "somebody else's", file, &[("confirm", "yes")]).await.expect(403);
    let csrf = value(&clerk.open(PATH).await, PATH, "csrf");
    let broken = clerk.request(Method::POST, PATH).header("content-type", "multipart/form-data").body(format!("csrf={csrf}"));
    clerk.send(broken).await.expect(400);
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    auditor.look(PATH).await.expect(403);
    let csrf = value(&auditor.open("/console/account").await, "/console/sign-out", "csrf");
    upload(&auditor, &csrf, file, &[("confirm", "yes")]).await.expect(403);
    assert_eq!(app.admin().get("/users?q=ada@").await.expect(200)["total"], 0);
}

async fn the_helpdesk_may_not_name_groups(database: Database) {
    let app = TestApp::start(database).await;
    app.admin().create_group("Sales").await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    let page = clerk.open(PATH).await.expect(200);
    let list = [("text", "ada@example.com,Ada,Sales\nbob@example.com,Bob")];
    let preview = clerk.submit(&page, PATH, &list).await.expect(200).says("Create 1 user?").says("Your role does not include");
    clerk.submit(&preview, PATH, &[]).await.expect(200);
    app.work().await;
    assert_eq!(app.admin().get("/users?q=ada@").await.expect(200)["total"], 0);
    assert_eq!(app.admin().get("/users?q=bob").await.expect(200)["total"], 1);
}

async fn everybody_without_a_device_is_invited(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let (ada, bob) = (admin.create_user("ada@example.com").await, admin.create_user("bob@example.com").await);
    let (cy, group) = (admin.create_user("cy@example.com").await, admin.create_group("Sales").await);
    admin.patch(&format!("/users/{cy}"), &json!({ "state": "disabled" })).await.expect(200);
    let mut phone = IPhone::enroll(&app, &ada, "company", 1).await;
    phone.obey_all().await;
    app.work().await;
    admin.put(&format!("/groups/{group}/members/{ada}"), &json!({})).await.expect(204);
    app.work().await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    clerk.open(&format!("/console/users/invite?group={group}")).await.expect(200).says("Everybody of this group has a device already");
    // Bob, and the clerk.
    let ask = clerk.open("/console/users/invite").await.expect(200).says("Invite 2 users?");
    let form = ask.page.forms.iter().find(|form| form.post && form.action == "/console/users/invite").unwrap();
    let progress = clerk.submit_form(&ask, form, &form.action, &[("ownership", "personal")]).await.expect(200);
    // Bob is gone before his turn comes.
    admin.delete(&format!("/users/{bob}")).await.expect(204);
    app.work().await;
    let done = clerk.open(progress.page.url.path()).await.expect(200).says("The invitations were written").says("Invited 1");
    done.says("Failed 1").says("bob@example.com").says("The user was removed meanwhile").says("Sent 1");
}

async fn programs_import_and_watch_as_well(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let wrong = json!({ "users": [{ "email": "ada@example.com", "name": "Ada" }, { "email": "ada", "name": "Ada" }] });
    let problem = admin.post("/users/import", &wrong).await.expect(400);
    assert!(problem.to_string().contains("users[1].email"), "{problem}");
    let twice = json!({ "users": [{ "email": "ada@example.com", "name": "Ada" }, { "email": "ADA@example.com", "name": "Ada" }] });
    admin.post("/users/import", &twice).await.expect(400);
    admin.post("/users/import", &json!({ "users": [] })).await.expect(400);
    let users: Vec<Value> = (0..2500).map(|number| json!({ "email": format!("u{number}@example.com"), "name": "U" })).collect();
    let begun = admin.post("/users/import", &json!({ "users": users })).await.expect(202);
    let path = format!("/imports/{}", text(&begun, "id"));
    let state = admin.get(&path).await.expect(200);
    assert_eq!((&state["state"], &state["waiting"]), (&json!("running"), &json!(2500)));
    app.work().await;
    let state = admin.get(&path).await.expect(200);
    assert_eq!(
        (&state["state"], &state["created"], &state["invited"], &state["failed"]),
        (&json!("finished"), &json!(2500), &json!(0), &json!(0))
    );
    assert_eq!(admin.get("/users").await.expect(200)["total"], 2500);
    let group = uuid::Uuid::now_v7();
    let unknown = json!({ "users": [{ "email": "x@example.com", "name": "X", "groups": [group] }] });
    let problem = admin.post("/users/import", &unknown).await.expect(400);
    assert!(problem.to_string().contains("there is no group"), "{problem}");
    app.caller(Role::Helpdesk).post("/users/import", &unknown).await.expect(403);
}

/// Killed again and again, a server has in the end created everybody once and written one invitation to each.
async fn an_import_goes_on_where_a_killed_server_left_it(database: Database) {
    const USERS: i64 = 300;
    let installation = Installation::new(database);
    let mut server = installation.start().await;
    let api = installation.api();
    let users: Vec<Value> = (0..USERS).map(|number| json!({ "email": format!("u{number}@example.com"), "name": "U" })).collect();
    let begun = api.post("users/import", &json!({ "users": users, "invite": true })).await.unwrap();
    let begun: Value = serde_json::from_slice(&begun).unwrap();
    let path = format!("imports/{}", text(&begun, "id"));
    let mut seen = Vec::new();
    for _ in 0..3 {
        // As soon as something more was done than before.
        let before = seen.last().copied().unwrap_or_default();
        let created = wait_until(&api, &path, |state| state["created"].as_i64().unwrap() > before || state["waiting"] == 0).await;
        seen.push(created["created"].as_i64().unwrap());
        server.kill();
        // Whoever held the job is dead; nobody has to wait here until that is certain.
        installation.database().tamper("UPDATE jobs SET lease_until = 0 WHERE lease_until IS NOT NULL");
        server = installation.start().await;
    }
    assert!(seen[0] < USERS, "the server was never killed in the middle: {seen:?}");
    let state = wait_until(&api, &path, |state| state["state"] == "finished").await;
    assert_eq!((&state["created"], &state["existing"], &state["failed"]), (&json!(USERS), &json!(0), &json!(0)), "{state}");
    assert_eq!(state["invited"], json!(USERS));
    let invited = api.get("audit?action=user.invite&limit=1").await.unwrap();
    assert_eq!(invited["total"], json!(USERS), "one invitation for each");
}

async fn wait_until(api: &crate::harness::process::Api, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let state = api.get(path).await.unwrap();
        if is_so(&state) {
            return state;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{state}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
