//! Apple check-in: a device enrolls, gives its push token, leaves. One transaction for each message.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, comply, mail_profile, queue, settings, signers::Fingerprint};
use crate::{
    apple::{
        channel::Channel,
        checkin::{Authenticate, TokenUpdate},
        field::Secret,
    },
    domain::{
        backend::Backend,
        command::{Command, Purpose},
        device::{EnrollmentState, Platform},
        id::DeviceId,
        posture::{Fact, Posture, Source},
        time::Timestamp,
        user::UserState,
        webhook::EventKind,
    },
    store::{
        Tx, certificates, commands,
        devices::{self, Device},
        enrollments::{self, Enrollment, Session, Stage},
        postures, timeline, users,
    },
};

/// Seals what devices entrust to the server.
const UNLOCK_TOKEN: &str = "unlock token";
const BOOTSTRAP_TOKEN: &str = "bootstrap token";

/// The queries of `DeviceInformation` that the server needs answered.
pub const QUERIES: [&str; 8] =
    ["DeviceName", "OSVersion", "BuildVersion", "ModelName", "Model", "ProductName", "SerialNumber", "IsSupervised"];

/// Finds the enrollment of a certificate and decides whether its holder may speak for the device that it names.
///
/// One query; nothing is changed but the pin of a renewed certificate at its first use.
pub(super) fn admit(tx: &mut Tx<'_>, fingerprint: &Fingerprint, channel: &Channel, now: Timestamp) -> Result<Session> {
    let session = judge(enrollments::session(tx, fingerprint)?, fingerprint, Backend::Apple, now)?;
    if session.identifier.as_deref().is_some_and(|identifier| identifier != channel.id.as_str()) {
        return Err(Error::Denied("the certificate belongs to another device".into()));
    }
    pin(tx, &session, fingerprint, now)?;
    Ok(session)
}

/// Decides whether the holder of a certificate may speak at the door of this backend.
///
/// [`Error::Ended`] makes a device forget its management, so it is said of an enrollment that has ended and of nothing else: a
/// certificate that has expired can still be renewed, and one that is not known may be so because a backup was restored.
pub(super) fn judge(session: Option<Session>, fingerprint: &Fingerprint, backend: Backend, now: Timestamp) -> Result<Session> {
    let refused = |why: &str| Error::Denied(why.to_owned());
    let session = session.ok_or_else(|| refused("the certificate is not known here"))?;
    if session.backend != backend {
        return Err(refused("the certificate is not one of a device that is managed in this way"));
    }
    if session.stage == Stage::Ended {
        return Err(Error::Ended);
    }
    // A device whose wipe or retirement was ordered has lost its certificate, and still has to be told what to remove.
    if session.revoked_at.is_some() && !session.is_ending() {
        return Err(refused("the certificate is revoked"));
    }
    if now > session.not_after && !session.is_ending() {
        return Err(refused("the certificate has expired: it may only be renewed"));
    }
    if session.revoked_at.is_some() && session.is_first_use_of(fingerprint) {
        return Err(refused("the certificate was replaced"));
    }
    Ok(session)
}

/// Pins an enrollment to a renewed certificate at its first use; those before it are of no further use.
pub(super) fn pin(tx: &mut Tx<'_>, session: &Session, fingerprint: &Fingerprint, now: Timestamp) -> Result<()> {
    if session.is_first_use_of(fingerprint) {
        enrollments::pin(tx, session.enrollment_id, fingerprint)?;
        certificates::revoke_of_enrollment(tx, session.enrollment_id, Some(session.certificate_id), "superseded", now)?;
    }
    Ok(())
}

/// The same with the user locked first, for messages that change where a device stands: an order that an administrator gives at
/// the same moment comes wholly before or wholly after.
fn admit_locked(tx: &mut Tx<'_>, fingerprint: &Fingerprint, channel: &Channel, now: Timestamp) -> Result<Session> {
    let session = admit(tx, fingerprint, channel, now)?;
    let user = users::find_for_update(tx, session.user_id)?;
    if user.is_none_or(|user| user.state != UserState::Active) && session.stage != Stage::Enrolled {
        return Err(Error::Denied("the user of this enrollment is disabled".into()));
    }
    admit(tx, fingerprint, channel, now)
}

