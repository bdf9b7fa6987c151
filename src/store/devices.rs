//! Devices, as the lists, the reports and the rules see them.

use diesel::{dsl::exists, prelude::*};

use super::{
    Conn, Error, Tx,
    conn::{first_locked, on_backend},
    document,
    kept::{Kept, run_kept},
    page::{Page, PageRequest},
    parse,
    schema::{device_finder, devices, group_members, policies, policy_groups, users},
    tallies,
};
use crate::domain::{
    access::Decision,
    compliance::{Reason, Status},
    device::{EnrollmentState, Ownership, Platform},
    id::{DeviceId, EnrollmentId, GroupId, PolicyId, UserId},
    time::Timestamp,
};

/// One device.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = devices, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct Device {
    /// Its identifier.
    pub id: DeviceId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it calls itself: the UDID, or the `EnrollmentID` of a User Enrollment.
    pub identifier: String,
    /// What it is.
    pub platform: Platform,
    /// Who owns it.
    pub ownership: Ownership,
    /// Where it stands.
    pub state: EnrollmentState,
    /// How often it has enrolled.
    pub generation: i32,
    /// The present enrollment.
    pub enrollment_id: Option<EnrollmentId>,
    /// Marketing name of the model.
    pub model: Option<String>,
    /// Product code.
    pub product_name: Option<String>,
    /// Name given by the person.
    pub device_name: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Version of the system.
    pub os_version: Option<String>,
    /// The verdict.
    pub compliance: Status,
    /// The decision.
    pub access: Decision,
    /// Why, as JSON text; see [`Device::reasons`].
    reasons: String,
    /// End of the grace period.
    pub deadline: Option<Timestamp>,
    /// When time alone may change the verdict.
    pub evaluate_at: Option<Timestamp>,
    /// When the verdict was last reached.
    pub evaluated_at: Option<Timestamp>,
    /// When the server asks for facts again.
    pub refresh_at: Option<Timestamp>,
    /// When it last said anything.
    pub last_seen_at: Option<Timestamp>,
    /// When it enrolled last.
    pub enrolled_at: Option<Timestamp>,
    /// When it was first seen.
    pub created_at: Timestamp,
}

impl Device {
    /// What it is found by.
    fn words(&self) -> String {
        let given = [self.serial.as_deref(), self.model.as_deref(), self.device_name.as_deref()].map(Option::unwrap_or_default);
        format!("{} {}", self.identifier, given.join(" ")).to_lowercase()
    }

    /// The codes of its reasons, each between two spaces.
    fn codes(&self) -> Result<String, Error> {
        if self.reasons == "[]" {
            return Ok(String::new());
        }
        let codes: Vec<String> = self.reasons()?.into_iter().map(|reason| reason.code).collect();
        Ok(format!(" {} ", codes.join(" ")))
    }

    /// A device that was just seen for the first time; nothing is known of it yet.
    #[must_use]
    pub fn new(user_id: UserId, identifier: String, platform: Platform, ownership: Ownership, now: Timestamp) -> Self {
        Self {
            id: DeviceId::new(),
            user_id,
            identifier,
            platform,
            ownership,
            state: EnrollmentState::Pending,
            generation: 0,
            enrollment_id: None,
            model: None,
            product_name: None,
            device_name: None,
            serial: None,
            os_version: None,
            compliance: Status::Unknown,
            access: Decision::Quarantine,
            reasons: "[]".into(),
            deadline: None,
            evaluate_at: None,
            evaluated_at: None,
            refresh_at: None,
            last_seen_at: None,
            enrolled_at: None,
            created_at: now,
        }
    }

    /// Whether everything that a judgement sets, but its time, is as it was.
    #[must_use]
    pub fn is_judged_like(&self, other: &Self) -> bool {
        self.compliance == other.compliance
            && self.access == other.access
            && self.reasons == other.reasons
            && self.deadline == other.deadline
            && self.evaluate_at == other.evaluate_at
    }

    /// Why the verdict is what it is.
    ///
    /// # Errors
    /// The stored document cannot be read.
    pub fn reasons(&self) -> Result<Vec<Reason>, Error> {
        parse("the reasons of a device", &self.reasons)
    }

    /// Sets the reasons.
    ///
    /// # Errors
    /// They cannot be written as JSON.
    pub fn set_reasons(&mut self, reasons: &[Reason]) -> Result<(), Error> {
        self.reasons = document(&reasons)?;
        Ok(())
    }
}

/// The device of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: DeviceId) -> Result<Option<Device>, Error> {
    Ok(devices::table.filter(devices::id.eq(id)).select(Device::as_select()).first(conn).optional()?)
}

/// The device, locked until the commit, so that two changes of one device never overtake each other.
///
/// # Errors
/// Those of the database.
pub fn find_for_update(tx: &mut Tx<'_>, id: DeviceId) -> Result<Option<Device>, Error> {
    Ok(first_locked!(tx, devices::table.filter(devices::id.eq(id)).select(Device::as_select())))
}

