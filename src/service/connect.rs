//! The command channel: a device says what became of the last command and gets the next. One transaction for each message; a
//! device that has nothing to say and nothing to do costs two queries and no write.

use std::sync::Arc;

use super::{
    App, Error, Result,
    check_in::{admit, end_enrollment},
    comply::{self, Known},
    mail_profile, queue,
    signers::Fingerprint,
};
use crate::{
    apple::{
        self,
        report::{ErrorItem, Report},
    },
    domain::{
        command::{Answer, Command, CommandState, Purpose},
        device::EnrollmentState,
        id::{CommandId, DeviceId},
        posture::Posture,
    },
    store::{
        Tx, audit,
        commands::{self, Conclusion, Offer, QueuedCommand},
        devices,
        enrollments::{self, Session, Stage},
        timeline,
    },
};

/// Seconds after which a device that put a command off, and then did another, is woken again.
const PUT_OFF_SECONDS: i64 = 600;
/// Most bytes of an answer that are kept for people to read.
const LONGEST_ANSWER: usize = 256 * 1024;

impl App {
    /// Takes a device's report and gives the next command, encoded, or nothing.
    ///
    /// A command is handed out again until it is answered; an answer counts once, however often it comes.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate may not speak for the device, [`Error::Conflict`] before the enrollment is complete.
    pub async fn report_and_next(self: &Arc<Self>, fingerprint: Fingerprint, report: Report) -> Result<Option<Vec<u8>>> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit(tx, &fingerprint, &report.channel, now)?;
            let (Some(device), Stage::Enrolled) = (session.device_id, session.stage) else {
                return Err(Error::Conflict("the device asked for commands before its TokenUpdate".into()));
            };
            app.seen.note(device, now);
            if report.channel.user.is_some() {
                // Users of a shared device have no commands of their own.
                return Ok(None);
            }
            let has_ended = match report.status.answer() {
                // The device is locked before its commands, as everywhere.
                Some(answer) if devices::find_for_update(tx, device)?.is_some() => {
                    app.take_answer(tx, &session, device, &report, answer)?
                }
                _ => false,
            };
            if has_ended { Ok(None) } else { app.hand_out(tx, &session, device, report.status.answer()) }
        })
        .await
    }

    /// Notes an answer and lets everything follow from it; says whether the enrollment ended with it.
    fn take_answer(&self, tx: &mut Tx<'_>, session: &Session, device: DeviceId, report: &Report, answer: Answer) -> Result<bool> {
        let id = report.command_uuid.as_deref().and_then(|id| id.parse::<CommandId>().ok());
        let found = id.map(|id| commands::find_of_enrollment(tx, session.enrollment_id, id)).transpose()?.flatten();
        let Some(command) = found else {
            tracing::info!(device = %device, command = report.command_uuid, "an answer to a command that is not known was ignored");
            return Ok(false);
        };
        let Some(state) = self.settle(tx, &command, answer, describe(&report.errors, answer), kept_answer(report))? else {
            return Ok(false);
        };
        if answer == Answer::Acknowledged {
            self.absorb_answer(tx, device, report, &command)?;
        }
        self.follow(tx, session, device, &command, state)
    }

    /// Notes what a device answered to a command; gives where the command stands then, or nothing where it was finished already.
    pub(super) fn settle(
        &self,
        tx: &mut Tx<'_>,
        command: &QueuedCommand,
        answer: Answer,
        error: Option<String>,
        kept: Option<String>,
    ) -> Result<Option<CommandState>> {
        let Some(state) = command.state.after(answer) else { return Ok(None) };
        let conclusion = Conclusion { state, error, answer: kept };
        if !commands::conclude(tx, command.id, &conclusion, self.now())? {
            return Ok(None);
        }
        if state == CommandState::Failed {
            self.note_failure(tx, command.device_id, command, conclusion.error.as_deref())?;
        }
        Ok(Some(state))
    }

    /// Takes over the facts of an answer: those that the command asked for and no others.
    fn absorb_answer(&self, tx: &mut Tx<'_>, device: DeviceId, report: &Report, command: &QueuedCommand) -> Result<()> {
        let mut answered = report.clone();
        let results = &mut answered.results;
        results.security = results.security.take().filter(|_| command.kind == "security_info");
        results.device = results.device.take().filter(|_| command.kind == "device_information");
        results.profiles = results.profiles.take().filter(|_| command.kind == "profile_list");
        if command.kind == "security_info" {
            // What a device leaves out of a full answer is no longer known.
            let mut posture = crate::store::postures::get(tx, device)?;
            posture.forget_security();
            crate::store::postures::upsert(tx, device, &posture, self.now())?;
        }
        let facts = answered.facts(self.now());
        if facts == Posture::default() { Ok(()) } else { self.absorb(tx, device, facts, command.kind.as_str()) }
    }

    fn note_failure(&self, tx: &mut Tx<'_>, device: DeviceId, command: &QueuedCommand, error: Option<&str>) -> Result<()> {
        let text = format!("The command {} failed: {}", command.kind, error.unwrap_or("the device gave no reason"));
        Ok(timeline::record(tx, device, self.now(), "command_failed", text, "device")?)
    }

    /// What follows from a finished command beyond its facts.
    pub(super) fn follow(
        &self,
        tx: &mut Tx<'_>,
        session: &Session,
        device: DeviceId,
        command: &QueuedCommand,
        state: CommandState,
    ) -> Result<bool> {
        let is_done = state == CommandState::Acknowledged;
        match command.purpose {
            Purpose::Policy if mail_profile::is_about_mail(&command.kind) => {
                self.follow_mail(tx, session.enrollment_id, device, command, state)?;
                Ok(false)
            }
            Purpose::Policy if is_done && command.kind == "install_profile" => {
                let enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
                self.doubt_passcode(tx, device)?;
                self.ask_for_facts(tx, &enrollment, device)?;
                Ok(false)
            }
            // The policy counts as taken over once the device names it in its posture.
            Purpose::Policy if is_done && command.kind == "apply_policy" => {
                let enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
                self.ask_for_facts(tx, &enrollment, device)?;
                Ok(false)
            }
            // It is tried again when the device next reports, not at once.
            Purpose::Policy if state == CommandState::Failed => {
                enrollments::set_passcode_profile(tx, session.enrollment_id, None)?;
                Ok(false)
            }
            Purpose::SelectiveWipeEnd | Purpose::FullWipe if is_done => self.close(tx, session, device, true, "device"),
            Purpose::Retire if is_done => self.close(tx, session, device, false, "device"),
            _ => Ok(false),
        }
    }

    /// What was said about the passcode before the policy's profile was installed says nothing about the policy.
    fn doubt_passcode(&self, tx: &mut Tx<'_>, device: DeviceId) -> Result<()> {
        let mut posture = crate::store::postures::get(tx, device)?;
        posture.passcode_compliant = None;
        posture.passcode_compliant_with_profiles = None;
        crate::store::postures::upsert(tx, device, &posture, self.now())?;
        self.reconcile_device(tx, device, "policy installed")
    }

    fn close(&self, tx: &mut Tx<'_>, session: &Session, device: DeviceId, is_wiped: bool, cause: &str) -> Result<bool> {
        let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
        let why = if is_wiped { "the device was wiped" } else { "the device was retired" };
        end_enrollment(tx, &mut enrollment, why, "cessation_of_operation", self.now())?;
        self.close_device(tx, device, is_wiped, cause)?;
        Ok(true)
    }

    /// Takes over new facts about a device and reaches a new verdict.
    pub(super) fn absorb(&self, tx: &mut Tx<'_>, device: DeviceId, facts: Posture, cause: &str) -> Result<()> {
        let now = self.now();
        let mut known = Known::get(tx, self, device)?;
        known.posture.absorb(facts);
        crate::store::postures::upsert(tx, device, &known.posture, now)?;
        comply::take_over(&mut known.device, &known.posture);
        comply::seen_now(&mut known.device, now);
        self.reconcile(tx, known, cause)
    }

    /// Finds the next command and marks it as handed out.
    fn hand_out(&self, tx: &mut Tx<'_>, session: &Session, device: DeviceId, answer: Option<Answer>) -> Result<Option<Vec<u8>>> {
        let offer = Offer { includes_put_off: answer.is_none(), is_ending_only: session.is_ending() };
        let next = commands::next(tx, session.enrollment_id, offer)?;
        let Some(command) = next else {
            // With NotNow as the last word the device comes back by itself; after another answer it does not.
            if answer.is_some_and(|answer| answer != Answer::NotNow) {
                wake_for_put_off(tx, session)?;
            }
            return Ok(None);
        };
        if command.purpose == Purpose::SelectiveWipeEnd && has_wipe_before(tx, session)? {
            if answer.is_some_and(|answer| answer != Answer::NotNow) {
                wake_for_put_off(tx, session)?;
            }
            return Ok(None);
        }
        self.encode(tx, session, device, &command)
    }

    fn encode(&self, tx: &mut Tx<'_>, session: &Session, device: DeviceId, queued: &QueuedCommand) -> Result<Option<Vec<u8>>> {
        let (command, token) = self.completed(tx, session, device, queued)?;
        match apple::command::encode(&queued.id.to_string().to_uppercase(), &command, token.as_deref()) {
            Ok(bytes) => Ok(self.note_sent(tx, device, queued)?.then_some(bytes)),
            Err(error) => self.give_up(tx, device, queued, &error.to_string()).map(|()| None),
        }
    }

    /// Marks a command as handed to its device; says whether it still could be. What it is not said of must not be handed over.
    pub(super) fn note_sent(&self, tx: &mut Tx<'_>, device: DeviceId, queued: &QueuedCommand) -> Result<bool> {
        let is_destructive = queued.purpose.is_destructive();
        if is_destructive {
            // One after the other, so that the brake counts all of them.
            audit::lock(tx)?;
        }
        let is_sent = commands::mark_sent(tx, queued.id, self.now())?;
        if is_sent && queued.times_sent == 0 {
            self.announce_sent(tx, device, queued)?;
            if is_destructive {
                self.brake(tx, queued)?;
            }
        }
        Ok(is_sent)
    }

    /// Ends a command that cannot be written for its device: it would block everything behind it for ever.
    pub(super) fn give_up(&self, tx: &mut Tx<'_>, device: DeviceId, queued: &QueuedCommand, error: &str) -> Result<()> {
        let why = format!("the command cannot be sent: {error}");
        tracing::error!(command = %queued.id, error, "a queued command cannot be encoded");
        let conclusion = Conclusion { state: CommandState::Failed, error: Some(why.clone()), answer: None };
        commands::conclude(tx, queued.id, &conclusion, self.now())?;
        self.note_failure(tx, device, queued, Some(&why))
    }

    /// Adds what is never kept in the queue: the unlock token, the enrollment profile with a fresh right to a certificate, and the
    /// mail profile with a fresh password.
    fn completed(
        &self,
        tx: &mut Tx<'_>,
        session: &Session,
        device: DeviceId,
        queued: &QueuedCommand,
    ) -> Result<(Command, Option<Vec<u8>>)> {
        let command = queued.command()?;
        let is_made_now = matches!(command, Command::ClearPasscode | Command::RenewIdentity | Command::InstallMailProfile { .. });
        if command == Command::RemoveMailProfile {
            return Ok((self.mail_removal(), None));
        } else if !is_made_now {
            return Ok((command, None));
        }
        let enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
        match command {
            Command::ClearPasscode => Ok((command, self.unlock_token(&enrollment)?)),
            Command::InstallMailProfile { .. } => Ok((self.filled_mail(tx, device, &enrollment, queued)?, None)),
            _ => {
                let identifier = apple::profile::enrollment::identifier(&self.reverse_dns);
                Ok((Command::InstallProfile { identifier, profile: self.renewed_profile(tx, &enrollment)? }, None))
            }
        }
    }

    /// Asks devices that were silent for a while how they are; gives how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refresh_due(self: &Arc<Self>, limit: i64) -> Result<usize> {
        let now = self.now();
        let due = self.read(move |conn| devices::due_for_refresh(conn, now, limit)).await?;
        for id in &due {
            let (app, id) = (Arc::clone(self), *id);
            if let Err(error) = self.write(move |tx| app.refresh(tx, id).map(drop)).await {
                tracing::error!(device = %id, error = %error, "a device could not be asked for its facts");
            }
        }
        Ok(due.len())
    }

    /// Asks one device how it is, and notes when to ask again.
    pub(super) fn refresh(&self, tx: &mut Tx<'_>, id: DeviceId) -> Result<Option<QueuedCommand>> {
        let hours = i64::from(super::settings::read(tx, &self.default_sender)?.refresh_hours);
        let mut device = devices::find_for_update(tx, id)?.ok_or(Error::NotFound("device"))?;
        let enrollment = device.enrollment_id.map(|id| enrollments::find(tx, id)).transpose()?.flatten();
        let Some(enrollment) =
            enrollment.filter(|enrollment| enrollment.state == Stage::Enrolled && device.state == EnrollmentState::Enrolled)
        else {
            device.refresh_at = None;
            devices::update(tx, &device)?;
            return Ok(None);
        };
        device.refresh_at = Some(self.now().plus_seconds(hours * 3600));
        devices::update(tx, &device)?;
        self.ask_for_facts(tx, &enrollment, id)
    }
}

