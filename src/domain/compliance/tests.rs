//! The decision tables, and what must hold whatever the rules are.

use super::*;
use crate::domain::{
    id::PolicyId,
    passcode::PasscodePolicy,
    policy::MinOs,
    posture::{Fact, ManagedProfile, Source},
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
        backend: Backend::Apple,
        is_user_enrollment: false,
        last_seen_at: Some(NOW),
        passcode_profile: Some(PROFILE),
        policy_version: None,
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
        assert_eq!(got, (*status, codes.iter().map(ToString::to_string).collect()), "{present:?} {compliant:?} {with_profiles:?} {uuid:?}");
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
    let known = |version: &str, capable| Posture { os_version: fact(version.to_owned()), encryption_capable: fact(capable), ..strong() };
    assert_eq!(judge(rules.clone(), &subject(), &known("17.3.1", false)).1, ["not_encrypted", "os_outdated", "mail_not_managed"]);
    let nothing = judge(rules.clone(), &subject(), &Posture::default());
    assert_eq!(nothing, (Status::Unknown, vec!["encryption_not_reported".into(), "os_not_reported".into(), "mail_not_reported".into()]));
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

fn android(backend: Backend) -> Subject<'static> {
    Subject { platform: Platform::Android, backend, passcode_profile: None, policy_version: Some("v2"), ..subject() }
}

fn from_log<T>(value: T) -> Option<Fact<T>> {
    Some(Fact { value, source: Source::Headwind, at: NOW })
}

#[test]
fn the_decision_table_of_an_agents_passcode() {
    let cases: &[(Option<bool>, Option<bool>, Option<&str>, Status, &[&str])] = &[
        (Some(true), Some(true), Some("v2"), Status::Compliant, &[]),
        (Some(true), Some(true), Some("v1"), Status::InGrace, &["policy_outdated"]),
        (Some(true), Some(true), None, Status::Unknown, &["policy_not_installed"]),
        (Some(false), Some(true), Some("v2"), Status::Noncompliant, &["passcode_missing"]),
        (Some(true), Some(false), Some("v2"), Status::Noncompliant, &["passcode_too_weak"]),
        (None, Some(true), Some("v2"), Status::Unknown, &["passcode_not_reported"]),
        (Some(true), None, Some("v2"), Status::Unknown, &["passcode_not_reported"]),
        (None, None, None, Status::Unknown, &["passcode_not_reported", "policy_not_installed"]),
    ];
    for (present, compliant, version, status, codes) in cases {
        let posture = Posture {
            passcode_present: present.and_then(fact),
            passcode_compliant: compliant.and_then(fact),
            applied_policy: version.map(str::to_owned).and_then(fact),
            ..Posture::default()
        };
        let got = judge(passcode_required(), &android(Backend::Agent), &posture);
        assert_eq!(got, (*status, codes.iter().map(ToString::to_string).collect()), "{present:?} {compliant:?} {version:?}");
    }
}

#[test]
fn what_a_launchers_log_says_is_believed_for_a_day() {
    let posture = Posture { passcode_compliant: from_log(true), applied_policy: from_log("v2".to_owned()), ..Posture::default() };
    let verdict = evaluate(Some(&policy(passcode_required())), &android(Backend::Headwind), &posture, NOW);
    let tomorrow = NOW.plus_seconds(LOG_HOURS * 3600);
    assert_eq!((verdict.status, verdict.valid_until), (Status::Compliant, Some(tomorrow)));
    let later = Subject { last_seen_at: Some(tomorrow), ..android(Backend::Headwind) };
    let verdict = evaluate(Some(&policy(passcode_required())), &later, &posture, tomorrow);
    assert_eq!((verdict.status, verdict.reasons[0].code.as_str()), (Status::Unknown, "passcode_not_reported"));
}

#[test]
fn a_device_that_only_has_a_certificate_is_never_known_to_obey() {
    let (status, codes) =
        judge(passcode_required(), &Subject { policy_version: None, ..android(Backend::Certificate) }, &Posture::default());
    assert_eq!((status, codes), (Status::Unknown, vec!["passcode_not_reported".to_owned()]));
}

#[test]
fn a_certificate_alone_is_unknown_whatever_is_asked_and_however_long_it_is_silent() {
    let subject = Subject { policy_version: None, last_seen_at: Some(NOW.plus_days(-400)), ..android(Backend::Certificate) };
    for policy in [None, Some(policy(Rules::default()))] {
        let verdict = evaluate(policy.as_ref(), &subject, &Posture::default(), NOW);
        let codes: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
        assert_eq!((verdict.status, codes, verdict.valid_until), (Status::Unknown, vec!["not_managed"], None));
    }
    let stronger = Posture { passcode_compliant: fact(true), ..Posture::default() };
    assert_eq!(evaluate(None, &subject, &stronger, NOW).status, Status::Compliant);
}

#[test]
fn android_says_outright_whether_it_is_encrypted() {
    let rules = Rules { require_encryption: true, ..Rules::default() };
    let of = |encrypted: Option<bool>| {
        judge(rules.clone(), &android(Backend::Agent), &Posture { encrypted: encrypted.and_then(fact), ..Posture::default() }).0
    };
    assert_eq!([of(Some(true)), of(Some(false)), of(None)], [Status::Compliant, Status::Noncompliant, Status::Unknown]);
}
