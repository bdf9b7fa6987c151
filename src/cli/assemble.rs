//! Puts a server together: migrates the database, reads or makes the keys, and gives the [`App`].

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use openssl::x509::X509;

use crate::{
    apple::apns::{self, Apns, Endpoint},
    config::{Config, MailRoute, Webhooks},
    domain::time::Clock,
    dovecot::Doveadm,
    mail::{Mailer, folder::Folder, languages::Languages, route::RouteError, smtp::Smtp},
    pki::seal::SealKey,
    service::{self, App, Parts, authorities, settings::Settings},
    store::{self, DatabaseUrl, Store, migrate},
    webhook::Messenger,
};

/// How long a database that does not answer yet is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes everything that a server or a command needs.
///
/// # Errors
/// The database does not answer, or its secrets were sealed under another key; the text says what to do.
pub fn app(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<App>> {
    app_of(config, clock, &Settings::default().organization)
}

/// The same, with the name that the certificates of a new server bear.
///
/// # Errors
/// As [`app`].
pub fn app_of(config: &Config, clock: Arc<dyn Clock>, organization: &str) -> anyhow::Result<Arc<App>> {
    private_folders(config)?;
    migrate_patiently(&config.database_url)?;
    let keys = SealKey::load_or_create(&config.secret_key_file)?;
    let authorities = authorities::load_or_create(&config.database_url, &keys, organization, clock.now()).map_err(explain_key)?;
    Ok(Arc::new(App::new(Parts {
        store: Store::open(&config.database_url, config.database_connections)?,
        keys,
        authorities,
        clock,
        mailer: mailer(&config.mail)?,
        apns: apns(config)?,
        is_mail_kept_as_files: matches!(config.mail, MailRoute::Folder(_)),
        languages: Languages::with_folder(&config.data_dir.join(LANGUAGES)),
        messenger: messenger(&config.webhooks)?,
        doveadm: Doveadm::new()?,
        public_url: config.public_url.clone(),
        device_url: config.device_url.clone(),
    })))
}

/// The folder of the data folder where languages of mails lie.
pub const LANGUAGES: &str = "mails";

/// Makes the folders that the server needs, for its owner only: they hold the database, the key and mail.
///
/// # Errors
/// One cannot be made; the text says which option names it.
pub fn private_folders(config: &Config) -> anyhow::Result<()> {
    private_folder(&config.data_dir).with_context(|| format!("data-dir: the folder {} cannot be made", config.data_dir.display()))?;
    if let DatabaseUrl::Sqlite(path) = &config.database_url
        && let Some(folder) = Path::new(path).parent()
    {
        private_folder(folder).with_context(|| format!("database-url: the folder {} cannot be made", folder.display()))?;
    }
    Ok(())
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A database server may come up after this one.
fn migrate_patiently(url: &DatabaseUrl) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    loop {
        match migrate::forward(url) {
            Ok(0) => return Ok(()),
            Ok(steps) => {
                tracing::info!(steps, "the database was migrated");
                return Ok(());
            }
            Err(store::Error::Unavailable(why)) if matches!(url, DatabaseUrl::Postgres(_)) && began.elapsed() < PATIENCE => {
                tracing::warn!(why, "the database does not answer; waiting");
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error) => return Err(error).context("database-url: the database cannot be used"),
        }
    }
}

fn explain_key(error: service::Error) -> anyhow::Error {
    anyhow::Error::from(error)
        .context("the secrets in the database were sealed under another key: give the key file that belongs to it as secret-key-file")
}

/// The way out for mail.
///
/// # Errors
/// The address of the mail server cannot be used, or the certificates cannot be read; the text names the option.
pub(super) fn mailer(route: &MailRoute) -> anyhow::Result<Arc<dyn Mailer>> {
    match route {
        MailRoute::Folder(path) => Ok(Arc::new(Folder::new(path.clone()))),
        MailRoute::Smtp(server) => {
            let roots = pem("smtp-ca", server.roots.as_deref())?;
            let smtp = Smtp::new(&server.url, roots.as_deref(), server.patience);
            Ok(Arc::new(smtp.map_err(|error| {
                let option = if matches!(error, RouteError::Roots) { "smtp-ca" } else { "smtp-url" };
                anyhow::Error::new(error).context(option)
            })?))
        }
    }
}

fn apns(config: &Config) -> anyhow::Result<Apns> {
    let roots = match &config.apns_ca {
        Some(path) => {
            let pem = std::fs::read(path).with_context(|| format!("apns-ca: {} cannot be read", path.display()))?;
            let roots = X509::stack_from_pem(&pem).with_context(|| format!("apns-ca: {} is not PEM", path.display()))?;
            anyhow::ensure!(!roots.is_empty(), "apns-ca: {} holds no certificate", path.display());
            roots
        }
        None => Vec::new(),
    };
    Ok(Apns::new(Endpoint::new(&config.apns_url, roots).context("apns-url")?, apns::PATIENCE))
}

fn messenger(webhooks: &Webhooks) -> anyhow::Result<Messenger> {
    let roots = pem("webhook-ca", webhooks.roots.as_deref())?;
    Messenger::new(&webhooks.allow_private, roots.as_deref()).context("webhook-ca")
}

/// The certificates in a file that an option names.
fn pem(option: &'static str, path: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    path.map(|path| std::fs::read(path).with_context(|| format!("{option}: the file {} cannot be read", path.display()))).transpose()
}
