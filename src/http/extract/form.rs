//! A form that somebody who is signed in has sent from a page of their own session.

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web::Bytes,
};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::admin::Admin;
use crate::http::problem::Problem;

/// A form whose only message is that it was sent.
#[derive(Debug, serde::Deserialize)]
pub struct NoFields {}

/// A form with its sender. It is read only if it brings along what pages of the sender's session have.
pub struct Form<T> {
    /// Who sent it.
    pub admin: Admin,
    /// What it says.
    pub fields: T,
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let admin = Admin::from_request(request, payload);
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_form = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let admin = admin.await?;
            if !is_form {
                return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
            }
            let body = body.await.map_err(|error| Problem::of_status(error.as_response_error().status_code()))?;
            check_csrf(&admin, field(&body, "csrf"))?;
            let fields = serde_html_form::from_bytes(&body).map_err(|error| {
                tracing::debug!(error = %error, "a form could not be read");
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "The form could not be read",
                    format!("Go back and check what you filled in: {error}."),
                )
            })?;
            Ok(Self { admin, fields })
        })
    }
}

/// Refuses a form that does not come from a page of this session.
///
/// # Errors
/// The form brought nothing along, or something else.
pub fn check_csrf(admin: &Admin, given: Option<String>) -> Result<(), Problem> {
    let given = given.unwrap_or_default();
    let is_ours = given.len() == admin.csrf.len() && openssl::memcmp::eq(given.as_bytes(), admin.csrf.as_bytes());
    if is_ours { Ok(()) } else { Err(Problem::stale()) }
}

fn field(body: &[u8], name: &str) -> Option<String> {
    url::form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
