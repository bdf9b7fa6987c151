//! Keeps a device's verdict, its access and its passcode profile in step with what is known and what is asked.
//!
//! Called whenever something changes: a new fact, a policy, a group, a state, or the time.

use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::{App, Error, Result, queue, settings};
use crate::{
    android,
    apple::profile::{self, Profile},
    domain::{
        access::{AccessSettings, Decision, decide},
        backend::Backend,
        command::{Command, Purpose},
        compliance::{Status, Subject, Verdict, evaluate},
        device::{EnrollmentState, Platform},
        id::DeviceId,
        policy::{EffectivePolicy, Enforcement},
        posture::Posture,
        rights::AccessRights,
        time::Timestamp,
        user::UserState,
        webhook::EventKind,
    },
    pki::cms,
    store::{
        Tx,
        commands::{self, QueuedCommand},
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        policies, postures, timeline, users,
    },
};

/// Everything that is known about one device, and what is asked of it.
pub(super) struct Known {
    pub device: Device,
    pub enrollment: Option<Enrollment>,
    pub posture: Posture,
    pub(super) policy: Option<EffectivePolicy>,
    /// The passcode profile that the device must have; none where no passcode is asked for.
    pub(super) passcode: Option<Profile>,
    /// The version of the policy that an Android device must take over; none where there is nothing to take over.
    pub(super) policy_version: Option<String>,
    pub(super) organization: String,
    pub(super) user: UserState,
}

impl Known {
    /// Reads it all, with the device locked until the commit.
    pub fn get(tx: &mut Tx<'_>, app: &App, id: DeviceId) -> Result<Self> {
        let device = devices::find_for_update(tx, id)?.ok_or(Error::NotFound("device"))?;
        let enrollment = match device.enrollment_id {
            Some(id) => enrollments::find(tx, id)?,
            None => None,
        };
        let posture = postures::get(tx, id)?;
        let user = users::find(tx, device.user_id)?.map_or(UserState::Disabled, |user| user.state);
        let policy = policies::for_user(tx, device.user_id)?;
        let organization = settings::read(tx, &app.default_sender)?.organization;
        let passcode = wanted_passcode(app, &organization, &device, enrollment.as_ref(), policy.as_ref())?;
        let backend = enrollment.as_ref().map_or(Backend::Apple, |enrollment| enrollment.backend);
        let policy_version = policy.as_ref().and_then(|policy| android::policy::wanted_version(backend, &policy.rules));
        Ok(Self { device, enrollment, posture, policy, passcode, policy_version, organization, user })
    }

    /// The verdict and the decision that follow from what is known; changes nothing.
    pub fn conclude(&self, now: Timestamp) -> Result<(Verdict, Decision)> {
        let before = self.device.reasons()?;
        let subject = Subject {
            platform: self.device.platform,
            state: self.device.state,
            backend: self.enrollment.as_ref().map_or(Backend::Apple, |enrollment| enrollment.backend),
            is_user_enrollment: self.enrollment.as_ref().is_some_and(|enrollment| enrollment.is_user_enrollment),
            last_seen_at: self.device.last_seen_at,
            passcode_profile: self.passcode.as_ref().map(|profile| (profile.identifier.as_str(), profile.uuid.as_str())),
            policy_version: self.policy_version.as_deref(),
            before: &before,
        };
        let verdict = evaluate(self.policy.as_ref(), &subject, &self.posture, now);
        let access = decide(AccessSettings::default(), self.user, self.device.state, verdict.status, self.enforcement());
        Ok((verdict, access))
    }

    fn enforcement(&self) -> Enforcement {
        self.policy.as_ref().map_or(Enforcement::Block, |policy| policy.rules.enforcement)
    }
}

/// The passcode profile for a device. A User Enrollment ignores passcode payloads, so it gets none.
fn wanted_passcode(
    app: &App,
    organization: &str,
    device: &Device,
    enrollment: Option<&Enrollment>,
    policy: Option<&EffectivePolicy>,
) -> Result<Option<Profile>> {
    let is_apple = matches!(device.platform, Platform::Ios | Platform::Ipados);
    let is_user = enrollment.is_some_and(|enrollment| enrollment.is_user_enrollment);
    let passcode = policy.map(|policy| &policy.rules.passcode).filter(|passcode| passcode.asks_for_something());
    match passcode {
        Some(passcode) if is_apple && !is_user => profile::passcode::profile(&app.reverse_dns, organization, passcode)
            .map(Some)
            .map_err(|error| Error::internal("making the passcode profile", error)),
        _ => Ok(None),
    }
}

impl App {
    /// Reaches a new verdict about a device and lets everything follow from it.
    ///
    /// `cause` goes into the timeline where something changed.
    pub(super) fn reconcile(&self, tx: &mut Tx<'_>, mut known: Known, cause: &str) -> Result<()> {
        self.settle(tx, &mut known, cause)?;
        Ok(devices::update(tx, &known.device)?)
    }

