//! Protected files: who gets them, that nothing but a person's own form releases one, and what is refused (B4).

pub mod arrived;
mod console;
mod kept;
mod refused;

use enlist::simulator::{browser::Surfer, page::Page};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use self::arrived::{Arrived, arrived};
use super::{
    ADA, CHROME, FIREFOX, enroll,
    links::{EVE, cookie_of, get, lines},
    surfer, visit,
};
use crate::harness::{
    actors::{Reply, text},
    app::{Setup, TestApp},
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    a_file_goes_to_whoever_enrolled_the_browser_and_not_to_the_first_recipient,
    each_of_a_group_gets_their_own_and_is_recorded,
    what_a_scanner_does_changes_nothing,
    looking_changes_nothing_and_another_site_cannot_send_the_form,
    twice_within_ten_minutes_is_one_mail,
    of_two_requests_at_the_same_moment_one_sends,
    without_enrollment_nobody_gets_anything,
    the_awareness_question_is_not_asked_for_a_file,
    another_server_on_the_same_database_releases_it_too,
);

const NAME: &str = "Übersicht \"2026\" – 見積.pdf";
const PDF: &str = "application/pdf";

/// Puts a file behind a link.
pub async fn upload(app: &TestApp, query: &[(&str, &str)], kind: &str, content: &[u8]) -> Reply {
    let admin = app.admin();
    let request = admin.request(Method::POST, "/links/files").query(query).header(header::CONTENT_TYPE, kind);
    admin.send(request.body(content.to_vec())).await
}

/// The same; gives the identifier of the link and the path of its address.
pub async fn protect(app: &TestApp, query: &[(&str, &str)], kind: &str, content: &[u8]) -> (String, String) {
    let made = upload(app, query, kind, content).await.expect(201);
    let path = text(&made, "url").replacen(app.address(), "", 1);
    assert!(path.starts_with("/l/"), "{path}");
    (text(&made, "id"), path)
}

/// Opens the page of a file in an enrolled browser and presses its button; gives the page that says what came of it.
async fn ask(app: &TestApp, browser: &Surfer, path: &str) -> Page {
    let page = browser.look(browser.at(path).unwrap()).await.unwrap();
    let sent = browser.ask_for_file(&page).await.unwrap().unwrap_or_else(|| panic!("no button on {}: {}", page.url, page.text));
    app.work().await;
    sent
}

/// Sends the form of a file's page without any page.
async fn send(app: &TestApp, path: &str, cookie: &str) -> (StatusCode, String) {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.post(format!("{}{path}/send", app.address())).header("cookie", cookie).send().await.unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status(), location)
}

