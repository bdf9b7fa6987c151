//! The verdict: does this device obey its policy, why not, and what can the person do about it.
//!
//! [`evaluate`] is total and pure. It is three-valued: what was not reported is unknown and never counts as obeyed,
//! and a passcode counts only once our own passcode profile was seen installed, because a device without a profile
//! calls every passcode compliant. On Android the same holds for the version of the policy that the agent has taken over. The
//! single checks are in `checks`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    backend::Backend,
    device::{EnrollmentState, Platform},
    policy::{EffectivePolicy, Rules},
    posture::Posture,
    time::Timestamp,
};
use crate::words;

mod checks;

words! {
    /// What the engine concludes.
    pub enum Status {
        /// Everything that is asked for was seen.
        Compliant = "compliant",
        /// Something is wrong, and there is still time to mend it.
        InGrace = "in_grace",
        /// Something is wrong.
        Noncompliant = "noncompliant",
        /// Too little was reported to tell.
        Unknown = "unknown",
        /// Devices of this kind cannot be managed.
        Unsupported = "unsupported",
    }
}

/// Hours that a device has to take over a changed policy before it counts as unknown.
pub const ROLLOUT_HOURS: i64 = 72;

/// Hours for which a line of a launcher's log says something about the passcode.
pub const LOG_HOURS: i64 = 24;

/// The codes of rules that are broken, as opposed to what is not known.
const BROKEN: [&str; 7] =
    ["compromised", "passcode_missing", "passcode_too_weak", "not_encrypted", "os_outdated", "mail_not_managed", "silent"];

/// Every code of a reason, with what it means in a few words.
pub const CODES: [(&str, &str); 19] = [
    ("compromised", "jailbroken or rooted"),
    ("passcode_missing", "no passcode"),
    ("passcode_too_weak", "passcode too weak"),
    ("not_encrypted", "not encrypted"),
    ("os_outdated", "system too old"),
    ("mail_not_managed", "mail account not managed"),
    ("silent", "silent for too long"),
    ("compromise_not_reported", "rooted or not: not reported"),
    ("passcode_not_reported", "passcode not reported"),
    ("policy_not_installed", "passcode rules not seen"),
    ("policy_outdated", "passcode rules outdated"),
    ("encryption_not_reported", "encryption not reported"),
    ("os_not_reported", "system version not reported"),
    ("mail_not_reported", "mail account not reported"),
    ("not_enrolled", "enrollment not complete"),
    ("wipe_ordered", "a wipe was ordered"),
    ("retired", "no longer managed"),
    ("not_managed", "known, but not managed"),
    ("platform_unsupported", "cannot be managed"),
];

/// Whether the code of a reason says that a rule is broken.
#[must_use]
pub fn is_broken(code: &str) -> bool {
    BROKEN.contains(&code)
}

/// One reason for a verdict, in words for the person who holds the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A stable word for programs.
    pub code: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
    /// Since when, or since when another violation was there in its place.
    pub since: Timestamp,
}

/// The conclusion about one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The conclusion.
    pub status: Status,
    /// Why, most serious first; empty for a compliant device.
    pub reasons: Vec<Reason>,
    /// When the grace period ends, for a device that is in it.
    pub deadline: Option<Timestamp>,
    /// When time alone may change this verdict.
    pub valid_until: Option<Timestamp>,
}

/// What is known about a device apart from its posture.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its platform.
    pub platform: Platform,
    /// Its state.
    pub state: EnrollmentState,
    /// What manages it.
    pub backend: Backend,
    /// Whether it is a User Enrollment, where Apple ignores passcode payloads.
    pub is_user_enrollment: bool,
    /// When it last said anything.
    pub last_seen_at: Option<Timestamp>,
    /// The passcode profile that it must have: `PayloadIdentifier` and `PayloadUUID`.
    pub passcode_profile: Option<(&'a str, &'a str)>,
    /// The version of the policy that an Android device must have taken over.
    pub policy_version: Option<&'a str>,
    /// The reasons of the verdict before, whose `since` is kept.
    pub before: &'a [Reason],
}

/// What one check concludes when it is not satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    /// The rule is broken.
    Broken,
    /// It cannot be told.
    NotKnown,
    /// The device has not taken over a change yet.
    Outdated,
}

/// Collects what is wrong.
struct Findings<'a> {
    before: &'a [Reason],
    now: Timestamp,
    list: Vec<(Finding, Reason)>,
}

impl Findings<'_> {
    fn add(&mut self, finding: Finding, code: &str, text: impl Into<String>, remedy: &str) {
        let since = self.before.iter().find(|reason| reason.code == code).map_or(self.now, |reason| reason.since);
        self.list.push((finding, Reason { code: code.into(), text: text.into(), remedy: remedy.into(), since }));
    }

    /// A violation that takes the place of another has been there since that one was: whoever mends one thing and breaks the next
    /// does not begin the grace period anew.
    fn carry_over(&mut self) {
        let before = self.before.iter().filter(|reason| is_broken(&reason.code)).map(|reason| reason.since).min();
        let broken = self.list.iter_mut().filter(|(finding, _)| *finding == Finding::Broken);
        if let (Some(before), Some((_, oldest))) = (before, broken.min_by_key(|(_, reason)| reason.since)) {
            oldest.since = oldest.since.min(before);
        }
    }
}

