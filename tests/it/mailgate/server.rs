//! What the server says to a mail server: on both databases, with a Dovecot that the test plays.

use enlist::simulator::{account::MailAccount, passcode::Passcode};
use openssl::sha::Sha256;
use serde_json::{Value, json};

use super::stage::{ADA, account, policy, settings};
use crate::harness::{
    actors::{IPhone, Reply, id, text},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    a_login_is_judged_by_the_device_that_the_password_was_made_for,
    the_password_is_kept_nowhere_and_shown_nowhere,
    a_lost_profile_is_installed_again_and_an_unwanted_one_removed,
    sessions_that_cannot_be_ended_are_tried_again_and_shown,
);

/// What Dovecot knows: how to reach the server, and what both share.
struct PlayedDovecot {
    address: String,
    key: String,
    nonce: String,
}

impl PlayedDovecot {
    /// Reads what was shown when the keys were made.
    fn configured(app: &TestApp, configuration: &str) -> Self {
        let value = |name: &str| {
            let line = configuration.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once(" = ").unwrap().1.to_owned()
        };
        let header = value("auth_policy_server_api_header");
        let key = header.strip_prefix("Authorization: Bearer ").unwrap().to_owned();
        Self { address: app.address().to_owned(), key, nonce: value("auth_policy_hash_nonce") }
    }

