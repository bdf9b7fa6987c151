//! The Headwind launcher: its package, what is set for devices with it, and the lock that only the server takes away.

use actix_web::{HttpResponse, web};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ApiError, Problem},
    orders::{Ordered, accepted},
};
use crate::{
    domain::{id::DeviceId, user::Permission},
    http::extract::caller::Caller,
    service::{
        App,
        android::{
            launcher_package::LauncherPackageState,
            launcher_settings::{LauncherSettings, LauncherSettingsChange},
        },
    },
};

/// The launcher, as far as there is one.
#[derive(Debug, Serialize, ToSchema)]
pub struct LauncherView {
    /// The package that new devices get; none where nobody has uploaded it.
    package: Option<LauncherPackageState>,
}

/// What an uploaded file is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    #[serde(default)]
    file_name: String,
}

/// Shows the launcher that new devices get.
#[utoipa::path(get, path = "/api/v1/android/launcher", responses((status = 200, body = LauncherView)), tag = "android", security(("token" = [])))]
pub async fn get_launcher(caller: Caller, app: web::Data<App>) -> Result<web::Json<LauncherView>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(LauncherView { package: app.launcher_package().await? }))
}

/// Uploads the launcher's package: the file itself is the body.
#[utoipa::path(put, path = "/api/v1/android/launcher", params(("file_name" = Option<String>, Query, description = "What the file is called, for people")), request_body(content = Vec<u8>, content_type = "application/vnd.android.package-archive"), responses((status = 200, body = LauncherView), (status = 400, body = Problem), (status = 413, body = Problem)), tag = "android", security(("token" = [])))]
pub async fn upload_launcher(
    caller: Caller,
    app: web::Data<App>,
    query: web::Query<UploadQuery>,
    mut body: web::Payload,
) -> Result<web::Json<LauncherView>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let mut upload = app.begin_launcher_upload(&caller.actor, &query.file_name).await?;
    loop {
        match body.try_next().await {
            Ok(Some(bytes)) => app.continue_launcher_upload(&mut upload, &bytes).await?,
            Ok(None) => break,
            Err(error) => {
                app.abandon_launcher_upload(&upload).await?;
                let is_long = matches!(error, actix_web::error::PayloadError::Overflow);
                return Err(if is_long { ApiError::TooLong } else { ApiError::Unreadable("the request body could not be read".into()) });
            }
        }
    }
    let package = app.finish_launcher_upload(upload, caller.actor).await?;
    Ok(web::Json(LauncherView { package: Some(package) }))
}

/// Shows what is set for devices with the launcher.
#[utoipa::path(get, path = "/api/v1/android/launcher/settings", responses((status = 200, body = LauncherSettings)), tag = "android", security(("token" = [])))]
pub async fn get_launcher_settings(caller: Caller, app: web::Data<App>) -> Result<web::Json<LauncherSettings>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(app.launcher_settings().await?))
}

/// Changes what is set for devices with the launcher.
#[utoipa::path(patch, path = "/api/v1/android/launcher/settings", request_body = LauncherSettingsChange, responses((status = 200, body = LauncherSettings), (status = 400, body = Problem)), tag = "android", security(("token" = [])))]
pub async fn change_launcher_settings(
    caller: Caller,
    app: web::Data<App>,
    body: web::Json<LauncherSettingsChange>,
) -> Result<web::Json<LauncherSettings>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    Ok(web::Json(app.change_launcher_settings(caller.actor, body.into_inner()).await?))
}

/// Takes a lock away that only the server can take away.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/lock", params(("id" = String, Path)), responses((status = 202, body = Ordered), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn unlock_device(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::SupportDevices)?;
    let queued = app.into_inner().unlock(caller.actor, id.into_inner()).await?;
    Ok(accepted(queued))
}
