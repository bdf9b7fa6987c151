//! Those who use the server: administrators, employees at the portal, and phones. Each comes through the door that is theirs.

use std::{
    ops::{Deref, DerefMut},
    sync::OnceLock,
    time::Duration,
};

use enlist::service::queue::Lane;
use enlist::simulator::{
    Phone, PhoneOptions,
    iphone::{Command, Door, Signature, anchors},
    keychain::{self, Identity, Wish},
    mailbox::Mailbox,
    model::Model,
    page::Page,
    portal::{Owner, Visit},
    scep::{self, Authority, Kind},
    transport::{Answer, Browser, Trust, Wire},
};
use openssl::pkey::{PKey, Private};
use plist::{Dictionary, Value as Plist};
use reqwest::{Method, Url, header::HeaderMap};
use serde_json::{Value, json};

use super::app::TestApp;

/// What the API answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    /// A header, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON, of an answer that has this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }
}

/// Somebody who calls the API.
pub struct Admin {
    client: reqwest::Client,
    address: String,
    token: Option<String>,
}

impl Admin {
    /// A caller with this token, or with none.
    pub fn new(address: String, token: Option<String>) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, address, token }
    }

    /// A request with the token, to be completed. The path begins after `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}/api/v1{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// The numbers for Prometheus.
    pub async fn metrics(&self) -> String {
        let request = self.client.get(format!("{}/metrics", self.address)).bearer_auth(self.token.as_deref().unwrap_or_default());
        self.send(request).await.text()
    }

    /// Creates a user; gives the identifier.
    pub async fn create_user(&self, email: &str) -> String {
        id(&self.post("/users", &json!({ "email": email, "name": "Ada Lovelace" })).await.expect(201))
    }

    /// Creates a group; gives the identifier.
    pub async fn create_group(&self, name: &str) -> String {
        id(&self.post("/groups", &json!({ "name": name })).await.expect(201))
    }

    /// Creates a policy; gives the identifier.
    pub async fn create_policy(&self, policy: &Value) -> String {
        id(&self.post("/policies", policy).await.expect(201))
    }

    /// Invites a user to enroll a device of this ownership.
    pub async fn invite(&self, user: &str, ownership: &str) {
        self.post(&format!("/users/{user}/invitation"), &json!({ "ownership": ownership })).await.expect(202);
    }

    /// An enrollment profile, handed over by the administrator.
    pub async fn profile(&self, user: &str, ownership: &str) -> Vec<u8> {
        let body = json!({ "platform": "ios", "ownership": ownership });
        let reply = self.post(&format!("/users/{user}/enrollment-profile"), &body).await;
        reply.expect(200);
        reply.bytes
    }

    /// A device as the API shows it.
    pub async fn device(&self, id: &str) -> Value {
        self.get(&format!("/devices/{id}")).await.expect(200)
    }

    /// The device with this serial number.
    pub async fn device_of(&self, serial: &str) -> Value {
        let found = self.get(&format!("/devices?q={serial}")).await.expect(200);
        assert_eq!(found["total"], 1, "{found}");
        found["items"][0].clone()
    }

    /// Orders a wipe, with the confirmation that is asked for.
    pub async fn wipe(&self, device: &Value, scope: &str) -> Reply {
        let path = format!("/devices/{}/wipe", text(device, "id"));
        self.post(&path, &json!({ "scope": scope, "reason": "lost", "confirm": device["serial"] })).await
    }

    /// Orders something that needs no more words (`lock`, `refresh`, `retire`, `clear-passcode`); gives the command's identifier.
    pub async fn order(&self, device: &str, what: &str) -> String {
        let ordered = self.send(self.request(Method::POST, &format!("/devices/{device}/{what}"))).await.expect(202);
        id(&ordered["command"])
    }

    /// Queues a command; gives its identifier.
    pub async fn command(&self, device: &str, body: &Value) -> String {
        id(&self.post(&format!("/devices/{device}/commands"), body).await.expect(202)["command"])
    }

    /// Where a command stands.
    pub async fn command_state(&self, device: &str, command: &str) -> Value {
        self.get(&format!("/devices/{device}/commands/{command}")).await.expect(200)
    }

    /// The kinds of a device's timeline, oldest first.
    pub async fn timeline(&self, device: &str) -> Vec<String> {
        let page = self.get(&format!("/devices/{device}/timeline?limit=200")).await.expect(200);
        page["items"].as_array().unwrap().iter().rev().map(|event| text(event, "kind")).collect()
    }

    /// What was done, oldest first.
    pub async fn audited(&self) -> Vec<String> {
        let page = self.get("/audit?limit=200").await.expect(200);
        page["items"].as_array().unwrap().iter().rev().map(|line| text(line, "action")).collect()
    }
}

