//! Stands around every route that shows pages: refuses forms of other sites, turns errors into pages, and adds the headers that
//! every answer carries.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web,
};

use crate::{
    http::{
        layer::refusals,
        origin::is_own,
        page,
        problem::{Door, Problem},
    },
    service::App,
};

/// The middleware, for the pages of this door.
///
/// # Errors
/// Those of the service behind it that are not answers.
pub async fn guard_pages(
    door: Door,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let public_url = request.app_data::<web::Data<App>>().map(|app| app.public_url().to_owned()).unwrap_or_default();
    let is_https = public_url.starts_with("https://");
    if *request.method() == Method::POST && !is_own(&request, &public_url) {
        let page = Problem::foreign().page(request.request(), door, is_https);
        return Ok(request.into_response(page));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let refusal = response.response().error().and_then(|error| error.as_error::<Problem>()).map(ToString::to_string);
    if let Some(why) = refusal.filter(|_| status == StatusCode::FORBIDDEN) {
        refusals::note(response.request(), why).await;
    }
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let explained = response.response().error().and_then(|error| error.as_error::<Problem>());
    if explained.is_some() || ((status.is_client_error() || status.is_server_error()) && !is_page) {
        let page = match explained {
            Some(problem) => problem.page(response.request(), door, is_https),
            None => Problem::of_status(status).page(response.request(), door, is_https),
        };
        let allow = response.headers().get(header::ALLOW).cloned();
        response = response.into_response(page);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    page::harden(response.headers_mut(), is_https);
    Ok(response)
}
