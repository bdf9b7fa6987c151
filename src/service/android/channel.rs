//! An agent's channel: it fetches the policy, says how the device is, fetches commands one at a time, answers them, and leaves.
//!
//! Whoever speaks is looked up in the database for each message, so that a certificate that was revoked on one server is refused
//! by every other at once. A poll with nothing to do is one query and no write.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::agent::wrong;
use crate::{
    android::{
        command::{self, LIFETIME_SECONDS},
        message::{CommandAnswer, CommandPayload, PostureReport, SignedCommand},
        policy::{self, AgentPolicy},
    },
    domain::{
        backend::Backend,
        command::{Answer, Command},
        id::{CommandId, DeviceId},
        policy::Rules,
        time::Timestamp,
    },
    service::{
        App, Error, Result,
        check_in::{end_enrollment, judge, pin},
        signers::Fingerprint,
    },
    store::{
        Tx,
        commands::{self, QueuedCommand},
        devices,
        enrollments::{self, Session, Stage},
        policies, postures, timeline, users,
    },
};

/// What the timeline gives as cause.
const CAUSE: &str = "agent";
/// Seconds after which a waiting agent's certificate and queue are looked at again, whatever it was told.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Seconds after which a command that the device put off is handed out again.
const PUT_OFF_SECONDS: i64 = 60;

/// How an agent asks for a command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask {
    /// How long it waits for one.
    pub wait: Duration,
    /// Whether it takes at once what it has put off, because it can do it now.
    pub includes_put_off: bool,
}

/// Who an agent is, for everything but fetching the command that ends it. One that was activated anew since a wipe was ordered has a
/// good certificate, and may say how it is.
fn admit(tx: &mut Tx<'_>, fingerprint: &Fingerprint, now: Timestamp) -> Result<Session> {
    let session = admit_ending(tx, fingerprint, now)?;
    if session.revoked_at.is_some() {
        return Err(Error::Denied("the device was wiped or let go: nothing but the command that says so is given to it".into()));
    }
    Ok(session)
}

/// The same, also of a device that was ordered away.
fn admit_ending(tx: &mut Tx<'_>, fingerprint: &Fingerprint, now: Timestamp) -> Result<Session> {
    let session = judge(enrollments::session(tx, fingerprint)?, fingerprint, Backend::Agent, now)?;
    pin(tx, &session, fingerprint, now)?;
    Ok(session)
}

fn device_of(session: &Session) -> Result<DeviceId> {
    session.device_id.ok_or_else(|| Error::Conflict("the agent has to be activated first".into()))
}

/// The device, if its enrollment is complete.
fn enrolled(session: &Session) -> Result<DeviceId> {
    match session.stage {
        Stage::Enrolled => device_of(session),
        _ => Err(Error::Conflict("the agent has to report the posture of the device first".into())),
    }
}

