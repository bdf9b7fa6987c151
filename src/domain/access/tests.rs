//! Every row of the decision table, and what holds whatever the rules are.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A device against which nothing can be said.
const GOOD: Candidate<'static> = Candidate {
    is_identified: true,
    user: UserState::Active,
    is_excluded: false,
    exception: None,
    state: EnrollmentState::Enrolled,
    status: Status::Compliant,
    enforcement: Enforcement::Block,
    platform: Platform::Ios,
    model: Some("iPhone 15"),
    product: Some("iPhone15,4"),
    os_version: Some("17.4.1"),
    user_agent: Some("Outlook-iOS/2.0"),
};

#[allow(clippy::unnecessary_wraps, reason = "a candidate may have none")]
fn exception(decision: Decision, seconds: i64) -> Option<Exception> {
    Some(Exception { decision, until: NOW.plus_seconds(seconds) })
}

fn rule(decision: Decision, matches: DeviceMatch) -> DeviceRule {
    DeviceRule { matches, decision, note: String::new() }
}

fn of_platform(platform: Platform) -> DeviceMatch {
    DeviceMatch { platform: Some(platform), ..DeviceMatch::default() }
}

/// Settings that all differ from what comes after them.
fn telling() -> AccessRules {
    AccessRules {
        unsupported_devices: Decision::Quarantine,
        unenrolled_devices: Decision::Block,
        unknown_compliance: Decision::Block,
        noncompliant_devices: Decision::Quarantine,
        ..AccessRules::default()
    }
}

#[test]
fn each_question_decides_where_those_before_it_have_no_answer() {
    use Decision::{Allow, Block, Quarantine};
    let report = Candidate { status: Status::Noncompliant, enforcement: Enforcement::AllowAndReport, ..GOOD };
    let table: [(&str, Candidate<'_>, Decision, Question); 20] = [
        ("a good device", GOOD, Allow, Question::NothingAgainst),
        ("in grace", Candidate { status: Status::InGrace, ..GOOD }, Allow, Question::NothingAgainst),
        ("breaks its policy", Candidate { status: Status::Noncompliant, ..GOOD }, Quarantine, Question::Noncompliant),
        ("is only reported", report, Allow, Question::ReportedOnly),
        ("is not known", Candidate { status: Status::Unknown, ..GOOD }, Block, Question::UnknownCompliance),
        ("is not known, and would only be reported", Candidate { status: Status::Unknown, ..report }, Block, Question::UnknownCompliance),
        ("cannot be managed", Candidate { status: Status::Unsupported, ..GOOD }, Quarantine, Question::Unsupported),
        ("is invited", Candidate { state: EnrollmentState::Invited, ..GOOD }, Block, Question::Unenrolled),
        ("is pending", Candidate { state: EnrollmentState::Pending, ..GOOD }, Block, Question::Unenrolled),
        ("is nobody", Candidate::nobody(), Block, Question::Unenrolled),
        ("is excluded", Candidate { is_excluded: true, status: Status::Noncompliant, ..GOOD }, Allow, Question::ExcludedGroup),
        (
            "is excluded and pending",
            Candidate { is_excluded: true, state: EnrollmentState::Pending, ..GOOD },
            Allow,
            Question::ExcludedGroup,
        ),
        ("is an exception", Candidate { exception: exception(Block, 1), ..GOOD }, Block, Question::Exception),
        ("was an exception", Candidate { exception: exception(Block, 0), ..GOOD }, Allow, Question::NothingAgainst),
        (
            "is an exception within an excluded group",
            Candidate { exception: exception(Quarantine, 1), is_excluded: true, ..GOOD },
            Quarantine,
            Question::Exception,
        ),
        (
            "is let in by an exception",
            Candidate { exception: exception(Allow, 1), status: Status::Noncompliant, ..GOOD },
            Allow,
            Question::Exception,
        ),
        (
            "was wiped, whatever else",
            Candidate { exception: exception(Allow, 1), is_excluded: true, state: EnrollmentState::Wiped, ..report },
            Block,
            Question::DeviceGone,
        ),
        ("is to be wiped", Candidate { is_excluded: true, state: EnrollmentState::WipePending, ..GOOD }, Block, Question::DeviceGone),
        ("is retired", Candidate { exception: exception(Allow, 9), state: EnrollmentState::Retired, ..GOOD }, Block, Question::DeviceGone),
        (
            "of a disabled user",
            Candidate { user: UserState::Disabled, exception: exception(Allow, 9), is_excluded: true, ..GOOD },
            Block,
            Question::UserDisabled,
        ),
    ];
    for (name, candidate, decision, by) in table {
        assert_eq!(decide(&telling(), &candidate, NOW), Decided { decision, by }, "a device that {name}");
    }
}

#[test]
fn the_first_rule_that_matches_decides_before_the_verdict_and_after_the_excluded_groups() {
    let rules = AccessRules {
        rules: vec![
            rule(Decision::Quarantine, DeviceMatch { os_version: Some("<17".into()), ..of_platform(Platform::Ios) }),
            rule(Decision::Allow, DeviceMatch { model: Some("iPhone15,*".into()), ..DeviceMatch::default() }),
            rule(Decision::Block, of_platform(Platform::Ios)),
        ],
        ..AccessRules::default()
    };
    let by = |candidate: &Candidate<'_>| {
        let decided = decide(&rules, candidate, NOW);
        (decided.decision, decided.by, rules.matching(candidate))
    };
    let broken = Candidate { status: Status::Noncompliant, ..GOOD };
    assert_eq!(by(&broken), (Decision::Allow, Question::DeviceRule, Some(1)));
    let old = Candidate { os_version: Some("16.7"), ..GOOD };
    assert_eq!(by(&old), (Decision::Quarantine, Question::DeviceRule, Some(0)));
    let other = Candidate { product: Some("iPhone14,2"), model: Some("iPhone 13 Pro"), ..GOOD };
    assert_eq!(by(&other), (Decision::Block, Question::DeviceRule, Some(2)));
    // What is not known is matched by nothing that asks for it.
    assert_eq!(by(&Candidate { os_version: None, product: None, model: None, ..GOOD }).2, Some(2));
    assert_eq!(by(&Candidate { platform: Platform::Android, ..old }).2, Some(1));
    assert_eq!(by(&Candidate { is_excluded: true, ..other }).1, Question::ExcludedGroup);
    assert_eq!(by(&Candidate { state: EnrollmentState::WipePending, ..broken }).0, Decision::Block);
}

