//! Mail access: the settings, the keys for Dovecot, and the account of a device.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, Problem};
use crate::{
    domain::{id::DeviceId, user::Permission},
    http::extract::caller::Caller,
    service::{
        App,
        mail_access::{MailAccess, MailAccessState},
        mail_profile::{self, DeviceMail},
    },
};

/// New settings of mail access.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailAccessBody {
    /// All of them; what is left out gets its first value again.
    settings: MailAccess,
    /// The value of `doveadm_api_key`. Left out it stays; empty it is forgotten. It is never shown.
    doveadm_key: Option<String>,
}

/// Whether keys that are there may become void.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailKeysBody {
    /// They may.
    #[serde(default)]
    confirm: bool,
}

/// Keys that were just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailKeysView {
    /// The part of Dovecot's configuration that holds them. It is shown this once.
    pub configuration: String,
}

/// Gives the settings of mail access, and how it fares.
#[utoipa::path(get, path = "/api/v1/mail-access", responses((status = 200, body = MailAccessState)), tag = "settings", security(("token" = [])))]
pub async fn get_mail_access(caller: Caller, app: web::Data<App>) -> Result<web::Json<MailAccessState>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    Ok(web::Json(app.mail_access().await?))
}

/// Replaces the settings of mail access; devices get or lose their account accordingly.
#[utoipa::path(put, path = "/api/v1/mail-access", request_body = MailAccessBody, responses((status = 200, body = MailAccessState), (status = 400, body = Problem)), tag = "settings", security(("token" = [])))]
pub async fn replace_mail_access(
    caller: Caller,
    app: web::Data<App>,
    body: web::Json<MailAccessBody>,
) -> Result<web::Json<MailAccessState>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let (app, body) = (app.into_inner(), body.into_inner());
    app.change_mail_access(caller.actor, body.settings, body.doveadm_key).await?;
    Ok(web::Json(app.mail_access().await?))
}

/// Makes the keys that Dovecot and this server share. With new ones every mail password is void, and every device gets another.
#[utoipa::path(post, path = "/api/v1/mail-access/keys", request_body = MailKeysBody, responses((status = 201, body = MailKeysView), (status = 409, body = Problem)), tag = "settings", security(("token" = [])))]
pub async fn make_mail_keys(caller: Caller, app: web::Data<App>, body: web::Json<MailKeysBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let made = app.into_inner().make_mail_keys(caller.actor, body.confirm).await?;
    Ok(HttpResponse::Created().json(MailKeysView { configuration: made.configuration }))
}

/// Says where the managed mail account of a device stands.
#[utoipa::path(get, path = "/api/v1/devices/{id}/mail", params(("id" = DeviceId, Path)), responses((status = 200, body = DeviceMail), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn get_device_mail(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<web::Json<DeviceMail>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    Ok(web::Json(app.read(move |conn| mail_profile::of_device(conn, id)).await?))
}

/// Orders a new mail password for a device; the one that it has is void at once.
#[utoipa::path(post, path = "/api/v1/devices/{id}/mail-password", params(("id" = DeviceId, Path)), responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn renew_mail_password(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::SupportDevices)?;
    app.into_inner().renew_mail_password(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::Accepted().finish())
}
