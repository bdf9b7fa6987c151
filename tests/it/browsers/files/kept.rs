//! What is kept of a file: sealed, in pieces, and no longer than its link (B4).

use diesel::{QueryDsl, RunQueryDsl};
use enlist::{
    domain::{
        file::{LONGEST, MOST_KEPT},
        user::Role,
    },
    store::{self, schema},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ADA, CHROME, PDF, arrived, ask, cookie_of, enroll, get, protect, send, surfer, upload};
use crate::harness::{
    actors::{Admin, text},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    what_is_kept_cannot_be_read_and_arrives_whole_at_every_length,
    the_longest_file_is_taken_and_arrives,
    what_was_withdrawn_is_deleted_and_no_mail_brings_it_any_more,
    what_has_ended_is_deleted_and_its_line_stays,
    whoever_was_disabled_meanwhile_does_not_get_it,
    there_is_room_for_so_much_and_no_more,
);

/// The pieces of all files.
async fn pieces(app: &TestApp) -> Vec<Vec<u8>> {
    let column = schema::protected_file_pieces::sealed_content;
    app.app.read(move |conn| Ok::<_, store::Error>(schema::protected_file_pieces::table.select(column).load(conn)?)).await.unwrap()
}

/// How many files are kept.
async fn count(app: &TestApp) -> i64 {
    app.app.read(|conn| Ok::<_, store::Error>(schema::protected_files::table.count().get_result(conn)?)).await.unwrap()
}

async fn withdraw(admin: &Admin, id: &str) -> Value {
    admin.send(admin.request(Method::POST, &format!("/links/{id}/withdraw"))).await.expect(200)
}

async fn what_is_kept_cannot_be_read_and_arrives_whole_at_every_length(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let piece = 64 * 1024;
    let mut lengths = vec![1, 57, 58, piece - 1, piece, piece + 1, 2 * piece];
    for length in &lengths {
        let content = b"enlist".repeat(length / 6 + 1)[..*length].to_vec();
        let (_, path) = protect(&app, &[("name", "plain.txt")], "text/plain", &content).await;
        ask(&app, &ada, &path).await;
    }
    let mut mails = arrived(&app);
    mails.sort_by_key(|mail| mail.bytes.len());
    lengths.sort_unstable();
    assert_eq!(mails.iter().map(|mail| mail.bytes.len()).collect::<Vec<_>>(), lengths);
    assert!(mails.iter().all(|mail| mail.bytes == b"enlist".repeat(mail.bytes.len() / 6 + 1)[..mail.bytes.len()]));
    let kept = pieces(&app).await;
    assert_eq!(kept.len(), 9);
    assert!(kept.iter().all(|piece| !piece.windows(12).any(|window| window == b"enlistenlist")), "it is sealed");
}

async fn the_longest_file_is_taken_and_arrives(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let content: Vec<u8> = (0..LONGEST).map(|at| u8::try_from(at % 253).unwrap()).collect();
    let (_, path) = protect(&app, &[("name", "long.bin")], "", &content).await;
    assert!(ask(&app, &ada, &path).await.text.contains("10.0 MiB"));
    let mails = arrived(&app);
    assert!(mails.len() == 1 && mails[0].bytes == content);
    assert_eq!(mails[0].kind, "application/octet-stream");
}

