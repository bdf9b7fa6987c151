//! Users, their invitations and their enrollments.

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, Problem},
    paging,
};
use crate::{
    apple::profile::CONTENT_TYPE,
    domain::{
        device::{Ownership, Platform},
        id::{GroupId, MailId, UserId},
        user::{Permission, Role, UserState},
    },
    http::extract::caller::Caller,
    service::{
        App, Error,
        users::{NewUser, UserChange},
    },
    store::{self, Conn, page::Page, users as rows},
};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    /// Identifier.
    pub id: UserId,
    /// Primary address.
    pub email: String,
    /// Name.
    pub name: String,
    /// `local`, or the directory that the user comes from.
    pub source: String,
    /// Role, if any.
    pub role: Option<Role>,
    /// Whether the user takes part.
    pub state: UserState,
    /// The language of the mails to the user; null for the organization's.
    pub language: Option<String>,
    /// Identifiers of the user's groups.
    pub groups: Vec<GroupId>,
    /// Devices under management.
    pub devices: i64,
}

fn view(conn: &mut Conn, user: rows::User) -> Result<UserView, store::Error> {
    Ok(UserView {
        groups: rows::groups(conn, user.id)?,
        devices: rows::managed_devices(conn, user.id)?,
        id: user.id,
        email: user.email,
        name: user.name,
        source: user.source,
        role: user.role,
        state: user.state,
        language: user.language,
    })
}

/// Which users are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    /// Part of the name or address.
    q: Option<String>,
    /// Identifier of a group.
    group: Option<String>,
    /// `local` or a directory.
    source: Option<String>,
    /// The domain of the address.
    domain: Option<String>,
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists users.
#[utoipa::path(get, path = "/api/v1/users", params(UserQuery), responses((status = 200, body = Page<UserView>), (status = 400, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn list_users(caller: Caller, app: web::Data<App>, query: Query<UserQuery>) -> Result<web::Json<Page<UserView>>, ApiError> {
    caller.must(Permission::Read)?;
    let query = query.into_inner();
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let filter = rows::Filter {
        group: paging::optional("group", query.group.as_deref())?,
        text: paging::text("q", query.q)?,
        source: paging::text("source", query.source)?,
        domain: paging::text("domain", query.domain)?,
        role: None,
    };
    let page = app
        .read(move |conn| {
            let page = rows::list(conn, &filter, page)?;
            let items = page.items.into_iter().map(|user| view(conn, user)).collect::<Result<_, _>>()?;
            Ok::<_, store::Error>(Page { items, next_cursor: page.next_cursor, total: page.total })
        })
        .await?;
    Ok(web::Json(page))
}

/// A user to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserBody {
    /// Primary address.
    email: String,
    /// Name.
    name: String,
    /// Password for the console, at least 12 characters.
    password: Option<String>,
    /// The password must be changed at the first sign-in.
    #[serde(default)]
    must_change_password: bool,
    /// Identifiers of groups.
    #[serde(default)]
    groups: Vec<GroupId>,
    /// Role, if any. Needs the right to give roles.
    role: Option<Role>,
    /// The language of the mails to the user, such as `de`; that of the organization where it is left out.
    language: Option<String>,
}

/// Creates a user.
#[utoipa::path(post, path = "/api/v1/users", request_body = NewUserBody, responses((status = 201, body = UserView), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn create_user(caller: Caller, app: web::Data<App>, body: web::Json<NewUserBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let body = body.into_inner();
    if body.role.is_some() || body.password.is_some() {
        caller.must(Permission::ManageRoles)?;
    }
    if !body.groups.is_empty() {
        caller.must(Permission::ManagePolicies)?;
    }
    let app = app.into_inner();
    let new = NewUser {
        email: body.email,
        name: body.name,
        password: body.password,
        must_change_password: body.must_change_password,
        groups: body.groups,
        role: body.role,
        language: body.language,
    };
    let user = app.create_user(caller.actor, new).await?;
    let user = app.read(move |conn| view(conn, user)).await?;
    Ok(HttpResponse::Created().json(user))
}

/// Gives one user.
#[utoipa::path(get, path = "/api/v1/users/{id}", params(("id" = UserId, Path)), responses((status = 200, body = UserView), (status = 404, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn get_user(caller: Caller, app: web::Data<App>, id: web::Path<UserId>) -> Result<web::Json<UserView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let found = app.read(move |conn| rows::find(conn, id)?.map(|user| view(conn, user)).transpose()).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("user"))?))
}

