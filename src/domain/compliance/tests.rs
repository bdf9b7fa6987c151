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

/// A device that this backend manages, on a platform of its kind.
fn managed_by(backend: Backend) -> Subject<'static> {
    match backend {
        Backend::Apple => subject(),
        Backend::Agent | Backend::Headwind => android(backend),
        Backend::Certificate => Subject { policy_version: None, ..android(backend) },
        Backend::Browser => Subject { platform: Platform::Browser, policy_version: None, ..android(backend) },
    }
}

fn expected(status: Status, codes: &[&str]) -> (Status, Vec<String>) {
    (status, codes.iter().map(|code| (*code).to_owned()).collect())
}

#[test]
fn a_sign_of_a_jailbreak_does_not_lapse() {
    let rules = || Rules { block_compromised: true, max_silence_days: 7, ..Rules::default() };
    let seen = |value| Posture { compromised: Some(Fact { value, source: Source::Agent, at: NOW.plus_days(-30) }), ..Posture::default() };
    assert_eq!(judge(rules(), &managed_by(Backend::Apple), &seen(true)), expected(Status::Noncompliant, &["compromised"]));
    assert_eq!(judge(rules(), &managed_by(Backend::Agent), &seen(false)), expected(Status::Unknown, &["compromise_not_reported"]));
}

#[test]
fn the_decision_table_of_jailbreaks_and_roots() {
    let cases: &[(Backend, Option<bool>, Status, &[&str])] = &[
        (Backend::Apple, Some(true), Status::Noncompliant, &["compromised"]),
        (Backend::Apple, Some(false), Status::Compliant, &[]),
        // No iPhone says that it is not jailbroken.
        (Backend::Apple, None, Status::Compliant, &[]),
        (Backend::Agent, Some(true), Status::Noncompliant, &["compromised"]),
        (Backend::Agent, Some(false), Status::Compliant, &[]),
        (Backend::Agent, None, Status::Unknown, &["compromise_not_reported"]),
        (Backend::Headwind, Some(true), Status::Noncompliant, &["compromised"]),
        (Backend::Headwind, Some(false), Status::Compliant, &[]),
        (Backend::Headwind, None, Status::Unknown, &["compromise_not_reported"]),
        (Backend::Certificate, Some(true), Status::Noncompliant, &["compromised"]),
        (Backend::Certificate, Some(false), Status::Compliant, &[]),
        (Backend::Certificate, None, Status::Unknown, &["compromise_not_reported"]),
        (Backend::Browser, Some(true), Status::Noncompliant, &["compromised"]),
        (Backend::Browser, Some(false), Status::Compliant, &[]),
        (Backend::Browser, None, Status::Unknown, &["compromise_not_reported"]),
    ];
    for (backend, compromised, status, codes) in cases {
        let rules = Rules { block_compromised: true, ..Rules::default() };
        let posture = Posture { compromised: compromised.and_then(fact), ..Posture::default() };
        assert_eq!(judge(rules, &managed_by(*backend), &posture), expected(*status, codes), "{backend} {compromised:?}");
    }
}

#[test]
fn the_decision_table_of_the_systems_version() {
    let cases: &[(Option<&str>, Status, &[&str])] = &[
        (Some("9.9"), Status::Noncompliant, &["os_outdated"]),
        (Some("17"), Status::Noncompliant, &["os_outdated"]),
        (Some("17.3.9"), Status::Noncompliant, &["os_outdated"]),
        (Some("17.4"), Status::Compliant, &[]),
        (Some("17.4.0"), Status::Compliant, &[]),
        (Some("17.4.1"), Status::Compliant, &[]),
        (Some("17.10"), Status::Compliant, &[]),
        (Some("18"), Status::Compliant, &[]),
        (None, Status::Unknown, &["os_not_reported"]),
        (Some(""), Status::Unknown, &["os_not_reported"]),
        (Some("17.4 beta"), Status::Unknown, &["os_not_reported"]),
        (Some("V"), Status::Unknown, &["os_not_reported"]),
    ];
    let least = || Some("17.4".to_owned());
    let rows = [
        (Platform::Ios, subject(), MinOs { ios: least(), ..MinOs::default() }),
        (Platform::Ipados, subject(), MinOs { ipados: least(), ..MinOs::default() }),
        (Platform::Android, android(Backend::Agent), MinOs { android: least(), ..MinOs::default() }),
        (Platform::Android, android(Backend::Headwind), MinOs { android: least(), ..MinOs::default() }),
    ];
    for (platform, known, min_os) in &rows {
        let device = Subject { platform: *platform, ..*known };
        for (version, status, codes) in cases {
            let rules = Rules { min_os: min_os.clone(), ..Rules::default() };
            let posture = Posture { os_version: version.map(str::to_owned).and_then(fact), ..Posture::default() };
            assert_eq!(judge(rules, &device, &posture), expected(*status, codes), "{platform} {version:?}");
        }
    }
}