impl App {
    /// Apple's `Authenticate`: a new generation begins. The queue is emptied, earlier enrollments of the device end, and nothing
    /// is known about it any more. It is not enrolled until its `TokenUpdate`.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not enroll.
    pub async fn authenticate(self: &Arc<Self>, fingerprint: Fingerprint, channel: Channel, message: Authenticate) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit_locked(tx, &fingerprint, &channel, now)?;
            if session.revoked_at.is_some() || session.is_ending() {
                return Err(Error::Denied("the device was wiped or let go: it must be enrolled anew".into()));
            }
            // A certificate that the enrollment was given before this one is of no further use.
            certificates::revoke_of_enrollment(tx, session.enrollment_id, Some(session.certificate_id), "superseded", now)?;
            let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            let mut device = device_for(tx, &enrollment, channel.id.as_str(), platform_of(&message), "check-in", now)?;
            // Of several profiles that were made while there was still room, the first that is installed takes it.
            app.within_device_limit(tx, enrollment.user_id, enrollment.backend.kind(), Some(device.id))?;
            end_earlier(tx, &enrollment, &mut device, "check-in", now)?;
            commands::cancel_all(tx, enrollment.id, "the device enrolled anew", now)?;
            // The same message again, because its answer was lost, is not another generation.
            if enrollment.state != Stage::Authenticated {
                device.generation = device.generation.saturating_add(1);
                timeline::record(tx, device.id, now, "authenticated", "The enrollment profile was installed.", "check-in")?;
            }
            enrollment.device_id = Some(device.id);
            enrollment.generation = device.generation;
            enrollment.state = Stage::Authenticated;
            enrollment.is_user_enrollment = channel.id.is_user_enrollment();
            enrollment.fingerprint = Some(fingerprint.to_vec());
            enrollment.topic = Some(message.topic.clone());
            (enrollment.push_token, enrollment.push_magic) = (None, None);
            (enrollment.sealed_unlock_token, enrollment.passcode_profile) = (None, None);
            enrollments::update(tx, &enrollment)?;
            device.platform = platform_of(&message);
            let posture = posture_of(&message, enrollment.is_user_enrollment, now);
            app.forget_and_note(tx, &mut device, &enrollment, &posture, "check-in")
        })
        .await
    }

    /// A device that has just begun: nothing is known of it but what it says now.
    pub(super) fn forget_and_note(
        &self,
        tx: &mut Tx<'_>,
        device: &mut Device,
        enrollment: &Enrollment,
        posture: &Posture,
        cause: &str,
    ) -> Result<()> {
        let now = self.now();
        postures::upsert(tx, device.id, posture, now)?;
        if device.state != EnrollmentState::WipePending {
            device.state = EnrollmentState::Pending;
        }
        device.ownership = enrollment.ownership;
        device.enrollment_id = Some(enrollment.id);
        device.set_reasons(&[])?;
        comply::take_over(device, posture);
        comply::seen_now(device, now);
        devices::update(tx, device)?;
        self.reconcile_device(tx, device.id, cause)
    }

    /// Apple's `TokenUpdate`: the device can be reached. The first one completes the enrollment and queues the policy's profile
    /// and the questions that the server has.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not speak, [`Error::Conflict`] before `Authenticate`.
    pub async fn token_update(self: &Arc<Self>, fingerprint: Fingerprint, channel: Channel, message: TokenUpdate) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit_locked(tx, &fingerprint, &channel, now)?;
            let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            let Some(device_id) = enrollment.device_id else {
                return Err(Error::Conflict("a TokenUpdate came before its Authenticate".into()));
            };
            let is_first = enrollment.state == Stage::Authenticated;
            let is_reachable_anew = enrollment.push_token.as_ref() != Some(&message.token);
            app.take_tokens(&mut enrollment, &message)?;
            if is_first {
                enrollment.state = Stage::Enrolled;
                enrollment.enrolled_at = Some(now);
            }
            enrollments::update(tx, &enrollment)?;
            app.seen.note(device_id, now);
            if is_first {
                app.complete(tx, &enrollment, device_id, "check-in", now)
            } else if is_reachable_anew && commands::has_waiting(tx, enrollment.id)? {
                // The push for what waits may have gone to a token that was dead by then.
                queue::wake(tx, &enrollment, 0)
            } else {
                Ok(())
            }
        })
        .await
    }

    fn take_tokens(&self, enrollment: &mut Enrollment, message: &TokenUpdate) -> Result<()> {
        enrollment.topic = Some(message.topic.clone());
        enrollment.push_token = Some(message.token.clone());
        enrollment.push_magic = Some(message.push_magic.clone());
        enrollment.is_awaiting_configuration = message.awaiting_configuration;
        // A later message comes without it; the one that was given stays good.
        if let Some(Secret(token)) = &message.unlock_token {
            enrollment.sealed_unlock_token = Some(self.keys.seal(UNLOCK_TOKEN, token)?);
        }
        Ok(())
    }

    /// The device can be reached for the first time: the enrollment is complete, and what the policy asks for is queued.
    pub(super) fn complete(
        &self,
        tx: &mut Tx<'_>,
        enrollment: &Enrollment,
        device_id: DeviceId,
        cause: &str,
        now: Timestamp,
    ) -> Result<()> {
        let hours = i64::from(settings::read(tx, &self.default_sender)?.refresh_hours);
        let mut device = devices::find_for_update(tx, device_id)?.ok_or(Error::NotFound("device"))?;
        if device.state != EnrollmentState::WipePending {
            device.state = EnrollmentState::Enrolled;
        }
        device.enrolled_at = Some(now);
        device.refresh_at = Some(now.plus_seconds(hours * 3600));
        comply::seen_now(&mut device, now);
        devices::update(tx, &device)?;
        timeline::record(tx, device_id, now, "enrolled", "The enrollment is complete.", cause)?;
        self.announce(tx, EventKind::DeviceEnrolled, &device, json!({}))?;
        self.tell_of_enrollment(tx, &device, enrollment.backend)?;
        // The policy's profile first, so that the questions that follow are answered with it installed.
        self.reconcile_device(tx, device_id, "enrollment")?;
        if device.state == EnrollmentState::Enrolled { self.ask_for_facts(tx, enrollment, device_id).map(drop) } else { Ok(()) }
    }

    /// Queues the questions that compliance depends on, unless they wait already; gives the first of them.
    pub(super) fn ask_for_facts(
        &self,
        tx: &mut Tx<'_>,
        enrollment: &Enrollment,
        device: DeviceId,
    ) -> Result<Option<commands::QueuedCommand>> {
        let questions = match enrollment.backend {
            Backend::Apple => vec![
                Command::DeviceInformation { queries: QUERIES.map(String::from).to_vec() },
                Command::SecurityInfo,
                Command::ProfileList { managed_only: true },
            ],
            Backend::Agent | Backend::Headwind => vec![Command::ReportPosture],
            Backend::Certificate | Backend::Browser => Vec::new(),
        };
        let mut first = None;
        for question in questions {
            let is_allowed = enrollment.is_user_enrollment || enrollment.rights.allows(question.needed_rights());
            if is_allowed && !commands::is_waiting(tx, enrollment.id, Purpose::Facts, question.kind())? {
                let queued = self.queue(tx, enrollment, device, &question, Purpose::Facts)?;
                first.get_or_insert(queued);
            }
        }
        Ok(first)
    }

    /// Apple's `CheckOut`: the enrollment profile was removed. It is no proof that data is gone, except where the removal was the
    /// last step of a wipe that was ordered.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not speak.
    pub async fn check_out(self: &Arc<Self>, fingerprint: Fingerprint, channel: Channel) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit_locked(tx, &fingerprint, &channel, now)?;
            let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            let has_removed = commands::was_sent(tx, enrollment.id, Purpose::SelectiveWipeEnd)?;
            end_enrollment(tx, &mut enrollment, "the profile was removed", "cessation_of_operation", now)?;
            match enrollment.device_id {
                Some(device) => app.close_device(tx, device, has_removed, "check-out"),
                None => Ok(()),
            }
        })
        .await
    }

    /// The device is no longer managed: it was wiped if that was ordered and carried out, and is retired otherwise.
    ///
    /// A wipe that was ordered and not carried out is not forgotten because the device goes: whoever holds a stolen phone would only
    /// have to enroll it, leave, and enroll it once more. An administrator who lets the device go has made it retired before.
    pub(super) fn close_device(&self, tx: &mut Tx<'_>, id: DeviceId, is_wiped: bool, cause: &str) -> Result<()> {
        let now = self.now();
        let mut device = devices::find_for_update(tx, id)?.ok_or(Error::NotFound("device"))?;
        let (state, kind, text) = match (device.state, is_wiped) {
            (EnrollmentState::WipePending, true) => (EnrollmentState::Wiped, "wiped", "The wipe was carried out."),
            (EnrollmentState::WipePending, false) => {
                (EnrollmentState::WipePending, "wipe_overtaken", "The device left before the wipe was carried out. It stays blocked.")
            }
            _ => (EnrollmentState::Retired, "retired", "The device is no longer managed."),
        };
        device.state = state;
        device.refresh_at = None;
        comply::seen_now(&mut device, now);
        devices::update(tx, &device)?;
        timeline::record(tx, id, now, kind, text, cause)?;
        if state == EnrollmentState::Wiped {
            self.announce(tx, EventKind::WipeAcknowledged, &device, json!({}))?;
            self.tell_of_wipe(tx, &device)?;
        }
        self.reconcile_device(tx, id, cause)
    }

    /// Apple's `SetBootstrapToken`: a Mac entrusts the server with a token, or takes it back.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not speak.
    pub async fn set_bootstrap_token(self: &Arc<Self>, fingerprint: Fingerprint, channel: Channel, token: Option<Secret>) -> Result<()> {
        let sealed = token.map(|Secret(token)| self.keys.seal(BOOTSTRAP_TOKEN, &token)).transpose()?;
        let now = self.now();
        self.write(move |tx| {
            let session = admit(tx, &fingerprint, &channel, now)?;
            let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            enrollment.sealed_bootstrap_token = sealed;
            Ok(enrollments::update(tx, &enrollment)?)
        })
        .await
    }

    /// Apple's `GetBootstrapToken`: gives back what the device entrusted, if it has.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not speak.
    pub async fn bootstrap_token(self: &Arc<Self>, fingerprint: Fingerprint, channel: Channel) -> Result<Option<Vec<u8>>> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let session = admit(tx, &fingerprint, &channel, app.now())?;
            let enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            Ok(enrollment.sealed_bootstrap_token.map(|sealed| app.keys.open(BOOTSTRAP_TOKEN, &sealed)).transpose()?)
        })
        .await
    }

    /// The unlock token of an enrollment, opened for one `ClearPasscode`.
    pub(super) fn unlock_token(&self, enrollment: &Enrollment) -> Result<Option<Vec<u8>>> {
        Ok(enrollment.sealed_unlock_token.as_ref().map(|sealed| self.keys.open(UNLOCK_TOKEN, sealed)).transpose()?)
    }

    /// Takes over facts from a status report of declarative management; only admits the device where there are none.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not speak.
    pub async fn receive_status(self: &Arc<Self>, fingerprint: Fingerprint, channel: Channel, facts: Option<Posture>) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit(tx, &fingerprint, &channel, now)?;
            let Some(device) = session.device_id else {
                return Err(Error::Conflict("a declarative management request came before its Authenticate".into()));
            };
            app.seen.note(device, now);
            match facts {
                Some(facts) => app.absorb(tx, device, facts, "status report"),
                None => Ok(()),
            }
        })
        .await
    }
}

