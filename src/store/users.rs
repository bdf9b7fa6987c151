//! Users.

use std::collections::BTreeMap;

use diesel::{
    dsl::{exists, not},
    prelude::*,
};

use super::{
    Conn, Error, Tx,
    conn::on_backend,
    page::{Page, PageRequest},
    schema::{device_finder, devices, group_members, user_finder, users},
};
use crate::domain::{
    device::EnrollmentState,
    id::{GroupId, UserId},
    time::Timestamp,
    user::{Role, UserState},
};

/// One user.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct User {
    /// Their identifier.
    pub id: UserId,
    /// Their primary address, in lower case.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Where they come from: `local` or a directory.
    pub source: String,
    /// Their role in the console, if any.
    pub role: Option<Role>,
    /// Whether they take part.
    pub state: UserState,
    /// Argon2id, in PHC form.
    pub password_hash: Option<String>,
    /// They must choose a new password when they next sign in.
    pub must_change_password: bool,
    /// When they were created.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// The language of the mails to them; none for the organization's.
    pub language: Option<String>,
}

/// The user of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: UserId) -> Result<Option<User>, Error> {
    Ok(users::table.filter(users::id.eq(id)).select(User::as_select()).first(conn).optional()?)
}

/// The user of this address, which must be in its normal form.
///
/// # Errors
/// Those of the database.
pub fn find_by_email(conn: &mut Conn, email: &str) -> Result<Option<User>, Error> {
    Ok(users::table.filter(users::email.eq(email)).select(User::as_select()).first(conn).optional()?)
}

/// The user, locked until the commit. Whatever changes the devices of a user locks the user first, so that an order of an
/// administrator and a message of a device never overtake each other.
///
/// # Errors
/// Those of the database.
pub fn find_for_update(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, Error> {
    // Not FOR UPDATE: rows that merely point at the user may still be added meanwhile.
    if let Conn::Postgres(c) = &mut **tx {
        users::table.filter(users::id.eq(id)).select(users::id).for_no_key_update().first::<UserId>(c).optional()?;
    }
    find(tx, id)
}

/// Locks everybody who holds this role until the commit, in one order.
///
/// # Errors
/// Those of the database.
pub fn lock_role(tx: &mut Tx<'_>, role: Role) -> Result<(), Error> {
    if let Conn::Postgres(c) = &mut **tx {
        users::table.filter(users::role.eq(role)).order(users::id.asc()).select(users::id).for_no_key_update().load::<UserId>(c)?;
    }
    Ok(())
}

/// Which users are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Whose name or address contains this text.
    pub text: Option<String>,
    /// Who are in this group.
    pub group: Option<GroupId>,
    /// Who come from here.
    pub source: Option<String>,
    /// Whose address is in this domain.
    pub domain: Option<String>,
    /// Who have this role; `Some(None)` finds those who have none.
    #[allow(clippy::option_option, reason = "any role and no role are two things")]
    pub role: Option<Option<Role>>,
}

macro_rules! filtered {
    ($query:expr, $filter:expr) => {{
        let mut query = $query.into_boxed();
        if let Some(text) = &$filter.text {
            query = query.filter(user_finder::words.like(super::contains(text)).escape('\\'));
        }
        if let Some(group) = $filter.group {
            let members = group_members::table.filter(group_members::group_id.eq(group)).select(group_members::user_id);
            query = query.filter(user_finder::user_id.eq_any(members));
        }
        if let Some(source) = &$filter.source {
            query = query.filter(user_finder::source.eq(source.clone()));
        }
        if let Some(domain) = &$filter.domain {
            // The address ends with its line.
            let pattern = format!("%@{}\n%", domain.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
            query = query.filter(user_finder::words.like(pattern).escape('\\'));
        }
        match $filter.role {
            Some(Some(role)) => query.filter(user_finder::role.eq(role)),
            Some(None) => query.filter(user_finder::role.is_null()),
            None => query,
        }
    }};
}

/// Users, oldest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, filter: &Filter, page: PageRequest<UserId>) -> Result<Page<User>, Error> {
    // The derive cannot put one boxed query into another; each database alone can.
    let items: Vec<User> = on_backend!(&mut *conn, |c| {
        let mut found = filtered!(user_finder::table.select(user_finder::user_id), filter);
        if let Some(after) = page.after {
            found = found.filter(user_finder::user_id.gt(after));
        }
        let found = found.order(user_finder::user_id.asc()).limit(page.limit + 1);
        users::table.filter(users::id.eq_any(found)).order(users::id.asc()).select(User::as_select()).load(c)?
    });
    let number = i64::try_from(items.len()).unwrap_or(i64::MAX);
    // What fits on the first page is counted by looking at it.
    let is_all = page.after.is_none() && number <= page.limit;
    let total = if is_all { number } else { count(conn, filter)? };
    Ok(Page::cut(items, page.limit, total, |user: &User| user.id))
}

