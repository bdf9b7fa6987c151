//! The activation certificate of an Android device: made with its key, kept sealed for minutes, given out once to the visit that
//! earned it, and then known to nobody but the device.
//!
//! The device counts as enrolled from the download on. Nothing on it could say that the certificate was installed: if that had to
//! be waited for, a device that is used only where nobody asks Enlist would never be listed, and could not be let go.

use std::sync::Arc;

use openssl::{
    pkey::{PKey, Private},
    rsa::Rsa,
    sha::sha256,
    x509::X509,
};
use serde_json::json;

use super::super::{App, Error, Result, certify::Subject, check_in::end_enrollment, comply, enroll::consented, settings};
use crate::{
    domain::{
        backend::Backend,
        device::{EnrollmentState, Platform},
        enrollment::ACTIVATION_SECONDS,
        id::{EnrollmentId, VisitId},
        time::Timestamp,
        webhook::EventKind,
    },
    pki::{
        Identity,
        pkcs12::{self, Form},
    },
    store::{
        Tx,
        activation_files::{self, ActivationFile as SealedFile},
        certificates,
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        timeline, users, visits,
    },
};

/// Seals files that wait to be downloaded.
const PURPOSE: &str = "activation file";
/// Most days for which an activation certificate is valid: nothing on the device could renew it, and nothing could remove it.
const MOST_DAYS: i64 = 365;
/// Characters of the name that a phone shows for the certificate.
const LONGEST_NAME: usize = 80;

/// What opens the file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationFile {
    /// The password, which is kept nowhere.
    pub password: String,
    /// Until when the file can be downloaded.
    pub expires_at: Timestamp,
}

/// What a browser says of the device that it runs on. It is shown to administrators and decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// The model.
    pub model: Option<String>,
    /// The version of Android.
    pub version: Option<String>,
}

impl App {
    /// Makes the activation certificate of a visit, which is possible once.
    ///
    /// # Errors
    /// [`Error::Denied`] before mailbox and consent, [`Error::Conflict`] the second time.
    pub async fn make_activation_file(self: &Arc<Self>, visit: VisitId, form: Form) -> Result<ActivationFile> {
        // Judged before the work of making a key, and once more in the transaction.
        self.write(move |tx| {
            let agreed = consented(tx, visit, Backend::Certificate)?;
            if agreed.visit.profile_taken_at.is_some() { Err(made_already()) } else { Ok(()) }
        })
        .await?;
        let _permit = self.cryptography_permit().await?;
        let key = tokio::task::spawn_blocking(|| PKey::from_rsa(Rsa::generate(2048)?));
        let key = key.await.map_err(|error| Error::internal("making a key", error))??;
        let app = Arc::clone(self);
        self.write(move |tx| app.keep_file(tx, visit, key, form)).await
    }

    fn keep_file(&self, tx: &mut Tx<'_>, visit: VisitId, key: PKey<Private>, form: Form) -> Result<ActivationFile> {
        let agreed = consented(tx, visit, Backend::Certificate)?;
        let now = self.now();
        let (enrollment, _) = self.prepare(tx, &agreed.user, Backend::Certificate, agreed.visit.ownership, Some(agreed.consent))?;
        // The certificate is made here, so nobody needs the right to one.
        certificates::spend_challenges_of(tx, enrollment.id, now)?;
        if !visits::take_profile(tx, visit, enrollment.id, now)? {
            return Err(made_already());
        }
        let subject = Subject { enrollment: enrollment.id, common_name: enrollment.id.to_string(), email: agreed.user.email.clone() };
        let public = PKey::public_key_from_der(&key.public_key_to_der()?)?;
        let transaction = sha256(&[b"activation\0".as_slice(), enrollment.id.as_bytes()].concat()).to_vec();
        let certificate = X509::from_der(&self.issue_for(tx, &subject, &public, transaction, now, MOST_DAYS)?)?;
        let organization = settings::read(tx, &self.default_sender)?.organization;
        let name: String = format!("{organization} ({})", agreed.user.email).chars().filter(|c| *c != '\0').take(LONGEST_NAME).collect();
        let password = pkcs12::password()?;
        let authority = std::slice::from_ref(&self.authorities.device_ca.certificate);
        let file = pkcs12::bundle(&Identity { certificate, key }, authority, &name, &password, form)?;
        let expires_at = now.plus_seconds(ACTIVATION_SECONDS);
        let sealed_file = self.keys.seal(PURPOSE, &file)?;
        activation_files::insert(tx, &SealedFile { enrollment_id: enrollment.id, visit_id: visit, sealed_file, expires_at })?;
        Ok(ActivationFile { password, expires_at })
    }

