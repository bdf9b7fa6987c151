//! Gives every request an identifier, logs what became of it, counts it, and turns a panic into an answer.

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::http::metrics::Metrics;

/// The identifier of a request: in its answer, in the log, in error pages.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// The identifier of this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Option<String> {
        request.extensions().get::<Self>().map(|id| id.0.clone())
    }
}

/// Traces a request. The log has the pattern of the route and never the path itself, which may hold a secret.
///
/// # Errors
/// Those of the handler.
pub async fn trace<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let id = uuid::Uuid::now_v7().simple().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    // The request itself must not be held: the router wants it for itself.
    let metrics = request.app_data::<web::Data<Metrics>>().cloned();
    let method = request.method().clone();
    let result = AssertUnwindSafe(next.call(request)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(request = id, "a handler panicked");
        Err(InternalError::from_response("a handler panicked", HttpResponse::InternalServerError().finish()).into())
    });
    let (route, status) = match &result {
        Ok(response) => (response.request().match_pattern(), response.status().as_u16()),
        Err(error) => (None, error.as_response_error().status_code().as_u16()),
    };
    let (route, took) = (route.unwrap_or_else(|| "-".into()), began.elapsed());
    if let Some(metrics) = metrics {
        metrics.count(&route, status, took);
    }
    tracing::debug!(request = id, %method, route, status, microseconds = took.as_micros(), "answered");
    if status >= 500 {
        tracing::warn!(request = id, %method, route, status, "a request failed");
    }
    let mut response = result?;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use actix_web::{App, middleware::from_fn, test, web};

    use super::*;

    #[actix_web::test]
    async fn a_handler_that_panics_is_answered_and_the_next_request_as_well() {
        async fn panics() -> HttpResponse {
            panic!("the inner text of a panic")
        }
        let app = App::new()
            .wrap(from_fn(trace))
            .route("/panics", web::get().to(panics))
            .route("/works", web::get().to(|| async { HttpResponse::Ok().finish() }));
        let service = test::init_service(app).await;
        for _ in 0..3 {
            let error = test::try_call_service(&service, test::TestRequest::get().uri("/panics").to_request()).await.unwrap_err();
            let answer = error.error_response();
            assert_eq!(answer.status(), 500);
            assert!(!error.to_string().contains("inner text"));
            let works = test::call_service(&service, test::TestRequest::get().uri("/works").to_request()).await;
            assert_eq!(works.status(), 200);
            assert!(works.headers().contains_key("x-request-id"));
        }
    }
}
