//! The texts of mails: written anew by an administrator, in the language of whoever gets them (A6, A19).

use enlist::domain::user::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ADA, mails_to, newest};
use crate::harness::{
    actors::{Admin, text},
    app::{Setup, TestApp},
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    a_text_is_previewed_written_and_given_back,
    a_text_that_no_mail_can_be_made_from_is_refused,
    mails_come_in_the_language_of_the_person_or_of_the_organization,
    a_language_comes_as_files_and_english_stands_in,
    english_stands_in_for_a_file_that_cannot_be_used_for_somebody,
    a_language_that_vanished_stays_as_it_was_kept,
    the_console_shows_previews_and_saves,
    who_may_not_change_settings_reads_only,
);

const INVITATION: &str = "/mail-texts/invitation/en";

async fn invited(app: &TestApp, user: &str) -> String {
    app.admin().invite(user, "personal").await;
    app.work().await;
    mails_to(app, ADA).last().unwrap().text.clone()
}

async fn a_text_is_previewed_written_and_given_back(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    let shipped = admin.get(INVITATION).await.expect(200);
    assert_eq!((&shipped["mail"], &shipped["updated_by"]), (&json!("invitation"), &json!(null)));
    assert!(shipped["variables"].as_array().unwrap().iter().any(|place| place["name"] == "until"), "{shipped}");
    let own =
        json!({ "subject": "  {{name}}, your phone ", "body": "Dear {{name}} of {{organization}},\r\n\r\n* one\r\n* two\r\n\r\n{{link}}" });
    let previews = admin.post(&format!("{INVITATION}/preview"), &own).await.expect(200);
    assert_eq!(previews[0]["subject"], "Ada Lovelace, your phone");
    let (plain, html) = (text(&previews[0], "text"), text(&previews[0], "html"));
    assert!(plain.contains("Dear Ada Lovelace of") && html.contains("<li>one</li>") && html.contains("<a href=\"http"), "{previews}");
    assert!(invited(&app, &ada).await.contains("asks you to enroll"), "nothing was saved yet");

    let saved = admin.put(INVITATION, &own).await.expect(200);
    assert_eq!((&saved["subject"], &saved["updated_by"]), (&json!("{{name}}, your phone"), &json!("administrator")));
    let mail = invited(&app, &ada).await;
    assert!(mail.starts_with("Dear ") && mail.contains("\n* one\n* two\n") && mail.contains("/enroll/"), "{mail}");
    assert!(text(&newest(&admin).await, "subject").ends_with(", your phone"));

    admin.delete(INVITATION).await.expect(204);
    assert_eq!(text(&admin.delete(INVITATION).await.expect(409), "detail"), "the text is the one that comes with the server already");
    assert!(invited(&app, &ada).await.contains("asks you to enroll"));
    let audited = admin.audited().await;
    assert!(["mail_text.change", "mail_text.reset"].iter().all(|action| audited.iter().any(|line| line == action)), "{audited:?}");
    app.work().await;
}

async fn a_text_that_no_mail_can_be_made_from_is_refused(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for (path, subject, body, field, part) in [
        ("code/en", "Code", "Here it is.", "body", "must have {{code}} or {{spaced}} in it"),
        ("code/en", "{{name}}", "{{code}}", "subject", "names {{name}}, which this mail does not have"),
        ("code/de", "Code", "{{code}} {{> code}}", "body", "nothing else in braces"),
        ("compliance/en", "Hello", "{{link}}{{#if is_blocked}}{{blocked}}{{/if}}", "body", "names {{blocked}}"),
        ("invitation/en", "", "{{link}}", "subject", "must not be empty"),
    ] {
        let wanted = json!({ "subject": subject, "body": body });
        for refused in [
            admin.put(&format!("/mail-texts/{path}"), &wanted).await.expect(400),
            admin.post(&format!("/mail-texts/{path}/preview"), &wanted).await.expect(400),
        ] {
            assert_eq!(refused["field"], field, "{refused}");
            assert!(text(&refused, "detail").contains(part), "{part}: {refused}");
        }
    }
    let good = json!({ "subject": "Code", "body": "{{code}}" });
    admin.put("/mail-texts/code/fr", &good).await.expect(404);
    admin.put("/mail-texts/letter/en", &good).await.expect(404);
    admin.get("/mail-texts/code/fr").await.expect(404);
    assert!(!admin.audited().await.iter().any(|line| line.starts_with("mail_text")));
}