// B4: the mail was sent to Ada, and forwarded to Eve.
async fn a_file_goes_to_whoever_enrolled_the_browser_and_not_to_the_first_recipient(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let eve = admin.create_user(EVE).await;
    let content: Vec<u8> = (0..200_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let made = upload(&app, &[("name", NAME), ("recipient", ADA), ("note", "The offer")], PDF, &content).await.expect(201);
    assert_eq!(
        (&made["file"], &made["target"], &made["recipient"]),
        (&json!({ "name": NAME, "size": 200_000 }), &Value::Null, &json!(ADA))
    );
    let (id, path) = (text(&made, "id"), text(&made, "url").replacen(app.address(), "", 1));
    let browser = surfer(&app, CHROME, EVE);
    let visited = visit(&app, &browser, &path).await;
    assert!(visited.was_asked && visited.page.is_marked("file"), "who is not known is asked first and comes back: {}", visited.page.url);
    for said in [NAME, "195.3 KiB", "It is sent to eve@example.com, the mailbox of whoever enrolled this browser"] {
        assert!(visited.page.text.replace(" ,", ",").contains(said), "{said}: {}", visited.page.text);
    }
    assert!(arrived(&app).is_empty() && lines(&app, "").await.is_empty(), "looking releases nothing");
    let sent = ask(&app, &browser, &path).await;
    assert!(sent.text.contains("Done: it is on its way to eve@example.com"), "{}", sent.text);
    let mails = arrived(&app);
    assert_eq!(mails.len(), 1, "nothing goes to the first recipient");
    let Arrived { to, name, kind, bytes, text: words, subject } = &mails[0];
    assert_eq!((to.as_str(), name.as_str(), kind.as_str()), (EVE, NAME, PDF));
    assert_eq!(*bytes, content, "it arrives whole");
    assert!(words.contains("Chrome on Windows") && words.contains("enrolled"), "{words}");
    assert!(subject.contains("The file that you asked for"), "{subject}");
    let found = lines(&app, &format!("link={id}&user={eve}")).await;
    assert_eq!(found.len(), 1);
    let line = ["user", "recipient", "kind", "device", "target"].map(|field| found[0][field].as_str().unwrap());
    assert_eq!(line, [EVE, ADA, "released", "Chrome on Windows", NAME]);
    let csv = admin.get("/reports/links?format=csv").await.text();
    assert!(csv.contains(",released,eve@example.com,") && csv.contains("Übersicht"), "{csv}");
    let listed = admin.get("/links").await.expect(200);
    assert_eq!((&listed["items"][0]["file"]["name"], &listed["items"][0]["target"]), (&json!(NAME), &Value::Null));
    assert!(admin.audited().await.ends_with(&["link.create".to_owned()]));
}

// B4: the mail was sent to a group.
async fn each_of_a_group_gets_their_own_and_is_recorded(db: Database) {
    let app = TestApp::start(db).await;
    let (id, path) = protect(&app, &[("name", "minutes.txt"), ("recipient", "all@example.com")], "text/plain", b"a\nb\r\nc").await;
    for (agent, address) in [(CHROME, ADA), (FIREFOX, EVE)] {
        app.admin().create_user(address).await;
        let browser = surfer(&app, agent, address);
        enroll(&app, &browser).await;
        ask(&app, &browser, &path).await;
    }
    let mails = arrived(&app);
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, [ADA, EVE]);
    assert!(mails.iter().all(|mail| mail.bytes == b"a\nb\r\nc" && mail.kind == "text/plain"), "no line end is changed");
    let users: Vec<String> = lines(&app, &format!("link={id}")).await.iter().map(|line| text(line, "user")).collect();
    assert_eq!(users, [EVE, ADA], "newest first");
}

// B4: a scanner opens every address of the mail, and what is around it, and sends every form.
async fn what_a_scanner_does_changes_nothing(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let (_, path) = protect(&app, &[("name", "a.pdf"), ("recipient", ADA)], PDF, b"secret").await;
    let scanner = Clerk::stranger(&app);
    for path in [path.clone(), format!("{path}/send"), format!("{path}/go"), format!("{path}?enrolled=yes"), format!("{path}?sent=yes")] {
        for method in [Method::HEAD, Method::GET, Method::POST] {
            let shown = scanner.send(scanner.request(method.clone(), &path).form(&[("answer", "safe")])).await;
            assert!(matches!(shown.status, 303 | 400 | 404 | 405), "{method} {path}: {}", shown.status);
            assert!(!shown.source.contains("a.pdf") && !shown.source.contains("secret"), "{method} {path} tells {}", shown.source);
        }
    }
    // With a cookie that nobody has.
    assert_eq!(send(&app, &path, "enlist-browser=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.0, StatusCode::SEE_OTHER);
    app.work().await;
    assert_eq!(app.admin().get("/mails").await.expect(200)["total"], 0);
    assert!(lines(&app, "").await.is_empty());
}

async fn looking_changes_nothing_and_another_site_cannot_send_the_form(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let (_, path) = protect(&app, &[("name", "a.pdf")], PDF, b"secret").await;
    let target = json!({ "target": "https://shop.example.net/" });
    let plain = text(&app.admin().post("/links", &target).await.expect(201), "url").replacen(app.address(), "", 1);
    let cookie = cookie_of(&app).await;
    let clerk = Clerk::stranger(&app);
    for (method, path) in [(Method::GET, &path), (Method::HEAD, &path)] {
        for path in [path.clone(), format!("{path}?sent=yes")] {
            let shown = clerk.send(clerk.request(method.clone(), &path).header("cookie", &cookie)).await.expect(200);
            assert!(!shown.source.contains("on its way"), "{}", shown.source);
        }
    }
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let request = clerk.request(method, &format!("{path}/send")).header("cookie", &cookie);
        clerk.send(request).await.expect(405);
    }
    // A file has no target to go to, and no question to answer; and a link has no file.
    assert_eq!(get(&app, &format!("{path}/go"), &cookie).await.0, StatusCode::NOT_FOUND);
    let answer = clerk.request(Method::POST, &path).header("cookie", &cookie).form(&[("answer", "safe")]);
    clerk.send(answer).await.expect(404);
    assert_eq!(send(&app, &plain, &cookie).await.0, StatusCode::NOT_FOUND);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = clerk.request(Method::POST, &format!("{path}/send")).header("cookie", &cookie).header(name, value);
        clerk.send(request).await.expect(403);
    }
    app.work().await;
    assert!(arrived(&app).is_empty() && lines(&app, "").await.is_empty());
}

