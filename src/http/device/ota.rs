//! The later phases of an enrollment in phases (Apple's Profile Service). This file only translates.

use actix_web::{HttpResponse, web};

use crate::{
    apple::profile::CONTENT_TYPE,
    service::{App, Error},
};

/// Takes what a device says of itself and gives the next profile.
pub async fn continue_enrollment(app: web::Data<App>, body: web::Bytes) -> HttpResponse {
    match app.into_inner().continue_ota(body.to_vec()).await {
        Ok(profile) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(profile),
        Err(Error::Denied(why)) => {
            tracing::info!(why, "an enrollment in phases was refused");
            HttpResponse::Forbidden().finish()
        }
        Err(Error::Invalid { why, .. }) => {
            tracing::info!(why, "a message of an enrollment in phases cannot be understood");
            HttpResponse::BadRequest().finish()
        }
        Err(Error::Unavailable(..) | Error::TooMany { .. }) => {
            HttpResponse::ServiceUnavailable().insert_header(("retry-after", "2")).finish()
        }
        Err(error) => {
            tracing::error!(error = %error, cause = ?error, "an enrollment in phases failed");
            HttpResponse::InternalServerError().finish()
        }
    }
}