/// How many users the filter wants.
fn count(conn: &mut Conn, filter: &Filter) -> Result<i64, Error> {
    match filter {
        // Either database finds the smallest thing that has a row for each.
        Filter { text: None, group: None, source: None, domain: None, role: None } => Ok(users::table.count().get_result(conn)?),
        _ => Ok(filtered!(user_finder::table.count(), filter).get_result(conn)?),
    }
}

/// A domain of mail addresses, with how many users have theirs in it.
#[derive(Debug, Clone, PartialEq, Eq, diesel::QueryableByName)]
pub struct Domain {
    /// The domain.
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub domain: String,
    /// How many users.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub users: i64,
}

/// The domains of all users' addresses, by name, from one on: one more than the limit if there are that many.
///
/// # Errors
/// Those of the database.
pub fn domains(conn: &mut Conn, from: &str, limit: i64) -> Result<Vec<Domain>, Error> {
    use diesel::sql_types::{BigInt, Text};
    // The query builder groups by columns only, and each database cuts texts in its own way.
    Ok(match conn {
        Conn::Postgres(c) => diesel::sql_query(
            "SELECT split_part(email, '@', 2) AS domain, count(*) AS users FROM users \
             WHERE split_part(email, '@', 2) COLLATE \"C\" >= $1 GROUP BY 1 ORDER BY split_part(email, '@', 2) COLLATE \"C\" LIMIT $2",
        )
        .bind::<Text, _>(from)
        .bind::<BigInt, _>(limit + 1)
        .load(c)?,
        Conn::Sqlite(c) => diesel::sql_query(
            "SELECT substr(email, instr(email, '@') + 1) AS domain, count(*) AS users FROM users \
             WHERE substr(email, instr(email, '@') + 1) >= ? GROUP BY 1 ORDER BY 1 LIMIT ?",
        )
        .bind::<Text, _>(from)
        .bind::<BigInt, _>(limit + 1)
        .load(c)?,
    })
}

/// The groups of one user.
///
/// # Errors
/// Those of the database.
pub fn groups(conn: &mut Conn, id: UserId) -> Result<Vec<GroupId>, Error> {
    Ok(group_members::table
        .filter(group_members::user_id.eq(id))
        .order(group_members::group_id.asc())
        .select(group_members::group_id)
        .load(conn)?)
}

/// How many devices of one user are under management.
///
/// # Errors
/// Those of the database.
pub fn managed_devices(conn: &mut Conn, id: UserId) -> Result<i64, Error> {
    Ok(devices::table
        .filter(devices::user_id.eq(id).and(devices::state.eq_any([EnrollmentState::Enrolled, EnrollmentState::WipePending])))
        .count()
        .get_result(conn)?)
}

/// How many devices under management each of these users has; those without any are left out.
///
/// # Errors
/// Those of the database.
pub fn managed_devices_of(conn: &mut Conn, ids: &[UserId]) -> Result<Vec<(UserId, i64)>, Error> {
    use diesel::dsl::count_star;
    // Without a condition on the state: SQLite would take the index of the states and read nearly every device there is.
    let counts: Vec<(UserId, EnrollmentState, i64)> = devices::table
        .filter(devices::user_id.eq_any(ids.to_vec()))
        .group_by((devices::user_id, devices::state))
        .select((devices::user_id, devices::state, count_star()))
        .load(conn)?;
    let mut managed: BTreeMap<UserId, i64> = BTreeMap::new();
    for (user, state, number) in counts {
        if matches!(state, EnrollmentState::Enrolled | EnrollmentState::WipePending) {
            let sum = managed.entry(user).or_default();
            *sum = sum.saturating_add(number);
        }
    }
    Ok(managed.into_iter().collect())
}

