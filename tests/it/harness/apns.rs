//! Apple's push service, played: HTTP/2 that insists on a client certificate of its own authority, judges requests as Apple does,
//! and fails in every way that a test asks for.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use enlist::{
    domain::time::{Clock, SystemClock, Timestamp},
    pki::{Identity, ca},
};
use h2::{Reason, RecvStream, server::SendResponse};
use hyper::{Request, Response, body::Bytes};
use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    nid::Nid,
    pkey::{HasPublic, PKey, PKeyRef, Private},
    ssl::{Ssl, SslAcceptor, SslMethod, SslVerifyMode},
    x509::{X509, X509Builder, X509Name, X509Req},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_openssl::SslStream;

use super::folder::TempFolder;

/// How long a test waits for a push. Far longer than it takes; whoever waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// The topic of most tests.
pub const TOPIC: &str = "com.apple.mgmt.External.11111111-2222-3333-4444-555555555555";

/// What becomes of a request that is well made.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Deliver,
    /// This status with this reason, and with `Retry-After` if there is one.
    Refuse(u16, &'static str, Option<&'static str>),
    /// No answer until [`Apns::release`], then this status.
    Hang(u16),
    /// The connection is cut.
    Cut,
    /// GOAWAY that leaves this request and all later ones undone.
    GoAway,
    /// GOAWAY after this request, which is answered.
    LastOne,
}

/// A push as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub token: String,
    pub topic: String,
    pub magic: String,
    pub expiration: i64,
    pub answer: u16,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    planned: HashMap<String, VecDeque<Answer>>,
    always: Option<Answer>,
    connections: usize,
}

