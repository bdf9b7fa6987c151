//! What is done: one file for each use case, and the only callers of [`Store::write`].

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, atomic::AtomicI64},
};

use lru::LruCache;
use tokio::sync::Semaphore;

pub mod access;
pub mod android;
mod announce;
pub mod announcement;
pub mod approve;
mod asked;
pub mod authorities;
pub mod backup;
pub mod browser;
pub mod census;
pub mod certify;
pub mod check_in;
pub mod command;
pub mod comply;
pub mod connect;
pub mod deliver;
pub mod enroll;
mod error;
pub mod explain;
pub mod files;
pub mod gate;
pub mod groups;
pub mod hold;
pub mod identify;
pub mod import;
pub mod invite;
mod ladder;
mod limit;
pub mod links;
pub mod mail_access;
pub mod mail_gate;
pub mod mail_profile;
pub mod mail_sessions;
pub mod mail_texts;
mod notices;
pub mod offers;
pub mod ota;
pub mod outbox;
pub mod own_device;
pub mod passcode;
pub mod policy;
pub mod preview;
pub mod push;
pub mod push_certificate;
pub mod push_health;
pub mod push_request;
pub mod queue;
mod refusals;
pub mod renew;
pub mod report;
pub mod restore;
pub mod retire;
pub mod retry;
pub mod revocation;
pub mod rollout;
pub mod saved_report;
pub mod secrets;
pub mod seen;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod signers;
pub mod tokens;
pub mod users;
pub mod verification;
pub mod webhooks;
pub mod wipe;

pub use error::{Error, Result};

use crate::{
    apple::apns::Apns,
    domain::time::{Clock, Timestamp},
    dovecot::Doveadm,
    mail::{Mailer, languages::Languages},
    pki::seal::SealKey,
    store::{self, Conn, Store, Tx},
    webhook::Messenger,
};

/// Everything that the use cases share. One for each server.
pub struct App {
    store: Store,
    keys: SealKey,
    authorities: authorities::Authorities,
    clock: Arc<dyn Clock>,
    mailer: Arc<dyn Mailer>,
    pusher: push::Pusher,
    /// Mail goes into a folder, from where nobody sends it on.
    is_mail_kept_as_files: bool,
    languages: Languages,
    messenger: Messenger,
    doveadm: Doveadm,
    /// When Dovecot was last noted to have told of a login, in milliseconds.
    mail_noted_at: AtomicI64,
    /// How the world calls this server; no slash at the end.
    public_url: String,
    /// Where mails come from while nobody has set it.
    default_sender: String,
    /// Begins the identifiers of all profiles.
    reverse_dns: String,
    seen: seen::Seen,
    gate: gate::Gate,
    refusals: refusals::Refusals,
    verifications: verification::Verifications,
    signers: signers::Signers,
    /// Signed profiles by their UUID: each content is signed once.
    signed_profiles: Mutex<LruCache<String, Arc<Vec<u8>>>>,
    /// The last revocation list and when it was made.
    crl: Mutex<Option<(Timestamp, Arc<Vec<u8>>)>>,
    /// Places for requests of strangers that cost private key operations.
    cryptography: Semaphore,
    /// Places for comparing passwords.
    passwords: Semaphore,
    jobs_waiting: queue::Bells,
    /// Agents that wait here for something to do.
    waiting: android::waiting::Waiting,
    /// How agents reach the port for client certificates; no slash at the end. None where there is no such port.
    device_url: Option<String>,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The key that seals secrets.
    pub keys: SealKey,
    /// The server's own certificates.
    pub authorities: authorities::Authorities,
    /// Who is asked what time it is.
    pub clock: Arc<dyn Clock>,
    /// Where mail goes.
    pub mailer: Arc<dyn Mailer>,
    /// Apple's push service.
    pub apns: Apns,
    /// Mail goes into a folder, from where nobody sends it on.
    pub is_mail_kept_as_files: bool,
    /// The languages that mails are written in.
    pub languages: Languages,
    /// Who tells other systems of events.
    pub messenger: Messenger,
    /// Who ends sessions at Dovecot.
    pub doveadm: Doveadm,
    /// How the world calls this server; no slash at the end.
    pub public_url: String,
    /// How agents reach the port for client certificates; no slash at the end. None where there is no such port.
    pub device_url: Option<String>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let host = host_of(&parts.public_url).to_owned();
        let capacity = NonZeroUsize::new(256).unwrap_or(NonZeroUsize::MIN);
        Self {
            store: parts.store,
            keys: parts.keys,
            authorities: parts.authorities,
            clock: parts.clock,
            mailer: parts.mailer,
            pusher: push::Pusher::new(parts.apns),
            is_mail_kept_as_files: parts.is_mail_kept_as_files,
            languages: parts.languages,
            messenger: parts.messenger,
            doveadm: parts.doveadm,
            mail_noted_at: AtomicI64::new(0),
            public_url: parts.public_url,
            default_sender: format!("enlist@{host}"),
            reverse_dns: crate::apple::profile::reverse_dns(&host),
            seen: seen::Seen::default(),
            gate: gate::Gate::default(),
            refusals: refusals::Refusals::default(),
            verifications: verification::Verifications::default(),
            signers: signers::Signers::default(),
            signed_profiles: Mutex::new(LruCache::new(capacity)),
            crl: Mutex::new(None),
            cryptography: Semaphore::new(16),
            passwords: Semaphore::new(4),
            jobs_waiting: queue::Bells::default(),
            waiting: android::waiting::Waiting::default(),
            device_url: parts.device_url,
        }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How the world calls this server; no slash at the end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Whether mail goes into a folder, from where nobody sends it on.
    #[must_use]
    pub const fn is_mail_kept_as_files(&self) -> bool {
        self.is_mail_kept_as_files
    }

    /// Whether mails from this address come from the one that is used while nobody has set any.
    #[must_use]
    pub fn is_default_sender(&self, address: &str) -> bool {
        address == self.default_sender
    }

    /// The server's own certificates.
    #[must_use]
    pub const fn authorities(&self) -> &authorities::Authorities {
        &self.authorities
    }

    /// Runs queries.
    ///
    /// # Errors
    /// Those of the closure, and those of the database.
    pub async fn read<T, E>(&self, f: impl FnOnce(&mut Conn) -> std::result::Result<T, E> + Send + 'static) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<store::Error> + Send + 'static,
    {
        self.store.read(f).await
    }

    /// Runs a transaction. Agents for which it has put something into the queue, and which wait for that here, hear of it after
    /// the commit.
    async fn write<T>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
    {
        let (value, called) = self.store.write(move |tx| f(tx).map(|value| (value, tx.take_called()))).await?;
        self.gate.note_write();
        self.waiting.call(&called);
        Ok(value)
    }
}

/// The host of an address such as `https://host:port`.
#[must_use]
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = if rest.starts_with('[') {
        rest.find(']').map_or(rest.len(), |end| end.saturating_add(1))
    } else {
        rest.find(':').unwrap_or(rest.len())
    };
    rest.get(..end).unwrap_or(rest)
}
