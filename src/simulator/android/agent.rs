//! One device with Enlist's own agent, step by step: activation, posture, commands.

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::{
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{X509, X509ReqBuilder},
};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Mode,
    handset::{Handset, complexity, satisfies},
    order::{Order, Trusted},
};
use crate::simulator::{
    error::{Result, crypto, protocol},
    message::{State, Step},
    transport::{Answer, Trust, Wire},
};

/// A session ends after so many commands, whatever the server says: one that never runs out is broken.
const SESSION_LIMIT: usize = 100;

/// What the portal gave: the token, and where to go with it.
#[derive(Debug, Clone, Deserialize)]
pub struct Ticket {
    /// The one-time token.
    pub token: String,
    /// Where the agent is activated.
    #[serde(deserialize_with = "read_address")]
    pub activate: Url,
}

/// How a device behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Whom its connections trust.
    pub trust: Trust,
    /// Its passcode.
    pub passcode: Option<String>,
    /// It looks rooted.
    pub is_rooted: bool,
    /// Commands for the screen are put off once, as by a device in use.
    pub defers: bool,
    /// What the agent is on it.
    pub mode: Mode,
    /// Where the port for devices is, where it is not where the server says.
    pub device_url: Option<Url>,
}

#[derive(Deserialize)]
struct Activated {
    certificate: String,
    chain: Vec<String>,
    enrollment: String,
    generation: i64,
    #[serde(deserialize_with = "read_address")]
    device_url: Url,
    command_signer: String,
}

#[derive(Deserialize)]
struct Renewed {
    certificate: String,
    chain: Vec<String>,
}

/// The connection with the certificate.
#[derive(Debug)]
struct Door {
    wire: Wire,
    base: Url,
    trusted: Trusted,
}

/// A device with an agent.
#[derive(Debug)]
pub struct Agent {
    handset: Handset,
    behaviour: Behaviour,
    door: Option<Door>,
    certificate: Option<X509>,
    key: PKey<Private>,
    policy: Option<Value>,
    state: State,
    is_locked: bool,
    deferred: HashSet<String>,
    /// What was done, by the command's identifier, and how it was answered.
    done: HashMap<String, &'static str>,
    journal: Vec<Step>,
}

impl Agent {
    /// A device that is not managed yet.
    pub fn new(handset: Handset, behaviour: Behaviour) -> Result<Self> {
        Ok(Self {
            handset,
            behaviour,
            door: None,
            certificate: None,
            key: new_key()?,
            policy: None,
            state: State::New,
            is_locked: false,
            deferred: HashSet::new(),
            done: HashMap::new(),
            journal: Vec::new(),
        })
    }

    /// What it is.
    #[must_use]
    pub fn handset(&self) -> &Handset {
        &self.handset
    }

    /// What has become of it.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The commands so far and how they were answered.
    #[must_use]
    pub fn journal(&self) -> &[Step] {
        &self.journal
    }

    /// Its passcode.
    #[must_use]
    pub fn passcode(&self) -> Option<&str> {
        self.behaviour.passcode.as_deref()
    }

    /// The owner chooses another passcode.
    pub fn set_passcode(&mut self, passcode: Option<String>) {
        self.behaviour.passcode = passcode;
    }

    /// Somebody roots it, or restores its system.
    pub fn set_rooted(&mut self, is_rooted: bool) {
        self.behaviour.is_rooted = is_rooted;
    }

    /// Whether a command has locked it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// The certificate, once there is one.
    #[must_use]
    pub fn certificate(&self) -> Option<&X509> {
        self.certificate.as_ref()
    }

    /// The key and the chain in PEM, for connections of another make.
    pub fn identity_pem(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let door = self.door()?;
        let certificate = self.certificate.as_ref().ok_or_else(|| protocol("come with a certificate", "there is none"))?;
        let chain = [certificate.to_pem(), door.trusted.authority.to_pem()].into_iter().collect::<std::result::Result<Vec<_>, _>>();
        let key = self.key.private_key_to_pem_pkcs8();
        Ok((key.map_err(crypto("write a key"))?, chain.map_err(crypto("write a certificate"))?.concat()))
    }

    /// Where the agent goes with its certificate.
    pub fn base(&self) -> Result<&Url> {
        Ok(&self.door()?.base)
    }

    fn door(&self) -> Result<&Door> {
        self.door.as_ref().ok_or_else(|| protocol("come with a certificate", "the agent was not activated"))
    }

    /// The body of an activation.
    pub fn activation(&self, token: &str) -> Result<Value> {
        let device = &self.handset;
        Ok(json!({
            "token": token, "csr": request(&self.key)?, "mode": self.behaviour.mode.word(),
            "device": {
                "identifier": device.identifier, "manufacturer": device.manufacturer, "model": device.model, "serial": device.serial,
                "android_version": device.android_version, "security_patch": device.security_patch,
            },
        }))
    }

