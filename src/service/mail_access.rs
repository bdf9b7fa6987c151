//! Mail access: how managed devices reach the organization's mail server, what that server shares with this one, and how both fare.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{App, Error, Result, rollout, secrets::Secret};
use crate::{
    domain::{
        audit::Actor,
        mail_access::{MailProtocol, MailReach, is_pattern},
        time::Timestamp,
    },
    dovecot::Keys,
    pki::seal::SealKey,
    store::{
        self, Conn, Tx,
        audit::{self, Entry},
        mail_accounts,
        rollouts::Scope,
    },
};

const KEY: &str = "mail_access";
const SECRETS: &str = "mail_access_keys";
const DOVEADM_KEY: &str = "mail_access_doveadm_key";
const LAST_REQUEST: &str = "mail_access_last_request";
const LAST_KICK: &str = "mail_access_last_kick";
/// What the secrets are sealed for.
const PURPOSE: &str = "mail_access";
/// Begins the key that Dovecot shows; tells people and secret scanners what it is.
const PREFIX: &str = "enlist_mail_";

/// How managed devices reach their mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MailAccess {
    /// Devices get a managed mail account.
    pub enabled: bool,
    /// What the account speaks.
    pub protocol: MailProtocol,
    /// Which devices get it.
    pub reach: MailReach,
    /// What the account is called on the device.
    pub name: String,
    /// The user name, made of `{email}`, `{local}` and `{domain}`.
    pub user_name: String,
    /// Host of the IMAP server.
    pub imap_host: String,
    /// Its port. Connections are always encrypted.
    pub imap_port: u16,
    /// Host of the SMTP server.
    pub smtp_host: String,
    /// Its port. Connections are always encrypted.
    pub smtp_port: u16,
    /// Host of the Exchange `ActiveSync` server.
    pub exchange_host: String,
    /// Where doveadm's HTTP interface listens, such as `http://mail.example.com:8080`; empty where sessions are not to be ended.
    pub doveadm_url: String,
}

impl Default for MailAccess {
    fn default() -> Self {
        Self {
            enabled: false,
            protocol: MailProtocol::Imap,
            reach: MailReach::Policy,
            name: "Work mail".into(),
            user_name: "{email}".into(),
            imap_host: String::new(),
            imap_port: 993,
            smtp_host: String::new(),
            smtp_port: 587,
            exchange_host: String::new(),
            doveadm_url: String::new(),
        }
    }
}

impl MailAccess {
    fn trimmed(mut self) -> Self {
        let texts = [&mut self.name, &mut self.user_name, &mut self.imap_host, &mut self.smtp_host, &mut self.exchange_host];
        for text in texts {
            *text = text.trim().to_owned();
        }
        self.doveadm_url = self.doveadm_url.trim().trim_end_matches('/').to_owned();
        self
    }

    fn check(&self) -> Result<()> {
        if self.name.is_empty() || self.name.chars().count() > 60 || self.name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "must be 1 to 60 characters without line breaks"));
        }
        if !is_pattern(&self.user_name) {
            return Err(Error::invalid(
                "user_name",
                "must contain {email} or {local}, and beside that only letters, digits and the characters . - _ @ +",
            ));
        }
        let hosts = [("imap_host", &self.imap_host), ("smtp_host", &self.smtp_host), ("exchange_host", &self.exchange_host)];
        for (field, host) in hosts {
            let is_needed = self.enabled && (field == "exchange_host") == (self.protocol == MailProtocol::Exchange);
            check_host(field, host, is_needed)?;
        }
        for (field, port) in [("imap_port", self.imap_port), ("smtp_port", self.smtp_port)] {
            if port == 0 {
                return Err(Error::invalid(field, "must be between 1 and 65535"));
            }
        }
        check_doveadm(&self.doveadm_url)
    }
}

fn check_host(field: &'static str, host: &str, is_needed: bool) -> Result<()> {
    if host.is_empty() && is_needed {
        return Err(Error::invalid(field, "is missing"));
    }
    if host.len() > 253 || !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')) {
        return Err(Error::invalid(field, "must be the name of a server, such as mail.example.com"));
    }
    Ok(())
}