/// The device that this is, known or new.
pub(super) fn device_for(
    tx: &mut Tx<'_>,
    enrollment: &Enrollment,
    identifier: &str,
    platform: Platform,
    cause: &str,
    now: Timestamp,
) -> Result<Device> {
    if let Some(device) = devices::find_by_identifier(tx, enrollment.user_id, identifier)? {
        return devices::find_for_update(tx, device.id)?.ok_or(Error::NotFound("device"));
    }
    let device = Device::new(enrollment.user_id, identifier.to_owned(), platform, enrollment.ownership, now);
    devices::insert(tx, &device)?;
    // What a device calls itself is a claim. Another user's device of that name is left alone: it falls silent by itself if
    // the phone really changed hands, and nobody can take somebody else's device out of management by naming it.
    for other in devices::claimed_by_others(tx, enrollment.user_id, identifier)? {
        timeline::record(tx, other, now, "identifier_reused", "Another user enrolled a device with the same identifier.", cause)?;
    }
    Ok(device)
}

/// Ends the enrollments that the device had before.
///
/// A wipe that was never handed to the device dies with the enrollment that it was ordered for, and is not carried over; but the
/// order is not forgotten either: the device stays blocked until an administrator wipes it again or lets it go. Otherwise whoever
/// holds a stolen phone would only have to enroll it once more.
pub(super) fn end_earlier(tx: &mut Tx<'_>, present: &Enrollment, device: &mut Device, cause: &str, now: Timestamp) -> Result<()> {
    let mut was_handed_out = false;
    for mut earlier in enrollments::others_of_device(tx, device.id, present.id)? {
        was_handed_out |=
            commands::was_sent(tx, earlier.id, Purpose::FullWipe)? || commands::was_sent(tx, earlier.id, Purpose::SelectiveWipeEnd)?;
        end_enrollment(tx, &mut earlier, "the device enrolled anew", "superseded", now)?;
    }
    if device.state != EnrollmentState::WipePending {
        return Ok(());
    }
    let text = if was_handed_out {
        "The device enrolled anew after the wipe was handed to it."
    } else {
        "The device enrolled anew before the wipe reached it. It stays blocked: order the wipe again, or retire the device."
    };
    if was_handed_out {
        device.state = EnrollmentState::Pending;
    }
    Ok(timeline::record(tx, device.id, now, "wipe_overtaken", text, cause)?)
}