    /// Activates the agent with the portal's ticket, fetches the policy, and says how the device is.
    pub async fn enroll(&mut self, ticket: &Ticket) -> Result<()> {
        self.activate(ticket).await?;
        self.fetch_policy().await?;
        self.report().await?;
        self.state = State::Enrolled;
        Ok(())
    }

    /// Only fetches the certificate.
    pub async fn activate(&mut self, ticket: &Ticket) -> Result<()> {
        let wire = Wire::new(&self.behaviour.trust)?;
        let answer = post_json(&wire, ticket.activate.clone(), &self.activation(&ticket.token)?).await?;
        let activated: Activated = read(&answer.ok("activate the agent")?)?;
        let authority = self.take_certificate(&activated.certificate, &activated.chain)?;
        let signer = X509::from_pem(activated.command_signer.as_bytes()).map_err(crypto("read the signer's certificate"))?;
        let trusted = Trusted { enrollment: activated.enrollment, generation: activated.generation, authority, signer };
        let base = self.behaviour.device_url.clone().unwrap_or(activated.device_url);
        self.open(base, trusted)
    }

    /// The certificate must be for the device's own key and come from the authority that is sent along; gives the authority.
    fn take_certificate(&mut self, certificate: &str, chain: &[String]) -> Result<X509> {
        let doing = "take the certificate";
        let certificate = X509::from_pem(certificate.as_bytes()).map_err(crypto(doing))?;
        let authority = chain.first().ok_or_else(|| protocol(doing, "there is no chain"))?;
        let authority = X509::from_pem(authority.as_bytes()).map_err(crypto(doing))?;
        let key = certificate.public_key().map_err(crypto(doing))?;
        if !key.public_eq(&self.key) {
            return Err(protocol(doing, "it is for another key"));
        }
        if !certificate.verify(authority.public_key().map_err(crypto(doing))?.as_ref()).map_err(crypto(doing))? {
            return Err(protocol(doing, "it does not come from the authority that was sent along"));
        }
        self.certificate = Some(certificate);
        Ok(authority)
    }

    fn open(&mut self, base: Url, trusted: Trusted) -> Result<()> {
        let certificate = self.certificate.as_ref().ok_or_else(|| protocol("come with a certificate", "there is none"))?;
        let chain = certificate.to_pem().map_err(crypto("write a certificate"))?;
        let key = self.key.private_key_to_pem_pkcs8().map_err(crypto("write a key"))?;
        let wire = Wire::with_identity(&self.behaviour.trust, &chain, &key)?;
        self.door = Some(Door { wire, base, trusted });
        Ok(())
    }

    fn address(&self, path: &str) -> Result<Url> {
        self.door()?.base.join(&format!("/android/v1/{path}")).map_err(|error| protocol("make an address", error.to_string()))
    }

