//! Devices, what they have said, what they were told, and what happened to them.

use actix_web::web::{self, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, Problem},
    paging,
};
use crate::{
    domain::{
        access::Decision,
        command::{CommandState, Purpose},
        compliance::{Reason, Status},
        device::{EnrollmentState, Ownership, Platform},
        id::{CommandId, DeviceId, UserId},
        origin::{Origin, origins},
        time::Timestamp,
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error},
    store::{
        self,
        commands::{self, QueuedCommand},
        devices::{self as rows, Device, StatusFilter},
        page::Page,
        policies, postures,
        timeline::{self, DeviceEvent},
        users,
    },
};

/// Whose device it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnerView {
    /// Identifier.
    pub id: UserId,
    /// Primary address.
    pub email: String,
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceView {
    /// Identifier.
    pub id: DeviceId,
    /// Whose it is.
    pub user: Option<OwnerView>,
    /// What it is.
    pub platform: Platform,
    /// Version of the system.
    pub os_version: Option<String>,
    /// Marketing name of the model, or its product code.
    pub model: Option<String>,
    /// Product code, such as iPhone15,4.
    pub product: Option<String>,
    /// Name given by the person.
    pub name: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Who owns it.
    pub ownership: Ownership,
    /// Where its enrollment stands.
    pub enrollment: EnrollmentState,
    /// How often it has enrolled.
    pub generation: i32,
    /// The verdict.
    pub compliance: Status,
    /// Why, with what to do about it.
    pub reasons: Vec<Reason>,
    /// End of the grace period.
    pub grace_until: Option<Timestamp>,
    /// Whether it may come in.
    pub access: Decision,
    /// When it last said anything.
    pub last_seen_at: Option<Timestamp>,
    /// When the verdict was reached.
    pub evaluated_at: Option<Timestamp>,
    /// When it last enrolled.
    pub enrolled_at: Option<Timestamp>,
}

impl DeviceView {
    /// The view of a device and its user's address.
    ///
    /// # Errors
    /// A stored document cannot be read.
    pub fn of(device: Device, email: String) -> Result<Self, store::Error> {
        Ok(Self {
            reasons: device.reasons()?,
            id: device.id,
            user: Some(OwnerView { id: device.user_id, email }),
            platform: device.platform,
            os_version: device.os_version,
            model: device.model.or_else(|| device.product_name.clone()),
            product: device.product_name,
            name: device.device_name,
            serial: device.serial,
            ownership: device.ownership,
            enrollment: device.state,
            generation: device.generation,
            compliance: device.compliance,
            grace_until: device.deadline,
            access: device.access,
            last_seen_at: device.last_seen_at,
            evaluated_at: device.evaluated_at,
            enrolled_at: device.enrolled_at,
        })
    }
}

/// Which devices are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DeviceQuery {
    /// A platform.
    pub os: Option<String>,
    /// A verdict, or a state of enrollment.
    pub status: Option<String>,
    /// Identifier of a user.
    pub user: Option<String>,
    /// `company` or `personal`.
    pub ownership: Option<String>,
    /// Part of serial number, model, name or the user's address.
    pub q: Option<String>,
    /// Items on a page, 1 to 200.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl DeviceQuery {
    /// The filter that is asked for.
    ///
    /// # Errors
    /// A word is not known.
    pub fn filter(&self) -> Result<rows::Filter, Error> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(rows::Filter {
            os: paging::optional("os", self.os.as_deref())?,
            status: given(&self.status).map(|word| status_filter(&word)).transpose()?,
            user: paging::optional("user", self.user.as_deref())?,
            ownership: paging::optional("ownership", self.ownership.as_deref())?,
            text: paging::text("q", self.q.clone())?,
        })
    }
}

fn status_filter(word: &str) -> Result<StatusFilter, Error> {
    if let Ok(status) = word.parse::<Status>() {
        return Ok(StatusFilter::Compliance(status));
    }
    word.parse::<EnrollmentState>().map(StatusFilter::Enrollment).map_err(|why| {
        let verdicts = Status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
        Error::invalid("status", format!("{why}, {verdicts}"))
    })
}

/// Lists devices.
#[utoipa::path(get, path = "/api/v1/devices", params(DeviceQuery), responses((status = 200, body = Page<DeviceView>), (status = 400, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn list_devices(caller: Caller, app: web::Data<App>, query: Query<DeviceQuery>) -> Result<web::Json<Page<DeviceView>>, ApiError> {
    caller.must(Permission::Read)?;
    let (filter, page) = (query.filter()?, paging::page(query.limit, query.cursor.as_deref())?);
    let page = app
        .read(move |conn| {
            let page = rows::list(conn, &filter, page)?;
            let items = page.items.into_iter().map(|(device, email)| DeviceView::of(device, email)).collect::<Result<_, _>>()?;
            Ok::<_, store::Error>(Page { items, next_cursor: page.next_cursor, total: page.total })
        })
        .await?;
    Ok(web::Json(page))
}

