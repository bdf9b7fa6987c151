//! What the policies ask of a device together, setting by setting, with the policies that each setting comes from.

use serde::Serialize;

use super::policy_words;
use crate::domain::{
    id::PolicyId,
    origin::{Origin, PolicyOfSetting, origins},
    policy::Rules,
};

/// A policy that reaches the device.
#[derive(Debug, Serialize)]
pub(super) struct PolicyRow {
    id: PolicyId,
    name: String,
}

/// One setting that holds for the device.
#[derive(Debug, Serialize)]
pub(super) struct AskedRow {
    what: String,
    from: Vec<PolicyOfSetting>,
}

/// The settings that hold, in words.
pub(super) fn asked(policies: &[(PolicyId, String, Rules)]) -> Vec<AskedRow> {
    let row = |origin: Origin| AskedRow { what: policy_words::setting(&origin.setting, &origin.value), from: origin.policies };
    origins(policies).into_iter().map(row).collect()
}

/// The policies themselves.
pub(super) fn rows(policies: Vec<(PolicyId, String, Rules)>) -> Vec<PolicyRow> {
    policies.into_iter().map(|(id, name, _)| PolicyRow { id, name }).collect()
}
