//! What the organization asks of devices, read once for many of them: the policies, and what each becomes on a device.

use std::collections::HashMap;

use super::{App, Error, Result, comply::Known, settings};
use crate::{
    android,
    apple::profile::{self, Profile},
    domain::{
        backend::Backend,
        device::Platform,
        id::{GroupId, PolicyId},
        passcode::PasscodePolicy,
        policy::EffectivePolicy,
    },
    store::{
        Conn,
        policies::{self, Policy},
        standings::Standing,
    },
};

/// The policies, and the passcode profiles that were made from them.
pub(super) struct Asked {
    policies: Vec<Policy>,
    organization: String,
    reverse_dns: String,
    /// By the requirements as JSON: many devices have the same.
    profiles: HashMap<String, Profile>,
}

impl Asked {
    /// As it is.
    pub fn read(conn: &mut Conn, app: &App) -> Result<Self> {
        let organization = settings::read(conn, &app.default_sender)?.organization;
        Ok(Self { policies: policies::all(conn)?, organization, reverse_dns: app.reverse_dns.clone(), profiles: HashMap::new() })
    }

    /// As it would be with this policy, new or in place of the one that has its identifier.
    pub fn with(&self, policy: Policy) -> Self {
        let mut policies: Vec<Policy> = self.policies.iter().filter(|other| other.id != policy.id).cloned().collect();
        policies.push(policy);
        Self { policies, organization: self.organization.clone(), reverse_dns: self.reverse_dns.clone(), profiles: HashMap::new() }
    }

    /// The policy of this identifier.
    pub fn policy(&self, id: PolicyId) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.id == id)
    }

    fn policy_for(&self, groups: &[GroupId]) -> Option<EffectivePolicy> {
        let reaching = self.policies.iter().filter(|policy| reaches(policy, groups));
        EffectivePolicy::merge(reaching.map(|policy| (policy.id, policy.name.clone(), policy.rules.clone())))
    }

    /// All that a verdict about a device rests on.
    pub fn known(&mut self, standing: Standing) -> Result<Known> {
        let policy = self.policy_for(&standing.groups);
        let backend = standing.enrollment.as_ref().map_or(Backend::Apple, |enrollment| enrollment.backend);
        let passcode = match policy.as_ref().map(|policy| &policy.rules.passcode) {
            Some(passcode) if takes_profile(&standing) && passcode.asks_for_something() => Some(self.profile(passcode)?),
            _ => None,
        };
        let policy_version = policy.as_ref().and_then(|policy| android::policy::wanted_version(backend, &policy.rules));
        Ok(Known {
            device: standing.device,
            enrollment: standing.enrollment,
            posture: standing.posture,
            policy,
            passcode,
            policy_version,
            organization: self.organization.clone(),
            user: standing.user,
        })
    }

    fn profile(&mut self, passcode: &PasscodePolicy) -> Result<Profile> {
        let key = serde_json::to_string(passcode).map_err(|error| Error::internal("writing the requirements of a passcode", error))?;
        if let Some(made) = self.profiles.get(&key) {
            return Ok(made.clone());
        }
        let made = profile::passcode::profile(&self.reverse_dns, &self.organization, passcode)
            .map_err(|error| Error::internal("making the passcode profile", error))?;
        self.profiles.insert(key, made.clone());
        Ok(made)
    }
}

/// Whether a policy reaches somebody who is in these groups.
pub(super) fn reaches(policy: &Policy, groups: &[GroupId]) -> bool {
    policy.is_for_everyone || policy.groups.iter().any(|group| groups.contains(group))
}

/// A User Enrollment ignores passcode payloads, so it gets none; nor does anything that is not Apple's.
fn takes_profile(standing: &Standing) -> bool {
    let is_apple = matches!(standing.device.platform, Platform::Ios | Platform::Ipados);
    is_apple && standing.enrollment.as_ref().is_none_or(|enrollment| !enrollment.is_user_enrollment)
}
