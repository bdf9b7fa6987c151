//! Groups and their members.

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
    domain::{
        id::{GroupId, UserId},
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error},
    store::{self, Conn, groups as rows, page::Page},
};

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupView {
    /// Identifier.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// `local`, or the directory that the group comes from.
    pub source: String,
    /// How many members it has.
    pub members: i64,
}

fn view(conn: &mut Conn, group: rows::Group) -> Result<GroupView, store::Error> {
    Ok(GroupView { members: rows::count_members(conn, group.id)?, id: group.id, name: group.name, source: group.source })
}

/// Which page of groups.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct GroupQuery {
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists groups.
#[utoipa::path(get, path = "/api/v1/groups", params(GroupQuery), responses((status = 200, body = Page<GroupView>)), tag = "groups", security(("token" = [])))]
pub async fn list_groups(caller: Caller, app: web::Data<App>, query: Query<GroupQuery>) -> Result<web::Json<Page<GroupView>>, ApiError> {
    caller.must(Permission::Read)?;
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let page = app
        .read(move |conn| {
            let page = rows::list(conn, page)?;
            let items = page.items.into_iter().map(|group| view(conn, group)).collect::<Result<_, _>>()?;
            Ok::<_, store::Error>(Page { items, next_cursor: page.next_cursor, total: page.total })
        })
        .await?;
    Ok(web::Json(page))
}

/// A group's name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupBody {
    /// Name, 1 to 100 characters.
    name: String,
}

/// Creates a group.
#[utoipa::path(post, path = "/api/v1/groups", request_body = GroupBody, responses((status = 201, body = GroupView), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "groups", security(("token" = [])))]
pub async fn create_group(caller: Caller, app: web::Data<App>, body: web::Json<GroupBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let app = app.into_inner();
    let group = app.create_group(caller.actor, body.into_inner().name).await?;
    let group = app.read(move |conn| view(conn, group)).await?;
    Ok(HttpResponse::Created().json(group))
}

/// Gives one group.
#[utoipa::path(get, path = "/api/v1/groups/{id}", params(("id" = GroupId, Path)), responses((status = 200, body = GroupView), (status = 404, body = Problem)), tag = "groups", security(("token" = [])))]
pub async fn get_group(caller: Caller, app: web::Data<App>, id: web::Path<GroupId>) -> Result<web::Json<GroupView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let found = app.read(move |conn| rows::find(conn, id)?.map(|group| view(conn, group)).transpose()).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("group"))?))
}

/// Renames a group.
#[utoipa::path(patch, path = "/api/v1/groups/{id}", params(("id" = GroupId, Path)), request_body = GroupBody, responses((status = 200, body = GroupView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "groups", security(("token" = [])))]
pub async fn rename_group(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<GroupId>,
    body: web::Json<GroupBody>,
) -> Result<web::Json<GroupView>, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let app = app.into_inner();
    let group = app.rename_group(caller.actor, id.into_inner(), body.into_inner().name).await?;
    Ok(web::Json(app.read(move |conn| view(conn, group)).await?))
}

/// Removes a group; policies no longer reach its members through it.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", params(("id" = GroupId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "groups", security(("token" = [])))]
pub async fn delete_group(caller: Caller, app: web::Data<App>, id: web::Path<GroupId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    app.into_inner().delete_group(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Puts a user into a group. Who is in which group decides which policies hold, so it takes the right to change those.
#[utoipa::path(put, path = "/api/v1/groups/{id}/members/{user}", params(("id" = GroupId, Path), ("user" = UserId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "groups", security(("token" = [])))]
pub async fn add_member(caller: Caller, app: web::Data<App>, path: web::Path<(GroupId, UserId)>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let (group, user) = path.into_inner();
    app.into_inner().add_member(caller.actor, group, user).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes a user out of a group. Who is in which group decides which policies hold, so it takes the right to change those.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/members/{user}", params(("id" = GroupId, Path), ("user" = UserId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "groups", security(("token" = [])))]
pub async fn remove_member(caller: Caller, app: web::Data<App>, path: web::Path<(GroupId, UserId)>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let (group, user) = path.into_inner();
    app.into_inner().remove_member(caller.actor, group, user).await?;
    Ok(HttpResponse::NoContent().finish())
}