/// The device that a user's phone calls itself.
///
/// # Errors
/// Those of the database.
pub fn find_by_identifier(conn: &mut Conn, user: UserId, identifier: &str) -> Result<Option<Device>, Error> {
    Ok(devices::table
        .filter(devices::user_id.eq(user).and(devices::identifier.eq(identifier)))
        .select(Device::as_select())
        .first(conn)
        .optional()?)
}

/// Devices of other users that call themselves the same: the same phone in other hands, or somebody who pretends.
///
/// # Errors
/// Those of the database.
pub fn claimed_by_others(conn: &mut Conn, user: UserId, identifier: &str) -> Result<Vec<DeviceId>, Error> {
    Ok(devices::table.filter(devices::user_id.ne(user).and(devices::identifier.eq(identifier))).select(devices::id).load(conn)?)
}

/// The devices of one user, newest first.
///
/// # Errors
/// Those of the database.
pub fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<Device>, Error> {
    Ok(devices::table.filter(devices::user_id.eq(user)).order(devices::id.desc()).select(Device::as_select()).load(conn)?)
}

/// A word of the filter `status`: a verdict, or a state of enrollment.
#[derive(Debug, Clone, Copy)]
pub enum StatusFilter {
    /// A verdict.
    Compliance(Status),
    /// A state.
    Enrollment(EnrollmentState),
}

/// Which devices are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this platform.
    pub os: Option<Platform>,
    /// Of this status.
    pub status: Option<StatusFilter>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Whose devices.
    pub ownership: Option<Ownership>,
    /// Whose serial number, model, name or user's address contains this text.
    pub text: Option<String>,
    /// Whose owner is in this group.
    pub group: Option<GroupId>,
    /// That this policy reaches.
    pub policy: Option<PolicyId>,
    /// With a reason of this code.
    pub reason: Option<String>,
    /// That were last seen on an earlier day than this one, or never.
    pub seen_before: Option<Timestamp>,
}

impl Filter {
    /// Whether only that is asked for which the tallies know.
    fn is_tallied(&self) -> bool {
        let Self { os: _, status: _, ownership: _, user, text, group, policy, reason, seen_before } = self;
        user.is_none() && text.is_none() && group.is_none() && policy.is_none() && reason.is_none() && seen_before.is_none()
    }
}

const DAY: i64 = 86_400_000;

macro_rules! filtered {
    ($query:expr, $filter:expr) => {{
        let mut query = $query.into_boxed();
        if let Some(os) = $filter.os {
            query = query.filter(device_finder::platform.eq(os));
        }
        query = match $filter.status {
            Some(StatusFilter::Compliance(status)) => query.filter(device_finder::compliance.eq(status)),
            Some(StatusFilter::Enrollment(state)) => query.filter(device_finder::state.eq(state)),
            None => query,
        };
        if let Some(user) = $filter.user {
            let theirs = devices::table.filter(devices::user_id.eq(user)).select(devices::id);
            query = query.filter(device_finder::device_id.eq_any(theirs));
        }
        if let Some(ownership) = $filter.ownership {
            query = query.filter(device_finder::ownership.eq(ownership));
        }
        if let Some(group) = $filter.group {
            let members = group_members::table.filter(group_members::group_id.eq(group)).select(group_members::user_id);
            query = query.filter(device_finder::user_id.eq_any(members));
        }
        if let Some(policy) = $filter.policy {
            let of_groups = policy_groups::table
                .inner_join(group_members::table.on(group_members::group_id.eq(policy_groups::group_id)))
                .filter(policy_groups::policy_id.eq(policy))
                .select(group_members::user_id);
            let for_everyone = policies::table.filter(policies::id.eq(policy).and(policies::is_for_everyone.eq(true)));
            query = query.filter(exists(for_everyone).or(device_finder::user_id.eq_any(of_groups)));
        }
        if let Some(code) = &$filter.reason {
            query = query.filter(device_finder::codes.like(super::contains(&format!(" {code} "))).escape('\\'));
        }
        if let Some(before) = $filter.seen_before {
            query = query.filter(device_finder::seen_day.lt(before.millis().div_euclid(DAY)));
        }
        if let Some(text) = &$filter.text {
            query = query.filter(device_finder::words.like(super::contains(text)).escape('\\'));
        }
        query
    }};
}

/// Devices with the addresses of their users, oldest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, filter: &Filter, page: PageRequest<DeviceId>) -> Result<Page<(Device, String)>, Error> {
    let items = list_items(conn, filter, page)?;
    let found = i64::try_from(items.len()).unwrap_or(i64::MAX);
    // What fits on the first page is counted by looking at it.
    let is_all = page.after.is_none() && found <= page.limit;
    let total = if is_all { found } else { count(conn, filter)? };
    Ok(Page::cut(items, page.limit, total, |(device, _): &(Device, String)| device.id))
}

