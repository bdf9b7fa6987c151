//! `GET /android/v1/identity`: whose device a certificate is, for whoever comes with it.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde_json::json;

use crate::{
    http::{api::error::Problem, client::client_certificate},
    service::{App, Error, android::identity::KnownDevice, signers::SignerError},
};

/// Whose device a certificate is
///
/// For whoever comes with the certificate of a device that is managed here, on the device port: whose it is, and whether it may come
/// in at this moment.
#[utoipa::path(get, path = "/android/v1/identity", tag = "android", security(("device_certificate" = [])), responses(
    (status = 200, body = KnownDevice), (status = 403, body = Problem, description = "the certificate counts no longer, for the reason given"),
    (status = 503, description = "the database cannot be reached")))]
pub async fn get_identity(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let Some(certificate) = client_certificate(&request) else { return refused("this address needs a client certificate") };
    let fingerprint = match app.certificate_of(&certificate) {
        Ok(fingerprint) => fingerprint,
        Err(SignerError::Foreign) => return refused("the certificate was not issued by this server"),
        Err(_) => return refused("the certificate cannot be read"),
    };
    match app.into_inner().identify_certificate(fingerprint).await {
        Ok(known) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(known),
        Err(Error::Denied(why)) => refused(&why),
        Err(Error::Ended | Error::NotFound(_)) => refused("the enrollment of this device has ended"),
        Err(Error::Unavailable(..)) => HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "2")).finish(),
        Err(error) => {
            tracing::error!(error = %error, cause = ?error, "a certificate could not be looked up");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn refused(why: &str) -> HttpResponse {
    HttpResponse::Forbidden()
        .content_type("application/problem+json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(json!({ "title": "This certificate does not count", "status": 403, "detail": why }).to_string())
}
