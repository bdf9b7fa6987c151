//! Rollouts: a change on its way to the devices that it concerns, with how far it has come. It goes on where it stopped.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Conn, Error, Tx,
    conn::first_locked,
    document, parse,
    schema::{devices, group_members, rollouts},
};
use crate::domain::{
    id::{DeviceId, GroupId, RolloutId, UserId},
    time::Timestamp,
};

/// Whose devices are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everybody's.
    Everyone,
    /// Those of the members of these groups.
    Groups(Vec<GroupId>),
    /// Those of these users.
    Users(Vec<UserId>),
}

impl Scope {
    /// Whether devices may be in both.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Groups(these), Self::Groups(those)) => these.iter().any(|group| those.contains(group)),
            (Self::Users(these), Self::Users(those)) => these.iter().any(|user| those.contains(user)),
            _ => true,
        }
    }
}

/// One rollout.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = rollouts, treat_none_as_default_value = false)]
pub struct Rollout {
    /// Its identifier.
    pub id: RolloutId,
    /// What has changed, in words for people.
    pub cause: String,
    scope: String,
    /// Devices that are concerned, counted when it began.
    pub total: i64,
    /// Devices that were judged.
    pub done: i64,
    /// Those whose verdict or access changed by it.
    pub changed: i64,
    /// The device that was judged last.
    pub last_device: Option<DeviceId>,
    /// When the change was made.
    pub created_at: Timestamp,
    /// When the first devices were judged.
    pub started_at: Option<Timestamp>,
    /// When all were.
    pub finished_at: Option<Timestamp>,
}

impl Rollout {
    /// One that has not begun.
    ///
    /// # Errors
    /// The scope cannot be written.
    pub fn new(cause: &str, scope: &Scope, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            id: RolloutId::new(),
            cause: cause.to_owned(),
            scope: document(scope)?,
            total: 0,
            done: 0,
            changed: 0,
            last_device: None,
            created_at: now,
            started_at: None,
            finished_at: None,
        })
    }

    /// Whose devices are concerned.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn scope(&self) -> Result<Scope, Error> {
        parse("the scope of a rollout", &self.scope)
    }
}

/// Adds a rollout.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, rollout: &Rollout) -> Result<(), Error> {
    diesel::insert_into(rollouts::table).values(rollout).execute(&mut **tx)?;
    Ok(())
}

/// A rollout of the same devices that has not begun, and so will see the present change as well.
///
/// # Errors
/// Those of the database.
pub fn waiting_for(conn: &mut Conn, rollout: &Rollout) -> Result<Option<RolloutId>, Error> {
    let waiting = rollouts::table.filter(rollouts::finished_at.is_null().and(rollouts::started_at.is_null()));
    Ok(waiting.filter(rollouts::scope.eq(&rollout.scope)).select(rollouts::id).first(conn).optional()?)
}

/// The rollout, locked until the commit, so that two workers never judge the same devices at the same time.
///
/// # Errors
/// Those of the database.
pub fn find_for_update(tx: &mut Tx<'_>, id: RolloutId) -> Result<Option<Rollout>, Error> {
    Ok(first_locked!(tx, rollouts::table.filter(rollouts::id.eq(id)).select(Rollout::as_select())))
}

/// Keeps how far a rollout has come.
///
/// # Errors
/// Those of the database.
pub fn advance(tx: &mut Tx<'_>, rollout: &Rollout) -> Result<(), Error> {
    diesel::update(rollouts::table.filter(rollouts::id.eq(rollout.id)))
        .set((
            rollouts::total.eq(rollout.total),
            rollouts::done.eq(rollout.done),
            rollouts::changed.eq(rollout.changed),
            rollouts::last_device.eq(rollout.last_device),
            rollouts::started_at.eq(rollout.started_at),
            rollouts::finished_at.eq(rollout.finished_at),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// Those that are under way, oldest first.
///
/// # Errors
/// Those of the database.
pub fn unfinished(conn: &mut Conn) -> Result<Vec<Rollout>, Error> {
    Ok(rollouts::table.filter(rollouts::finished_at.is_null()).order(rollouts::id.asc()).select(Rollout::as_select()).load(conn)?)
}

/// Those that are under way and those that were finished last, newest first.
///
/// # Errors
/// Those of the database.
pub fn recent(conn: &mut Conn, limit: i64) -> Result<Vec<Rollout>, Error> {
    Ok(rollouts::table.order(rollouts::id.desc()).limit(limit).select(Rollout::as_select()).load(conn)?)
}

/// Forgets those that were finished before then.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(rollouts::table.filter(rollouts::finished_at.lt(before))).execute(&mut **tx)?)
}

macro_rules! concerned {
    ($query:expr, $scope:expr) => {{
        let query = $query.into_boxed();
        match $scope {
            Scope::Everyone => query,
            Scope::Groups(groups) => {
                let members = group_members::table.filter(group_members::group_id.eq_any(groups.clone())).select(group_members::user_id);
                query.filter(devices::user_id.eq_any(members))
            }
            Scope::Users(users) => query.filter(devices::user_id.eq_any(users.clone())),
        }
    }};
}

/// How many devices are concerned.
///
/// # Errors
/// Those of the database.
pub fn count_devices(conn: &mut Conn, scope: &Scope) -> Result<i64, Error> {
    Ok(concerned!(devices::table.count(), scope).get_result(conn)?)
}

/// The next devices that are concerned, in the order of their identifiers.
///
/// # Errors
/// Those of the database.
pub fn next_devices(conn: &mut Conn, scope: &Scope, after: Option<DeviceId>, limit: i64) -> Result<Vec<DeviceId>, Error> {
    let mut query = concerned!(devices::table.select(devices::id), scope);
    if let Some(after) = after {
        query = query.filter(devices::id.gt(after));
    }
    Ok(query.order(devices::id.asc()).limit(limit).load(conn)?)
}
