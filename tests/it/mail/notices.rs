//! Mails that tell a person what has happened to a device of theirs: it was enrolled in their name, or wiped.

use serde_json::json;

use super::{ADA, mails_to};
use crate::{
    browsers::{CHROME, enroll, surfer},
    harness::{actors::IPhone, app::TestApp, database::Database, every_backend},
};

every_backend!(
    an_enrollment_is_told_to_the_owner_and_a_wipe_once_it_was_carried_out,
    a_browser_is_enrolled_without_another_mail,
    a_wipe_counts_also_where_nobody_can_be_told
);

fn subjects(app: &TestApp) -> Vec<String> {
    mails_to(app, ADA).iter().map(|mail| mail.text.lines().nth(2).unwrap_or_default().to_owned()).collect()
}

async fn an_enrollment_is_told_to_the_owner_and_a_wipe_once_it_was_carried_out(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    for (number, scope, told) in [(0, "selective", "company data"), (1, "full", "everything on")] {
        let before = mails_to(&app, ADA).len();
        let mut phone = IPhone::enroll(&app, &ada, "company", number).await;
        phone.obey_all().await;
        app.work().await;
        let mails = mails_to(&app, ADA).split_off(before);
        let mail = mails.iter().find(|mail| mail.text.contains("in your name")).expect("nothing was told of the enrollment");
        assert!(mail.text.contains(&format!("{}/devices", app.address())), "{}", mail.text);

        let before = mails_to(&app, ADA).len();
        admin.wipe(&phone.seen_by(&admin).await, scope).await.expect(202);
        app.work().await;
        assert_eq!(mails_to(&app, ADA).len(), before, "whoever has the device may read the mail on it");
        phone.obey_all().await;
        app.work().await;
        assert_eq!(phone.seen_by(&admin).await["enrollment"], "wiped");
        let mails = mails_to(&app, ADA).split_off(before);
        assert_eq!(mails.len(), 1, "{:?}", subjects(&app));
        let text = mails[0].text.replace('\n', " ");
        assert!(text.contains(told), "{scope}: {text}");
    }
    let listed = admin.get("/mails?limit=200").await.expect(200);
    let kinds: Vec<&str> = listed["items"].as_array().unwrap().iter().filter_map(|mail| mail["template"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "wiped").count(), 2, "{kinds:?}");
}

async fn a_wipe_counts_also_where_nobody_can_be_told(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    let mut phone = IPhone::enroll(&app, &ada, "company", 0).await;
    phone.obey_all().await;
    app.work().await;
    // An address as earlier versions took it, to which no mail can be written.
    app.database.tamper(&format!("UPDATE users SET email = 'ada@_x.example.com' WHERE email = '{ADA}'"));
    admin.wipe(&phone.seen_by(&admin).await, "full").await.expect(202);
    phone.obey_all().await;
    app.work().await;
    assert_eq!(phone.seen_by(&admin).await["enrollment"], "wiped");
    let listed = admin.get("/mails?limit=200").await.expect(200);
    assert!(listed["items"].as_array().unwrap().iter().all(|mail| mail["template"] != "wiped"), "{listed}");
}

async fn a_browser_is_enrolled_without_another_mail(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let surfer = surfer(&app, CHROME, ADA);
    enroll(&app, &surfer).await;
    app.work().await;
    let listed = admin.get("/mails?limit=200").await.expect(200);
    assert_eq!((&listed["total"], &listed["items"][0]["template"]), (&json!(1), &json!("code")));
}
