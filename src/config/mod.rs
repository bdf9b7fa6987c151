//! Configuration: from the options as text to a value of the right type for each part of the server.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub mod options;

use options::{ConfigError, Values};

use crate::{domain::networks::Networks, store::DatabaseUrl};

/// How the server speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// With a certificate of its own for the public address; phones do not trust it.
    SelfSigned,
    /// With the administrator's certificate.
    Files {
        /// The chain in PEM.
        certificate: PathBuf,
        /// The key in PEM.
        key: PathBuf,
    },
    /// Not at all: a proxy in front does, or this is a test.
    Off,
}

/// Where mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailRoute {
    /// Into files of this folder.
    Folder(PathBuf),
    /// To a mail server.
    Smtp(MailServer),
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// The address with user and password.
    pub url: String,
    /// A file with certificates that its own may come from.
    pub roots: Option<PathBuf>,
    /// How long it may take to answer.
    pub patience: Duration,
}

/// How other systems are told of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Webhooks {
    /// Private networks that may be reached.
    pub allow_private: Networks,
    /// A file with certificates that theirs may come from.
    pub roots: Option<PathBuf>,
}

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder for everything that is kept in files.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: DatabaseUrl,
    /// Most connections to PostgreSQL.
    pub database_connections: u32,
    /// The file with the key that seals secrets.
    pub secret_key_file: PathBuf,
    /// Where people and devices come.
    pub listen: SocketAddr,
    /// Where devices with a client certificate come.
    pub device_listen: Option<SocketAddr>,
    /// How agents reach the port for client certificates; no slash at the end. None where there is no such port.
    pub device_url: Option<String>,
    /// Where metrics are given without a token.
    pub metrics_listen: Option<SocketAddr>,
    /// How the world calls this server; no slash at the end.
    pub public_url: String,
    /// How the server speaks TLS.
    pub tls: Tls,
    /// Where mail goes.
    pub mail: MailRoute,
    /// How other systems are told of events.
    pub webhooks: Webhooks,
    /// Apple's push service.
    pub apns_url: String,
    /// Who may vouch for it besides those that the system trusts.
    pub apns_ca: Option<PathBuf>,
    /// Proxies whose headers are believed.
    pub trusted_proxies: Networks,
    /// Whether the log is JSON.
    pub is_log_json: bool,
    /// Threads that answer requests; 0 means one for each core.
    pub workers: usize,
}

impl Config {
    /// Reads every option.
    ///
    /// # Errors
    /// The first option whose value is not usable.
    pub fn read(values: &mut Values) -> Result<Self, ConfigError> {
        let data_dir = PathBuf::from(values.get("data-dir").unwrap_or("./data"));
        values.get_or("database-url", || format!("sqlite:{}", data_dir.join("enlist.db").display()));
        values.get_or("secret-key-file", || data_dir.join("secret.key").display().to_string());
        values.get_or("smtp-url", || format!("file:{}", data_dir.join("outbox").display()));
        let listen: SocketAddr = values.parse("listen")?;
        let tls = read_tls(values)?;
        values.get_or("public-url", || default_public_url(listen, &tls));
        let public_url = read_address(values, "public-url")?;
        let device_listen = if values.get("device-listen") == Some("off") { None } else { Some(values.parse("device-listen")?) };
        Ok(Self {
            device_url: read_device_url(values, &public_url, device_listen)?,
            database_url: values.parse("database-url")?,
            database_connections: values.parse("database-connections")?,
            secret_key_file: values.get("secret-key-file").unwrap_or_default().into(),
            listen,
            device_listen,
            metrics_listen: values.get("metrics-listen").map(|_| values.parse("metrics-listen")).transpose()?,
            public_url,
            tls,
            mail: read_mail(values)?,
            webhooks: Webhooks {
                allow_private: values.parse("webhook-allow-private")?,
                roots: values.get("webhook-ca").map(PathBuf::from),
            },
            apns_url: values.get("apns-url").unwrap_or_default().trim_end_matches('/').to_owned(),
            apns_ca: values.get("apns-ca").map(PathBuf::from),
            trusted_proxies: values.parse("trusted-proxies")?,
            is_log_json: match values.get("log") {
                Some("json") => true,
                Some("text") => false,
                _ => return Err(values.invalid("log", "it is either text or json")),
            },
            workers: values.parse("workers")?,
            data_dir,
        })
    }
}

