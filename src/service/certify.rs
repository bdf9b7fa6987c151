//! SCEP from the side of the rules: who gets a certificate, once, and with which subject.

use std::sync::Arc;

use openssl::{
    pkey::{PKey, Public},
    sha::sha256,
    x509::X509,
};

use super::{App, Error, Result, secrets, settings};
use crate::{
    apple::scep::{self, Asks, FailInfo, OpenError, Proof, Request, Strength},
    domain::{
        device::EnrollmentState,
        id::{CertificateId, EnrollmentId},
        time::Timestamp,
        user::UserState,
    },
    pki::{self, csr, csr::Csr, issue::DeviceTemplate, key},
    store::{
        Tx,
        certificates::{self, Certificate},
        devices,
        enrollments::{self, Stage},
        users,
    },
};

/// Days after its end in which a certificate may still be renewed.
const RENEWAL_GRACE_DAYS: i64 = 30;
/// Minutes by which a certificate begins in the past, for devices whose clock is late.
const BACKDATED_SECONDS: i64 = 300;

/// The SCEP answer to one message.
pub enum ScepAnswer {
    /// A signed `CertRep`, success or failure.
    Reply(Vec<u8>),
    /// Not a SCEP message at all.
    Unreadable,
}

/// Why no certificate was issued; told to the requester in these words, which give nothing away.
pub(super) struct Declined(pub FailInfo, pub &'static str);

/// What decides the subject of a certificate: a row of ours, never the request.
pub(super) struct Subject {
    pub enrollment: EnrollmentId,
    pub common_name: String,
    pub email: String,
}

impl App {
    /// Which old algorithms are tolerated.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn scep_strength(&self) -> Result<Strength> {
        let settings = self.settings().await?;
        Ok(Strength { allow_sha1: settings.scep_allow_sha1, allow_3des: settings.scep_allow_3des })
    }

    /// Waits for a place among the few requests of strangers that may cost private key operations at the same time.
    pub(super) async fn cryptography_permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        let busy = || Error::TooMany { why: "the server is busy; try again in a few seconds".into(), retry_after_seconds: 5 };
        match tokio::time::timeout(std::time::Duration::from_secs(5), self.cryptography.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy()),
        }
    }

    /// Answers a `PKIOperation`. Everything, from opening the envelope to the record of the certificate, is one transaction; the
    /// challenge is spent in it.
    ///
    /// # Errors
    /// Those of the database and of the authority itself; a refusal is a reply, not an error.
    pub async fn answer_scep(self: &Arc<Self>, body: Vec<u8>) -> Result<ScepAnswer> {
        let app = Arc::clone(self);
        let _permit = self.cryptography_permit().await?;
        let strength = self.scep_strength().await?;
        // The private key operations take longer than the queries: they run before the transaction, on a thread that may block.
        let opened = tokio::task::spawn_blocking(move || {
            let request = scep::open(&body, &app.authorities.scep_ra, strength);
            (app, request)
        });
        let (app, request) = opened.await.map_err(|error| Error::internal("opening a SCEP message", error))?;
        match request {
            Ok(request) => app.answer_request(request).await.map(ScepAnswer::Reply),
            Err(OpenError::Unreadable(error)) => {
                tracing::info!(error = %error, "an unreadable SCEP message");
                Ok(ScepAnswer::Unreadable)
            }
            Err(OpenError::Refused(refusal)) => {
                tracing::info!(why = refusal.text, "a SCEP message was refused");
                let ra = &app.authorities.scep_ra;
                Ok(ScepAnswer::Reply(scep::seal_failure(&refusal.transaction, ra, refusal.fail_info, refusal.text)?))
            }
        }
    }

    async fn answer_request(self: Arc<Self>, request: Request) -> Result<Vec<u8>> {
        let request = Arc::new(request);
        let issued = match self.judge_request(&request) {
            Err(declined) => Err(declined),
            Ok((csr, proof)) => {
                let (app, request) = (Arc::clone(&self), Arc::clone(&request));
                self.write(move |tx| app.certify(tx, &request, &csr, &proof)).await?
            }
        };
        let sealed = tokio::task::spawn_blocking(move || {
            let authorities = &self.authorities;
            match issued {
                Ok(der) => {
                    let certificate = X509::from_der(&der)?;
                    let chain = std::slice::from_ref(&authorities.device_ca.certificate);
                    Ok::<_, Error>(scep::seal_success(&request, &authorities.scep_ra, &certificate, chain)?)
                }
                Err(Declined(fail_info, text)) => {
                    tracing::info!(transaction = request.transaction.id, why = text, "a certificate was not issued");
                    Ok(scep::seal_failure(&request.transaction, &authorities.scep_ra, fail_info, text)?)
                }
            }
        });
        sealed.await.map_err(|error| Error::internal("sealing a SCEP answer", error))?
    }

    /// What the request proves, without the database.
    fn judge_request(&self, request: &Request) -> std::result::Result<(Csr, Proof), Declined> {
        let der = match &request.asks {
            Asks::Enroll(der) | Asks::Renew(der) => der,
            Asks::Poll => return Err(Declined(FailInfo::BadCertId, "there is nothing to wait for")),
        };
        let csr = csr::inspect(der).map_err(|error| {
            tracing::info!(error = %error, "a certificate request was refused");
            Declined(FailInfo::BadRequest, "the certificate request is not acceptable")
        })?;
        let proof = scep::establish(request, &csr, &self.authorities.device_ca.certificate, self.now())
            .map_err(|_| Declined(FailInfo::BadRequest, "the request is not signed by the key it is for, nor by a valid certificate"))?;
        Ok((csr, proof))
    }

    fn certify(&self, tx: &mut Tx<'_>, request: &Request, csr: &Csr, proof: &Proof) -> Result<std::result::Result<Vec<u8>, Declined>> {
        let now = self.now();
        let public = csr.key.public_key_to_der()?;
        let transaction = [request.transaction.id.as_bytes(), &[0], &public].concat();
        let transaction_hash = match proof {
            Proof::First => first_transaction(&transaction, csr),
            Proof::Renewal(old) => sha256(&[transaction.as_slice(), &pki::fingerprint(&old.to_der()?)].concat()).to_vec(),
        };
        if let Some(again) = certificates::of_transaction(tx, &transaction_hash)? {
            return repeat(&again, &csr.key);
        }
        let subject = match proof {
            Proof::First => spend(tx, csr.challenge.as_deref(), now)?,
            Proof::Renewal(old) => renewable(tx, &pki::fingerprint(&old.to_der()?), now)?,
        };
        match subject {
            Ok(subject) => self.issue(tx, &subject, &csr.key, transaction_hash, now).map(Ok),
            Err(declined) => Ok(Err(declined)),
        }
    }

    /// Issues a certificate and keeps it; gives it as DER.
    pub(super) fn issue(
        &self,
        tx: &mut Tx<'_>,
        subject: &Subject,
        key: &PKey<Public>,
        transaction_hash: Vec<u8>,
        now: Timestamp,
    ) -> Result<Vec<u8>> {
        self.issue_for(tx, subject, key, transaction_hash, now, i64::MAX)
    }

    /// Issues a certificate that is valid as long as the settings say, and at most so many days; gives its DER.
    pub(super) fn issue_for(
        &self,
        tx: &mut Tx<'_>,
        subject: &Subject,
        key: &PKey<Public>,
        transaction_hash: Vec<u8>,
        now: Timestamp,
        most_days: i64,
    ) -> Result<Vec<u8>> {
        let settings = settings::read(tx, &self.default_sender)?;
        let serial = pki::random_serial()?;
        let template = DeviceTemplate {
            common_name: subject.common_name.clone(),
            organization: settings.organization,
            email: Some(subject.email.clone()),
            serial,
            not_before: now.plus_seconds(-BACKDATED_SECONDS),
            not_after: now.plus_days(i64::from(settings.certificate_days).min(most_days)),
            crl_url: Some(format!("{}/pki/crl", self.public_url)),
            ocsp_url: Some(format!("{}/pki/ocsp", self.public_url)),
        };
        let der = pki::issue::issue_device(&self.authorities.device_ca, &template, key)?.to_der()?;
        certificates::insert(
            tx,
            &Certificate {
                id: CertificateId::new(),
                serial: serial.to_vec(),
                fingerprint: pki::fingerprint(&der).to_vec(),
                enrollment_id: subject.enrollment,
                common_name: subject.common_name.clone(),
                email: subject.email.clone(),
                certificate: der.clone(),
                transaction_hash,
                not_before: template.not_before,
                not_after: template.not_after,
                created_at: now,
                renew_at: Some(renew_at(template.not_before, template.not_after, serial)),
                revoked_at: None,
                revocation_reason: None,
            },
        )?;
        Ok(der)
    }
}

