//! Brings a change to the devices that it concerns and to no others: new verdicts, new access, new profiles, batch by batch, with
//! how far it has come kept beside it.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, asked::Asked};
use crate::{
    domain::id::{DeviceId, RolloutId},
    store::{
        Tx, devices,
        jobs::{self, NewJob},
        rollouts::{self, Rollout, Scope},
        standings,
    },
};

/// The kind of the jobs that bring changes to devices.
pub const JOB: &str = "rollout";
/// Devices in one transaction.
const BATCH: i64 = 200;

/// What one batch came to.
struct Batch {
    is_last: bool,
}

/// Enqueues a rollout, in the transaction of the change. Two changes that concern the same devices need one.
///
/// * `cause`: what has changed, in words for people.
pub(super) fn begin(tx: &mut Tx<'_>, app: &App, scope: &Scope, cause: &str) -> Result<()> {
    let rollout = Rollout::new(cause, scope, app.now())?;
    if rollouts::waiting_for(tx, &rollout)?.is_some() {
        return Ok(());
    }
    rollouts::insert(tx, &rollout)?;
    let key = format!("{JOB}:{}", rollout.id);
    Ok(jobs::enqueue(tx, &NewJob { kind: JOB, key, payload: json!({ "rollout": rollout.id }), delay_seconds: 0 })?)
}

impl App {
    /// Carries a rollout to its end; gives how many devices were judged in all.
    ///
    /// # Errors
    /// Those of the database; what was done stays done, and it goes on from there.
    pub async fn continue_rollout(self: &Arc<Self>, id: RolloutId) -> Result<i64> {
        loop {
            let app = Arc::clone(self);
            let (done, batch) = self.write(move |tx| app.roll_out_batch(tx, id)).await?;
            if batch.is_last {
                return Ok(done);
            }
        }
    }

    fn roll_out_batch(&self, tx: &mut Tx<'_>, id: RolloutId) -> Result<(i64, Batch)> {
        let now = self.now();
        let Some(mut rollout) = rollouts::find_for_update(tx, id)?.filter(|rollout| rollout.finished_at.is_none()) else {
            return Ok((0, Batch { is_last: true }));
        };
        let scope = rollout.scope()?;
        if rollout.started_at.is_none() {
            rollout.started_at = Some(now);
            rollout.total = rollouts::count_devices(tx, &scope)?;
        }
        let ids = rollouts::next_devices(tx, &scope, rollout.last_device, BATCH)?;
        let changed = self.judge_many(tx, &ids, &rollout.cause)?;
        let count = i64::try_from(ids.len()).unwrap_or(BATCH);
        rollout.done = rollout.done.saturating_add(count);
        rollout.changed = rollout.changed.saturating_add(changed);
        rollout.last_device = ids.last().copied().or(rollout.last_device);
        let is_last = count < BATCH;
        if is_last {
            rollout.finished_at = Some(now);
        }
        rollouts::advance(tx, &rollout)?;
        Ok((rollout.done, Batch { is_last }))
    }

    /// Judges many devices at once; gives for how many of them verdict or access changed. Those about which nothing at all changed
    /// are not written anew.
    fn judge_many(&self, tx: &mut Tx<'_>, ids: &[DeviceId], cause: &str) -> Result<i64> {
        let (now, mut changed, mut same) = (self.now(), 0_i64, Vec::new());
        let mut asked = Asked::read(tx, self)?;
        for standing in standings::load_for_update(tx, ids)? {
            let before = standing.device.clone();
            let mut known = asked.known(standing)?;
            self.settle(tx, &mut known, cause)?;
            if known.device.compliance != before.compliance || known.device.access != before.access {
                changed = changed.saturating_add(1);
            }
            if known.device.is_judged_like(&before) {
                same.push(before.id);
            } else {
                devices::update(tx, &known.device)?;
            }
        }
        standings::mark_judged(tx, &same, now)?;
        Ok(changed)
    }
}

/// The job's own words.
///
/// # Errors
/// The payload is not one of a rollout.
pub fn read_payload(payload: &str) -> Result<RolloutId> {
    #[derive(serde::Deserialize)]
    struct Payload {
        rollout: RolloutId,
    }
    let payload: Payload = serde_json::from_str(payload).map_err(|error| Error::internal("reading a job", error))?;
    Ok(payload.rollout)
}