    /// How Dovecot names a password.
    fn hash(&self, user: &str, password: &str) -> String {
        let mut hash = Sha256::new();
        for part in [self.nonce.as_bytes(), user.as_bytes(), b"\0", password.as_bytes()] {
            hash.update(part);
        }
        hash.finish().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    async fn say(&self, command: &str, body: &Value) -> Reply {
        let url = format!("{}/gate/v1/mail/dovecot?command={command}", self.address);
        let answer = reqwest::Client::new().post(url).bearer_auth(&self.key).json(body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Reply { status, headers, bytes: answer.bytes().await.unwrap().to_vec() }
    }

    /// Asks about a login; gives the reason where it is refused.
    async fn ask(&self, account: &MailAccount) -> Option<String> {
        let hash = self.hash(&account.user_name, &account.password);
        // Dovecot says some things twice.
        let body = json!({ "login": account.user_name, "pwhash": hash, "remote": "192.0.2.7", "protocol": "imap", "tls": true });
        let answer = self.say("allow", &body).await.expect(200);
        match answer["status"].as_i64() {
            Some(0) => None,
            Some(-1) => Some(text(&answer, "msg")),
            _ => panic!("{answer}"),
        }
    }

    async fn tell_success(&self, account: &MailAccount) {
        let hash = self.hash(&account.user_name, &account.password);
        let body = json!({ "login": account.user_name, "pwhash": hash, "remote": "192.0.2.7", "success": true, "policy_reject": false });
        self.say("report", &body).await.expect(200);
    }
}

/// A server with mail access, a Dovecot that knows it, and a phone that has its account.
async fn stage(database: Database) -> (TestApp, PlayedDovecot, IPhone) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let keys = admin.post("/mail-access/keys", &json!({})).await.expect(201);
    let dovecot = PlayedDovecot::configured(&app, &text(&keys, "configuration"));
    admin.put("/mail-access", &json!({ "settings": settings(993, "") })).await.expect(200);
    admin.create_policy(&policy()).await;
    let user = admin.create_user(ADA).await;
    let mut phone = IPhone::enroll(&app, &user, "company", 1).await;
    settle(&app, &mut phone).await;
    assert_eq!(phone.seen_by(&admin).await["access"], "allow");
    (app, dovecot, phone)
}

/// Lets the phone do all that is asked of it.
async fn settle(app: &TestApp, phone: &mut IPhone) {
    app.work().await;
    while !phone.obey_all().await.is_empty() {
        app.work().await;
    }
}

async fn a_login_is_judged_by_the_device_that_the_password_was_made_for(database: Database) {
    let (app, dovecot, mut phone) = stage(database).await;
    let admin = app.admin();
    let ada = account(&phone);
    assert_eq!(dovecot.ask(&ada).await, None);
    let own = MailAccount { password: "Ada's own password".into(), ..ada.clone() };
    assert!(dovecot.ask(&own).await.unwrap().contains("Enroll your device at"));
    let other = MailAccount { user_name: "eve@example.org".into(), ..ada.clone() };
    assert!(dovecot.ask(&other).await.is_some(), "a password is one user's");

    let stranger = PlayedDovecot { key: "enlist_mail_forged".into(), nonce: dovecot.nonce.clone(), address: dovecot.address.clone() };
    let body = json!({ "login": ADA, "pwhash": dovecot.hash(ADA, &ada.password) });
    for command in ["allow", "report"] {
        assert_eq!(stranger.say(command, &body).await.status, 401);
    }
    for odd in [json!({ "login": ADA, "pwhash": "0f" }), json!({}), json!([])] {
        assert_eq!(dovecot.say("allow", &odd).await.status, 400);
    }
    assert_eq!(dovecot.say("kick", &body).await.status, 400);

    let device = id(&phone.seen_by(&admin).await);
    phone.device_mut().set_passcode(Passcode::None);
    admin.order(&device, "refresh").await;
    settle(&app, &mut phone).await;
    assert!(dovecot.ask(&ada).await.unwrap().contains("No passcode is set on the device."));
    phone.device_mut().set_passcode(Passcode::Strong);
    admin.order(&device, "refresh").await;
    settle(&app, &mut phone).await;
    assert_eq!(dovecot.ask(&ada).await, None);

    admin.order(&device, "retire").await;
    assert!(dovecot.ask(&ada).await.is_some(), "before the phone knows");
    settle(&app, &mut phone).await;
    assert!(dovecot.ask(&ada).await.is_some());
}

async fn the_password_is_kept_nowhere_and_shown_nowhere(database: Database) {
    let (app, dovecot, mut phone) = stage(database).await;
    let admin = app.admin();
    let ada = account(&phone);
    let device = id(&phone.seen_by(&admin).await);
    let clerk = Clerk::with_role(&app, enlist::domain::user::Role::Administrator).await;
    let shown = clerk.open(&format!("/console/devices/{device}")).await.expect(200).says("Last used never");
    assert!(!shown.source.contains(&ada.password));
    let commands = admin.get(&format!("/devices/{device}/commands?limit=200")).await.expect(200);
    let installed = commands["items"].as_array().unwrap().iter().find(|command| command["kind"] == "install_mail_profile").unwrap();
    let page = clerk.open(&format!("/console/devices/{device}/commands/{}", id(installed))).await.expect(200);
    let api = admin.get(&format!("/devices/{device}/commands/{}", id(installed))).await.text();
    assert!(!page.says("kept nowhere").source.contains(&ada.password) && !api.contains(&ada.password), "{api}");
    assert_eq!(texts_that_contain(&app, &ada.password), Vec::<String>::new());

    dovecot.tell_success(&ada).await;
    clerk.open(&format!("/console/devices/{device}")).await.says("from 192.0.2.7");
    clerk.open("/console/mail").await.expect(200).says("Dovecot last told of a login").says("Devices with an account 1");

    // The old one is void when a new one is ordered, not when it arrives.
    let page = clerk.open(&format!("/console/devices/{device}")).await;
    let action = format!("/console/devices/{device}/mail-password");
    clerk.submit(&page, &action, &[]).await.expect(200).says("A new mail password was ordered");
    assert!(dovecot.ask(&ada).await.is_some());
    settle(&app, &mut phone).await;
    let new = account(&phone);
    assert_ne!(new.password, ada.password);
    assert_eq!(dovecot.ask(&new).await, None);

    // New keys are a new beginning.
    admin.post("/mail-access/keys", &json!({})).await.expect(409);
    let keys = admin.post("/mail-access/keys", &json!({ "confirm": true })).await.expect(201);
    assert_eq!(dovecot.say("allow", &json!({ "pwhash": "0f".repeat(32) })).await.status, 401);
    let dovecot = PlayedDovecot::configured(&app, &text(&keys, "configuration"));
    assert!(dovecot.ask(&new).await.is_some());
    settle(&app, &mut phone).await;
    assert_eq!(dovecot.ask(&account(&phone)).await, None);
    let audited = admin.audited().await;
    for action in ["mail_access.make_keys", "mail_access.change", "device.mail_password"] {
        assert!(audited.iter().any(|line| line == action), "{action}: {audited:?}");
    }
    assert!(!admin.get("/audit?limit=200").await.text().contains(&dovecot.key));
}

/// The names of the tables that have this text somewhere.
fn texts_that_contain(app: &TestApp, needle: &str) -> Vec<String> {
    let read = |conn: &mut enlist::store::Conn| -> Result<Vec<String>, enlist::store::Error> {
        let mut found = Vec::new();
        for table in enlist::store::dump::tables(conn)?.into_iter().filter(|table| !enlist::store::dump::is_derived(table)) {
            enlist::store::dump::export(conn, &table, |page, _| {
                if page.contains(needle) {
                    found.push(table.name.clone());
                }
                Ok::<_, enlist::store::Error>(())
            })?;
        }
        Ok(found)
    };
    enlist::store::write_once(&app.database.url(), |tx| read(tx)).unwrap()
}

async fn a_lost_profile_is_installed_again_and_an_unwanted_one_removed(database: Database) {
    let (app, dovecot, mut phone) = stage(database).await;
    let admin = app.admin();
    let ada = account(&phone);
    // As an Exchange account it is another profile.
    let exchange =
        json!({ "settings": { "enabled": true, "protocol": "exchange", "exchange_host": "eas.example.org", "user_name": "{local}" } });
    admin.put("/mail-access", &exchange).await.expect(200);
    settle(&app, &mut phone).await;
    let changed = account(&phone);
    assert_eq!(
        (changed.kind.as_str(), changed.host.as_str(), changed.user_name.as_str()),
        ("com.apple.eas.account", "eas.example.org", "ada")
    );
    assert_eq!(dovecot.ask(&changed).await, None);
    assert!(dovecot.ask(&ada).await.is_some(), "what was installed before is not in use any more");

    // Nothing can be removed or replaced by hand that the server keeps.
    let device = id(&phone.seen_by(&admin).await);
    let identifier = phone.device().profiles().into_iter().find(|name| name.rsplit('.').next() == Some("mail")).unwrap().to_owned();
    let by_hand = json!({ "kind": "remove_profile", "identifier": identifier });
    admin.post(&format!("/devices/{device}/commands"), &by_hand).await.expect(409);

    admin.put("/mail-access", &json!({ "settings": { "enabled": false } })).await.expect(200);
    assert_eq!(dovecot.ask(&changed).await.unwrap(), "Mail access is switched off at the moment.");
    settle(&app, &mut phone).await;
    assert!(phone.device().mail_accounts().is_empty());
    let seen = phone.seen_by(&admin).await;
    assert_eq!((seen["access"].as_str(), seen["reasons"][0]["code"].as_str()), (Some("block"), Some("mail_not_managed")), "{seen}");
    for (field, value) in
        [("imap_host", json!("a b")), ("user_name", json!("all")), ("doveadm_url", json!("ftp://x")), ("imap_port", json!(0))]
    {
        let mut wrong = settings(993, "");
        wrong[field] = value;
        let problem = admin.put("/mail-access", &json!({ "settings": wrong })).await.expect(400);
        assert!(problem.to_string().contains(field), "{problem}");
    }
}

async fn sessions_that_cannot_be_ended_are_tried_again_and_shown(database: Database) {
    let (app, _dovecot, mut phone) = stage(database).await;
    let admin = app.admin();
    // Nobody listens there.
    let body = json!({ "settings": settings(993, "http://127.0.0.1:1"), "doveadm_key": "k" });
    admin.put("/mail-access", &body).await.expect(200);
    settle(&app, &mut phone).await;
    phone.device_mut().set_passcode(Passcode::None);
    admin.order(&id(&phone.seen_by(&admin).await), "refresh").await;
    settle(&app, &mut phone).await;
    app.work().await;
    let jobs = app.jobs("mail_kick");
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    assert!(jobs.iter().any(|job| job.last_error.as_ref().is_some_and(|why| why.contains("doveadm cannot be reached"))), "{jobs:?}");
    let state = admin.get("/mail-access").await.expect(200);
    assert!(text(&state["last_kick"], "error").contains("cannot be reached"), "{state}");
    let clerk = Clerk::with_role(&app, enlist::domain::user::Role::Administrator).await;
    clerk.open("/console/mail").await.expect(200).says("Sessions could not be ended: doveadm cannot be reached");
    clerk.open("/console/jobs").await.expect(200).says("Mail kick");
}