impl App {
    /// What the device has to obey.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Ended`] where the certificate may not speak.
    pub async fn agent_policy(self: &Arc<Self>, fingerprint: Fingerprint) -> Result<AgentPolicy> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit(tx, &fingerprint, now)?;
            app.seen.note(device_of(&session)?, now);
            let rules = policies::for_user(tx, session.user_id)?.map_or_else(Rules::default, |effective| effective.rules);
            Ok(policy::for_agent(&rules))
        })
        .await
    }

    /// Takes over how the device is. The first report completes the enrollment.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Denied`] and [`Error::Ended`] where the certificate may not speak.
    pub async fn take_posture(self: &Arc<Self>, fingerprint: Fingerprint, report: PostureReport) -> Result<()> {
        report.check().map_err(wrong)?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let mut session = admit(tx, &fingerprint, now)?;
            if session.stage != Stage::Enrolled {
                // An order that an administrator gives at the same moment comes wholly before or wholly after.
                users::find_for_update(tx, session.user_id)?;
                session = admit(tx, &fingerprint, now)?;
            }
            let device = device_of(&session)?;
            app.note_mode(tx, &session, device, &report)?;
            app.replace_facts(tx, device, &report)?;
            if session.stage == Stage::Authenticated {
                let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
                enrollment.state = Stage::Enrolled;
                enrollment.enrolled_at = Some(now);
                enrollments::update(tx, &enrollment)?;
                app.complete(tx, &enrollment, device, CAUSE, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Notes where the agent has become something else on its device: other things can be done with it then.
    fn note_mode(&self, tx: &mut Tx<'_>, session: &Session, device: DeviceId, report: &PostureReport) -> Result<()> {
        let mut enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
        if enrollment.management_mode == Some(report.mode) {
            return Ok(());
        }
        enrollment.management_mode = Some(report.mode);
        enrollments::update(tx, &enrollment)?;
        let text = format!("The agent says that it is {} now.", report.mode.as_str().replace('_', " "));
        Ok(timeline::record(tx, device, self.now(), "mode_changed", text, CAUSE)?)
    }

    fn replace_facts(&self, tx: &mut Tx<'_>, device: DeviceId, report: &PostureReport) -> Result<()> {
        devices::find_for_update(tx, device)?.ok_or(Error::NotFound("device"))?;
        let mut before = postures::get(tx, device)?;
        let was_compromised = before.compromised.as_ref().is_some_and(|fact| fact.value);
        before.forget_reported();
        postures::upsert(tx, device, &before, self.now())?;
        let signals = report.rooted_signals.as_deref().unwrap_or_default();
        if !was_compromised && !signals.is_empty() {
            let text = format!("The agent has found signs of root: {}.", signals.join(", "));
            timeline::record(tx, device, self.now(), "compromised", text, CAUSE)?;
        }
        self.absorb(tx, device, report.facts(self.now()), CAUSE)
    }

    /// Gives the next command, signed, or nothing where there is none within the time that the agent waits.
    ///
    /// A command is handed out again until it is answered.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Ended`] where the certificate may not speak, [`Error::Conflict`] before the first report.
    pub async fn next_agent_command(self: &Arc<Self>, fingerprint: Fingerprint, ask: Ask) -> Result<Option<SignedCommand>> {
        let deadline = Instant::now() + ask.wait;
        let calls = self.waiting.calls();
        let session = self.glance(fingerprint).await?;
        if let Some(payload) = self.fetch(fingerprint, &session, ask).await? {
            return self.signed_command(payload).await.map(Some);
        }
        if ask.wait.is_zero() {
            return Ok(None);
        }
        let seat = self.waiting.sit(session.0.enrollment_id);
        // Whoever was called between the look and the sitting down has not heard it.
        let mut may_have_missed = self.waiting.calls() != calls;
        while seat.is_held() && !self.waiting.is_over() && Instant::now() < deadline {
            if !std::mem::take(&mut may_have_missed) {
                let patience = LOOK_AGAIN.min(deadline.saturating_duration_since(Instant::now()));
                // Called or not, it looks again; a seat that was taken over, or the end, is seen before that.
                drop(tokio::time::timeout(patience, seat.called()).await);
                if !seat.is_held() || self.waiting.is_over() || Instant::now() >= deadline {
                    break;
                }
            }
            let session = self.glance(fingerprint).await?;
            if let Some(payload) = self.fetch(fingerprint, &session, ask).await? {
                return self.signed_command(payload).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Who asks, and whether anything waits: the one query of a poll with nothing to do.
    async fn glance(&self, fingerprint: Fingerprint) -> Result<(Session, bool)> {
        let found = self.read(move |conn| enrollments::session_with_queue(conn, &fingerprint)).await?;
        let (session, has_waiting) = found.map_or((None, false), |(session, has_waiting)| (Some(session), has_waiting));
        let now = self.now();
        let session = judge(session, &fingerprint, Backend::Agent, now)?;
        self.seen.note(enrolled(&session)?, now);
        Ok((session, has_waiting))
    }

    async fn fetch(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
        (session, has_waiting): &(Session, bool),
        ask: Ask,
    ) -> Result<Option<CommandPayload>> {
        if !has_waiting && !session.is_first_use_of(&fingerprint) {
            return Ok(None);
        }
        let app = Arc::clone(self);
        self.write(move |tx| app.hand_out_to_agent(tx, &fingerprint, ask)).await
    }

    fn hand_out_to_agent(&self, tx: &mut Tx<'_>, fingerprint: &Fingerprint, ask: Ask) -> Result<Option<CommandPayload>> {
        let now = self.now();
        let session = admit_ending(tx, fingerprint, now)?;
        let device = enrolled(&session)?;
        let put_off_before = if ask.includes_put_off { now } else { now.plus_seconds(-PUT_OFF_SECONDS) };
        let Some(queued) = commands::next_for_agent(tx, session.enrollment_id, session.is_ending(), put_off_before)? else {
            return Ok(None);
        };
        let command = queued.command()?;
        let passcode = match &command {
            Command::ResetPasscode { sealed_passcode } => Some(self.open_passcode(sealed_passcode)?),
            _ => None,
        };
        let Some(parameters) = command::parameters(&command, passcode.as_deref()) else {
            self.give_up(tx, device, &queued, "an agent knows no such command")?;
            return Ok(None);
        };
        if !self.note_sent(tx, device, &queued)? {
            return Ok(None);
        }
        let enrollment = enrollments::find(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
        Ok(Some(CommandPayload {
            id: queued.id,
            enrollment: enrollment.id,
            generation: enrollment.generation,
            kind: queued.kind,
            parameters,
            issued_at: now,
            expires_at: now.plus_seconds(LIFETIME_SECONDS),
        }))
    }

    /// Signs after the commit, on a thread that may block: no transaction waits for it.
    async fn signed_command(self: &Arc<Self>, payload: CommandPayload) -> Result<SignedCommand> {
        let app = Arc::clone(self);
        let signing = tokio::task::spawn_blocking(move || command::sign(&payload, &app.authorities.profile_signer));
        Ok(signing.await.map_err(|error| Error::internal("signing a command", error))??)
    }

    /// Notes what became of a command and lets everything follow from it. The same answer again changes nothing and is no error.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a command of another enrollment; [`Error::Conflict`] for one that was not handed out, or that is
    /// finished in another way; [`Error::Denied`] where the certificate may not speak.
    pub async fn answer_agent_command(self: &Arc<Self>, fingerprint: Fingerprint, id: CommandId, answer: CommandAnswer) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = match admit_ending(tx, &fingerprint, now) {
                // The answer to the command that ended the enrollment comes again where its own answer was lost.
                Err(Error::Ended) => return repeated(tx, &fingerprint, id, &answer),
                other => other?,
            };
            let device = enrolled(&session)?;
            devices::find_for_update(tx, device)?.ok_or(Error::NotFound("device"))?;
            app.seen.note(device, now);
            let command = commands::find_of_enrollment(tx, session.enrollment_id, id)?.ok_or(Error::NotFound("command"))?;
            if command.state.is_terminal() {
                return same_again(&command, &answer);
            }
            if command.times_sent == 0 {
                return Err(Error::Conflict("the command was not handed out to this device".into()));
            }
            if let Some(state) = app.settle(tx, &command, Answer::from(answer.status), answer.error(), None)? {
                app.follow(tx, &session, device, &command, state)?;
            }
            Ok(())
        })
        .await
    }

    /// The agent goes: the enrollment ends. It is no proof that anything was removed.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Ended`] where the certificate may not speak.
    pub async fn leave(self: &Arc<Self>, fingerprint: Fingerprint) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let session = admit(tx, &fingerprint, now)?;
            users::find_for_update(tx, session.user_id)?;
            let session = admit(tx, &fingerprint, now)?;
            let mut enrollment = enrollments::find_for_update(tx, session.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
            end_enrollment(tx, &mut enrollment, "the agent was removed", "cessation_of_operation", now)?;
            match session.device_id {
                Some(device) => app.close_device(tx, device, false, CAUSE),
                None => Ok(()),
            }
        })
        .await
    }
}

/// An answer of an enrollment that has ended.
fn repeated(tx: &mut Tx<'_>, fingerprint: &Fingerprint, id: CommandId, answer: &CommandAnswer) -> Result<()> {
    let session = enrollments::session(tx, fingerprint)?.ok_or(Error::Ended)?;
    match commands::find_of_enrollment(tx, session.enrollment_id, id)? {
        Some(command) => same_again(&command, answer),
        None => Err(Error::Ended),
    }
}

fn same_again(command: &QueuedCommand, answer: &CommandAnswer) -> Result<()> {
    if command.state.as_str() == answer.status.as_str() {
        Ok(())
    } else {
        Err(Error::Conflict(format!("the command is finished already: it is {}", command.state)))
    }
}
