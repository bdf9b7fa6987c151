//! Requests on whose meaning a proxy and this server might disagree are refused before anybody looks at them.

use actix_web::{
    Error, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
};

use crate::http::limits::LONGEST_ADDRESS;

/// Refuses an address that is too long, an absolute address for another host, and header names with an underscore, which some
/// proxies turn into the trusted name with a hyphen.
///
/// # Errors
/// Those of the handler.
pub async fn refuse_ambiguous<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let uri = request.uri();
    let limit = if request.path() == "/scep" { 64 * 1024 } else { LONGEST_ADDRESS };
    let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let names_another_host = uri.authority().is_some_and(|authority| Some(authority.as_str()) != host);
    let answer = if length > limit {
        Some(HttpResponse::UriTooLong().finish())
    } else if names_another_host || request.headers().keys().any(|name| name.as_str().contains('_')) {
        Some(HttpResponse::BadRequest().finish())
    } else {
        None
    };
    match answer {
        Some(answer) => Ok(request.into_response(answer).map_into_right_body()),
        None => Ok(next.call(request).await?.map_into_left_body()),
    }
}
