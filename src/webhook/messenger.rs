//! Carries one event to one target and says what came of it.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Certificate, Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, USER_AGENT},
    redirect::Policy,
};

use super::{
    reach::{Reach, ReachError},
    sign::Secret,
};
use crate::domain::networks::Networks;

/// How long a target may take for everything.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to be connected to.
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read. Nothing in it matters.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Longest address.
const LONGEST_URL: usize = 1000;

/// One event for one target.
pub struct Message<'a> {
    /// Where it goes.
    pub url: &'a str,
    /// What signs it.
    pub secret: &'a Secret,
    /// Its identifier, the same at every try.
    pub id: String,
    /// Seconds since 1970, of this try.
    pub timestamp: i64,
    /// JSON.
    pub body: &'a str,
}

/// Why a target did not take an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// For people.
    pub why: String,
    /// What it answered, if it did.
    pub status: Option<u16>,
    /// It speaks of this event and not of the target: another event may well be taken.
    pub is_of_message: bool,
    /// The target says that it is gone for good.
    pub is_final: bool,
}

/// An address that no webhook can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no address, or one with parts that have no meaning here.
    #[error("must be an address such as https://hooks.example.com/enlist, without user, password and fragment")]
    Form,
    /// It is not encrypted.
    #[error("must begin with https://; http:// is for networks that the option webhook-allow-private names")]
    Plain,
    /// It must not be reached.
    #[error("{0}")]
    Reach(#[from] ReachError),
}

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The certificates cannot be read.
    #[error("the certificates are not PEM")]
    Roots(#[source] reqwest::Error),
    /// The client cannot be made.
    #[error("the client for webhooks cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Carries events to targets.
pub struct Messenger {
    secure: (Client, Reach),
    plain: (Client, Reach),
}

impl Messenger {
    /// Sets it up.
    ///
    /// * `private`: private networks that may be reached, also without encryption.
    /// * `roots`: certificates in PEM that are trusted besides the system's.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(private: &Networks, roots: Option<&[u8]>) -> Result<Self, SetUpError> {
        let roots = roots.map_or_else(|| Ok(Vec::new()), Certificate::from_pem_bundle).map_err(SetUpError::Roots)?;
        let with = |includes_public| -> Result<(Client, Reach), SetUpError> {
            let reach = Reach { private: private.clone(), includes_public };
            // Proxies would resolve names by themselves, and a redirect could lead anywhere.
            let client = Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .timeout(PATIENCE)
                .connect_timeout(PATIENCE_TO_CONNECT)
                .tls_certs_merge(roots.clone())
                .dns_resolver(Arc::new(reach.clone()));
            Ok((client.build().map_err(SetUpError::Client)?, reach))
        };
        Ok(Self { secure: with(true)?, plain: with(false)? })
    }

    /// Reads the address of a target. Where a name leads is only known when something is sent.
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong.
    pub fn check_url(&self, text: &str) -> Result<Url, UrlError> {
        let url = Url::parse(text).map_err(|_| UrlError::Form)?;
        let has_more = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
        if has_more || url.host_str().is_none_or(str::is_empty) || text.len() > LONGEST_URL {
            return Err(UrlError::Form);
        }
        let (_, reach) = self.way(&url)?;
        reach.check_literal(&url)?;
        Ok(url)
    }

    fn way(&self, url: &Url) -> Result<&(Client, Reach), UrlError> {
        match url.scheme() {
            "https" => Ok(&self.secure),
            "http" if !self.plain.1.private.is_empty() => Ok(&self.plain),
            "http" => Err(UrlError::Plain),
            _ => Err(UrlError::Form),
        }
    }

    /// Sends an event.
    ///
    /// # Errors
    /// [`Refusal`] says why it was not taken.
    pub async fn send(&self, message: &Message<'_>) -> Result<u16, Refusal> {
        let url = self.check_url(message.url).map_err(|why| Refusal::of_target(why.to_string()))?;
        let (client, _) = self.way(&url).map_err(|why| Refusal::of_target(why.to_string()))?;
        let signature = message.secret.sign(&message.id, message.timestamp, message.body);
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "enlist")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", signature.map_err(|error| Refusal::of_target(error.to_string()))?)
            .body(message.body.to_owned());
        let answer = request.send().await.map_err(|error| Refusal::of_target(described(error)))?;
        let status = answer.status();
        drain(answer).await;
        judged(status)
    }
}