/// Gives one device.
#[utoipa::path(get, path = "/api/v1/devices/{id}", params(("id" = DeviceId, Path)), responses((status = 200, body = DeviceView), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn get_device(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<web::Json<DeviceView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let found = app
        .read(move |conn| {
            let Some(device) = rows::find(conn, id)? else { return Ok(None) };
            let email = users::find(conn, device.user_id)?.map(|user| user.email).unwrap_or_default();
            DeviceView::of(device, email).map(Some)
        })
        .await?;
    Ok(web::Json(found.ok_or(Error::NotFound("device"))?))
}

/// A command in the queue of a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandView {
    /// Identifier, which is also the device's name for it.
    pub id: CommandId,
    /// What it is.
    pub kind: String,
    /// Where it stands.
    pub state: CommandState,
    /// Why it was sent.
    pub purpose: Purpose,
    /// What the administrator gave as reason.
    pub reason: Option<String>,
    /// How often it was handed to the device.
    pub times_sent: i32,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it was last handed to the device.
    pub sent_at: Option<Timestamp>,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// What went wrong.
    pub error: Option<String>,
    /// What the device answered.
    #[schema(value_type = Object)]
    pub answer: Option<serde_json::Value>,
}

impl From<QueuedCommand> for CommandView {
    fn from(command: QueuedCommand) -> Self {
        Self {
            id: command.id,
            answer: command.answer.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            kind: command.kind,
            state: command.state,
            purpose: command.purpose,
            reason: command.reason,
            times_sent: command.times_sent,
            created_at: command.created_at,
            sent_at: command.sent_at,
            finished_at: command.finished_at,
            error: command.error,
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Items on a page, 1 to 200.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists the commands of a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands", params(("id" = DeviceId, Path), PageQuery), responses((status = 200, body = Page<CommandView>), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn list_commands(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<DeviceId>,
    query: Query<PageQuery>,
) -> Result<web::Json<Page<CommandView>>, ApiError> {
    caller.must(Permission::Read)?;
    let (id, page) = (id.into_inner(), paging::page(query.limit, query.cursor.as_deref())?);
    let page = app
        .read(move |conn| {
            rows::find(conn, id)?.ok_or(Error::NotFound("device"))?;
            Ok::<_, Error>(commands::list(conn, id, page)?)
        })
        .await?;
    Ok(web::Json(page.map(CommandView::from)))
}

/// Gives one command of a device.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands/{command}", params(("id" = DeviceId, Path), ("command" = CommandId, Path)), responses((status = 200, body = CommandView), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn get_command(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(DeviceId, CommandId)>,
) -> Result<web::Json<CommandView>, ApiError> {
    caller.must(Permission::Read)?;
    let (device, command) = path.into_inner();
    let found = app.read(move |conn| commands::find_of_device(conn, device, command)).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("command"))?.into()))
}

/// Lists what happened to a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/timeline", params(("id" = DeviceId, Path), PageQuery), responses((status = 200, body = Page<DeviceEvent>), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn list_timeline(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<DeviceId>,
    query: Query<PageQuery>,
) -> Result<web::Json<Page<DeviceEvent>>, ApiError> {
    caller.must(Permission::Read)?;
    let (id, page) = (id.into_inner(), paging::page(query.limit, query.cursor.as_deref())?);
    let page = app
        .read(move |conn| {
            rows::find(conn, id)?.ok_or(Error::NotFound("device"))?;
            Ok::<_, Error>(timeline::list(conn, id, page)?)
        })
        .await?;
    Ok(web::Json(page))
}

/// Gives what a device has said of itself, each fact with its source and its time.
#[utoipa::path(get, path = "/api/v1/devices/{id}/posture", params(("id" = DeviceId, Path)), responses((status = 200, body = Object), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn get_posture(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<DeviceId>,
) -> Result<web::Json<crate::domain::posture::Posture>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let posture = app
        .read(move |conn| {
            rows::find(conn, id)?.ok_or(Error::NotFound("device"))?;
            Ok::<_, Error>(postures::get(conn, id)?)
        })
        .await?;
    Ok(web::Json(posture))
}

/// What is asked of a device, setting by setting, with the policies that it comes from.
#[utoipa::path(get, path = "/api/v1/devices/{id}/policy", params(("id" = DeviceId, Path)), responses((status = 200, body = Vec<Origin>), (status = 404, body = Problem)), tag = "devices", security(("token" = [])))]
pub async fn get_policy(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<web::Json<Vec<Origin>>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let found = app.read(move |conn| {
        let device = rows::find(conn, id)?.ok_or(Error::NotFound("device"))?;
        Ok::<_, Error>(policies::of_user(conn, device.user_id)?)
    });
    Ok(web::Json(origins(&found.await?)))
}
