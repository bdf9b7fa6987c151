//! Walks through the portal with Android devices, on the living server.

use enlist::simulator::mailbox::Mailbox;
use reqwest::Method;
use serde_json::json;

use crate::harness::{
    actors::{id, text},
    android,
    app::TestApp,
    clerk::{Clerk, Shown},
    database::Database,
    every_backend,
};

every_backend!(
    a_certificate_is_earned_step_by_step_and_given_once,
    the_agents_activation_is_shown_once_and_only_to_who_agreed_to_it,
    the_walk_can_be_left_resumed_and_thought_over,
    a_certificate_that_nobody_fetched_is_gone_after_ten_minutes,
    nobody_else_gets_what_a_visit_has_earned,
    looking_and_scanning_change_nothing,
    what_the_organization_does_not_allow_is_not_offered,
    a_computer_sets_up_nothing_without_a_launcher,
    no_agent_is_offered_that_would_have_nowhere_to_report_to,
);

pub const PIXEL: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36";
const COMPUTER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
pub const ADA: &str = "ada@example.com";

/// Proves Ada's mailbox; gives the page to which that leads.
pub async fn prove(app: &TestApp, browser: &Clerk) -> Shown {
    let mailbox = Mailbox::new(app.outbox(), std::time::Duration::from_secs(30));
    let mut seen = mailbox.seen();
    browser.open("/").await;
    let start = browser.open("/").await.expect(200);
    let page = browser.submit(&start, "/enroll/address", &[("email", ADA)]).await.expect(200);
    app.work().await;
    let code = mailbox.code(ADA, &mut seen).await.unwrap();
    browser.submit(&page, "/enroll/code", &[("code", &code)]).await.expect(200)
}

/// Goes on from there to the page with the button ACTIVATE.
async fn agree(browser: &Clerk, page: &Shown, method: &str) -> Shown {
    let page = browser.submit(page, "/enroll/method", &[("method", method)]).await.expect(200);
    assert_eq!(page.place(), "/enroll/consent");
    let page = browser.submit(&page, "/enroll/consent", &[("consent", "yes")]).await.expect(200);
    assert_eq!(page.place(), "/enroll/activate");
    page
}

/// Asks for the file; gives the status, the type and the content.
pub async fn fetch(browser: &Clerk) -> (u16, String, Vec<u8>) {
    let answer = browser.request(Method::POST, "/enroll/certificate").send().await.unwrap();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), kind, answer.bytes().await.unwrap().to_vec())
}

async fn a_certificate_is_earned_step_by_step_and_given_once(db: Database) {
    let app = android::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    assert_eq!(page.place(), "/enroll/method");
    let page = page.says("With the agent app").says("With a certificate only").says("nobody can see, change or remove anything");
    assert!(!page.source.contains("headwind"), "nobody has uploaded a launcher");
    browser.submit(&page, "/enroll/method", &[]).await.expect(400).says("Choose one of the ways");
    let page = browser.submit(&page, "/enroll/method", &[("method", "certificate")]).await.expect(200);
    let page = page.says("gives Enlist no power over this device").says("erase the whole device").says("recognize this device");
    browser.submit(&page, "/enroll/consent", &[]).await.expect(400).says("Tick the box");
    let page = browser.submit(&page, "/enroll/consent", &[("consent", "yes")]).await.expect(200).says("ACTIVATE").says("Android 15");
    assert_eq!(fetch(&browser).await.0, 303, "there is nothing yet");
    let shown = browser.submit(&page, "/enroll/activate", &[("profile", "legacy")]).await.expect(200);
    let shown = shown.says("It is shown this once").says("VPN & app user certificate").keeps_quiet_about("Android 10 and older");
    let password = shown.page.text_marked("password").unwrap().to_owned();
    assert_eq!(password.len(), 10);
    browser.submit(&page, "/enroll/activate", &[]).await.expect(409).says("activated already").keeps_quiet_about(&password);
    browser.open("/enroll/progress").await.says("waits to be downloaded").keeps_quiet_about(&password);
    assert_eq!(admin.get("/devices").await.expect(200)["total"], 0);

    let (status, kind, file) = fetch(&browser).await;
    assert_eq!((status, kind.as_str()), (200, "application/x-pkcs12"));
    let opened = openssl::pkcs12::Pkcs12::from_der(&file).unwrap().parse2(&password).unwrap();
    assert_eq!(opened.ca.unwrap().len(), 1);
    let (status, _, body) = fetch(&browser).await;
    let again = String::from_utf8(body).unwrap();
    assert!(status == 409 && again.contains("Begin again") && again.contains("data-enlist=\"restart\""), "{again}");
    let done = browser.open("/enroll/progress").await.expect(200).says("was given out").says("How to install");
    assert!(done.page.is_marked("done") && !done.source.contains("follow"), "nothing more is to come");

    let device = admin.get("/devices?os=android").await.expect(200)["items"][0].clone();
    for (key, value) in [
        ("platform", json!("android")),
        ("backend", json!("certificate")),
        ("management_mode", json!(null)),
        ("enrollment", json!("enrolled")),
        ("compliance", json!("unknown")),
        ("access", json!("quarantine")),
        ("model", json!("Pixel 9")),
        ("os_version", json!("15")),
        ("ownership", json!("personal")),
        ("serial", json!(null)),
    ] {
        assert_eq!(device[key], value, "{key}: {device}");
    }
    assert_eq!(device["reasons"][0]["code"], "not_managed");
    assert_eq!(device["capabilities"]["full_wipe"], false);
    assert_eq!(device["capabilities"]["selective_wipe"], "nothing");
    assert!(admin.timeline(&id(&device)).await.contains(&"enrolled".to_owned()));
    app.work().await;
}

