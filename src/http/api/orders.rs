//! What devices are told: commands, the two wipes, and being let go.

use actix_web::{HttpResponse, http::header, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ApiError, Problem},
    users::optional_json,
};
use crate::{
    apple,
    domain::{
        command::{Command, CommandState, EraseOptions, ReturnToService, Setting},
        device::WipeScope,
        id::{CommandId, DeviceId},
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error, command::Order, passcode::PasscodeReset, wipe::WipeOrder},
    store::commands::QueuedCommand,
};

/// A command that was ordered.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderedCommand {
    /// Identifier.
    pub id: CommandId,
    /// What it is.
    pub kind: String,
    /// Where it stands.
    pub state: CommandState,
}

/// The answer to an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ordered {
    /// The command.
    pub command: OrderedCommand,
}

pub(super) fn accepted(command: QueuedCommand) -> HttpResponse {
    HttpResponse::Accepted().json(Ordered { command: OrderedCommand { id: command.id, kind: command.kind, state: command.state } })
}

/// A wipe.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WipeBody {
    /// `selective`: company data only. `full`: factory reset.
    scope: WipeScope,
    /// Why; kept in the audit log.
    reason: String,
    /// The device's serial number, or its id where it has none.
    confirm: String,
    /// Full wipe: keep the cellular data plan.
    #[serde(default)]
    preserve_data_plan: bool,
    /// Full wipe: do not offer proximity set-up afterwards.
    #[serde(default)]
    disallow_proximity_setup: bool,
    /// Full wipe, iOS 17: enroll again without a person, with `wifi_profile` and `mdm_profile` in base64.
    #[schema(value_type = Option<Object>)]
    return_to_service: Option<ReturnToService>,
}

/// Wipes a device. Access is cut at once; the device is told when it next comes.
#[utoipa::path(post, path = "/api/v1/devices/{id}/wipe", params(("id" = DeviceId, Path)), request_body = WipeBody, responses((status = 202, body = Ordered), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 429, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn wipe_device(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<DeviceId>,
    body: web::Json<WipeBody>,
) -> Result<HttpResponse, ApiError> {
    let body = body.into_inner();
    caller.must(match body.scope {
        WipeScope::Selective => Permission::WipeSelectively,
        WipeScope::Full => Permission::WipeFully,
    })?;
    let options = EraseOptions {
        preserve_data_plan: body.preserve_data_plan,
        disallow_proximity_setup: body.disallow_proximity_setup,
        return_to_service: body.return_to_service,
    };
    let order = WipeOrder { scope: body.scope, reason: body.reason, confirm: body.confirm, options };
    Ok(accepted(app.into_inner().wipe(caller.actor, id.into_inner(), order).await?))
}

/// What is shown on the lock screen.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockBody {
    /// A message.
    message: Option<String>,
    /// A telephone number.
    phone_number: Option<String>,
}

/// Locks a device.
#[utoipa::path(post, path = "/api/v1/devices/{id}/lock", params(("id" = DeviceId, Path)), request_body = Option<LockBody>, responses((status = 202, body = Ordered), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn lock_device(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>, body: web::Bytes) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::SupportDevices)?;
    let LockBody { message, phone_number } = optional_json(&body)?;
    for (field, text) in [("message", &message), ("phone_number", &phone_number)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > 200) {
            return Err(Error::invalid(field, "must have at most 200 characters").into());
        }
        // No lock screen shows them, and PostgreSQL keeps no zero.
        if text.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
            return Err(Error::invalid(field, "must be one line without control characters").into());
        }
    }
    let order = Order::Command(Command::DeviceLock { message, phone_number });
    Ok(accepted(app.into_inner().order(caller.actor, id.into_inner(), order).await?))
}

/// The answer to an order about a passcode.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasscodeOrdered {
    /// The command.
    pub command: OrderedCommand,
    /// What opens an Android device once it has obeyed. It is told this once and kept nowhere else in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary_passcode: Option<String>,
}

