//! An agent's way in: the ticket that the portal gives, the certificate that the agent fetches with it, and renewals of that.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::{
    pkey::{PKey, Public},
    sha::sha256,
    x509::{X509, X509Req},
};

use crate::{
    android::message::{Activated, Activation, Polling, Renewed, Wrong},
    domain::{
        backend::{Backend, ManagementMode},
        device::Platform,
        enrollment::CHALLENGE_SECONDS,
        id::VisitId,
        time::Timestamp,
    },
    pki::{self, csr, csr::MAX_CSR_BYTES},
    service::{
        App, Error, Result,
        certify::{Declined, renewable, repeat, spend},
        check_in::{device_for, end_earlier},
        enroll::consented,
        secrets, settings,
        signers::Fingerprint,
    },
    store::{
        Tx, certificates, commands,
        enrollments::{self, Enrollment, Stage},
        timeline, visits,
    },
};

/// What agents are asked to name as the longest wait for a command.
pub const LONGEST_WAIT_SECONDS: u32 = 60;
/// Seconds between the polls of an agent that does not wait: Android lets apps in the background run about that often.
const IDLE_SECONDS: u32 = 900;
/// Most certificates that an agent is given within a day. One that loses answers needs several; whatever was issued is listed among
/// what was revoked until it would have expired.
const MOST_A_DAY: i64 = 20;
/// What the timeline gives as cause.
const CAUSE: &str = "activation";

/// The right to activate an agent, once.
#[derive(Debug, Clone)]
pub struct AgentTicket {
    /// What the agent shows; only its hash is kept.
    pub token: String,
    /// Until when.
    pub expires_at: Timestamp,
}

impl App {
    /// Prepares the enrollment of a visit with the right to activate an agent, which is possible once.
    ///
    /// # Errors
    /// [`Error::Denied`] before mailbox and consent, [`Error::Conflict`] the second time.
    pub async fn activate_agent(self: &Arc<Self>, visit: VisitId) -> Result<AgentTicket> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let agreed = consented(tx, visit, Backend::Agent)?;
            let (enrollment, secret) = app.prepare(tx, &agreed.user, Backend::Agent, agreed.visit.ownership, Some(agreed.consent))?;
            if !visits::take_profile(tx, agreed.visit.id, enrollment.id, app.now())? {
                return Err(Error::Conflict("the activation was shown already; begin again to get another".into()));
            }
            Ok(AgentTicket { token: secret.text, expires_at: app.now().plus_seconds(CHALLENGE_SECONDS) })
        })
        .await
    }

    /// Signs the certificate of an agent that shows its ticket, and begins a new generation of its device.
    ///
    /// The same ticket with the same key gets the same certificate, because an answer may have been lost; with another key it is
    /// refused. The device is `pending` until the agent has used the certificate to say how the device is.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Denied`] where the token is not good; [`Error::Conflict`] where this server has no port for
    /// agents; [`Error::TooMany`] where it is too busy.
    pub async fn activate(self: &Arc<Self>, activation: Activation) -> Result<Activated> {
        activation.check().map_err(wrong)?;
        if self.device_url.is_none() {
            return Err(Error::Conflict(
                "this server has no port for agents: an administrator has to set device-listen or device-url".into(),
            ));
        }
        let _permit = self.cryptography_permit().await?;
        let key = requested_key(activation.csr.clone()).await?;
        let app = Arc::clone(self);
        self.write(move |tx| app.certify_agent(tx, &activation, &key)).await
    }

    fn certify_agent(&self, tx: &mut Tx<'_>, activation: &Activation, key: &PKey<Public>) -> Result<Activated> {
        let now = self.now();
        let token = secrets::hash(&activation.token);
        let transaction = sha256(&[b"agent".as_slice(), &token, &key.public_key_to_der()?].concat()).to_vec();
        if let Some(again) = certificates::of_transaction(tx, &transaction)? {
            let certificate = granted(repeat(&again, key)?, NO_TICKET)?;
            let enrollment = enrollments::find(tx, again.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            return self.activated(tx, &certificate, &enrollment);
        }
        let subject = granted(spend(tx, Some(&activation.token), now)?, NO_TICKET)?;
        let mut enrollment = enrollments::find_for_update(tx, subject.enrollment)?.ok_or(Error::NotFound("enrollment"))?;
        if enrollment.backend != Backend::Agent || enrollment.state != Stage::Prepared {
            return Err(Error::Denied(NO_TICKET.into()));
        }
        let certificate = self.issue(tx, &subject, key, transaction, now)?;
        enrollment.fingerprint = Some(pki::fingerprint(&certificate).to_vec());
        self.begin_generation(tx, &mut enrollment, activation)?;
        self.activated(tx, &certificate, &enrollment)
    }

    /// The device behind an activation, known or new, begins anew: earlier enrollments of it end.
    fn begin_generation(&self, tx: &mut Tx<'_>, enrollment: &mut Enrollment, activation: &Activation) -> Result<()> {
        let now = self.now();
        let mut device = device_for(tx, enrollment, &activation.identifier(), Platform::Android, CAUSE, now)?;
        self.within_device_limit(tx, enrollment.user_id, enrollment.backend.kind(), Some(device.id))?;
        end_earlier(tx, enrollment, &mut device, CAUSE, now)?;
        commands::cancel_all(tx, enrollment.id, "the device enrolled anew", now)?;
        device.generation = device.generation.saturating_add(1);
        device.platform = Platform::Android;
        enrollment.device_id = Some(device.id);
        enrollment.generation = device.generation;
        enrollment.state = Stage::Authenticated;
        enrollment.management_mode = Some(activation.mode);
        enrollment.passcode_profile = None;
        enrollments::update(tx, enrollment)?;
        timeline::record(tx, device.id, now, "authenticated", describe(activation.mode), CAUSE)?;
        self.forget_and_note(tx, &mut device, enrollment, &activation.facts(now), CAUSE)
    }

    fn activated(&self, tx: &mut Tx<'_>, certificate: &[u8], enrollment: &Enrollment) -> Result<Activated> {
        let Some(device_url) = self.device_url.clone() else { return Err(Error::NotFound("port for agents")) };
        Ok(Activated {
            certificate: pem(&X509::from_der(certificate)?)?,
            chain: vec![pem(&self.authorities.device_ca.certificate)?],
            enrollment: enrollment.id,
            generation: enrollment.generation,
            device_url,
            command_signer: pem(&self.authorities.profile_signer.certificate)?,
            polling: Polling {
                wait_seconds: LONGEST_WAIT_SECONDS,
                idle_seconds: IDLE_SECONDS,
                posture_hours: settings::read(tx, &self.default_sender)?.refresh_hours,
            },
        })
    }

    /// Signs another certificate for an agent that comes with its present one. The new one is pinned at its first use; until then
    /// the present one stays good. One that was issued before and not used is revoked: there is never more than one that waits.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Denied`] where the certificate is revoked, or its end was too long ago; [`Error::TooMany`] where
    /// more were asked for than any agent needs.
    pub async fn renew_agent(self: &Arc<Self>, fingerprint: Fingerprint, csr: String) -> Result<Renewed> {
        let _permit = self.cryptography_permit().await?;
        let key = requested_key(csr).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = enrollments::session(tx, &fingerprint)?.filter(|session| session.backend == Backend::Agent);
            let session = session.ok_or_else(|| Error::Denied("the certificate is not known here".into()))?;
            if session.stage == Stage::Ended {
                return Err(Error::Ended);
            }
            let transaction = sha256(&[b"renewal".as_slice(), &fingerprint, &key.public_key_to_der()?].concat()).to_vec();
            let certificate = if let Some(again) = certificates::of_transaction(tx, &transaction)? {
                granted(repeat(&again, &key)?, NO_RENEWAL)?
            } else {
                let subject = granted(renewable(tx, &fingerprint, now)?, NO_RENEWAL)?;
                if certificates::issued_since(tx, subject.enrollment, now.plus_days(-1))? >= MOST_A_DAY {
                    return Err(Error::TooMany { why: "too many certificates were asked for today".into(), retry_after_seconds: 3600 });
                }
                let pinned = session.pinned.as_deref().unwrap_or(&fingerprint);
                certificates::revoke_unused(tx, subject.enrollment, [pinned, &fingerprint], now)?;
                app.issue(tx, &subject, &key, transaction, now)?
            };
            Ok(Renewed { certificate: pem(&X509::from_der(&certificate)?)?, chain: vec![pem(&app.authorities.device_ca.certificate)?] })
        })
        .await
    }
}