/// A device that put something off and then did something else has to be woken for it.
fn wake_for_put_off(tx: &mut Tx<'_>, session: &Session) -> Result<()> {
    if commands::has_waiting(tx, session.enrollment_id)?
        && let Some(enrollment) = enrollments::find(tx, session.enrollment_id)?
    {
        queue::wake(tx, &enrollment, PUT_OFF_SECONDS)?;
    }
    Ok(())
}

/// Whether profiles are still to be removed before the enrollment profile may go.
fn has_wipe_before(tx: &mut Tx<'_>, session: &Session) -> Result<bool> {
    Ok(commands::is_waiting(tx, session.enrollment_id, Purpose::SelectiveWipe, "remove_profile")?)
}

/// What went wrong, for people: the device's own words and, where there is one, a hint.
fn describe(errors: &[ErrorItem], answer: Answer) -> Option<String> {
    match answer {
        Answer::Acknowledged | Answer::NotNow => None,
        Answer::FormatError => Some("the device did not understand the command".into()),
        Answer::Error => {
            let texts = errors.iter().map(|error| {
                let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{} {}: {}{hint}", error.domain, error.code, error.text)
            });
            Some(texts.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
        }
    }
}

/// The answer as JSON text, for people to read; a very long one is left out.
fn kept_answer(report: &Report) -> Option<String> {
    if report.results.details.is_empty() {
        return None;
    }
    serde_json::to_string(&report.results.details).ok().filter(|text| text.len() <= LONGEST_ANSWER)
}
