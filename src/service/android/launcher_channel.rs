//! What a device with the launcher says and asks: how it is, whether there is something new, whether it may reset itself.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::{
    launcher::{Speaker, admit},
    launcher_configuration::MOST_COMMANDS,
    launcher_settings::{Kept, MOST_POLL_SECONDS},
};
use crate::{
    android::launcher::device_info::DeviceInfo,
    domain::{
        audit::Actor,
        backend::{Backend, ManagementMode},
        command::{Answer, Command, CommandState, Purpose},
        device::Platform,
        id::{DeviceId, EnrollmentId},
        posture::{Fact, Posture, Source},
        time::Timestamp,
    },
    service::{
        App, Error, Result,
        check_in::{device_for, end_earlier, end_enrollment},
        command::reachable,
        comply::Known,
    },
    store::{
        Conn, Tx,
        audit::{self, Entry},
        commands::{self, QueuedCommand},
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        launchers, postures, timeline,
    },
};

/// What the timeline gives as cause.
const CAUSE: &str = "launcher";
/// Seconds after which a waiting device's number and queue are looked at again, whatever it was told.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Seconds after which a command that was sent and not confirmed is announced again.
const ANNOUNCE_AGAIN_SECONDS: i64 = 60;

impl App {
    /// Takes over how a device is. The first report completes its enrollment; one after the order to leave ends it.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number, [`Error::Conflict`] where another device has enrolled with it.
    pub async fn take_launcher_info(self: &Arc<Self>, info: DeviceInfo) -> Result<()> {
        self.must_know(info.number.as_deref().unwrap_or_default()).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let speaker = admit(tx, info.number.as_deref().unwrap_or_default(), now)?;
            match (speaker.enrollment.state, speaker.enrollment.device_id) {
                (Stage::Prepared, _) => Err(Error::Denied("a device reported before it fetched its configuration".into())),
                (Stage::Authenticated, _) => app.enroll_launcher(tx, &speaker, &info, now),
                (Stage::Enrolled, Some(device)) => app.note_info(tx, &speaker, device, &info, now),
                // It is about to reset itself.
                (Stage::Enrolled | Stage::Ended, _) => Ok(()),
            }
        })
        .await
    }

    fn enroll_launcher(&self, tx: &mut Tx<'_>, speaker: &Speaker, info: &DeviceInfo, now: Timestamp) -> Result<()> {
        let mut enrollment = enrollments::find_for_update(tx, speaker.enrollment.id)?.ok_or(Error::NotFound("device"))?;
        // A device that tells nothing of itself is a new one each time.
        let identifier = info.identifier().unwrap_or_else(|| format!("launcher:{}", enrollment.id));
        let mut device = device_for(tx, &enrollment, &identifier, Platform::Android, CAUSE, now)?;
        // Of several codes that were made while there was still room, the first that is used takes it.
        self.within_device_limit(tx, enrollment.user_id, enrollment.backend.kind(), Some(device.id))?;
        end_earlier(tx, &enrollment, &mut device, CAUSE, now)?;
        device.generation = device.generation.saturating_add(1);
        device.platform = Platform::Android;
        enrollment.device_id = Some(device.id);
        enrollment.generation = device.generation;
        enrollment.state = Stage::Enrolled;
        enrollment.enrolled_at = Some(now);
        enrollment.management_mode = mode_of(info);
        enrollments::update(tx, &enrollment)?;
        timeline::record(tx, device.id, now, "authenticated", "The launcher was set up as the owner of the device.", CAUSE)?;
        self.forget_and_note(tx, &mut device, &enrollment, &facts(info, now), CAUSE)?;
        self.complete(tx, &enrollment, device.id, CAUSE, now)
    }

    fn note_info(&self, tx: &mut Tx<'_>, speaker: &Speaker, device: DeviceId, info: &DeviceInfo, now: Timestamp) -> Result<()> {
        let known = devices::find(tx, device)?.ok_or(Error::NotFound("device"))?;
        if !is_same(&known, info) {
            tracing::warn!(device = %device, "another device spoke with the number of this one and was refused");
            return Err(Error::Conflict("another device has enrolled with this number".into()));
        }
        Self::note_launcher_mode(tx, &speaker.enrollment, device, info, now)?;
        for queued in commands::waiting(tx, speaker.enrollment.id, speaker.is_ending(), MOST_COMMANDS)? {
            if queued.kind == "report_posture" {
                self.settle(tx, &queued, Answer::Acknowledged, None, None)?;
            }
            let has_arrived = queued.state == CommandState::Sent && speaker.launcher.confirmed_at.is_some();
            if queued.kind == "remove_work_data" && has_arrived {
                return self.end_launcher(tx, &speaker.enrollment, device, &queued);
            }
        }
        self.absorb(tx, device, facts(info, now), CAUSE)
    }

    /// Notes where the launcher has become something else on its device.
    fn note_launcher_mode(tx: &mut Tx<'_>, enrollment: &Enrollment, device: DeviceId, info: &DeviceInfo, now: Timestamp) -> Result<()> {
        let mode = mode_of(info);
        if enrollment.management_mode == mode {
            return Ok(());
        }
        let mut enrollment = enrollments::find_for_update(tx, enrollment.id)?.ok_or(Error::NotFound("device"))?;
        enrollment.management_mode = mode;
        enrollments::update(tx, &enrollment)?;
        let mut posture = postures::get(tx, device)?;
        // Whatever it said of the passcode was said as something else.
        posture.passcode_compliant = None;
        postures::upsert(tx, device, &posture, now)?;
        let text = if mode.is_some() { "The launcher owns the device now." } else { "The launcher does not own the device any more." };
        Ok(timeline::record(tx, device, now, "mode_changed", text, CAUSE)?)
    }

    /// A wipe or retirement was carried out: the enrollment is over.
    fn end_launcher(&self, tx: &mut Tx<'_>, enrollment: &Enrollment, device: DeviceId, queued: &QueuedCommand) -> Result<()> {
        self.settle(tx, queued, Answer::Acknowledged, None, None)?;
        let mut enrollment = enrollments::find_for_update(tx, enrollment.id)?.ok_or(Error::NotFound("device"))?;
        let is_wiped = queued.purpose != Purpose::Retire;
        let why = if is_wiped { "the device was wiped" } else { "the device was retired" };
        end_enrollment(tx, &mut enrollment, why, "cessation_of_operation", self.now())?;
        self.close_device(tx, device, is_wiped, CAUSE)
    }

    /// Allows a device to reset itself, which it does at once. It asks only after it was told to; it is allowed only while that
    /// order stands. A device that asks once more has not heard the answer.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number, [`Error::Conflict`] where no full wipe was ordered.
    pub async fn permit_reset(self: &Arc<Self>, number: String) -> Result<()> {
        self.must_know(&number).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let speaker = admit(tx, &number, app.now())?;
            if speaker.is_wiped {
                return Ok(());
            }
            let not_ordered = || Error::Conflict("no full wipe of this device was ordered".into());
            let device = speaker.enrolled().ok_or_else(not_ordered)?;
            let waiting = commands::waiting(tx, speaker.enrollment.id, true, MOST_COMMANDS)?;
            let order = waiting.into_iter().find(|queued| queued.purpose == Purpose::FullWipe).ok_or_else(not_ordered)?;
            // Whoever asks before it was told is given the order now.
            if order.times_sent == 0 && !app.note_sent(tx, device, &order)? {
                return Err(not_ordered());
            }
            app.end_launcher(tx, &speaker.enrollment, device, &order)
        })
        .await
    }

    /// Notes that a device has set the new passcode. What was known of the one before says nothing any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number.
    pub async fn confirm_passcode(self: &Arc<Self>, number: String) -> Result<()> {
        self.must_know(&number).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let speaker = admit(tx, &number, app.now())?;
            let Some(device) = speaker.enrolled() else { return Ok(()) };
            let waiting = commands::waiting(tx, speaker.enrollment.id, speaker.is_ending(), MOST_COMMANDS)?;
            let mut is_news = false;
            for queued in waiting.iter().filter(|queued| queued.kind == "reset_passcode" && queued.state == CommandState::Sent) {
                is_news |= app.settle(tx, queued, Answer::Acknowledged, None, None)?.is_some();
            }
            if !is_news {
                return Ok(());
            }
            let mut known = Known::get(tx, &app, device)?;
            known.posture.passcode_compliant = None;
            postures::upsert(tx, device, &known.posture, app.now())?;
            app.reconcile(tx, known, CAUSE)
        })
        .await
    }

    /// Whether a device shall fetch its configuration.
    ///
    /// * `is_patient`: waits for that, as long as the settings say.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number.
    pub async fn launcher_has_news(self: &Arc<Self>, number: String, is_patient: bool) -> Result<bool> {
        let (mut has_news, enrollment, kept) = self.look_for_news(&number).await?;
        if !is_patient {
            return Ok(has_news);
        }
        let deadline = Instant::now() + Duration::from_secs(kept.poll_seconds.min(MOST_POLL_SECONDS).into());
        let seat = self.waiting.sit(enrollment);
        loop {
            // What was ordered before the seat was taken has called nobody.
            (has_news, ..) = self.look_for_news(&number).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if has_news || left.is_zero() || !seat.is_held() || self.waiting.is_over() {
                return Ok(has_news);
            }
            tokio::select! {
                () = seat.called() => {}
                () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
            }
        }
    }

    /// Looks once; a number that is used for the first time is noted.
    async fn look_for_news(self: &Arc<Self>, number: &str) -> Result<(bool, EnrollmentId, Kept)> {
        let (now, text) = (self.now(), number.to_owned());
        let (speaker, has_news, kept) = self
            .read(move |conn| {
                let speaker = Speaker::find(conn, &text, now)?.filter(|speaker| speaker.is_good(now)).ok_or(Error::NotFound("device"))?;
                let has_news = has_news(conn, &speaker, now)?;
                Ok::<_, Error>((speaker, has_news, Kept::read(conn)?))
            })
            .await?;
        if speaker.number.used_at.is_none() {
            let text = number.to_owned();
            self.write(move |tx| admit(tx, &text, now).map(drop)).await?;
        }
        if let Some(device) = speaker.enrolled() {
            self.seen.note(device, now);
        }
        Ok((has_news, speaker.enrollment.id, kept))
    }

    /// Takes a lock away again. Nobody can do that on the device itself.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] where the device is not locked in this way.
    pub async fn unlock(self: &Arc<Self>, actor: Actor, device: DeviceId) -> Result<QueuedCommand> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let (device, enrollment) = reachable(tx, device)?;
            if enrollment.backend != Backend::Headwind {
                return Err(Error::Conflict("this device is unlocked with its passcode".into()));
            }
            let mut launcher = launchers::find(tx, enrollment.id)?.ok_or(Error::NotFound("device"))?;
            let withdrawn = commands::cancel_kind(tx, enrollment.id, Purpose::Administrator, "lock", "the lock was taken away", now)?;
            if launcher.locked_at.is_none() && withdrawn == 0 {
                return Err(Error::Conflict("the device is not locked".into()));
            }
            (launcher.locked_at, launcher.lock_message) = (None, None);
            launchers::update(tx, &launcher)?;
            // With the question how it is comes the configuration without the lock.
            let queued = app.queue(tx, &enrollment, device.id, &Command::ReportPosture, Purpose::Administrator)?;
            let (detail, subject) = (json!({ "command": queued.id }), device.id.to_string());
            audit::record(tx, &Entry { at: now, actor: &actor, action: "device.unlock", subject_kind: "device", subject, detail })?;
            timeline::record(tx, device.id, now, "unlocked", "The lock was taken away.", &actor.name)?;
            Ok(queued)
        })
        .await
    }
}

