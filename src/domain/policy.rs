//! Policies: what an organization asks of a device, and how several policies become one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    device::Platform,
    id::PolicyId,
    ladder::Ladder,
    passcode::{OutOfRange, PasscodePolicy},
};
use crate::words;

words! {
    /// What happens to a device that breaks the policy.
    pub enum Enforcement {
        /// It loses access after the grace period.
        Block = "block",
        /// It keeps access and is reported.
        AllowAndReport = "allow_and_report",
    }
}

/// The rules of one policy; to whom it applies is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// What the passcode must be like.
    pub passcode: PasscodePolicy,
    /// The device must be encrypted.
    pub require_encryption: bool,
    /// A jailbroken or rooted device breaks the policy.
    pub block_compromised: bool,
    /// Lowest accepted system version of each platform.
    pub min_os: MinOs,
    /// Mail must come through an account that the organization installed.
    pub require_managed_mail: bool,
    /// Days without contact after which a device breaks the policy, 1 to 120.
    pub max_silence_days: u16,
    /// Days between the first violation and the loss of access, 0 to 365.
    pub grace_days: u16,
    /// What happens then.
    pub enforcement: Enforcement,
    /// Who is told meanwhile, and what comes in the end.
    pub ladder: Ladder,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            passcode: PasscodePolicy::unrestricted(),
            require_encryption: false,
            block_compromised: false,
            min_os: MinOs::default(),
            require_managed_mail: false,
            max_silence_days: 30,
            grace_days: 0,
            enforcement: Enforcement::Block,
            ladder: Ladder::default(),
        }
    }
}

/// Lowest accepted system versions, such as "17.4".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MinOs {
    /// Of an iPhone.
    pub ios: Option<String>,
    /// Of an iPad.
    pub ipados: Option<String>,
    /// Of an Android device.
    pub android: Option<String>,
}

impl MinOs {
    /// The version for this platform, if one is asked for.
    #[must_use]
    pub fn of(&self, platform: Platform) -> Option<&str> {
        match platform {
            Platform::Ios => self.ios.as_deref(),
            Platform::Ipados => self.ipados.as_deref(),
            Platform::Android => self.android.as_deref(),
            Platform::Macos | Platform::Browser | Platform::Other => None,
        }
    }
}

/// What is wrong with the rules of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A number is out of its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A version is not digits and dots.
    #[error("{field} must be a version such as 17.4")]
    Version {
        /// The field's name in the API.
        field: &'static str,
    },
}

impl RulesError {
    /// The field's name in the API.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::OutOfRange(error) => error.field,
            Self::Version { field } => field,
        }
    }
}

impl Rules {
    /// Checks every range.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), RulesError> {
        self.passcode.check()?;
        if !(1..=120).contains(&self.max_silence_days) {
            return Err(OutOfRange { field: "max_silence_days", least: 1, most: 120 }.into());
        }
        if self.grace_days > 365 {
            return Err(OutOfRange { field: "grace_days", least: 0, most: 365 }.into());
        }
        if self.ladder.remind_every_days > 30 {
            return Err(OutOfRange { field: "ladder.remind_every_days", least: 0, most: 30 }.into());
        }
        if self.ladder.retire_after_days.is_some_and(|days| !(1..=365).contains(&days)) {
            return Err(OutOfRange { field: "ladder.retire_after_days", least: 1, most: 365 }.into());
        }
        for (field, version) in
            [("min_os.ios", &self.min_os.ios), ("min_os.ipados", &self.min_os.ipados), ("min_os.android", &self.min_os.android)]
        {
            if version.as_deref().is_some_and(|version| parse_version(version).is_none()) {
                return Err(RulesError::Version { field });
            }
        }
        Ok(())
    }
}

/// A version as numbers, or `None` where the text is not digits and dots. "17.4" and "17.4.0" are equal.
#[must_use]
pub fn parse_version(text: &str) -> Option<Vec<u32>> {
    let mut numbers = text.trim().split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()?;
    if numbers.len() > 6 {
        return None;
    }
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

/// What all policies that reach one device ask of it together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectivePolicy {
    /// The strictest value of each setting.
    pub rules: Rules,
    /// The policies that reach the device, with their names.
    pub from: Vec<(PolicyId, String)>,
}

impl EffectivePolicy {
    /// Merges the policies that reach a device; `None` where none does.
    #[must_use]
    pub fn merge(policies: impl IntoIterator<Item = (PolicyId, String, Rules)>) -> Option<Self> {
        policies.into_iter().fold(None, |merged: Option<Self>, (id, name, rules)| match merged {
            None => Some(Self { rules, from: vec![(id, name)] }),
            Some(mut merged) => {
                merged.rules = strictest(&merged.rules, &rules);
                merged.from.push((id, name));
                Some(merged)
            }
        })
    }
}

/// The strictest of each setting of both.
fn strictest(a: &Rules, b: &Rules) -> Rules {
    Rules {
        passcode: a.passcode.strictest(&b.passcode),
        require_encryption: a.require_encryption || b.require_encryption,
        block_compromised: a.block_compromised || b.block_compromised,
        min_os: MinOs {
            ios: higher(a.min_os.ios.as_ref(), b.min_os.ios.as_ref()),
            ipados: higher(a.min_os.ipados.as_ref(), b.min_os.ipados.as_ref()),
            android: higher(a.min_os.android.as_ref(), b.min_os.android.as_ref()),
        },
        require_managed_mail: a.require_managed_mail || b.require_managed_mail,
        max_silence_days: a.max_silence_days.min(b.max_silence_days),
        grace_days: a.grace_days.min(b.grace_days),
        enforcement: if a.enforcement == Enforcement::Block { a.enforcement } else { b.enforcement },
        ladder: a.ladder.strictest(&b.ladder),
    }
}

/// The higher of two versions, where none means any.
fn higher(a: Option<&String>, b: Option<&String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if parse_version(a) >= parse_version(b) { a } else { b }.clone()),
        (only, None) | (None, only) => only.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_policies_become_the_strictest_of_each_setting() {
        let lax = Rules { grace_days: 7, enforcement: Enforcement::AllowAndReport, ..Rules::default() };
        let strict = Rules { max_silence_days: 5, min_os: MinOs { ios: Some("17.4".into()), ..MinOs::default() }, ..Rules::default() };
        let merged = EffectivePolicy::merge([(PolicyId::new(), "a".into(), lax), (PolicyId::new(), "b".into(), strict)]).unwrap();
        assert_eq!(merged.rules.grace_days, 0);
        assert_eq!(merged.rules.max_silence_days, 5);
        assert_eq!(merged.rules.enforcement, Enforcement::Block);
        assert_eq!(merged.rules.min_os.ios.as_deref(), Some("17.4"));
        assert_eq!(merged.from.len(), 2);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(parse_version("17.10") > parse_version("17.9"));
        assert_eq!(parse_version("17.4.0"), parse_version("17.4"));
        assert_eq!(parse_version("seventeen"), None);
        assert_eq!(higher(Some(&"9.3".into()), Some(&"17.0".into())).as_deref(), Some("17.0"));
    }

    #[test]
    fn rules_out_of_range_are_named() {
        assert_eq!(Rules { max_silence_days: 0, ..Rules::default() }.check().unwrap_err().field(), "max_silence_days");
        assert_eq!(Rules { grace_days: 366, ..Rules::default() }.check().unwrap_err().field(), "grace_days");
        let odd = Rules { min_os: MinOs { ios: Some("x".into()), ..MinOs::default() }, ..Rules::default() };
        assert_eq!(odd.check().unwrap_err().field(), "min_os.ios");
    }
}