/// The push service.
pub struct Apns {
    address: SocketAddr,
    folder: TempFolder,
    server: Identity,
    state: Arc<Mutex<State>>,
    released: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Apns {
    /// A push service on a free port.
    pub async fn start() -> Self {
        let server = ca::self_signed_server(&["localhost"], SystemClock.now()).unwrap();
        let folder = TempFolder::new("apns");
        std::fs::write(folder.path().join("ca.pem"), server.certificate.to_pem().unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut apns = Self { address, folder, server, state: Arc::default(), released: watch::channel(false).0, task: None };
        apns.listen(listener);
        apns
    }

    fn listen(&mut self, listener: TcpListener) {
        let acceptor = acceptor(&self.server);
        let (state, released) = (Arc::clone(&self.state), self.released.subscribe());
        self.task = Some(tokio::spawn(async move {
            // Connections end with the task that accepts them.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                connections.spawn(serve(tcp, acceptor.clone(), Arc::clone(&state), released.clone()));
            }
        }));
    }

    /// Stops: connections break, and new ones are refused.
    pub async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            drop(task.await);
        }
    }

    /// Starts again at the same address.
    pub async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listen(listener);
    }

    /// Where it is, as a person configures it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The certificate that vouches for it, as a person configures it.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The same, read.
    pub fn root(&self) -> X509 {
        self.server.certificate.clone()
    }

    /// Answers the next requests for a token so, one after the other.
    pub fn plan(&self, token: &[u8], answers: &[Answer]) {
        self.state.lock().unwrap().planned.entry(hex(token)).or_default().extend(answers);
    }

    /// Answers everything that was not planned so.
    pub fn always(&self, answer: Answer) {
        self.state.lock().unwrap().always = Some(answer);
    }

    /// Answers what hangs.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// Everything that came so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// How many requests for a token came so far.
    pub fn count(&self, token: &[u8]) -> usize {
        let token = hex(token);
        self.received().iter().filter(|received| received.token == token).count()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Waits until so many requests for a token came.
    pub async fn wait_for(&self, token: &[u8], count: usize) {
        let began = Instant::now();
        while self.count(token) < count {
            assert!(began.elapsed() < PATIENCE, "{} of {count} pushes came: {:?}", self.count(token), self.received());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Apns {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The authority that signs push certificates; the same in all tests.
fn authority() -> &'static Identity {
    static MADE: OnceLock<Identity> = OnceLock::new();
    MADE.get_or_init(|| ca::create_authority("Pushes", SystemClock.now()).unwrap())
}

fn push_key() -> &'static PKey<Private> {
    static MADE: OnceLock<PKey<Private>> = OnceLock::new();
    MADE.get_or_init(|| PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap())
}

/// A certificate for a key, with a topic, signed by an issuer, valid between two instants.
fn issue<K: HasPublic>(key: &PKeyRef<K>, topic: &str, issuer: &Identity, from: Timestamp, until: Timestamp) -> X509 {
    let mut name = X509Name::builder().unwrap();
    if !topic.is_empty() {
        name.append_entry_by_nid(Nid::USERID, topic).unwrap();
    }
    name.append_entry_by_nid(Nid::COMMONNAME, "APSP:1").unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, openssl::bn::MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name.build()).unwrap();
    builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(from.seconds()).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(until.seconds()).unwrap()).unwrap();
    builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A push certificate and its key, valid for a year.
pub fn certificate(topic: &str) -> Identity {
    let now = SystemClock.now();
    certificate_between(topic, now.plus_days(-1), now.plus_days(365))
}

/// The same, valid between two instants.
pub fn certificate_between(topic: &str, from: Timestamp, until: Timestamp) -> Identity {
    let key = push_key().clone();
    Identity { certificate: issue(&key, topic, authority(), from, until), key }
}

/// A push certificate that this service does not accept: somebody else signed it.
pub fn foreign_certificate(topic: &str) -> Identity {
    let (key, now) = (push_key().clone(), SystemClock.now());
    let stranger = ca::create_authority("Strangers", now).unwrap();
    Identity { certificate: issue(&key, topic, &stranger, now.plus_days(-1), now.plus_days(365)), key }
}

/// The answer to a request in PEM: the certificate alone, as Apple's portal gives it.
pub fn certify(request: &str, topic: &str) -> String {
    let (request, now) = (X509Req::from_pem(request.as_bytes()).unwrap(), SystemClock.now());
    let key = request.public_key().unwrap();
    assert!(request.verify(&key).unwrap());
    let certificate = issue(&key, topic, authority(), now.plus_days(-1), now.plus_days(365));
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

/// Certificate and key in one text.
pub fn pem(identity: &Identity) -> String {
    let (certificate, key) = identity.to_pem().unwrap();
    String::from_utf8([certificate, key].concat()).unwrap()
}

fn acceptor(server: &Identity) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&server.certificate).unwrap();
    builder.set_private_key(&server.key).unwrap();
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    builder.cert_store_mut().add_cert(authority().certificate.clone()).unwrap();
    builder
        .set_alpn_select_callback(|_, offered| openssl::ssl::select_next_proto(b"\x02h2", offered).ok_or(openssl::ssl::AlpnError::NOACK));
    builder.build()
}

/// What a request does to its connection.
enum Fate {
    Cut,
    GoAway,
    LastOne,
}

async fn serve(tcp: TcpStream, acceptor: SslAcceptor, state: Arc<Mutex<State>>, released: watch::Receiver<bool>) {
    let mut tls = SslStream::new(Ssl::new(acceptor.context()).unwrap(), tcp).unwrap();
    if std::pin::Pin::new(&mut tls).accept().await.is_err() {
        return;
    }
    let peer = tls.ssl().peer_certificate().expect("a client certificate was asked for");
    let topic = peer.subject_name().entries_by_nid(Nid::USERID).next().unwrap().data().to_string().unwrap();
    state.lock().unwrap().connections += 1;
    let Ok(mut connection) = h2::server::Builder::new().max_concurrent_streams(500).handshake::<_, Bytes>(tls).await else { return };
    let (fate, mut fates) = mpsc::unbounded_channel();
    let mut requests = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let visit = Visit { topic: topic.clone(), state: Arc::clone(&state), released: released.clone(), fate: fate.clone() };
                requests.spawn(visit.answer(request, respond));
            }
            Some(fate) = fates.recv() => match fate {
                Fate::Cut => return,
                Fate::GoAway => connection.abrupt_shutdown(Reason::NO_ERROR),
                Fate::LastOne => connection.graceful_shutdown(),
            },
        }
    }
}

