//! The single checks: each says what is broken, what is not known, and what the person can do about it, in the words of the
//! person's own platform.

use super::{Finding, Findings, Subject};
use crate::domain::{
    backend::Backend,
    device::Platform,
    policy::{Rules, parse_version},
    posture::{Fact, Posture},
    time::Timestamp,
};

const WAIT_FOR_REPORT: &str = "Unlock the device and keep it connected for a few minutes; it reports by itself.";
const NOT_MANAGED: &str =
    "The device has a certificate and nothing on it reports; ask your administrator whether it can be enrolled with an agent.";
const ONLY_A_BROWSER: &str =
    "A browser cannot report what the device around it is like; ask your administrator whether browsers may come in all the same.";

/// Every check but the one for silence, most serious first.
pub(super) fn all(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    compromised(rules, subject, posture, findings);
    passcode(rules, subject, posture, findings);
    encryption(rules, subject, posture, findings);
    os(rules, subject, posture, findings);
    managed_mail(rules, subject, posture, findings);
}

/// Apple devices report no jailbreak by themselves: there only a sign of one counts. Elsewhere silence is not innocence.
fn compromised(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    if !rules.block_compromised {
        return;
    }
    match value(posture.compromised.as_ref()) {
        Some(true) => findings.add(
            Finding::Broken,
            "compromised",
            "The device is jailbroken or rooted.",
            "Restore the device to the system of its maker and enroll it again.",
        ),
        None if subject.backend != Backend::Apple => findings.add(
            Finding::NotKnown,
            "compromise_not_reported",
            "The device has not reported whether it is rooted.",
            report_remedy(subject),
        ),
        Some(false) | None => {}
    }
}

/// The decision table for the passcode.
fn passcode(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    if !rules.passcode.asks_for_something() {
        return;
    }
    let present = value(posture.passcode_present.as_ref()).copied();
    let compliant = value(posture.passcode_compliant.as_ref()).copied();
    let with_profiles = value(posture.passcode_compliant_with_profiles.as_ref()).copied();
    if present == Some(false) {
        if rules.passcode.required {
            findings.add(Finding::Broken, "passcode_missing", "No passcode is set on the device.", set_passcode(subject.platform));
            return;
        }
    } else if compliant == Some(false) || (is_told_of_profiles(subject) && with_profiles == Some(false)) {
        findings.add(
            Finding::Broken,
            "passcode_too_weak",
            "The passcode does not meet the requirements.",
            change_passcode(subject.platform),
        );
        return;
    }
    let is_reported = match subject.backend {
        Backend::Apple if !subject.is_user_enrollment => present.is_some() && compliant == Some(true) && with_profiles == Some(true),
        Backend::Agent => present.is_some() && compliant == Some(true),
        // The launcher says only whether the passcode suffices.
        Backend::Apple | Backend::Headwind => compliant == Some(true),
        Backend::Certificate | Backend::Browser => false,
    };
    if !is_reported && (present != Some(false) || rules.passcode.required) {
        findings.add(
            Finding::NotKnown,
            "passcode_not_reported",
            "The device has not reported whether its passcode meets the requirements.",
            report_remedy(subject),
        );
    }
    match subject.backend {
        Backend::Apple if !subject.is_user_enrollment => passcode_profile(subject, posture, findings),
        Backend::Agent | Backend::Headwind => policy_version(subject, posture, findings),
        Backend::Apple | Backend::Certificate | Backend::Browser => {}
    }
}

/// Whether the device also says how the passcode stands to the installed profiles.
fn is_told_of_profiles(subject: &Subject<'_>) -> bool {
    subject.backend == Backend::Apple && !subject.is_user_enrollment
}

/// Our own profile must be seen installed, in the form that holds now.
fn passcode_profile(subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    let Some((identifier, uuid)) = subject.passcode_profile else { return };
    match posture.managed_profile(identifier) {
        Some(profile) if profile.uuid.eq_ignore_ascii_case(uuid) => {}
        Some(_) => outdated(findings),
        None => not_installed(findings),
    }
}

