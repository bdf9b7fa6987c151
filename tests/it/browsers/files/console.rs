//! Files at the console: brought, listed, withdrawn, reported (B4).

use enlist::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ADA, CHROME, arrived, ask, enroll, surfer};
use crate::harness::{
    actors::text,
    app::TestApp,
    clerk::{Clerk, Shown},
    database::Database,
    every_backend,
};

every_backend!(
    the_console_protects_lists_withdraws_and_reports,
    an_auditor_sees_files_and_brings_none,
    a_form_has_no_more_fields_than_ours
);

const PATH: &str = "/console/links/files";

/// Sends the form with a file, as browsers do.
async fn upload(clerk: &Clerk, page: &Shown, file: Option<(&str, &[u8])>, fields: &[(&str, &str)]) -> Shown {
    let csrf = page.form(PATH).find(|field| field.name == "csrf").unwrap().value.clone();
    let mut body = Vec::new();
    let mut add = |head: String, content: &[u8]| {
        body.extend(format!("--X\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes());
        body.extend(content);
        body.extend(b"\r\n");
    };
    add("name=\"csrf\"".into(), csrf.as_bytes());
    let (name, content) = file.unwrap_or_default();
    add(format!("name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/pdf"), content);
    for (name, value) in fields {
        add(format!("name=\"{name}\""), value.as_bytes());
    }
    body.extend(b"--X--\r\n");
    let request = clerk.request(Method::POST, PATH).header("content-type", "multipart/form-data; boundary=X");
    let answer = clerk.send(request.body(body)).await;
    if answer.status == 303 { clerk.open(answer.location()).await } else { answer }
}

async fn the_console_protects_lists_withdraws_and_reports(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/links").await.says("no protected file").says("Protect a file");
    let days = ("file_days", "30");
    let missing = upload(&clerk, &page, None, &[days, ("file_note", "The offer")]).await.expect(400).says("The file is missing");
    let typed = missing.form(PATH).find(|field| field.name == "file_note").unwrap().value.clone();
    assert_eq!(typed, "The offer", "what was typed is still there");
    upload(&clerk, &page, Some(("a.pdf", b"")), &[days]).await.expect(400).says("The file must not be empty");
    upload(&clerk, &page, Some((".hidden", b"x")), &[days]).await.expect(400).says("The name of the file must not begin with a dot");
    upload(&clerk, &page, Some(("a.pdf", b"x")), &[("file_days", "none")]).await.expect(400).says("The number of days must be");
    let made = upload(&clerk, &page, Some(("Übersicht.pdf", b"content")), &[days, ("file_note", "News"), ("file_recipient", ADA)]).await;
    let made = made.expect(200).says("The file was protected").says("News: Übersicht.pdf file, 7 bytes").says(ADA);
    let renamed = upload(&clerk, &page, Some(("scan-0001.pdf", b"content")), &[days, ("file_name", "Contract.pdf")]).await;
    renamed.expect(200).says("Contract.pdf").keeps_quiet_about("scan-0001");

    let address = made.page.text.split_whitespace().find(|word| word.contains("/l/")).unwrap().replacen(app.address(), "", 1);
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    ask(&app, &ada, &address).await;
    assert_eq!((arrived(&app)[0].name.as_str(), arrived(&app)[0].kind.as_str()), ("Übersicht.pdf", "application/pdf"));
    clerk.open("/console/links/report").await.says(ADA).says("Asked for it: to their mailbox").says("Übersicht.pdf");
    assert!(clerk.open("/console/links/report.csv").await.source.contains(",released,ada@example.com,"));

    let withdraw = made.page.links.iter().find(|link| link.href.ends_with("/withdraw")).unwrap().href.clone();
    let asked = clerk.open(&withdraw).await.says("The file Übersicht.pdf is deleted");
    clerk.submit(&asked, &withdraw, &[]).await.says("The link was withdrawn").says("Übersicht.pdf").expect(200);
    app.work().await;
}

async fn an_auditor_sees_files_and_brings_none(db: Database) {
    let app = TestApp::start(db).await;
    let (id, address) = super::protect(&app, &[("name", "a.pdf")], super::PDF, b"x").await;
    let plain = app.admin().post("/links", &json!({ "target": "https://example.com/" })).await.expect(201);
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    let page = auditor.open("/console/links").await.expect(200).says("a.pdf");
    assert!(!page.has_form(PATH) && !page.page.links.iter().any(|link| link.href.ends_with("/withdraw")));
    // Whoever has the address could have the file sent to themselves.
    let plain = text(&plain, "url");
    page.says(&plain).keeps_quiet_about(&address);
    let calls = app.caller(Role::Auditor);
    let listed = calls.get("/links").await.expect(200);
    assert_eq!([&listed["items"][0]["url"], &listed["items"][1]["url"]], [&json!(plain), &Value::Null]);
    assert_eq!(calls.get(&format!("/links/{id}")).await.expect(200)["url"], Value::Null);
    let shown = app.caller(Role::Helpdesk).get(&format!("/links/{id}")).await.expect(200);
    assert!(text(&shown, "url").ends_with(&address), "whoever may make links has to put them into mails: {shown}");
    let helpdesk = Clerk::with_role(&app, Role::Helpdesk).await;
    let page = helpdesk.open("/console/links").await;
    upload(&helpdesk, &page, Some(("b.pdf", b"x")), &[("file_days", "1")]).await.expect(200).says("b.pdf");
}

async fn a_form_has_no_more_fields_than_ours(db: Database) {
    let app = TestApp::start(db).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/links").await;
    let csrf = page.form(PATH).find(|field| field.name == "csrf").unwrap().value.clone();
    for (others, is_read) in [(15, true), (16, false), (20_000, false)] {
        let body = format!("csrf={csrf}&") + &(0..others).map(|number| format!("{number}=")).collect::<Vec<_>>().join("&");
        let request = clerk.request(Method::POST, PATH).header("content-type", "application/x-www-form-urlencoded");
        let answer = clerk.send(request.body(body)).await.expect(400);
        assert_eq!(answer.page.text.contains("The file is missing"), is_read, "{others}: {}", answer.page.text);
    }
}
