//! What waits for somebody's approval: let it go to the device, or cancel it.

use actix_web::{HttpResponse, web};

use super::{
    error::{ApiError, Problem},
    orders::{Ordered, accepted},
};
use crate::{
    domain::{
        command::Purpose,
        id::{CommandId, DeviceId},
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error},
    store::commands,
};

/// Whoever may order a thing may decide about it.
async fn must_decide(caller: &Caller, app: &App, device: DeviceId, command: CommandId) -> Result<(), ApiError> {
    caller.must(Permission::WipeSelectively)?;
    let found = app.read(move |conn| commands::find_of_device(conn, device, command)).await?.ok_or(Error::NotFound("command"))?;
    if found.purpose == Purpose::FullWipe { caller.must(Permission::WipeFully) } else { Ok(()) }
}

/// Approves a command that waits for it; of a selective wipe all steps.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands/{command}/approve", params(("id" = DeviceId, Path), ("command" = CommandId, Path)), responses((status = 202, body = Ordered), (status = 404, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn approve_command(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(DeviceId, CommandId)>,
) -> Result<HttpResponse, ApiError> {
    let (device, command) = path.into_inner();
    must_decide(&caller, &app, device, command).await?;
    Ok(accepted(app.into_inner().approve_command(caller.actor, device, command).await?))
}

/// Cancels a command that waits for approval; of a selective wipe all steps.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands/{command}/cancel", params(("id" = DeviceId, Path), ("command" = CommandId, Path)), responses((status = 202, body = Ordered), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn cancel_command(caller: Caller, app: web::Data<App>, path: web::Path<(DeviceId, CommandId)>) -> Result<HttpResponse, ApiError> {
    let (device, command) = path.into_inner();
    must_decide(&caller, &app, device, command).await?;
    Ok(accepted(app.into_inner().cancel_command(caller.actor, device, command).await?))
}