/// The policy that holds now must be the one that the device says it has taken over.
fn policy_version(subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    let Some(wanted) = subject.policy_version else { return };
    match value(posture.applied_policy.as_ref()) {
        Some(applied) if applied == wanted => {}
        Some(_) => outdated(findings),
        None => not_installed(findings),
    }
}

fn outdated(findings: &mut Findings<'_>) {
    findings.add(
        Finding::Outdated,
        "policy_outdated",
        "The passcode rules have changed and the device has not taken over the new ones yet.",
        "Unlock the device and keep it connected for a few minutes; it updates by itself.",
    );
}

fn not_installed(findings: &mut Findings<'_>) {
    findings.add(
        Finding::NotKnown,
        "policy_not_installed",
        "The passcode rules were not seen on the device yet.",
        "Unlock the device and keep it connected for a few minutes; they are installed by themselves.",
    );
}

fn encryption(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    if !rules.require_encryption {
        return;
    }
    if subject.backend != Backend::Apple {
        return android_encryption(subject, posture, findings);
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
        _ => encryption_not_reported(subject, findings),
    }
}

fn android_encryption(subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    match value(posture.encrypted.as_ref()) {
        Some(true) => {}
        Some(false) => findings.add(
            Finding::Broken,
            "not_encrypted",
            "The data on the device is not encrypted.",
            "Switch encryption on in Settings, under Security, Encryption & credentials.",
        ),
        None => encryption_not_reported(subject, findings),
    }
}

fn encryption_not_reported(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    findings.add(
        Finding::NotKnown,
        "encryption_not_reported",
        "The device has not reported whether its data is encrypted.",
        report_remedy(subject),
    );
}

fn os(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
    let Some(least) = rules.min_os.of(subject.platform) else { return };
    match value(posture.os_version.as_ref()).and_then(|version| Some((version, parse_version(version)?))) {
        Some((_, version)) if Some(&version) >= parse_version(least).as_ref() => {}
        Some((version, _)) => findings.add(
            Finding::Broken,
            "os_outdated",
            format!("The system is version {version}; {least} or newer is required."),
            update_system(subject.platform),
        ),
        None => findings.add(
            Finding::NotKnown,
            "os_not_reported",
            "The device has not reported the version of its system.",
            report_remedy(subject),
        ),
    }
}

/// `PayloadType`s of mail accounts that the organization installed.
const MAIL_PAYLOADS: [&str; 2] = ["com.apple.mail.managed", "com.apple.eas.account"];

fn managed_mail(rules: &Rules, subject: &Subject<'_>, posture: &Posture, findings: &mut Findings<'_>) {
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
            report_remedy(subject),
        ),
    }
}

/// Silence is a violation of its own.
pub(super) fn silence(rules: &Rules, silent_at: Option<Timestamp>, now: Timestamp, findings: &mut Findings<'_>) {
    if silent_at.is_some_and(|at| now >= at) {
        findings.add(
            Finding::Broken,
            "silent",
            format!("The device has not been in contact for {} days or more.", rules.max_silence_days),
            "Switch the device on and connect it to a network.",
        );
    }
}

const fn report_remedy(subject: &Subject<'_>) -> &'static str {
    match subject.backend {
        Backend::Certificate => NOT_MANAGED,
        Backend::Browser => ONLY_A_BROWSER,
        Backend::Headwind => "Unlock the device and open its home screen; it reports by itself.",
        Backend::Apple | Backend::Agent => WAIT_FOR_REPORT,
    }
}

const fn set_passcode(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "Set a screen lock in Settings, under Security, Screen lock.",
        _ => "Set a passcode in Settings, under Face ID & Passcode.",
    }
}

const fn change_passcode(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "Change the screen lock in Settings, under Security, Screen lock; the device says what it must be like.",
        _ => "Change the passcode in Settings, under Face ID & Passcode; the device says what it must be like.",
    }
}

const fn update_system(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "Install the newest system in Settings, under System, Software update.",
        _ => "Install the newest system in Settings, under General, Software Update.",
    }
}

fn value<T>(fact: Option<&Fact<T>>) -> Option<&T> {
    fact.map(|fact| &fact.value)
}
