//! Which policy each setting that holds for a device comes from.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    id::PolicyId,
    policy::{EffectivePolicy, Rules},
};

/// One setting that holds for a device.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Origin {
    /// Its name in the API, such as `passcode.min_length`.
    pub setting: String,
    /// Its value.
    #[schema(value_type = Object)]
    pub value: Value,
    /// The policies that ask for just this value.
    pub policies: Vec<PolicyOfSetting>,
}

/// A policy that a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PolicyOfSetting {
    /// Identifier.
    pub id: PolicyId,
    /// Name.
    pub name: String,
}

/// The settings that hold for a device with the policies that they come from. A setting that nobody asks for is left out.
#[must_use]
pub fn origins(policies: &[(PolicyId, String, Rules)]) -> Vec<Origin> {
    let Some(effective) = EffectivePolicy::merge(policies.iter().cloned()) else { return Vec::new() };
    let asked: Vec<_> = policies.iter().map(|(id, name, rules)| (id, name, flat(rules))).collect();
    let usual = flat(&Rules::default());
    let mut origins = Vec::new();
    for (setting, value) in flat(&effective.rules) {
        let is_said = |settings: &[(String, Value)]| settings.iter().any(|(name, said)| *name == setting && *said == value);
        // Days of silence and grace and the consequence always hold; of the others only what somebody asked for.
        if is_said(&usual) && !ALWAYS.contains(&setting.as_str()) {
            continue;
        }
        let from = asked.iter().filter(|(_, _, settings)| is_said(settings));
        let policies = from.map(|(id, name, _)| PolicyOfSetting { id: **id, name: (*name).clone() }).collect();
        origins.push(Origin { setting, value, policies });
    }
    origins
}

const ALWAYS: [&str; 3] = ["max_silence_days", "grace_days", "enforcement"];

/// The settings by their names in the API, in the order of the definition.
fn flat(rules: &Rules) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    // Rules are plain data, which always can be written.
    if let Ok(Value::Object(fields)) = serde_json::to_value(rules) {
        for (name, value) in fields {
            match value {
                Value::Object(inner) => settings.extend(inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value))),
                value => settings.push((name, value)),
            }
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::passcode::PasscodePolicy;

    #[test]
    fn each_setting_names_the_policies_that_ask_for_its_value() {
        let six =
            Rules { passcode: PasscodePolicy { required: true, min_length: 6, ..PasscodePolicy::unrestricted() }, ..Rules::default() };
        let eight = Rules {
            passcode: PasscodePolicy { required: true, min_length: 8, ..PasscodePolicy::unrestricted() },
            max_silence_days: 7,
            ..Rules::default()
        };
        let found = origins(&[(PolicyId::new(), "All".into(), six), (PolicyId::new(), "Board".into(), eight)]);
        let of = |setting: &str| {
            let origin = found.iter().find(|origin| origin.setting == setting)?;
            Some((origin.value.clone(), origin.policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>()))
        };
        assert_eq!(of("passcode.required"), Some((true.into(), vec!["All", "Board"])));
        assert_eq!(of("passcode.min_length"), Some((8.into(), vec!["Board"])));
        assert_eq!(of("max_silence_days"), Some((7.into(), vec!["Board"])));
        assert_eq!(of("grace_days"), Some((0.into(), vec!["All", "Board"])));
        assert_eq!(of("require_encryption"), None);
        assert_eq!(origins(&[]), []);
    }
}
