//! The verdict: does this device obey its policy, why not, and what can the person do about it.
//!
//! [`evaluate`] is total and pure. It is three-valued: what was not reported is unknown and never counts as obeyed,
//! and a passcode counts only once our own passcode profile was seen installed, because a device without a profile
//! calls every passcode compliant.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    device::{EnrollmentState, Platform},
    policy::{EffectivePolicy, Rules, parse_version},
    posture::{Fact, Posture},
    time::Timestamp,
};
use crate::words;

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

/// The codes of rules that are broken, as opposed to what is not known.
const BROKEN: [&str; 7] =
    ["compromised", "passcode_missing", "passcode_too_weak", "not_encrypted", "os_outdated", "mail_not_managed", "silent"];

/// One reason for a verdict, in words for the person who holds the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A stable word for programs.
    pub code: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
    /// Since when.
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
    /// Whether it is a User Enrollment, where Apple ignores passcode payloads.
    pub is_user_enrollment: bool,
    /// When it last said anything.
    pub last_seen_at: Option<Timestamp>,
    /// The passcode profile that it must have: `PayloadIdentifier` and `PayloadUUID`.
    pub passcode_profile: Option<(&'a str, &'a str)>,
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
    let Some(policy) = policy else {
        return verdict_of(Status::Compliant, findings, None, None);
    };
    let rules = &policy.rules;
    // A fact that is as old as a silence would be too long is no fact any more.
    let posture = &posture.since(now.plus_days(-i64::from(rules.max_silence_days)));
    let stale_at = posture.oldest().map(|at| at.plus_days(rules.max_silence_days.into()).plus_seconds(1));
    check_compromised(rules, posture, &mut findings);
    check_passcode(rules, subject, posture, &mut findings);
    check_encryption(rules, posture, &mut findings);
    check_os(rules, subject.platform, posture, &mut findings);
    check_managed_mail(rules, posture, &mut findings);
    let silent_at = subject.last_seen_at.map(|seen| seen.plus_days(rules.max_silence_days.into()));
    check_silence(rules, silent_at, now, &mut findings);
    conclude(rules, findings, silent_at.into_iter().chain(stale_at).filter(|at| *at > now).min())
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

fn check_compromised(rules: &Rules, posture: &Posture, findings: &mut Findings<'_>) {
    if rules.block_compromised && value(posture.compromised.as_ref()) == Some(&true) {
        findings.add(
            Finding::Broken,
            "compromised",
            "The device is jailbroken or rooted.",
            "Restore the device to the system of its maker and enroll it again.",
        );
    }
}

/// The decision table for the passcode.
fn check_passcode(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    if !rules.passcode.asks_for_something() {
        return;
    }
    let present = value(posture.passcode_present.as_ref()).copied();
    let compliant = value(posture.passcode_compliant.as_ref()).copied();
    let with_profiles = value(posture.passcode_compliant_with_profiles.as_ref()).copied();
    if present == Some(false) {
        if rules.passcode.required {
            findings.add(
                Finding::Broken,
                "passcode_missing",
                "No passcode is set on the device.",
                "Set a passcode in Settings, under Face ID & Passcode.",
            );
            return;
        }
    } else if compliant == Some(false) || (!subject.is_user_enrollment && with_profiles == Some(false)) {
        findings.add(
            Finding::Broken,
            "passcode_too_weak",
            "The passcode does not meet the requirements.",
            "Change the passcode in Settings, under Face ID & Passcode; the device says what it must be like.",
        );
        return;
    }
    let is_reported = if subject.is_user_enrollment {
        compliant == Some(true)
    } else {
        present.is_some() && compliant == Some(true) && with_profiles == Some(true)
    };
    if !is_reported && (present != Some(false) || rules.passcode.required) {
        findings.add(
            Finding::NotKnown,
            "passcode_not_reported",
            "The device has not reported whether its passcode meets the requirements.",
            "Unlock the device and keep it connected for a few minutes; it reports by itself.",
        );
    }
    if !subject.is_user_enrollment {
        check_passcode_profile(subject, posture, findings);
    }
}

/// Our own profile must be seen installed, in the form that holds now.
fn check_passcode_profile(subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    let Some((identifier, uuid)) = subject.passcode_profile else { return };
    match posture.managed_profile(identifier) {
        Some(profile) if profile.uuid.eq_ignore_ascii_case(uuid) => {}
        Some(_) => findings.add(
            Finding::Outdated,
            "policy_outdated",
            "The passcode rules have changed and the device has not taken over the new ones yet.",
            "Unlock the device and keep it connected for a few minutes; it updates by itself.",
        ),
        None => findings.add(
            Finding::NotKnown,
            "policy_not_installed",
            "The passcode rules were not seen on the device yet.",
            "Unlock the device and keep it connected for a few minutes; they are installed by themselves.",
        ),
    }
}

