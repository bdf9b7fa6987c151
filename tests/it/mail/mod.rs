//! Mail over SMTP, to a real mail server: what arrives, what is tried again, and what is never sent.

mod announcement;
mod delivery;
mod notices;
mod outbox;
mod sentences;
mod texts;
mod trouble;

use enlist::simulator::mail::Mail;
use serde_json::Value;

use crate::harness::{
    actors::Admin,
    app::{Setup, TestApp},
    database::Database,
    mailserver::MailServer,
};

pub const ADA: &str = "ada@example.com";

/// A server that sends its mail to this mail server, as from `it@example.com`.
pub async fn started(db: Database, server: &MailServer) -> TestApp {
    started_with(db, server.route()).await
}

/// The same by another route.
pub async fn started_with(db: Database, route: enlist::config::MailServer) -> TestApp {
    let app = TestApp::start_with(db, Setup { mail: Some(route), ..Setup::default() }).await;
    let change = serde_json::json!({ "mail_sender": "it@example.com", "organization": "Example & Söhne" });
    app.admin().patch("/settings", &change).await.expect(200);
    app.work().await;
    app
}

/// The mails to an address that lie in the outbox folder, oldest first.
pub fn mails_to(app: &TestApp, address: &str) -> Vec<Mail> {
    let mut paths: Vec<_> = std::fs::read_dir(app.outbox()).map(|all| all.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default();
    paths.sort();
    let mails = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "eml")).map(|path| std::fs::read(path).unwrap());
    mails.map(|raw| Mail::parse(&raw)).filter(|mail| mail.is_for(address)).collect()
}

/// The newest mail as the API shows it.
pub async fn newest(admin: &Admin) -> Value {
    admin.get("/mails?limit=1").await.expect(200)["items"][0].clone()
}
