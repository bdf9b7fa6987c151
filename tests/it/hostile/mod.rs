//! What strangers, and devices that have turned, can send to the doors of devices. The server refuses it, does not grow by it,
//! and goes on serving everybody else.

mod asn1;
mod framing;
mod lists;
mod trickle;
mod wire;

use base64::{Engine, engine::general_purpose::STANDARD};
use enlist::simulator::{
    Phone,
    keychain::{Identity, name, rsa_key},
    scep::{self, Authority, Kind},
    transport::Wire,
};
use serde_json::json;

use self::wire::{Said, request, send};
use super::harness::{
    database::Database,
    process::{Api, Installation, Server},
};

/// How much memory one attack may cost, in kilobytes.
const MOST_GROWTH: u64 = 64 * 1024;
const CHECK_IN: &str = "application/x-apple-aspen-mdm-checkin";
const CONNECT: &str = "application/x-apple-aspen-mdm";

/// A server under attack, with an honest phone.
struct Siege {
    installation: Installation,
    server: Server,
    api: Api,
    phone: Phone,
    attacks: usize,
    failures: Vec<String>,
}

impl Siege {
    async fn new() -> Self {
        let installation = Installation::new(Database::sqlite());
        let server = installation.start().await;
        let api = installation.api();
        let mut phone = api.phone("honest@example.org").await;
        phone.enroll().await.unwrap();
        phone.poll().await.unwrap();
        Self { installation, server, api, phone, attacks: 0, failures: Vec::new() }
    }

    /// Sends an attack, measures what it costs, and notes what the server should not have done.
    async fn attack(&mut self, name: &str, bytes: &[u8], is_refused: impl Fn(&Said) -> bool) {
        self.attacks += 1;
        let before = self.server.memory();
        self.server.reset_peak();
        let said = send(self.installation.port(), bytes).await;
        let growth = self.server.peak().saturating_sub(before);
        if !is_refused(&said) {
            let begin: String = String::from_utf8_lossy(&said.body).chars().take(80).collect();
            self.failures.push(format!("{name}: answered {:?} {begin:?}", said.status));
        }
        if growth > MOST_GROWTH {
            self.failures.push(format!("{name}: grew by {growth} kB"));
        }
    }

    /// PUT to a channel of devices.
    async fn put(&mut self, name: &str, door: &str, signature: Option<&str>, body: &[u8]) {
        let content_type = if door == "checkin" { CHECK_IN } else { CONNECT };
        let mut headers = vec![("Content-Type", content_type)];
        headers.extend(signature.map(|signature| ("Mdm-Signature", signature)));
        let bytes = request(&format!("PUT /mdm/{door}"), &headers, body);
        self.attack(&format!("/mdm/{door}, {name}"), &bytes, is_4xx).await;
    }

    async fn post(&mut self, name: &str, path: &str, body: &[u8]) {
        let bytes = request(&format!("POST {path}"), &[("Content-Type", "application/octet-stream")], body);
        self.attack(&format!("{path}, {name}"), &bytes, |said| is_4xx(said) || is_refusal(path, said)).await;
    }

