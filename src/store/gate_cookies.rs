//! How enrolled browsers are known to the gate: by a cookie of each application's own host, for which they spend a ticket once.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    browsers::Browser,
    enrollments::Stage,
    schema::{browsers, devices, enrollments, gate_cookies, gate_tickets},
};
use crate::domain::{
    device::EnrollmentState,
    id::{DeviceId, EnrollmentId, UserId},
    time::Timestamp,
};

/// A ticket that can be spent once.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = gate_tickets)]
pub struct Ticket {
    /// SHA-256 of the ticket.
    pub hash: Vec<u8>,
    /// The browser's enrollment.
    pub enrollment_id: EnrollmentId,
    /// Where it can be spent.
    pub host: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The browser behind a cookie of the gate, however it stands.
#[derive(Debug, Clone, Queryable)]
pub struct Shown {
    /// The browser.
    pub browser: Browser,
    /// Whose it is.
    pub user_id: UserId,
    /// The device that it is in lists and reports.
    pub device_id: DeviceId,
    /// Where the device stands.
    pub state: EnrollmentState,
    /// Where the enrollment stands.
    pub stage: Stage,
}

/// Keeps a ticket.
///
/// # Errors
/// Those of the database.
pub fn insert_ticket(tx: &mut Tx<'_>, ticket: &Ticket) -> Result<(), Error> {
    diesel::insert_into(gate_tickets::table).values(ticket).execute(&mut **tx)?;
    Ok(())
}

/// Whether a ticket is good for this host at this time. Asking spends nothing.
///
/// # Errors
/// Those of the database.
pub fn is_good(conn: &mut Conn, hash: &[u8], host: &str, now: Timestamp) -> Result<bool, Error> {
    let good = gate_tickets::table
        .filter(gate_tickets::hash.eq(hash.to_vec()).and(gate_tickets::host.eq(host.to_owned())))
        .filter(gate_tickets::expires_at.gt(now));
    Ok(diesel::select(diesel::dsl::exists(good)).get_result(conn)?)
}

/// Takes a ticket away, if it is good for this host at this time; gives the enrollment of its browser. Of two who spend the same
/// ticket at once one gets nothing, because only one of them deletes the row.
///
/// # Errors
/// Those of the database.
pub fn spend_ticket(tx: &mut Tx<'_>, hash: &[u8], host: &str, now: Timestamp) -> Result<Option<EnrollmentId>, Error> {
    let ticket = || gate_tickets::table.filter(gate_tickets::hash.eq(hash.to_vec()).and(gate_tickets::host.eq(host.to_owned())));
    let good = ticket().filter(gate_tickets::expires_at.gt(now));
    let found: Option<EnrollmentId> = good.select(gate_tickets::enrollment_id).first(&mut **tx).optional()?;
    let is_ours = diesel::delete(ticket()).execute(&mut **tx)? == 1;
    Ok(found.filter(|_| is_ours))
}

/// Forgets tickets whose time is over.
///
/// # Errors
/// Those of the database.
pub fn purge_tickets(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, Error> {
    Ok(diesel::delete(gate_tickets::table.filter(gate_tickets::expires_at.le(now))).execute(&mut **tx)?)
}

/// Keeps the cookie of a browser for a host, in place of the one that it had there.
///
/// # Errors
/// Those of the database.
pub fn upsert(tx: &mut Tx<'_>, enrollment: EnrollmentId, host: &str, hash: &[u8], now: Timestamp) -> Result<(), Error> {
    let own = gate_cookies::table.filter(gate_cookies::enrollment_id.eq(enrollment).and(gate_cookies::host.eq(host)));
    diesel::delete(own).execute(&mut **tx)?;
    diesel::insert_into(gate_cookies::table)
        .values((
            gate_cookies::enrollment_id.eq(enrollment),
            gate_cookies::host.eq(host),
            gate_cookies::hash.eq(hash),
            gate_cookies::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// The browser that a cookie was given for this host.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, hash: &[u8], host: &str) -> Result<Option<Shown>, Error> {
    Ok(gate_cookies::table
        .inner_join(browsers::table.inner_join(enrollments::table))
        .inner_join(devices::table.on(enrollments::device_id.eq(devices::id.nullable())))
        .filter(gate_cookies::hash.eq(hash.to_vec()).and(gate_cookies::host.eq(host.to_owned())))
        .select((Browser::as_select(), enrollments::user_id, devices::id, devices::state, enrollments::state))
        .first(conn)
        .optional()?)
}