/// Removes the passcode of an Apple device, whose policy then asks for a new one; replaces that of an Android device by a temporary
/// one, which is in the answer.
#[utoipa::path(post, path = "/api/v1/devices/{id}/clear-passcode", params(("id" = DeviceId, Path)), responses((status = 202, body = PasscodeOrdered), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn clear_passcode(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::SupportDevices)?;
    let PasscodeReset { command, temporary_passcode } = app.into_inner().reset_passcode(caller.actor, id.into_inner()).await?;
    let command = OrderedCommand { id: command.id, kind: command.kind, state: command.state };
    let answer = PasscodeOrdered { command, temporary_passcode };
    Ok(HttpResponse::Accepted().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// Asks a device how it is.
#[utoipa::path(post, path = "/api/v1/devices/{id}/refresh", params(("id" = DeviceId, Path)), responses((status = 202, body = Ordered), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn refresh_device(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::SupportDevices)?;
    Ok(accepted(app.into_inner().order(caller.actor, id.into_inner(), Order::Refresh).await?))
}

/// Lets a device go: access is cut at once, and the device removes what the organization installed when it next comes.
#[utoipa::path(post, path = "/api/v1/devices/{id}/retire", params(("id" = DeviceId, Path)), responses((status = 202, body = Ordered), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn retire_device(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::WipeSelectively)?;
    Ok(accepted(app.into_inner().retire(caller.actor, id.into_inner()).await?))
}

/// A command. Wipes and retirement have addresses of their own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandBody {
    /// Lists the profiles.
    ProfileList {},
    /// Lists the certificates.
    CertificateList {},
    /// Lists the apps; `managed_only` leaves out those that the person installed.
    InstalledApplicationList {
        /// Only apps that the organization installed.
        #[serde(default)]
        managed_only: bool,
    },
    /// Asks for model, name and system version.
    DeviceInformation {},
    /// Asks about passcode and encryption.
    SecurityInfo {},
    /// Asks which restrictions are in force.
    Restrictions {},
    /// Changes settings.
    Settings {
        /// The settings.
        #[schema(value_type = Vec<Object>)]
        settings: Vec<Setting>,
    },
    /// Installs a profile.
    InstallProfile {
        /// The profile, signed or not, in base64.
        profile: String,
        /// Its `PayloadIdentifier`.
        identifier: String,
    },
    /// Removes a profile that was installed from here.
    RemoveProfile {
        /// Its `PayloadIdentifier`.
        identifier: String,
    },
    /// Asks the device to synchronize its declarations.
    DeclarativeManagement {},
    /// Any other command that destroys nothing, as a property list of its `Command` dictionary.
    Raw {
        /// The property list, XML, or binary in base64.
        plist: String,
    },
}

impl CommandBody {
    fn command(self) -> Result<Command, Error> {
        Ok(match self {
            Self::ProfileList {} => Command::ProfileList { managed_only: false },
            Self::CertificateList {} => Command::CertificateList { managed_only: false },
            Self::InstalledApplicationList { managed_only } => Command::InstalledApplicationList { managed_only },
            Self::DeviceInformation {} => {
                Command::DeviceInformation { queries: crate::service::check_in::QUERIES.map(String::from).to_vec() }
            }
            Self::SecurityInfo {} => Command::SecurityInfo,
            Self::Restrictions {} => Command::Restrictions { profile_restrictions: true },
            Self::Settings { settings } => Command::Settings { settings },
            Self::InstallProfile { profile, identifier } => Command::InstallProfile { identifier, profile: base64("profile", &profile)? },
            Self::RemoveProfile { identifier } => Command::RemoveProfile { identifier },
            Self::DeclarativeManagement {} => Command::DeclarativeManagement,
            Self::Raw { plist } => {
                let bytes = if plist.trim_start().starts_with('<') { plist.into_bytes() } else { base64("plist", &plist)? };
                apple::command::raw_from_plist(&bytes).map_err(|error| Error::invalid("plist", error))?
            }
        })
    }

    /// What the caller must be allowed to do.
    const fn permission(&self) -> Permission {
        match self {
            Self::Settings { .. } | Self::InstallProfile { .. } | Self::RemoveProfile { .. } | Self::Raw { .. } => {
                Permission::SendRawCommands
            }
            _ => Permission::SupportDevices,
        }
    }
}

fn base64(field: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(text.trim()).map_err(|_| Error::invalid(field, "must be base64"))
}

/// Queues a command.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands", params(("id" = DeviceId, Path)), request_body = CommandBody, responses((status = 202, body = Ordered), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn order_command(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<DeviceId>,
    body: web::Json<CommandBody>,
) -> Result<HttpResponse, ApiError> {
    let body = body.into_inner();
    caller.must(body.permission())?;
    Ok(accepted(app.into_inner().order(caller.actor, id.into_inner(), Order::Command(body.command()?)).await?))
}
