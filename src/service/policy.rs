//! Policies: created, changed, removed.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result,
    groups::{check_groups_exist, checked_name, taken},
    rollout,
};
use crate::{
    domain::{
        audit::Actor,
        id::{GroupId, PolicyId},
        policy::Rules,
    },
    store::{
        Tx,
        audit::{self, Entry},
        policies::{self, Policy},
        rollouts::Scope,
    },
};

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
                check_groups_exist(tx, &wanted.groups)?;
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
                rollout::begin(tx, &app, &scope_of(&policy), &format!("The policy {} was created", policy.name))?;
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
                check_groups_exist(tx, &wanted.groups)?;
                let before = policies::find(tx, id)?.ok_or(Error::NotFound("policy"))?;
                let is_for_everyone = wanted.is_for_everyone.unwrap_or(before.is_for_everyone && wanted.groups.is_empty());
                let policy =
                    Policy { name, is_for_everyone, groups: wanted.groups, rules: wanted.rules, updated_at: app.now(), ..before.clone() };
                policies::update(tx, &policy).map_err(|error| taken(error.into()))?;
                // Those that it reached before are affected as well.
                rollout::begin(tx, &app, &scope_of_both(&before, &policy), &format!("The policy {} was changed", policy.name))?;
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
            rollout::begin(tx, &app, &scope_of(&policy), &format!("The policy {} was deleted", policy.name))?;
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
}

/// Whose devices a policy reaches.
#[must_use]
pub fn scope_of(policy: &Policy) -> Scope {
    if policy.is_for_everyone { Scope::Everyone } else { Scope::Groups(policy.groups.clone()) }
}

/// Whose devices a policy reaches before or after a change.
pub(super) fn scope_of_both(before: &Policy, after: &Policy) -> Scope {
    match (scope_of(before), scope_of(after)) {
        (Scope::Groups(mut groups), Scope::Groups(others)) => {
            groups.extend(others);
            groups.sort_unstable();
            groups.dedup();
            Scope::Groups(groups)
        }
        _ => Scope::Everyone,
    }
}

pub(super) fn checked(wanted: &WantedPolicy) -> Result<String> {
    wanted.rules.check().map_err(|error| Error::invalid(error.field(), error))?;
    checked_name(&wanted.name)
}

fn describe(policy: &Policy) -> serde_json::Value {
    json!({ "name": policy.name, "everyone": policy.is_for_everyone, "groups": policy.groups, "rules": policy.rules })
}