#[test]
fn a_rule_lets_nobody_in_who_has_not_shown_which_device_it_is() {
    let programs = |decision| rule(decision, DeviceMatch { user_agent: Some("*probe*".into()), ..DeviceMatch::default() });
    let probe = Candidate { user_agent: Some("Probe/1"), ..Candidate::nobody() };
    let rules = AccessRules { rules: vec![programs(Decision::Allow), programs(Decision::Block)], ..AccessRules::default() };
    assert_eq!(decide(&rules, &probe, NOW), Decided { decision: Decision::Block, by: Question::DeviceRule });
    let known = Candidate { status: Status::Unknown, user_agent: Some("Probe/1"), ..GOOD };
    assert_eq!(decide(&rules, &known, NOW), Decided { decision: Decision::Allow, by: Question::DeviceRule });
    assert!(rules.looks_at_programs() && !telling().looks_at_programs());
}

#[test]
fn the_explanation_ends_with_the_question_that_decided() {
    let steps = explain(&telling(), &Candidate { status: Status::Noncompliant, ..GOOD }, NOW);
    let (last, before) = steps.split_last().unwrap();
    assert_eq!((last.question, last.decision), (Question::Noncompliant, Some(Decision::Quarantine)));
    assert!(before.iter().all(|step| step.decision.is_none()));
    assert_eq!(before.len(), 9);
}

#[test]
fn what_is_not_usable_is_named() {
    let with = |change: &dyn Fn(&mut AccessRules)| {
        let mut rules = AccessRules::default();
        change(&mut rules);
        rules.check().err().map(|error| error.field)
    };
    let matching = |matches: DeviceMatch| with(&move |rules| rules.rules.push(rule(Decision::Block, matches.clone())));
    assert_eq!(with(&|_| {}), None);
    assert_eq!(with(&|rules| rules.noncompliant_devices = Decision::Allow).as_deref(), Some("noncompliant_devices"));
    assert_eq!(matching(DeviceMatch::default()).as_deref(), Some("rules[0].match"));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(matching(DeviceMatch { model: text(" "), ..DeviceMatch::default() }).as_deref(), Some("rules[0].match.model"));
    assert_eq!(matching(DeviceMatch { os_version: text("new"), ..DeviceMatch::default() }).as_deref(), Some("rules[0].match.os_version"));
    assert_eq!(matching(DeviceMatch { user_agent: text("a\nb"), ..DeviceMatch::default() }).as_deref(), Some("rules[0].match.user_agent"));
    let many = vec![rule(Decision::Block, of_platform(Platform::Ios)); 201];
    assert_eq!(with(&move |rules| rules.rules.clone_from(&many)).as_deref(), Some("rules"));
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn any_match() -> impl Strategy<Value = DeviceMatch> {
    let text = |values: &'static [&'static str]| prop::option::of(prop::sample::select(values).prop_map(str::to_owned));
    (prop::option::of(any_of(Platform::ALL)), text(&["*", "iPhone*", "Pixel 8"]), text(&["<17", ">=16", "17"]), text(&["*", "*Outlook*"]))
        .prop_map(|(platform, model, os_version, user_agent)| DeviceMatch { platform, model, os_version, user_agent })
}