/// Ends an enrollment: its commands are withdrawn, its certificates revoked and its mail passwords void.
pub(super) fn end_enrollment(tx: &mut Tx<'_>, enrollment: &mut Enrollment, cause: &str, revocation: &str, now: Timestamp) -> Result<()> {
    commands::cancel_all(tx, enrollment.id, cause, now)?;
    certificates::revoke_of_enrollment(tx, enrollment.id, None, revocation, now)?;
    mail_profile::cut_off(tx, enrollment.id)?;
    enrollment.state = Stage::Ended;
    enrollment.ended_at = Some(now);
    enrollment.end_cause = Some(cause.to_owned());
    (enrollment.push_token, enrollment.push_magic) = (None, None);
    (enrollment.sealed_unlock_token, enrollment.sealed_bootstrap_token) = (None, None);
    Ok(enrollments::update(tx, enrollment)?)
}

/// The platform, from Apple's product code such as "iPhone15,4".
fn platform_of(message: &Authenticate) -> Platform {
    let names = [&message.product_name, &message.model_name, &message.model];
    let is = |word: &str| names.iter().any(|name| name.as_deref().is_some_and(|name| name.starts_with(word)));
    if is("iPad") {
        Platform::Ipados
    } else if is("iPhone") || is("iPod") {
        Platform::Ios
    } else if is("Mac") || is("iMac") {
        Platform::Macos
    } else {
        Platform::Other
    }
}

fn posture_of(message: &Authenticate, is_user_enrollment: bool, now: Timestamp) -> Posture {
    let text = |value: &Option<String>| value.as_ref().map(|value| Fact { value: value.clone(), source: Source::CheckIn, at: now });
    Posture {
        os_version: text(&message.os_version),
        build_version: text(&message.build_version),
        model_name: text(&message.model_name),
        product_name: text(&message.product_name),
        device_name: text(&message.device_name),
        serial: text(&message.serial),
        user_enrollment: Some(Fact { value: is_user_enrollment, source: Source::CheckIn, at: now }),
        ..Posture::default()
    }
}
