//! The audit log.

use actix_web::web::{self, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::{ApiError, Problem},
    paging,
};
use crate::{
    domain::{time::Timestamp, user::Permission},
    http::extract::caller::Caller,
    service::{App, Error},
    store::{
        audit::{self as rows, AuditLine, Filter, Verification},
        page::Page,
    },
};

/// Seconds after which it is worth asking again for a verification.
const BUSY_SECONDS: u64 = 5;

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Name of an actor.
    actor: Option<String>,
    /// An action, such as `device.wipe`.
    action: Option<String>,
    /// Not before this instant, RFC 3339.
    since: Option<String>,
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what was done, newest first.
#[utoipa::path(get, path = "/api/v1/audit", params(AuditQuery), responses((status = 200, body = Page<AuditLine>), (status = 400, body = Problem)), tag = "audit", security(("token" = [])))]
pub async fn list_audit(caller: Caller, app: web::Data<App>, query: Query<AuditQuery>) -> Result<web::Json<Page<AuditLine>>, ApiError> {
    caller.must(Permission::ReadAudit)?;
    let query = query.into_inner();
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let since = query.since.as_deref().map(Timestamp::parse).transpose();
    let filter = Filter {
        actor: paging::text("actor", query.actor)?,
        action: paging::text("action", query.action)?,
        since: since.map_err(|_| Error::invalid("since", "must be a time such as 2026-01-31T12:00:00Z"))?,
    };
    Ok(web::Json(app.read(move |conn| rows::list(conn, &filter, page)).await?))
}

/// Reads the whole log and says whether every line is as it was written. One such call is answered at a time.
#[utoipa::path(get, path = "/api/v1/audit/verification", responses((status = 200, body = Verification), (status = 429, body = Problem)), tag = "audit", security(("token" = [])))]
pub async fn verify_audit(caller: Caller, app: web::Data<App>) -> Result<web::Json<Verification>, ApiError> {
    caller.must(Permission::ReadAudit)?;
    let busy = || Error::TooMany {
        why: "the log is being verified at the moment; ask again in a few seconds".into(),
        retry_after_seconds: BUSY_SECONDS,
    };
    Ok(web::Json(app.verify_audit().await?.ok_or_else(busy)?.found))
}
