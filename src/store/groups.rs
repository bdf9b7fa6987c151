//! Groups and their members.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::on_backend,
    page::{Page, PageRequest},
    schema::{group_members, groups},
};
use crate::domain::{
    id::{GroupId, UserId},
    time::Timestamp,
};

/// One group.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = groups)]
pub struct Group {
    /// Its identifier.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Where it comes from: `local` or a directory.
    pub source: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The group of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: GroupId) -> Result<Option<Group>, Error> {
    Ok(groups::table.filter(groups::id.eq(id)).select(Group::as_select()).first(conn).optional()?)
}

/// Groups, oldest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, page: PageRequest<GroupId>) -> Result<Page<Group>, Error> {
    let total = groups::table.count().get_result(conn)?;
    let mut query = groups::table.select(Group::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(groups::id.gt(after));
    }
    let items = query.order(groups::id.asc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |group: &Group| group.id))
}

/// Every group with its name, by name.
///
/// # Errors
/// Those of the database.
pub fn all(conn: &mut Conn) -> Result<Vec<(GroupId, String)>, Error> {
    Ok(groups::table.order(groups::name.asc()).select((groups::id, groups::name)).load(conn)?)
}

/// The groups of these users, by name.
///
/// # Errors
/// Those of the database.
pub fn of_users(conn: &mut Conn, users: &[UserId]) -> Result<Vec<(UserId, GroupId, String)>, Error> {
    Ok(group_members::table
        .inner_join(groups::table)
        .filter(group_members::user_id.eq_any(users.to_vec()))
        .order(groups::name.asc())
        .select((group_members::user_id, groups::id, groups::name))
        .load(conn)?)
}

/// Who is in a group.
///
/// # Errors
/// Those of the database.
pub fn members(conn: &mut Conn, id: GroupId) -> Result<Vec<UserId>, Error> {
    Ok(group_members::table
        .filter(group_members::group_id.eq(id))
        .order(group_members::user_id.asc())
        .select(group_members::user_id)
        .load(conn)?)
}

/// How many of these identifiers name a group.
///
/// # Errors
/// Those of the database.
pub fn count_existing(conn: &mut Conn, ids: &[GroupId]) -> Result<usize, Error> {
    let found: i64 = groups::table.filter(groups::id.eq_any(ids.to_vec())).count().get_result(conn)?;
    Ok(usize::try_from(found).unwrap_or(0))
}

/// How many members a group has.
///
/// # Errors
/// Those of the database.
pub fn count_members(conn: &mut Conn, id: GroupId) -> Result<i64, Error> {
    Ok(group_members::table.filter(group_members::group_id.eq(id)).count().get_result(conn)?)
}

/// Adds a group; a name that is taken is a [`Error::Conflict`].
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, group: &Group) -> Result<(), Error> {
    diesel::insert_into(groups::table).values(group).execute(&mut **tx)?;
    Ok(())
}

/// Renames a group; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn rename(tx: &mut Tx<'_>, id: GroupId, name: &str) -> Result<bool, Error> {
    Ok(diesel::update(groups::table.filter(groups::id.eq(id))).set(groups::name.eq(name)).execute(&mut **tx)? == 1)
}

/// Removes a group; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: GroupId) -> Result<bool, Error> {
    Ok(diesel::delete(groups::table.filter(groups::id.eq(id))).execute(&mut **tx)? == 1)
}

/// Puts a user into a group; says whether that changed anything.
///
/// # Errors
/// A user or group that does not exist is a [`Error::Conflict`].
pub fn add_member(tx: &mut Tx<'_>, group: GroupId, user: UserId) -> Result<bool, Error> {
    let row = (group_members::group_id.eq(group), group_members::user_id.eq(user));
    let added = on_backend!(&mut **tx, |c| diesel::insert_into(group_members::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(added == 1)
}

/// Takes a user out of a group; says whether that changed anything.
///
/// # Errors
/// Those of the database.
pub fn remove_member(tx: &mut Tx<'_>, group: GroupId, user: UserId) -> Result<bool, Error> {
    let row = group_members::table.filter(group_members::group_id.eq(group).and(group_members::user_id.eq(user)));
    Ok(diesel::delete(row).execute(&mut **tx)? == 1)
}
