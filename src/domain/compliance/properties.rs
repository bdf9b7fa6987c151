//! What holds for all rules and all postures: asking more never helps, silence never helps, and the order never matters.

use proptest::prelude::*;

use super::*;
use crate::domain::{
    id::PolicyId,
    passcode::PasscodePolicy,
    policy::MinOs,
    posture::{Fact, ManagedProfile, Source},
};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn rules() -> impl Strategy<Value = Rules> {
    let passcode = (any::<bool>(), 0u8..=8, any::<bool>()).prop_map(|(required, min_length, require_alphanumeric)| PasscodePolicy {
        required,
        min_length,
        require_alphanumeric,
        ..PasscodePolicy::unrestricted()
    });
    let version = prop::option::of(prop::sample::select(vec!["16.0", "17.4", "18"])).prop_map(|version| version.map(str::to_owned));
    (passcode, any::<(bool, bool, bool)>(), version, 1u16..=40, 0u16..=5).prop_map(
        |(passcode, (require_encryption, block_compromised, require_managed_mail), version, max_silence_days, grace_days)| Rules {
            passcode,
            require_encryption,
            block_compromised,
            require_managed_mail,
            min_os: MinOs { ios: version.clone(), android: version, ..MinOs::default() },
            max_silence_days,
            grace_days,
            ..Rules::default()
        },
    )
}

/// A fact of some day, or none.
fn some<T: Clone + std::fmt::Debug + 'static>(values: Vec<T>, source: Source) -> impl Strategy<Value = Option<Fact<T>>> {
    prop::option::weighted(0.8, (prop::sample::select(values), 0i64..50))
        .prop_map(move |fact| fact.map(|(value, days)| Fact { value, source, at: NOW.plus_days(-days) }))
}

fn posture() -> impl Strategy<Value = Posture> {
    let flag = || some(vec![true, true, true, false], Source::SecurityInfo);
    let profile = |uuid: &str, kinds: &[&str]| ManagedProfile {
        identifier: "passcode".into(),
        uuid: uuid.into(),
        payload_types: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
    };
    let profiles = vec![vec![profile("NEW", &["com.apple.mail.managed"])], vec![profile("OLD", &[])], Vec::new()];
    let version = || some(vec!["17.4".to_owned(), "18.1".to_owned(), "15".to_owned(), "odd".to_owned()], Source::DeviceInformation);
    let policy = some(vec!["v2".to_owned(), "v1".to_owned()], Source::Agent);
    (
        (flag(), flag(), flag(), flag(), flag()),
        (version(), policy, some(profiles, Source::ProfileList), some(vec![false, false, true], Source::Agent)),
    )
        .prop_map(
            |((present, compliant, with_profiles, capable, encrypted), (os_version, applied_policy, managed_profiles, compromised))| {
                Posture {
                    passcode_present: present,
                    passcode_compliant: compliant,
                    passcode_compliant_with_profiles: with_profiles,
                    encryption_capable: capable,
                    encrypted,
                    os_version,
                    applied_policy,
                    managed_profiles,
                    compromised,
                    ..Posture::default()
                }
            },
        )
}

fn subject(backend: Backend) -> Subject<'static> {
    Subject {
        platform: if backend == Backend::Apple { Platform::Ios } else { Platform::Android },
        state: EnrollmentState::Enrolled,
        backend,
        is_user_enrollment: false,
        last_seen_at: Some(NOW.plus_days(-3)),
        passcode_profile: (backend == Backend::Apple).then_some(("passcode", "NEW")),
        policy_version: (backend != Backend::Apple).then_some("v2"),
        before: &[],
    }
}

fn backends() -> impl Strategy<Value = Backend> {
    prop::sample::select(vec![Backend::Apple, Backend::Agent, Backend::Headwind, Backend::Certificate])
}

fn effective(rules: &[Rules]) -> Option<EffectivePolicy> {
    EffectivePolicy::merge(rules.iter().map(|rules| (PolicyId::from_bytes([1; 16]), "p".into(), rules.clone())))
}

fn status(policy: Option<&EffectivePolicy>, backend: Backend, posture: &Posture) -> Status {
    evaluate(policy, &subject(backend), posture, NOW).status
}

/// Every posture that lacks one of the facts of this one. That an iPhone reports no sign of a jailbreak is all that one can say,
/// so that fact is left in. The launcher never says whether there is a passcode, so that it cannot cease to.
fn without_one(posture: &Posture, backend: Backend) -> Vec<Posture> {
    let mut poorer = Vec::new();
    macro_rules! without { ($($field:ident),+) => { $( poorer.push(Posture { $field: None, ..posture.clone() }); )+ } }
    without!(passcode_compliant, passcode_compliant_with_profiles, encryption_capable, encrypted);
    without!(os_version, applied_policy, managed_profiles);
    if backend != Backend::Headwind {
        without!(passcode_present);
    }
    if backend != Backend::Apple {
        without!(compromised);
    }
    poorer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn asking_more_never_makes_a_device_compliant(a in rules(), b in rules(), posture in posture(), backend in backends()) {
        let strict = status(effective(&[a.clone(), b]).as_ref(), backend, &posture);
        if strict == Status::Compliant {
            prop_assert_eq!(status(effective(&[a]).as_ref(), backend, &posture), Status::Compliant);
        }
    }

    #[test]
    fn a_missing_fact_never_makes_a_device_compliant(rules in rules(), posture in posture(), backend in backends()) {
        let policy = effective(&[rules]);
        if status(policy.as_ref(), backend, &posture) != Status::Compliant {
            for poorer in without_one(&posture, backend) {
                prop_assert_ne!(status(policy.as_ref(), backend, &poorer), Status::Compliant, "{:?}", poorer);
            }
        }
    }

    #[test]
    fn the_order_of_policies_does_not_matter(a in rules(), b in rules(), c in rules(), posture in posture(), backend in backends()) {
        let first = evaluate(effective(&[a.clone(), b.clone(), c.clone()]).as_ref(), &subject(backend), &posture, NOW);
        let second = evaluate(effective(&[c, a, b]).as_ref(), &subject(backend), &posture, NOW);
        prop_assert_eq!(first, second);
    }

    #[test]
    fn the_same_events_give_the_same_verdicts(
        rules in rules(), events in prop::collection::vec((posture(), 1i64..72), 1..12), backend in backends(),
    ) {
        let policy = effective(&[rules]);
        let play = || {
            let (mut now, mut known, mut before, mut verdicts) = (NOW, Posture::default(), Vec::new(), Vec::new());
            for (facts, hours) in &events {
                now = now.plus_seconds(hours * 3600);
                known.absorb(facts.clone());
                let subject = Subject { before: &before, last_seen_at: Some(now), ..subject(backend) };
                let verdict = evaluate(policy.as_ref(), &subject, &known, now);
                // Judged once more in the same instant nothing changes.
                let again = evaluate(policy.as_ref(), &Subject { before: &verdict.reasons, ..subject }, &known, now);
                assert_eq!(again, verdict);
                before.clone_from(&verdict.reasons);
                verdicts.push(verdict);
            }
            verdicts
        };
        prop_assert_eq!(play(), play());
    }
}
