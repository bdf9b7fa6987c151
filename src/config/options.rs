//! The options: one table of names, and for each value where it came from. Flags win over environment, environment over file,
//! file over defaults.

use std::{collections::BTreeMap, path::Path};

/// One option. Flag `--data-dir` is `ENLIST_DATA_DIR` is `data_dir`.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The flag without its dashes.
    pub name: &'static str,
    /// What it is when nobody says anything; `None` where it is worked out from others.
    pub default: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
}

/// Every option.
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec { name: "data-dir", default: Some("./data"), help: "Folder for the database, the key and outgoing mail" },
    OptionSpec { name: "config", default: Some("enlist.toml"), help: "Configuration file; may be missing" },
    OptionSpec {
        name: "database-url",
        default: None,
        help: "sqlite:<path> or postgres://user:password@host/name [default: sqlite:<data-dir>/enlist.db]",
    },
    OptionSpec { name: "database-connections", default: Some("16"), help: "Most connections to PostgreSQL; the gate has two more" },
    OptionSpec {
        name: "secret-key-file",
        default: None,
        help: "File with the key that seals secrets in the database; all servers of one database share it [default: <data-dir>/secret.key]",
    },
    OptionSpec { name: "listen", default: Some("127.0.0.1:8443"), help: "Address and port of portal, console, API and devices" },
    OptionSpec {
        name: "device-listen",
        default: Some("127.0.0.1:8444"),
        help: "Address and port for devices that come with a client certificate, or 'off'",
    },
    OptionSpec {
        name: "device-url",
        default: None,
        help: "Address under which Android agents reach the port for client certificates [default: the host of public-url with the port of device-listen]",
    },
    OptionSpec { name: "metrics-listen", default: None, help: "Address and port for /metrics without a token" },
    OptionSpec {
        name: "public-url",
        default: None,
        help: "Address under which phones and people reach this server [default: made from listen]",
    },
    OptionSpec { name: "tls", default: Some("self-signed"), help: "self-signed, files, or off behind a proxy" },
    OptionSpec { name: "tls-certificate", default: None, help: "Certificate chain in PEM, for tls=files" },
    OptionSpec { name: "tls-key", default: None, help: "Private key in PEM, for tls=files" },
    OptionSpec {
        name: "smtp-url",
        default: None,
        help: "Where mail goes: file:<folder>, smtps://user:password@host, or smtp:// for STARTTLS [default: file:<data-dir>/outbox]",
    },
    OptionSpec {
        name: "smtp-ca",
        default: None,
        help: "File in PEM with certificates that the mail server's may come from, besides the system's",
    },
    OptionSpec { name: "smtp-timeout", default: Some("30"), help: "Seconds that the mail server may take to answer, 1 to 50" },
    OptionSpec {
        name: "webhook-allow-private",
        default: Some(""),
        help: "Private networks that webhooks may reach, also by http://, separated by commas",
    },
    OptionSpec {
        name: "webhook-ca",
        default: None,
        help: "File in PEM with certificates that those of webhooks may come from, besides the system's",
    },
    OptionSpec { name: "apns-url", default: Some("https://api.push.apple.com"), help: "Apple's push service" },
    OptionSpec {
        name: "apns-ca",
        default: None,
        help: "Certificates in PEM that may vouch for the push service besides the system's, for a proxy that looks into TLS",
    },
    OptionSpec {
        name: "trusted-proxies",
        default: Some(""),
        help: "Addresses or networks of proxies whose headers are believed, separated by commas",
    },
    OptionSpec { name: "log", default: Some("text"), help: "Form of the log: text or json" },
    OptionSpec { name: "workers", default: Some("0"), help: "Threads that answer requests; 0 means one for each core" },
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The configuration file.
    File,
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// Every option's value with its source.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<&'static str, (String, Source)>);

/// The configuration cannot be used; the text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: {source}")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {path} is not valid TOML: {message}")]
    Syntax {
        /// Its path.
        path: String,
        /// Where and why.
        message: String,
    },
    /// The file has a name that nobody knows.
    #[error("the configuration file {path} has an unknown option '{name}'; 'enlist config' lists the known ones")]
    UnknownOption {
        /// The file's path.
        path: String,
        /// The name.
        name: String,
    },
    /// A value is not usable.
    #[error("{name}: {why} (it comes from the {from})")]
    Invalid {
        /// The option.
        name: &'static str,
        /// What is wrong.
        why: String,
        /// Where the value came from.
        from: Source,
    },
}