/// A change of a user; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChangeBody {
    /// New name.
    name: Option<String>,
    /// New address.
    email: Option<String>,
    /// New password, at least 12 characters.
    password: Option<String>,
    /// The password must be changed at the next sign-in.
    must_change_password: Option<bool>,
    /// New role; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[allow(clippy::option_option, reason = "null and left out are two things")]
    role: Option<Option<Role>>,
    /// Whether the user takes part.
    state: Option<UserState>,
    /// New language of the mails to the user; null for the organization's.
    #[serde(default, deserialize_with = "present")]
    #[allow(clippy::option_option, reason = "null and left out are two things")]
    language: Option<Option<String>>,
}

/// Tells a null from a field that is not there.
#[allow(clippy::option_option, reason = "that is the very difference")]
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Changes a user.
#[utoipa::path(patch, path = "/api/v1/users/{id}", params(("id" = UserId, Path)), request_body = UserChangeBody, responses((status = 200, body = UserView), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn change_user(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<UserId>,
    body: web::Json<UserChangeBody>,
) -> Result<web::Json<UserView>, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let body = body.into_inner();
    if body.role.is_some() || body.password.is_some() {
        caller.must(Permission::ManageRoles)?;
    }
    let (app, id) = (app.into_inner(), id.into_inner());
    let change = UserChange {
        name: body.name,
        email: body.email,
        password: body.password,
        must_change_password: body.must_change_password,
        role: body.role,
        state: body.state,
        language: body.language,
    };
    let user = app.change_user(caller.actor, caller.role, id, change).await?;
    Ok(web::Json(app.read(move |conn| view(conn, user)).await?))
}

/// Removes a user who has no device under management.
#[utoipa::path(delete, path = "/api/v1/users/{id}", params(("id" = UserId, Path)), responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn delete_user(caller: Caller, app: web::Data<App>, id: web::Path<UserId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    app.into_inner().delete_user(caller.actor, caller.role, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What kind of device an invitation is for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    /// Who owns the device; decides about the rights that are asked for. Personal where it is left out.
    ownership: Option<Ownership>,
}

/// The mail that was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationView {
    /// Identifier of the mail.
    pub mail: MailId,
}

/// Sends the enrollment mail.
#[utoipa::path(post, path = "/api/v1/users/{id}/invitation", params(("id" = UserId, Path)), request_body = Option<InvitationBody>, responses((status = 202, body = InvitationView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn invite_user(caller: Caller, app: web::Data<App>, id: web::Path<UserId>, body: web::Bytes) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let body: InvitationBody = optional_json(&body)?;
    let mail = app.into_inner().invite(caller.actor, id.into_inner(), body.ownership.unwrap_or(Ownership::Personal)).await?;
    Ok(HttpResponse::Accepted().json(InvitationView { mail }))
}

/// A body that may be left out.
pub(super) fn optional_json<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| ApiError::Unreadable(format!("the request body: {error}")))
}

/// The confirmation of a revocation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationBody {
    /// Must be true; without it nothing happens and the error says what would.
    #[serde(default)]
    confirm: bool,
}

/// What was revoked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationView {
    /// How many devices lost access.
    pub revoked: usize,
}

/// Ends every enrollment of a user; the devices lose access at once.
#[utoipa::path(post, path = "/api/v1/users/{id}/revoke-enrollments", params(("id" = UserId, Path)), request_body = RevocationBody, responses((status = 200, body = RevocationView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn revoke_enrollments(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<UserId>,
    body: web::Bytes,
) -> Result<web::Json<RevocationView>, ApiError> {
    caller.must(Permission::WipeSelectively)?;
    let body: RevocationBody = optional_json(&body)?;
    let revoked = app.into_inner().revoke_enrollments(caller.actor, id.into_inner(), body.confirm).await?;
    Ok(web::Json(RevocationView { revoked }))
}

/// Which profile is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileBody {
    /// Only `ios` (which also serves `ipados`).
    platform: Platform,
    /// Who owns the device. Personal where it is left out.
    ownership: Option<Ownership>,
}

/// Makes a signed enrollment profile for a user, to hand over by other means. It works once, within fifteen minutes.
#[utoipa::path(post, path = "/api/v1/users/{id}/enrollment-profile", params(("id" = UserId, Path)), request_body = ProfileBody, responses((status = 200, content_type = "application/x-apple-aspen-config", body = Vec<u8>), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn make_enrollment_profile(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<UserId>,
    body: web::Json<ProfileBody>,
) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    if !matches!(body.platform, Platform::Ios | Platform::Ipados) {
        return Err(Error::Conflict(format!("there is no enrollment profile for {}", body.platform)).into());
    }
    let ownership = body.ownership.unwrap_or(Ownership::Personal);
    let profile = app.into_inner().profile_for_user(caller.actor, id.into_inner(), ownership).await?;
    Ok(HttpResponse::Ok()
        .content_type(CONTENT_TYPE)
        .insert_header(("content-disposition", "attachment; filename=\"enroll.mobileconfig\""))
        .insert_header(("cache-control", "no-store"))
        .body(profile))
}
