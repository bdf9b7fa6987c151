//! The switch that holds every wipe and retirement.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, Problem};
use crate::{
    domain::{time::Timestamp, user::Permission},
    http::extract::caller::Caller,
    service::{App, hold::HoldState},
};

/// Whether wipes and retirements are held.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    /// None is handed to a device.
    pub held: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Devices with a wipe or retirement that they have not confirmed.
    pub waiting: i64,
}

impl From<HoldState> for HoldView {
    fn from(HoldState { hold, waiting }: HoldState) -> Self {
        let held = hold.is_some();
        let (since, rest) = hold.map(|hold| (hold.since, (hold.by, hold.reason))).unzip();
        let (by, reason) = rest.unzip();
        Self { held, since, by, reason, waiting }
    }
}

/// Why wipes are held.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// Why; it stands in the audit log.
    #[serde(default)]
    reason: String,
}

/// Says whether wipes and retirements are held.
#[utoipa::path(get, path = "/api/v1/destructive-hold", responses((status = 200, body = HoldView)), tag = "devices", security(("token" = [])))]
pub async fn get_hold(caller: Caller, app: web::Data<App>) -> Result<web::Json<HoldView>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(app.hold_state().await?.into()))
}

/// Holds every wipe and retirement from now on, on all servers. Every role may.
#[utoipa::path(put, path = "/api/v1/destructive-hold", request_body = HoldBody, responses((status = 200, body = HoldView), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn hold(caller: Caller, app: web::Data<App>, body: web::Json<HoldBody>) -> Result<web::Json<HoldView>, ApiError> {
    caller.must(Permission::Read)?;
    let app = app.into_inner();
    app.hold_destructive(caller.actor, &body.reason).await?;
    Ok(web::Json(app.hold_state().await?.into()))
}

/// Lets what was held go to its devices.
#[utoipa::path(delete, path = "/api/v1/destructive-hold", responses((status = 204), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn release(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::WipeFully)?;
    app.into_inner().release_destructive(caller.actor).await?;
    Ok(HttpResponse::NoContent().finish())
}
