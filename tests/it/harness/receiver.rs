//! A system that is told of events: takes webhooks, and believes none whose signature, time or form is wrong.

use std::{
    collections::VecDeque,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::{
    hash::MessageDigest,
    pkey::PKey,
    sign::Signer,
    ssl::{SslAcceptor, SslMethod},
};
use serde_json::Value;

use super::certificates::Issued;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Call {
    pub id: String,
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

impl Call {
    /// What it tells of.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The word for what it tells of.
    pub fn kind(&self) -> String {
        self.event()["type"].as_str().unwrap().to_owned()
    }

    /// Whether it was signed with this secret, as the receiver works it out.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret says what it is")).unwrap();
        let key = PKey::hmac(&key).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.update(format!("{}.{}.{}", self.id, self.timestamp, self.body).as_bytes()).unwrap();
        self.signature == format!("v1,{}", STANDARD.encode(signer.sign_to_vec().unwrap()))
    }
}

#[derive(Default)]
struct Notes {
    calls: Mutex<Vec<Call>>,
    answers: Mutex<VecDeque<Answer>>,
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    Redirect(String),
    /// Says yes, and then goes on for ever.
    Endless,
}

/// A receiver.
pub struct Receiver {
    notes: Arc<Notes>,
    address: String,
    handle: ServerHandle,
}

impl Receiver {
    /// One that listens on this machine without encryption.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// One that shows this certificate.
    pub fn start_encrypted(issued: &Issued) -> Self {
        Self::start_with(Some(issued))
    }

    fn start_with(issued: Option<&Issued>) -> Self {
        let notes = Arc::<Notes>::default();
        let shared = web::Data::from(Arc::clone(&notes));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(take))).workers(1).disable_signals();
        let server = match issued {
            None => server.listen(listener).unwrap().run(),
            Some(issued) => {
                let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
                acceptor.set_private_key(&issued.key).unwrap();
                acceptor.set_certificate(&issued.certificate).unwrap();
                server.listen_openssl(listener, acceptor).unwrap().run()
            }
        };
        let scheme = if issued.is_some() { "https" } else { "http" };
        let handle = server.handle();
        tokio::spawn(server);
        Self { notes, address: format!("{scheme}://localhost:{port}"), handle }
    }

    /// Where it takes events.
    pub fn url(&self) -> String {
        format!("{}/hook?key=s3cret", self.address)
    }

    /// What it answers next; when nothing is left it says yes.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.notes.answers.lock().unwrap().extend(answers);
    }

    /// Answers with this status from here on until it is told to stop.
    pub fn refuse_all(&self, status: u16) {
        self.answer(std::iter::repeat_n(Answer::Status(status), 10_000));
    }

    /// Says yes from here on.
    pub fn accept_all(&self) {
        self.notes.answers.lock().unwrap().clear();
    }

    /// What came, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.notes.calls.lock().unwrap().clone()
    }

    /// The words for what came, in order.
    pub fn kinds(&self) -> Vec<String> {
        self.calls().iter().map(Call::kind).collect()
    }

    /// Forgets what came.
    pub fn forget(&self) {
        self.notes.calls.lock().unwrap().clear();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // The command is given at once; nobody has to wait for its answer.
        drop(self.handle.stop(false));
    }
}

async fn take(notes: web::Data<Notes>, request: HttpRequest, body: String) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    assert_eq!((request.method().as_str(), header("content-type").as_str()), ("POST", "application/json"));
    let timestamp = header("webhook-timestamp").parse().unwrap();
    let call = Call { id: header("webhook-id"), timestamp, signature: header("webhook-signature"), body };
    notes.calls.lock().unwrap().push(call);
    match notes.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204)) {
        Answer::Status(status) => HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish(),
        Answer::Redirect(to) => HttpResponse::Found().insert_header(("location", to)).finish(),
        Answer::Endless => {
            let chunk = web::Bytes::from(vec![b'x'; 16 * 1024]);
            HttpResponse::Ok().streaming(futures_util::stream::repeat_with(move || Ok::<_, actix_web::Error>(chunk.clone())))
        }
    }
}