    /// The same without writing the device down.
    pub(super) fn settle(&self, tx: &mut Tx<'_>, known: &mut Known, cause: &str) -> Result<()> {
        self.judge(tx, known, cause)?;
        match known.enrollment.as_ref().map(|enrollment| enrollment.backend) {
            Some(Backend::Apple) => self.keep_passcode_profile(tx, known),
            Some(Backend::Agent | Backend::Headwind) => self.keep_policy_version(tx, known),
            Some(Backend::Certificate | Backend::Browser) | None => Ok(()),
        }
    }

    /// Reads a device and reconciles it.
    pub(super) fn reconcile_device(&self, tx: &mut Tx<'_>, id: DeviceId, cause: &str) -> Result<()> {
        let known = Known::get(tx, self, id)?;
        self.reconcile(tx, known, cause)
    }

    fn judge(&self, tx: &mut Tx<'_>, known: &mut Known, cause: &str) -> Result<()> {
        let now = self.now();
        let (verdict, access) = known.conclude(now)?;
        let next_rung = self.climb(tx, known, &verdict, access)?;
        let device = &mut known.device;
        let (status_before, access_before) = (device.compliance, device.access);
        if verdict.status != device.compliance {
            let text = verdict
                .reasons
                .first()
                .map_or_else(|| describe(verdict.status).to_owned(), |reason| format!("{} {}", describe(verdict.status), reason.text));
            timeline::record(tx, device.id, now, "compliance_changed", text, cause)?;
        }
        if access != device.access {
            timeline::record(tx, device.id, now, "access_changed", describe_access(access), cause)?;
        }
        device.compliance = verdict.status;
        device.access = access;
        device.set_reasons(&verdict.reasons)?;
        device.deadline = verdict.deadline;
        device.evaluate_at = verdict.valid_until.into_iter().chain(next_rung).min();
        device.evaluated_at = Some(now);
        if verdict.status != status_before {
            let change = json!({ "before": status_before, "after": verdict.status, "reasons": verdict.reasons, "cause": cause });
            self.announce(tx, EventKind::VerdictChanged, device, change)?;
        }
        if access != access_before {
            let change = json!({ "before": access_before, "after": access, "cause": cause });
            self.announce(tx, EventKind::AccessChanged, device, change)?;
        }
        Ok(())
    }

    /// Queues the passcode profile where the device does not have the one that it must have, and removes one that nobody asks for.
    fn keep_passcode_profile(&self, tx: &mut Tx<'_>, known: &mut Known) -> Result<()> {
        let Some(enrollment) = known.enrollment.as_mut() else { return Ok(()) };
        let may_manage = enrollment.rights.allows(AccessRights::MANAGE_PROFILES);
        if enrollment.state != Stage::Enrolled || known.device.state != EnrollmentState::Enrolled || !may_manage {
            return Ok(());
        }
        let identifier = profile::passcode::identifier(&self.reverse_dns);
        let command = match &known.passcode {
            Some(wanted) => {
                let is_queued = enrollment.passcode_profile.as_deref() == Some(wanted.uuid.as_str());
                if is_queued && !is_lost(tx, enrollment, &known.posture, &identifier, self.now())? {
                    return Ok(());
                }
                Command::InstallProfile { identifier, profile: self.signed(wanted)?.to_vec() }
            }
            None if enrollment.passcode_profile.is_some() => Command::RemoveProfile { identifier },
            None => return Ok(()),
        };
        let now = self.now();
        for kind in ["install_profile", "remove_profile"] {
            commands::cancel_kind(tx, enrollment.id, Purpose::Policy, kind, "a newer policy took its place", now)?;
        }
        enrollment.passcode_profile = known.passcode.as_ref().map(|wanted| wanted.uuid.clone());
        enrollments::set_passcode_profile(tx, enrollment.id, enrollment.passcode_profile.as_deref())?;
        self.queue(tx, enrollment, known.device.id, &command, Purpose::Policy)?;
        tracing::debug!(device = %known.device.id, organization = known.organization, "the passcode profile was queued");
        Ok(())
    }

