//! A browser that is enrolled itself, in a real one: the code from a real mail server, closing and opening, a private window,
//! blocked cookies, a file, revocation at the next click (A9, A11, A14, A18, B1, B4, B8, B10, B14).

use enlist::simulator::mail::Mail;
use serde_json::json;

use super::driver::{Browser, Habits};
use crate::{
    harness::{
        actors::text,
        app::TestApp,
        database::Database,
        mailserver::{Encryption, MailServer},
    },
    mail::started,
};

const ADA: &str = "ada@example.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser_is_enrolled_and_revoked_on_a_desk() {
    life(1280).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser_is_enrolled_and_revoked_in_a_narrow_window() {
    life(390).await;
}

/// Browsers follow no redirect to another host that begins with a form of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_link_leads_to_another_host_right_after_the_code() {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(Database::sqlite(), &server).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "browser_enrollment_domains": ["app.localhost"] })).await.expect(200);
    // Browsers know that every name below localhost is this machine.
    let target = format!("{}/enroll/help/safari", app.address().replacen("127.0.0.1", "app.localhost", 1));
    let made = admin.post("/links", &json!({ "target": target })).await.expect(201);
    let browser = Browser::start_with(app.address(), 1280, Habits::default()).await;
    browser.open(&text(&made, "url").replacen(app.address(), "", 1)).await;
    prove(&app, &server, &browser).await;
    let start = std::time::Instant::now();
    while browser.place().await != target {
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "{}", browser.place().await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    browser.close().await;
    app.work().await;
}

async fn life(width: u32) {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(Database::sqlite(), &server).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    let made = admin.post("/links", &json!({ "target": format!("{}/enroll/help/safari", app.address()) })).await.expect(201);
    let link = text(&made, "url").replacen(app.address(), "", 1);
    let habits = Habits::default();
    let browser = Browser::start_with(app.address(), width, habits.clone()).await;
    // A protected link leads to the question who it is, and back to itself.
    browser.open(&link).await;
    browser.sees("browser-address", &["Enroll this browser", "Your work mail address"]).await;
    prove(&app, &server, &browser).await;
    assert_eq!(browser.place().await, link);
    browser.sees("link-target", &["You are about to leave", "127.0.0.1", ADA]).await;
    browser.press_text("Go on to").await;
    assert_eq!(browser.place().await, "/enroll/help/safari");
    a_file_is_sent(&app, &browser).await;
    browser.open("/browser").await;
    browser.sees("browser-enrolled", &["This browser is enrolled", "Chrome on Linux"]).await;
    browser.open("/devices").await;
    browser.sees("browser-devices", &["Chrome on Linux (this browser)"]).await;
    browser.press_text("Remove Chrome on Linux").await;
    browser.sees("browser-remove", &["ends at once", "it will ask for a code again"]).await;
    browser.close().await;
    // Closed and opened again: the cookie stays.
    let browser = Browser::start_with(app.address(), width, habits.clone()).await;
    browser.open(&link).await;
    browser.sees("link-again", &["You are about to leave"]).await;
    a_private_window_is_asked(&app, &server, width, &link, &habits).await;
    blocked_cookies_are_explained(&app, width).await;
    // Revoked: asked again at the next click.
    admin.post(&format!("/users/{user}/revoke-enrollments"), &json!({ "confirm": true })).await.expect(200);
    browser.press_text("Go on to").await;
    browser.sees("browser-revoked", &["Enroll this browser"]).await;
    browser.close().await;
    app.work().await;
}

/// Types in the address, and the code from the mail that has come by SMTP into the mailbox.
async fn prove(app: &TestApp, server: &MailServer, browser: &Browser) {
    let arrived = server.mailbox().len();
    browser.type_into("#email", ADA).await;
    browser.press_text("Send me a code").await;
    app.work().await;
    let mail = server.wait_for(arrived + 1).await.pop().unwrap();
    let code = Mail::parse(mail.text.as_bytes()).code().expect("the mail carries no code");
    browser.sees("browser-code", &["eight digits"]).await;
    browser.type_into("#code", &code).await;
    browser.press_text("Go on").await;
    app.work().await;
}

/// B4: a file with the longest name that there is, which has to fit into every window.
async fn a_file_is_sent(app: &TestApp, browser: &Browser) {
    let admin = app.admin();
    let name = format!("{}.pdf", "Budget".repeat(19));
    let upload = admin.request(reqwest::Method::POST, "/links/files").query(&[("name", name.as_str())]).body("content");
    let made = admin.send(upload).await.expect(201);
    browser.open(&text(&made, "url").replacen(app.address(), "", 1)).await;
    browser.sees("file", &["A file for you", &name, "7 bytes", ADA]).await;
    browser.press_text("Send it to my mailbox").await;
    browser.sees("file-sent", &["Done: it is on its way to"]).await;
    app.work().await;
    browser.open(&text(&made, "url").replacen(app.address(), "", 1)).await;
    browser.sees("file-again", &["already", "Nothing more was sent"]).await;
}

async fn a_private_window_is_asked(app: &TestApp, server: &MailServer, width: u32, link: &str, habits: &Habits) {
    // Of another folder, because two browsers cannot share one; a private window starts empty in any.
    let private = Habits { is_private: true, ..Habits::default() };
    assert!(!std::sync::Arc::ptr_eq(&private.profile, &habits.profile));
    let browser = Browser::start_with(app.address(), width, private.clone()).await;
    browser.open(link).await;
    prove(app, server, &browser).await;
    assert_eq!(browser.place().await, link);
    browser.close().await;
    let browser = Browser::start_with(app.address(), width, private).await;
    browser.open(link).await;
    browser.sees("browser-private", &["Enroll this browser"]).await;
    browser.close().await;
}

async fn blocked_cookies_are_explained(app: &TestApp, width: u32) {
    let browser = Browser::start_with(app.address(), width, Habits { blocks_cookies: true, ..Habits::default() }).await;
    browser.open("/browser").await;
    browser.type_into("#email", ADA).await;
    browser.press_text("Send me a code").await;
    browser.sees("browser-cookies-blocked", &["Cookies are blocked"]).await;
    browser.press_text("How to allow cookies").await;
    browser.sees("browser-cookies-help", &["Chrome on a computer", "[*.]127.0.0.1"]).await;
    browser.close().await;
}