async fn speaks(admin: &Admin, user: &str, language: Value) -> Value {
    admin.patch(&format!("/users/{user}"), &json!({ "language": language })).await.expect(200)
}

async fn mails_come_in_the_language_of_the_person_or_of_the_organization(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    assert_eq!(admin.get("/settings").await.expect(200)["mail_language"], "en");
    assert!(invited(&app, &ada).await.starts_with("Hello "));
    admin.patch("/settings", &json!({ "mail_language": "de" })).await.expect(200);
    assert!(invited(&app, &ada).await.starts_with("Guten Tag, "));
    assert!(text(&newest(&admin).await, "subject").starts_with("Registrieren Sie Ihr Gerät"));
    assert_eq!(speaks(&admin, &ada, json!("en")).await["language"], "en");
    assert!(invited(&app, &ada).await.starts_with("Hello "));
    assert_eq!(speaks(&admin, &ada, json!(null)).await["language"], json!(null));
    assert!(invited(&app, &ada).await.starts_with("Guten Tag, "));
    for (path, field) in [("/settings", "mail_language"), (&format!("/users/{ada}"), "language")] {
        let refused = admin.patch(path, &json!({ field: "tlh" })).await.expect(400);
        assert_eq!(refused["field"], field);
        assert!(text(&refused, "detail").contains("de, en"), "{refused}");
    }
    let bob = json!({ "email": "bob@example.com", "name": "Bob", "language": "en" });
    assert_eq!(admin.post("/users", &bob).await.expect(201)["language"], "en");
    app.work().await;
}

const FRENCH: &[(&str, &str)] = &[
    ("mails/fr/language.json", "{ \"name\": \"Français\" }"),
    ("mails/fr/invitation.txt", "Subject: Votre appareil\n\nBonjour {{name}},\n\n{{link}}\n"),
    ("mails/fr/code.txt", "Subject: Votre code\n\nVoici.\n"),
];

async fn a_language_comes_as_files_and_english_stands_in(db: Database) {
    let app = TestApp::start_with(db, Setup { files: FRENCH, ..Setup::default() }).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    speaks(&admin, &ada, json!("fr")).await;
    assert!(invited(&app, &ada).await.starts_with("Bonjour "));
    let (own, missing) = (admin.get("/mail-texts/invitation/fr").await.expect(200), admin.get("/mail-texts/test/fr").await.expect(200));
    assert_eq!((&own["language_name"], &own["is_english"]), (&json!("Français"), &json!(false)));
    assert_eq!(missing["is_english"], true);
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/mails").await.expect(200).says("Français").says("none, sent in English");
    page.says("fr/code.txt: the body must have {{code}} or {{spaced}} in it");
    // What is written for English stands in as well.
    let english = json!({ "subject": "Test", "body": "Written anew." });
    admin.put("/mail-texts/test/en", &english).await.expect(200);
    assert_eq!(admin.get("/mail-texts/test/fr").await.expect(200)["body"], "Written anew.\n");
    app.work().await;
}

async fn english_stands_in_for_a_file_that_cannot_be_used_for_somebody(db: Database) {
    let files = &[("mails/fr/invitation.txt", "Subject: Essai\n\nBonjour {{#unless name}}{{nom}}{{/unless}} {{link}}\n")];
    let app = TestApp::start_with(db, Setup { files, ..Setup::default() }).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    speaks(&admin, &ada, json!("fr")).await;
    assert!(invited(&app, &ada).await.starts_with("Bonjour "));
    // No example has no name.
    app.database.tamper("UPDATE users SET name = '' WHERE language = 'fr'");
    assert!(invited(&app, &ada).await.contains("asks you to enroll"));
}