/// The text at a key.
#[track_caller]
pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {value}")).to_owned()
}

/// The identifier of something that the API gave.
#[track_caller]
pub fn id(value: &Value) -> String {
    text(value, "id")
}

/// A policy that asks for a passcode which the simulated strong one satisfies and the weak one does not.
pub fn passcode_policy(name: &str) -> Value {
    json!({ "name": name, "passcode": { "required": true, "min_length": 6, "allow_simple": false } })
}

/// An employee with a browser on an iPhone, and a mailbox.
pub struct Visitor<'a> {
    app: &'a TestApp,
    owner: Owner,
}

impl<'a> Visitor<'a> {
    /// The employee with this address, in a browser that was never here.
    pub fn new(app: &'a TestApp, address: &str) -> Self {
        let browser = Browser::new(&Trust::System, &Model::numbered("tests", 0).user_agent()).unwrap();
        // The mails come when the jobs run, which is at once; the patience is for busy machines.
        let mailbox = Mailbox::new(app.outbox(), Duration::from_secs(30));
        Self { app, owner: Owner { browser, mailbox, address: address.to_owned(), ownership: None, method: None } }
    }

    /// The link of the newest invitation.
    pub fn invitation(&self) -> Option<Url> {
        self.owner.mailbox.invitation(&self.owner.address, &Url::parse(self.app.address()).unwrap())
    }

    /// Walks through the portal from this address to the profile, reading the code from the mailbox on the way.
    pub async fn fetch_profile(&self, start: Url) -> Visit {
        self.app.work_during(self.owner.fetch_profile(start)).await.unwrap()
    }

    /// Walks from the start page as far as it goes; where that is not to a profile, gives what the last page said.
    pub async fn try_profile(&self) -> Result<Visit, String> {
        let server = async {
            loop {
                self.app.app.job_enqueued(Lane::Others).await;
                self.app.work().await;
            }
        };
        tokio::select! {
            visit = self.owner.fetch_profile(Url::parse(self.app.address()).unwrap()) => visit.map_err(|error| error.to_string()),
            () = server => unreachable!("the server works for ever"),
        }
    }

    /// Whether the page from which the profile came says by now that the device is enrolled.
    pub async fn sees_done(&self, page: &Page) -> bool {
        self.owner.sees_done(page).await.unwrap()
    }
}

/// An iPhone in somebody's hand.
pub struct IPhone(Phone);

impl Deref for IPhone {
    type Target = Phone;
    fn deref(&self) -> &Phone {
        &self.0
    }
}

impl DerefMut for IPhone {
    fn deref_mut(&mut self) -> &mut Phone {
        &mut self.0
    }
}

impl IPhone {
    /// The device with this number, whose profile the administrator handed over; nothing is installed yet.
    pub async fn with_profile(app: &TestApp, user: &str, ownership: &str, number: usize) -> Self {
        let profile = app.admin().profile(user, ownership).await;
        Self::open(app, &profile, number, PhoneOptions::default()).await
    }

    /// The device with this number, with this profile.
    pub async fn open(app: &TestApp, profile: &[u8], number: usize, options: PhoneOptions) -> Self {
        let portal = Url::parse(app.address()).unwrap();
        let anchors = anchors(&Wire::new(&Trust::System).unwrap(), &portal).await.unwrap();
        Self(Phone::new(profile, Model::numbered("tests", number), PhoneOptions { anchors, ..options }).unwrap())
    }