/// From where the users come, in the order of the alphabet.
///
/// # Errors
/// Those of the database.
pub fn sources(conn: &mut Conn) -> Result<Vec<String>, Error> {
    use diesel::dsl::min;
    let mut sources: Vec<String> = Vec::new();
    // From one to the next through the index: there are few, and each has very many users.
    loop {
        let mut query = users::table.select(min(users::source)).into_boxed();
        if let Some(last) = sources.last() {
            query = query.filter(users::source.gt(last.clone()));
        }
        match query.first::<Option<String>>(conn)? {
            Some(next) => sources.push(next),
            None => return Ok(sources),
        }
    }
}

/// Which of these addresses belong to somebody.
///
/// # Errors
/// Those of the database.
pub fn existing(conn: &mut Conn, addresses: &[String]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    // Both databases limit how many values one statement may have.
    for some in addresses.chunks(500) {
        found.extend(users::table.filter(users::email.eq_any(some.to_vec())).select(users::email).load::<String>(conn)?);
    }
    Ok(found)
}

macro_rules! without_device {
    ($conn:expr, $group:expr, |$found:ident, $c:ident| $body:expr) => {{
        let managed = device_finder::table
            .filter(device_finder::state.eq_any([EnrollmentState::Enrolled, EnrollmentState::WipePending]))
            .select(device_finder::user_id);
        let members = |group: GroupId| {
            let members = group_members::table.filter(group_members::group_id.eq(group)).select(group_members::user_id);
            users::id.eq_any(members)
        };
        let active = users::table.filter(users::state.eq(UserState::Active));
        // Each database reads the finder once for one of these, and once for every user for the other.
        match $conn {
            Conn::Postgres($c) => {
                let $found = active.filter(not(exists(managed.filter(device_finder::user_id.eq(users::id))))).into_boxed();
                let $found = if let Some(group) = $group { $found.filter(members(group)) } else { $found };
                $body
            }
            Conn::Sqlite($c) => {
                let $found = active.filter(users::id.ne_all(managed)).into_boxed();
                let $found = if let Some(group) = $group { $found.filter(members(group)) } else { $found };
                $body
            }
        }
    }};
}

/// Those who take part and have no device under management, oldest first; of one group or of all.
///
/// # Errors
/// Those of the database.
pub fn without_device(conn: &mut Conn, group: Option<GroupId>) -> Result<Vec<(UserId, String, String)>, Error> {
    Ok(without_device!(conn, group, |found, c| found.order(users::id.asc()).select((users::id, users::email, users::name)).load(c))?)
}

/// How many those are.
///
/// # Errors
/// Those of the database.
pub fn count_without_device(conn: &mut Conn, group: Option<GroupId>) -> Result<i64, Error> {
    Ok(without_device!(conn, group, |found, c| found.count().get_result(c))?)
}

/// Those who take part, oldest first; of one group or of all.
///
/// # Errors
/// Those of the database.
pub fn taking_part(conn: &mut Conn, group: Option<GroupId>) -> Result<Vec<(UserId, String, String)>, Error> {
    let mut query = users::table.filter(users::state.eq(UserState::Active)).select((users::id, users::email, users::name)).into_boxed();
    if let Some(group) = group {
        let members = group_members::table.filter(group_members::group_id.eq(group)).select(group_members::user_id);
        query = query.filter(users::id.eq_any(members));
    }
    Ok(query.order(users::id.asc()).load(conn)?)
}

/// Those who hold this role and take part.
///
/// # Errors
/// Those of the database.
pub fn active_with_role(conn: &mut Conn, role: Role) -> Result<Vec<User>, Error> {
    let found = users::table.filter(users::role.eq(role).and(users::state.eq(UserState::Active)));
    Ok(found.order(users::id.asc()).select(User::as_select()).load(conn)?)
}

/// How many users hold this role and take part.
///
/// # Errors
/// Those of the database.
pub fn count_role(conn: &mut Conn, role: Role) -> Result<i64, Error> {
    Ok(users::table.filter(users::role.eq(role).and(users::state.eq(UserState::Active))).count().get_result(conn)?)
}

/// Adds a user; an address that is taken is a [`Error::Conflict`].
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, user: &User) -> Result<(), Error> {
    diesel::insert_into(users::table).values(user).execute(&mut **tx)?;
    Ok(())
}

/// Changes a user.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, user: &User) -> Result<(), Error> {
    diesel::update(users::table.filter(users::id.eq(user.id))).set(user).execute(&mut **tx)?;
    Ok(())
}

/// Removes a user with everything of theirs; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: UserId) -> Result<bool, Error> {
    Ok(diesel::delete(users::table.filter(users::id.eq(id))).execute(&mut **tx)? == 1)
}
