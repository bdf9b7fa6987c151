//! The announcement of browser enrollment: to everybody, to a group, or to some, each mail followed in the outbox (A6).

use enlist::domain::user::Role;
use serde_json::{Value, json};

use super::{ADA, mails_to};
use crate::harness::{
    actors::{Admin, id, text},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    it_goes_to_everybody_a_group_or_some,
    nobody_who_takes_no_part_gets_it,
    the_console_says_who_gets_it_and_how_far_it_has_come,
    somebody_to_whom_no_mail_can_be_written_keeps_nobody_else_from_theirs,
    one_is_written_after_the_other,
    the_console_counts_many_addresses_and_takes_a_mistake_for_nobody,
    a_language_that_vanished_and_a_text_that_cannot_be_used_do_not_take_the_page_away,
);

const BOB: &str = "bob@example.com";

async fn announced(app: &TestApp, to: Value) -> Value {
    let admin = app.admin();
    let begun = id(&admin.post("/announcements", &to).await.expect(202));
    app.work().await;
    admin.get(&format!("/imports/{begun}")).await.expect(200)
}

async fn users(admin: &Admin) -> [String; 2] {
    [admin.create_user(ADA).await, admin.create_user(BOB).await]
}

// A6
async fn it_goes_to_everybody_a_group_or_some(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let [_, bob] = users(&admin).await;
    admin.patch(&format!("/users/{bob}"), &json!({ "language": "de" })).await.expect(200);
    admin.patch("/settings", &json!({ "browser_enrollment_days": 30 })).await.expect(200);
    let all = announced(&app, json!({})).await;
    assert_eq!((&all["kind"], &all["state"], &all["total"]), (&json!("announcements"), &json!("finished"), &json!(2)));
    assert_eq!((&all["invited"], &all["mails_sent"], &all["failed"]), (&json!(2), &json!(2), &json!(0)));
    let english = mails_to(&app, ADA).pop().unwrap().text;
    let link = format!("\n{}/browser\n", app.address());
    assert!(english.contains("in 30 days") && english.contains(&link) && english.contains("The real page is at 127.0.0.1"), "{english}");
    let german = mails_to(&app, BOB).pop().unwrap().text;
    assert!(german.starts_with("Guten Tag, ") && german.contains(&link), "{german}");

    let group = admin.create_group("Sales").await;
    admin.put(&format!("/groups/{group}/members/{bob}"), &json!({})).await.expect(204);
    assert_eq!(announced(&app, json!({ "group": group })).await["total"], 1);
    assert_eq!(announced(&app, json!({ "emails": ["Bob@Example.com", BOB] })).await["total"], 1);
    assert_eq!((mails_to(&app, ADA).len(), mails_to(&app, BOB).len()), (1, 3));
    let listed = admin.get("/mails?limit=200").await.expect(200);
    let listed: Vec<&Value> = listed["items"].as_array().unwrap().iter().collect();
    assert!(listed.iter().all(|mail| mail["template"] == "announcement" && mail["state"] == "sent") && listed.len() == 4, "{listed:?}");
}

async fn nobody_who_takes_no_part_gets_it(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let [ada, bob] = users(&admin).await;
    admin.patch(&format!("/users/{bob}"), &json!({ "state": "disabled" })).await.expect(200);
    for (to, part) in [
        (json!({ "emails": [] }), "must be 1 to"),
        (json!({ "emails": ["nobody"] }), "is not a mail address"),
        (json!({ "emails": [ADA, "eve@example.com"] }), "eve@example.com is none"),
        (json!({ "emails": [BOB] }), "bob@example.com is none"),
        (json!({ "emails": [ADA], "group": uuid::Uuid::now_v7() }), "cannot both be given"),
    ] {
        let refused = admin.post("/announcements", &to).await.expect(400);
        assert_eq!(refused["field"], "emails");
        assert!(text(&refused, "detail").contains(part), "{part}: {refused}");
    }
    admin.post("/announcements", &json!({ "group": uuid::Uuid::now_v7() })).await.expect(404);
    let empty = admin.create_group("Nobody").await;
    admin.post("/announcements", &json!({ "group": empty })).await.expect(409);
    app.caller(Role::Auditor).post("/announcements", &json!({})).await.expect(403);
    // Disabled after it was begun, and before it was written.
    let begun = id(&admin.post("/announcements", &json!({ "emails": [ADA] })).await.expect(202));
    admin.patch(&format!("/users/{ada}"), &json!({ "state": "disabled" })).await.expect(200);
    app.work().await;
    let seen = admin.get(&format!("/imports/{begun}")).await.expect(200);
    assert_eq!((&seen["failed"], &seen["failures"][0]["email"]), (&json!(1), &json!(ADA)));
    assert!(mails_to(&app, ADA).is_empty() && mails_to(&app, BOB).is_empty());
}