    /// The device with this number, enrolled for this user, with all first questions still to be answered.
    pub async fn enroll(app: &TestApp, user: &str, ownership: &str, number: usize) -> Self {
        let mut phone = Self::with_profile(app, user, ownership, number).await;
        phone.certify(number).await;
        phone.0.enroll().await.unwrap();
        phone
    }

    /// Gets a certificate for a key that was made before: making keys takes long.
    pub async fn certify(&mut self, number: usize) {
        let key = key(number);
        let (sent, authority) = self.scep_request(&key).await;
        let url = self.scep_payload().unwrap().url.clone();
        let certificate = scep::send(self.wire(), &url, &sent, &authority, &key).await.unwrap();
        self.set_identity(Identity { key, certificate });
    }

    /// The first SCEP request of this phone, not sent yet.
    pub async fn scep_request(&self, key: &PKey<Private>) -> (scep::Sent, Authority) {
        let payload = self.scep_payload().unwrap();
        let subject = keychain::name(&payload.subject).unwrap();
        self.scep_request_for(key, &subject, payload.challenge.as_deref(), &payload.alternative_names).await
    }

    /// A first SCEP request with any content, not sent yet.
    pub async fn scep_request_for(
        &self,
        key: &PKey<Private>,
        subject: &openssl::x509::X509NameRef,
        challenge: Option<&str>,
        alternative_names: &[(String, String)],
    ) -> (scep::Sent, Authority) {
        let payload = self.scep_payload().unwrap();
        let subject = subject.to_owned().unwrap();
        let authority = Authority::discover(self.wire(), &payload.url, payload.fingerprint.as_deref()).await.unwrap();
        let wish = Wish { subject: &subject, challenge, key_usage: 5, alternative_names };
        let request = keychain::request(key, &wish).unwrap();
        let myself = Identity::self_signed(key.clone(), &subject, 1).unwrap();
        (scep::seal(Kind::First, &request, key, &myself, &authority.recipient).unwrap(), authority)
    }

    /// The device as the API shows it.
    pub async fn seen_by(&self, admin: &Admin) -> Value {
        admin.device_of(&self.device().model().serial).await
    }

    /// Says that it is idle; gives the command that comes back.
    pub async fn ask(&self) -> Option<Command> {
        let body = self.idle_request().unwrap();
        self.exchange(body).await
    }

    /// Sends a report; gives the command that comes back.
    pub async fn exchange(&self, body: Vec<u8>) -> Option<Command> {
        let answer = self.send(Door::Connect, body, Signature::Own).await.unwrap();
        Command::read(&answer.ok("a report").unwrap()).unwrap()
    }

    /// The body of an answer to a command.
    pub fn answer<const N: usize>(&self, uuid: &str, status: &str, more: [(&str, Plist); N]) -> Vec<u8> {
        let mut keys = Dictionary::new();
        keys.insert("CommandUUID".into(), uuid.into());
        keys.insert("Status".into(), status.into());
        keys.extend(more.map(|(key, value)| (key.to_owned(), value)));
        self.connect_body(keys).unwrap()
    }

    /// Polls and obeys until there is nothing left; gives what it was asked, in order.
    pub async fn obey_all(&mut self) -> Vec<String> {
        let polled = self.0.poll().await.unwrap();
        polled.steps.into_iter().map(|step| step.request_type).collect()
    }

    /// Sends a check-in message made of these keys.
    pub async fn check_in<const N: usize>(&self, message_type: &str, keys: [(&str, Plist); N]) -> Answer {
        let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let body = self.check_in_body(message_type, keys).unwrap();
        self.send(Door::CheckIn, body, Signature::Own).await.unwrap()
    }
}

/// A key for the device with this number; the same in all tests.
pub fn key(number: usize) -> PKey<Private> {
    static KEYS: [OnceLock<PKey<Private>>; 4] = [const { OnceLock::new() }; 4];
    KEYS[number].get_or_init(|| keychain::rsa_key(2048).unwrap()).clone()
}
