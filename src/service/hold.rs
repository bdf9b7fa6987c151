//! The switch that holds every wipe and retirement, for the case that somebody is ordering them who should not: nothing destructive
//! is handed to any device until it is released. What was ordered stays ordered, and access that was cut stays cut.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{App, Error, Result, queue};
use crate::{
    domain::{audit::Actor, time::Timestamp},
    store::{
        audit::{self, Entry},
        commands, enrollments,
        kept::HOLD,
        settings,
    },
};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

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
        self.read(|conn| Ok::<_, Error>(HoldState { hold: settings::find(conn, HOLD)?, waiting: commands::count_endings(conn)? })).await
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
            if !settings::insert_if_missing(tx, HOLD, &hold, hold.since)? {
                return Err(Error::Conflict("wipes are held already".into()));
            }
            let detail = json!({ "reason": hold.reason, "waiting": commands::count_endings(tx)? });
            let (action, subject) = ("wipes.hold", HOLD.to_owned());
            audit::record(tx, &Entry { at: hold.since, actor: &actor, action, subject_kind: "settings", subject, detail })?;
            Ok(hold)
        })
        .await
    }

    /// Lets what was held go to its devices; gives how many those are.
    ///
    /// # Errors
    /// [`Error::Conflict`] where nothing is held.
    pub async fn release_destructive(self: &Arc<Self>, actor: Actor) -> Result<i64> {
        let now = self.now();
        let released = self
            .write(move |tx| {
                let hold: Option<Hold> = settings::find(tx, HOLD)?;
                if !settings::delete(tx, HOLD)? {
                    return Err(Error::Conflict("wipes are not held".into()));
                }
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
