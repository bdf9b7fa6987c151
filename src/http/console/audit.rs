//! The audit log: who did what, filtered; and the check that nobody has changed it.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    show::{self, When},
};
use crate::{
    domain::{audit::ActorKind, time::Timestamp},
    http::{api::paging, extract::admin::Admin, problem::Problem},
    service::{Error, verification::Verified},
    store::audit::{self, AuditLine, Filter, Verification},
};

/// Rows on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct AuditQuery {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    verify: String,
}

#[derive(Debug, Serialize)]
struct LineRow {
    sequence: i64,
    at: When,
    actor: String,
    door: &'static str,
    action: String,
    subject: String,
    subject_kind: String,
    link: Option<String>,
    detail: String,
}

#[derive(Debug, Serialize)]
struct VerificationView {
    found: Verification,
    at: When,
    /// It was asked for with this page, and not before.
    is_new: bool,
}

impl VerificationView {
    fn new(verified: Verified, is_new: bool, now: Timestamp) -> Self {
        Self { found: verified.found, at: When::new(verified.at, now), is_new }
    }
}

#[derive(Debug, Serialize)]
struct AuditView {
    actor: String,
    action: String,
    since: String,
    is_filtered: bool,
    verification: Option<VerificationView>,
    /// The log is being verified for somebody else.
    is_verifying: bool,
    rows: Vec<LineRow>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
}

/// `GET /console/audit`
pub async fn get_audit(admin: Admin, query: web::Query<AuditQuery>) -> Result<HttpResponse, Problem> {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = Filter {
        actor: paging::text("actor", given(&query.actor))?,
        action: paging::text("action", given(&query.action))?,
        since: given(&query.since).map(|day| midnight(&day)).transpose()?,
    };
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let wants_check = query.verify == "yes";
    let verified = if wants_check { admin.app.verify_audit().await? } else { None };
    let page = admin.app.read(move |conn| Ok::<_, Error>(audit::list(conn, &filter, page)?)).await?;
    let now = admin.app.now();
    let (is_new, is_verifying) = (verified.is_some(), wants_check && verified.is_none());
    let verification = verified.or_else(|| admin.app.last_verification());
    let address: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("actor", &query.actor)
        .append_pair("action", &query.action)
        .append_pair("since", &query.since)
        .finish();
    let view = AuditView {
        is_filtered: [&query.actor, &query.action, &query.since].iter().any(|text| !text.is_empty()),
        verification: verification.map(|verified| VerificationView::new(verified, is_new, now)),
        is_verifying,
        total: page.total,
        next: page.next_cursor.as_ref().map(|cursor| format!("?{address}&cursor={cursor}")),
        rows: page.items.into_iter().map(|line| row(line, now)).collect(),
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        actor: query.actor.clone(),
        action: query.action.clone(),
        since: query.since.clone(),
    };
    Ok(Frame::new(&admin, "/console/audit", "Audit log").wide().show(&admin, "console/audit", &view))
}

fn midnight(day: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(&format!("{day}T00:00:00Z")).map_err(|_| Error::invalid("since", "must be a day such as 2026-03-01"))
}

fn row(line: AuditLine, now: Timestamp) -> LineRow {
    let place = match line.subject_kind.as_str() {
        "device" => Some("devices"),
        "user" => Some("users"),
        "policy" => Some("policies"),
        "group" => Some("groups"),
        _ => None,
    };
    // What was removed since has no page any more; the identifiers of what was never an identifier have none either.
    let address = place.filter(|_| line.subject.parse::<uuid::Uuid>().is_ok()).map(|place| format!("/console/{place}/{}", line.subject));
    LineRow {
        sequence: line.sequence,
        at: When::new(line.at, now),
        actor: line.actor_name,
        door: match line.actor_kind {
            ActorKind::User => "console",
            ActorKind::Token => "API token",
            ActorKind::CommandLine => "command line",
            ActorKind::Server => "server",
        },
        action: line.action,
        subject_kind: show::words(&line.subject_kind),
        subject: line.subject,
        link: address,
        detail: serde_json::from_str::<serde_json::Value>(&line.detail)
            .ok()
            .and_then(|detail| serde_json::to_string_pretty(&detail).ok())
            .unwrap_or(line.detail),
    }
}
