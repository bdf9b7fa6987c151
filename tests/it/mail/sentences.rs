//! Every sentence about a device's compliance can be said in every language that comes with the server.

use std::collections::BTreeSet;

use enlist::{
    domain::{
        backend::Backend,
        compliance::{Reason, Subject, evaluate},
        device::{EnrollmentState, Platform},
        id::PolicyId,
        passcode::PasscodePolicy,
        policy::{EffectivePolicy, MinOs, Rules},
        posture::{Fact, ManagedProfile, Posture, Source},
        time::Timestamp,
    },
    mail::{
        languages::Languages,
        template::{Mended, Template},
    },
};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

const fn fact<T>(value: T) -> Fact<T> {
    Fact { value, source: Source::SecurityInfo, at: NOW }
}

/// Rules that ask for everything that can be asked for.
fn strictest() -> Rules {
    let version = Some("99".to_owned());
    Rules {
        passcode: PasscodePolicy { required: true, min_length: 8, ..PasscodePolicy::unrestricted() },
        require_encryption: true,
        block_compromised: true,
        require_managed_mail: true,
        min_os: MinOs { ios: version.clone(), android: version, ..MinOs::default() },
        max_silence_days: 1,
        ..Rules::default()
    }
}

/// Postures of devices that say nothing, have no passcode, or have everything else wrong.
fn postures() -> Vec<Posture> {
    let profile = ManagedProfile { identifier: "passcode".into(), uuid: "OLD".into(), payload_types: Vec::new() };
    let bad = Posture {
        passcode_present: Some(fact(true)),
        passcode_compliant: Some(fact(false)),
        compromised: Some(fact(true)),
        encryption_capable: Some(fact(false)),
        encrypted: Some(fact(false)),
        os_version: Some(fact("1.0".to_owned())),
        applied_policy: Some(fact("v1".to_owned())),
        managed_profiles: Some(fact(vec![profile.clone()])),
        ..Posture::default()
    };
    let open = Posture {
        passcode_present: Some(fact(false)),
        encryption_capable: Some(fact(true)),
        encrypted: Some(fact(false)),
        ..Posture::default()
    };
    let outdated = Posture {
        passcode_present: Some(fact(true)),
        passcode_compliant: Some(fact(true)),
        passcode_compliant_with_profiles: Some(fact(true)),
        applied_policy: Some(fact("v1".to_owned())),
        managed_profiles: Some(fact(vec![profile])),
        ..Posture::default()
    };
    vec![Posture::default(), bad, open, outdated]
}

fn sentences() -> BTreeSet<String> {
    let policy = EffectivePolicy::merge([(PolicyId::from_bytes([1; 16]), "p".into(), strictest())]);
    let mut found = BTreeSet::new();
    let mut note = |reasons: Vec<Reason>| found.extend(reasons.into_iter().flat_map(|reason| [reason.text, reason.remedy]));
    for platform in [Platform::Ios, Platform::Android] {
        for backend in [Backend::Apple, Backend::Agent, Backend::Headwind, Backend::Certificate, Backend::Browser] {
            for posture in postures() {
                for silent in [0, 30] {
                    let subject = Subject {
                        platform,
                        state: EnrollmentState::Enrolled,
                        backend,
                        is_user_enrollment: false,
                        last_seen_at: Some(NOW.plus_days(-silent)),
                        passcode_profile: Some(("passcode", "NEW")),
                        policy_version: Some("v2"),
                        before: &[],
                    };
                    note(evaluate(policy.as_ref(), &subject, &posture, NOW).reasons);
                    note(evaluate(None, &subject, &posture, NOW).reasons);
                }
            }
        }
    }
    found
}

#[test]
fn every_sentence_about_a_device_can_be_said_in_every_language() {
    let languages = Languages::shipped();
    let english = sentences();
    assert!(english.len() > 30, "{english:#?}");
    for (code, _) in languages.names().filter(|(code, _)| *code != "en") {
        let mail = Template::Compliance {
            organization: String::new(),
            name: String::new(),
            device: String::new(),
            is_blocked: false,
            until: None,
            reasons: english.iter().map(|sentence| Mended { text: sentence.clone(), remedy: String::new() }).collect(),
            link: String::new(),
        };
        let Template::Compliance { reasons, .. } = languages.translated(code, mail) else { panic!("another mail") };
        let lacking: Vec<&String> =
            english.iter().zip(&reasons).filter(|(sentence, said)| **sentence == said.text).map(|(s, _)| s).collect();
        assert!(lacking.is_empty(), "{code} lacks {lacking:#?}");
    }
}
