//! Policies and the groups that they are for.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx, document,
    page::{Page, PageRequest},
    parse,
    schema::{devices, group_members, policies, policy_groups},
};
use crate::domain::{
    device::EnrollmentState,
    id::{GroupId, PolicyId, UserId},
    policy::{EffectivePolicy, Rules},
    time::Timestamp,
};

/// One policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its identifier.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// It reaches every user.
    pub is_for_everyone: bool,
    /// The groups whose members it reaches.
    pub groups: Vec<GroupId>,
    /// What it asks for.
    pub rules: Rules,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = policies)]
struct Row {
    id: PolicyId,
    name: String,
    is_for_everyone: bool,
    rules: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn of(policy: &Policy) -> Result<Self, Error> {
        Ok(Self {
            id: policy.id,
            name: policy.name.clone(),
            is_for_everyone: policy.is_for_everyone,
            rules: document(&policy.rules)?,
            created_at: policy.created_at,
            updated_at: policy.updated_at,
        })
    }

    fn with_groups(self, conn: &mut Conn) -> Result<Policy, Error> {
        let groups = policy_groups::table
            .filter(policy_groups::policy_id.eq(self.id))
            .order(policy_groups::group_id.asc())
            .select(policy_groups::group_id)
            .load(conn)?;
        Ok(Policy {
            id: self.id,
            name: self.name,
            is_for_everyone: self.is_for_everyone,
            groups,
            rules: parse("a policy", &self.rules)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The policy of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: PolicyId) -> Result<Option<Policy>, Error> {
    let row: Option<Row> = policies::table.filter(policies::id.eq(id)).select(Row::as_select()).first(conn).optional()?;
    row.map(|row| row.with_groups(conn)).transpose()
}

/// Policies, oldest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, page: PageRequest<PolicyId>) -> Result<Page<Policy>, Error> {
    let total = policies::table.count().get_result(conn)?;
    let mut query = policies::table.select(Row::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(policies::id.gt(after));
    }
    let rows: Vec<Row> = query.order(policies::id.asc()).limit(page.limit + 1).load(conn)?;
    let items = rows.into_iter().map(|row| row.with_groups(conn)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(items, page.limit, total, |policy: &Policy| policy.id))
}

/// Every policy with its groups, oldest first.
///
/// # Errors
/// Those of the database.
pub fn all(conn: &mut Conn) -> Result<Vec<Policy>, Error> {
    let rows: Vec<Row> = policies::table.order(policies::id.asc()).select(Row::as_select()).load(conn)?;
    rows.into_iter().map(|row| row.with_groups(conn)).collect()
}

/// The policies that reach a user, each by itself, oldest first.
///
/// # Errors
/// Those of the database.
pub fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<(PolicyId, String, Rules)>, Error> {
    let through_groups = policy_groups::table
        .inner_join(group_members::table.on(group_members::group_id.eq(policy_groups::group_id)))
        .filter(group_members::user_id.eq(user))
        .select(policy_groups::policy_id);
    let rows: Vec<(PolicyId, String, String)> = policies::table
        .filter(policies::is_for_everyone.eq(true).or(policies::id.eq_any(through_groups)))
        .order(policies::id.asc())
        .select((policies::id, policies::name, policies::rules))
        .load(conn)?;
    rows.into_iter().map(|(id, name, rules)| Ok((id, name, parse::<Rules>("a policy", &rules)?))).collect()
}

/// What all policies that reach a user ask together, or `None` where none does.
///
/// # Errors
/// Those of the database.
pub fn for_user(conn: &mut Conn, user: UserId) -> Result<Option<EffectivePolicy>, Error> {
    Ok(EffectivePolicy::merge(of_user(conn, user)?))
}

/// How many enrolled devices a policy reaches, and for how many of them the verdict was reached since then.
///
/// # Errors
/// Those of the database.
pub fn count_reached(conn: &mut Conn, policy: &Policy, since: Timestamp) -> Result<(i64, i64), Error> {
    macro_rules! reached {
        () => {{
            let mut query = devices::table.filter(devices::state.eq(EnrollmentState::Enrolled)).count().into_boxed();
            if !policy.is_for_everyone {
                let members =
                    group_members::table.filter(group_members::group_id.eq_any(policy.groups.clone())).select(group_members::user_id);
                query = query.filter(devices::user_id.eq_any(members));
            }
            query
        }};
    }
    Ok((reached!().get_result(conn)?, reached!().filter(devices::evaluated_at.gt(since)).get_result(conn)?))
}

/// The policies that are for a group, with their names.
///
/// # Errors
/// Those of the database.
pub fn of_group(conn: &mut Conn, group: GroupId) -> Result<Vec<(PolicyId, String)>, Error> {
    Ok(policy_groups::table
        .inner_join(policies::table)
        .filter(policy_groups::group_id.eq(group))
        .order(policies::name.asc())
        .select((policies::id, policies::name))
        .load(conn)?)
}

/// Adds a policy; a name that is taken is a [`Error::Conflict`].
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, policy: &Policy) -> Result<(), Error> {
    diesel::insert_into(policies::table).values(Row::of(policy)?).execute(&mut **tx)?;
    insert_groups(tx, policy)
}

/// Changes a policy.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, policy: &Policy) -> Result<(), Error> {
    diesel::update(policies::table.filter(policies::id.eq(policy.id))).set(Row::of(policy)?).execute(&mut **tx)?;
    diesel::delete(policy_groups::table.filter(policy_groups::policy_id.eq(policy.id))).execute(&mut **tx)?;
    insert_groups(tx, policy)
}

/// Removes a policy; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: PolicyId) -> Result<bool, Error> {
    Ok(diesel::delete(policies::table.filter(policies::id.eq(id))).execute(&mut **tx)? == 1)
}

fn insert_groups(tx: &mut Tx<'_>, policy: &Policy) -> Result<(), Error> {
    for group in &policy.groups {
        diesel::insert_into(policy_groups::table)
            .values((policy_groups::policy_id.eq(policy.id), policy_groups::group_id.eq(*group)))
            .execute(&mut **tx)?;
    }
    Ok(())
}
