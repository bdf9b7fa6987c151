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

/// The same as far as the backend can say it: the launcher never tells whether there is a passcode.
fn told_by(backend: Backend, posture: Posture) -> Posture {
    if backend == Backend::Headwind { Posture { passcode_present: None, ..posture } } else { posture }
}

/// Every posture that lacks one of the facts of this one. That an iPhone reports no sign of a jailbreak is all that one can say,
/// so that fact is left in.
fn without_one(posture: &Posture, backend: Backend) -> Vec<Posture> {
    let mut poorer = Vec::new();
    macro_rules! without { ($($field:ident),+) => { $( poorer.push(Posture { $field: None, ..posture.clone() }); )+ } }
    without!(passcode_present, passcode_compliant, passcode_compliant_with_profiles, encryption_capable, encrypted);
    without!(os_version, applied_policy, managed_profiles);
    if backend != Backend::Apple {
        without!(compromised);
    }
    poorer
}

/// Reports, and how many hours each comes after the one before.
fn events() -> impl Strategy<Value = Vec<(Posture, i64)>> {
    prop::collection::vec((posture(), 1i64..72), 1..12)
}

/// What the server keeps of a device between two events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    posture: Posture,
    reasons: Vec<Reason>,
}

impl Kept {
    fn begin() -> Self {
        Self { at: NOW, posture: Posture::default(), reasons: Vec::new() }
    }

    fn hear(&mut self, facts: Posture, hours: i64) {
        self.at = self.at.plus_seconds(hours * 3600);
        self.posture.absorb(facts);
    }

    fn judge(&mut self, policy: Option<&EffectivePolicy>, backend: Backend) -> Verdict {
        let subject = Subject { before: &self.reasons, last_seen_at: Some(self.at), ..subject(backend) };
        let verdict = evaluate(policy, &subject, &self.posture, self.at);
        self.reasons.clone_from(&verdict.reasons);
        verdict
    }

    /// As it comes back from the database, where it is text.
    fn stored(&self) -> Self {
        serde_json::from_str(&serde_json::to_string(self).unwrap()).unwrap()
    }
}

/// How many facts [`posture`] makes up.
const FACTS: usize = 9;

macro_rules! each_fact {
    ($apply:ident) => {
        $apply!(
            passcode_present,
            passcode_compliant,
            passcode_compliant_with_profiles,
            encryption_capable,
            encrypted,
            os_version,
            applied_policy,
            managed_profiles,
            compromised
        )
    };
}

/// One report for each fact.
fn pieces(facts: &Posture) -> [Posture; FACTS] {
    macro_rules! alone { ($($field:ident),+) => { [$( Posture { $field: facts.$field.clone(), ..Posture::default() } ),+] } }
    each_fact!(alone)
}

/// The newer of each fact, and the older one where there is none.
fn newest(older: &Posture, newer: &Posture) -> Posture {
    macro_rules! newer_of {
        ($($field:ident),+) => { Posture { $( $field: newer.$field.clone().or_else(|| older.$field.clone()), )+ ..Posture::default() } }
    }
    each_fact!(newer_of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn asking_more_never_makes_a_device_compliant(a in rules(), b in rules(), posture in posture(), backend in backends()) {
        let posture = told_by(backend, posture);
        let strict = status(effective(&[a.clone(), b]).as_ref(), backend, &posture);
        if strict == Status::Compliant {
            prop_assert_eq!(status(effective(&[a]).as_ref(), backend, &posture), Status::Compliant);
        }
    }

    #[test]
    fn a_missing_fact_never_makes_a_device_compliant(rules in rules(), posture in posture(), backend in backends()) {
        let (policy, posture) = (effective(&[rules]), told_by(backend, posture));
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
    fn going_on_from_what_is_stored_gives_the_same_verdicts_as_one_go(
        rules in rules(), events in events(), cut in any::<prop::sample::Index>(), backend in backends(),
    ) {
        let policy = effective(&[rules]);
        let (mut in_one_go, mut interrupted) = (Kept::begin(), Kept::begin());
        let cut = cut.index(events.len());
        for (number, (facts, hours)) in events.iter().enumerate() {
            if number == cut {
                interrupted = interrupted.stored();
            }
            in_one_go.hear(facts.clone(), *hours);
            interrupted.hear(facts.clone(), *hours);
            prop_assert_eq!(interrupted.judge(policy.as_ref(), backend), in_one_go.judge(policy.as_ref(), backend));
        }
        prop_assert_eq!(interrupted.stored(), in_one_go);
    }

    #[test]
    fn the_facts_of_a_report_may_come_one_by_one_in_any_order(
        rules in rules(), events in events(), order in Just((0..FACTS).collect::<Vec<usize>>()).prop_shuffle(), backend in backends(),
    ) {
        let policy = effective(&[rules]);
        let (mut at_once, mut in_pieces) = (Kept::begin(), Kept::begin());
        for (facts, hours) in events {
            at_once.at = at_once.at.plus_seconds(hours * 3600);
            at_once.posture = newest(&at_once.posture, &facts);
            in_pieces.hear(Posture::default(), hours);
            let pieces = pieces(&facts);
            for number in &order {
                in_pieces.posture.absorb(pieces[*number].clone());
            }
            prop_assert_eq!(in_pieces.judge(policy.as_ref(), backend), at_once.judge(policy.as_ref(), backend));
        }
        prop_assert_eq!(in_pieces, at_once);
    }

    #[test]
    fn judging_again_in_the_same_instant_changes_nothing(rules in rules(), events in events(), backend in backends()) {
        let policy = effective(&[rules]);
        let mut kept = Kept::begin();
        for (facts, hours) in events {
            kept.hear(facts, hours);
            let verdict = kept.judge(policy.as_ref(), backend);
            prop_assert_eq!(&kept.reasons, &verdict.reasons);
            prop_assert_eq!(kept.judge(policy.as_ref(), backend), verdict);
        }
    }
}
