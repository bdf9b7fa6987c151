//! What a policy would change, computed from what is known now by the same functions that decide afterwards. Nothing is saved.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    App, Error, Result,
    asked::{Asked, reaches},
    groups::check_groups_exist,
    policy::{WantedPolicy, checked},
};
use crate::{
    domain::{
        access::Decision,
        compliance::{Reason, Status, Verdict},
        device::EnrollmentState,
        id::{DeviceId, PolicyId, UserId},
        time::Timestamp,
    },
    store::{
        Conn,
        policies::Policy,
        rollouts::{self, Scope},
        standings,
    },
};

/// Devices that are read at once.
const BATCH: i64 = 500;
/// Most devices that are named one by one.
const MOST_NAMED: usize = 100;

/// What a policy would change.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// Devices that the policy reaches, or would no longer reach.
    pub devices_affected: i64,
    /// Devices of any verdict that would get another one.
    pub verdicts_changed: i64,
    /// Devices that would become non-compliant, or would have to be mended within the grace period.
    pub newly_noncompliant: i64,
    /// Of those, the ones that would still have time.
    pub newly_in_grace: i64,
    /// Devices that would become compliant.
    pub newly_compliant: i64,
    /// Devices that would lose access at once.
    pub newly_blocked_devices: i64,
    /// People who would lose access with a device at once.
    pub newly_blocked_users: i64,
    /// Devices that would get access.
    pub newly_allowed_devices: i64,
    /// Devices whose verdict or access would change, one by one; not all where there are very many.
    pub changes: Vec<Change>,
    /// There are more changes than those.
    pub is_cut: bool,
}

/// One device that something would change for.
#[derive(Debug, Clone)]
pub struct Change {
    /// The device.
    pub device: DeviceId,
    /// Its name or model.
    pub name: String,
    /// Its owner's address.
    pub email: String,
    /// The verdict now.
    pub before: Status,
    /// The verdict then.
    pub after: Status,
    /// The access now.
    pub access_before: Decision,
    /// The access then.
    pub access_after: Decision,
    /// When it would lose access, where it has time until then.
    pub deadline: Option<Timestamp>,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl App {
    /// Finds out what a policy would change.
    ///
    /// * `id`: the policy that it would replace; none for a new one.
    ///
    /// # Errors
    /// [`Error::NotFound`], and [`Error::Invalid`] where it could not be saved either.
    pub async fn preview_policy(self: &Arc<Self>, id: Option<PolicyId>, wanted: WantedPolicy) -> Result<Preview> {
        let name = checked(&wanted)?;
        let app = Arc::clone(self);
        let mut run = self.read(move |conn| Run::begin(conn, &app, id, name, wanted)).await?;
        loop {
            // One connection for each batch: a long look must not keep others waiting.
            let app = Arc::clone(self);
            let (next, is_last) = self
                .read(move |conn| {
                    let is_last = run.batch(conn, &app)?;
                    Ok::<_, Error>((run, is_last))
                })
                .await?;
            run = next;
            if is_last {
                return Ok(run.finish());
            }
        }
    }
}

/// A preview under way.
struct Run {
    scope: Scope,
    now_asked: Asked,
    then_asked: Asked,
    policy: Policy,
    before: Option<Policy>,
    after: Option<DeviceId>,
    blocked_users: BTreeSet<UserId>,
    found: Preview,
}

impl Run {
    fn begin(conn: &mut Conn, app: &App, id: Option<PolicyId>, name: String, wanted: WantedPolicy) -> Result<Self> {
        check_groups_exist(conn, &wanted.groups)?;
        let now_asked = Asked::read(conn, app)?;
        let before = match id {
            Some(id) => Some(now_asked.policy(id).cloned().ok_or(Error::NotFound("policy"))?),
            None => None,
        };
        let is_for_everyone = match &before {
            Some(before) => wanted.is_for_everyone.unwrap_or(before.is_for_everyone && wanted.groups.is_empty()),
            None => wanted.is_for_everyone.unwrap_or(wanted.groups.is_empty()),
        };
        let policy = Policy {
            id: before.as_ref().map_or_else(PolicyId::new, |policy| policy.id),
            name,
            is_for_everyone,
            groups: wanted.groups,
            rules: wanted.rules,
            created_at: app.now(),
            updated_at: app.now(),
        };
        let scope =
            before.as_ref().map_or_else(|| super::policy::scope_of(&policy), |before| super::policy::scope_of_both(before, &policy));
        let then_asked = now_asked.with(policy.clone());
        Ok(Self { scope, now_asked, then_asked, policy, before, after: None, blocked_users: BTreeSet::new(), found: Preview::default() })
    }

    fn batch(&mut self, conn: &mut Conn, app: &App) -> Result<bool> {
        let ids = rollouts::next_devices(conn, &self.scope, self.after, BATCH)?;
        self.after = ids.last().copied().or(self.after);
        let is_last = i64::try_from(ids.len()).unwrap_or(BATCH) < BATCH;
        for standing in standings::load(conn, &ids)? {
            let is_reached =
                reaches(&self.policy, &standing.groups) || self.before.as_ref().is_some_and(|before| reaches(before, &standing.groups));
            if !is_reached || standing.device.state != EnrollmentState::Enrolled {
                continue;
            }
            self.found.devices_affected = self.found.devices_affected.saturating_add(1);
            let email = standing.email.clone();
            let (_, access_now) = self.now_asked.known(standing.clone())?.conclude(app.now())?;
            let then = self.then_asked.known(standing)?;
            let (verdict, access) = then.conclude(app.now())?;
            self.count(&then.device, &email, access_now, &verdict, access);
        }
        Ok(is_last)
    }

    fn count(&mut self, device: &crate::store::devices::Device, email: &str, access_before: Decision, verdict: &Verdict, access: Decision) {
        let found = &mut self.found;
        let add = |number: &mut i64| *number = number.saturating_add(1);
        let has_changed = verdict.status != device.compliance;
        let is_bad = |status: Status| matches!(status, Status::InGrace | Status::Noncompliant);
        if has_changed {
            add(&mut found.verdicts_changed);
        }
        if is_bad(verdict.status) && !is_bad(device.compliance) {
            add(&mut found.newly_noncompliant);
            if verdict.status == Status::InGrace {
                add(&mut found.newly_in_grace);
            }
        }
        if verdict.status == Status::Compliant && has_changed {
            add(&mut found.newly_compliant);
        }
        match (access_before == Decision::Allow, access == Decision::Allow) {
            (true, false) => {
                add(&mut found.newly_blocked_devices);
                self.blocked_users.insert(device.user_id);
            }
            (false, true) => add(&mut found.newly_allowed_devices),
            _ => {}
        }
        if !has_changed && access == access_before {
            return;
        }
        if found.changes.len() >= MOST_NAMED {
            found.is_cut = true;
            return;
        }
        found.changes.push(Change {
            device: device.id,
            name: device.device_name.clone().or_else(|| device.model.clone()).unwrap_or_else(|| device.platform.to_string()),
            email: email.to_owned(),
            before: device.compliance,
            after: verdict.status,
            access_before,
            access_after: access,
            deadline: verdict.deadline,
            reasons: verdict.reasons.clone(),
        });
    }

    fn finish(mut self) -> Preview {
        self.found.newly_blocked_users = i64::try_from(self.blocked_users.len()).unwrap_or(i64::MAX);
        self.found
    }
}