async fn the_agents_activation_is_shown_once_and_only_to_who_agreed_to_it(db: Database) {
    let app = android::start(db).await;
    app.admin().create_user(ADA).await;
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    let page = agree(&browser, &page, "agent").await;
    let page = page.says("Have the agent app installed");
    let shown = browser.submit(&page, "/enroll/activate", &[]).await.expect(200);
    let activation: serde_json::Value = serde_json::from_str(shown.page.text_marked("activation").unwrap()).unwrap();
    assert_eq!(activation["server"], app.address());
    assert_eq!(activation["activate"], format!("{}/android/v1/activate", app.address()));
    let token = text(&activation, "token");
    assert!(token.len() >= 43 && shown.source.contains("data:image/svg+xml;base64,"));
    let link = shown.page.links.iter().find(|link| link.href.starts_with("enlist://activate?")).expect("a link opens the app");
    assert!(link.href.contains(&token));
    browser.submit(&page, "/enroll/activate", &[]).await.expect(409).keeps_quiet_about(&token);
    let waiting = browser.open("/enroll/progress").await.expect(200).says("The agent app takes the activation");
    assert!(!waiting.source.contains("http-equiv"));
    assert!(browser.open("/enroll/progress?follow=yes").await.source.contains("http-equiv=\"refresh\""));
    assert_eq!(fetch(&browser).await.0, 303, "there is no certificate for an agent");
    app.clock.advance_seconds(901);
    browser.open("/enroll/progress").await.expect(200).says("This enrollment is over").says("Begin again");
    app.work().await;
}

async fn the_walk_can_be_left_resumed_and_thought_over(db: Database) {
    let app = android::start(db).await;
    app.admin().create_user(ADA).await;
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    let start = browser.open("/").await.expect(200).says("Go on by choosing");
    assert!(start.has_link("/enroll/method"));
    for path in ["/enroll/consent", "/enroll/activate", "/enroll/progress", "/enroll/code", "/enroll/profile"] {
        assert_eq!(browser.open(path).await.place(), "/enroll/method", "{path}");
    }
    let consent = browser.submit(&page, "/enroll/method", &[("method", "certificate")]).await.expect(200);
    assert!(consent.has_link("/enroll/method"));
    browser.submit(&consent, "/enroll/consent", &[("consent", "yes")]).await.expect(200);
    browser.open("/").await.says("Go on by activating the device");
    // Whoever thinks again is asked again: what was agreed to was something else.
    let again = browser.submit(&page, "/enroll/method", &[("method", "agent")]).await.expect(200).says("agent app");
    assert_eq!(again.place(), "/enroll/consent");
    assert_eq!(browser.open("/enroll/activate").await.place(), "/enroll/consent");
    browser.submit(&consent, "/enroll/consent", &[("consent", "yes")]).await.expect(400).says("chosen another way");
    assert_eq!(browser.open("/enroll/activate").await.place(), "/enroll/consent");
    // What was agreed to for Android is no agreement to an Apple profile.
    browser.submit(&again, "/enroll/consent", &[("consent", "yes")]).await.expect(200);
    let profile = browser.send(browser.request(Method::POST, "/enroll/apple")).await;
    assert_eq!((profile.status, profile.location()), (303, "/enroll/activate"));
    app.work().await;
}

async fn a_certificate_that_nobody_fetched_is_gone_after_ten_minutes(db: Database) {
    let app = android::start(db).await;
    app.admin().create_user(ADA).await;
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    let page = agree(&browser, &page, "certificate").await;
    browser.submit(&page, "/enroll/activate", &[]).await.expect(200);
    app.clock.advance_seconds(601);
    assert_eq!(fetch(&browser).await.0, 409);
    let over = browser.open("/enroll/progress").await.expect(200).says("This enrollment is over");
    app.sweep().await;
    let (files, left) = app
        .app
        .read(|conn| {
            use diesel::prelude::*;
            use enlist::store::schema::{activation_files, certificates};
            Ok::<_, enlist::store::Error>((
                activation_files::table.count().get_result::<i64>(conn)?,
                certificates::table.filter(certificates::revoked_at.is_null()).count().get_result::<i64>(conn)?,
            ))
        })
        .await
        .unwrap();
    assert_eq!((files, left), (0, 0), "the key is gone, and the certificate counts no longer");
    let start = browser.submit(&over, "/enroll/restart", &[]).await.expect(200);
    assert_eq!(start.place(), "/");
    assert_eq!(app.admin().get("/devices").await.expect(200)["total"], 0);
}

