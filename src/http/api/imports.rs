//! Many users at once, and how far that has come.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, Problem};
use crate::{
    domain::{
        device::Ownership,
        id::{GroupId, ImportId},
        time::Timestamp,
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error, import::NewPerson},
    store::imports::{self as rows, Counts, ImportKind, ImportState, Outcome},
};

/// Most lines that failed in one answer.
const MOST_FAILED: i64 = 200;

/// One user to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedUser {
    /// Primary address.
    email: String,
    /// Name.
    name: String,
    /// Identifiers of groups. Needs the right to change policies.
    #[serde(default)]
    groups: Vec<GroupId>,
    /// Whose device the user is invited to enroll. Personal where it is left out.
    ownership: Option<Ownership>,
}

/// Users to be created, at most 10,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBody {
    /// The users. Those whose address is taken already are left as they are.
    users: Vec<ImportedUser>,
    /// Send the enrollment mail to everybody who is created.
    #[serde(default)]
    invite: bool,
}

/// The import that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct BegunImport {
    /// Its identifier.
    pub id: ImportId,
}

/// Begins to create many users. If anything is wrong with one of them, nothing is done.
#[utoipa::path(post, path = "/api/v1/users/import", request_body = ImportBody, responses((status = 202, body = BegunImport), (status = 400, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn import_users(caller: Caller, app: web::Data<App>, body: web::Json<ImportBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let ImportBody { users, invite } = body.into_inner();
    if users.iter().any(|user| !user.groups.is_empty()) {
        caller.must(Permission::ManagePolicies)?;
    }
    let person = |user: ImportedUser| NewPerson {
        email: user.email,
        name: user.name,
        groups: user.groups,
        ownership: user.ownership.unwrap_or(Ownership::Personal),
    };
    let people = users.into_iter().map(person).collect();
    let id = app.into_inner().import_users(caller.actor, people, invite).await?;
    Ok(HttpResponse::Accepted().json(BegunImport { id }))
}

/// A line that could not be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailedLine {
    /// Its place in the list, from 1.
    pub number: i64,
    /// The address.
    pub email: String,
    /// Why.
    pub why: String,
}

/// How far an import has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportView {
    /// Identifier.
    pub id: ImportId,
    /// Whether users are created, or users who are there are invited.
    pub kind: ImportKind,
    /// Whether there is still something to do.
    pub state: ImportState,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the last line was dealt with.
    pub finished_at: Option<Timestamp>,
    /// How many lines and mails stand where.
    #[serde(flatten)]
    pub counts: Counts,
    /// The first 200 lines that could not be done.
    pub failures: Vec<FailedLine>,
}

/// Says how far an import has come, and its mails.
#[utoipa::path(get, path = "/api/v1/imports/{id}", params(("id" = ImportId, Path)), responses((status = 200, body = ImportView), (status = 404, body = Problem)), tag = "users", security(("token" = [])))]
pub async fn get_import(caller: Caller, app: web::Data<App>, id: web::Path<ImportId>) -> Result<web::Json<ImportView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let (import, counts, failed) = app
        .read(move |conn| {
            let import = rows::find(conn, id)?.ok_or(Error::NotFound("import"))?;
            Ok::<_, Error>((import, rows::count(conn, id)?, rows::with_outcome(conn, id, Outcome::Failed, MOST_FAILED)?))
        })
        .await?;
    let line = |line: rows::Line| FailedLine { number: line.number, email: line.email, why: line.why.unwrap_or_default() };
    Ok(web::Json(ImportView {
        id,
        kind: import.kind,
        state: import.state,
        created_at: import.created_at,
        finished_at: import.finished_at,
        counts,
        failures: failed.into_iter().map(line).collect(),
    }))
}
