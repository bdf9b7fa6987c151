//! Enrollments: one device's time under management, and what a device's certificate says about it.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    conn::first_locked,
    kept::{IsDeliverable, run_kept},
    schema::{certificates, commands, devices, enrollments},
};
use crate::{
    domain::{
        backend::{Backend, ManagementMode},
        device::{EnrollmentState, Ownership},
        id::{CertificateId, DeviceId, EnrollmentId, UserId},
        rights::AccessRights,
        time::Timestamp,
    },
    words,
};

words! {
    /// Where an enrollment stands.
    pub enum Stage {
        /// The profile was made.
        Prepared = "prepared",
        /// The device has shown its certificate.
        Authenticated = "authenticated",
        /// The device can be reached.
        Enrolled = "enrolled",
        /// Over.
        Ended = "ended",
    }
}

/// One enrollment.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = enrollments, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct Enrollment {
    /// Its identifier.
    pub id: EnrollmentId,
    /// For whom it was prepared.
    pub user_id: UserId,
    /// The device, once it has shown itself.
    pub device_id: Option<DeviceId>,
    /// The how many-th enrollment of the device it is.
    pub generation: i32,
    /// Who owns the device.
    pub ownership: Ownership,
    /// What was asked for.
    pub rights: AccessRights,
    /// Where it stands.
    pub state: Stage,
    /// Whether it is a User Enrollment.
    pub is_user_enrollment: bool,
    /// Which text the person agreed to.
    pub consent_version: Option<String>,
    /// When they agreed.
    pub consented_at: Option<Timestamp>,
    /// SHA-256 of the certificate that it is pinned to.
    pub fingerprint: Option<Vec<u8>>,
    /// Push topic.
    pub topic: Option<String>,
    /// Push token.
    pub push_token: Option<Vec<u8>>,
    /// Push magic.
    pub push_magic: Option<String>,
    /// The unlock token, sealed.
    pub sealed_unlock_token: Option<Vec<u8>>,
    /// The device waits in Setup Assistant.
    pub is_awaiting_configuration: bool,
    /// The bootstrap token of a Mac, sealed.
    pub sealed_bootstrap_token: Option<Vec<u8>>,
    /// `PayloadUUID` of the passcode profile that was last queued.
    pub passcode_profile: Option<String>,
    /// When the profile was made.
    pub created_at: Timestamp,
    /// When it was complete.
    pub enrolled_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_cause: Option<String>,
    /// What manages the device.
    pub backend: Backend,
    /// What the agent is on the device, once it has said so.
    pub management_mode: Option<ManagementMode>,
}

/// What one query finds out about the certificate that a message came with.
#[derive(Debug, Clone, Queryable)]
pub struct Session {
    /// The certificate.
    pub certificate_id: CertificateId,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Its enrollment.
    pub enrollment_id: EnrollmentId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where the enrollment stands.
    pub stage: Stage,
    /// The certificate that the enrollment is pinned to.
    pub pinned: Option<Vec<u8>>,
    /// Whether it is a User Enrollment.
    pub is_user_enrollment: bool,
    /// The device.
    pub device_id: Option<DeviceId>,
    /// What the device calls itself.
    pub identifier: Option<String>,
    /// Where the device stands.
    pub device_state: Option<EnrollmentState>,
    /// What manages it.
    pub backend: Backend,
}

impl Session {
    /// Whether the device was ordered away: its certificate is revoked, and it may still hear what to remove.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        matches!(self.device_state, Some(EnrollmentState::WipePending | EnrollmentState::Retired))
    }

    /// Whether the enrollment is pinned to another certificate than this one of its own.
    #[must_use]
    pub fn is_first_use_of(&self, fingerprint: &[u8]) -> bool {
        self.pinned.as_deref().is_some_and(|pinned| pinned != fingerprint)
    }
}

macro_rules! of_certificate {
    ($fingerprint:expr) => {
        certificates::table
            .inner_join(enrollments::table)
            .left_join(devices::table.on(enrollments::device_id.eq(devices::id.nullable())))
            .filter(certificates::fingerprint.eq($fingerprint.to_vec()))
    };
}

macro_rules! session_columns {
    () => {
        (
            certificates::id,
            certificates::not_before,
            certificates::not_after,
            certificates::revoked_at,
            enrollments::id,
            enrollments::user_id,
            enrollments::state,
            enrollments::fingerprint,
            enrollments::is_user_enrollment,
            devices::id.nullable(),
            devices::identifier.nullable(),
            devices::state.nullable(),
            enrollments::backend,
        )
    };
}

/// Finds what belongs to a certificate: one query, asked for each message of each device.
///
/// # Errors
/// Those of the database.
pub fn session(conn: &mut Conn, fingerprint: &[u8]) -> Result<Option<Session>, Error> {
    Ok(of_certificate!(fingerprint).select(session_columns!()).first(conn).optional()?)
}

/// The same together with the answer whether anything waits for the device: one query, asked for each poll of an agent.
///
/// # Errors
/// Those of the database.
pub fn session_with_queue(conn: &mut Conn, fingerprint: &[u8]) -> Result<Option<(Session, bool)>, Error> {
    let waiting = commands::table.filter(commands::enrollment_id.eq(enrollments::id).and(IsDeliverable)).select(commands::id);
    Ok(of_certificate!(fingerprint).select((session_columns!(), diesel::dsl::exists(waiting))).first(conn).optional()?)
}