async fn nobody_else_gets_what_a_visit_has_earned(db: Database) {
    let app = android::start(db).await;
    app.admin().create_user(ADA).await;
    let (browser, other) = (Clerk::with_agent(&app, PIXEL), Clerk::with_agent(&app, PIXEL));
    let page = prove(&app, &browser).await;
    let page = agree(&browser, &page, "certificate").await;
    browser.submit(&page, "/enroll/activate", &[]).await.expect(200);
    // The same person in another browser has to earn it there.
    let page = prove(&app, &other).await;
    assert_eq!(page.place(), "/enroll/method");
    assert_eq!(fetch(&other).await.0, 303);
    assert_eq!(fetch(&Clerk::with_agent(&app, PIXEL)).await.0, 400);
    let (first, second) = tokio::join!(fetch(&browser), fetch(&browser));
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "of two at the same moment one gets it");
    app.work().await;
}

async fn looking_and_scanning_change_nothing(db: Database) {
    let app = android::start(db).await;
    app.admin().create_user(ADA).await;
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    let page = agree(&browser, &page, "certificate").await;
    let paths = ["/enroll/method", "/enroll/consent", "/enroll/activate", "/enroll/certificate", "/enroll/progress"];
    for path in paths {
        for method in [Method::HEAD, Method::GET] {
            let status = browser.request(method, path).send().await.unwrap().status().as_u16();
            assert!(matches!(status, 200 | 303 | 404 | 405), "{path}: {status}");
        }
    }
    // A scanner that has the link and no session, and sends forms.
    let scanner = Clerk::with_agent(&app, PIXEL);
    scanner.open("/").await;
    for path in paths {
        let form = [("method", "certificate"), ("consent", "yes")];
        let answer = scanner.send(scanner.request(Method::POST, path).form(&form)).await;
        assert!(matches!(answer.status, 303 | 404 | 405), "{path}: {}", answer.status);
    }
    browser.submit(&page, "/enroll/activate", &[]).await.expect(200).says("shown this once");
    let looked = browser.request(Method::GET, "/enroll/certificate").send().await.unwrap();
    assert!(looked.status().is_client_error(), "a file is not fetched by looking");
    assert_eq!(fetch(&browser).await.0, 200);
    app.work().await;
}

async fn what_the_organization_does_not_allow_is_not_offered(db: Database) {
    let app = android::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "android_personal": ["certificate"] })).await.expect(200);
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    assert_eq!(page.place(), "/enroll/consent", "where there is one way only, nobody is asked");
    let page = page.says("certificate");
    assert!(!page.has_link("/enroll/method"));
    let refused = browser.send(browser.request(Method::POST, "/enroll/method").form(&[("method", "agent")])).await;
    assert_eq!((refused.status, refused.location()), (303, "/enroll/consent"));
    let page = browser.submit(&page, "/enroll/consent", &[("consent", "yes")]).await.expect(200);
    // It is taken away while somebody is on the way.
    admin.patch("/settings", &json!({ "android_personal": [] })).await.expect(200);
    assert_eq!(browser.submit(&page, "/enroll/activate", &[]).await.place(), "/devices");
    browser.open("/devices").await.says("cannot be enrolled here at the moment");
    admin.patch("/settings", &json!({ "android_company": [] })).await.expect(200);
    Clerk::with_agent(&app, PIXEL).open("/").await.expect(200).says("does not let Android devices be enrolled");
    app.work().await;
}

async fn a_computer_sets_up_nothing_without_a_launcher(db: Database) {
    let app = android::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.invite(&user, "company").await;
    app.work().await;
    let browser = Clerk::with_agent(&app, COMPUTER);
    browser.open("/").await.expect(200).says("Android tablet");
    assert_eq!(prove(&app, &browser).await.place(), "/devices");
    assert_eq!(browser.open("/enroll/method").await.place(), "/devices");
    // A tablet that asks for pages as a computer does.
    let tablet = Clerk::with_agent(&app, COMPUTER);
    tablet.open("/?device=android").await.expect(200).says("this Android device");
    assert_eq!(prove(&app, &tablet).await.place(), "/enroll/method");
    app.work().await;
}

async fn no_agent_is_offered_that_would_have_nowhere_to_report_to(db: Database) {
    // This server has no port for devices.
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let browser = Clerk::with_agent(&app, PIXEL);
    let page = prove(&app, &browser).await;
    assert_eq!(page.place(), "/enroll/consent", "the certificate is the only way that is left");
    app.work().await;
}