fn any_rules() -> impl Strategy<Value = AccessRules> {
    let decision = || any_of(Decision::ALL);
    let device_rules = prop::collection::vec((decision(), any_match()).prop_map(|(decision, matches)| rule(decision, matches)), 0..4);
    (decision(), decision(), decision(), any_of(&[Decision::Quarantine, Decision::Block]), device_rules).prop_map(
        |(unsupported_devices, unenrolled_devices, unknown_compliance, noncompliant_devices, rules)| AccessRules {
            unsupported_devices,
            unenrolled_devices,
            unknown_compliance,
            noncompliant_devices,
            rules,
            ..AccessRules::default()
        },
    )
}

fn any_candidate() -> impl Strategy<Value = Candidate<'static>> {
    let text = |values: &'static [&'static str]| prop::option::of(prop::sample::select(values));
    let exceptions = prop::option::of((any_of(Decision::ALL), -1_i64..2));
    let who = (any::<bool>(), any_of(UserState::ALL), any::<bool>(), exceptions);
    let how = (any_of(EnrollmentState::ALL), any_of(Status::ALL), any_of(Enforcement::ALL), any_of(Platform::ALL));
    let what = (text(&["iPhone 15", "Pixel 8"]), text(&["16.1", "17.4"]), text(&["Outlook-iOS", "curl"]));
    (who, how, what).prop_map(
        |((is_identified, user, is_excluded, personal), (state, status, enforcement, platform), (model, os_version, user_agent))| {
            Candidate {
                is_identified,
                user,
                is_excluded,
                exception: personal.and_then(|(decision, seconds)| exception(decision, seconds)),
                state,
                status,
                enforcement,
                platform,
                model,
                product: None,
                os_version,
                user_agent,
            }
        },
    )
}

/// How much a decision lets in.
const fn openness(decision: Decision) -> u8 {
    match decision {
        Decision::Block => 0,
        Decision::Quarantine => 1,
        Decision::Allow => 2,
    }
}

proptest! {
    #[test]
    fn nothing_of_a_disabled_user_and_nothing_that_is_gone_comes_in_whatever_the_rules(rules in any_rules(), candidate in any_candidate()) {
        let gone = matches!(candidate.state, EnrollmentState::WipePending | EnrollmentState::Wiped | EnrollmentState::Retired);
        if gone || candidate.user == UserState::Disabled {
            prop_assert_eq!(decide(&rules, &candidate, NOW).decision, Decision::Block);
        }
    }

    #[test]
    fn the_explanation_says_what_is_decided(rules in any_rules(), candidate in any_candidate()) {
        let decided = decide(&rules, &candidate, NOW);
        let steps = explain(&rules, &candidate, NOW);
        let last = steps.last().unwrap();
        prop_assert_eq!((last.question, last.decision), (decided.by, Some(decided.decision)));
        prop_assert_eq!(steps.iter().filter(|step| step.decision.is_some()).count(), 1);
        prop_assert_eq!(last.rule.is_some(), decided.by == Question::DeviceRule);
    }

    #[test]
    fn whoever_has_not_shown_a_device_never_gets_further_than_the_settings_let(rules in any_rules(), candidate in any_candidate()) {
        let stranger = Candidate { user_agent: candidate.user_agent, ..Candidate::nobody() };
        prop_assert!(openness(decide(&rules, &stranger, NOW).decision) <= openness(rules.unenrolled_devices).max(openness(Decision::Quarantine)));
        if rules.unenrolled_devices != Decision::Allow {
            prop_assert_ne!(decide(&rules, &stranger, NOW).decision, Decision::Allow);
        }
    }

    #[test]
    fn a_better_verdict_never_closes_a_door(rules in any_rules(), candidate in any_candidate()) {
        let better = Candidate { status: Status::Compliant, ..candidate };
        prop_assert!(openness(decide(&rules, &better, NOW).decision) >= openness(decide(&rules, &candidate, NOW).decision));
    }

    #[test]
    fn being_excluded_never_closes_a_door_and_the_order_of_other_rules_does_not_matter_then(rules in any_rules(), candidate in any_candidate()) {
        let excluded = Candidate { is_excluded: true, ..candidate };
        prop_assert!(openness(decide(&rules, &excluded, NOW).decision) >= openness(decide(&rules, &candidate, NOW).decision));
        let turned = AccessRules { rules: rules.rules.iter().rev().cloned().collect(), ..rules.clone() };
        prop_assert_eq!(decide(&rules, &excluded, NOW), decide(&turned, &excluded, NOW));
    }
}
