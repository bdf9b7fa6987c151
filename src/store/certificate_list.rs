//! Device certificates as administrators list and count them.

use diesel::{
    dsl::{exists, not},
    prelude::*,
};

use super::{
    Conn, Error,
    conn::on_backend,
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
    macro_rules! with_text {
        ($query:expr) => {
            match text {
                Some(text) => $query.filter(certificates::email.like(super::contains(text)).escape('\\')),
                None => $query,
            }
        };
    }
    macro_rules! shown {
        ($query:expr) => {
            with_text!(match show {
                Show::Revoked => $query.into_boxed().filter(certificates::revoked_at.is_not_null()),
                Show::Expired => $query.into_boxed().filter(certificates::revoked_at.is_null().and(certificates::not_after.le(now))),
                _ => $query.into_boxed().filter(certificates::revoked_at.is_null().and(certificates::not_after.gt(now))),
            })
        };
    }
    macro_rules! rows {
        () => {{
            let rows = certificates::table.inner_join(enrollments::table).select((CertificateItem::as_select(), enrollments::device_id));
            rows.order(certificates::id.desc()).limit(page.limit + 1)
        }};
    }
    let (items, total) = if let Show::Ending(until) = show {
        let mut rows = with_text!(ending!(rows!().into_boxed(), until));
        if let Some(before) = page.after {
            rows = rows.filter(certificates::id.lt(before));
        }
        let count = certificates::table.inner_join(enrollments::table).count().into_boxed();
        (rows.load(conn)?, with_text!(ending!(count, until)).get_result(conn)?)
    } else {
        // Everything that is asked about is in one index, which is read in its order; only what the page shows is fetched. The
        // derive cannot put one boxed query into another; each database alone can.
        let items = on_backend!(&mut *conn, |c| {
            let mut found = shown!(certificates::table.select(certificates::id));
            if let Some(before) = page.after {
                found = found.filter(certificates::id.lt(before));
            }
            let found = found.order(certificates::id.desc()).limit(page.limit + 1);
            rows!().filter(certificates::id.eq_any(found)).load(c)?
        });
        (items, shown!(certificates::table.count()).get_result(conn)?)
    };
    Ok(Page::cut(items, page.limit, total, |(certificate, _): &(CertificateItem, Option<DeviceId>)| certificate.id))
}
