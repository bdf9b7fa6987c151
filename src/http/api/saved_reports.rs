//! Saved views of the compliance report.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, Problem};
use crate::{
    domain::{id::SavedReportId, schedule::Every, time::Timestamp, user::Permission},
    http::extract::caller::Caller,
    service::{App, Error, report::WantedDevices, saved_report::WantedReport},
    store::{
        self,
        saved_reports::{self, SavedReport},
    },
};

/// A saved view.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedReportView {
    /// Identifier.
    pub id: SavedReportId,
    /// What it is called.
    pub name: String,
    /// Which devices it shows.
    pub filter: WantedDevices,
    /// How often it is mailed; null where it is only kept.
    pub every: Option<Every>,
    /// To whom.
    pub recipients: Vec<String>,
    /// Who saved it.
    pub created_by: String,
    /// When it was last mailed.
    pub last_sent_at: Option<Timestamp>,
    /// When it is mailed next.
    pub next_at: Option<Timestamp>,
}

impl SavedReportView {
    fn of(report: SavedReport) -> Result<Self, store::Error> {
        Ok(Self {
            id: report.id,
            filter: report.wanted()?,
            recipients: report.recipients()?,
            name: report.name,
            every: report.every,
            created_by: report.created_by,
            last_sent_at: report.last_sent_at,
            next_at: report.next_at,
        })
    }
}

/// A view to be saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedReportBody {
    /// What it is called.
    name: String,
    /// Which devices it shows; all where it is left out.
    #[serde(default)]
    filter: WantedDevices,
    /// How often it is mailed; never where it is left out.
    every: Option<Every>,
    /// Addresses of people with a role.
    #[serde(default)]
    recipients: Vec<String>,
}

/// Lists saved views by name.
#[utoipa::path(get, path = "/api/v1/reports/saved", responses((status = 200, body = Vec<SavedReportView>)), tag = "reports", security(("token" = [])))]
pub async fn list_saved_reports(caller: Caller, app: web::Data<App>) -> Result<web::Json<Vec<SavedReportView>>, ApiError> {
    caller.must(Permission::Read)?;
    let found = app.read(|conn| saved_reports::list(conn).map_err(Error::from)).await?;
    Ok(web::Json(found.into_iter().map(SavedReportView::of).collect::<Result<_, _>>()?))
}

/// Saves a view. With `every` it is mailed in the morning (6:00 UTC) of every day, every Monday, or the first of every month.
#[utoipa::path(post, path = "/api/v1/reports/saved", request_body = SavedReportBody, responses((status = 201, body = SavedReportView), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "reports", security(("token" = [])))]
pub async fn save_report(caller: Caller, app: web::Data<App>, body: web::Json<SavedReportBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let SavedReportBody { name, filter, every, recipients } = body.into_inner();
    let wanted = WantedReport { name, wanted: filter, every, recipients };
    let saved = app.into_inner().save_report(caller.actor, wanted).await?;
    Ok(HttpResponse::Created().json(SavedReportView::of(saved)?))
}

/// Forgets a saved view; it is mailed no more.
#[utoipa::path(delete, path = "/api/v1/reports/saved/{id}", params(("id" = SavedReportId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "reports", security(("token" = [])))]
pub async fn delete_saved_report(caller: Caller, app: web::Data<App>, id: web::Path<SavedReportId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    app.into_inner().delete_report(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