fn check_doveadm(url: &str) -> Result<()> {
    let wrong = || Error::invalid("doveadm_url", "must be an address such as http://mail.example.com:8080, without a path");
    if url.is_empty() {
        return Ok(());
    }
    let parsed = url::Url::parse(url).map_err(|_| wrong())?;
    let is_bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    let is_anonymous = parsed.username().is_empty() && parsed.password().is_none();
    if matches!(parsed.scheme(), "http" | "https") && is_bare && is_anonymous && url.len() <= 300 { Ok(()) } else { Err(wrong()) }
}

/// What Dovecot and this server share, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeptKeys {
    /// The [`Keys`] as JSON, sealed, in base64.
    sealed: String,
    /// What is kept of the key that Dovecot shows, in base64.
    hash: String,
    /// Another one for other keys: profiles have it in their UUID.
    edition: String,
    made_at: Timestamp,
}

/// What Dovecot and this server share.
pub(super) struct Shared {
    pub keys: Keys,
    /// Another one for other keys.
    pub edition: String,
}

/// How the last attempt to end sessions went.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KickResult {
    /// When.
    pub at: Timestamp,
    /// Why it failed; null where it did not.
    pub error: Option<String>,
}

/// Mail access with how it fares.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MailAccessState {
    /// The settings.
    pub settings: MailAccess,
    /// Whether there is a key for doveadm. The key itself is not shown.
    pub has_doveadm_key: bool,
    /// When the keys for Dovecot were made; null where there are none, and then no device gets an account.
    pub keys_made_at: Option<Timestamp>,
    /// When Dovecot last told of a login, to half a minute.
    pub last_request_at: Option<Timestamp>,
    /// How the last attempt to end sessions went.
    pub last_kick: Option<KickResult>,
    /// How many devices have a mail account.
    pub devices: i64,
}

/// Keys that were just made; they are shown this once.
pub struct MadeKeys {
    /// The part of Dovecot's configuration that holds them.
    pub configuration: String,
}

/// The settings in force.
///
/// # Errors
/// Those of the database.
pub(super) fn read(conn: &mut Conn) -> std::result::Result<MailAccess, store::Error> {
    Ok(store::settings::find(conn, KEY)?.unwrap_or_default())
}

/// What Dovecot and this server share, if keys were made.
pub(super) fn shared(conn: &mut Conn, keys: &SealKey) -> Result<Option<Shared>> {
    let Some(kept) = store::settings::find::<KeptKeys>(conn, SECRETS)? else { return Ok(None) };
    let opened = keys.open(PURPOSE, &decoded(&kept.sealed)?)?;
    let keys = serde_json::from_slice(&opened).map_err(|error| Error::internal("reading the keys of mail access", error))?;
    Ok(Some(Shared { keys, edition: kept.edition }))
}

/// Whether somebody shows the key that was made for Dovecot.
pub(super) fn is_dovecot(conn: &mut Conn, key: &str) -> Result<bool> {
    let Some(kept) = store::settings::find::<KeptKeys>(conn, SECRETS)? else { return Ok(false) };
    let (kept, shown) = (decoded(&kept.hash)?, super::secrets::hash(key));
    Ok(kept.len() == shown.len() && openssl::memcmp::eq(&kept, &shown))
}

/// The key for doveadm.
pub(super) fn doveadm_key(conn: &mut Conn, keys: &SealKey) -> Result<Option<String>> {
    let Some(sealed) = store::settings::find::<String>(conn, DOVEADM_KEY)?.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
    let opened = keys.open(PURPOSE, &decoded(&sealed)?)?;
    Ok(Some(String::from_utf8_lossy(&opened).into_owned()))
}

/// Notes that Dovecot told of a login.
pub(super) fn note_request(tx: &mut Tx<'_>, now: Timestamp) -> Result<()> {
    Ok(store::settings::upsert(tx, LAST_REQUEST, &now, now)?)
}

/// Notes how an attempt to end sessions went.
pub(super) fn note_kick(tx: &mut Tx<'_>, now: Timestamp, error: Option<String>) -> Result<()> {
    Ok(store::settings::upsert(tx, LAST_KICK, &KickResult { at: now, error }, now)?)
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|error| Error::internal("reading a secret of mail access", error))
}