    /// Sends a document to an address of the protocol, whatever comes back.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        post_json(&self.door()?.wire, self.address(path)?, body).await
    }

    /// Sends anything at all to an address of the protocol.
    pub async fn post_raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> Result<Answer> {
        self.door()?.wire.post(self.address(path)?, content_type, body).await
    }

    /// Asks an address of the protocol, whatever comes back.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.door()?.wire.get(self.address(path)?).await
    }

    /// Fetches the policy unless it is known, and takes it over; gives its version.
    pub async fn fetch_policy(&mut self) -> Result<String> {
        let known = self.version().unwrap_or_default();
        let answer = self.door()?.wire.get_unless(self.address("policy")?, &known).await?;
        if answer.status != 304 {
            self.policy = Some(read(&answer.ok("fetch the policy")?)?);
        }
        self.version().ok_or_else(|| protocol("fetch the policy", "it has no version"))
    }

    fn version(&self) -> Option<String> {
        self.policy.as_ref()?.get("version")?.as_str().map(str::to_owned)
    }

    /// How the device is, in the words of the protocol.
    #[must_use]
    pub fn posture(&self) -> Value {
        let demanded = self.policy.as_ref().and_then(|policy| policy.get("passcode")).cloned().unwrap_or_else(|| json!({}));
        let passcode = self.passcode();
        let signals: &[&str] = if self.behaviour.is_rooted { &["su_binary", "test_keys"] } else { &[] };
        json!({
            "mode": self.behaviour.mode.word(),
            "passcode_present": passcode.is_some(),
            "passcode_sufficient": self.policy.is_some() && satisfies(passcode, &demanded, self.behaviour.mode == Mode::DeviceOwner),
            "passcode_complexity": complexity(passcode),
            "encrypted": true,
            "security_patch_level": self.handset.security_patch,
            "os_version": self.handset.android_version,
            "model": self.handset.model,
            "rooted_signals": signals,
            "applied_policy": self.version(),
        })
    }

    /// Says how the device is.
    pub async fn report(&self) -> Result<()> {
        self.post("posture", &self.posture()).await?.ok("report the posture").map(drop)
    }

    /// Asks for commands and obeys until there is none; waits so many seconds for the first.
    pub async fn poll(&mut self, wait: u32) -> Result<Vec<Step>> {
        let before = self.journal.len();
        let mut wait = wait;
        for _ in 0..SESSION_LIMIT {
            // What was put off can be done now.
            let put_off = if self.deferred.is_empty() { "" } else { "&put_off=true" };
            let answer = self.get(&format!("commands?wait={wait}{put_off}")).await?;
            if answer.status == 204 {
                break;
            }
            if answer.status == 403 && is_ended(&answer.body) {
                self.state = State::Removed;
                break;
            }
            self.obey(&answer.ok("ask for a command")?).await?;
            if self.state != State::Enrolled {
                break;
            }
            wait = 0;
        }
        Ok(self.journal.get(before..).unwrap_or_default().to_vec())
    }

    /// Does what a command asks for, once, and answers it.
    #[allow(clippy::disallowed_methods, reason = "a phone has a clock of its own")]
    pub async fn obey(&mut self, body: &[u8]) -> Result<()> {
        let order = Order::read(body, &self.door()?.trusted, OffsetDateTime::now_utc())?;
        let (status, error) = match self.done.get(&order.id) {
            // The answer was lost: it is given again, and nothing is done twice.
            Some(status) => (*status, None),
            None => self.carry_out(&order).await?,
        };
        if status != "not_now" {
            self.done.insert(order.id.clone(), status);
        }
        self.journal.push(Step { request_type: order.kind.clone(), status: status.to_owned() });
        self.answer(&order.id, status, error).await?;
        if status == "acknowledged" {
            match order.kind.as_str() {
                "remove_work_data" => self.go(State::Removed),
                "erase_device" => self.go(State::Wiped),
                "reset_passcode" => self.report().await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Says what became of a command.
    pub async fn answer(&self, id: &str, status: &str, error: Option<&str>) -> Result<()> {
        let body = json!({ "status": status, "error": error });
        self.post(&format!("commands/{id}/answer"), &body).await?.ok("answer a command").map(drop)
    }

    async fn carry_out(&mut self, order: &Order) -> Result<(&'static str, Option<&'static str>)> {
        let is_for_screen = matches!(order.kind.as_str(), "lock" | "reset_passcode");
        if self.behaviour.defers && is_for_screen && self.deferred.insert(order.id.clone()) {
            return Ok(("not_now", None));
        }
        self.deferred.remove(&order.id);
        let manages_device = self.behaviour.mode == Mode::DeviceOwner;
        match order.kind.as_str() {
            "apply_policy" => self.fetch_policy().await.map(drop)?,
            "report_posture" => self.report().await?,
            "lock" => self.is_locked = true,
            "reset_passcode" if manages_device => {
                self.behaviour.passcode = order.parameters.get("passcode").and_then(Value::as_str).map(str::to_owned);
            }
            "renew_identity" => self.renew().await?,
            "remove_work_data" => {}
            "erase_device" if manages_device => {}
            "reset_passcode" | "erase_device" => return Ok(("failed", Some("the agent manages a work profile only"))),
            _ => return Ok(("failed", Some("the agent does not know this command"))),
        }
        Ok(("acknowledged", None))
    }

    fn go(&mut self, state: State) {
        self.state = state;
        (self.policy, self.is_locked) = (None, false);
    }

    /// Fetches another certificate for a new key and comes with it from now on.
    pub async fn renew(&mut self) -> Result<()> {
        let key = new_key()?;
        let answer = self.post("certificate/renew", &json!({ "csr": request(&key)? })).await?;
        let renewed: Renewed = read(&answer.ok("renew the certificate")?)?;
        self.key = key;
        self.take_certificate(&renewed.certificate, &renewed.chain)?;
        let Some(door) = self.door.take() else { return Ok(()) };
        self.open(door.base, door.trusted)
    }

    /// The agent is removed by its owner.
    pub async fn leave(&mut self) -> Result<()> {
        self.post("leave", &json!({})).await?.ok("leave")?;
        self.go(State::Removed);
        Ok(())
    }
}

fn read_address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

async fn post_json(wire: &Wire, url: Url, body: &Value) -> Result<Answer> {
    wire.post(url, "application/json", body.to_string().into_bytes()).await
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| protocol("read an answer", error.to_string()))
}

fn is_ended(body: &[u8]) -> bool {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    problem.get("type").and_then(Value::as_str) == Some("urn:enlist:enrollment-ended")
}

/// A new key on P-256: it is made in no time, which an RSA key is not.
pub fn new_key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).map_err(crypto("choose a curve"))?;
    EcKey::generate(&group).and_then(PKey::from_ec_key).map_err(crypto("make a key"))
}

/// A certificate request for a key, base64 of DER. The server decides the subject.
pub fn request(key: &PKey<Private>) -> Result<String> {
    let made = || {
        let mut builder = X509ReqBuilder::new()?;
        builder.set_version(0)?;
        builder.set_pubkey(key)?;
        builder.sign(key, MessageDigest::sha256())?;
        builder.build().to_der()
    };
    made().map(|der| STANDARD.encode(der)).map_err(crypto("make a certificate request"))
}