fn check_encryption(rules: &Rules, posture: &Posture, findings: &mut Findings<'_>) {
    if !rules.require_encryption {
        return;
    }
    match (value(posture.encryption_capable.as_ref()), value(posture.passcode_present.as_ref())) {
        (Some(true), Some(true)) => {}
        (Some(false), _) => findings.add(
            Finding::Broken,
            "not_encrypted",
            "The device cannot encrypt its data.",
            "Use a device that can; ask your administrator.",
        ),
        (_, Some(false)) => findings.add(
            Finding::Broken,
            "not_encrypted",
            "The data on the device is not encrypted, because no passcode is set.",
            "Set a passcode in Settings, under Face ID & Passcode; encryption is switched on with it.",
        ),
        _ => findings.add(
            Finding::NotKnown,
            "encryption_not_reported",
            "The device has not reported whether its data is encrypted.",
            "Unlock the device and keep it connected for a few minutes; it reports by itself.",
        ),
    }
}

fn check_os(rules: &Rules, platform: Platform, posture: &Posture, findings: &mut Findings<'_>) {
    let Some(least) = rules.min_os.of(platform) else { return };
    match value(posture.os_version.as_ref()).and_then(|version| Some((version, parse_version(version)?))) {
        Some((_, version)) if Some(&version) >= parse_version(least).as_ref() => {}
        Some((version, _)) => findings.add(
            Finding::Broken,
            "os_outdated",
            format!("The system is version {version}; {least} or newer is required."),
            "Install the newest system in Settings, under General, Software Update.",
        ),
        None => findings.add(
            Finding::NotKnown,
            "os_not_reported",
            "The device has not reported the version of its system.",
            "Unlock the device and keep it connected for a few minutes; it reports by itself.",
        ),
    }
}

/// `PayloadType`s of mail accounts that the organization installed.
const MAIL_PAYLOADS: [&str; 2] = ["com.apple.mail.managed", "com.apple.eas.account"];

fn check_managed_mail(rules: &Rules, posture: &Posture, findings: &mut Findings<'_>) {
    if !rules.require_managed_mail {
        return;
    }
    match value(posture.managed_profiles.as_ref()) {
        Some(profiles) if profiles.iter().flat_map(|profile| &profile.payload_types).any(|kind| MAIL_PAYLOADS.contains(&kind.as_str())) => {}
        Some(_) => findings.add(
            Finding::Broken,
            "mail_not_managed",
            "The organization's mail account is not on the device.",
            "Remove the work account that you set up yourself in Settings, under Mail, Accounts; the organization's account is installed after that.",
        ),
        None => findings.add(
            Finding::NotKnown,
            "mail_not_reported",
            "The device has not reported its mail account.",
            "Unlock the device and keep it connected for a few minutes; it reports by itself.",
        ),
    }
}

fn check_silence(rules: &Rules, silent_at: Option<Timestamp>, now: Timestamp, findings: &mut Findings<'_>) {
    if silent_at.is_some_and(|at| now >= at) {
        findings.add(
            Finding::Broken,
            "silent",
            format!("The device has not been in contact for {} days or more.", rules.max_silence_days),
            "Switch the device on and connect it to a network.",
        );
    }
}

