//! What an administrator should look at first, in numbers.

use diesel::{
    dsl::{exists, sql},
    prelude::*,
    sql_types::Bool,
};

use super::{
    Conn, Error, certificate_list,
    devices::Filter,
    mails::MailState,
    schema::{commands, devices, jobs, mails, policies, users},
    tallies,
};
use crate::domain::{command::Purpose, compliance::Status, device::EnrollmentState, id::DeviceId, mail::MAIL_JOBS, time::Timestamp};

/// What is out of order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attention {
    /// Enrolled devices that break their policy.
    pub noncompliant: i64,
    /// Enrolled devices that will break it when their grace period ends.
    pub in_grace: i64,
    /// Enrolled devices of which too little is known.
    pub unknown: i64,
    /// Devices that a wipe was ordered for and that have not confirmed it.
    pub wipes_pending: i64,
    /// Orders that wait for somebody's approval.
    pub awaiting_approval: i64,
    /// Mails that were given up.
    pub mails_failed: i64,
    /// Mails that wait although they were tried.
    pub mails_waiting: i64,
    /// Work that was given up, other than mails.
    pub jobs_dead: i64,
    /// Certificates of enrolled devices that end within the period asked for, or have ended.
    pub certificates_ending: i64,
}

/// Counts what is out of order.
///
/// * `certificates_until`: certificates that end before then are counted.
///
/// # Errors
/// Those of the database.
pub fn count(conn: &mut Conn, certificates_until: Timestamp) -> Result<Attention, Error> {
    let kinds = tallies::totals(conn, &Filter::default())?;
    let sum = |is_meant: &dyn Fn(EnrollmentState, Status) -> bool| {
        kinds.iter().filter(|(_, state, status, _)| is_meant(*state, *status)).fold(0, |sum: i64, (.., number)| sum.saturating_add(*number))
    };
    let of = |wanted: Status| sum(&|state, status| state == EnrollmentState::Enrolled && status == wanted);
    let failed = mails::table.filter(mails::state.eq(MailState::Failed)).count().get_result(conn)?;
    let waiting = mails::table.filter(mails::state.eq(MailState::Queued).and(mails::last_error.is_not_null())).count().get_result(conn)?;
    let dead = jobs::table.filter(jobs::dead_at.is_not_null().and(jobs::kind.ne_all(MAIL_JOBS))).count().get_result(conn)?;
    // The very words of the partial index: with a bound value in their place the whole queue would be read.
    let approval = commands::table.filter(sql::<Bool>("commands.state = 'awaiting_approval'")).count().get_result(conn)?;
    Ok(Attention {
        noncompliant: of(Status::Noncompliant),
        in_grace: of(Status::InGrace),
        unknown: of(Status::Unknown),
        wipes_pending: sum(&|state, _| state == EnrollmentState::WipePending),
        awaiting_approval: approval,
        mails_failed: failed,
        mails_waiting: waiting,
        jobs_dead: dead,
        certificates_ending: certificate_list::count_ending(conn, certificates_until)?,
    })
}

/// An order that waits for somebody's approval.
#[derive(Debug, Clone, Queryable)]
pub struct Approval {
    /// The device.
    pub device: DeviceId,
    /// Its name, if it has told one.
    pub name: Option<String>,
    /// Its owner's address.
    pub email: String,
    /// What the order is for.
    pub purpose: Purpose,
}

/// The orders that wait for approval, oldest first.
///
/// * `limit`: the most that are given.
///
/// # Errors
/// Those of the database.
pub fn approvals(conn: &mut Conn, limit: i64) -> Result<Vec<Approval>, Error> {
    Ok(commands::table
        .inner_join(devices::table.inner_join(users::table))
        .filter(sql::<Bool>("commands.state = 'awaiting_approval'"))
        .order(commands::id.asc())
        .limit(limit)
        .select((devices::id, devices::device_name, users::email, commands::purpose))
        .load(conn)?)
}

/// What was set up so far: a new server says what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// There is a policy.
    pub has_policies: bool,
    /// There is somebody besides the administrators.
    pub has_users: bool,
    /// There is a device.
    pub has_devices: bool,
}

/// Looks what was set up so far.
///
/// # Errors
/// Those of the database.
pub fn progress(conn: &mut Conn) -> Result<Progress, Error> {
    Ok(Progress {
        has_policies: diesel::select(exists(policies::table.select(policies::id))).get_result(conn)?,
        has_users: diesel::select(exists(users::table.filter(users::role.is_null()))).get_result(conn)?,
        has_devices: diesel::select(exists(devices::table.select(devices::id))).get_result(conn)?,
    })
}