async fn a_language_that_vanished_stays_as_it_was_kept(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "mail_language": "de" })).await.expect(200);
    app.database.tamper("UPDATE settings SET value = replace(value, '\"mail_language\":\"de\"', '\"mail_language\":\"fr\"')");
    app.database.tamper("UPDATE users SET language = 'fr'");
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/settings").await.expect(200).says("fr (not installed)");
    clerk.submit(&page, "/console/settings", &[("refresh_hours", "9")]).await.expect(200).says("The settings were saved");
    let settings = admin.get("/settings").await.expect(200);
    assert_eq!((&settings["mail_language"], &settings["refresh_hours"]), (&json!("fr"), &json!(9)));
    let path = format!("/console/users/{ada}/edit");
    let page = clerk.open(&path).await.expect(200).says("fr (not installed)");
    clerk.submit(&page, &path, &[("name", "Countess")]).await.expect(200).says("The user was changed");
    let user = admin.get(&format!("/users/{ada}")).await.expect(200);
    assert_eq!((&user["language"], &user["name"]), (&json!("fr"), &json!("Countess")));
    // Nobody new gets it.
    clerk.open("/console/users/new").await.expect(200).keeps_quiet_about("not installed");
    clerk.submit(&page, &path, &[("language", "en")]).await.expect(200);
    admin.patch(&format!("/users/{ada}"), &json!({ "language": "fr" })).await.expect(400);
    assert!(invited(&app, &ada).await.starts_with("Hello "));
}

async fn the_console_shows_previews_and_saves(db: Database) {
    let app = TestApp::start(db).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/mails").await.expect(200).says("Device wiped").says("Deutsch");
    let address = "/console/mails/wiped/de";
    let page =
        clerk.open(address).await.expect(200).says("The text that comes with the server").says("{{is_full}}".trim_matches(['{', '}']));
    let page = page.says("Ada's phone wurde zurückgesetzt").says("Die Firmendaten auf Ada's phone wurden entfernt");
    assert!(!page.has_form(&format!("{address}/reset")));
    let fields = [("subject", "{{device}}"), ("body", "Fertig: {{device}}."), ("action", "preview")];
    let page = clerk.submit(&page, address, &fields).await.expect(200).says("not saved yet").says("Fertig: Ada's phone.");
    let page = page.says("The text that comes with the server");
    let wrong = clerk.submit(&page, address, &[("body", "{{gerät}}"), ("action", "save")]).await.expect(400).says("Nothing was saved");
    let page = clerk.submit(&wrong.says("names {{gerät}}"), address, &[("body", "Aus: {{device}}."), ("action", "save")]).await.expect(200);
    let page = page.says("It holds for every mail").says("Written").says("Aus: Ada's phone.");
    clerk.open("/console/mails").await.says("written here");
    clerk.submit(&page, &format!("{address}/reset"), &[]).await.expect(200).says("comes with the server holds again");
    clerk.open("/console/mails/wiped/xx").await.expect(404);
    clerk.open("/console/mails/letter/de").await.expect(404);

    // The language of a user and of the organization.
    let page = clerk.open("/console/users/new").await.expect(200).says("Language of mails");
    let made = clerk.submit(&page, "/console/users/new", &[("email", ADA), ("name", "Ada"), ("language", "de"), ("invite", "")]).await;
    made.expect(200);
    let ada = app.admin().get(&format!("/users?q={ADA}")).await.expect(200)["items"][0].clone();
    assert_eq!(ada["language"], "de");
    let address = format!("/console/users/{}/edit", text(&ada, "id"));
    let page = clerk.open(&address).await.expect(200);
    clerk.submit(&page, &address, &[("language", "")]).await.expect(200);
    assert_eq!(app.admin().get(&format!("/users/{}", text(&ada, "id"))).await.expect(200)["language"], json!(null));
    let page = clerk.open("/console/settings").await.expect(200);
    clerk.submit(&page, "/console/settings", &[("mail_language", "de")]).await.expect(200).says("The settings were saved");
    assert_eq!(app.admin().get("/settings").await.expect(200)["mail_language"], "de");
    app.work().await;
}

async fn who_may_not_change_settings_reads_only(db: Database) {
    let app = TestApp::start(db).await;
    let good = json!({ "subject": "Code", "body": "{{code}}" });
    for role in [Role::Helpdesk, Role::Auditor] {
        let caller = app.caller(role);
        caller.get("/mail-texts").await.expect(200);
        caller.put("/mail-texts/code/en", &good).await.expect(403);
        caller.delete("/mail-texts/code/en").await.expect(403);
        caller.post("/mail-texts/code/en/preview", &good).await.expect(403);
        let clerk = Clerk::with_role(&app, role).await;
        let page = clerk.open("/console/mails/code/en").await.expect(200).says("Your code for");
        assert!(!page.has_form("/console/mails/code/en"));
        let sent = clerk.request(Method::POST, "/console/mails/code/en").header("sec-fetch-site", "same-origin");
        clerk.send(sent.form(&[("action", "save")])).await.expect(403);
    }
}