/// Two thirds of the way from its beginning to its end, and a little later by chance, so that devices that enrolled together do
/// not come back together.
fn renew_at(not_before: Timestamp, not_after: Timestamp, [.., chance]: [u8; 16]) -> Timestamp {
    let life = not_after.seconds().saturating_sub(not_before.seconds());
    not_before.plus_seconds((life / 3).saturating_mul(2)).plus_seconds((life / 24).saturating_mul(i64::from(chance)) / 256)
}

/// A first request is the same request again only with the same challenge: some clients name a transaction after their key.
fn first_transaction(transaction: &[u8], csr: &Csr) -> Vec<u8> {
    let challenge = csr.challenge.as_deref().map(secrets::hash).unwrap_or_default();
    sha256(&[transaction, &[0], &challenge].concat()).to_vec()
}

/// The same request again gets the same certificate, and not a second one.
pub(super) fn repeat(certificate: &Certificate, key: &PKey<Public>) -> Result<std::result::Result<Vec<u8>, Declined>> {
    let issued = X509::from_der(&certificate.certificate)?.public_key()?;
    if certificate.revoked_at.is_none() && key::same(&issued, key) {
        return Ok(Ok(certificate.certificate.clone()));
    }
    Ok(Err(Declined(FailInfo::BadRequest, "the certificate of this transaction is no longer valid")))
}