/// Concludes about one device.
///
/// * `policy`: what all policies that reach the device ask together, `None` where none does.
/// * `subject`, `posture`: what is known.
/// * `now`: the present.
#[must_use]
pub fn evaluate(policy: Option<&EffectivePolicy>, subject: &Subject<'_>, posture: &Posture, now: Timestamp) -> Verdict {
    let mut findings = Findings { before: subject.before, now, list: Vec::new() };
    if let Some(status) = settled_by_state(subject, &mut findings) {
        return verdict_of(status, findings, None, None);
    }
    let is_unmanaged = subject.backend == Backend::Certificate && posture.oldest().is_none();
    let Some(policy) = policy else {
        if is_unmanaged {
            checks::not_managed(&mut findings);
            return verdict_of(Status::Unknown, findings, None, None);
        }
        return verdict_of(Status::Compliant, findings, None, None);
    };
    let rules = &policy.rules;
    // A fact that is as old as a silence would be too long is no fact any more.
    let mut posture = posture.since(now.plus_days(-i64::from(rules.max_silence_days)));
    let stale_at = posture.oldest().map(|at| at.plus_days(rules.max_silence_days.into()).plus_seconds(1));
    let weak_until = posture.forget_weak(now, LOG_HOURS * 3600);
    checks::all(rules, subject, &posture, &mut findings);
    if is_unmanaged && findings.list.is_empty() {
        checks::not_managed(&mut findings);
    }
    // Where nothing on the device reports, silence says nothing.
    let seen_at = subject.last_seen_at.filter(|_| subject.backend.has_command_channel());
    let silent_at = seen_at.map(|seen| seen.plus_days(rules.max_silence_days.into()));
    checks::silence(rules, silent_at, now, &mut findings);
    conclude(rules, findings, silent_at.into_iter().chain(stale_at).chain(weak_until).filter(|at| *at > now).min())
}

/// What the platform or the state alone decides.
fn settled_by_state(subject: &Subject<'_>, findings: &mut Findings<'_>) -> Option<Status> {
    if matches!(subject.platform, Platform::Macos | Platform::Other) {
        findings.add(
            Finding::Broken,
            "platform_unsupported",
            "Devices of this kind cannot be managed here.",
            "Use an iPhone, an iPad or an Android device.",
        );
        return Some(Status::Unsupported);
    }
    match subject.state {
        EnrollmentState::Enrolled => None,
        EnrollmentState::Invited | EnrollmentState::Pending => {
            findings.add(
                Finding::NotKnown,
                "not_enrolled",
                "The enrollment of this device is not complete.",
                "Open the enrollment link on the device and follow its steps to the end.",
            );
            Some(Status::Unknown)
        }
        EnrollmentState::WipePending | EnrollmentState::Wiped => {
            findings.add(Finding::Broken, "wipe_ordered", "A wipe of this device was ordered.", "Ask your administrator.");
            Some(Status::Noncompliant)
        }
        EnrollmentState::Retired => {
            findings.add(
                Finding::Broken,
                "retired",
                "This device is no longer managed.",
                "Enroll it again through the enrollment link, if it should come in again.",
            );
            Some(Status::Noncompliant)
        }
    }
}

/// Weighs what was found: a broken rule wins over what is not known, and that over what is merely outdated.
fn conclude(rules: &Rules, mut findings: Findings<'_>, silent_at: Option<Timestamp>) -> Verdict {
    let now = findings.now;
    findings.carry_over();
    let earliest = |wanted: Finding| findings.list.iter().filter(|(finding, _)| *finding == wanted).map(|(_, reason)| reason.since).min();
    let soonest = |a: Option<Timestamp>, b: Option<Timestamp>| a.into_iter().chain(b).min();
    if let Some(since) = earliest(Finding::Broken) {
        let deadline = since.plus_days(rules.grace_days.into());
        if now < deadline {
            return verdict_of(Status::InGrace, findings, Some(deadline), soonest(Some(deadline), silent_at));
        }
        return verdict_of(Status::Noncompliant, findings, None, silent_at);
    }
    if earliest(Finding::NotKnown).is_some() {
        return verdict_of(Status::Unknown, findings, None, silent_at);
    }
    if let Some(since) = earliest(Finding::Outdated) {
        let deadline = since.plus_seconds(ROLLOUT_HOURS * 3600);
        if now < deadline {
            return verdict_of(Status::InGrace, findings, Some(deadline), soonest(Some(deadline), silent_at));
        }
        return verdict_of(Status::Unknown, findings, None, silent_at);
    }
    verdict_of(Status::Compliant, findings, None, silent_at)
}

fn verdict_of(status: Status, mut findings: Findings<'_>, deadline: Option<Timestamp>, valid_until: Option<Timestamp>) -> Verdict {
    findings.list.sort_by_key(|(finding, _)| *finding);
    Verdict { status, reasons: findings.list.into_iter().map(|(_, reason)| reason).collect(), deadline, valid_until }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
#[allow(clippy::unnecessary_wraps, clippy::type_complexity, reason = "a table of cases reads best as it is")]
mod tests;
