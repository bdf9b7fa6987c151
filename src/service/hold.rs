//! The switch that holds every wipe and retirement, for the case that somebody is ordering them who should not: nothing destructive
//! is handed to any device until it is released. What was ordered stays ordered, and access that was cut stays cut.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{App, Error, Result, outbox, queue, settings};
use crate::{
    domain::{
        audit::{Actor, ActorKind},
        command::Purpose,
        time::Timestamp,
        user::Role,
    },
    mail::template::Template,
    store::{
        Conn, Tx,
        audit::{self, Entry},
        commands::{self, QueuedCommand},
        enrollments,
        kept::HOLD,
        settings as kept, users, wipes,
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
    /// It was ordered on the command line, and is released there only: accounts and tokens may be in the wrong hands.
    pub from_shell: bool,
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
    /// The hold, where wipes are held. It is one small query; how many devices wait is not counted.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hold(&self) -> Result<Option<Hold>> {
        Ok(self.read(|conn| kept::find(conn, HOLD)).await?)
    }

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
        let from_shell = actor.kind == ActorKind::CommandLine;
        let hold = Hold { since: self.now(), by: actor.name.clone(), reason, from_shell };
        self.write(move |tx| {
            // As the brake does it: first the log, then the hold.
            audit::lock(tx)?;
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
    pub(super) fn brake(&self, tx: &mut Tx<'_>, order: &QueuedCommand) -> Result<()> {
        // People let their own devices go as often as they like.
        if order.purpose == Purpose::Retire && order.ordered_by.is_none() {
            return Ok(());
        }
        wipes::note(tx, order.id, order.device_id, self.now())?;
        let (now, limit) = (self.now(), i64::from(settings::read(tx, &self.default_sender)?.wipe_brake));
        let released: Option<Timestamp> = kept::find(tx, RELEASED)?;
        let since = now.plus_seconds(-WINDOW_MINUTES * 60);
        let since = released.map_or(since, |released| released.max(since));
        let count = wipes::count_since(tx, since)?;
        if limit == 0 || count < limit {
            return Ok(());
        }
        let reason = format!("{count} devices were given a wipe or a retirement within {WINDOW_MINUTES} minutes, which is the limit");
        let (actor, hold) = (Actor::server(), Hold { since: now, by: "the server".into(), reason, from_shell: false });
        if !kept::insert_if_missing(tx, HOLD, &hold, now)? {
            return Ok(());
        }
        self.tell_administrators(tx, count)?;
        tracing::error!(reason = hold.reason, "wipes and retirements are held until an administrator releases them");
        let (action, subject, detail) = ("wipes.hold", HOLD.to_owned(), json!({ "reason": hold.reason }));
        Ok(audit::record(tx, &Entry { at: now, actor: &actor, action, subject_kind: "settings", subject, detail })?)
    }

    fn tell_administrators(&self, tx: &mut Tx<'_>, devices: i64) -> Result<()> {
        let organization = settings::read(tx, &self.default_sender)?.organization;
        for user in users::active_with_role(tx, Role::Administrator)? {
            let template = Template::Held {
                organization: organization.clone(),
                name: user.name,
                devices,
                minutes: WINDOW_MINUTES,
                link: format!("{}/console/hold", self.public_url),
            };
            let expires_at = Some(self.now().plus_days(1));
            let mail = outbox::NewMail { user: Some(user.id), recipient: user.email, template, expires_at };
            // The hold matters more than the mail about it.
            if let Err(why) = outbox::try_enqueue(tx, self, mail)? {
                tracing::error!(why, "an administrator could not be told that wipes are held");
            }
        }
        Ok(())
    }

    /// Lets what was held go to its devices; gives how many those are.
    ///
    /// Whoever ordered some of it cannot release it: it is there against them as well.
    ///
    /// # Errors
    /// [`Error::Conflict`] where nothing is held, or where somebody else has to release it.
    pub async fn release_destructive(self: &Arc<Self>, actor: Actor) -> Result<i64> {
        let now = self.now();
        let released = self
            .write(move |tx| {
                audit::lock(tx)?;
                let hold: Hold = kept::find(tx, HOLD)?.ok_or_else(|| Error::Conflict("wipes are not held".into()))?;
                may_release(tx, &actor, &hold)?;
                kept::delete(tx, HOLD)?;
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

/// Whether somebody may let go what is held.
fn may_release(conn: &mut Conn, actor: &Actor, hold: &Hold) -> Result<()> {
    if actor.kind == ActorKind::CommandLine {
        return Ok(());
    }
    if hold.from_shell {
        return Err(Error::Conflict(
            "they were held on the command line, and are released there: enlist hold-destructive --release".into(),
        ));
    }
    match commands::count_endings_ordered_by(conn, &actor.name)? {
        0 => Ok(()),
        own => Err(Error::Conflict(format!(
            "{own} of the devices that wait were ordered wiped or let go in your name, so somebody else has to release them; on the server itself: enlist hold-destructive --release"
        ))),
    }
}

/// Refuses what must not be changed while wipes are held.
pub(super) fn must_not_be_held(conn: &mut Conn) -> Result<()> {
    match kept::find::<Hold>(conn, HOLD)? {
        None => Ok(()),
        Some(_) => {
            Err(Error::Conflict("wipes and retirements are held: the limits on them stay as they are until they are released".into()))
        }
    }
}