/// Uses up the challenge. Its row decides the subject.
pub(super) fn spend(tx: &mut Tx<'_>, challenge: Option<&str>, now: Timestamp) -> Result<std::result::Result<Subject, Declined>> {
    let refused = Declined(FailInfo::BadRequest, "the challenge is not valid");
    let Some(challenge) = challenge else { return Ok(Err(refused)) };
    let Some(challenge) = certificates::spend_challenge(tx, &secrets::hash(challenge), now)? else { return Ok(Err(refused)) };
    if !may_have_certificate(tx, challenge.enrollment_id)? {
        return Ok(Err(refused));
    }
    Ok(Ok(Subject { enrollment: challenge.enrollment_id, common_name: challenge.common_name, email: challenge.email }))
}

/// Whether a certificate of ours may be followed by another. The subject stays what it was.
pub(super) fn renewable(tx: &mut Tx<'_>, fingerprint: &[u8], now: Timestamp) -> Result<std::result::Result<Subject, Declined>> {
    let refused = Declined(FailInfo::BadCertId, "the certificate cannot be renewed");
    let Some(old) = certificates::of_fingerprint(tx, fingerprint)? else { return Ok(Err(refused)) };
    if !may_have_certificate(tx, old.enrollment_id)? {
        return Ok(Err(refused));
    }
    // Read once more, now that nobody can revoke it meanwhile.
    let Some(old) = certificates::of_fingerprint(tx, fingerprint)? else { return Ok(Err(refused)) };
    if old.revoked_at.is_some() || now > old.not_after.plus_days(RENEWAL_GRACE_DAYS) {
        return Ok(Err(refused));
    }
    Ok(Ok(Subject { enrollment: old.enrollment_id, common_name: old.common_name, email: old.email }))
}

/// Whether an enrollment may have another certificate: it has not ended, its user takes part, and nobody has ordered its device
/// away. The user is locked until the commit.
fn may_have_certificate(tx: &mut Tx<'_>, id: EnrollmentId) -> Result<bool> {
    let Some(enrollment) = enrollments::find(tx, id)? else { return Ok(false) };
    let user = users::find_for_update(tx, enrollment.user_id)?;
    let Some(enrollment) = enrollments::find(tx, id)? else { return Ok(false) };
    let device = enrollment.device_id.map(|id| devices::find(tx, id)).transpose()?.flatten();
    let is_ordered_away = device.is_some_and(|device| {
        device.enrollment_id == Some(id) && !matches!(device.state, EnrollmentState::Pending | EnrollmentState::Enrolled)
    });
    Ok(enrollment.state != Stage::Ended && !is_ordered_away && user.is_some_and(|user| user.state == UserState::Active))
}