/// The enrollment of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: EnrollmentId) -> Result<Option<Enrollment>, Error> {
    Ok(enrollments::table.filter(enrollments::id.eq(id)).select(Enrollment::as_select()).first(conn).optional()?)
}

/// The enrollment, locked until the commit.
///
/// # Errors
/// Those of the database.
pub fn find_for_update(tx: &mut Tx<'_>, id: EnrollmentId) -> Result<Option<Enrollment>, Error> {
    Ok(first_locked!(tx, enrollments::table.filter(enrollments::id.eq(id)).select(Enrollment::as_select())))
}

/// Enrollments of a device that are not over, apart from one.
///
/// # Errors
/// Those of the database.
pub fn others_of_device(conn: &mut Conn, device: DeviceId, except: EnrollmentId) -> Result<Vec<Enrollment>, Error> {
    Ok(enrollments::table
        .filter(enrollments::device_id.eq(device).and(enrollments::id.ne(except)).and(enrollments::state.ne(Stage::Ended)))
        .select(Enrollment::as_select())
        .load(conn)?)
}

/// Enrollments of a user that are not over.
///
/// # Errors
/// Those of the database.
pub fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<Enrollment>, Error> {
    Ok(enrollments::table
        .filter(enrollments::user_id.eq(user).and(enrollments::state.ne(Stage::Ended)))
        .select(Enrollment::as_select())
        .load(conn)?)
}

/// Enrollments whose profile was made before then and never used.
///
/// # Errors
/// Those of the database.
pub fn prepared_before(conn: &mut Conn, before: Timestamp, limit: i64) -> Result<Vec<Enrollment>, Error> {
    Ok(enrollments::table
        .filter(enrollments::state.eq(Stage::Prepared).and(enrollments::created_at.lt(before)))
        .limit(limit)
        .select(Enrollment::as_select())
        .load(conn)?)
}

/// Adds an enrollment.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, enrollment: &Enrollment) -> Result<(), Error> {
    diesel::insert_into(enrollments::table).values(enrollment).execute(&mut **tx)?;
    Ok(())
}

/// Changes an enrollment.
///
/// # Errors
/// Those of the database.
pub fn update(tx: &mut Tx<'_>, enrollment: &Enrollment) -> Result<(), Error> {
    run_kept!(tx, diesel::update(enrollments::table.filter(enrollments::id.eq(enrollment.id))).set(enrollment))?;
    Ok(())
}

/// Notes which passcode profile was queued last.
///
/// # Errors
/// Those of the database.
pub fn set_passcode_profile(tx: &mut Tx<'_>, id: EnrollmentId, uuid: Option<&str>) -> Result<(), Error> {
    diesel::update(enrollments::table.filter(enrollments::id.eq(id))).set(enrollments::passcode_profile.eq(uuid)).execute(&mut **tx)?;
    Ok(())
}

/// Pins an enrollment to another certificate of its own: the first use of a renewed one.
///
/// # Errors
/// Those of the database.
pub fn pin(tx: &mut Tx<'_>, id: EnrollmentId, fingerprint: &[u8]) -> Result<(), Error> {
    diesel::update(enrollments::table.filter(enrollments::id.eq(id)))
        .set(enrollments::fingerprint.eq(fingerprint.to_vec()))
        .execute(&mut **tx)?;
    Ok(())
}

/// Forgets a push token that Apple takes no longer, unless the device has sent another one meanwhile; says whether it did.
///
/// # Errors
/// Those of the database.
pub fn forget_push_token(tx: &mut Tx<'_>, id: EnrollmentId, token: &[u8]) -> Result<bool, Error> {
    let changed = diesel::update(enrollments::table.filter(enrollments::id.eq(id).and(enrollments::push_token.eq(token.to_vec()))))
        .set(enrollments::push_token.eq(None::<Vec<u8>>))
        .execute(&mut **tx)?;
    Ok(changed == 1)
}

/// Enrollments of a topic that can be woken and for which commands wait, in the order of their identifiers.
///
/// # Errors
/// Those of the database.
pub fn waiting_for_push(conn: &mut Conn, topic: &str, after: Option<EnrollmentId>, limit: i64) -> Result<Vec<Enrollment>, Error> {
    let mut query = enrollments::table
        .filter(enrollments::topic.eq(topic.to_owned()).and(enrollments::push_token.is_not_null()).and(enrollments::ended_at.is_null()))
        .filter(enrollments::id.eq_any(commands::table.filter(IsDeliverable).select(commands::enrollment_id)))
        .select(Enrollment::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(enrollments::id.gt(after));
    }
    Ok(query.order(enrollments::id.asc()).limit(limit).load(conn)?)
}

/// How many devices are enrolled with this topic, and how many with another one.
///
/// # Errors
/// Those of the database.
pub fn count_by_topic(conn: &mut Conn, topic: &str) -> Result<(i64, i64), Error> {
    let enrolled = enrollments::table.filter(enrollments::state.eq(Stage::Enrolled));
    let all: i64 = enrolled.count().get_result(conn)?;
    let same: i64 = enrolled.filter(enrollments::topic.eq(topic.to_owned())).count().get_result(conn)?;
    Ok((same, all.saturating_sub(same)))
}
