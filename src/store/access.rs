//! Access rules: one document among the settings, the groups that the organization leaves alone, and what was decided about single
//! devices.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::on_backend,
    schema::{access_exceptions, access_excluded_groups, group_members, groups},
    settings,
};
use crate::domain::{
    access::{AccessRules, Decision, Exception},
    id::{DeviceId, GroupId, UserId},
    time::Timestamp,
};

/// The name of the document. The triggers of the gate know it as well.
const KEY: &str = "access_rules";

/// The access rules in force.
///
/// # Errors
/// Those of the database.
pub fn rules(conn: &mut Conn) -> Result<AccessRules, Error> {
    let rules: AccessRules = settings::find(conn, KEY)?.unwrap_or_default();
    // They are rows of their own, so that they go when their group goes.
    let excluded_groups = access_excluded_groups::table
        .order(access_excluded_groups::group_id.asc())
        .select(access_excluded_groups::group_id)
        .load::<GroupId>(conn)?;
    Ok(AccessRules { excluded_groups, ..rules })
}

/// Sets the access rules. The groups must exist.
///
/// # Errors
/// Those of the database.
pub fn set_rules(tx: &mut Tx<'_>, rules: &AccessRules, now: Timestamp) -> Result<(), Error> {
    let document = AccessRules { excluded_groups: Vec::new(), ..rules.clone() };
    settings::upsert(tx, KEY, &document, now)?;
    diesel::delete(access_excluded_groups::table).execute(&mut **tx)?;
    for group in &rules.excluded_groups {
        diesel::insert_into(access_excluded_groups::table).values(access_excluded_groups::group_id.eq(*group)).execute(&mut **tx)?;
    }
    Ok(())
}

/// The names of the excluded groups.
///
/// # Errors
/// Those of the database.
pub fn excluded_groups(conn: &mut Conn) -> Result<Vec<(GroupId, String)>, Error> {
    Ok(access_excluded_groups::table.inner_join(groups::table).order(groups::name.asc()).select((groups::id, groups::name)).load(conn)?)
}

/// Whether a user is in a group that the organization leaves alone.
///
/// # Errors
/// Those of the database.
pub fn is_excluded(conn: &mut Conn, user: UserId) -> Result<bool, Error> {
    use diesel::dsl::exists;
    let membership = access_excluded_groups::table
        .inner_join(group_members::table.on(group_members::group_id.eq(access_excluded_groups::group_id)))
        .filter(group_members::user_id.eq(user));
    Ok(diesel::select(exists(membership)).get_result(conn)?)
}

/// What was decided about one device, with who did and why.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = access_exceptions)]
pub struct ExceptionRow {
    /// The device.
    pub device_id: DeviceId,
    /// The decision.
    pub decision: Decision,
    /// When it ends.
    pub until: Timestamp,
    /// Why.
    pub note: String,
    /// Who decided.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

impl ExceptionRow {
    /// What the rules need of it.
    #[must_use]
    pub const fn exception(&self) -> Exception {
        Exception { decision: self.decision, until: self.until }
    }
}

/// What was decided about a device, also where it has ended.
///
/// # Errors
/// Those of the database.
pub fn exception(conn: &mut Conn, device: DeviceId) -> Result<Option<ExceptionRow>, Error> {
    Ok(access_exceptions::table.filter(access_exceptions::device_id.eq(device)).select(ExceptionRow::as_select()).first(conn).optional()?)
}

/// Decides about a device; what was decided before is replaced.
///
/// # Errors
/// Those of the database.
pub fn set_exception(tx: &mut Tx<'_>, row: &ExceptionRow) -> Result<(), Error> {
    on_backend!(&mut **tx, |c| diesel::insert_into(access_exceptions::table)
        .values(row)
        .on_conflict(access_exceptions::device_id)
        .do_update()
        .set(row)
        .execute(c))?;
    Ok(())
}

/// Takes back what was decided about a device; says whether there was anything.
///
/// # Errors
/// Those of the database.
pub fn delete_exception(tx: &mut Tx<'_>, device: DeviceId) -> Result<bool, Error> {
    Ok(diesel::delete(access_exceptions::table.filter(access_exceptions::device_id.eq(device))).execute(&mut **tx)? == 1)
}
