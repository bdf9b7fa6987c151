//! What an organization decides about access: its settings, whom it leaves alone, and its rules for kinds of devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Candidate, Decision,
    pattern::{VersionRange, fits},
};
use crate::{
    domain::{device::Platform, id::GroupId},
    words,
};

words! {
    /// What the gate does while the database does not answer.
    pub enum GateOutage {
        /// Nobody comes in.
        FailClosed = "fail_closed",
        /// Those whom the server has decided about a short time ago are treated as they were then; nobody else comes in.
        FailOpen = "fail_open",
    }
}

/// Most rules.
const MOST_RULES: usize = 200;
/// Most characters of a pattern or a note.
const LONGEST: usize = 200;

/// What an organization decides about access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessRules {
    /// Devices that cannot be managed.
    pub unsupported_devices: Decision,
    /// Devices that are not enrolled, and whoever does not show a device at all.
    pub unenrolled_devices: Decision,
    /// Devices of which too little is known.
    pub unknown_compliance: Decision,
    /// Devices that break their policy: `quarantine` or `block`.
    pub noncompliant_devices: Decision,
    /// Identifiers of groups whose members' devices come in however they stand.
    pub excluded_groups: Vec<GroupId>,
    /// Rules for kinds of devices; the first that matches decides.
    pub rules: Vec<DeviceRule>,
    /// What the gate does while the database does not answer.
    pub gate_outage: GateOutage,
}

impl Default for AccessRules {
    fn default() -> Self {
        Self {
            unsupported_devices: Decision::Block,
            unenrolled_devices: Decision::Quarantine,
            unknown_compliance: Decision::Quarantine,
            noncompliant_devices: Decision::Block,
            excluded_groups: Vec::new(),
            rules: Vec::new(),
            gate_outage: GateOutage::FailClosed,
        }
    }
}

/// A rule for a kind of device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRule {
    /// Which devices.
    #[serde(rename = "match")]
    pub matches: DeviceMatch,
    /// What is decided about them.
    pub decision: Decision,
    /// Why there is this rule.
    #[serde(default)]
    pub note: String,
}

/// Which devices a rule is for: all that is given must be so. A device of which something is not known is not matched by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceMatch {
    /// The platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The model's name or product code; `*` stands for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The system's version: `17` for 17 and all that begin with it, or `<17.4`, `<=17.4`, `>17`, `>=17`, `=17.4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the program that asks calls itself; `*` stands for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

impl DeviceMatch {
    /// Whether nothing is given.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.platform.is_none() && self.model.is_none() && self.os_version.is_none() && self.user_agent.is_none()
    }

    fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let fits_one = |pattern: &str, texts: [Option<&str>; 2]| texts.into_iter().flatten().any(|text| fits(pattern, text));
        let is_version = |range: &str| {
            let version = candidate.os_version.unwrap_or_default();
            VersionRange::parse(range).is_some_and(|range| range.contains(version))
        };
        self.platform.is_none_or(|platform| platform == candidate.platform)
            && self.model.as_deref().is_none_or(|pattern| fits_one(pattern, [candidate.model, candidate.product]))
            && self.os_version.as_deref().is_none_or(is_version)
            && self.user_agent.as_deref().is_none_or(|pattern| fits_one(pattern, [candidate.user_agent, None]))
    }
}

/// Access rules that are not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct RulesError {
    /// The field.
    pub field: String,
    /// What is wrong; goes on from the field's name.
    pub why: &'static str,
}

impl AccessRules {
    /// The place of the first rule that matches. One that lets in matches only who has shown which device it is.
    #[must_use]
    pub fn matching(&self, candidate: &Candidate<'_>) -> Option<usize> {
        let may_decide = |rule: &DeviceRule| candidate.is_identified || rule.decision != Decision::Allow;
        self.rules.iter().position(|rule| may_decide(rule) && rule.matches.matches(candidate))
    }

    /// Whether a decision may depend on the program that asks.
    #[must_use]
    pub fn looks_at_programs(&self) -> bool {
        self.rules.iter().any(|rule| rule.matches.user_agent.is_some())
    }

    /// Whether every value is usable. That the groups exist is not known here.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self) -> Result<(), RulesError> {
        let wrong = |field: String, why| Err(RulesError { field, why });
        if self.noncompliant_devices == Decision::Allow {
            return wrong(
                "noncompliant_devices".into(),
                "must be quarantine or block; a policy that only reports lets its devices in (enforcement: allow_and_report)",
            );
        }
        if self.rules.len() > MOST_RULES {
            return wrong("rules".into(), "must be no more than 200");
        }
        for (place, rule) in self.rules.iter().enumerate() {
            let at = |name: &str| format!("rules[{place}].{name}");
            let DeviceMatch { model, os_version, user_agent, .. } = &rule.matches;
            if rule.matches.is_empty() {
                return wrong(at("match"), "must name at least one of platform, model, os_version, user_agent");
            }
            for (name, pattern) in [("match.model", model), ("match.user_agent", user_agent)] {
                if pattern.as_deref().is_some_and(|text| text.trim().is_empty() || !is_line(text)) {
                    return wrong(at(name), "must be 1 to 200 characters without line breaks");
                }
            }
            if os_version.as_deref().is_some_and(|text| !is_line(text) || VersionRange::parse(text).is_none()) {
                return wrong(at("match.os_version"), "must be a version such as 17 or 17.4, or a range such as <17.4 or >=16");
            }
            if !is_line(&rule.note) {
                return wrong(at("note"), "must be up to 200 characters without line breaks");
            }
        }
        Ok(())
    }
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}
