//! Device certificates as administrators list and count them.

use diesel::{
    dsl::{exists, not},
    prelude::*,
};

use super::{
    Conn, Error,
    enrollments::Stage,
    page::{Page, PageRequest},
    schema::{certificates, enrollments},
};
use crate::domain::{
    id::{CertificateId, DeviceId},
    time::Timestamp,
};

/// Which certificates are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub enum Show {
    /// Those that are good.
    #[default]
    Valid,
    /// Those of enrolled devices that end before then and have no successor.
    Ending(Timestamp),
    /// Those that were revoked.
    Revoked,
    /// Those whose time is over.
    Expired,
}

/// A certificate as a list shows it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = certificates)]
pub struct CertificateItem {
    /// Its identifier.
    pub id: CertificateId,
    /// Serial number, sixteen bytes.
    pub serial: Vec<u8>,
    /// Common name.
    pub common_name: String,
    /// Mail address.
    pub email: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why, in the words of RFC 5280.
    pub revocation_reason: Option<String>,
}

/// Of each enrolled device only the certificate that lives longest matters: the others were renewed.
macro_rules! ending {
    ($query:expr, $until:expr) => {{
        let later = diesel::alias!(certificates as later);
        let has_later = later.filter(
            later
                .field(certificates::enrollment_id)
                .eq(certificates::enrollment_id)
                .and(later.field(certificates::not_after).ge($until))
                .and(later.field(certificates::revoked_at).is_null()),
        );
        $query
            .filter(certificates::revoked_at.is_null().and(certificates::not_after.lt($until)))
            .filter(enrollments::state.eq(Stage::Enrolled))
            .filter(not(exists(has_later)))
    }};
}

/// How many certificates of enrolled devices end before then and have no successor.
///
/// # Errors
/// Those of the database.
pub fn count_ending(conn: &mut Conn, until: Timestamp) -> Result<i64, Error> {
    Ok(ending!(certificates::table.inner_join(enrollments::table), until).count().get_result(conn)?)
}

/// Lists certificates, newest first, each with the device of its enrollment.
///
/// * `text`: part of the mail address.
///
/// # Errors
/// Those of the database.
pub fn list(
    conn: &mut Conn,
    show: Show,
    text: Option<&str>,
    now: Timestamp,
    page: PageRequest<CertificateId>,
) -> Result<Page<(CertificateItem, Option<DeviceId>)>, Error> {
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query = $query.into_boxed();
            query = match show {
                Show::Valid => query.filter(certificates::revoked_at.is_null().and(certificates::not_after.gt(now))),
                Show::Ending(until) => ending!(query, until),
                Show::Revoked => query.filter(certificates::revoked_at.is_not_null()),
                Show::Expired => query.filter(certificates::revoked_at.is_null().and(certificates::not_after.le(now))),
            };
            if let Some(text) = text {
                query = query.filter(certificates::email.like(super::contains(text)).escape('\\'));
            }
            query
        }};
    }
    let total = filtered!(certificates::table.inner_join(enrollments::table).count()).get_result(conn)?;
    let mut query =
        filtered!(certificates::table.inner_join(enrollments::table).select((CertificateItem::as_select(), enrollments::device_id)));
    if let Some(before) = page.after {
        query = query.filter(certificates::id.lt(before));
    }
    let items = query.order(certificates::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |(certificate, _): &(CertificateItem, Option<DeviceId>)| certificate.id))
}