/// One request on its way.
struct Visit {
    topic: String,
    state: Arc<Mutex<State>>,
    released: watch::Receiver<bool>,
    fate: mpsc::UnboundedSender<Fate>,
}

impl Visit {
    async fn answer(mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (head, mut body) = request.into_parts();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.data().await {
            let Ok(chunk) = chunk else { return };
            drop(body.flow_control().release_capacity(chunk.len()));
            bytes.extend_from_slice(&chunk);
        }
        let answer = self.receive(&head, &bytes);
        match answer {
            Answer::Deliver => reply(respond, 200, "", None),
            Answer::Refuse(status, reason, retry_after) => reply(respond, status, reason, retry_after),
            Answer::Hang(status) => {
                if self.released.wait_for(|released| *released).await.is_ok() {
                    reply(respond, status, "", None);
                }
            }
            Answer::Cut => drop(self.fate.send(Fate::Cut)),
            Answer::GoAway => {
                drop(self.fate.send(Fate::GoAway));
                // Without an answer until the connection is gone.
                std::future::pending::<()>().await;
            }
            Answer::LastOne => {
                drop(self.fate.send(Fate::LastOne));
                reply(respond, 200, "", None);
            }
        }
    }

    /// Judges a request as Apple does, notes it, and decides what becomes of it.
    fn receive(&self, head: &hyper::http::request::Parts, body: &[u8]) -> Answer {
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let token = head.uri.path().strip_prefix("/3/device/").unwrap_or_default().to_owned();
        let payload: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let magic = payload["mdm"].as_str().unwrap_or_default().to_owned();
        let is_exact = payload == serde_json::json!({ "mdm": magic }) && !magic.is_empty();
        let is_token = token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let judged = match () {
            () if head.method != hyper::Method::POST => Some((405, "MethodNotAllowed")),
            () if !is_token => Some((400, "BadDeviceToken")),
            () if header("apns-topic").is_empty() => Some((400, "MissingTopic")),
            () if header("apns-topic") != self.topic => Some((400, "BadTopic")),
            () if header("apns-push-type") != "mdm" => Some((400, "InvalidPushType")),
            () if header("apns-priority") != "10" => Some((400, "BadPriority")),
            () if header("apns-expiration").parse::<i64>().is_err() => Some((400, "BadExpirationDate")),
            () if !is_exact => Some((400, "PayloadEmpty")),
            () => None,
        };
        let mut state = self.state.lock().unwrap();
        let planned = state.planned.get_mut(&token).and_then(VecDeque::pop_front);
        let answer = match judged {
            Some((status, reason)) => Answer::Refuse(status, reason, None),
            None => planned.or(state.always).unwrap_or(Answer::Deliver),
        };
        let status = match answer {
            Answer::Deliver | Answer::LastOne => 200,
            Answer::Refuse(status, ..) => status,
            Answer::Hang(_) | Answer::Cut | Answer::GoAway => 0,
        };
        let expiration = header("apns-expiration").parse().unwrap_or_default();
        state.received.push(Received { token, topic: header("apns-topic"), magic, expiration, answer: status });
        answer
    }
}

fn reply(mut respond: SendResponse<Bytes>, status: u16, reason: &str, retry_after: Option<&str>) {
    let mut response = Response::builder().status(status).header("apns-id", uuid::Uuid::new_v4().to_string());
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    // The client may be gone already; that is its affair.
    let is_empty = reason.is_empty();
    let Ok(mut stream) = respond.send_response(response.body(()).unwrap(), is_empty) else { return };
    if !is_empty {
        drop(stream.send_data(Bytes::from(serde_json::json!({ "reason": reason }).to_string()), true));
    }
}