// B4
async fn what_was_withdrawn_is_deleted_and_no_mail_brings_it_any_more(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let (id, path) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let (_, other) = protect(&app, &[("name", "b.pdf")], PDF, b"other").await;
    let cookie = cookie_of(&app).await;
    // It was asked for, and the mail waits.
    assert_eq!(send(&app, &path, &cookie).await.0, StatusCode::SEE_OTHER);
    let withdrawn = withdraw(&admin, &id).await;
    assert_eq!(withdrawn["file"]["name"], "a.pdf", "its line stays");
    assert_eq!((count(&app).await, pieces(&app).await.len()), (1, 1), "only the other one is kept");
    app.work().await;
    assert!(arrived(&app).is_empty());
    let mail = admin.get("/mails?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!((&mail["template"], &mail["state"]), (&json!("file"), &json!("expired")));
    assert!(text(&mail, "last_error").contains("withdrawn"), "{mail}");
    for path in [path.clone(), format!("{path}/go")] {
        assert_eq!(get(&app, &path, &cookie).await.0, StatusCode::GONE);
    }
    assert_eq!(send(&app, &path, &cookie).await.0, StatusCode::GONE);
    assert_eq!(send(&app, &other, &cookie).await.0, StatusCode::SEE_OTHER);
    app.work().await;
    assert_eq!(arrived(&app).len(), 1);
    let audit = admin.get("/audit?action=link.withdraw").await.expect(200);
    assert!(text(&audit["items"][0], "detail").contains("a.pdf"), "{audit}");
}

// B4
async fn what_has_ended_is_deleted_and_its_line_stays(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let (short, path) = protect(&app, &[("name", "short.pdf"), ("days", "1")], PDF, b"content").await;
    protect(&app, &[("name", "long.pdf"), ("days", "2")], PDF, b"content").await;
    let cookie = cookie_of(&app).await;
    send(&app, &path, &cookie).await;
    app.work().await;
    app.clock.advance_days(1);
    assert_eq!(send(&app, &path, &cookie).await.0, StatusCode::GONE, "also before anybody has cleaned up");
    app.sweep().await;
    assert_eq!((count(&app).await, pieces(&app).await.len()), (1, 1), "the other one is still good");
    app.clock.advance_days(1);
    app.sweep().await;
    assert_eq!((count(&app).await, pieces(&app).await.len()), (0, 0));
    assert_eq!(admin.get(&format!("/links/{short}")).await.expect(200)["file"], json!({ "name": "short.pdf", "size": 7 }));
    assert_eq!(super::lines(&app, &format!("link={short}")).await.len(), 1, "and so does what was recorded");
}

// B4
async fn whoever_was_disabled_meanwhile_does_not_get_it(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let ada = admin.create_user(ADA).await;
    let (_, path) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let cookie = cookie_of(&app).await;
    assert_eq!(send(&app, &path, &cookie).await.0, StatusCode::SEE_OTHER);
    admin.patch(&format!("/users/{ada}"), &json!({ "state": "disabled" })).await.expect(200);
    app.work().await;
    assert!(arrived(&app).is_empty());
    let mail = admin.get("/mails?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!((&mail["template"], &mail["state"]), (&json!("file"), &json!("expired")));
    assert!(text(&mail, "last_error").contains("disabled"), "{mail}");
}

async fn there_is_room_for_so_much_and_no_more(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (id, _) = protect(&app, &[("name", "a.pdf")], PDF, b"content").await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/links").await.says("In all, 7 bytes of 2.0 GiB are kept");
    app.database.tamper(&format!("UPDATE protected_links SET file_length = {MOST_KEPT} - 3"));
    upload(&app, &[("name", "b.pdf")], PDF, b"xyz").await.expect(201);
    let refused = upload(&app, &[("name", "c.pdf")], PDF, b"x").await.expect(409);
    assert!(text(&refused, "detail").contains("at most 2 GiB of files are kept at once"), "{refused}");
    let page = clerk.open("/console/links").await.says("In all, 2.0 GiB of 2.0 GiB are kept");
    let csrf = page.form("/console/links/files").find(|field| field.name == "csrf").unwrap().value.clone();
    let body = format!(
        "--X\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--X\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"c.pdf\"\r\n\r\nx\r\n--X\r\nContent-Disposition: form-data; \
         name=\"file_days\"\r\n\r\n30\r\n--X--\r\n"
    );
    let request = clerk.request(Method::POST, "/console/links/files").header("content-type", "multipart/form-data; boundary=X");
    clerk.send(request.body(body)).await.expect(409).says("There is no room for the file");
    // What is withdrawn makes room at once.
    withdraw(&admin, &id).await;
    upload(&app, &[("name", "c.pdf")], PDF, b"x").await.expect(201);
}
