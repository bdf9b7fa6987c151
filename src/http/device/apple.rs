//! Apple's check-in and command channels. This file only translates.
//!
//! A 401 makes some devices remove their enrollment, so none is ever answered. `com.apple.unrecognized.device` does the same on
//! iOS 17 and later, so it is said only where the enrollment is known to have ended; a missing or foreign signature, which may be
//! the fault of a proxy or of a restored server, gets an answer that a device survives.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};

use super::signer::signer_of;
use crate::{
    apple::{
        checkin::{self, CheckIn, Message},
        declarative,
        field::DecodeError,
        rejection, report,
    },
    service::{
        App, Error,
        signers::{Fingerprint, SignerError},
    },
};

/// Why a message was not taken.
enum Refusal {
    /// The message cannot be understood.
    Malformed,
    /// The content type is another one.
    ContentType,
    /// Whose message it is cannot be told.
    Signer(SignerError),
    /// The use case said so.
    Service(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl Refusal {
    fn answer(self) -> HttpResponse {
        match self {
            Self::Malformed
            | Self::Signer(SignerError::Missing | SignerError::NoCertificate | SignerError::Unreadable | SignerError::Wrong) => {
                HttpResponse::BadRequest().finish()
            }
            Self::ContentType => HttpResponse::UnsupportedMediaType().finish(),
            Self::Service(Error::Denied(why)) => {
                tracing::info!(why, "a device was refused");
                HttpResponse::Forbidden().finish()
            }
            Self::Service(Error::Ended) => {
                HttpResponse::build(StatusCode::FORBIDDEN).content_type(rejection::CONTENT_TYPE).body(rejection::UNRECOGNIZED_DEVICE)
            }
            Self::Signer(SignerError::Foreign) | Self::Service(Error::NotFound(_)) => HttpResponse::Forbidden().finish(),
            Self::Service(Error::Invalid { .. }) => HttpResponse::BadRequest().finish(),
            Self::Service(Error::Conflict(why)) => {
                tracing::info!(why, "a device spoke out of turn");
                HttpResponse::Conflict().finish()
            }
            Self::Service(Error::TooMany { .. } | Error::Unavailable(..)) => {
                HttpResponse::ServiceUnavailable().insert_header(("retry-after", "2")).finish()
            }
            Self::Service(Error::Internal { operation, source }) => {
                tracing::error!(operation, error = %source, cause = ?source, "a device's message failed");
                HttpResponse::InternalServerError().finish()
            }
        }
    }
}

/// Takes a check-in message.
pub async fn check_in(request: HttpRequest, app: web::Data<App>, body: web::Bytes) -> HttpResponse {
    match take_check_in(&request, app, &body).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.answer(),
    }
}

async fn take_check_in(request: &HttpRequest, app: web::Data<App>, body: &[u8]) -> Result<HttpResponse, Refusal> {
    must_be(request, &["application/x-apple-aspen-mdm-checkin", "application/x-apple-aspen-mdm"])?;
    let fingerprint = signer_of(&app, request, body).map_err(refused)?;
    let message = checkin::decode(body).map_err(|error| malformed(&error))?;
    let app = app.into_inner();
    if message.channel.user.is_some() && !matches!(message.message, Message::DeclarativeManagement { .. }) {
        // Users of a Shared iPad or of a Mac are not managed apart from the device.
        return Ok(HttpResponse::Gone().finish());
    }
    let CheckIn { channel, message } = message;
    match message {
        Message::Authenticate(message) => app.authenticate(fingerprint, channel, message).await?,
        Message::TokenUpdate(message) => app.token_update(fingerprint, channel, message).await?,
        Message::CheckOut { .. } => app.check_out(fingerprint, channel).await?,
        Message::SetBootstrapToken { token, .. } => app.set_bootstrap_token(fingerprint, channel, token).await?,
        Message::GetBootstrapToken { .. } => return Ok(bootstrap_token(app.bootstrap_token(fingerprint, channel).await?)),
        Message::UserAuthenticate { .. } => return Ok(HttpResponse::Gone().finish()),
        Message::GetToken { service_type, .. } => {
            tracing::info!(service_type, "a device asked for a token that is not offered");
            return Ok(HttpResponse::BadRequest().finish());
        }
        Message::DeclarativeManagement { endpoint, data } => return declare(&app, fingerprint, channel, &endpoint, data).await,
    }
    Ok(HttpResponse::Ok().finish())
}

async fn declare(
    app: &std::sync::Arc<App>,
    fingerprint: Fingerprint,
    channel: crate::apple::channel::Channel,
    endpoint: &str,
    data: Option<Vec<u8>>,
) -> Result<HttpResponse, Refusal> {
    match declarative::answer(endpoint, app.now()) {
        declarative::Answer::Document(document) => {
            app.receive_status(fingerprint, channel, None).await?;
            Ok(HttpResponse::Ok().json(document))
        }
        declarative::Answer::Status => {
            let facts = declarative::status_facts(&data.unwrap_or_default(), app.now()).map_err(|error| {
                tracing::info!(error = %error, "a status report cannot be read");
                Refusal::Malformed
            })?;
            // What holds for one user of a shared device does not hold for the device.
            let facts = channel.user.is_none().then_some(facts);
            app.receive_status(fingerprint, channel, facts).await?;
            Ok(HttpResponse::NoContent().finish())
        }
        declarative::Answer::NotFound => {
            app.receive_status(fingerprint, channel, None).await?;
            Ok(HttpResponse::NotFound().finish())
        }
    }
}

fn bootstrap_token(token: Option<Vec<u8>>) -> HttpResponse {
    let mut answer = plist::Dictionary::new();
    if let Some(token) = token {
        answer.insert("BootstrapToken".into(), plist::Value::Data(token));
    }
    match crate::apple::property_list::write::to_xml(answer) {
        Ok(xml) => HttpResponse::Ok().content_type("application/xml").body(xml),
        Err(error) => Refusal::Service(Error::internal("writing a bootstrap token", error)).answer(),
    }
}

/// Takes a report and hands out the next command.
pub async fn connect(request: HttpRequest, app: web::Data<App>, body: web::Bytes) -> HttpResponse {
    match take_report(&request, app, &body).await {
        Ok(Some(command)) => HttpResponse::Ok().content_type("application/xml").body(command),
        Ok(None) => HttpResponse::Ok().finish(),
        Err(refusal) => refusal.answer(),
    }
}

async fn take_report(request: &HttpRequest, app: web::Data<App>, body: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    must_be(request, &["application/x-apple-aspen-mdm"])?;
    let fingerprint = signer_of(&app, request, body).map_err(refused)?;
    let report = report::decode(body).map_err(|error| malformed(&error))?;
    Ok(app.into_inner().report_and_next(fingerprint, report).await?)
}

fn refused(error: SignerError) -> Refusal {
    tracing::info!(error = %error, "a device's signature was refused");
    Refusal::Signer(error)
}

fn malformed(error: &DecodeError) -> Refusal {
    tracing::info!(error = %error, "a device's message cannot be understood");
    Refusal::Malformed
}

fn must_be(request: &HttpRequest, accepted: &[&str]) -> Result<(), Refusal> {
    use actix_web::HttpMessage;
    if accepted.contains(&request.content_type()) { Ok(()) } else { Err(Refusal::ContentType) }
}

/// Account-driven enrollment is not offered: the device is told so in Apple's words.
pub async fn discover() -> HttpResponse {
    HttpResponse::build(StatusCode::FORBIDDEN).content_type(rejection::CONTENT_TYPE).body(rejection::WELL_KNOWN_FAILED)
}