fn has_news(conn: &mut Conn, speaker: &Speaker, now: Timestamp) -> Result<bool> {
    if speaker.enrolled().is_none() {
        return Ok(false);
    }
    let waiting = commands::waiting(conn, speaker.enrollment.id, speaker.is_ending(), MOST_COMMANDS)?;
    let again = now.plus_seconds(-ANNOUNCE_AGAIN_SECONDS);
    Ok(waiting.iter().any(|queued| queued.state == CommandState::Queued || queued.sent_at.is_none_or(|at| at <= again)))
}

fn mode_of(info: &DeviceInfo) -> Option<ManagementMode> {
    info.is_device_owner.then_some(ManagementMode::DeviceOwner)
}

/// Whether this may be the device that enrolled: what it says of itself does not speak against it.
fn is_same(device: &Device, info: &DeviceInfo) -> bool {
    let told = match device.identifier.split_once(':') {
        Some(("android-serial", known)) => Some((known, &info.serial)),
        Some(("android-imei", known)) => Some((known, &info.imei)),
        _ => None,
    };
    told.is_none_or(|(known, said)| said.as_ref().is_none_or(|said| said == known))
}

fn facts(info: &DeviceInfo, now: Timestamp) -> Posture {
    let fact = |value: &Option<String>| value.as_ref().map(|value| Fact { value: value.clone(), source: Source::Headwind, at: now });
    Posture { model_name: fact(&info.model), os_version: fact(&info.android_version), serial: fact(&info.serial), ..Posture::default() }
}
