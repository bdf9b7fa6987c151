//! Files that are not taken, and those who may not bring any (B4).

use enlist::domain::{file::LONGEST, user::Role};
use reqwest::Method;

use super::{PDF, arrived, enroll, protect, surfer, upload};
use crate::{
    browsers::{ADA, CHROME},
    harness::{app::TestApp, database::Database, every_backend},
};

every_backend!(what_cannot_be_used_is_refused_by_the_name_of_its_field, a_type_that_is_none_goes_into_the_mail_as_unknown);

async fn what_cannot_be_used_is_refused_by_the_name_of_its_field(db: Database) {
    let app = TestApp::start(db).await;
    let (long, longest) = ("ü".repeat(121), "ü".repeat(120));
    for wrong in
        ["", " ", "../a", "a/b", "a\\b", "C:\\a.pdf", ".bashrc", "..", "a\r\nBcc: eve@example.com", "a\0", "annexe\u{202e}fdp.exe", &long]
    {
        let refused = upload(&app, &[("name", wrong)], PDF, b"x").await.expect(400);
        assert_eq!(refused["field"], "name", "{wrong:?}: {refused}");
    }
    for (field, value) in [("days", "0"), ("days", "366"), ("recipient", "nobody"), ("note", &"x".repeat(201))] {
        let refused = upload(&app, &[("name", "a.pdf"), (field, value)], PDF, b"x").await.expect(400);
        assert_eq!(refused["field"], field, "{value}: {refused}");
    }
    assert!(upload(&app, &[("name", "a.pdf"), ("days", "many")], PDF, b"x").await.expect(400)["detail"].as_str().is_some());
    assert_eq!(upload(&app, &[("name", "a.pdf")], PDF, b"").await.expect(400)["field"], "file");
    let refused = upload(&app, &[("name", "a.pdf")], PDF, &vec![0; LONGEST + 1]).await.expect(400);
    assert!(refused["field"] == "file" && refused["detail"].as_str().unwrap().contains("10 MiB"), "{refused}");
    upload(&app, &[("name", "a.pdf")], PDF, &vec![0; LONGEST + 64 * 1024 + 1]).await.expect(413);
    // Nothing of all that was kept, and whoever may not bring files is told so whatever they bring.
    assert_eq!(app.admin().get("/links").await.expect(200)["total"], 0);
    let auditor = app.caller(Role::Auditor);
    auditor.send(auditor.request(Method::POST, "/links/files?name=a.pdf").body("x")).await.expect(403);
    let helpdesk = app.caller(Role::Helpdesk);
    helpdesk.send(helpdesk.request(Method::POST, "/links/files?name=a.pdf").body("x")).await.expect(201);
    upload(&app, &[("name", &longest)], PDF, b"x").await.expect(201);
}

async fn a_type_that_is_none_goes_into_the_mail_as_unknown(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let longest = "名".repeat(120);
    let rows = [
        ("1 plain", "Text/HTML; charset=utf-8", "text/html"),
        ("2 none", "", "application/octet-stream"),
        ("3 wrong", "pdf", "application/octet-stream"),
        ("4 a mail", "message/rfc822", "application/octet-stream"),
        ("5 many", "multipart/mixed; boundary=x", "application/octet-stream"),
        ("6 a form", "application/x-www-form-urlencoded", "application/octet-stream"),
        (longest.as_str(), "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    ];
    for (name, kind, _) in rows {
        let (_, path) = protect(&app, &[("name", name)], kind, b"x").await;
        super::ask(&app, &ada, &path).await;
    }
    let mut mails = arrived(&app);
    mails.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<(&str, &str)> = mails.iter().map(|mail| (mail.name.as_str(), mail.kind.as_str())).collect();
    assert_eq!(found, rows.map(|(name, _, kind)| (name, kind)));
}
