//! Policies: created, changed, removed, and brought to the devices that they reach.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result,
    groups::{check_groups, checked_name, taken},
};
use crate::{
    domain::{
        audit::Actor,
        id::{DeviceId, GroupId, PolicyId},
        policy::Rules,
    },
    store::{
        Tx,
        audit::{self, Entry},
        devices,
        jobs::{self, NewJob},
        page::PageRequest,
        policies::{self, Policy},
    },
};

/// The kind of the jobs that bring changed policies to devices.
pub const ROLLOUT: &str = "policy_rollout";
/// Devices in one transaction of a rollout.
const BATCH: i64 = 100;

/// A policy as somebody wants it to be.
#[derive(Debug, Clone)]
pub struct WantedPolicy {
    /// Its name.
    pub name: String,
    /// The groups whose members it reaches.
    pub groups: Vec<GroupId>,
    /// Whether it reaches everyone. Where nobody said: a new policy without groups does; a changed one stays as it is, so that
    /// taking away its last group does not turn it against everybody.
    pub is_for_everyone: Option<bool>,
    /// What it asks for.
    pub rules: Rules,
}

impl App {
    /// Creates a policy.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value is out of its range, [`Error::Conflict`] where the name is taken.
    pub async fn create_policy(self: &Arc<Self>, actor: Actor, wanted: WantedPolicy) -> Result<Policy> {
        let app = Arc::clone(self);
        let name = checked(&wanted)?;
        let policy = self
            .write(move |tx| {
                check_groups(tx, &wanted.groups)?;
                let now = app.now();
                let is_for_everyone = wanted.is_for_everyone.unwrap_or(wanted.groups.is_empty());
                let policy = Policy {
                    id: PolicyId::new(),
                    name,
                    is_for_everyone,
                    groups: wanted.groups,
                    rules: wanted.rules,
                    created_at: now,
                    updated_at: now,
                };
                policies::insert(tx, &policy).map_err(|error| taken(error.into()))?;
                enqueue_rollout(tx, Some(policy.id))?;
                app.note_policy(tx, &actor, "policy.create", &policy, json!({ "after": describe(&policy) }))?;
                Ok(policy)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(policy)
    }

    /// Replaces a policy.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Conflict`].
    pub async fn change_policy(self: &Arc<Self>, actor: Actor, id: PolicyId, wanted: WantedPolicy) -> Result<Policy> {
        let app = Arc::clone(self);
        let name = checked(&wanted)?;
        let policy = self
            .write(move |tx| {
                check_groups(tx, &wanted.groups)?;
                let before = policies::find(tx, id)?.ok_or(Error::NotFound("policy"))?;
                let is_for_everyone = wanted.is_for_everyone.unwrap_or(before.is_for_everyone && wanted.groups.is_empty());
                let policy =
                    Policy { name, is_for_everyone, groups: wanted.groups, rules: wanted.rules, updated_at: app.now(), ..before.clone() };
                policies::update(tx, &policy).map_err(|error| taken(error.into()))?;
                // Those that it reached before are affected as well.
                enqueue_rollout(tx, None)?;
                app.note_policy(tx, &actor, "policy.change", &policy, json!({ "before": describe(&before), "after": describe(&policy) }))?;
                Ok(policy)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(policy)
    }

    /// Removes a policy; devices are no longer held to it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_policy(self: &Arc<Self>, actor: Actor, id: PolicyId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let policy = policies::find(tx, id)?.ok_or(Error::NotFound("policy"))?;
            policies::delete(tx, id)?;
            enqueue_rollout(tx, None)?;
            app.note_policy(tx, &actor, "policy.delete", &policy, json!({ "before": describe(&policy) }))
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(())
    }

    fn note_policy(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, policy: &Policy, detail: serde_json::Value) -> Result<()> {
        let entry = Entry { at: self.now(), actor, action, subject_kind: "policy", subject: policy.id.to_string(), detail };
        Ok(audit::record(tx, &entry)?)
    }

    /// Brings policies to the devices that they reach: verdicts and passcode profiles, batch by batch.
    ///
    /// * `policy`: the one that changed, or `None` for all devices.
    ///
    /// # Errors
    /// Those of the database; what was done stays done, and doing it again does no harm.
    pub async fn roll_out(self: &Arc<Self>, policy: Option<PolicyId>) -> Result<usize> {
        let mut after: Option<DeviceId> = None;
        let mut count = 0_usize;
        loop {
            let app = Arc::clone(self);
            let batch = self
                .write(move |tx| {
                    let batch = next_batch(tx, policy, after)?;
                    for id in &batch {
                        app.reconcile_device(tx, *id, "policy")?;
                    }
                    Ok(batch)
                })
                .await?;
            count = count.saturating_add(batch.len());
            match batch.last() {
                Some(last) => after = Some(*last),
                None => return Ok(count),
            }
        }
    }
}

fn next_batch(tx: &mut Tx<'_>, policy: Option<PolicyId>, after: Option<DeviceId>) -> Result<Vec<DeviceId>> {
    if let Some(id) = policy {
        return match policies::find(tx, id)? {
            Some(policy) => Ok(policies::devices_reached(tx, &policy, after, BATCH)?),
            None => Ok(Vec::new()),
        };
    }
    let page = PageRequest { limit: BATCH - 1, after };
    let items = devices::list_items(tx, &devices::Filter::default(), page)?;
    Ok(items.into_iter().map(|(device, _)| device.id).collect())
}

/// Enqueues the job that brings a changed policy, or all of them, to the devices.
pub(super) fn enqueue_rollout(tx: &mut Tx<'_>, policy: Option<PolicyId>) -> Result<()> {
    let key = policy.map_or_else(|| format!("{ROLLOUT}:all"), |id| format!("{ROLLOUT}:{id}"));
    Ok(jobs::enqueue(tx, &NewJob { kind: ROLLOUT, key, payload: json!({ "policy": policy }), delay_seconds: 0 })?)
}

fn checked(wanted: &WantedPolicy) -> Result<String> {
    wanted.rules.check().map_err(|error| Error::invalid(error.field(), error))?;
    checked_name(&wanted.name)
}

fn describe(policy: &Policy) -> serde_json::Value {
    json!({ "name": policy.name, "everyone": policy.is_for_everyone, "groups": policy.groups, "rules": policy.rules })
}