#[test]
fn the_least_version_of_one_platform_concerns_no_other() {
    let of = |platform: Platform, min_os: MinOs| {
        let posture = Posture { os_version: fact("12.0".to_owned()), ..Posture::default() };
        judge(Rules { min_os, ..Rules::default() }, &Subject { platform, ..subject() }, &posture).0
    };
    let least = || Some("17.4".to_owned());
    for platform in [Platform::Ios, Platform::Ipados, Platform::Android] {
        let min_os = MinOs { ios: least(), ipados: least(), android: least() };
        let others = match platform {
            Platform::Ios => MinOs { ios: None, ..min_os.clone() },
            Platform::Ipados => MinOs { ipados: None, ..min_os.clone() },
            _ => MinOs { android: None, ..min_os.clone() },
        };
        assert_eq!([of(platform, min_os), of(platform, others)], [Status::Noncompliant, Status::Compliant], "{platform}");
    }
}

#[test]
fn the_decision_table_of_the_mail_account() {
    let (missing, unknown): (&[&str], &[&str]) = (&["mail_not_managed"], &["mail_not_reported"]);
    // The payloads of each profile that was seen; none where no list of profiles came.
    let cases: &[(Option<&[&[&str]]>, Status, &[&str])] = &[
        (Some(&[&["com.apple.mail.managed"]]), Status::Compliant, &[]),
        (Some(&[&["com.apple.eas.account"]]), Status::Compliant, &[]),
        (Some(&[&["com.apple.wifi.managed"], &["com.apple.security.scep", "com.apple.eas.account"]]), Status::Compliant, &[]),
        (Some(&[&["com.apple.mobiledevice.passwordpolicy"]]), Status::Noncompliant, missing),
        (Some(&[&["com.apple.mail.managed.other", "com.apple.mail"]]), Status::Noncompliant, missing),
        (Some(&[&[]]), Status::Noncompliant, missing),
        (Some(&[]), Status::Noncompliant, missing),
        (None, Status::Unknown, unknown),
    ];
    let rules = Rules { require_managed_mail: true, ..Rules::default() };
    let with_payloads = |kinds: &&[&str]| ManagedProfile {
        identifier: "org.mail".into(),
        uuid: "BBBB".into(),
        payload_types: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
    };
    for (profiles, status, codes) in cases {
        let profiles: Option<Vec<ManagedProfile>> = profiles.map(|profiles| profiles.iter().map(with_payloads).collect());
        let posture = Posture { managed_profiles: profiles.clone().and_then(fact), ..Posture::default() };
        assert_eq!(judge(rules.clone(), &subject(), &posture), expected(*status, codes), "{profiles:?}");
    }
    // Others cannot say so, whatever else they say: nobody knows, which is not the same as that it is so.
    for backend in [Backend::Agent, Backend::Headwind, Backend::Certificate, Backend::Browser] {
        let posture = Posture { compromised: fact(false), encrypted: fact(true), passcode_compliant: fact(true), ..Posture::default() };
        assert_eq!(judge(rules.clone(), &managed_by(backend), &posture), expected(Status::Unknown, unknown), "{backend}");
        assert_eq!(judge(rules.clone(), &managed_by(backend), &Posture::default()), expected(Status::Unknown, unknown), "{backend}");
    }
}

/// Only a capability of 3, which is for blocks and for files, together with a passcode is Apple's data protection.
#[test]
fn the_decision_table_of_apples_encryption() {
    let (broken, unknown): (&[&str], &[&str]) = (&["not_encrypted"], &["encryption_not_reported"]);
    let cases: &[(Option<i64>, Option<bool>, Status, &[&str])] = &[
        (Some(0), Some(true), Status::Noncompliant, broken),
        (Some(0), Some(false), Status::Noncompliant, broken),
        (Some(0), None, Status::Noncompliant, broken),
        (Some(1), Some(true), Status::Noncompliant, broken),
        (Some(1), Some(false), Status::Noncompliant, broken),
        (Some(1), None, Status::Noncompliant, broken),
        (Some(2), Some(true), Status::Noncompliant, broken),
        (Some(2), Some(false), Status::Noncompliant, broken),
        (Some(2), None, Status::Noncompliant, broken),
        (Some(3), Some(true), Status::Compliant, &[]),
        (Some(3), Some(false), Status::Noncompliant, broken),
        (Some(3), None, Status::Unknown, unknown),
        (None, Some(true), Status::Unknown, unknown),
        (None, Some(false), Status::Noncompliant, broken),
        (None, None, Status::Unknown, unknown),
    ];
    let rules = Rules { require_encryption: true, ..Rules::default() };
    for (capability, present, status, codes) in cases {
        let posture = Posture {
            encryption_capable: capability.map(|capability| capability == 3).and_then(fact),
            passcode_present: present.and_then(fact),
            // What an Android device would say does not count here.
            encrypted: fact(true),
            ..Posture::default()
        };
        assert_eq!(judge(rules.clone(), &subject(), &posture), expected(*status, codes), "{capability:?} {present:?}");
    }
}

