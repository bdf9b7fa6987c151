//! One iPhone or iPad, step by step: certificate, check-in, commands. Every step can also be taken wrongly on purpose,
//! with another body, another signature, another name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::{
    pkey::{PKey, Private},
    rand::rand_bytes,
    x509::X509,
};
use plist::{Dictionary, Value};
use reqwest::Url;
use uuid::Uuid;

pub use crate::simulator::message::{Command, Door, Polled, Signature, State, Step};
use crate::simulator::{
    cms,
    device::Device,
    error::{Error, Result, crypto, protocol},
    keychain::{self, Identity, Wish},
    model::Model,
    obey::After,
    passcode::Passcode,
    profile::{Mdm, Profile, Scep},
    propertylist::{self, dictionary},
    scep::{self, Authority, Kind},
    transport::{Answer, Trust, Wire},
};

/// A session ends after so many commands, whatever the server says: one that never runs out is broken.
const SESSION_LIMIT: usize = 200;
/// Content type of check-in messages.
pub const CHECK_IN_TYPE: &str = "application/x-apple-aspen-mdm-checkin";
/// Content type of the command channel.
pub const CONNECT_TYPE: &str = "application/x-apple-aspen-mdm";

/// How a phone behaves.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Default)]
pub struct PhoneOptions {
    /// Whom its connections trust.
    pub trust: Trust,
    /// Who may have signed profiles. If this is empty, an unsigned enrollment profile is taken as well.
    pub anchors: Vec<X509>,
    /// The passcode that its owner chose.
    pub passcode: Passcode,
    /// Messages are binary property lists.
    pub binary_plist: bool,
    /// Some connections break after an answer was sent, before the reply was read; the answer is then sent again.
    pub lose_answers: bool,
    /// Commands are put off once, as by a locked phone.
    pub not_now: bool,
    /// The removal of the enrollment profile is acknowledged before the phone checks out; iOS itself goes silently.
    pub acknowledges_removal: bool,
}

/// A phone with an enrollment profile in its hand.
#[derive(Debug)]
pub struct Phone {
    options: PhoneOptions,
    wire: Wire,
    device: Device,
    profile: Profile,
    mdm: Mdm,
    scep: Option<Scep>,
    identity: Option<Identity>,
    push_magic: String,
    state: State,
    journal: Vec<Step>,
    unconfirmed: Option<Vec<u8>>,
    loses_next: bool,
}

impl Phone {
    /// Opens an enrollment profile on this model: signature and payloads are checked as a phone does.
    pub fn new(profile: &[u8], model: Model, options: PhoneOptions) -> Result<Self> {
        let doing = "open the enrollment profile";
        let profile = Profile::read(profile, &options.anchors)?;
        if profile.signer.is_none() && !options.anchors.is_empty() {
            return Err(protocol(doing, "it is not signed"));
        }
        let mdm = profile.mdm()?.ok_or_else(|| protocol(doing, "it has no MDM payload"))?;
        let scep = profile.scep(Some(&mdm.identity_uuid))?;
        Ok(Self {
            wire: Wire::new(&options.trust)?,
            device: Device::new(model, options.passcode, options.not_now)?,
            push_magic: Uuid::new_v4().to_string().to_uppercase(),
            identity: None,
            state: State::New,
            journal: Vec::new(),
            unconfirmed: None,
            loses_next: false,
            options,
            profile,
            mdm,
            scep,
        })
    }

    /// The device: its passcode, its profiles, its tokens.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The device, to change its passcode or to lie about its name.
    pub fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// The enrollment profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The MDM payload.
    #[must_use]
    pub fn mdm(&self) -> &Mdm {
        &self.mdm
    }

    /// The SCEP payload.
    #[must_use]
    pub fn scep_payload(&self) -> Option<&Scep> {
        self.scep.as_ref()
    }

    /// The SCEP payload, to change the challenge or the subject.
    pub fn scep_payload_mut(&mut self) -> Option<&mut Scep> {
        self.scep.as_mut()
    }

    /// The identity, once there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Uses this identity from now on (over-the-air enrollment brings its own; tests bring false ones).
    pub fn set_identity(&mut self, identity: Identity) {
        self.device.renewed(identity.certificate.clone());
        self.identity = Some(identity);
    }