impl Values {
    /// Gathers the values.
    ///
    /// * `flag`: the value of a flag, if it was given.
    /// * `environment`: the value of an environment variable, if it is set.
    ///
    /// # Errors
    /// The configuration file cannot be read.
    pub fn gather(flag: impl Fn(&str) -> Option<String>, environment: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let direct = |spec: &OptionSpec| {
            flag(spec.name)
                .map(|value| (value, Source::Flag))
                .or_else(|| environment(&variable(spec.name)).map(|value| (value, Source::Environment)))
        };
        let mut values = BTreeMap::new();
        for spec in OPTIONS {
            if let Some(found) = direct(spec) {
                values.insert(spec.name, found);
            }
        }
        let is_chosen = values.contains_key("config");
        let path = values.get("config").map_or("enlist.toml", |(value, _)| value.as_str()).to_owned();
        for (name, value) in read_file(Path::new(&path), is_chosen)? {
            values.entry(name).or_insert((value, Source::File));
        }
        for spec in OPTIONS {
            if let Some(default) = spec.default {
                values.entry(spec.name).or_insert_with(|| (default.to_owned(), Source::Default));
            }
        }
        Ok(Self(values))
    }

    /// The value of an option, if there is one.
    #[must_use]
    pub fn get(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.as_str())
    }

    /// The value of an option, or the one that was worked out, which is then kept as a default.
    pub fn get_or(&mut self, name: &'static str, worked_out: impl FnOnce() -> String) -> String {
        self.0.entry(name).or_insert_with(|| (worked_out(), Source::Default)).0.clone()
    }

    /// Where the value came from.
    #[must_use]
    pub fn source(&self, name: &'static str) -> Source {
        self.0.get(name).map_or(Source::Default, |(_, source)| source.clone())
    }

    /// An error about an option's value.
    #[must_use]
    pub fn invalid(&self, name: &'static str, why: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { name, why: why.into(), from: self.source(name) }
    }

    /// Reads an option's value as some type.
    ///
    /// # Errors
    /// It is not of that type.
    pub fn parse<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, ConfigError>
    where
        T::Err: std::fmt::Display,
    {
        self.get(name).unwrap_or_default().parse().map_err(|error: T::Err| self.invalid(name, error.to_string()))
    }

    /// One line for each option: name, value with secrets masked, source.
    #[must_use]
    pub fn describe(&self) -> String {
        OPTIONS.iter().fold(String::new(), |text, spec| {
            let value = self.get(spec.name).map_or_else(|| "-".to_owned(), mask_password);
            text + &format!("{:<22} {:<50} {}\n", spec.name, value, self.source(spec.name))
        })
    }
}

/// The environment variable of an option.
#[must_use]
pub fn variable(name: &str) -> String {
    format!("ENLIST_{}", name.replace('-', "_").to_uppercase())
}

/// Replaces the password of an address by stars.
#[must_use]
pub fn mask_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let Some((credentials, host)) = rest.rsplit_once('@') else { return value.to_owned() };
    match credentials.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
        None => value.to_owned(),
    }
}

fn read_file(path: &Path, is_required: bool) -> Result<Vec<(&'static str, String)>, ConfigError> {
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_required => return Ok(Vec::new()),
        Err(source) => return Err(ConfigError::Read { path: shown, source }),
    };
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax { path: shown.clone(), message: error.to_string() })?;
    let mut found = Vec::new();
    for (name, value) in table {
        let spec = OPTIONS.iter().find(|spec| spec.name.replace('-', "_") == name);
        let spec = spec.ok_or_else(|| ConfigError::UnknownOption { path: shown.clone(), name })?;
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Array(items) => items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        found.push((spec.name, text));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_default() {
        let values = Values::gather(
            |name| (name == "listen").then(|| "1.1.1.1:1".into()),
            |name| (name == "ENLIST_LISTEN" || name == "ENLIST_LOG").then(|| "json".into()),
        )
        .unwrap();
        assert_eq!((values.get("listen"), values.source("listen")), (Some("1.1.1.1:1"), Source::Flag));
        assert_eq!((values.get("log"), values.source("log")), (Some("json"), Source::Environment));
        assert_eq!(values.source("tls"), Source::Default);
    }

    #[test]
    fn passwords_in_addresses_are_masked() {
        assert_eq!(mask_password("postgres://ada:secret@db/enlist"), "postgres://ada:***@db/enlist");
        assert_eq!(mask_password("smtps://a:b@c@mail"), "smtps://a:***@mail");
        assert_eq!(mask_password("sqlite:data/enlist.db"), "sqlite:data/enlist.db");
    }
}
