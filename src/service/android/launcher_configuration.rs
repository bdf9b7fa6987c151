//! What a device with the launcher is told: its configuration says everything that shall hold, each time anew, and so it carries the
//! commands of the queue.
//!
//! An answer may be lost. That a configuration was fetched says only that it was sent; that it arrived is known when the launcher
//! asks for the rules of its log, which it does after every configuration that it has taken over. Until then a command is in every
//! configuration that is fetched.

use std::sync::Arc;

use super::{
    launcher::{Speaker, admit},
    launcher_settings::Kept,
};
use crate::{
    android::{
        launcher::{
            configuration::{self, Configuration, Wishes},
            log::{self, Rule},
        },
        policy,
    },
    domain::{
        backend::Backend,
        command::{Answer, Command, CommandState},
        device::EnrollmentState,
        id::DeviceId,
        policy::Rules,
        posture::{Fact, Posture, Source},
        time::Timestamp,
    },
    service::{App, Error, Result, comply::Known, settings},
    store::{
        Tx,
        commands::{self, QueuedCommand},
        enrollments::{self, Stage},
        launchers::{self, Launcher},
        policies, postures,
    },
};

/// Most commands that one configuration carries.
pub(super) const MOST_COMMANDS: i64 = 50;
/// How often a new passcode is sent before it is given up: a launcher that cannot set it says nothing.
const PASSCODE_TRIES: i32 = 3;

impl App {
    /// The configuration of a device.
    ///
    /// * `is_first`: the launcher has just been installed and says so.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number, [`Error::Conflict`] where a device has enrolled with it already.
    pub async fn launcher_configuration(self: &Arc<Self>, number: String, is_first: bool) -> Result<Configuration> {
        self.must_know(&number).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            if is_first {
                refuse_second(tx, &number, now)?;
            }
            let mut speaker = admit(tx, &number, now)?;
            if speaker.enrollment.state == Stage::Prepared {
                let mut enrollment = enrollments::find_for_update(tx, speaker.enrollment.id)?.ok_or(Error::NotFound("device"))?;
                enrollment.state = Stage::Authenticated;
                enrollments::update(tx, &enrollment)?;
                speaker.enrollment = enrollment;
            }
            let wishes = app.wishes(tx, &mut speaker, now)?;
            Ok(configuration::of(wishes))
        })
        .await
    }

    fn wishes(&self, tx: &mut Tx<'_>, speaker: &mut Speaker, now: Timestamp) -> Result<Wishes> {
        let kept = Kept::read(tx)?;
        let rules = policies::for_user(tx, speaker.enrollment.user_id)?.map_or_else(Rules::default, |effective| effective.rules);
        let mut wishes = Wishes {
            title: settings::read(tx, &self.default_sender)?.organization,
            panel_password: speaker.launcher.panel_password.clone(),
            new_number: if speaker.is_wiped { None } else { self.successor(tx, speaker, now)? },
            password_mode: policy::for_launcher(&rules.passcode),
            restrictions: kept.restrictions.clone(),
            factory_reset: speaker.is_wiped,
            ..Wishes::default()
        };
        let launcher = &mut speaker.launcher;
        note_version(launcher, policy::wanted_version(Backend::Headwind, &rules).unwrap_or_default(), now);
        // An order that is held, or waits for approval, is none yet: everything stays as it is.
        let mut is_let_go = false;
        if let Some(device) = speaker.enrolled() {
            self.seen.note(device, now);
            for queued in commands::waiting(tx, speaker.enrollment.id, speaker.is_ending(), MOST_COMMANDS)? {
                is_let_go |= self.include(tx, device, &queued, &mut wishes, &mut speaker.launcher)?;
            }
        }
        if speaker.launcher.locked_at.is_some() {
            wishes.lock = Some(speaker.launcher.lock_message.clone().unwrap_or_default());
        }
        if is_let_go && !wishes.factory_reset {
            // Everything that was put there is taken back.
            (wishes.password_mode, wishes.lock, wishes.new_passcode) = (None, None, None);
            wishes.restrictions = Vec::new();
            wishes.removed_apps = kept.work_apps;
        }
        launchers::update(tx, &speaker.launcher)?;
        Ok(wishes)
    }

    /// Lets a configuration carry a command; says whether it is the one that takes everything back. What is destructive is not wished
    /// before it is certain that it may be handed out.
    fn include(
        &self,
        tx: &mut Tx<'_>,
        device: DeviceId,
        queued: &QueuedCommand,
        wishes: &mut Wishes,
        launcher: &mut Launcher,
    ) -> Result<bool> {
        match queued.command()? {
            Command::ApplyPolicy { .. } | Command::ReportPosture => {}
            Command::RemoveWorkData => return self.note_sent(tx, device, queued),
            Command::EraseDevice(_) => {
                wishes.factory_reset |= self.note_sent(tx, device, queued)?;
                return Ok(false);
            }
            Command::DeviceLock { message, phone_number } => {
                launcher.locked_at = launcher.locked_at.or(Some(self.now()));
                launcher.lock_message = Some(message.into_iter().chain(phone_number).collect::<Vec<_>>().join("\n"));
            }
            Command::ResetPasscode { .. } if queued.times_sent >= PASSCODE_TRIES => {
                let why = "the launcher did not confirm that it set the passcode".to_owned();
                self.settle(tx, queued, Answer::Error, Some(why), None)?;
                return Ok(false);
            }
            Command::ResetPasscode { sealed_passcode } => wishes.new_passcode = Some(self.open_passcode(&sealed_passcode)?),
            other => return self.give_up(tx, device, queued, &format!("a launcher cannot be told {}", other.kind())).map(|()| false),
        }
        self.note_sent(tx, device, queued).map(|_| false)
    }

    /// The rules of a launcher's log. Whoever asks for them has taken over the configuration that it fetched last.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number.
    pub async fn launcher_rules(self: &Arc<Self>, number: String) -> Result<[Rule; 2]> {
        self.must_know(&number).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let mut speaker = admit(tx, &number, now)?;
            if speaker.launcher.configured_at.is_some() && !speaker.is_wiped {
                note_arrival(&mut speaker, now);
                launchers::update(tx, &speaker.launcher)?;
                if let Some(device) = speaker.enrolled() {
                    app.seen.note(device, now);
                    app.confirm(tx, &speaker, device, now)?;
                }
            }
            Ok(log::rules())
        })
        .await
    }

    /// What follows from a configuration that has arrived.
    fn confirm(&self, tx: &mut Tx<'_>, speaker: &Speaker, device: DeviceId, now: Timestamp) -> Result<()> {
        let is_ending = speaker.is_ending();
        for queued in commands::waiting(tx, speaker.enrollment.id, is_ending, MOST_COMMANDS)? {
            let is_done = matches!(queued.kind.as_str(), "apply_policy" | "lock") && queued.state == CommandState::Sent;
            if is_done {
                self.settle(tx, &queued, Answer::Acknowledged, None, None)?;
            }
        }
        if speaker.state != Some(EnrollmentState::Enrolled) {
            return Ok(());
        }
        let applied = applied(&speaker.launcher, now);
        let mut posture = postures::get(tx, device)?;
        if posture.applied_policy.as_ref().map(|fact| &fact.value) != applied.as_ref().map(|fact| &fact.value) {
            // What was said about the passcode before says nothing about this policy.
            (posture.passcode_compliant, posture.applied_policy) = (None, None);
            postures::upsert(tx, device, &posture, now)?;
        }
        self.absorb(tx, device, Posture { applied_policy: applied, ..Posture::default() }, "launcher")
    }

    /// Takes over what the log says about the passcode. It counts only where the launcher manages the whole device: otherwise the
    /// system ignores what it asks for.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody is known by this number.
    pub async fn take_launcher_log(self: &Arc<Self>, number: String, lines: Vec<log::Line>) -> Result<()> {
        self.must_know(&number).await?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let speaker = admit(tx, &number, now)?;
            let Some(device) = speaker.enrolled().filter(|_| speaker.state == Some(EnrollmentState::Enrolled)) else { return Ok(()) };
            app.seen.note(device, now);
            let Some(since) = counts_since(&speaker.launcher).filter(|_| speaker.enrollment.management_mode.is_some()) else {
                return Ok(());
            };
            let Some((at, evidence)) = log::newest(&lines, since, now) else { return Ok(()) };
            app.weigh(tx, device, at, evidence)
        })
        .await
    }

    fn weigh(&self, tx: &mut Tx<'_>, device: DeviceId, at: Timestamp, evidence: log::Evidence) -> Result<()> {
        let mut known = Known::get(tx, self, device)?;
        if known.posture.passcode_compliant.as_ref().is_some_and(|fact| fact.at > at) {
            // Lines that were held back, or are sent once more.
            return Ok(());
        }
        let fact = |value| Some(Fact { value, source: Source::Headwind, at });
        known.posture.passcode_compliant = match evidence {
            log::Evidence::Sufficient => fact(true),
            log::Evidence::Insufficient => fact(false),
            log::Evidence::Unclear => None,
        };
        postures::upsert(tx, device, &known.posture, self.now())?;
        self.reconcile(tx, known, "launcher's log")
    }
}

