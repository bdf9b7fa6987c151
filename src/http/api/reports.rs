//! The compliance report, as JSON and as CSV.

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    csv,
    devices::DeviceView,
    error::{ApiError, Problem},
};
use crate::{
    domain::{id::DeviceId, time::Timestamp, user::Permission},
    http::extract::caller::Caller,
    service::{
        App, Error,
        report::{Totals, WantedDevices},
    },
    store::{
        self,
        devices::{self, Filter},
        page::PageRequest,
    },
};

/// Which report is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// A platform.
    os: Option<String>,
    /// A verdict, or a state of enrollment.
    status: Option<String>,
    /// `company` or `personal`.
    ownership: Option<String>,
    /// Identifier of a group that the owner is in.
    group: Option<String>,
    /// Identifier of a policy that reaches the device.
    policy: Option<String>,
    /// Code of a reason that the device has.
    reason: Option<String>,
    /// Days, 1 to 365, for which the device has not been seen.
    unseen_days: Option<String>,
    /// `json` or `csv`.
    format: Option<String>,
    /// Items on a page of JSON, 1 to 200; CSV always has all.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportView {
    /// When it was made.
    pub generated_at: Timestamp,
    /// How many devices there are, among those that the filters want.
    pub totals: Totals,
    /// The devices.
    pub items: Vec<DeviceView>,
    /// Give this as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
    /// How many devices all pages have together.
    pub total: i64,
}

/// Makes the compliance report.
#[utoipa::path(get, path = "/api/v1/reports/compliance", params(ReportQuery), responses((status = 200, body = ReportView), (status = 400, body = Problem)), tag = "reports", security(("token" = [])))]
pub async fn compliance_report(caller: Caller, app: web::Data<App>, query: Query<ReportQuery>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::Read)?;
    let query = query.into_inner();
    let wanted = WantedDevices {
        os: query.os,
        status: query.status,
        ownership: query.ownership,
        group: query.group,
        policy: query.policy,
        reason: query.reason,
        unseen_days: query.unseen_days,
        ..WantedDevices::default()
    };
    let filter = wanted.filter(app.now())?;
    match query.format.as_deref() {
        None | Some("json" | "") => {
            let page = super::paging::page(query.limit, query.cursor.as_deref())?;
            Ok(HttpResponse::Ok().json(json_report(&app, filter, page).await?))
        }
        Some("csv") => Ok(csv_report(app.into_inner(), filter)),
        Some(_) => Err(Error::invalid("format", "must be json or csv").into()),
    }
}

async fn json_report(app: &App, filter: Filter, page: PageRequest<DeviceId>) -> Result<ReportView, ApiError> {
    let summary = app.summarize(filter.clone()).await?;
    let (items, next_cursor, total) = app
        .read(move |conn| {
            let page = devices::list(conn, &filter, page)?;
            Ok::<_, store::Error>((DeviceView::all(conn, page.items)?, page.next_cursor, page.total))
        })
        .await?;
    Ok(ReportView { generated_at: summary.generated_at, totals: summary.totals, items, next_cursor, total })
}

const COLUMNS: &str =
    "id,user,platform,os_version,model,serial,ownership,enrollment,compliance,access,reasons,last_seen_at,evaluated_at,enrolled_at\r\n";
/// Devices in one piece of a CSV report.
const PIECE: i64 = 500;

/// All devices as CSV, piece by piece, so that a large fleet needs no large memory.
pub fn csv_report(app: std::sync::Arc<App>, filter: Filter) -> HttpResponse {
    let rows = futures_util::stream::try_unfold(Some(None), move |state: Option<Option<DeviceId>>| {
        let (app, filter) = (std::sync::Arc::clone(&app), filter.clone());
        async move {
            let Some(after) = state else { return Ok::<_, ApiError>(None) };
            let page = PageRequest { limit: PIECE - 1, after };
            let items = app.read(move |conn| devices::list_items(conn, &filter, page)).await?;
            let mut text = if after.is_none() { COLUMNS.to_owned() } else { String::new() };
            let last = items.last().map(|(device, _)| device.id);
            for (device, email) in items {
                text.push_str(&line(&DeviceView::of(None, device, email)?));
            }
            Ok(Some((web::Bytes::from(text), last.map(Some))))
        }
    });
    csv::answer("compliance.csv", rows)
}

fn line(device: &DeviceView) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let fields = [
        device.id.to_string(),
        device.user.as_ref().map(|user| user.email.clone()).unwrap_or_default(),
        device.platform.to_string(),
        text(&device.os_version),
        text(&device.model),
        text(&device.serial),
        device.ownership.to_string(),
        device.enrollment.to_string(),
        device.compliance.to_string(),
        device.access.to_string(),
        device.reasons.iter().map(|reason| reason.code.as_str()).collect::<Vec<_>>().join(" "),
        time(device.last_seen_at),
        time(device.evaluated_at),
        time(device.enrolled_at),
    ];
    csv::line(&fields)
}
