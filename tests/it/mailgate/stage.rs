//! A server as a process of its own, a Dovecot that asks it, and people whose phones have a managed mail account.

use std::time::{Duration, Instant};

use enlist::simulator::{Phone, account::MailAccount};
use serde_json::{Value, json};

use super::dovecot::{API_KEY, Dovecot};
use crate::harness::{
    actors::{id, text},
    database::Database,
    process::{Installation, Server},
};

/// The address of the person.
pub const ADA: &str = "ada@example.org";
/// How long something may take that takes no time. Far more than it needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The settings of mail access in all tests: the account is for everybody whose policy requires it.
pub fn settings(imap_port: u16, doveadm_url: &str) -> Value {
    json!({
        "enabled": true,
        "imap_host": "localhost",
        "imap_port": imap_port,
        "smtp_host": "localhost",
        "smtp_port": 587,
        "doveadm_url": doveadm_url,
    })
}

/// A policy that requires a passcode and managed mail, at once.
pub fn policy() -> Value {
    json!({
        "name": "Mail",
        "passcode": { "required": true, "min_length": 6 },
        "require_managed_mail": true,
        "grace_days": 0,
        "enforcement": "block",
    })
}

/// All that mail by compliance needs.
pub struct Stage {
    pub installation: Installation,
    pub server: Server,
    pub dovecot: Dovecot,
}

impl Stage {
    /// Everything set up as the documentation says, with changes of single settings of Dovecot.
    pub async fn start(more: &[(&str, &str)]) -> Self {
        let installation = Installation::new(Database::sqlite());
        let server = installation.start().await;
        let admin = installation.admin();
        let mut dovecot = Dovecot::prepare();
        let keys = admin.post("/mail-access/keys", &json!({})).await.expect(201);
        let body = json!({ "settings": settings(dovecot.port(), &dovecot.doveadm_url()), "doveadm_key": API_KEY });
        admin.put("/mail-access", &body).await.expect(200);
        admin.create_policy(&policy()).await;
        dovecot.start(installation.base().as_str().trim_end_matches('/'), &text(&keys, "configuration"), more);
        dovecot.deliver("ada", "example.org", "From: board@example.org\nSubject: The plan\n\nBuy low.\n");
        Self { installation, server, dovecot }
    }

    /// A phone that is enrolled, compliant, and has its account.
    pub async fn phone(&self) -> Phone {
        let mut phone = self.installation.api().phone(ADA).await;
        phone.enroll().await.unwrap();
        self.wait_for(&mut phone, "allow").await;
        phone
    }

    /// The device as the API shows it.
    pub async fn device(&self, phone: &Phone) -> Value {
        self.installation.admin().device_of(&phone.device().model().serial).await
    }

    /// Lets the phone connect until the server has decided so about it.
    pub async fn wait_for(&self, phone: &mut Phone, access: &str) {
        let began = Instant::now();
        loop {
            phone.poll().await.unwrap();
            let device = self.device(phone).await;
            if device["access"] == access {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the access is not {access}: {device} {:?}", phone.journal());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Has the phone asked for its facts, which it then says.
    pub async fn check_again(&self, phone: &mut Phone) {
        let device = id(&self.device(phone).await);
        self.installation.admin().order(&device, "refresh").await;
        phone.poll().await.unwrap();
    }
}

/// The account that the phone has.
pub fn account(phone: &Phone) -> MailAccount {
    let accounts = phone.device().mail_accounts();
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    accounts[0].clone()
}
