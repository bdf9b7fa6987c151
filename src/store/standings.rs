//! What is known about many devices at once: all that a verdict rests on, in a handful of queries however many there are.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    devices::Device,
    enrollments::Enrollment,
    parse,
    schema::{devices, enrollments, group_members, postures, users},
};
use crate::domain::{
    id::{DeviceId, GroupId, UserId},
    posture::Posture,
    time::Timestamp,
    user::UserState,
};

/// What is known about one device.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The device.
    pub device: Device,
    /// Its owner's address.
    pub email: String,
    /// Where its owner stands.
    pub user: UserState,
    /// The groups that its owner is in.
    pub groups: Vec<GroupId>,
    /// Its present enrollment.
    pub enrollment: Option<Enrollment>,
    /// What it has said of itself.
    pub posture: Posture,
}

/// Reads what is known about these devices; those that are gone are left out. In the order of the identifiers.
///
/// # Errors
/// Those of the database.
pub fn load(conn: &mut Conn, ids: &[DeviceId]) -> Result<Vec<Standing>, Error> {
    let devices =
        devices::table.filter(devices::id.eq_any(ids.to_vec())).order(devices::id.asc()).select(Device::as_select()).load(conn)?;
    complete(conn, devices)
}

/// The same with the devices locked until the commit.
///
/// # Errors
/// Those of the database.
pub fn load_for_update(tx: &mut Tx<'_>, ids: &[DeviceId]) -> Result<Vec<Standing>, Error> {
    macro_rules! wanted {
        () => {
            devices::table.filter(devices::id.eq_any(ids.to_vec())).order(devices::id.asc()).select(Device::as_select())
        };
    }
    let devices = match &mut **tx {
        Conn::Postgres(c) => wanted!().for_update().load(c)?,
        Conn::Sqlite(c) => wanted!().load(c)?,
    };
    complete(tx, devices)
}

fn complete(conn: &mut Conn, devices: Vec<Device>) -> Result<Vec<Standing>, Error> {
    let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
    let mut owners: Vec<UserId> = devices.iter().map(|device| device.user_id).collect();
    owners.sort_unstable();
    owners.dedup();
    let present: Vec<_> = devices.iter().filter_map(|device| device.enrollment_id).collect();
    let found: Vec<Enrollment> = enrollments::table.filter(enrollments::id.eq_any(present)).select(Enrollment::as_select()).load(conn)?;
    let mut enrollments: HashMap<_, _> = found.into_iter().map(|enrollment| (enrollment.id, enrollment)).collect();
    let facts: Vec<(DeviceId, String)> =
        postures::table.filter(postures::device_id.eq_any(ids)).select((postures::device_id, postures::facts)).load(conn)?;
    let mut facts: HashMap<_, _> = facts.into_iter().collect();
    let states: Vec<(UserId, String, UserState)> =
        users::table.filter(users::id.eq_any(owners.clone())).select((users::id, users::email, users::state)).load(conn)?;
    let states: HashMap<_, _> = states.into_iter().map(|(id, email, state)| (id, (email, state))).collect();
    let memberships: Vec<(UserId, GroupId)> = group_members::table
        .filter(group_members::user_id.eq_any(owners))
        .select((group_members::user_id, group_members::group_id))
        .load(conn)?;
    let mut groups: HashMap<UserId, Vec<GroupId>> = HashMap::new();
    for (user, group) in memberships {
        groups.entry(user).or_default().push(group);
    }
    let standing = |device: Device| {
        let (email, user) = states.get(&device.user_id).cloned().unwrap_or((String::new(), UserState::Disabled));
        let posture = facts.remove(&device.id).map_or_else(|| Ok(Posture::default()), |text| parse("a posture", &text))?;
        let enrollment = device.enrollment_id.and_then(|id| enrollments.remove(&id));
        Ok(Standing { email, user, groups: groups.get(&device.user_id).cloned().unwrap_or_default(), enrollment, posture, device })
    };
    devices.into_iter().map(standing).collect()
}

/// Notes that devices were judged and that nothing about them has changed.
///
/// # Errors
/// Those of the database.
pub fn mark_judged(tx: &mut Tx<'_>, ids: &[DeviceId], now: Timestamp) -> Result<(), Error> {
    if !ids.is_empty() {
        diesel::update(devices::table.filter(devices::id.eq_any(ids.to_vec()))).set(devices::evaluated_at.eq(now)).execute(&mut **tx)?;
    }
    Ok(())
}