/// Why an activation is refused; tells nothing about which tokens there are.
const NO_TICKET: &str = "the token is not valid any more: it works once and for a quarter of an hour; begin again at the portal";
/// Why a renewal is refused.
const NO_RENEWAL: &str = "the certificate cannot be renewed any more; begin again at the portal";

fn granted<T>(result: std::result::Result<T, Declined>, told: &str) -> Result<T> {
    result.map_err(|Declined(_, why)| {
        tracing::info!(why, "a certificate for an agent was not issued");
        Error::Denied(told.to_owned())
    })
}

/// The key that a request is for, if the request is acceptable; on a thread that may block.
async fn requested_key(text: String) -> Result<PKey<Public>> {
    let inspected = tokio::task::spawn_blocking(move || {
        let der = der_of(&text).ok_or_else(|| Error::invalid("csr", "must be a PKCS#10 request, as PEM or as base64 of DER"))?;
        csr::inspect(&der).map(|csr| csr.key).map_err(|error| Error::invalid("csr", error))
    });
    inspected.await.map_err(|error| Error::internal("reading a certificate request", error))?
}

fn der_of(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_CSR_BYTES.saturating_mul(2) {
        return None;
    }
    if text.trim_start().starts_with("-----BEGIN") {
        return X509Req::from_pem(text.as_bytes()).ok()?.to_der().ok();
    }
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).ok()
}

pub(super) fn wrong((field, why): Wrong) -> Error {
    Error::invalid(field, why)
}

fn pem(certificate: &X509) -> Result<String> {
    String::from_utf8(certificate.to_pem()?).map_err(|error| Error::internal("writing a certificate", error))
}

const fn describe(mode: ManagementMode) -> &'static str {
    match mode {
        ManagementMode::DeviceOwner => "The agent was activated; it manages the whole device.",
        ManagementMode::ProfileOwner => "The agent was activated; it manages a work profile.",
    }
}
