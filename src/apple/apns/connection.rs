//! One TLS connection with HTTP/2 on it, and what its end means.

use std::{
    error::Error as StdError,
    path::PathBuf,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslConnector, SslMethod, SslVersion},
};
use tokio::{net::TcpStream, sync::watch};
use tokio_openssl::SslStream;

use super::{Client, Endpoint, answer::Answer};
use crate::domain::{
    retry::http_date,
    time::{Clock, SystemClock},
};

/// Seconds of silence after which the other end is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long that answer may take.
const KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(10);
/// A request that fails waits so long for the connection to say why it ended.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// How long the other end is given to say the first word.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// No honest refusal is longer.
const LONGEST_ANSWER: usize = 4096;

/// Why nothing could be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The other end does not accept the client's certificate.
    Rejected(String),
    /// Everything else.
    Unreachable(String),
}

impl Failure {
    /// Tells from an error's words whether the certificate was refused: TLS says so in an alert, which with TLS 1.3 comes only
    /// after the client believes that all is well.
    fn of(error: &(dyn StdError + 'static)) -> Self {
        Self::of_text(words_of(error))
    }

    fn of_text(text: String) -> Self {
        let lower = text.to_lowercase();
        let is_alert = lower.contains("alert");
        // A certificate of an authority with a well-known name that it did not sign is a decrypt error.
        let signs = ["certificate", "unknown ca", "access denied", "decrypt error"];
        if is_alert && signs.iter().any(|sign| lower.contains(sign)) { Self::Rejected(text) } else { Self::Unreachable(text) }
    }
}

/// An error with all its causes in one line.
fn words_of(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

/// One connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// The certificate that it was made with.
    fingerprint: [u8; 32],
    /// When the last answer came.
    heard_at: Mutex<Option<Instant>>,
    /// How it ended, once it has.
    ended: watch::Receiver<Option<String>>,
}

impl Connection {
    /// Connects, and proves to each side who the other is.
    pub(super) async fn open(endpoint: &Endpoint, client: &Client) -> Result<Self, Failure> {
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(|error| Failure::of(&error))?;
        tcp.set_nodelay(true).map_err(|error| Failure::of(&error))?;
        let mut stream = tls(endpoint, client).and_then(|ssl| SslStream::new(ssl, tcp)).map_err(|error| Failure::of(&error))?;
        Pin::new(&mut stream).connect().await.map_err(|error| Failure::of(&error))?;
        if stream.ssl().selected_alpn_protocol() != Some(b"h2") {
            return Err(Failure::Unreachable("it does not speak HTTP/2".into()));
        }
        listen_for_refusal(&mut stream).await?;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_PATIENCE)
            .keep_alive_while_idle(true)
            // Apple allows one request at first, and says how many after it.
            .initial_max_send_streams(1);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| Failure::of(&error))?;
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move {
            let words = connection.await.err().map_or_else(|| "the connection was closed".to_owned(), |error| words_of(&error));
            end.send_replace(Some(words));
        });
        Ok(Self { sender, fingerprint: client.fingerprint, heard_at: Mutex::new(None), ended })
    }

    /// Whether a new request can be sent on it in the name of this certificate.
    pub(super) fn is_usable(&self, fingerprint: &[u8; 32]) -> bool {
        self.fingerprint == *fingerprint && !self.sender.is_closed()
    }

    /// Whether anything was answered since then.
    pub(super) fn has_heard_since(&self, instant: Instant) -> bool {
        self.heard_at.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at >= instant)
    }

    /// Sends one request and reads its answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        match self.exchange(request).await {
            Ok(answer) => {
                *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                Ok(answer)
            }
            Err(text) => {
                let mut ended = self.ended.clone();
                let last_words = tokio::time::timeout(LAST_WORDS, ended.wait_for(Option::is_some)).await;
                let end = last_words.ok().and_then(|end| end.ok().and_then(|end| end.clone()));
                Err(Failure::of_text(end.map_or_else(|| text.clone(), |end| format!("{text}: {end}"))))
            }
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let mut sender = self.sender.clone();
        sender.ready().await.map_err(|error| words_of(&error))?;
        let response = sender.send_request(request).await.map_err(|error| words_of(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (retry_after, date) = (header("retry-after"), header("date"));
        let at = date.and_then(|date| http_date(&date)).unwrap_or_else(|| SystemClock.now());
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|error| words_of(&*error))?;
        Ok(Answer { status, retry_after, at, body: body.to_bytes().to_vec() })
    }
}

/// With TLS 1.3 the other end looks at the client's certificate when the client is done already. Whoever writes at once may find
/// the connection reset before it has read why; so this waits for the first word, which HTTP/2 servers say without being asked.
async fn listen_for_refusal(stream: &mut SslStream<TcpStream>) -> Result<(), Failure> {
    match tokio::time::timeout(FIRST_WORD, Pin::new(stream).peek(&mut [0])).await {
        Ok(Ok(0)) => Err(Failure::Unreachable("the connection was closed at once".into())),
        Ok(Err(error)) => Err(Failure::of(&error)),
        // One that says nothing first may still be a good server.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// TLS with the client's certificate; the other end must be who its name says.
fn tls(endpoint: &Endpoint, client: &Client) -> Result<Ssl, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    // An OpenSSL that was built with the program does not know where the system keeps its roots.
    let system = openssl_probe::probe();
    let (file, folder) = (system.cert_file.as_deref(), system.cert_dir.first().map(PathBuf::as_path));
    if file.is_some() || folder.is_some() {
        builder.load_verify_locations(file, folder)?;
    }
    for root in &endpoint.roots {
        builder.cert_store_mut().add_cert(root.clone())?;
    }
    builder.set_certificate(&client.identity.certificate)?;
    builder.set_private_key(&client.identity.key)?;
    builder.set_alpn_protos(b"\x02h2")?;
    builder.build().configure()?.into_ssl(&endpoint.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_is_told_from_a_bad_line() {
        let of = |text: &str| Failure::of_text(text.into());
        for text in [
            "error:0A000415:SSL routines:ssl3_read_bytes:ssl/tls alert certificate expired:SSL alert number 45",
            "connection error: tlsv1 alert unknown ca",
            "tlsv13 alert certificate required",
            "tlsv1 alert decrypt error",
        ] {
            assert!(matches!(of(text), Failure::Rejected(_)), "{text}");
        }
        for text in ["Connection refused (os error 111)", "certificate verify failed: self-signed certificate", "alert handshake failure"] {
            assert!(matches!(of(text), Failure::Unreachable(_)), "{text}");
        }
    }
}
