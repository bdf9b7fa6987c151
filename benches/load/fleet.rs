//! Devices that are prepared beforehand: every message that they will send is written and signed before anything is measured.
//!
//! All devices share one RSA key, because making two thousand would take minutes; their certificates differ, and so does
//! everything that the server keeps of them.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use enlist::simulator::{
    Passcode, cms,
    device::Device,
    iphone::{CHECK_IN_TYPE, CONNECT_TYPE},
    keychain::{self, Identity, Wish},
    message::Command,
    model::Model,
    profile::{Mdm, Profile, Scep},
    propertylist::{self, dictionary},
    scep::{self, Authority, Kind, Sent},
};
use openssl::{
    pkey::{PKey, Private},
    x509::X509,
};
use plist::{Dictionary, Value};

use crate::client::{Answer, Request};

/// A device that has a profile and asks for its certificate.
pub struct Candidate {
    model: Model,
    profile: Profile,
    mdm: Mdm,
    sent: Sent,
    /// The SCEP request.
    pub request: Request,
}

/// A device with a certificate.
pub struct Member {
    device: Device,
    identity: Identity,
    mdm: Mdm,
    /// `Authenticate`, signed.
    pub authenticate: Request,
    /// `TokenUpdate`, signed.
    pub token_update: Request,
    /// An idle poll, signed.
    pub idle: Request,
    /// What a proxy asks the gate about this device.
    pub gate: Request,
}

impl Candidate {
    /// Reads a profile and makes the request for a certificate.
    ///
    /// # Errors
    /// The profile is not usable.
    pub fn new(number: usize, profile: &[u8], anchors: &[X509], key: &PKey<Private>, authority: &Authority) -> anyhow::Result<Self> {
        let profile = Profile::read(profile, anchors)?;
        let mdm = profile.mdm()?.context("the profile has no MDM payload")?;
        let payload = profile.scep(Some(&mdm.identity_uuid))?.context("the profile has no SCEP payload")?;
        let Scep { challenge, subject, alternative_names, key_usage, .. } = &payload;
        let subject = keychain::name(subject)?;
        let wish = Wish { subject: &subject, challenge: challenge.as_deref(), key_usage: *key_usage, alternative_names };
        let csr = keychain::request(key, &wish)?;
        let myself = Identity::self_signed(key.clone(), &subject, 365)?;
        let sent = scep::seal(Kind::First, &csr, key, &myself, &authority.recipient)?;
        let headers = [("Content-Type", "application/x-pki-message")];
        let request = Request::new("POST", "/scep?operation=PKIOperation", &headers, &sent.message);
        Ok(Self { model: Model::numbered("load", number), profile, mdm, sent, request })
    }

    /// Takes the certificate and prepares what follows.
    ///
    /// # Errors
    /// There is none in the answer.
    pub fn enroll(self, answer: &Answer, key: &PKey<Private>, authority: &Authority, anchors: &[X509]) -> anyhow::Result<Member> {
        let certificate = scep::read_answer(&answer.body, &self.sent, authority, key)?;
        let identity = Identity { key: key.clone(), certificate: certificate.clone() };
        let mut device = Device::new(self.model, Passcode::Strong, false)?;
        device.enroll(self.profile, self.mdm.clone(), certificate, anchors.to_vec());
        let empty = Request::new("GET", "/", &[], b"");
        let mut member = Member {
            device,
            identity,
            mdm: self.mdm,
            authenticate: empty.clone(),
            token_update: empty.clone(),
            idle: empty.clone(),
            gate: empty,
        };
        member.authenticate = member.check_in("Authenticate", member.authenticate_keys())?;
        member.token_update = member.check_in("TokenUpdate", member.token_update_keys())?;
        member.idle = member.signed(false, dictionary([("Status", "Idle".into())]))?;
        member.gate = member.asked_by_a_proxy()?;
        Ok(member)
    }
}

impl Member {
    /// Its serial number.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.device.model().serial
    }

    fn authenticate_keys(&self) -> Dictionary {
        let model = self.device.model();
        dictionary([
            ("DeviceName", model.device_name.clone().into()),
            ("Model", model.order_number.into()),
            ("ModelName", model.family.into()),
            ("ProductName", model.product_name.into()),
            ("SerialNumber", model.serial.clone().into()),
            ("OSVersion", model.os_version.into()),
            ("BuildVersion", model.build_version.into()),
        ])
    }

    fn token_update_keys(&self) -> Dictionary {
        dictionary([
            ("AwaitingConfiguration", false.into()),
            ("PushMagic", format!("magic-{}", self.serial()).into()),
            ("Token", Value::Data(self.device.push_token().to_vec())),
            ("UnlockToken", Value::Data(self.device.unlock_token().to_vec())),
        ])
    }

    fn check_in(&self, message: &str, mut keys: Dictionary) -> anyhow::Result<Request> {
        keys.insert("MessageType".into(), message.into());
        keys.insert("Topic".into(), self.mdm.topic.clone().into());
        self.signed(true, keys)
    }

    /// A request to the gate as a proxy sends it, with the certificate of RFC 9440.
    fn asked_by_a_proxy(&self) -> anyhow::Result<Request> {
        let certificate = format!(":{}:", STANDARD.encode(self.identity.certificate.to_der()?));
        let headers = [
            ("Client-Cert", certificate.as_str()),
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Uri", "/mail/inbox?page=2"),
            ("X-Forwarded-Host", "app.example.com"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-For", "192.0.2.7"),
            ("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1"),
            ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ];
        Ok(Request::new("GET", "/gate/v1/check", &headers, b""))
    }

    /// Does what a command asks and gives the answer, signed.
    ///
    /// # Errors
    /// It is no command.
    pub fn obey(&mut self, command: &[u8]) -> anyhow::Result<Request> {
        let command = Command::read(command)?.context("there is no command to obey")?;
        self.answer(&command.uuid, &command.body)
    }

    /// The answer to a command that has not come yet.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn answer(&mut self, uuid: &str, command: &Dictionary) -> anyhow::Result<Request> {
        let reply = self.device.answer(uuid, command);
        let mut keys = reply.keys;
        keys.insert("CommandUUID".into(), uuid.into());
        keys.insert("Status".into(), reply.status.into());
        self.signed(false, keys)
    }

    fn signed(&self, is_check_in: bool, mut keys: Dictionary) -> anyhow::Result<Request> {
        keys.insert("UDID".into(), self.device.model().udid.clone().into());
        let body = propertylist::write(keys, false)?;
        let signature = STANDARD.encode(cms::sign_detached(&body, &self.identity)?);
        let (path, kind) = if is_check_in { ("/mdm/checkin", CHECK_IN_TYPE) } else { ("/mdm/connect", CONNECT_TYPE) };
        Ok(Request::new("PUT", path, &[("Content-Type", kind), ("Mdm-Signature", &signature)], &body))
    }
}