async fn twice_within_ten_minutes_is_one_mail(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let (id, path) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let (_, other) = protect(&app, &[("name", "b.pdf")], PDF, b"content").await;
    let (first, second) = (surfer(&app, CHROME, ADA), surfer(&app, FIREFOX, ADA));
    enroll(&app, &first).await;
    enroll(&app, &second).await;
    let page = first.look(first.at(&path).unwrap()).await.unwrap();
    let minute = app.clock_now().to_string()[11..16].to_owned();
    first.ask_for_file(&page).await.unwrap().unwrap();
    app.clock.advance_seconds(599);
    // The same page again, and another browser of the same person.
    for browser in [&first, &second] {
        let again = browser.ask_for_file(&page).await.unwrap().unwrap();
        assert!(again.text.contains(&format!("It was sent to you at {minute} UTC already")), "{minute}: {}", again.text);
        assert!(browser.look(browser.at(&path).unwrap()).await.unwrap().text.contains("already"));
    }
    app.work().await;
    assert_eq!(arrived(&app).len(), 1);
    ask(&app, &first, &other).await;
    assert_eq!(arrived(&app).len(), 2, "another file is another mail");
    app.clock.advance_seconds(1);
    ask(&app, &second, &path).await;
    assert_eq!(arrived(&app).len(), 3);
    assert_eq!(lines(&app, &format!("link={id}")).await.len(), 2, "each release is recorded once");
}

async fn of_two_requests_at_the_same_moment_one_sends(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let (id, path) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let (here, there) = (cookie_of(&app).await, cookie_of(&app).await);
    let answers = tokio::join!(send(&app, &path, &here), send(&app, &path, &there), send(&app, &path, &here), send(&app, &path, &there));
    let answers = [answers.0, answers.1, answers.2, answers.3];
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::SEE_OTHER), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, location)| location.ends_with("?sent=yes")).count(), 1, "{answers:?}");
    app.work().await;
    assert_eq!((arrived(&app).len(), lines(&app, &format!("link={id}")).await.len()), (1, 1));
}

// B4, A1
async fn without_enrollment_nobody_gets_anything(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let (_, path) = protect(&app, &[("name", "a.pdf"), ("recipient", ADA)], PDF, b"content").await;
    let cookie = cookie_of(&app).await;
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": false, "confirm_risk": true })).await.expect(200);
    for cookie in ["", &cookie] {
        let (status, _, page) = get(&app, &path, cookie).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(page.contains("This file is not sent at the moment") && page.contains("Ask whoever sent you the link"), "{page}");
        assert!(!page.contains("a.pdf"), "nobody is known, so that nothing is told");
        assert_eq!(send(&app, &path, cookie).await.0, StatusCode::FORBIDDEN);
    }
    app.work().await;
    assert!(arrived(&app).is_empty() && lines(&app, "").await.is_empty());
    // Enrollments count again when it is switched on.
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": true })).await.expect(200);
    assert_eq!(send(&app, &path, &cookie).await.1, format!("{path}?sent=yes"));
    app.work().await;
    assert_eq!(arrived(&app).len(), 1);
}

async fn the_awareness_question_is_not_asked_for_a_file(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    app.admin().patch("/settings", &json!({ "browser_enrollment_awareness": true })).await.expect(200);
    let (_, path) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    ask(&app, &ada, &path).await;
    assert_eq!(arrived(&app).len(), 1);
}

async fn another_server_on_the_same_database_releases_it_too(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let (_, path) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let cookie = cookie_of(&app).await;
    let beside = app.start_beside(Setup::default()).await;
    assert_eq!(send(&beside, &path, &cookie).await.1, format!("{path}?sent=yes"));
    beside.work().await;
    assert_eq!(arrived(&beside).into_iter().map(|mail| mail.bytes).collect::<Vec<_>>(), [b"content"]);
}