    /// What has become of the phone.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Every command so far and how it was answered.
    #[must_use]
    pub fn journal(&self) -> &[Step] {
        &self.journal
    }

    /// The connection breaks after the next answer to a command: it arrives, but the phone never learns that it did.
    pub fn lose_next_answer(&mut self) {
        self.loses_next = true;
    }

    /// The HTTP client, for requests of one's own.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Certificate, `Authenticate`, `TokenUpdate`: all that happens when the owner taps «Install».
    pub async fn enroll(&mut self) -> Result<()> {
        if self.identity.is_none() {
            self.scep().await?;
        }
        self.authenticate().await?;
        self.token_update().await
    }

    /// Gets the certificate that the profile's SCEP payload describes.
    pub async fn scep(&mut self) -> Result<()> {
        let scep = self.scep.clone().ok_or_else(|| protocol("get a certificate", "the profile has no SCEP payload for its identity"))?;
        let identity = first_certificate(&self.wire, &scep).await?;
        self.set_identity(identity);
        Ok(())
    }

    /// Gets a new certificate for a new key, vouched for by the present one (RFC 8894 section 3.3.1.2).
    pub async fn renew(&mut self) -> Result<()> {
        let scep = self.scep.clone().ok_or_else(|| protocol("renew the certificate", "the profile has no SCEP payload"))?;
        let old = self.owned()?.clone();
        let authority = Authority::discover(&self.wire, &scep.url, scep.fingerprint.as_deref()).await?;
        let key = new_key(scep.key_size).await?;
        let doing = "copy the subject of the certificate";
        let subject = old.certificate.subject_name().to_owned().map_err(crypto(doing))?;
        let names = &scep.alternative_names;
        let request =
            keychain::request(&key, &Wish { subject: &subject, challenge: None, key_usage: scep.key_usage, alternative_names: names })?;
        let sent = scep::seal(Kind::Renewal, &request, &key, &old, &authority.recipient)?;
        let certificate = scep::send(&self.wire, &scep.url, &sent, &authority, &key).await?;
        self.set_identity(Identity { key, certificate });
        Ok(())
    }

    /// Checks in: `Authenticate`.
    pub async fn authenticate(&mut self) -> Result<()> {
        let body = self.authenticate_body()?;
        self.send(Door::CheckIn, body, Signature::Own).await?.ok("Authenticate").map(drop)
    }

    /// Checks in: `TokenUpdate`. With the first one the phone is enrolled.
    pub async fn token_update(&mut self) -> Result<()> {
        let body = self.token_update_body()?;
        self.send(Door::CheckIn, body, Signature::Own).await?.ok("TokenUpdate")?;
        let identity = self.owned()?.certificate.clone();
        let mut anchors = self.options.anchors.clone();
        anchors.extend(self.profile.roots()?);
        if self.state == State::New {
            self.device.enroll(self.profile.clone(), self.mdm.clone(), identity, anchors);
        }
        self.state = State::Enrolled;
        Ok(())
    }

    /// Asks the declarative endpoint (`tokens`, `declaration-items`, `status`, `declaration/…`), with a status report for
    /// `status`, and gives the answer whatever its status.
    pub async fn declarative(&self, endpoint: &str, report: Option<Vec<u8>>) -> Result<Answer> {
        let mut keys = dictionary([("Endpoint", endpoint.into())]);
        if let Some(report) = report {
            keys.insert("Data".to_owned(), Value::Data(report));
        }
        let body = self.check_in_body("DeclarativeManagement", keys)?;
        self.send(Door::CheckIn, body, Signature::Own).await
    }

    /// Checks out, as a phone does whose owner removes the enrollment profile, and forgets everything.
    pub async fn check_out(&mut self) -> Result<()> {
        let body = self.check_in_body("CheckOut", Dictionary::new())?;
        let answer = self.send(Door::CheckIn, body, Signature::Own).await;
        self.leave(State::Removed);
        answer?.ok("CheckOut").map(drop)
    }

