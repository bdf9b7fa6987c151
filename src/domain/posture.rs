//! Posture: what a device says of itself, each fact with its source and the time when it was said.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;
use crate::words;

words! {
    /// Who said a fact.
    pub enum Source {
        /// Apple `SecurityInfo`.
        SecurityInfo = "security_info",
        /// Apple `DeviceInformation`.
        DeviceInformation = "device_information",
        /// Apple `ProfileList`.
        ProfileList = "profile_list",
        /// The check-in messages of the enrollment.
        CheckIn = "check_in",
        /// Apple status report of declarative management.
        StatusReport = "status_report",
        /// An Android agent.
        Agent = "agent",
        /// The log of the Headwind launcher, which is weaker than what an agent says.
        Headwind = "headwind",
    }
}

/// One fact. A fact that was never reported is absent, which is not the same as false.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact<T> {
    /// What was said.
    pub value: T,
    /// By whom.
    pub source: Source,
    /// When.
    pub at: Timestamp,
}

/// Everything a device has said, newest of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Posture {
    /// A passcode is set.
    pub passcode_present: Option<Fact<bool>>,
    /// The passcode obeys all requirements of the device (Apple `PasscodeCompliant`).
    pub passcode_compliant: Option<Fact<bool>>,
    /// The passcode obeys the requirements of the profiles (Apple `PasscodeCompliantWithProfiles`).
    pub passcode_compliant_with_profiles: Option<Fact<bool>>,
    /// Block and file encryption are available (Apple `HardwareEncryptionCaps` is 3).
    pub encryption_capable: Option<Fact<bool>>,
    /// This is a User Enrollment (Apple `ManagementStatus.IsUserEnrollment`).
    pub user_enrollment: Option<Fact<bool>>,
    /// The system's version, as the device writes it.
    pub os_version: Option<Fact<String>>,
    /// The system's build.
    pub build_version: Option<Fact<String>>,
    /// Marketing name of the model, such as "iPhone 15".
    pub model_name: Option<Fact<String>>,
    /// Product code, such as "iPhone15,4".
    pub product_name: Option<Fact<String>>,
    /// Name given by the person.
    pub device_name: Option<Fact<String>>,
    /// Serial number.
    pub serial: Option<Fact<String>>,
    /// The device is supervised.
    pub supervised: Option<Fact<bool>>,
    /// The storage is encrypted, where the device says so outright (Android).
    pub encrypted: Option<Fact<bool>>,
    /// The level of the passcode (Android's `none`, `low`, `medium`, `high`).
    pub passcode_complexity: Option<Fact<String>>,
    /// Date of the last security update, such as "2026-10-05" (Android).
    pub security_patch: Option<Fact<String>>,
    /// Version of the policy that the device has taken over (Android).
    pub applied_policy: Option<Fact<String>>,
    /// Jailbroken or rooted.
    pub compromised: Option<Fact<bool>>,
    /// Profiles that are installed and were installed by the server.
    pub managed_profiles: Option<Fact<Vec<ManagedProfile>>>,
}

/// One installed profile, as Apple's `ProfileList` reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedProfile {
    /// `PayloadIdentifier`.
    pub identifier: String,
    /// `PayloadUUID`; changes with the profile's content.
    pub uuid: String,
    /// `PayloadType` of each payload inside.
    pub payload_types: Vec<String>,
}

impl Posture {
    /// Takes over every fact that `newer` knows; what it does not know stays as it was.
    pub fn absorb(&mut self, newer: Self) {
        macro_rules! take { ($($field:ident),+) => { $( if newer.$field.is_some() { self.$field = newer.$field; } )+ } }
        take!(
            passcode_present,
            passcode_compliant,
            passcode_compliant_with_profiles,
            encryption_capable,
            user_enrollment,
            os_version,
            build_version,
            model_name,
            product_name,
            device_name,
            serial,
            supervised,
            encrypted,
            passcode_complexity,
            security_patch,
            applied_policy,
            compromised,
            managed_profiles
        );
    }

