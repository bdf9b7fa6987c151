//! Mail scanners open every link of a mail, and some send its forms, before the person has seen it. On the living server.

use enlist::simulator::{PhoneOptions, iphone::Phone};
use reqwest::{Method, Url};
use serde_json::json;

use crate::harness::{
    actors::{IPhone, Visitor},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(a_scanner_before_the_person_spoils_nothing);

const ADA: &str = "ada@example.com";

async fn a_scanner_before_the_person_spoils_nothing(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.invite(&user, "company").await;
    app.work().await;
    let person = Visitor::new(&app, ADA);
    let link = person.invitation().expect("the mail has a link");
    scan(&link).await;
    assert_eq!(admin.get("/devices").await.expect(200)["total"], 0);

    let visit = person.fetch_profile(link.clone()).await;
    // The mail with the code is scanned as well, and the link once more.
    scan(&link).await;
    let mut phone = IPhone::open(&app, &visit.profile, 0, PhoneOptions::default()).await;
    Phone::enroll(&mut phone).await.unwrap();
    assert!(person.sees_done(&visit.page).await);
    assert_eq!(phone.seen_by(&admin).await["enrollment"], json!("enrolled"));
}

/// Opens the link and everything around it in a browser that keeps cookies, and sends what forms there are.
async fn scan(link: &Url) {
    let scanner = reqwest::Client::builder().no_proxy().cookie_store(true).build().unwrap();
    let pages = [
        "/",
        "/enroll/code",
        "/enroll/method",
        "/enroll/consent",
        "/enroll/activate",
        "/enroll/certificate",
        "/enroll/profile",
        "/enroll/apple",
        "/enroll/progress",
        "/devices",
    ];
    let around = pages.iter().map(|path| link.join(path).unwrap());
    for url in std::iter::once(link.clone()).chain(around) {
        for method in [Method::HEAD, Method::GET, Method::POST] {
            let form = [("code", "00000000"), ("consent", "yes")];
            let status = scanner.request(method.clone(), url.clone()).form(&form).send().await.unwrap().status();
            assert!(!status.is_server_error(), "{method} {url}: {status}");
        }
    }
}
