//! What the organization decides about access: its rules, and what an administrator decides about one device.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, groups::check_groups_exist, rollout, wipe::lock_device};
use crate::{
    domain::{
        access::{AccessRules, Decision, GateOutage},
        audit::Actor,
        id::DeviceId,
        time::Timestamp,
    },
    store::{
        Tx,
        access::{self, ExceptionRow},
        audit::{self, Entry},
        rollouts::Scope,
    },
};

/// Most days that an exception may last.
const LONGEST_DAYS: i64 = 366;

/// What an administrator wants to hold for one device, whatever the rules say.
#[derive(Debug, Clone)]
pub struct WantedException {
    /// The decision.
    pub decision: Decision,
    /// When it ends.
    pub until: Timestamp,
    /// Why.
    pub note: String,
}

impl App {
    /// The access rules in force.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn access_rules(&self) -> Result<AccessRules> {
        Ok(self.read(access::rules).await?)
    }

    /// Replaces the access rules. They hold at the gate at once, and every device is decided about anew.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field that is not usable.
    pub async fn change_access_rules(self: &Arc<Self>, actor: Actor, wanted: AccessRules) -> Result<AccessRules> {
        wanted.check().map_err(|error| Error::invalid(error.field, error.why))?;
        let app = Arc::clone(self);
        let rules = self
            .write(move |tx| {
                check_groups_exist(tx, &wanted.excluded_groups).map_err(of_excluded)?;
                let before = access::rules(tx)?;
                access::set_rules(tx, &wanted, app.now())?;
                let after = access::rules(tx)?;
                let same_outage = |rules: &AccessRules| AccessRules { gate_outage: GateOutage::FailClosed, ..rules.clone() };
                if same_outage(&before) != same_outage(&after) {
                    rollout::begin(tx, &app, &Scope::Everyone, "The access rules were changed")?;
                }
                let detail = json!({ "before": before, "after": after });
                let subject = "access_rules".to_owned();
                let entry =
                    Entry { at: app.now(), actor: &actor, action: "access_rules.change", subject_kind: "settings", subject, detail };
                audit::record(tx, &entry)?;
                Ok(after)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(rules)
    }

    /// Decides about one device until a date, whatever the rules say. It holds at once.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] where the date or the note is not usable.
    pub async fn set_exception(self: &Arc<Self>, actor: Actor, device: DeviceId, wanted: WantedException) -> Result<ExceptionRow> {
        let now = self.now();
        let note = wanted.note.trim().to_owned();
        if wanted.until <= now || wanted.until > now.plus_days(LONGEST_DAYS) {
            return Err(Error::invalid("until", format!("must be in the future, and no more than {LONGEST_DAYS} days from now")));
        }
        if note.chars().count() > 200 || note.chars().any(char::is_control) {
            return Err(Error::invalid("note", "must be up to 200 characters without line breaks"));
        }
        let app = Arc::clone(self);
        self.write(move |tx| {
            lock_device(tx, device)?;
            let row = ExceptionRow {
                device_id: device,
                decision: wanted.decision,
                until: wanted.until,
                note,
                created_by: actor.name.clone(),
                created_at: now,
            };
            access::set_exception(tx, &row)?;
            app.reconcile_device(tx, device, "an administrator's exception")?;
            let detail = json!({ "decision": row.decision, "until": row.until, "note": row.note });
            app.note_exception(tx, &actor, "device.set_exception", device, detail)?;
            Ok(row)
        })
        .await
    }

    /// Takes back what was decided about one device; the rules hold for it again, at once.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such device, or nothing was decided about it.
    pub async fn end_exception(self: &Arc<Self>, actor: Actor, device: DeviceId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            lock_device(tx, device)?;
            let before = access::exception(tx, device)?.ok_or(Error::NotFound("exception"))?;
            access::delete_exception(tx, device)?;
            app.reconcile_device(tx, device, "the end of an exception")?;
            let detail = json!({ "decision": before.decision, "until": before.until, "note": before.note });
            app.note_exception(tx, &actor, "device.end_exception", device, detail)
        })
        .await
    }

    fn note_exception(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, id: DeviceId, detail: serde_json::Value) -> Result<()> {
        let entry = Entry { at: self.now(), actor, action, subject_kind: "device", subject: id.to_string(), detail };
        Ok(audit::record(tx, &entry)?)
    }
}

/// What is wrong with a list of groups, under the name that it has here.
fn of_excluded(error: Error) -> Error {
    match error {
        Error::Invalid { why, .. } => Error::invalid("excluded_groups", why),
        other => other,
    }
}
