//! Errors of the API as `application/problem+json` (RFC 9457).

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    error::{JsonPayloadError, PathError, QueryPayloadError},
    http::{StatusCode, header},
    web,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::{self, signers::SignerError};

/// What an API call was refused with.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No token, or one that is not valid.
    #[error("a valid API token is needed: send it as 'Authorization: Bearer …'")]
    Unauthenticated,
    /// The body or the address cannot be understood.
    #[error("{0}")]
    Unreadable(String),
    /// The body is too long.
    #[error("the request body is too long")]
    TooLong,
    /// The body is not JSON.
    #[error("the request body must be JSON, with the content type application/json")]
    NotJson,
    /// There is nothing at this address.
    #[error("there is nothing at this address")]
    NoSuchAddress,
    /// The address exists, and not for this method.
    #[error("this address does not take this method")]
    NoSuchMethod,
    /// The request came with no certificate of ours.
    #[error("{0}")]
    Certificate(#[from] SignerError),
    /// The use case said so.
    #[error(transparent)]
    Service(#[from] service::Error),
}

impl From<crate::store::Error> for ApiError {
    fn from(error: crate::store::Error) -> Self {
        Self::Service(error.into())
    }
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is. To agents also `urn:enlist:certificate` and
    /// `urn:enlist:enrollment-ended`.
    pub r#type: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status.
    pub status: u16,
    /// What is wrong and what to do.
    pub detail: String,
    /// The field that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl ApiError {
    fn field(&self) -> Option<String> {
        match self {
            Self::Service(service::Error::Invalid { field, .. }) => Some(field.clone()),
            _ => None,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "urn:enlist:certificate",
            Self::Service(service::Error::Ended) => "urn:enlist:enrollment-ended",
            _ => "about:blank",
        }
    }

    /// What is told. Text of an inner error never leaves the server.
    fn detail(&self) -> String {
        match self {
            Self::Service(service::Error::Internal { operation, source }) => {
                tracing::error!(operation, error = %source, cause = ?source, "an API call failed");
                "something went wrong in the server; its log says what".into()
            }
            other => other.to_string(),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        use service::Error::{Conflict, Denied, Ended, Internal, Invalid, NotFound, TooMany, Unavailable};
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Unreadable(_) | Self::Service(Invalid { .. }) => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoSuchAddress | Self::Service(NotFound(_)) => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Certificate(_) | Self::Service(Denied(_) | Ended) => StatusCode::FORBIDDEN,
            Self::Service(Conflict(_)) => StatusCode::CONFLICT,
            Self::Service(TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Service(Unavailable(..)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Service(Internal { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let problem = Problem {
            r#type: self.kind(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
            field: self.field(),
        };
        let mut answer = HttpResponse::build(status);
        match self {
            Self::Unauthenticated => answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"enlist\"")),
            Self::Service(service::Error::Unavailable(..)) => answer.insert_header((header::RETRY_AFTER, "2")),
            Self::Service(service::Error::TooMany { retry_after_seconds, .. }) => {
                answer.insert_header((header::RETRY_AFTER, retry_after_seconds.to_string()))
            }
            _ => &mut answer,
        };
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        answer.content_type("application/problem+json").body(body)
    }
}

/// A body that cannot be understood; the text names the field.
#[must_use]
pub fn json_error(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    match error {
        JsonPayloadError::ContentType => ApiError::NotJson,
        JsonPayloadError::Deserialize(error) => ApiError::Unreadable(format!("the request body: {error}")),
        JsonPayloadError::Overflow { .. }
        | JsonPayloadError::OverflowKnownLength { .. }
        | JsonPayloadError::Payload(actix_web::error::PayloadError::Overflow) => ApiError::TooLong,
        _ => ApiError::Unreadable("the request body could not be read".into()),
    }
    .into()
}

/// A query that cannot be understood.
#[must_use]
pub fn query_error(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    match error {
        QueryPayloadError::Deserialize(error) => ApiError::Unreadable(format!("the query: {error}")),
        _ => ApiError::Unreadable("the query could not be read".into()),
    }
    .into()
}

/// An identifier in the address that is none: nothing can be there.
#[must_use]
pub fn path_error(_: PathError, _: &HttpRequest) -> actix_web::Error {
    ApiError::NoSuchAddress.into()
}

/// A resource that answers other methods with a problem of its own.
pub fn resource(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(no_such_method))
}

/// The answer at an address that there is not.
///
/// # Errors
/// Always.
pub async fn no_such_address() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NoSuchAddress)
}

async fn no_such_method() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NoSuchMethod)
}