    /// A session: says it is idle, and obeys commands until there are none.
    pub async fn poll(&mut self) -> Result<Polled> {
        if self.state != State::Enrolled {
            return Ok(Polled { steps: Vec::new(), state: self.state, interrupted: false });
        }
        self.device.begin_session();
        let before = self.journal.len();
        let mut body = match self.unconfirmed.take() {
            Some(body) => body,
            None => self.idle_request()?,
        };
        let mut interrupted = false;
        for _ in 0..SESSION_LIMIT {
            let answer = self.send(Door::Connect, body, Signature::Own).await?;
            if answer.status == 401 {
                // Apple's devices take this for «you are not managed any more».
                self.leave(State::Removed);
                break;
            }
            let Some(command) = Command::read(&answer.ok("poll for commands")?)? else { break };
            let (reply, after) = self.obey(&command)?;
            if self.finish(after, &reply).await? {
                break;
            }
            if std::mem::take(&mut self.loses_next) || (self.options.lose_answers && chance()?) {
                self.lose(reply).await?;
                interrupted = true;
                break;
            }
            body = reply;
        }
        let steps = self.journal.get(before..).unwrap_or_default().to_vec();
        Ok(Polled { steps, state: self.state, interrupted })
    }

    /// Does what a command asks and gives the answer's body, without sending it.
    pub fn obey(&mut self, command: &Command) -> Result<(Vec<u8>, After)> {
        let reply = self.device.answer(&command.uuid, &command.body);
        self.journal.push(Step { request_type: command.request_type().to_owned(), status: reply.status.to_owned() });
        let mut body = reply.keys;
        body.insert("CommandUUID".to_owned(), command.uuid.clone().into());
        body.insert("Status".to_owned(), reply.status.into());
        Ok((self.connect_body(body)?, reply.after))
    }

    /// The end of a life: true where the phone does not come back.
    async fn finish(&mut self, after: After, reply: &[u8]) -> Result<bool> {
        match after {
            After::Continue => Ok(false),
            After::NewIdentity => {
                self.scep = self.device.identity_payload()?;
                self.scep().await?;
                Ok(false)
            }
            After::Wiped => {
                // Sent once and never again: the phone is gone before it could know whether this arrived.
                let sent = self.send(Door::Connect, reply.to_vec(), Signature::Own).await;
                self.leave(State::Wiped);
                sent.map(|_| true)
            }
            After::Removed => {
                if self.options.acknowledges_removal {
                    self.send(Door::Connect, reply.to_vec(), Signature::Own).await?;
                }
                if self.mdm.check_out_when_removed {
                    self.check_out().await?;
                }
                self.leave(State::Removed);
                Ok(true)
            }
        }
    }

    async fn lose(&mut self, reply: Vec<u8>) -> Result<()> {
        let signature = self.signature(&reply, Signature::Own)?;
        self.wire.put_and_hang_up(self.mdm.server_url.clone(), CONNECT_TYPE, signature.as_deref(), reply.clone()).await?;
        self.unconfirmed = Some(reply);
        Ok(())
    }

    /// Keys and certificates go with the profile that brought them.
    fn leave(&mut self, state: State) {
        self.state = state;
        self.identity = None;
        self.unconfirmed = None;
        self.device.release();
    }

    /// Sends any body to either door, signed by whomever, and gives the answer whatever its status.
    pub async fn send(&self, door: Door, body: Vec<u8>, signature: Signature<'_>) -> Result<Answer> {
        let signature = self.signature(&body, signature)?;
        let (url, content_type) = match door {
            Door::CheckIn => (&self.mdm.check_in_url, CHECK_IN_TYPE),
            Door::Connect => (&self.mdm.server_url, CONNECT_TYPE),
        };
        self.wire.put(url.clone(), content_type, signature.as_deref(), body).await
    }

    /// The `Mdm-Signature` header of a body, to send it later or twice.
    pub fn sign(&self, body: &[u8]) -> Result<String> {
        cms::sign_detached(body, self.owned()?).map(|message| STANDARD.encode(message))
    }

    fn signature(&self, body: &[u8], signature: Signature<'_>) -> Result<Option<String>> {
        match signature {
            Signature::Own if self.mdm.sign_message => self.sign(body).map(Some),
            Signature::Own | Signature::Missing => Ok(None),
            Signature::By(signer) => cms::sign_detached(body, signer).map(|message| Some(STANDARD.encode(message))),
            Signature::Header(text) => Ok(Some(text.to_owned())),
        }
    }

