//! Apple's push service: wakes one device after another over one HTTP/2 connection, whose client is the push certificate. What
//! follows from an answer is left to the services.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{Request, body::Bytes};
use openssl::x509::X509;
use tokio::sync::Mutex;

mod answer;
mod connection;

use connection::{Connection, Failure};

use crate::{
    domain::{hex::hex, time::Timestamp},
    pki::{self, Identity},
};

/// How long the service may think. Apple answers within a fraction of a second.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A request that another connection did not bring through is tried once more: waking a device twice does no harm.
const TRIES: usize = 2;

/// What wakes one device.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// The device's push token.
    pub token: Vec<u8>,
    /// What tells the device that it is meant. A secret between it and the server.
    pub magic: String,
    /// The topic of the certificate.
    pub topic: String,
    /// Until when Apple should keep trying to reach the device.
    pub expires_at: Timestamp,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Apple took it.
    Delivered,
    /// The token is of no further use; the device sends another one when it has one.
    TokenGone(String),
    /// Not now.
    TryLater {
        /// In Apple's words.
        why: String,
        /// Not before so long from now, if Apple said so.
        after: Option<Duration>,
        /// Whether it concerns the service as a whole, rather than one device.
        is_for_all: bool,
    },
    /// The certificate is not accepted: nothing can be sent until an administrator does something.
    CertificateRejected(String),
    /// The service could not be reached.
    Unreachable(String),
}

/// Where the push service is, and who vouches for it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    roots: Vec<X509>,
}

/// An address that is not one of a push service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be like https://api.push.apple.com, with a port if it is not 443")]
pub struct NotAnAddress;

impl Endpoint {
    /// The service at an address.
    ///
    /// * `roots`: certificates that may vouch for it, besides those that the system trusts.
    ///
    /// # Errors
    /// The address is not one.
    pub fn new(url: &str, roots: Vec<X509>) -> Result<Self, NotAnAddress> {
        let authority = url.strip_prefix("https://").ok_or(NotAnAddress)?.trim_end_matches('/');
        let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| is_port(port)) {
            Some((host, port)) => (host, port.parse().map_err(|_| NotAnAddress)?),
            None => (authority, 443),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(NotAnAddress);
        }
        Ok(Self { host: host.to_owned(), port, roots })
    }
}

/// The push certificate with its key, as the client of a connection.
pub struct Client {
    identity: Identity,
    fingerprint: [u8; 32],
}

impl Client {
    /// A client with this certificate.
    ///
    /// # Errors
    /// The certificate cannot be written as DER.
    pub fn new(identity: Identity) -> Result<Self, openssl::error::ErrorStack> {
        let fingerprint = pki::fingerprint(&identity.certificate.to_der()?);
        Ok(Self { identity, fingerprint })
    }
}

/// The push service. Any number of notifications share its one connection.
pub struct Apns {
    endpoint: Endpoint,
    patience: Duration,
    line: Mutex<Line>,
}

/// The connection, and what came of the last attempt to make one.
#[derive(Default)]
struct Line {
    connection: Option<Arc<Connection>>,
    failed: Option<(Instant, Failure)>,
}

impl Apns {
    /// The service at an address; nothing is connected yet.
    ///
    /// * `patience`: how long a connection or an answer is waited for.
    #[must_use]
    pub fn new(endpoint: Endpoint, patience: Duration) -> Self {
        Self { endpoint, patience, line: Mutex::new(Line::default()) }
    }

    /// Sends one notification.
    pub async fn push(&self, client: &Client, notification: &Notification) -> Outcome {
        let mut last = Failure::Unreachable("nothing was tried".into());
        for _ in 0..TRIES {
            let connection = match self.connection(client).await {
                Ok(connection) => connection,
                Err(failure) => return failure.into(),
            };
            let request = match self.request(notification) {
                Ok(request) => request,
                Err(error) => return Outcome::TryLater { why: error.to_string(), after: None, is_for_all: false },
            };
            let sent_at = Instant::now();
            match tokio::time::timeout(self.patience, connection.send(request)).await {
                Ok(Ok(answer)) => return answer::outcome(&answer),
                Ok(Err(failure)) => {
                    self.forget(&connection).await;
                    if matches!(failure, Failure::Rejected(_)) {
                        return failure.into();
                    }
                    last = failure;
                }
                Err(_) => return self.was_silent(&connection, sent_at).await,
            }
        }
        last.into()
    }

