//! Mail over SMTP, to a real mail server: what arrives, what is tried again, and what is never sent.

mod delivery;
mod outbox;
mod trouble;

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

/// The newest mail as the API shows it.
pub async fn newest(admin: &Admin) -> Value {
    admin.get("/mails?limit=1").await.expect(200)["items"][0].clone()
}
