//! The gate: who may come in, asked as proxies ask, and what an organization decides about it.

mod access;
mod browsers;
mod door;
mod garbage;
mod outage;
mod proxy;
mod recipes;
mod refused;
mod servers;

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use enlist::simulator::Passcode;
use openssl::x509::X509;
use reqwest::{Client, Method, redirect::Policy};
use serde_json::{Value, json};

use crate::harness::{
    actors::{Admin, IPhone, Reply, id, passcode_policy},
    app::{Setup, TestApp},
    database::Database,
};

/// How long a change may take until it holds everywhere.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A server that believes the proxies of this machine.
async fn server(db: Database) -> TestApp {
    TestApp::start_with(db, trusting()).await
}

fn trusting() -> Setup {
    Setup { trusted_proxies: "127.0.0.1", ..Setup::default() }
}

/// A certificate as RFC 9440 writes it.
fn written(certificate: &X509) -> String {
    format!(":{}:", STANDARD.encode(certificate.to_der().unwrap()))
}

fn client() -> Client {
    Client::builder().no_proxy().redirect(Policy::none()).build().unwrap()
}

/// Asks the gate as a proxy does.
async fn ask(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = client().request(Method::GET, format!("{}/gate/v1/check{path}", app.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
}

/// The status, the decision and the reason for a phone.
async fn verdict(app: &TestApp, phone: &IPhone) -> (u16, String, String) {
    let reply = ask(app, "", &[("client-cert", &written(&phone.identity().unwrap().certificate))]).await;
    (reply.status, reply.header("x-enlist-decision").to_owned(), reply.header("x-enlist-reason").to_owned())
}

/// The same, as soon as it is this one; fails if that takes longer than it may.
async fn becomes(app: &TestApp, phone: &IPhone, status: u16, reason: &str) {
    let began = Instant::now();
    loop {
        let found = verdict(app, phone).await;
        if (found.0, found.2.as_str()) == (status, reason) {
            return;
        }
        assert!(began.elapsed() < AT_ONCE, "after {:?} it is still {found:?} and not {status} {reason}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A phone of a user, with what identifies both.
struct Held {
    phone: IPhone,
    device: String,
    user: String,
}

impl Held {
    /// A phone that obeys everything.
    async fn enroll(app: &TestApp, email: &str, number: usize) -> Self {
        let admin = app.admin();
        let user = admin.create_user(email).await;
        let mut phone = IPhone::enroll(app, &user, "company", number).await;
        phone.obey_all().await;
        app.work().await;
        let device = id(&phone.seen_by(&admin).await);
        Self { phone, device, user }
    }

    /// Its owner chooses a passcode, and the server hears of it.
    async fn choose(&mut self, app: &TestApp, passcode: Passcode) {
        self.phone.device_mut().set_passcode(passcode);
        app.admin().order(&self.device, "refresh").await;
        self.phone.obey_all().await;
        app.work().await;
    }
}

/// A policy that a weak passcode breaks, for the members of a group.
fn policy_for(group: &str) -> Value {
    let mut policy = passcode_policy("Group phones");
    policy["groups"] = json!([group]);
    policy
}

/// Changes some of the access rules.
async fn set_rules(admin: &Admin, change: &Value) {
    let mut rules = admin.get("/access-rules").await.expect(200);
    for (name, value) in change.as_object().unwrap() {
        rules[name] = value.clone();
    }
    admin.put("/access-rules", &rules).await.expect(200);
}