#[test]
fn the_decision_table_of_androids_encryption() {
    let cases: &[(Backend, Option<bool>, Status, &[&str])] = &[
        (Backend::Agent, Some(true), Status::Compliant, &[]),
        (Backend::Agent, Some(false), Status::Noncompliant, &["not_encrypted"]),
        (Backend::Agent, None, Status::Unknown, &["encryption_not_reported"]),
        (Backend::Headwind, Some(true), Status::Compliant, &[]),
        (Backend::Headwind, Some(false), Status::Noncompliant, &["not_encrypted"]),
        (Backend::Headwind, None, Status::Unknown, &["encryption_not_reported"]),
        (Backend::Certificate, None, Status::Unknown, &["encryption_not_reported"]),
        (Backend::Browser, None, Status::Unknown, &["encryption_not_reported"]),
    ];
    let rules = Rules { require_encryption: true, ..Rules::default() };
    for (backend, encrypted, status, codes) in cases {
        // What an iPhone would say does not count here, and is no sign of a device that is managed by its certificate either.
        let posture = Posture { encrypted: encrypted.and_then(fact), supervised: fact(true), ..Posture::default() };
        assert_eq!(judge(rules.clone(), &managed_by(*backend), &posture), expected(*status, codes), "{backend} {encrypted:?}");
    }
    let apples = Posture { encryption_capable: fact(true), passcode_present: fact(true), ..Posture::default() };
    let got = judge(rules, &android(Backend::Agent), &apples);
    assert_eq!(got, expected(Status::Unknown, &["encryption_not_reported"]));
}

#[test]
fn the_decision_table_of_silence() {
    for max_silence_days in [1u16, 30, 120] {
        for backend in Backend::ALL {
            for (seconds_too_long, is_too_long) in [(-1, false), (0, true), (1, true), (86_400, true)] {
                let last = NOW.plus_days(-i64::from(max_silence_days)).plus_seconds(-seconds_too_long);
                let quiet = Subject { last_seen_at: Some(last), ..managed_by(*backend) };
                let wanted = match backend {
                    Backend::Apple | Backend::Agent | Backend::Headwind if is_too_long => expected(Status::Noncompliant, &["silent"]),
                    // Nothing there could break a silence.
                    Backend::Certificate => expected(Status::Unknown, &["not_managed"]),
                    Backend::Apple | Backend::Agent | Backend::Headwind | Backend::Browser => expected(Status::Compliant, &[]),
                };
                let rules = Rules { max_silence_days, ..Rules::default() };
                let got = judge(rules, &quiet, &Posture::default());
                assert_eq!(got, wanted, "{backend}, {seconds_too_long} seconds beyond {max_silence_days} days");
            }
        }
    }
}

#[test]
fn a_fact_counts_as_long_as_a_silence_may_last() {
    let cases: &[(i64, Status, &[&str])] = &[
        (-1, Status::Compliant, &[]),
        (0, Status::Compliant, &[]),
        (1, Status::Unknown, &["compromise_not_reported", "encryption_not_reported", "os_not_reported"]),
    ];
    let min_os = MinOs { android: Some("14".into()), ..MinOs::default() };
    let rules = Rules { require_encryption: true, block_compromised: true, min_os, max_silence_days: 30, ..Rules::default() };
    for (seconds_too_old, status, codes) in cases {
        let at = NOW.plus_days(-30).plus_seconds(-seconds_too_old);
        let posture = Posture {
            compromised: Some(Fact { value: false, source: Source::Agent, at }),
            encrypted: Some(Fact { value: true, source: Source::Agent, at }),
            os_version: Some(Fact { value: "15".to_owned(), source: Source::Agent, at }),
            ..Posture::default()
        };
        let got = judge(rules.clone(), &android(Backend::Agent), &posture);
        assert_eq!(got, expected(*status, codes), "{seconds_too_old} seconds beyond 30 days");
    }
}

/// Whoever waits for that moment must find the verdict that holds from then on.
#[test]
fn a_verdict_says_when_a_fact_will_be_too_old() {
    let at = NOW.plus_days(-20);
    let said = |value: bool| Some(Fact { value, source: Source::Agent, at });
    let version = Some(Fact { value: "15".to_owned(), source: Source::Agent, at });
    let min_os = MinOs { android: Some("14".into()), ..MinOs::default() };
    let cases = [
        (Rules { require_encryption: true, ..Rules::default() }, Posture { encrypted: said(true), ..Posture::default() }),
        (Rules { min_os, ..Rules::default() }, Posture { os_version: version, ..Posture::default() }),
        (Rules { block_compromised: true, ..Rules::default() }, Posture { compromised: said(false), ..Posture::default() }),
    ];
    for (rules, posture) in cases {
        let (policy, device) = (policy(rules), android(Backend::Agent));
        let too_old = NOW.plus_days(10).plus_seconds(1);
        let seen = Subject { last_seen_at: Some(too_old), ..device };
        assert_eq!(evaluate(Some(&policy), &seen, &posture, too_old).status, Status::Unknown, "{posture:?}");
        let verdict = evaluate(Some(&policy), &device, &posture, NOW);
        assert_eq!((verdict.status, verdict.valid_until), (Status::Compliant, Some(too_old)), "{posture:?}");
    }
}
