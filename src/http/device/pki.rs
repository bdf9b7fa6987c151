//! What the device CA publishes: its certificate, its revocation list, and OCSP (RFC 6960).

use actix_web::{HttpResponse, web};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::service::{App, Error};

/// The certificate of the device CA.
pub async fn show_ca(app: web::Data<App>) -> HttpResponse {
    match app.authorities().device_ca.certificate.to_pem() {
        Ok(pem) => HttpResponse::Ok().content_type("application/x-pem-file").body(pem),
        Err(error) => failed(&error.into()),
    }
}

/// The certificate revocation list.
pub async fn show_crl(app: web::Data<App>) -> HttpResponse {
    match app.into_inner().revocation_list().await {
        Ok(list) => HttpResponse::Ok().content_type("application/pkix-crl").body(list.to_vec()),
        Err(error) => failed(&error),
    }
}

/// OCSP with the request as the body.
pub async fn answer_ocsp(app: web::Data<App>, body: web::Bytes) -> HttpResponse {
    answer(app, &body).await
}

/// OCSP with the request in the address (RFC 6960, appendix A.1).
pub async fn answer_ocsp_by_address(app: web::Data<App>, request: web::Path<String>) -> HttpResponse {
    let request = STANDARD.decode(request.trim_start_matches('/').as_bytes()).unwrap_or_default();
    answer(app, &request).await
}

async fn answer(app: web::Data<App>, request: &[u8]) -> HttpResponse {
    match app.into_inner().answer_ocsp(request).await {
        Ok(answer) => HttpResponse::Ok().content_type("application/ocsp-response").body(answer),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> HttpResponse {
    if let Error::Unavailable(..) = error {
        return HttpResponse::ServiceUnavailable().insert_header(("retry-after", "2")).finish();
    }
    tracing::error!(error = %error, cause = ?error, "the CA could not answer");
    HttpResponse::InternalServerError().finish()
}