async fn the_console_says_who_gets_it_and_how_far_it_has_come(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let [ada, _] = users(&admin).await;
    let group = admin.create_group("Sales").await;
    admin.put(&format!("/groups/{group}/members/{ada}"), &json!({})).await.expect(204);
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let address = "/console/announcement";
    clerk.open("/console/browsers").await.expect(200).says("Announce");
    let page = clerk.open(address).await.expect(200).says("Send it to 3 people").says("will ask your browser who you are");
    page.form(&format!("{address}/send"));
    let wrong = clerk.submit(&page, address, &[("emails", "eve@example.com")]).await.expect(400);
    wrong.says("eve@example.com is none").says("Nobody would get it");
    let page = clerk.submit(&page, address, &[("group", group.as_str())]).await.expect(200).says("Send it to 1 person");
    let progress = clerk
        .submit(&page, &format!("{address}/send"), &[])
        .await
        .expect(200)
        .says("The announcement is being written")
        .says("0 of 1 done");
    app.work().await;
    let done = clerk.open(progress.page.url.path()).await.expect(200).says("The announcement was written").says("Written to");
    done.keeps_quiet_about("Invited");
    assert_eq!((mails_to(&app, ADA).len(), mails_to(&app, BOB).len()), (1, 0));
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": false, "confirm_risk": true })).await.expect(200);
    clerk.open(address).await.expect(200).says("Browsers are not enrolled at the moment");
}

async fn somebody_to_whom_no_mail_can_be_written_keeps_nobody_else_from_theirs(db: Database) {
    let app = TestApp::start(db).await;
    users(&app.admin()).await;
    // An address as earlier versions took it.
    app.database.tamper(&format!("UPDATE users SET email = 'ada@_x.example.com' WHERE email = '{ADA}'"));
    let seen = announced(&app, json!({})).await;
    assert_eq!((&seen["state"], &seen["invited"], &seen["failed"]), (&json!("finished"), &json!(1), &json!(1)));
    let failure = &seen["failures"][0];
    assert!(text(failure, "why").contains("the mail could not be written: 'ada@_x.example.com' is not a mail address"), "{failure}");
    assert_eq!(mails_to(&app, BOB).len(), 1);
}

async fn one_is_written_after_the_other(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    users(&admin).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/announcement").await.expect(200);
    admin.post("/announcements", &json!({})).await.expect(202);
    let refused = admin.post("/announcements", &json!({ "emails": [ADA] })).await.expect(409);
    assert!(text(&refused, "detail").contains("nother announcement is still being written"), "{refused}");
    let refused = clerk.submit(&page, "/console/announcement/send", &[]).await.expect(409);
    refused.says("Another announcement is still being written").says("Send it to 3 people");
    app.work().await;
    assert_eq!(announced(&app, json!({ "emails": [ADA] })).await["total"], 1);
    assert_eq!((mails_to(&app, ADA).len(), mails_to(&app, BOB).len()), (2, 1));
}

async fn the_console_counts_many_addresses_and_takes_a_mistake_for_nobody(db: Database) {
    let app = TestApp::start(db).await;
    users(&app.admin()).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let address = "/console/announcement";
    let page = clerk.open(address).await.expect(200).says("Send it to 3 people");
    // More than an address bar holds.
    let many = [ADA, BOB].repeat(5000).join(" ");
    let counted = clerk.submit(&page, address, &[("emails", many.as_str())]).await.expect(200).says("Send it to 2 people");
    let sent = format!("{address}/send");
    clerk.submit(&counted, &sent, &[]).await.expect(200).says("0 of 2 done");
    app.work().await;
    for action in [address, &sent] {
        let refused = clerk.submit(&page, action, &[("emails", " ; , ")]).await.expect(400);
        refused.says("The addresses must be given").says("Nobody would get it");
    }
    clerk.submit(&page, address, &[("emails", " \r\n")]).await.expect(200).says("Send it to 3 people");
    assert_eq!((mails_to(&app, ADA).len(), mails_to(&app, BOB).len()), (1, 1));
}

async fn a_language_that_vanished_and_a_text_that_cannot_be_used_do_not_take_the_page_away(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    admin.patch("/settings", &json!({ "mail_language": "de" })).await.expect(200);
    app.database.tamper("UPDATE settings SET value = replace(value, '\"mail_language\":\"de\"', '\"mail_language\":\"fr\"')");
    clerk.open("/console/announcement").await.expect(200).says("will ask your browser who you are");
    let own = json!({ "subject": "News", "body": "{{link}}" });
    admin.put("/mail-texts/announcement/en", &own).await.expect(200);
    app.database.tamper("UPDATE mail_texts SET body = '{{link}} {{gone}}'");
    clerk.open("/console/announcement").await.expect(200).says("The text cannot be used as it is").says("Send it to 1 person");
    app.work().await;
}