/// How many devices the filter wants.
fn count(conn: &mut Conn, filter: &Filter) -> Result<i64, Error> {
    match filter {
        filter if filter.is_tallied() => tallies::count(conn, filter),
        filter => Ok(filtered!(device_finder::table.count(), filter).get_result(conn)?),
    }
}

/// How many devices there are of each platform, state and verdict, among those that the filter wants.
///
/// # Errors
/// Those of the database.
pub fn totals(conn: &mut Conn, filter: &Filter) -> Result<Vec<(Platform, EnrollmentState, Status, i64)>, Error> {
    use diesel::dsl::count_star;
    if filter.is_tallied() {
        return tallies::totals(conn, filter);
    }
    let kinds = (device_finder::platform, device_finder::state, device_finder::compliance);
    let query = device_finder::table.group_by(kinds).select((
        device_finder::platform,
        device_finder::state,
        device_finder::compliance,
        count_star(),
    ));
    Ok(filtered!(query, filter).load(conn)?)
}

/// The same without counting all: one more than the limit if there are that many.
///
/// # Errors
/// Those of the database.
pub fn list_items(conn: &mut Conn, filter: &Filter, page: PageRequest<DeviceId>) -> Result<Vec<(Device, String)>, Error> {
    // The derive cannot put one boxed query into another; each database alone can.
    Ok(on_backend!(conn, |c| {
        let mut found = filtered!(device_finder::table.select(device_finder::device_id), filter);
        if let Some(after) = page.after {
            found = found.filter(device_finder::device_id.gt(after));
        }
        let found = found.order(device_finder::device_id.asc()).limit(page.limit + 1);
        let query = devices::table.inner_join(users::table).filter(devices::id.eq_any(found)).order(devices::id.asc());
        query.select((Device::as_select(), users::email)).load(c)?
    }))
}

/// Devices whose verdict time alone may have changed.
///
/// # Errors
/// Those of the database.
pub fn due_for_evaluation(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<DeviceId>, Error> {
    Ok(devices::table.filter(devices::evaluate_at.le(now)).order(devices::evaluate_at.asc()).limit(limit).select(devices::id).load(conn)?)
}

/// Devices that should be asked for facts again.
///
/// # Errors
/// Those of the database.
pub fn due_for_refresh(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<DeviceId>, Error> {
    Ok(devices::table.filter(devices::refresh_at.le(now)).order(devices::refresh_at.asc()).limit(limit).select(devices::id).load(conn)?)
}

/// Adds a device.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, device: &Device) -> Result<(), Error> {
    let found_by = (devices::search.eq(device.words()), devices::reason_codes.eq(device.codes()?));
    diesel::insert_into(devices::table).values((device, found_by)).execute(&mut **tx)?;
    Ok(())
}

/// Changes a device. `last_seen_at` is left alone: it is written behind, and an older value must not come back.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, device: &Device) -> Result<(), Error> {
    let seen: Option<Timestamp> = devices::table.filter(devices::id.eq(device.id)).select(devices::last_seen_at).first(&mut **tx)?;
    let device = Device { last_seen_at: seen.max(device.last_seen_at), ..device.clone() };
    let found_by = (devices::search.eq(device.words()), devices::reason_codes.eq(device.codes()?));
    run_kept!(tx, diesel::update(devices::table.filter(devices::id.eq(device.id))).set((&device, found_by)))?;
    Ok(())
}

/// Removes a device with its enrollments, commands and timeline; says whether there was one.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: DeviceId) -> Result<bool, Error> {
    Ok(diesel::delete(devices::table.filter(devices::id.eq(id))).execute(&mut **tx)? == 1)
}

/// Notes when devices were last seen, many at once; an earlier time never replaces a later one.
///
/// # Errors
/// Those of the database.
pub fn touch(tx: &mut Tx<'_>, seen: &[(DeviceId, Timestamp)]) -> Result<(), Error> {
    match &mut **tx {
        Conn::Postgres(c) => {
            use diesel::sql_types::{Array, BigInt, Binary};
            let ids: Vec<&[u8]> = seen.iter().map(|(id, _)| id.as_bytes().as_slice()).collect();
            let times: Vec<i64> = seen.iter().map(|(_, at)| at.millis()).collect();
            // One statement for all: the query builder has no UPDATE … FROM unnest.
            diesel::sql_query(
                "UPDATE devices SET last_seen_at = seen.at FROM unnest($1, $2) AS seen(id, at) \
                 WHERE devices.id = seen.id AND coalesce(devices.last_seen_at, 0) < seen.at",
            )
            .bind::<Array<Binary>, _>(ids)
            .bind::<Array<BigInt>, _>(times)
            .execute(c)?;
        }
        Conn::Sqlite(c) => {
            for (id, at) in seen {
                let older = devices::last_seen_at.is_null().or(devices::last_seen_at.lt(*at));
                Kept(diesel::update(devices::table.filter(devices::id.eq(*id).and(older))).set(devices::last_seen_at.eq(*at)))
                    .execute(c)?;
            }
        }
    }
    Ok(())
}
