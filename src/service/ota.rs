//! Enrollment in phases (Apple's Profile Service): the device first says what it is, then gets an identity, then the profile.
//!
//! What the device says in the second phase is signed by a certificate that Apple put into it. Where no root of Apple's is
//! configured that certificate is not judged: the right to enroll rests on the challenge alone, as it does without the phases.

use std::sync::Arc;

use super::{App, Error, Result, secrets};
use crate::{
    apple::{
        field::Secret as Field,
        profile::ota::{self, DeviceAttributes},
    },
    pki::{
        self,
        chain::{self, Purpose},
        cms::Attached,
    },
    store::{
        Tx,
        certificates::{self},
        enrollments::{self, Session, Stage},
        settings, users,
    },
};

/// Most bytes of what a device sends.
const LONGEST: usize = 256 * 1024;

impl App {
    /// Answers the second and the third phase: a signed profile.
    ///
    /// # Errors
    /// [`Error::Denied`] where the challenge or the identity is not good, [`Error::Invalid`] where the message is not.
    pub async fn continue_ota(self: &Arc<Self>, body: Vec<u8>) -> Result<Vec<u8>> {
        let message = Attached::open(&body, LONGEST).map_err(|error| Error::invalid("body", error))?;
        let signer = message.signer_certificate_der().to_vec();
        let key = openssl::x509::X509::from_der(&signer).and_then(|certificate| certificate.public_key());
        let key = key.map_err(|_| Error::invalid("body", "the signer's certificate cannot be read"))?;
        let content = message.verify(&key).map_err(|error| Error::invalid("body", error))?;
        let attributes = ota::decode(content).map_err(|error| Error::invalid("body", error))?;
        let is_ours = chain::verify_issued_by(&self.authorities.device_ca.certificate, &signer, self.now(), Purpose::ClientAuth).is_ok();
        let app = Arc::clone(self);
        self.write(move |tx| if is_ours { app.third_phase(tx, &signer) } else { app.second_phase(tx, &attributes) }).await
    }

    /// The device has said what it is and gets the right to an identity.
    fn second_phase(&self, tx: &mut Tx<'_>, attributes: &DeviceAttributes) -> Result<Vec<u8>> {
        let denied = || Error::Denied("the challenge is not valid".into());
        let Some(Field(challenge)) = &attributes.challenge else { return Err(denied()) };
        let challenge = String::from_utf8_lossy(challenge);
        let spent = certificates::spend_challenge(tx, &secrets::hash(&challenge), self.now())?.ok_or_else(denied)?;
        let enrollment =
            enrollments::find(tx, spent.enrollment_id)?.filter(|enrollment| enrollment.state == Stage::Prepared).ok_or_else(denied)?;
        let user = users::find(tx, enrollment.user_id)?.ok_or(Error::NotFound("user"))?;
        let secret = self.challenge(tx, &enrollment, &user.email)?;
        let organization = super::settings::read(tx, &self.default_sender)?.organization;
        let scep = self.scep_payload(organization, &user, &enrollment, &secret.text)?;
        let profile = scep.profile(&self.reverse_dns).map_err(|error| Error::internal("making the identity profile", error))?;
        self.sign(&profile.xml)
    }

    /// The device has its identity and gets the enrollment itself. Each identity gets it once.
    fn third_phase(&self, tx: &mut Tx<'_>, signer: &[u8]) -> Result<Vec<u8>> {
        let fingerprint = pki::fingerprint(signer);
        let session = enrollments::session(tx, &fingerprint)?.filter(is_fresh);
        let session = session.ok_or_else(|| Error::Denied("the identity is not valid, or its enrollment has begun already".into()))?;
        let key = format!("ota:{}", session.enrollment_id);
        if !settings::insert_if_missing(tx, &key, &true, self.now())? {
            return Err(Error::Denied("the enrollment profile was given already".into()));
        }
        let enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
        let user = users::find(tx, enrollment.user_id)?.ok_or(Error::NotFound("user"))?;
        let secret = self.challenge(tx, &enrollment, &user.email)?;
        self.enrollment_profile(tx, &enrollment, &user, &secret.text)
    }
}

fn is_fresh(session: &Session) -> bool {
    session.stage == Stage::Prepared && session.revoked_at.is_none()
}