impl App {
    /// Mail access and how it fares.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mail_access(&self) -> Result<MailAccessState> {
        self.read(|conn| {
            Ok(MailAccessState {
                settings: read(conn)?,
                has_doveadm_key: store::settings::find::<String>(conn, DOVEADM_KEY)?.is_some_and(|sealed| !sealed.is_empty()),
                keys_made_at: store::settings::find::<KeptKeys>(conn, SECRETS)?.map(|kept| kept.made_at),
                last_request_at: store::settings::find(conn, LAST_REQUEST)?,
                last_kick: store::settings::find(conn, LAST_KICK)?,
                devices: mail_accounts::count(conn)?,
            })
        })
        .await
    }

    /// Replaces the settings of mail access; every device gets or loses its mail account accordingly.
    ///
    /// * `doveadm_key`: a new one, an empty one to forget it, or none where it stays.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value is not usable.
    pub async fn change_mail_access(self: &Arc<Self>, actor: Actor, wanted: MailAccess, doveadm_key: Option<String>) -> Result<()> {
        let wanted = wanted.trimmed();
        wanted.check()?;
        if doveadm_key.as_ref().is_some_and(|key| key.len() > 500 || key.chars().any(char::is_control)) {
            return Err(Error::invalid("doveadm_key", "must be one line of at most 500 characters"));
        }
        let app = Arc::clone(self);
        self.write(move |tx| {
            let (before, now) = (read(tx)?, app.now());
            store::settings::upsert(tx, KEY, &wanted, now)?;
            if let Some(key) = &doveadm_key {
                let sealed = if key.is_empty() { String::new() } else { STANDARD.encode(app.keys.seal(PURPOSE, key.as_bytes())?) };
                store::settings::upsert(tx, DOVEADM_KEY, &sealed, now)?;
            }
            let detail = json!({ "before": before, "after": wanted, "doveadm_key": doveadm_key.is_some() });
            app.note_mail_access(tx, &actor, "mail_access.change", detail)?;
            rollout::begin(tx, &app, &Scope::Everyone, "The settings of mail access were changed")
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(())
    }

    /// Makes the keys that Dovecot and this server share. Those that were there are void, and so is every mail password: each device
    /// gets a new one.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there are keys already and nobody confirmed that they become void.
    pub async fn make_mail_keys(self: &Arc<Self>, actor: Actor, is_confirmed: bool) -> Result<MadeKeys> {
        let (keys, secret) = (Keys::generate()?, Secret::generate(PREFIX)?);
        let document = serde_json::to_vec(&keys).map_err(|error| Error::internal("writing the keys of mail access", error))?;
        let sealed = STANDARD.encode(self.keys.seal(PURPOSE, &document)?);
        let app = Arc::clone(self);
        self.write(move |tx| {
            let has_keys = store::settings::find::<KeptKeys>(tx, SECRETS)?.is_some();
            if has_keys && !is_confirmed {
                return Err(Error::Conflict(
                    "there are keys already: with new ones Dovecot refuses every device until it has the new configuration and the device a new password; repeat the call with \"confirm\": true".into(),
                ));
            }
            let now = app.now();
            let edition = uuid::Uuid::new_v4().simple().to_string();
            let kept = KeptKeys { sealed, hash: STANDARD.encode(&secret.hash), edition, made_at: now };
            store::settings::upsert(tx, SECRETS, &kept, now)?;
            let passwords = mail_accounts::forget_all_passwords(tx)?;
            app.note_mail_access(tx, &actor, "mail_access.make_keys", json!({ "void_passwords": passwords }))?;
            rollout::begin(tx, &app, &Scope::Everyone, "New keys for Dovecot were made")?;
            Ok(MadeKeys { configuration: keys.configuration(&secret.text) })
        })
        .await
        .inspect(|_| self.jobs_waiting.notify_one())
    }

    fn note_mail_access(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, detail: serde_json::Value) -> Result<()> {
        let entry = Entry { at: self.now(), actor, action, subject_kind: "settings", subject: KEY.into(), detail };
        Ok(audit::record(tx, &entry)?)
    }
}