    /// Queues the policy where an Android device was not told of the one that it must take over. The version that it was last told
    /// of is kept where an Apple device keeps the UUID of its passcode profile.
    fn keep_policy_version(&self, tx: &mut Tx<'_>, known: &mut Known) -> Result<()> {
        let Some(enrollment) = known.enrollment.as_mut() else { return Ok(()) };
        let is_managed = enrollment.state == Stage::Enrolled && known.device.state == EnrollmentState::Enrolled;
        if !is_managed || enrollment.passcode_profile == known.policy_version {
            return Ok(());
        }
        // Nothing is asked for any more: the device is told so as well, with a version that no policy has.
        let version = known.policy_version.clone().unwrap_or_default();
        commands::cancel_kind(tx, enrollment.id, Purpose::Policy, "apply_policy", "a newer policy took its place", self.now())?;
        enrollment.passcode_profile.clone_from(&known.policy_version);
        enrollments::set_passcode_profile(tx, enrollment.id, enrollment.passcode_profile.as_deref())?;
        self.queue(tx, enrollment, known.device.id, &Command::ApplyPolicy { version }, Purpose::Policy)?;
        Ok(())
    }

    /// Puts a command into the queue of an enrollment and wakes the device.
    pub(super) fn queue(
        &self,
        tx: &mut Tx<'_>,
        enrollment: &Enrollment,
        device: DeviceId,
        command: &Command,
        purpose: Purpose,
    ) -> Result<QueuedCommand> {
        let queued = QueuedCommand::new(enrollment.id, device, command, purpose, self.now())?;
        commands::insert(tx, &queued)?;
        queue::wake(tx, enrollment, 0)?;
        Ok(queued)
    }

    /// A profile with its signature; each content is signed once.
    pub(super) fn signed(&self, profile: &Profile) -> Result<Arc<Vec<u8>>> {
        if let Some(signed) = self.signed_profiles.lock().unwrap_or_else(PoisonError::into_inner).get(&profile.uuid) {
            return Ok(Arc::clone(signed));
        }
        let signed = Arc::new(self.sign(&profile.xml)?);
        self.signed_profiles.lock().unwrap_or_else(PoisonError::into_inner).put(profile.uuid.clone(), Arc::clone(&signed));
        Ok(signed)
    }

    /// Signs a profile in the organization's name, with the chain.
    pub(super) fn sign(&self, xml: &[u8]) -> Result<Vec<u8>> {
        let authorities = &self.authorities;
        Ok(cms::sign_attached(xml, &authorities.profile_signer, std::slice::from_ref(&authorities.device_ca.certificate))?)
    }

    /// Reaches new verdicts about devices whose verdict time alone may have changed; gives how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn evaluate_due(self: &Arc<Self>, limit: i64) -> Result<usize> {
        let now = self.now();
        let due = self.read(move |conn| devices::due_for_evaluation(conn, now, limit)).await?;
        for id in &due {
            let (app, id) = (Arc::clone(self), *id);
            if let Err(error) = self.write(move |tx| app.reconcile_device(tx, id, "time passed")).await {
                tracing::error!(device = %id, error = %error, "a device could not be judged");
            }
        }
        Ok(due.len())
    }
}

/// Whether the device has reported that it lacks a profile which it was given.
fn is_lost(tx: &mut Tx<'_>, enrollment: &Enrollment, posture: &Posture, identifier: &str, now: Timestamp) -> Result<bool> {
    if posture.managed_profiles.is_none() || posture.managed_profile(identifier).is_some() {
        return Ok(false);
    }
    // A device that takes a profile and never shows it would otherwise be given it for ever, in one session.
    let is_recent = commands::was_finished_since(tx, enrollment.id, Purpose::Policy, "install_profile", now.plus_seconds(-3600))?;
    Ok(!is_recent && !commands::is_waiting(tx, enrollment.id, Purpose::Policy, "install_profile")?)
}

const fn describe(status: Status) -> &'static str {
    match status {
        Status::Compliant => "The device obeys the policy.",
        Status::InGrace => "The device breaks the policy and has time to mend it.",
        Status::Noncompliant => "The device breaks the policy.",
        Status::Unknown => "Too little is known about the device.",
        Status::Unsupported => "The device cannot be managed.",
    }
}

const fn describe_access(access: Decision) -> &'static str {
    match access {
        Decision::Allow => "The device may come in.",
        Decision::Quarantine => "The device is in quarantine.",
        Decision::Block => "The device may not come in.",
    }
}

/// Sets what the device has said of itself into the columns that lists and reports show.
pub(super) fn take_over(device: &mut Device, posture: &Posture) {
    let text = |fact: &Option<crate::domain::posture::Fact<String>>| fact.as_ref().map(|fact| fact.value.clone());
    device.os_version = text(&posture.os_version).or_else(|| device.os_version.take());
    device.model = text(&posture.model_name).or_else(|| device.model.take());
    device.product_name = text(&posture.product_name).or_else(|| device.product_name.take());
    device.device_name = text(&posture.device_name).or_else(|| device.device_name.take());
    device.serial = text(&posture.serial).or_else(|| device.serial.take());
}

/// The later of both times.
pub(super) fn seen_now(device: &mut Device, now: Timestamp) {
    device.last_seen_at = device.last_seen_at.max(Some(now));
}