/// Weighs what was found: a broken rule wins over what is not known, and that over what is merely outdated.
fn conclude(rules: &Rules, findings: Findings<'_>, silent_at: Option<Timestamp>) -> Verdict {
    let now = findings.now;
    let earliest = |wanted: Finding| findings.list.iter().filter(|(finding, _)| *finding == wanted).map(|(_, reason)| reason.since).min();
    // One violation that gives way to another does not begin the grace period anew.
    let broken_before = findings.before.iter().filter(|reason| BROKEN.contains(&reason.code.as_str())).map(|reason| reason.since).min();
    let soonest = |a: Option<Timestamp>, b: Option<Timestamp>| a.into_iter().chain(b).min();
    if let Some(since) = earliest(Finding::Broken).map(|since| broken_before.map_or(since, |before| before.min(since))) {
        let deadline = since.plus_days(rules.grace_days.into());
        if now < deadline {
            return verdict_of(Status::InGrace, findings, Some(deadline), Some(deadline));
        }
        return verdict_of(Status::Noncompliant, findings, None, None);
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

fn value<T>(fact: Option<&Fact<T>>) -> Option<&T> {
    fact.map(|fact| &fact.value)
}

#[cfg(test)]
#[allow(clippy::unnecessary_wraps, clippy::type_complexity, reason = "a table of cases reads best as it is")]
mod tests {
    use super::*;
    use crate::domain::{
        id::PolicyId,
        passcode::PasscodePolicy,
        policy::MinOs,
        posture::{ManagedProfile, Source},
    };

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const PROFILE: (&str, &str) = ("org.passcode", "AAAA");

    fn fact<T>(value: T) -> Option<Fact<T>> {
        Some(Fact { value, source: Source::SecurityInfo, at: NOW })
    }

    fn subject() -> Subject<'static> {
        Subject {
            platform: Platform::Ios,
            state: EnrollmentState::Enrolled,
            is_user_enrollment: false,
            last_seen_at: Some(NOW),
            passcode_profile: Some(PROFILE),
            before: &[],
        }
    }

    fn policy(rules: Rules) -> EffectivePolicy {
        EffectivePolicy { rules, from: vec![(PolicyId::new(), "p".into())] }
    }

    fn passcode_required() -> Rules {
        Rules { passcode: PasscodePolicy { required: true, min_length: 6, ..PasscodePolicy::unrestricted() }, ..Rules::default() }
    }

    fn installed(uuid: &str) -> Option<Fact<Vec<ManagedProfile>>> {
        fact(vec![ManagedProfile { identifier: PROFILE.0.into(), uuid: uuid.into(), payload_types: vec![] }])
    }

    fn strong() -> Posture {
        Posture {
            passcode_present: fact(true),
            passcode_compliant: fact(true),
            passcode_compliant_with_profiles: fact(true),
            managed_profiles: installed("AAAA"),
            ..Posture::default()
        }
    }

    fn judge(rules: Rules, subject: &Subject<'_>, posture: &Posture) -> (Status, Vec<String>) {
        let verdict = evaluate(Some(&policy(rules)), subject, posture, NOW);
        (verdict.status, verdict.reasons.into_iter().map(|reason| reason.code).collect())
    }

    #[test]
    fn the_decision_table_of_the_passcode() {
        let cases: &[(Option<bool>, Option<bool>, Option<bool>, Option<&str>, Status, &[&str])] = &[
            (Some(true), Some(true), Some(true), Some("AAAA"), Status::Compliant, &[]),
            (Some(true), Some(true), Some(true), Some("aaaa"), Status::Compliant, &[]),
            (Some(true), Some(true), Some(true), Some("OLD"), Status::InGrace, &["policy_outdated"]),
            (Some(true), Some(true), Some(true), None, Status::Unknown, &["policy_not_installed"]),
            (Some(false), Some(true), Some(true), Some("AAAA"), Status::Noncompliant, &["passcode_missing"]),
            (Some(true), Some(false), Some(true), Some("AAAA"), Status::Noncompliant, &["passcode_too_weak"]),
            (Some(true), Some(true), Some(false), Some("AAAA"), Status::Noncompliant, &["passcode_too_weak"]),
            (None, Some(true), Some(true), Some("AAAA"), Status::Unknown, &["passcode_not_reported"]),
            (Some(true), None, Some(true), Some("AAAA"), Status::Unknown, &["passcode_not_reported"]),
            (Some(true), Some(true), None, Some("AAAA"), Status::Unknown, &["passcode_not_reported"]),
            (None, None, None, None, Status::Unknown, &["passcode_not_reported", "policy_not_installed"]),
        ];
        for (present, compliant, with_profiles, uuid, status, codes) in cases {
            let posture = Posture {
                passcode_present: present.and_then(fact),
                passcode_compliant: compliant.and_then(fact),
                passcode_compliant_with_profiles: with_profiles.and_then(fact),
                managed_profiles: uuid.and_then(installed),
                ..Posture::default()
            };
            let got = judge(passcode_required(), &subject(), &posture);
            assert_eq!(
                got,
                (*status, codes.iter().map(ToString::to_string).collect()),
                "{present:?} {compliant:?} {with_profiles:?} {uuid:?}"
            );
        }
    }

    #[test]
    fn a_user_enrollment_is_judged_by_what_it_may_report() {
        let user = Subject { is_user_enrollment: true, ..subject() };
        let posture = |compliant| Posture { passcode_compliant: compliant, ..Posture::default() };
        assert_eq!(judge(passcode_required(), &user, &posture(fact(true))).0, Status::Compliant);
        assert_eq!(judge(passcode_required(), &user, &posture(fact(false))).0, Status::Noncompliant);
        assert_eq!(judge(passcode_required(), &user, &posture(None)).0, Status::Unknown);
    }

    #[test]
    fn grace_runs_from_the_first_time_the_rule_was_broken() {
        let rules = Rules { grace_days: 3, ..passcode_required() };
        let weak = Posture { passcode_present: fact(false), ..strong() };
        let first = evaluate(Some(&policy(rules.clone())), &subject(), &weak, NOW);
        assert_eq!((first.status, first.deadline), (Status::InGrace, Some(NOW.plus_days(3))));
        let later = Subject { before: &first.reasons, last_seen_at: Some(NOW.plus_days(3)), ..subject() };
        let second = evaluate(Some(&policy(rules)), &later, &weak, NOW.plus_days(3));
        assert_eq!(second.status, Status::Noncompliant);
        assert_eq!(second.reasons.first().map(|reason| reason.since), Some(NOW));
    }

    #[test]
    fn silence_is_a_violation_of_its_own() {
        let silent = Subject { last_seen_at: Some(NOW.plus_days(-30)), ..subject() };
        assert_eq!(judge(passcode_required(), &silent, &strong()), (Status::Noncompliant, vec!["silent".into()]));
        let verdict = evaluate(Some(&policy(passcode_required())), &subject(), &strong(), NOW);
        assert_eq!(verdict.valid_until, Some(NOW.plus_days(30)));
    }

    #[test]
    fn a_device_that_never_takes_over_a_changed_policy_becomes_unknown() {
        let outdated = Posture { managed_profiles: installed("OLD"), ..strong() };
        let first = evaluate(Some(&policy(passcode_required())), &subject(), &outdated, NOW);
        let at = NOW.plus_seconds(ROLLOUT_HOURS * 3600);
        let later = Subject { before: &first.reasons, last_seen_at: Some(at), ..subject() };
        assert_eq!(evaluate(Some(&policy(passcode_required())), &later, &outdated, at).status, Status::Unknown);
    }

    #[test]
    fn encryption_system_version_and_mail_are_checked_where_asked_for() {
        let rules = Rules {
            require_encryption: true,
            require_managed_mail: true,
            min_os: MinOs { ios: Some("17.4".into()), ..MinOs::default() },
            ..Rules::default()
        };
        let known =
            |version: &str, capable| Posture { os_version: fact(version.to_owned()), encryption_capable: fact(capable), ..strong() };
        assert_eq!(judge(rules.clone(), &subject(), &known("17.3.1", false)).1, ["not_encrypted", "os_outdated", "mail_not_managed"]);
        let nothing = judge(rules.clone(), &subject(), &Posture::default());
        assert_eq!(
            nothing,
            (Status::Unknown, vec!["encryption_not_reported".into(), "os_not_reported".into(), "mail_not_reported".into()])
        );
        let rules = Rules { require_managed_mail: false, ..rules };
        assert_eq!(judge(rules, &subject(), &known("18.1", true)).0, Status::Compliant);
    }

    #[test]
    fn state_and_platform_come_first() {
        for (state, status) in [
            (EnrollmentState::WipePending, Status::Noncompliant),
            (EnrollmentState::Wiped, Status::Noncompliant),
            (EnrollmentState::Retired, Status::Noncompliant),
            (EnrollmentState::Pending, Status::Unknown),
        ] {
            assert_eq!(evaluate(None, &Subject { state, ..subject() }, &strong(), NOW).status, status);
        }
        let mac = Subject { platform: Platform::Macos, ..subject() };
        assert_eq!(evaluate(None, &mac, &strong(), NOW).status, Status::Unsupported);
        assert_eq!(evaluate(None, &subject(), &Posture::default(), NOW).status, Status::Compliant);
    }

    #[test]
    fn every_reason_has_words_for_the_person() {
        let rules = Rules { require_encryption: true, block_compromised: true, require_managed_mail: true, ..passcode_required() };
        let posture = Posture { compromised: fact(true), ..Posture::default() };
        let verdict = evaluate(Some(&policy(rules)), &subject(), &posture, NOW);
        assert!(verdict.reasons.len() >= 4);
        assert!(verdict.reasons.iter().all(|reason| reason.text.ends_with('.') && reason.remedy.ends_with('.')));
    }
}