    fn owned(&self) -> Result<&Identity> {
        self.identity.as_ref().ok_or_else(|| Error::Misuse("the phone has no certificate: call scep() first".to_owned()))
    }

    /// The body of `Authenticate`.
    pub fn authenticate_body(&self) -> Result<Vec<u8>> {
        let model = self.device.model();
        let mut keys = dictionary([
            ("DeviceName", model.device_name.clone().into()),
            ("Model", model.order_number.into()),
            ("ModelName", model.family.into()),
            ("ProductName", model.product_name.into()),
            ("SerialNumber", model.serial.clone().into()),
            ("OSVersion", model.os_version.into()),
            ("BuildVersion", model.build_version.into()),
        ]);
        if let Some(imei) = &model.imei {
            keys.insert("IMEI".to_owned(), imei.clone().into());
        }
        self.check_in_body("Authenticate", keys)
    }

    /// The body of `TokenUpdate`.
    pub fn token_update_body(&self) -> Result<Vec<u8>> {
        let keys = dictionary([
            ("AwaitingConfiguration", false.into()),
            ("PushMagic", self.push_magic.clone().into()),
            ("Token", Value::Data(self.device.push_token().to_vec())),
            ("UnlockToken", Value::Data(self.device.unlock_token().to_vec())),
        ]);
        self.check_in_body("TokenUpdate", keys)
    }

    /// The body of any check-in message: these keys, and the common ones that are not among them.
    pub fn check_in_body(&self, message_type: &str, mut keys: Dictionary) -> Result<Vec<u8>> {
        add(&mut keys, "MessageType", message_type);
        add(&mut keys, "Topic", &self.mdm.topic);
        self.connect_body(keys)
    }

    /// The body that says the phone is idle.
    pub fn idle_request(&self) -> Result<Vec<u8>> {
        self.connect_body(dictionary([("Status", "Idle".into())]))
    }

    /// The body of any message on the command channel: these keys, and the UDID if it is not among them.
    pub fn connect_body(&self, mut keys: Dictionary) -> Result<Vec<u8>> {
        add(&mut keys, "UDID", &self.device.model().udid);
        propertylist::write(keys, self.options.binary_plist)
    }
}

/// What a test wrote itself stays.
fn add(keys: &mut Dictionary, key: &str, value: &str) {
    if !keys.contains_key(key) {
        keys.insert(key.to_owned(), value.into());
    }
}

/// Gets a first certificate as a SCEP payload describes it.
pub async fn first_certificate(wire: &Wire, payload: &Scep) -> Result<Identity> {
    let authority = Authority::discover(wire, &payload.url, payload.fingerprint.as_deref()).await?;
    let key = new_key(payload.key_size).await?;
    let subject = keychain::name(&payload.subject)?;
    let names = &payload.alternative_names;
    let challenge = payload.challenge.as_deref();
    let request = keychain::request(&key, &Wish { subject: &subject, challenge, key_usage: payload.key_usage, alternative_names: names })?;
    let myself = Identity::self_signed(key.clone(), &subject, 365)?;
    let sent = scep::seal(Kind::First, &request, &key, &myself, &authority.recipient)?;
    let certificate = scep::send(wire, &payload.url, &sent, &authority, &key).await?;
    Ok(Identity { key, certificate })
}

/// The certificates of the device CA, which the portal publishes.
pub async fn anchors(wire: &Wire, portal: &Url) -> Result<Vec<X509>> {
    let doing = "read the portal's CA certificate";
    let url = portal.join("/pki/ca.pem").map_err(|_| protocol(doing, "the portal's address is no base"))?;
    let pem = wire.get(url).await?.ok(doing)?;
    X509::stack_from_pem(&pem).map_err(crypto(doing))
}

/// Keys take long to make: other devices go on meanwhile.
async fn new_key(bits: u32) -> Result<PKey<Private>> {
    let made = tokio::task::spawn_blocking(move || keychain::rsa_key(bits)).await;
    made.map_err(|_| Error::Misuse("the runtime is shutting down".to_owned()))?
}

/// One time in three.
fn chance() -> Result<bool> {
    let mut byte = [0_u8];
    rand_bytes(&mut byte).map_err(crypto("throw a die"))?;
    Ok(byte.iter().all(|byte| byte % 3 == 0))
}
