//! SCEP (RFC 8894). This file only translates.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::{
    apple::scep::{Operation, OperationError, ca_certificates, capabilities},
    service::{App, Error, certify::ScepAnswer},
};

/// Answers `GET`: capabilities, certificates, or a message in the address.
pub async fn get(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    match Operation::parse(request.query_string()) {
        Ok(Operation::PkiOperation(Some(message))) => operate(app, message).await,
        Ok(Operation::PkiOperation(None)) => HttpResponse::BadRequest().finish(),
        other => describe(other, &app).await,
    }
}

/// Answers `POST`: the message is the body.
pub async fn post(request: HttpRequest, app: web::Data<App>, body: web::Bytes) -> HttpResponse {
    match Operation::parse(request.query_string()) {
        Ok(Operation::PkiOperation(_)) => operate(app, body.to_vec()).await,
        other => describe(other, &app).await,
    }
}

async fn describe(operation: Result<Operation, OperationError>, app: &App) -> HttpResponse {
    match operation {
        Ok(Operation::GetCaCaps) => match app.scep_strength().await {
            Ok(strength) => HttpResponse::Ok().content_type("text/plain").body(capabilities(strength)),
            Err(error) => failed(&error),
        },
        Ok(Operation::GetCaCert) => {
            let authorities = app.authorities();
            match ca_certificates(&authorities.device_ca.certificate, Some(&authorities.scep_ra.certificate)) {
                Ok((content_type, body)) => HttpResponse::Ok().content_type(content_type).body(body),
                Err(error) => failed(&error.into()),
            }
        }
        Ok(Operation::PkiOperation(_)) | Err(_) => HttpResponse::BadRequest().finish(),
    }
}

async fn operate(app: web::Data<App>, message: Vec<u8>) -> HttpResponse {
    match app.into_inner().answer_scep(message).await {
        Ok(ScepAnswer::Reply(reply)) => HttpResponse::Ok().content_type("application/x-pki-message").body(reply),
        Ok(ScepAnswer::Unreadable) => HttpResponse::BadRequest().finish(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> HttpResponse {
    if let Error::Unavailable(..) | Error::TooMany { .. } = error {
        return HttpResponse::ServiceUnavailable().insert_header(("retry-after", "2")).finish();
    }
    tracing::error!(error = %error, cause = ?error, "a SCEP operation failed");
    HttpResponse::InternalServerError().finish()
}
