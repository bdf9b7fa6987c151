//! Protected files: each comes as the body of a call, and leaves by mail only.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use futures_util::TryStreamExt;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::{ApiError, Problem},
    links::LinkView,
};
use crate::{
    domain::user::Permission,
    http::{extract::caller::Caller, limits::body_limit},
    service::{App, files::NewFile},
};

/// What is said of a file.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FileQuery {
    /// What it is called, at most 120 characters.
    #[serde(default)]
    name: String,
    /// To whom the mail with the link is first sent. The file goes to whoever asks for it, which may be somebody else.
    recipient: Option<String>,
    /// What it is about, at most 200 characters.
    #[serde(default)]
    note: String,
    /// Days for which it is good, 1 to 365; 30 where it is left out.
    days: Option<u16>,
}

/// Makes a protected link that stands for a file: the file itself is the body, at most 10 MiB, and its type the content type.
#[utoipa::path(post, path = "/api/v1/links/files", params(FileQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = LinkView), (status = 400, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)), tag = "links", security(("token" = [])))]
pub async fn create_file_link(
    caller: Caller,
    app: web::Data<App>,
    request: HttpRequest,
    query: web::Query<FileQuery>,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let content = read(body, body_limit(request.path())).await?;
    let query = query.into_inner();
    let file = NewFile { name: query.name, kind, content, note: query.note, recipient: query.recipient, days: query.days };
    let app = app.into_inner();
    let link = app.protect_file(caller.actor, file).await?;
    Ok(HttpResponse::Created().json(LinkView::of(&app, link, caller.role)?))
}

async fn read(mut body: web::Payload, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut content = Vec::new();
    loop {
        match body.try_next().await {
            Ok(Some(bytes)) if content.len().saturating_add(bytes.len()) <= limit => content.extend_from_slice(&bytes),
            Ok(None) => return Ok(content),
            Ok(Some(_)) | Err(actix_web::error::PayloadError::Overflow) => return Err(ApiError::TooLong),
            Err(_) => return Err(ApiError::Unreadable("the request body could not be read".into())),
        }
    }
}