/// A device has enrolled with this number already. The answer to the very first request may have been lost, so it may be repeated
/// until the device has said anything else.
fn refuse_second(tx: &mut Tx<'_>, number: &str, now: Timestamp) -> Result<()> {
    let speaker = Speaker::find(tx, number, now)?.ok_or(Error::NotFound("device"))?;
    let is_taken = speaker.number.retired_at.is_some() || !matches!(speaker.enrollment.state, Stage::Prepared | Stage::Authenticated);
    if is_taken { Err(Error::Conflict("a device has enrolled with this number already".into())) } else { Ok(()) }
}

/// Notes which version of the policy a device is given.
fn note_version(launcher: &mut Launcher, version: String, now: Timestamp) {
    launcher.configured_at = Some(now);
    // It is on its way.
    launcher.confirmed_at = None;
    if launcher.configured_version.as_ref() != Some(&version) {
        launcher.version_since = None;
        launcher.configured_version = Some(version);
    }
}

/// Notes that the configuration that was fetched last has arrived. If it was the first one with this version, lines of the log count
/// from now on, and later by as much as two clocks may differ: a line that was written before says something about the policy before.
/// Before the enrollment is complete there was none.
fn note_arrival(speaker: &mut Speaker, now: Timestamp) {
    let wait = if speaker.enrolled().is_some() { log::SKEW_SECONDS } else { 0 };
    let launcher = &mut speaker.launcher;
    launcher.confirmed_at = Some(now);
    launcher.version_since = launcher.version_since.or(Some(now.plus_seconds(wait)));
}

/// The version of the policy in the configuration that has arrived; none where it asked for nothing.
fn applied(launcher: &Launcher, now: Timestamp) -> Option<Fact<String>> {
    let version = launcher.configured_version.clone().filter(|version| !version.is_empty())?;
    Some(Fact { value: version, source: Source::Headwind, at: now })
}

/// Since when lines of the log count: since the last configuration, but for the difference of two clocks, and in no case longer
/// than the device has been known to have the policy that holds now. None where it may not have it yet.
fn counts_since(launcher: &Launcher) -> Option<Timestamp> {
    let (last, first) = (launcher.configured_at?, launcher.version_since?);
    Some(last.plus_seconds(-log::SKEW_SECONDS).max(first))
}
