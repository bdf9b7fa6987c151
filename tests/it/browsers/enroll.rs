//! From the address to the enrolled browser (A11 to A14, A16 to A19, B1, B8, B13 to B17).

use reqwest::Method;
use serde_json::json;

use super::{ADA, CHROME, FIREFOX, browsers, enroll, states, surfer, visit};
use crate::harness::{actors::text, app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(
    a_browser_is_enrolled_by_the_code_and_is_a_device_like_others,
    each_browser_and_each_device_enrolls_on_its_own,
    the_same_browser_enrolling_anew_stays_the_same_device,
    a_person_comes_back_to_where_they_wanted_to_go,
    an_alias_and_an_unknown_address_are_told_the_same_with_the_hint,
    a_private_window_is_asked_again_and_after_some_times_told_why,
    a_scanner_changes_nothing,
);

// B1, B10, A19
async fn a_browser_is_enrolled_by_the_code_and_is_a_device_like_others(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    assert!(!ada.is_known().await.unwrap());
    let page = enroll(&app, &ada).await;
    assert!(page.text.contains("Done: Chrome on Windows is enrolled") && page.text.contains(ADA), "{}", page.text);
    assert!(ada.is_known().await.unwrap());
    let found = browsers(&admin).await;
    assert_eq!(found.len(), 1);
    let browser = &found[0];
    assert_eq!(
        (&browser["platform"], &browser["model"], &browser["enrollment"], &browser["user"]["email"], &browser["compliance"]),
        (&json!("browser"), &json!("Chrome 142"), &json!("enrolled"), &json!(ADA), &json!("compliant"))
    );
    assert!(admin.timeline(&text(browser, "id")).await.contains(&"enrolled".to_owned()));
    let own = ada.look(ada.at("/devices").unwrap()).await.unwrap();
    assert!(own.text.contains("Chrome on Windows (this browser)"), "{}", own.text);
    let mail = admin.get("/mails").await.expect(200);
    assert_eq!((&mail["items"][0]["template"], &mail["items"][0]["state"]), (&json!("code"), &json!("sent")));
}

// A13, A14, B15
async fn each_browser_and_each_device_enrolls_on_its_own(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let (chrome, firefox, other_computer) = (surfer(&app, CHROME, ADA), surfer(&app, FIREFOX, ADA), surfer(&app, CHROME, ADA));
    enroll(&app, &chrome).await;
    assert!(!firefox.is_known().await.unwrap(), "another browser on the same computer is asked for itself");
    enroll(&app, &firefox).await;
    enroll(&app, &other_computer).await;
    for surfer in [&chrome, &firefox, &other_computer] {
        assert!(surfer.is_known().await.unwrap());
    }
    assert_eq!(states(&admin).await, ["enrolled"; 3]);
}

async fn the_same_browser_enrolling_anew_stays_the_same_device(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let first = text(&browsers(&admin).await[0], "id");
    admin.order(&first, "retire").await;
    assert!(!ada.is_known().await.unwrap());
    enroll(&app, &ada).await;
    let found = browsers(&admin).await;
    assert_eq!((found.len(), &found[0]["id"], &found[0]["enrollment"]), (1, &json!(first), &json!("enrolled")));
}

// B8
async fn a_person_comes_back_to_where_they_wanted_to_go(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    let visited = visit(&app, &ada, "/browser?return=/enroll/help/safari%3Fx%3D1").await;
    assert!(visited.was_asked);
    assert_eq!(visited.page.url.path(), "/enroll/help/safari");
    assert_eq!(visited.page.url.query(), Some("x=1"));
    let eve = surfer(&app, CHROME, ADA);
    for foreign in ["https://evil.example/", "//evil.example/", "/%5Cevil.example/"] {
        let page = eve.look(eve.at(&format!("/browser?return={foreign}")).unwrap()).await.unwrap();
        let form = page.forms.iter().find(|form| form.action == "/browser").unwrap();
        assert_eq!(form.find(|field| field.name == "return").unwrap().value, "", "{foreign}");
    }
}

// A17, B16
async fn an_alias_and_an_unknown_address_are_told_the_same_with_the_hint(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let mut told = Vec::new();
    // One has a mailbox here under another address, the other none at all; to the server both are nobody.
    for address in ["ada.lovelace@example.com", "nobody@example.com", ADA] {
        let person = surfer(&app, CHROME, address);
        let page = person.look(person.at("/browser").unwrap()).await.unwrap();
        let mut form = page.forms.iter().find(|form| form.action == "/browser").unwrap().clone();
        form.fill("email", address);
        let asked = person.submit(&page, &form).await.unwrap();
        assert!(asked.text.contains("it has to be your main address, not an alias"), "{}", asked.text);
        told.push(asked.text.replace(address, "X"));
    }
    assert!(told[0] == told[1] && told[1] == told[2]);
    app.work().await;
    let mails = app.admin().get("/mails").await.expect(200);
    assert_eq!((&mails["total"], &mails["items"][0]["recipient"]), (&json!(1), &json!(ADA)));
}

// A18, B14
async fn a_private_window_is_asked_again_and_after_some_times_told_why(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let mut ada = surfer(&app, CHROME, ADA);
    for round in 1..=6 {
        let page = enroll(&app, &ada).await;
        assert_eq!(page.text.contains("Does your browser forget you?"), round > 5, "{round}: {}", page.text);
        ada.forget().unwrap();
        assert!(!ada.is_known().await.unwrap(), "closing the window forgets the cookie, which is no error");
        app.clock.advance_seconds(3600);
    }
}

// The scanner comes before the person, and once more while the code is on its way.
async fn a_scanner_changes_nothing(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    scan(&app).await;
    assert_eq!(browsers(&admin).await.len(), 0);
    let lines = admin.audited().await.len();
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    scan(&app).await;
    assert!(ada.is_known().await.unwrap());
    assert_eq!((states(&admin).await, admin.audited().await.len()), (vec!["enrolled".to_owned()], lines));
}

async fn scan(app: &TestApp) {
    for client in [Clerk::stranger(app), Clerk::stranger(app)] {
        for path in ["/browser", "/browser?return=/devices", "/browser/enroll", "/enroll/code", "/devices", "/devices/remove-all"] {
            for method in [Method::HEAD, Method::GET, Method::POST] {
                let form = [("code", "00000000"), ("return", "/devices")];
                let status = client.send(client.request(method.clone(), path).form(&form)).await.status;
                assert!(status < 500, "{method} {path}: {status}");
            }
        }
    }
}