    /// No answer came in time. Where others had theirs meanwhile it is this device's; else the connection leads nowhere.
    async fn was_silent(&self, connection: &Arc<Connection>, sent_at: Instant) -> Outcome {
        let why = format!("no answer came within {} s", self.patience.as_secs_f32());
        if connection.has_heard_since(sent_at) {
            return Outcome::TryLater { why, after: None, is_for_all: false };
        }
        self.forget(connection).await;
        Outcome::Unreachable(why)
    }

    /// The connection, made where there is none. Those who wait while somebody else fails to make it share the failure.
    async fn connection(&self, client: &Client) -> Result<Arc<Connection>, Failure> {
        let came_at = Instant::now();
        let mut line = self.line.lock().await;
        if let Some(connection) = line.connection.as_ref().filter(|connection| connection.is_usable(&client.fingerprint)) {
            return Ok(Arc::clone(connection));
        }
        if let Some((_, failure)) = line.failed.as_ref().filter(|(at, _)| *at >= came_at) {
            return Err(failure.clone());
        }
        line.connection = None;
        let opened = tokio::time::timeout(self.patience, Connection::open(&self.endpoint, client));
        match opened.await.unwrap_or_else(|_| Err(Failure::Unreachable("no connection came about in time".into()))) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                line.connection = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(failure) => {
                line.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Takes a connection out of use. Requests that are still under way on it end by themselves.
    async fn forget(&self, connection: &Arc<Connection>) {
        let mut line = self.line.lock().await;
        if line.connection.as_ref().is_some_and(|present| Arc::ptr_eq(present, connection)) {
            line.connection = None;
        }
    }

    fn request(&self, notification: &Notification) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let token = hex(&notification.token);
        let host = if self.endpoint.host.contains(':') { format!("[{}]", self.endpoint.host) } else { self.endpoint.host.clone() };
        let body = serde_json::json!({ "mdm": notification.magic }).to_string();
        Request::post(format!("https://{host}:{}/3/device/{token}", self.endpoint.port))
            .header("apns-topic", &notification.topic)
            .header("apns-push-type", "mdm")
            .header("apns-priority", "10")
            .header("apns-expiration", notification.expires_at.seconds().to_string())
            .body(Full::new(Bytes::from(body)))
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(why) => Self::CertificateRejected(why),
            Failure::Unreachable(why) => Self::Unreachable(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_a_port() {
        let read = |url| Endpoint::new(url, Vec::new()).map(|endpoint| (endpoint.host, endpoint.port));
        assert_eq!(read("https://api.push.apple.com"), Ok(("api.push.apple.com".into(), 443)));
        assert_eq!(read("https://api.push.apple.com:2197/"), Ok(("api.push.apple.com".into(), 2197)));
        assert_eq!(read("https://[::1]:5"), Ok(("::1".into(), 5)));
        for wrong in ["", "http://api.push.apple.com", "api.push.apple.com", "https://", "https://a/b", "https://a:99999", "https://me@a"] {
            assert_eq!(read(wrong), Err(NotAnAddress), "{wrong}");
        }
    }

    #[test]
    fn a_request_is_what_apple_asks_for() {
        let apns = Apns::new(Endpoint::new("https://api.push.apple.com", Vec::new()).unwrap(), PATIENCE);
        let notification = Notification {
            token: vec![0, 0xab, 0xff],
            magic: "M-1".into(),
            topic: "com.apple.mgmt.External.1".into(),
            expires_at: Timestamp::from_millis(1_790_000_000_000),
        };
        let request = apns.request(&notification).unwrap();
        assert_eq!(request.uri(), "https://api.push.apple.com:443/3/device/00abff");
        let header = |name| request.headers()[name].to_str().unwrap();
        assert_eq!((header("apns-topic"), header("apns-push-type")), ("com.apple.mgmt.External.1", "mdm"));
        assert_eq!((header("apns-priority"), header("apns-expiration")), ("10", "1790000000"));
    }
}
