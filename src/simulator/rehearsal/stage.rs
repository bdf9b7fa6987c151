//! The rehearsal's server: pages, mails, a profile, SCEP, check-in and a queue of commands, on a port of its own.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::{
    pkcs7::{Pkcs7, Pkcs7Flags},
    stack::Stack,
    x509::{X509, store::X509StoreBuilder},
};
use plist::{Dictionary, Value};
use reqwest::Url;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::authority::{Authority, bag};
use crate::simulator::{
    cms,
    propertylist::{self, dictionary},
};

const HTML: &str = "text/html; charset=utf-8";

/// A message that came to check-in or to the command channel.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) body: Dictionary,
    pub(super) signer: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) url: Url,
    pub(super) outbox: PathBuf,
    pub(super) rights: u64,
    pub(super) authority: Authority,
    pub(super) queue: Mutex<Vec<Dictionary>>,
    pub(super) heard: Mutex<Vec<Heard>>,
    pub(super) dismisses: Mutex<bool>,
    mails: Mutex<u32>,
}

struct Request {
    method: String,
    target: String,
    head: String,
    body: Vec<u8>,
}

impl Stage {
    pub(super) async fn open(commands: Vec<Dictionary>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let outbox = std::env::temp_dir().join(format!("enlist-rehearsal-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&outbox).unwrap();
        let (queue, heard, mails, dismisses) = (Mutex::new(commands), Mutex::default(), Mutex::default(), Mutex::default());
        let stage = Arc::new(Self { url, outbox, rights: 8191, authority: Authority::new("once-only"), queue, heard, mails, dismisses });
        let serving = Arc::clone(&stage);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stage = Arc::clone(&serving);
                tokio::spawn(async move { stage.serve(stream).await });
            }
        });
        stage
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream).await else { return };
        let (status, kind, extra, body) = self.answer(&request);
        let head =
            format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n", body.len());
        stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap_or_default();
    }

    fn answer(&self, request: &Request) -> (u16, &'static str, &'static str, Vec<u8>) {
        let known = request.head.contains("cookie: browser=1");
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let page = |html: &str| (200, HTML, "", html.as_bytes().to_vec());
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/") => page("<title>Start</title><form method=post action=/start><input type=email name=email></form>"),
            ("POST", "/start") if request.head.contains("origin: http://127.0.0.1") => {
                self.mail(&text);
                (303, HTML, "Location: /code\r\nSet-Cookie: browser=1\r\n", Vec::new())
            }
            ("GET", "/code") if known => {
                page("<form method=post action=/resend></form><form method=post action=/code><input name=code></form>")
            }
            ("POST", "/code") if known && text == format!("code=1234567{}", self.mails.lock().unwrap()) => page(
                "<form method=post action=/agree><input type=checkbox name=consent required><input type=radio name=ownership value=personal \
                 checked><input type=radio name=ownership value=company></form>",
            ),
            ("POST", "/agree") if text == "consent=on&ownership=company" => (303, HTML, "Location: /get\r\n", Vec::new()),
            ("GET", "/get") => page(if self.enrolled() < *self.mails.lock().unwrap() {
                "<a href=/profile data-enlist=profile>Install</a>"
            } else {
                "<p data-enlist=done>Done</p>"
            }),
            ("GET", "/profile") if known => (200, "application/x-apple-aspen-config", "", self.profile()),
            ("GET", "/pki/ca.pem") => (200, "text/plain", "", self.authority.ca.certificate.to_pem().unwrap()),
            _ => self.device(request),
        }
    }

    fn device(&self, request: &Request) -> (u16, &'static str, &'static str, Vec<u8>) {
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/scep?operation=GetCACaps") => (200, "text/plain", "", b"AES\nSHA-256\nPOSTPKIOperation\nRenewal\n".to_vec()),
            ("GET", "/scep?operation=GetCACert") => {
                let both = bag(&[&self.authority.registrar.certificate, &self.authority.ca.certificate]);
                (200, "application/x-x509-ca-ra-cert", "", both)
            }
            ("POST", "/scep?operation=PKIOperation") => (200, "application/x-pki-message", "", self.authority.answer(&request.body)),
            ("POST", "/ota") => (200, "application/x-apple-aspen-config", "", self.over_the_air(&request.body)),
            ("PUT", "/mdm/checkin") if request.head.contains("aspen-mdm-checkin") => {
                self.hear(request);
                (200, "text/plain", "", Vec::new())
            }
            ("PUT", "/mdm/connect") if *self.dismisses.lock().unwrap() => (401, "text/plain", "", Vec::new()),
            ("PUT", "/mdm/connect") => {
                self.hear(request);
                (200, "application/xml", "", self.next())
            }
            _ => (404, HTML, "", b"<title>Lost</title>nothing here".to_vec()),
        }
    }

    /// Commands stay queued until they are answered with anything but `NotNow`.
    fn next(&self) -> Vec<u8> {
        let heard = self.heard.lock().unwrap();
        let settled = |uuid: &str| {
            heard.iter().any(|message| {
                let text = |key: &str| message.body.get(key).and_then(Value::as_string);
                text("CommandUUID") == Some(uuid) && text("Status") != Some("NotNow")
            })
        };
        let put_off = heard.last().is_some_and(|message| message.body["Status"].as_string() == Some("NotNow"));
        let queue = self.queue.lock().unwrap();
        let mut waiting = queue.iter().enumerate().map(|(place, command)| (format!("c{place}"), command));
        match waiting.find(|(uuid, _)| !settled(uuid)) {
            Some((uuid, command)) if !put_off => {
                let command = dictionary([("CommandUUID", uuid.into()), ("Command", Value::Dictionary(command.clone()))]);
                propertylist::write(command, false).unwrap()
            }
            _ => Vec::new(),
        }
    }

    /// How many enrollments came to their end.
    fn enrolled(&self) -> u32 {
        let heard = self.heard.lock().unwrap();
        let updates = heard.iter().filter(|message| message.body.get("MessageType").and_then(Value::as_string) == Some("TokenUpdate"));
        u32::try_from(updates.count()).unwrap()
    }

    fn hear(&self, request: &Request) {
        let header = request.head.lines().find_map(|line| line.strip_prefix("mdm-signature: ")).unwrap();
        let message = Pkcs7::from_der(&STANDARD.decode(header.trim()).unwrap()).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(self.authority.ca.certificate.clone()).unwrap();
        let none = Stack::<X509>::new().unwrap();
        let flags = Pkcs7Flags::BINARY | Pkcs7Flags::DETACHED;
        message.verify(&none, &store.build(), Some(&request.body), None, flags).unwrap();
        let signer = message.signers(&none, flags).unwrap().iter().next().unwrap().to_der().unwrap();
        self.heard.lock().unwrap().push(Heard { body: propertylist::read(&request.body).unwrap(), signer });
    }

    /// Codes count up, so that an old one is a wrong one.
    fn mail(&self, form: &str) {
        assert_eq!(form, "email=ann%40example.com");
        let mut count = self.mails.lock().unwrap();
        *count += 1;
        let mail = format!("To: Ann <ann@example.com>\r\n\r\nYour code is 1234567{count}.\r\n");
        fs::write(self.outbox.join(format!("{count}.eml")), mail).unwrap();
    }

    /// Phase 2 for a device that is not known yet, phase 3 for one that has a certificate of ours.
    fn over_the_air(&self, message: &[u8]) -> Vec<u8> {
        let signer = cms::certificates(message).unwrap().remove(0);
        let opened = cms::open(message, &[signer.clone(), self.authority.ca.certificate.clone()]).unwrap();
        let attributes = propertylist::read(&opened.content).unwrap();
        assert_eq!(attributes["CHALLENGE"].as_string(), Some("ota-1"));
        let phase = usize::from(signer.verify(&self.authority.ca.key).unwrap());
        self.sign(vec![self.payloads().remove(phase)])
    }

    fn profile(&self) -> Vec<u8> {
        self.sign(self.payloads())
    }

    fn sign(&self, payloads: Vec<Value>) -> Vec<u8> {
        let top = payload("Configuration", "TOP-1", dictionary([("PayloadContent", Value::Array(payloads))]));
        let bytes = propertylist::write(top.into_dictionary().unwrap(), false).unwrap();
        cms::sign_attached(&bytes, &self.authority.registrar).unwrap()
    }

    fn payloads(&self) -> Vec<Value> {
        let address = |path: &str| Value::from(self.url.join(path).unwrap().as_str());
        let fingerprint = self.authority.ca.certificate.digest(openssl::hash::MessageDigest::sha256()).unwrap().to_vec();
        let pair = Value::Array(vec!["CN".into(), "nonce-1".into()]);
        let scep = dictionary([
            ("URL", address("scep")),
            ("Challenge", "once-only".into()),
            ("Subject", Value::Array(vec![Value::Array(vec![pair])])),
            ("Keysize", 2048.into()),
            ("Key Usage", 5.into()),
            ("CAFingerprint", Value::Data(fingerprint)),
        ]);
        let mdm = dictionary([
            ("ServerURL", address("mdm/connect")),
            ("CheckInURL", address("mdm/checkin")),
            ("Topic", "com.apple.mgmt.test".into()),
            ("AccessRights", self.rights.into()),
            ("SignMessage", true.into()),
            ("CheckOutWhenRemoved", true.into()),
            ("IdentityCertificateUUID", "SCEP-1".into()),
        ]);
        let scep = payload("com.apple.security.scep", "SCEP-1", dictionary([("PayloadContent", Value::Dictionary(scep))]));
        vec![scep, payload("com.apple.mdm", "MDM-1", mdm)]
    }
}

fn payload(kind: &str, uuid: &str, keys: Dictionary) -> Value {
    let mut body = dictionary([("PayloadType", kind.into()), ("PayloadUUID", uuid.into()), ("PayloadVersion", 1.into())]);
    body.insert("PayloadIdentifier".into(), format!("com.example.{uuid}").into());
    body.extend(keys);
    Value::Dictionary(body)
}

/// Reads one request; header names in lower case, as the client sends them.
async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.trim().parse().unwrap());
            let body = &bytes[end + 4..];
            if body.len() >= length {
                let mut words = head.split(' ').map(str::to_owned);
                return Some(Request { method: words.next()?, target: words.next()?, body: body[..length].to_vec(), head });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
