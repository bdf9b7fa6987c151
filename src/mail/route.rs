//! The address of a mail server, and how to talk to it: `smtps://user:password@mail.example.com` is encrypted from the first byte,
//! `smtp://…` by STARTTLS, which must be offered. `smtp://…?tls=off` is for a relay on the same machine, and takes no password.

use std::str::FromStr;

use lettre::transport::smtp::client::{Certificate, TlsParameters, TlsVersion};
use openssl::x509::X509;
use reqwest::Url;

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From the first byte on.
    Implicit,
    /// After STARTTLS. A server that does not offer it gets nothing.
    StartTls,
    /// Not at all.
    Off,
}

/// Where a mail server is, and how to talk to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name or address, which its certificate must bear.
    pub host: String,
    /// Its port: 465, 587 and 25, by the way of encryption, unless another one is given.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// An address of a mail server that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// It is not of the form that is needed.
    #[error("{0}")]
    Form(&'static str),
    /// The certificates cannot be read.
    #[error("the certificates are not PEM, or there are none")]
    Roots,
    /// The encryption cannot be set up.
    #[error("the encryption cannot be set up")]
    Tls(#[from] lettre::transport::smtp::Error),
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let url = Url::parse(text).map_err(|_| RouteError::Form("it is like smtps://user:password@mail.example.com"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(RouteError::Form("the name of the mail server is missing"))?;
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Security::Implicit, 465),
            ("smtp", None | Some("tls=required")) => (Security::StartTls, 587),
            ("smtp", Some("tls=off")) => (Security::Off, 25),
            ("smtp" | "smtps", _) => return Err(RouteError::Form("after the question mark there can only be tls=required or tls=off")),
            _ => return Err(RouteError::Form("it begins with smtp:// or smtps://")),
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some((decoded(user)?, decoded(password)?)),
            _ => return Err(RouteError::Form("a user needs a password: smtps://user:password@mail.example.com")),
        };
        if login.is_some() && security == Security::Off {
            return Err(RouteError::Form("a password never goes over a connection that is not encrypted"));
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(RouteError::Form("there is nothing after the name and the port"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: url.port().unwrap_or(port), security, login })
    }
}

impl Route {
    /// How certificates are verified: against the system's roots and those given.
    pub(super) fn tls(&self, roots: Option<&[u8]>) -> Result<TlsParameters, RouteError> {
        let mut builder = TlsParameters::builder(self.host.clone()).set_min_tls_version(TlsVersion::Tlsv12);
        if let Some(pem) = roots {
            let found = X509::stack_from_pem(pem).ok().filter(|found| !found.is_empty()).ok_or(RouteError::Roots)?;
            for root in found {
                builder = builder.add_root_certificate(Certificate::from_der(root.to_der().map_err(|_| RouteError::Roots)?)?);
            }
        }
        Ok(builder.build()?)
    }
}

/// Reads `%40` and the like.
fn decoded(text: &str) -> Result<String, RouteError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        let [Some(high), Some(low)] = digits else { return Err(RouteError::Form("a % is followed by two digits")) };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| RouteError::Form("user and password are UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Result<Route, String> {
        text.parse().map_err(|error: RouteError| error.to_string())
    }

    #[test]
    fn the_scheme_says_how_the_connection_is_encrypted() {
        for (text, host, port, security) in [
            ("smtps://mail.example.com", "mail.example.com", 465, Security::Implicit),
            ("smtp://mail.example.com", "mail.example.com", 587, Security::StartTls),
            ("smtp://mail.example.com:25/?tls=required", "mail.example.com", 25, Security::StartTls),
            ("smtp://[::1]?tls=off", "::1", 25, Security::Off),
        ] {
            let found = route(text).unwrap();
            assert_eq!((found.host.as_str(), found.port, found.security, found.login), (host, port, security, None), "{text}");
        }
    }

    #[test]
    fn user_and_password_may_have_any_character() {
        let login = route("smtps://enlist%40example.com:a%2Fb%3A%C3%BC@mail").unwrap().login.unwrap();
        assert_eq!(login, ("enlist@example.com".to_owned(), "a/b:ü".to_owned()));
    }

    #[test]
    fn what_would_be_unsafe_or_misunderstood_is_refused() {
        for (text, part) in [
            ("smtp://mail?tls=opportunistic", "tls=required or tls=off"),
            ("smtps://mail?tls=off", "tls=required or tls=off"),
            ("smtp://me:secret@mail?tls=off", "never goes over"),
            ("smtps://me@mail", "needs a password"),
            ("smtps://mail/inbox", "nothing after"),
            ("http://mail", "begins with"),
            ("mail.example.com", "it is like"),
        ] {
            let why = route(text).err().unwrap();
            assert!(why.contains(part), "{text}: {why}");
        }
        assert!(matches!(route("smtps://mail").unwrap().tls(Some(b"no certificate")), Err(RouteError::Roots)));
    }
}