/// Reads the answer, so that the connection can be used again, but not for ever.
async fn drain(mut answer: Response) {
    let mut length = 0_usize;
    while let Ok(Some(chunk)) = answer.chunk().await {
        length = length.saturating_add(chunk.len());
        if length > LONGEST_ANSWER {
            return;
        }
    }
}

fn judged(status: StatusCode) -> Result<u16, Refusal> {
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let name = status.canonical_reason().unwrap_or_default();
    let why = match status {
        _ if status.is_redirection() => format!("the target answered {status}, and redirects are not followed: give its final address"),
        StatusCode::GONE => "the target answered 410 Gone: it wants no more events".to_owned(),
        _ => format!("the target answered {} {name}", status.as_u16()).trim_end().to_owned(),
    };
    // These speak of the target's state or address, all others between 400 and 499 of what was sent.
    let is_of_target = matches!(status.as_u16(), 401 | 403 | 404 | 405 | 407 | 408 | 410 | 421 | 425 | 429);
    Err(Refusal {
        why,
        status: Some(status.as_u16()),
        is_of_message: status.is_client_error() && !is_of_target,
        is_final: status == StatusCode::GONE,
    })
}

/// What went wrong, down to its cause, without the address: that may contain a secret.
fn described(error: reqwest::Error) -> String {
    use std::error::Error;
    let is_timeout = error.is_timeout();
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if is_timeout { format!("the target did not answer within {PATIENCE:?}") } else { format!("the target cannot be reached: {cause}") }
}

impl Refusal {
    const fn of_target(why: String) -> Self {
        Self { why, status: None, is_of_message: false, is_final: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messenger(private: &str) -> Messenger {
        Messenger::new(&private.parse().unwrap(), None).unwrap()
    }

    #[test]
    fn the_address_of_a_target_is_encrypted_and_public() {
        let messenger = messenger("");
        assert!(messenger.check_url("https://hooks.example.com/enlist?team=it").is_ok());
        for (url, part) in [
            ("hooks.example.com", "must be an address"),
            ("ftp://hooks.example.com", "must be an address"),
            ("https://ada:secret@hooks.example.com", "must be an address"),
            ("https://hooks.example.com/#x", "must be an address"),
            ("http://hooks.example.com", "must begin with https://"),
            ("https://10.0.0.1/", "is a private address"),
        ] {
            let why = messenger.check_url(url).unwrap_err().to_string();
            assert!(why.contains(part), "{url}: {why}");
        }
    }

    #[test]
    fn a_private_network_that_was_allowed_can_be_reached_in_both_ways() {
        let messenger = messenger("10.0.0.0/8");
        for url in ["https://10.0.0.1/", "http://10.0.0.1:8080/hook", "http://receiver.internal/", "https://1.1.1.1/"] {
            assert!(messenger.check_url(url).is_ok(), "{url}");
        }
        for url in ["http://1.1.1.1/", "https://192.168.0.1/", "https://127.0.0.1/"] {
            assert!(messenger.check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_answer_speaks_of_the_event_or_of_the_target() {
        assert_eq!(judged(StatusCode::NO_CONTENT), Ok(204));
        for (status, is_of_message, is_final) in
            [(400, true, false), (422, true, false), (404, false, false), (429, false, false), (500, false, false), (410, false, true)]
        {
            let refusal = judged(StatusCode::from_u16(status).unwrap()).unwrap_err();
            assert_eq!((refusal.is_of_message, refusal.is_final, refusal.status), (is_of_message, is_final, Some(status)));
        }
        assert!(judged(StatusCode::FOUND).unwrap_err().why.contains("redirects are not followed"));
    }
}