    /// The server is the one that was started, and serves old phones and new ones.
    async fn ends(mut self, least: usize) {
        assert!(self.attacks >= least, "only {} attacks", self.attacks);
        assert!(self.failures.is_empty(), "{} of {}:\n{}", self.failures.len(), self.attacks, self.failures.join("\n"));
        assert!(self.server.is_running());
        self.phone.poll().await.unwrap();
        let mut new = self.api.phone("new@example.org").await;
        new.enroll().await.unwrap();
        new.poll().await.unwrap();
        let log = std::fs::read_to_string(self.installation.log()).unwrap_or_default();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Refused as HTTP refuses. Never by 401, at which some phones forget their enrollment.
fn is_4xx(said: &Said) -> bool {
    said.status.is_some_and(|status| (400..500).contains(&status) && status != 401)
}

/// Refused in the words of the protocol: a failure of SCEP (RFC 8894, `pkiStatus` 2), an error of OCSP (RFC 6960).
fn is_refusal(path: &str, said: &Said) -> bool {
    const FAILURE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x45, 1, 9, 3, 0x31, 3, 0x13, 1, b'2'];
    said.status == Some(200)
        && match path {
            "/pki/ocsp" => matches!(said.body.as_slice(), [0x30, 3, 0x0a, 1, 1..=6]),
            _ if path.starts_with("/scep") => said.body.windows(FAILURE.len()).any(|window| window == FAILURE),
            _ => false,
        }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_property_lists_are_refused_signed_or_not() {
    let mut siege = Siege::new().await;
    let udid = siege.phone.device().model().udid.clone();
    for (name, body) in lists::bodies(&udid) {
        siege.put(&format!("unsigned, {name}"), "checkin", None, &body).await;
        let signature = siege.phone.sign(&body).unwrap();
        siege.put(&format!("signed, {name}"), "checkin", Some(&signature), &body).await;
        siege.put(&format!("signed, {name}"), "connect", Some(&signature), &body).await;
    }
    siege.ends(150).await;
}

/// Some places in a signed message that a signature covers: in the certificate, the signed attributes, the signature itself.
fn covered(message: &[u8], certificate: &[u8]) -> Vec<usize> {
    const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
    let find = |needle: &[u8]| message.windows(needle.len()).position(|window| window == needle).unwrap();
    let (begin, digest, end) = (find(certificate), find(MESSAGE_DIGEST), message.len());
    let in_certificate = (0..16).map(|part| begin + certificate.len() * part / 16);
    let others = [digest, digest + 8, digest + 14, digest + 40, end - 256, end - 100, end - 1];
    in_certificate.chain(others).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_signatures_are_refused_at_every_door() {
    let mut siege = Siege::new().await;
    let body = siege.phone.idle_request().unwrap();
    for (name, bytes) in asn1::rubbish(40_000).into_iter().chain(asn1::signed(None)) {
        let header = STANDARD.encode(&bytes);
        siege.put(name, "connect", Some(&header), &body).await;
        siege.put(name, "checkin", Some(&header), &body).await;
    }
    let honest = STANDARD.decode(siege.phone.sign(&body).unwrap()).unwrap();
    for part in 1..16 {
        let cut = STANDARD.encode(&honest[..honest.len() * part / 16]);
        siege.put(&format!("the signature cut at {part}/16"), "connect", Some(&cut), &body).await;
    }
    let certificate = siege.phone.identity().unwrap().certificate.to_der().unwrap();
    for place in covered(&honest, &certificate) {
        let mut bent = honest.clone();
        bent[place] ^= 0x10;
        siege.put(&format!("the signature bent at {place}"), "connect", Some(&STANDARD.encode(&bent)), &body).await;
    }
    for (name, header) in [("no base64", "!!!!"), ("empty", ""), ("URL base64", "-_-_"), ("PEM", "-----BEGIN CMS-----")] {
        siege.put(name, "connect", Some(header), &body).await;
    }
    for (name, bytes) in asn1::rubbish(250_000).into_iter().chain(asn1::signed(Some(b"<plist/>"))) {
        siege.post(name, "/scep?operation=PKIOperation", &bytes).await;
        siege.post(name, "/enroll/ota", &bytes).await;
    }
    for (name, bytes) in asn1::rubbish(4_000) {
        siege.post(name, "/pki/ocsp", &bytes).await;
        let address = format!("/pki/ocsp/{}", STANDARD.encode(&bytes).replace('+', "%2B").replace('/', "%2F"));
        let get = request(&format!("GET {address}"), &[], b"");
        siege.attack(&format!("OCSP by address, {name}"), &get, |said| is_4xx(said) || is_refusal("/pki/ocsp", said)).await;
    }
    for path in ["/scep?operation=PKIOperation", "/enroll/ota", "/pki/ocsp"] {
        siege.post("five megabytes", path, &vec![0x30; 5 << 20]).await;
    }
    siege.ends(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_messages_of_others_are_refused() {
    let mut siege = Siege::new().await;
    let mut other = siege.api.phone("other@example.org").await;
    other.enroll().await.unwrap();
    let (idle, token) = (siege.phone.idle_request().unwrap(), siege.phone.token_update_body().unwrap());
    let by_other = other.sign(&idle).unwrap();
    siege.put("somebody else's signature", "connect", Some(&by_other), &idle).await;
    siege.put("somebody else's signature", "checkin", Some(&other.sign(&token).unwrap()), &token).await;
    siege.put("a signature over another message", "connect", Some(&siege.phone.sign(&token).unwrap()), &idle).await;
    siege.put("no signature", "connect", None, &idle).await;
    let stranger = Identity::stranger("stranger").unwrap();
    let late = Identity::self_signed(rsa_key(2048).unwrap(), &name(&[("CN".into(), "late".into())]).unwrap(), 0).unwrap();
    for (who, identity) in [("a stranger's", &stranger), ("an expired stranger's", &late)] {
        let header = STANDARD.encode(enlist::simulator::cms::sign_detached(&idle, identity).unwrap());
        siege.put(&format!("{who} signature"), "connect", Some(&header), &idle).await;
    }
    let right = siege.phone.sign(&idle).unwrap();
    for kind in ["text/xml", "application/json", "application/x-apple-aspen-mdm-checkin", "multipart/form-data; boundary=x", ""] {
        let bytes = request("PUT /mdm/connect", &[("Content-Type", kind), ("Mdm-Signature", &right)], &idle);
        siege.attack(&format!("the type {kind:?}"), &bytes, is_4xx).await;
    }
    let leaver = siege.api.create_user("leaver@example.org").await;
    let mut gone = siege.api.phone_of(&leaver, "gone").await.unwrap();
    gone.enroll().await.unwrap();
    siege.api.post(&format!("users/{leaver}/revoke-enrollments"), &json!({ "confirm": true })).await.unwrap();
    let body = gone.authenticate_body().unwrap();
    siege.put("a revoked certificate begins again", "checkin", Some(&gone.sign(&body).unwrap()), &body).await;
    siege.ends(12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scep_requests_with_rubbish_inside_are_refused() {
    let mut siege = Siege::new().await;
    let wire = Wire::new(&enlist::simulator::Trust::System).unwrap();
    let url = siege.installation.base().join("scep").unwrap();
    let authority = Authority::discover(&wire, &url, None).await.unwrap();
    let stranger = Identity::stranger("stranger").unwrap();
    let mine = siege.phone.identity().unwrap().clone();
    for (name, inner) in asn1::rubbish(100_000).into_iter().chain(asn1::signed(Some(b"request"))) {
        for (kind, signer) in [(Kind::First, &stranger), (Kind::Renewal, &mine), (Kind::Renewal, &stranger)] {
            // OpenSSL does not encrypt nothing.
            let inner = if inner.is_empty() { vec![0] } else { inner.clone() };
            let sent = scep::seal(kind, &inner, &stranger.key, signer, &authority.recipient).unwrap();
            siege.post(&format!("{kind:?} of {name}"), "/scep?operation=PKIOperation", &sent.message).await;
        }
        let sent = scep::seal(Kind::First, b"request", &stranger.key, &stranger, &stranger.certificate).unwrap();
        siege.post("sealed to somebody else", "/scep?operation=PKIOperation", &sent.message).await;
    }
    siege.ends(60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_that_can_be_misunderstood_is_refused() {
    let mut siege = Siege::new().await;
    let signature = siege.phone.sign(b"").unwrap();
    for framing in framing::framings(&signature) {
        // A server may also hang up on what is not HTTP.
        siege.attack(framing.name, &framing.bytes, |said| said.status.is_none() || is_4xx(said)).await;
    }
    siege.ends(50).await;
}
