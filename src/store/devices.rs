//! Devices, as the lists, the reports and the rules see them.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::first_locked,
    document,
    kept::{Kept, run_kept},
    page::{Page, PageRequest},
    parse,
    schema::{devices, users},
};
use crate::domain::{
    access::Decision,
    compliance::{Reason, Status},
    device::{EnrollmentState, Ownership, Platform},
    id::{DeviceId, EnrollmentId, UserId},
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
}

macro_rules! filtered {
    ($query:expr, $filter:expr) => {{
        let mut query = $query.into_boxed();
        if let Some(os) = $filter.os {
            query = query.filter(devices::platform.eq(os));
        }
        query = match $filter.status {
            Some(StatusFilter::Compliance(status)) => query.filter(devices::compliance.eq(status)),
            Some(StatusFilter::Enrollment(state)) => query.filter(devices::state.eq(state)),
            None => query,
        };
        if let Some(user) = $filter.user {
            query = query.filter(devices::user_id.eq(user));
        }
        if let Some(ownership) = $filter.ownership {
            query = query.filter(devices::ownership.eq(ownership));
        }
        if let Some(text) = &$filter.text {
            let pattern = super::contains(text);
            let owners = diesel::alias!(users as owners);
            let found = owners.filter(owners.field(users::email).like(pattern.clone()).escape('\\')).select(owners.field(users::id));
            query = query.filter(devices::search.like(pattern).escape('\\').or(devices::user_id.eq_any(found)));
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
    let total = if is_all { found } else { filtered!(devices::table.count(), filter).get_result(conn)? };
    Ok(Page::cut(items, page.limit, total, |(device, _): &(Device, String)| device.id))
}

/// The same without counting all: one more than the limit if there are that many.
///
/// # Errors
/// Those of the database.
pub fn list_items(conn: &mut Conn, filter: &Filter, page: PageRequest<DeviceId>) -> Result<Vec<(Device, String)>, Error> {
    let mut query = filtered!(devices::table.inner_join(users::table).select((Device::as_select(), users::email)), filter);
    if let Some(after) = page.after {
        query = query.filter(devices::id.gt(after));
    }
    Ok(query.order(devices::id.asc()).limit(page.limit + 1).load(conn)?)
}

/// How many devices there are of each platform, state and verdict, among those that the filter wants.
///
/// # Errors
/// Those of the database.
pub fn totals(conn: &mut Conn, filter: &Filter) -> Result<Vec<(Platform, EnrollmentState, Status, i64)>, Error> {
    use diesel::dsl::count_star;
    let mut query = devices::table
        .group_by((devices::platform, devices::state, devices::compliance))
        .select((devices::platform, devices::state, devices::compliance, count_star()))
        .into_boxed();
    if let Some(os) = filter.os {
        query = query.filter(devices::platform.eq(os));
    }
    query = match filter.status {
        Some(StatusFilter::Compliance(status)) => query.filter(devices::compliance.eq(status)),
        Some(StatusFilter::Enrollment(state)) => query.filter(devices::state.eq(state)),
        None => query,
    };
    if let Some(ownership) = filter.ownership {
        query = query.filter(devices::ownership.eq(ownership));
    }
    Ok(query.load(conn)?)
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
    diesel::insert_into(devices::table).values((device, devices::search.eq(device.words()))).execute(&mut **tx)?;
    Ok(())
}

/// Changes a device. `last_seen_at` is left alone: it is written behind, and an older value must not come back.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, device: &Device) -> Result<(), Error> {
    let seen: Option<Timestamp> = devices::table.filter(devices::id.eq(device.id)).select(devices::last_seen_at).first(&mut **tx)?;
    let device = Device { last_seen_at: seen.max(device.last_seen_at), ..device.clone() };
    run_kept!(tx, diesel::update(devices::table.filter(devices::id.eq(device.id))).set((&device, devices::search.eq(device.words()))))?;
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
