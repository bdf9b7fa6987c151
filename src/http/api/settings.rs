//! Settings.

use actix_web::web;

use super::error::{ApiError, Problem};
use crate::{
    domain::user::Permission,
    http::extract::caller::Caller,
    service::{
        App,
        settings::{Settings, SettingsChange},
    },
};

/// Gives the settings.
#[utoipa::path(get, path = "/api/v1/settings", responses((status = 200, body = Settings)), tag = "settings", security(("token" = [])))]
pub async fn get_settings(caller: Caller, app: web::Data<App>) -> Result<web::Json<Settings>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(app.settings().await?))
}

/// Changes settings; what is left out stays.
#[utoipa::path(patch, path = "/api/v1/settings", request_body = SettingsChange, responses((status = 200, body = Settings), (status = 400, body = Problem)), tag = "settings", security(("token" = [])))]
pub async fn change_settings(
    caller: Caller,
    app: web::Data<App>,
    body: web::Json<SettingsChange>,
) -> Result<web::Json<Settings>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    Ok(web::Json(app.change_settings(caller.actor, body.into_inner()).await?))
}