    /// Forgets what Apple's `SecurityInfo` said.
    pub fn forget_security(&mut self) {
        self.passcode_present = None;
        self.passcode_compliant = None;
        self.passcode_compliant_with_profiles = None;
        self.encryption_capable = None;
    }

    /// Forgets what an Android agent says in each of its reports: what it leaves out is not known any more.
    pub fn forget_reported(&mut self) {
        self.forget_security();
        self.encrypted = None;
        self.passcode_complexity = None;
        self.compromised = None;
        self.applied_policy = None;
        self.os_version = None;
        self.security_patch = None;
    }

    /// Without the facts that were said before then. A sign of a jailbreak is no fact that lapses: no iPhone says that it is not
    /// jailbroken, so that silence about it would acquit the device.
    #[must_use]
    pub fn since(&self, then: Timestamp) -> Self {
        let mut fresh = self.clone();
        macro_rules! drop_stale { ($($field:ident),+) => { $( fresh.$field = fresh.$field.filter(|fact| fact.at >= then); )+ } }
        drop_stale!(
            passcode_present,
            passcode_compliant,
            passcode_compliant_with_profiles,
            encryption_capable,
            encrypted,
            os_version,
            applied_policy,
            managed_profiles
        );
        fresh.compromised = fresh.compromised.filter(|fact| fact.value || fact.at >= then);
        fresh
    }

    /// Forgets facts of a launcher's log that are older than so many seconds: the log says how the passcode was when a screen was
    /// last opened, and no more. Gives when the next of those that are left will be too old.
    pub fn forget_weak(&mut self, now: Timestamp, seconds: i64) -> Option<Timestamp> {
        let is_kept = |fact: &Fact<bool>| fact.source != Source::Headwind || fact.at.plus_seconds(seconds) > now;
        self.passcode_present = self.passcode_present.take().filter(is_kept);
        self.passcode_compliant = self.passcode_compliant.take().filter(is_kept);
        let left = [&self.passcode_present, &self.passcode_compliant].into_iter().flatten();
        left.filter(|fact| fact.source == Source::Headwind).map(|fact| fact.at.plus_seconds(seconds)).min()
    }

    /// When the oldest of the facts that compliance rests on was said.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        let flags = [
            &self.passcode_present,
            &self.passcode_compliant,
            &self.passcode_compliant_with_profiles,
            &self.encryption_capable,
            &self.encrypted,
            &self.compromised,
        ];
        let flags = flags.into_iter().flatten().map(|fact| fact.at);
        let texts = self.os_version.iter().chain(&self.applied_policy).map(|fact| fact.at);
        flags.chain(texts).chain(self.managed_profiles.iter().map(|fact| fact.at)).min()
    }

    /// The managed profile of this identifier, if the device has reported it.
    #[must_use]
    pub fn managed_profile(&self, identifier: &str) -> Option<&ManagedProfile> {
        self.managed_profiles.as_ref()?.value.iter().find(|profile| profile.identifier == identifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_leaves_out_stays_known() {
        let at = Timestamp::from_millis(1);
        let fact = |value| Some(Fact { value, source: Source::SecurityInfo, at });
        let mut known = Posture { passcode_present: fact(true), ..Posture::default() };
        known.absorb(Posture { passcode_compliant: fact(false), ..Posture::default() });
        assert_eq!(known.passcode_present.map(|fact| fact.value), Some(true));
        assert_eq!(known.passcode_compliant.map(|fact| fact.value), Some(false));
    }

    #[test]
    fn what_an_agent_leaves_out_of_a_report_is_not_known_any_more() {
        let fact = |value: &str| Some(Fact { value: value.to_owned(), source: Source::Agent, at: Timestamp::from_millis(1) });
        let mut known = Posture { os_version: fact("14"), security_patch: fact("2026-10-05"), serial: fact("x"), ..Posture::default() };
        known.forget_reported();
        assert_eq!(known, Posture { serial: fact("x"), ..Posture::default() }, "what is said once only stays");
        // Apple's answers come one by one: what another one said is not touched.
        let mut apple = Posture { os_version: fact("18.1"), ..Posture::default() };
        apple.forget_security();
        assert_eq!(apple.os_version, fact("18.1"));
    }
}
