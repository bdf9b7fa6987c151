//! Android devices with Enlist's own agent, whose owners have proved their mailbox and agreed.

use std::ops::{Deref, DerefMut};

use enlist::{
    domain::{
        backend::Backend,
        device::Ownership,
        id::{UserId, VisitId},
    },
    simulator::{
        State,
        android::{
            Mode,
            agent::{Agent, Behaviour, Ticket},
            handset::{Handset, passcode_of},
        },
        message::Step,
        passcode::Passcode,
        transport::Trust,
    },
    store::{
        self, Store,
        visits::{self, Visit},
    },
};
use reqwest::Url;
use serde_json::{Value, json};

use super::{
    actors::{Admin, text},
    app::{Setup, TestApp},
    database::Database,
};

/// A server with the port for devices.
pub async fn start(database: Database) -> TestApp {
    TestApp::start_with(database, Setup { device_port: true, ..Setup::default() }).await
}

/// How a device behaves unless a test says otherwise.
pub fn behaviour(passcode: Passcode, mode: Mode) -> Behaviour {
    Behaviour { trust: Trust::Anybody, passcode: passcode_of(passcode), is_rooted: false, defers: false, mode, device_url: None }
}

/// A device with an agent.
pub struct Android(Agent);

impl Deref for Android {
    type Target = Agent;
    fn deref(&self) -> &Agent {
        &self.0
    }
}

impl DerefMut for Android {
    fn deref_mut(&mut self) -> &mut Agent {
        &mut self.0
    }
}

impl Android {
    /// The device with this number; nobody manages it yet.
    pub fn new(number: usize, behaviour: Behaviour) -> Self {
        Self(Agent::new(Handset::numbered("tests", number), behaviour).unwrap())
    }

    /// The device with this number, enrolled for this user, with what was queued for it still to be done.
    pub async fn enroll(app: &TestApp, user: &str, ownership: &str, number: usize, behaviour: Behaviour) -> Self {
        let mut android = Self::new(number, behaviour);
        let ticket = ticket(app, user, ownership).await;
        android.0.enroll(&ticket).await.unwrap();
        android
    }

    /// The device as the API shows it.
    pub async fn seen_by(&self, admin: &Admin) -> Value {
        admin.device_of(&self.handset().serial).await
    }

    /// Obeys until there is nothing left; gives the commands with the answers, in order.
    pub async fn obey_all(&mut self) -> Vec<String> {
        self.poll(0).await.unwrap().into_iter().map(|Step { request_type, status }| format!("{request_type} {status}")).collect()
    }

    /// The certificate of this device in a client of another make, for any server.
    pub fn client(&self) -> reqwest::Client {
        let (key, chain) = self.identity_pem().unwrap();
        let identity = reqwest::Identity::from_pkcs8_pem(&chain, &key).unwrap();
        reqwest::Client::builder().no_proxy().identity(identity).tls_danger_accept_invalid_certs(true).build().unwrap()
    }

    /// Whether it is still managed, as far as it knows.
    pub fn is_enrolled(&self) -> bool {
        self.state() == State::Enrolled
    }
}

/// What the portal gives somebody who has proved their mailbox and agreed.
pub async fn ticket(app: &TestApp, user: &str, ownership: &str) -> Ticket {
    let visit = visit(app, user, ownership).await;
    let given = app.app.activate_agent(visit).await.unwrap();
    Ticket { token: given.token, activate: Url::parse(app.address()).unwrap().join("/android/v1/activate").unwrap() }
}

/// A visit that has come as far as the activation.
pub async fn visit(app: &TestApp, user: &str, ownership: &str) -> VisitId {
    let (user, ownership): (UserId, Ownership) = (user.parse().unwrap(), ownership.parse().unwrap());
    let now = app.clock_now();
    let visit = Visit {
        id: VisitId::new(),
        hash: uuid::Uuid::new_v4().as_bytes().repeat(2),
        invitation_id: None,
        email: None,
        user_id: Some(user),
        ownership,
        consent_version: Some("1".into()),
        consented_at: Some(now),
        enrollment_id: None,
        profile_taken_at: None,
        created_at: now,
        expires_at: now.plus_days(1),
        backend: Some(Backend::Agent),
        return_to: None,
    };
    let id = visit.id;
    let store: Store = app.database.store();
    store.write(move |tx| visits::insert(tx, &visit)).await.map_err(|error: store::Error| error).unwrap();
    id
}

/// The reasons of a device, by their codes.
pub fn reasons(device: &Value) -> Vec<String> {
    device["reasons"].as_array().unwrap().iter().map(|reason| text(reason, "code")).collect()
}

/// State, verdict and access of a device.
pub fn standing(device: &Value) -> [&str; 3] {
    ["enrollment", "compliance", "access"].map(|key| device[key].as_str().unwrap())
}

/// An answer to a command.
pub fn answer(status: &str) -> Value {
    json!({ "status": status })
}
