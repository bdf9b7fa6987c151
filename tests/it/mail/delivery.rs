//! What arrives: over both ways of encryption, signed in, and in a form that mail programs and mail servers like.

use serde_json::{Value, json};

use super::{ADA, newest, started};
use crate::harness::{
    certificates::Company,
    database::Database,
    every_backend,
    mailserver::{Arrived, Encryption, MailServer},
};

every_backend!(an_invitation_arrives_over_starttls, an_invitation_arrives_over_implicit_tls, many_mails_share_a_connection);

async fn an_invitation_arrives_over_starttls(db: Database) {
    arrives(db, Encryption::StartTls).await;
}

async fn an_invitation_arrives_over_implicit_tls(db: Database) {
    arrives(db, Encryption::Implicit).await;
}

async fn arrives(db: Database, encryption: Encryption) {
    let server = MailServer::start(encryption);
    let app = started(db, &server).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.invite(&user, "company").await;
    let queued = newest(&admin).await;
    assert_eq!((&queued["state"], &queued["attempts"], &queued["template"]), (&json!("queued"), &json!(0), &json!("invitation")));
    assert!(queued["next_attempt_at"].is_string(), "{queued}");
    app.work().await;
    let mails = server.wait_for(1).await;
    well_formed(&mails[0]);
    let sent = newest(&admin).await;
    assert_eq!((&sent["state"], &sent["attempts"], &sent["last_error"]), (&json!("sent"), &json!(1), &Value::Null));
    assert!(sent["sent_at"].is_string() && sent["next_attempt_at"].is_null(), "{sent}");
    assert_eq!(mails[0].header("message-id"), format!("<{}>", sent["message_id"].as_str().unwrap()));
    assert!(server.log().contains("A=plain:enlist") && server.log().contains("X=TLS1."), "{}", server.log());
}

fn well_formed(mail: &Arrived) {
    assert_eq!(mail.header("return-path"), "<it@example.com>", "the envelope's sender is never empty");
    assert_eq!(mail.header("envelope-to"), ADA);
    assert_eq!(mail.header("to"), ADA);
    assert_eq!(mail.header("auto-submitted"), "auto-generated");
    assert_eq!(mail.header("mime-version"), "1.0");
    assert!(mail.header("from").ends_with("<it@example.com>"), "{}", mail.text);
    assert!(mail.header("from").starts_with("=?utf-8?"), "what is not ASCII is encoded: {}", mail.text);
    assert!(mail.header("date").ends_with("+0000") && mail.header("date").contains(", "), "{}", mail.text);
    let kind = mail.header("content-type");
    assert!(kind.starts_with("multipart/alternative;"), "{kind}");
    let boundary = kind.split("boundary=").nth(1).unwrap().trim_matches('"');
    let parts: Vec<&str> = mail.text.split(&format!("--{boundary}")).skip(1).collect();
    assert!(parts[0].to_lowercase().contains("content-type: text/plain; charset=utf-8"), "the plain form comes first: {}", parts[0]);
    assert!(parts[1].to_lowercase().contains("content-type: text/html; charset=utf-8"), "{}", parts[1]);
    assert!(parts[2].starts_with("--"), "two parts and no more: {}", mail.text);
    assert!(mail.text.lines().all(|line| line.len() <= 998), "no line is too long");
}

async fn many_mails_share_a_connection(db: Database) {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(db, &server).await;
    let admin = app.admin();
    for number in 0..5 {
        let user = admin.create_user(&format!("user{number}@example.com")).await;
        admin.invite(&user, "company").await;
    }
    app.work().await;
    let mails = server.wait_for(5).await;
    assert_eq!(server.connections(), 1);
    let mut ids: Vec<String> = mails.iter().map(|mail| mail.header("message-id")).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_to_a_server_whose_certificate_is_wrong() {
    let (company, stranger) = (Company::new(), Company::new());
    let (unknown, misnamed) = (stranger.issue("localhost"), company.issue("mail.example.com"));
    for encryption in [Encryption::StartTls, Encryption::Implicit] {
        for (issued, what) in [(&unknown, "unable to get local issuer certificate"), (&misnamed, "ostname mismatch")] {
            let server = MailServer::start_as(encryption, &company, issued);
            // The wrong authority for the right name, and the right authority for the wrong one.
            let app = started(Database::sqlite(), &server).await;
            let admin = app.admin();
            admin.post("/settings/test-mail", &json!({ "recipient": ADA })).await.expect(202);
            app.work().await;
            let waiting = newest(&admin).await;
            let why = waiting["last_error"].as_str().unwrap();
            assert_eq!(waiting["state"], "queued", "an administrator can mend it");
            assert!(why.contains("certificate verify failed") && why.contains(what), "{why}");
            assert!(server.mailbox().is_empty() && !server.log().contains("A=plain"), "{}", server.log());
            app.database.tamper("DELETE FROM jobs; DELETE FROM mails");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_to_a_server_that_offers_no_encryption() {
    let server = MailServer::start(Encryption::Stripped);
    let app = started(Database::sqlite(), &server).await;
    let admin = app.admin();
    admin.post("/settings/test-mail", &json!({ "recipient": ADA })).await.expect(202);
    app.work().await;
    let waiting = newest(&admin).await;
    assert_eq!(waiting["state"], "queued");
    assert!(waiting["last_error"].as_str().unwrap().contains("does not offer STARTTLS"), "{waiting}");
    assert_eq!(server.connections(), 1, "it was asked, and told nothing");
    assert!(server.mailbox().is_empty() && !server.log().contains("rejected"), "{}", server.log());
    app.database.tamper("DELETE FROM jobs; DELETE FROM mails");
}
