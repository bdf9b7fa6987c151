//! The switch that holds every wipe and retirement, for the case that somebody is ordering them who should not: nothing destructive
//! is handed to any device until it is released. What was ordered stays ordered, and access that was cut stays cut.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{App, Error, Result, queue, settings};
use crate::{
    domain::{audit::Actor, time::Timestamp},
    store::{
        audit::{self, Entry},
        commands, enrollments,
        kept::HOLD,
        settings as kept,
    },
};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// The window of the brake, in minutes.
const WINDOW_MINUTES: i64 = 20;
/// The setting that says when what was held was last released: what was handed out before then is not counted again.
const RELEASED: &str = "destructive_release";

/// That wipes are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The hold, and what it keeps back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldState {
    /// The hold; none where wipes go to their devices.
    pub hold: Option<Hold>,
    /// Devices to which a wipe or retirement has not been handed, or that have not confirmed it.
    pub waiting: i64,
}

impl App {
    /// Whether wipes are held, and for how many devices one is under way.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hold_state(&self) -> Result<HoldState> {
        self.read(|conn| Ok::<_, Error>(HoldState { hold: kept::find(conn, HOLD)?, waiting: commands::count_endings(conn)? })).await
    }

    /// Holds every wipe and retirement. It takes effect on all servers with the commit: each looks when it hands a command to a device.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a reason that is too long; [`Error::Conflict`] where they are held already.
    pub async fn hold_destructive(self: &Arc<Self>, actor: Actor, reason: &str) -> Result<Hold> {
        let reason = reason.trim().to_owned();
        if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
            return Err(Error::invalid("reason", format!("must be at most {LONGEST_REASON} characters, without line breaks")));
        }
        let hold = Hold { since: self.now(), by: actor.name.clone(), reason };
        self.write(move |tx| {
            if !kept::insert_if_missing(tx, HOLD, &hold, hold.since)? {
                return Err(Error::Conflict("wipes are held already".into()));
            }
            let detail = json!({ "reason": hold.reason, "waiting": commands::count_endings(tx)? });
            let (action, subject) = ("wipes.hold", HOLD.to_owned());
            audit::record(tx, &Entry { at: hold.since, actor: &actor, action, subject_kind: "settings", subject, detail })?;
            Ok(hold)
        })
        .await
    }

    /// Holds what is destructive where it was handed to too many devices within a while, whoever ordered it and however it came into
    /// the queue.
    pub(super) fn brake(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (now, limit) = (self.now(), i64::from(settings::read(tx, &self.default_sender)?.wipe_brake));
        let released: Option<Timestamp> = kept::find(tx, RELEASED)?;
        let since = now.plus_seconds(-WINDOW_MINUTES * 60);
        let since = released.map_or(since, |released| released.max(since));
        let count = commands::count_endings_handed_out(tx, since)?;
        if limit == 0 || count < limit {
            return Ok(());
        }
        let reason = format!("{count} devices were given a wipe or a retirement within {WINDOW_MINUTES} minutes, which is the limit");
        let (actor, hold) = (Actor::server(), Hold { since: now, by: "the server".into(), reason });
        if !kept::insert_if_missing(tx, HOLD, &hold, now)? {
            return Ok(());
        }
        tracing::error!(reason = hold.reason, "wipes and retirements are held until an administrator releases them");
        let (action, subject, detail) = ("wipes.hold", HOLD.to_owned(), json!({ "reason": hold.reason }));
        Ok(audit::record(tx, &Entry { at: now, actor: &actor, action, subject_kind: "settings", subject, detail })?)
    }

    /// Lets what was held go to its devices; gives how many those are.
    ///
    /// # Errors
    /// [`Error::Conflict`] where nothing is held.
    pub async fn release_destructive(self: &Arc<Self>, actor: Actor) -> Result<i64> {
        let now = self.now();
        let released = self
            .write(move |tx| {
                let hold: Option<Hold> = kept::find(tx, HOLD)?;
                if !kept::delete(tx, HOLD)? {
                    return Err(Error::Conflict("wipes are not held".into()));
                }
                kept::upsert(tx, RELEASED, &now, now)?;
                let waiting = commands::count_endings(tx)?;
                for id in commands::with_endings(tx)? {
                    if let Some(enrollment) = enrollments::find(tx, id)? {
                        queue::wake(tx, &enrollment, 0)?;
                    }
                }
                let detail = json!({ "held": hold, "waiting": waiting });
                let (action, subject) = ("wipes.release", HOLD.to_owned());
                audit::record(tx, &Entry { at: now, actor: &actor, action, subject_kind: "settings", subject, detail })?;
                Ok(waiting)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(released)
    }
}