fn read_tls(values: &Values) -> Result<Tls, ConfigError> {
    match values.get("tls") {
        Some("self-signed") => Ok(Tls::SelfSigned),
        Some("off") => Ok(Tls::Off),
        Some("files") => {
            let path = |name| values.get(name).map(PathBuf::from).ok_or_else(|| values.invalid(name, "tls=files needs a path here"));
            Ok(Tls::Files { certificate: path("tls-certificate")?, key: path("tls-key")? })
        }
        _ => Err(values.invalid("tls", "it is one of self-signed, files, off")),
    }
}

fn default_public_url(listen: SocketAddr, tls: &Tls) -> String {
    let scheme = if *tls == Tls::Off { "http" } else { "https" };
    if listen.ip().is_loopback() || listen.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", listen.port())
    } else {
        format!("{scheme}://{listen}")
    }
}

fn read_address(values: &Values, name: &'static str) -> Result<String, ConfigError> {
    let url = values.get(name).unwrap_or_default().trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(url.to_owned()),
        _ => Err(values.invalid(name, "it must be like https://enroll.example.com, without a path")),
    }
}

/// Where agents come with their certificates: what was said, else the port for that at the public address.
fn read_device_url(values: &mut Values, public_url: &str, listen: Option<SocketAddr>) -> Result<Option<String>, ConfigError> {
    if let Some(listen) = listen {
        values.get_or("device-url", || device_url(public_url, listen.port()));
    }
    if values.get("device-url").is_none() { Ok(None) } else { read_address(values, "device-url").map(Some) }
}

/// The port for client certificates at the host of the public address.
#[must_use]
pub fn device_url(public_url: &str, port: u16) -> String {
    let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    // The colons of an IPv6 address stand in brackets.
    let name = match host.rsplit_once(':') {
        Some((name, last)) if last.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    format!("https://{name}:{port}")
}

fn read_mail(values: &Values) -> Result<MailRoute, ConfigError> {
    let url = values.get("smtp-url").unwrap_or_default();
    if let Some(folder) = url.strip_prefix("file:") {
        Ok(MailRoute::Folder(folder.into()))
    } else if url.starts_with("smtp://") || url.starts_with("smtps://") {
        let seconds = values.parse("smtp-timeout")?;
        // Twice this must be over before somebody else may try the same mail.
        if !(1..=50).contains(&seconds) {
            return Err(values.invalid("smtp-timeout", "it is a number of seconds from 1 to 50"));
        }
        let roots = values.get("smtp-ca").map(PathBuf::from);
        Ok(MailRoute::Smtp(MailServer { url: url.to_owned(), roots, patience: Duration::from_secs(seconds) }))
    } else {
        Err(values.invalid("smtp-url", "it begins with file:, smtp:// or smtps://"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let flag = |name: &str| flags.iter().find(|(flag, _)| *flag == name).map(|(_, value)| (*value).to_owned());
        Config::read(&mut Values::gather(flag, |_| None)?)
    }

    #[test]
    fn nothing_needs_to_be_configured() {
        let config = read(&[]).unwrap();
        assert_eq!(config.database_url, DatabaseUrl::Sqlite("./data/enlist.db".into()));
        assert_eq!(config.public_url, "https://localhost:8443");
        assert_eq!(config.device_url.as_deref(), Some("https://localhost:8444"));
        assert_eq!(config.mail, MailRoute::Folder("./data/outbox".into()));
    }

    #[test]
    fn agents_come_to_the_public_host_unless_told_otherwise() {
        let url = |flags| read(flags).unwrap().device_url;
        assert_eq!(url(&[("public-url", "https://mdm.example.com")]).as_deref(), Some("https://mdm.example.com:8444"));
        assert_eq!(url(&[("public-url", "https://[::1]:9")]).as_deref(), Some("https://[::1]:8444"));
        assert_eq!(url(&[("device-url", "https://devices.example.com/")]).as_deref(), Some("https://devices.example.com"));
        assert_eq!(url(&[("device-listen", "off")]), None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (flags, part) in [
            (vec![("database-url", "mysql://x")], "database-url: a database address begins"),
            (vec![("tls", "files")], "tls-certificate: tls=files needs a path"),
            (vec![("public-url", "enroll.example.com")], "public-url: it must be like"),
            (vec![("listen", "nowhere")], "listen:"),
            (vec![("log", "xml")], "log: it is either"),
            (vec![("trusted-proxies", "10.0.0.0/33")], "trusted-proxies:"),
            (vec![("smtp-url", "smtps://mail"), ("smtp-timeout", "51")], "smtp-timeout:"),
            (vec![("webhook-allow-private", "office")], "webhook-allow-private:"),
        ] {
            let error = read(&flags).unwrap_err().to_string();
            assert!(error.contains(part) && error.ends_with("(it comes from the flag)") || error.contains("tls-certificate"), "{error}");
        }
    }
}
