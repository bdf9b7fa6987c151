//! A form with a file, which somebody who is signed in has sent from a page of their own session.

use std::collections::HashMap;

use actix_multipart::Multipart;
use actix_web::{
    FromRequest, HttpRequest, ResponseError,
    dev::Payload,
    http::{StatusCode, header},
};
use futures_util::{TryStreamExt, future::LocalBoxFuture};

use super::{admin::Admin, form::check_csrf};
use crate::http::{limits::body_limit, problem::Problem};

/// Most parts of a form, and most pairs.
const MOST_PARTS: usize = 16;

/// A form with a file, with its sender. It is read only if it brings along what pages of the sender's session have.
pub struct Upload {
    /// Who sent it.
    pub admin: Admin,
    parts: HashMap<String, Part>,
}

/// One part of a form.
#[derive(Debug, Default)]
pub struct Part {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What the file is called, where it is one.
    pub file_name: String,
    /// What the browser takes it for; empty where it does not say.
    pub kind: String,
}

impl Upload {
    /// What a part holds; nothing where it is missing.
    #[must_use]
    pub fn bytes(&self, name: &str) -> &[u8] {
        self.parts.get(name).map(|part| part.bytes.as_slice()).unwrap_or_default()
    }

    /// Takes a part out of the form; an empty one where it is missing.
    pub fn take(&mut self, name: &str) -> Part {
        self.parts.remove(name).unwrap_or_default()
    }

    /// What a part says. Forms are sent in the encoding of their page, so that anything else is not from our page.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admin = Admin::from_request(request, payload);
        let headers = request.headers().clone();
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let limit = body_limit(request.path());
        let payload = payload.take();
        Box::pin(async move {
            let admin = admin.await?;
            let parts = match kind.as_str() {
                "multipart/form-data" => read_parts(Multipart::new(&headers, payload), limit).await?,
                // What was typed instead of a file may come as any other form does.
                "application/x-www-form-urlencoded" => read_pairs(payload, limit).await?,
                _ => return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            };
            let given = parts.get("csrf").map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
            check_csrf(&admin, given)?;
            Ok(Self { admin, parts })
        })
    }
}

async fn read_parts(mut form: Multipart, limit: usize) -> Result<HashMap<String, Part>, Problem> {
    let unreadable = |error: actix_multipart::MultipartError| {
        tracing::debug!(error = %error, "an upload could not be read");
        Problem::of_status(StatusCode::BAD_REQUEST)
    };
    let mut parts = HashMap::new();
    let mut left = limit;
    while let Some(mut part) = form.try_next().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.content_disposition().and_then(|disposition| disposition.get_filename()).unwrap_or_default().to_owned();
        let kind = part.content_type().map(ToString::to_string).unwrap_or_default();
        let mut bytes = Vec::new();
        while let Some(chunk) = part.try_next().await.map_err(unreadable)? {
            left = left.checked_sub(chunk.len()).ok_or_else(|| Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE))?;
            bytes.extend_from_slice(&chunk);
        }
        if parts.len() >= MOST_PARTS {
            return Err(Problem::of_status(StatusCode::BAD_REQUEST));
        }
        parts.insert(name, Part { bytes, file_name, kind });
    }
    Ok(parts)
}

async fn read_pairs(mut payload: Payload, limit: usize) -> Result<HashMap<String, Part>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.try_next().await.map_err(|error| Problem::of_status(error.status_code()))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE));
        }
        body.extend_from_slice(&chunk);
    }
    let pairs = url::form_urlencoded::parse(&body);
    // Counted before they are kept: an empty pair is one byte, and takes a hundred here.
    if pairs.take(MOST_PARTS + 1).count() > MOST_PARTS {
        return Err(Problem::of_status(StatusCode::BAD_REQUEST));
    }
    let part = |value: String| Part { bytes: value.into_bytes(), ..Part::default() };
    Ok(pairs.map(|(name, value)| (name.into_owned(), part(value.into_owned()))).collect())
}
