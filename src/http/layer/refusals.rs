//! Has a line left in the audit log where somebody who is known was refused something by their role, or because a form did not come
//! from their own page. Strangers leave none.

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};

use crate::{domain::audit::Actor, http::api::error::ApiError, service::App};

/// Who sends a request; kept with it as soon as it is known.
#[derive(Debug, Clone)]
struct Known(Actor);

/// Notes who sends a request.
pub fn know(request: &HttpRequest, actor: &Actor) {
    request.extensions_mut().insert(Known(actor.clone()));
}

/// Leaves a line if it is known who sent the request.
///
/// * `why`: what they were told.
pub async fn note(request: &HttpRequest, why: String) {
    let known = request.extensions().get::<Known>().cloned();
    let (Some(Known(actor)), Some(app)) = (known, request.app_data::<web::Data<App>>()) else { return };
    let route = request.match_pattern().unwrap_or_else(|| "-".into());
    if let Err(error) = app.note_refusal(actor, request.method().to_string(), route, why).await {
        // The refusal itself stands.
        tracing::error!(error = %error, "a refusal could not be noted in the audit log");
    }
}

/// The middleware around the API.
///
/// # Errors
/// Those of the service behind it that are not answers.
pub async fn note_refusals<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let response = next.call(request).await?;
    if response.status() == StatusCode::FORBIDDEN {
        let why = response.response().error().and_then(|error| error.as_error::<ApiError>()).map(ToString::to_string);
        if let Some(why) = why {
            note(response.request(), why).await;
        }
    }
    Ok(response)
}