    /// Gives out the file of a visit, which works once, within ten minutes, and for this visit alone. With that the device is
    /// enrolled.
    ///
    /// # Errors
    /// [`Error::Denied`] where the mailbox was not proved, or the person may have no other device; [`Error::Conflict`] where the file is
    /// gone.
    pub async fn take_activation_file(self: &Arc<Self>, visit: VisitId, looks: Looks) -> Result<Vec<u8>> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let agreed = consented(tx, visit, Backend::Certificate)?;
            let gone = || Error::Conflict("the certificate was downloaded already, or not in time; begin again to get another".into());
            let id = agreed.visit.enrollment_id.ok_or_else(gone)?;
            users::find_for_update(tx, agreed.user.id)?;
            let enrollment = enrollments::find_for_update(tx, id)?.filter(|enrollment| enrollment.state == Stage::Prepared);
            let enrollment = enrollment.ok_or_else(gone)?;
            // Of several that were made while there was still room, the first that is downloaded takes it.
            app.within_device_limit(tx, enrollment.user_id, enrollment.backend.kind(), None)?;
            let sealed = activation_files::take(tx, id, visit, app.now())?.ok_or_else(gone)?;
            let file = app.keys.open(PURPOSE, &sealed)?;
            app.enroll_by_certificate(tx, enrollment, looks)?;
            Ok(file)
        })
        .await
    }

    fn enroll_by_certificate(&self, tx: &mut Tx<'_>, mut enrollment: Enrollment, looks: Looks) -> Result<()> {
        let now = self.now();
        let certificate = certificates::newest_of_enrollment(tx, enrollment.id)?.ok_or(Error::NotFound("certificate"))?;
        // Nothing on the device has a name of its own, so each certificate stands for a device of its own.
        let identifier = enrollment.id.to_string();
        let mut device = Device::new(enrollment.user_id, identifier, Platform::Android, enrollment.ownership, now);
        (device.state, device.generation) = (EnrollmentState::Enrolled, 1);
        (device.enrollment_id, device.enrolled_at) = (Some(enrollment.id), Some(now));
        (device.model, device.os_version) = (looks.model, looks.version);
        comply::seen_now(&mut device, now);
        devices::insert(tx, &device)?;
        (enrollment.device_id, enrollment.generation, enrollment.state) = (Some(device.id), 1, Stage::Enrolled);
        (enrollment.enrolled_at, enrollment.fingerprint) = (Some(now), Some(certificate.fingerprint));
        enrollments::update(tx, &enrollment)?;
        timeline::record(tx, device.id, now, "enrolled", "The activation certificate was downloaded.", "portal")?;
        self.announce(tx, EventKind::DeviceEnrolled, &device, json!({}))?;
        self.reconcile_device(tx, device.id, "enrollment")
    }

    /// Ends enrollments whose activation certificate was not downloaded in time, and forgets the keys; gives how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn end_untaken_activations(self: &Arc<Self>, limit: i64) -> Result<usize> {
        let now = self.now();
        self.write(move |tx| {
            let untaken = activation_files::expired(tx, now, limit)?;
            for id in &untaken {
                end_untaken(tx, *id, now)?;
            }
            Ok(untaken.len())
        })
        .await
    }
}

fn end_untaken(tx: &mut Tx<'_>, id: EnrollmentId, now: Timestamp) -> Result<()> {
    if let Some(enrollment) = enrollments::find(tx, id)? {
        users::find_for_update(tx, enrollment.user_id)?;
    }
    // It may have been taken since it was listed.
    if !activation_files::delete(tx, id)? {
        return Ok(());
    }
    match enrollments::find_for_update(tx, id)?.filter(|enrollment| enrollment.state == Stage::Prepared) {
        Some(mut enrollment) => {
            end_enrollment(tx, &mut enrollment, "the activation certificate was not downloaded", "cessation_of_operation", now)
        }
        None => Ok(()),
    }
}

fn made_already() -> Error {
    Error::Conflict("the activation certificate was made already; begin again to get another".into())
}
