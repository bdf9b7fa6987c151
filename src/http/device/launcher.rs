//! The Headwind launcher's requests. This file only translates: what a launcher takes for an error is an answer with the status 200
//! and a word that it knows; where it looks at the status alone, the status says it.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    error::ErrorInternalServerError,
    http::{StatusCode, header},
    web,
};
use futures_util::stream;
use serde::Serialize;

use crate::{
    android::launcher::{
        answer::{self, Answer, Refusal},
        device_info, log, push, signature,
    },
    domain::id::LauncherPackageId,
    service::{
        App, Error,
        android::{
            launcher::COOKIE,
            launcher_package::{DownloadRight, FILE},
        },
    },
};

/// What a launcher signs a request with.
const REQUEST_SIGNATURE: &str = "x-request-signature";
/// What an answer is signed with.
const RESPONSE_SIGNATURE: &str = "x-response-signature";

/// The addresses that are compiled into the launcher, below its project's path, and the one of its own file.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut add = |path: &str, route: fn(actix_web::Resource) -> actix_web::Resource| {
        config.service(route(web::resource(format!("/android/hw/rest{path}"))));
    };
    add("/public/sync/configuration/{number}", |at| at.get(get_configuration).post(post_configuration));
    add("/public/sync/info", |at| at.post(post_info));
    add("/notification/polling/{number}", |at| at.get(get_news_patiently));
    add("/notifications/device/{number}", |at| at.get(get_news));
    add("/plugins/devicelog/log/rules/{number}", |at| at.get(get_rules));
    add("/plugins/devicelog/log/list/{number}", |at| at.post(post_log));
    add("/plugins/devicereset/public/{number}", |at| at.post(post_reset));
    add("/plugins/devicereset/public/reboot/{number}", |at| at.post(post_reboot));
    add("/plugins/devicereset/public/password/{number}", |at| at.post(post_passcode));
    config.service(web::resource("/files/{id}/{name}").get(get_file));
}

/// Writes an answer.
fn signed(answer: Answer) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((RESPONSE_SIGNATURE, answer.signature))
        .body(answer.text)
}

fn with_data(secret: &str, data: &impl Serialize) -> HttpResponse {
    match answer::with_data(secret, data) {
        Ok(answer) => signed(answer),
        Err(error) => in_words(secret, &Error::internal("writing an answer to a launcher", error)),
    }
}

/// An error for requests of which the launcher reads the answer.
fn in_words(secret: &str, error: &Error) -> HttpResponse {
    let refusal = match error {
        Error::NotFound(_) | Error::Ended => Refusal::NotFound,
        Error::Denied(_) => Refusal::Denied,
        Error::Conflict(_) => Refusal::Duplicate,
        Error::Unavailable(..) | Error::TooMany { .. } | Error::Invalid { .. } => return in_status(error),
        Error::Internal { operation, source } => {
            tracing::error!(operation, error = %source, cause = ?source, "a launcher's request failed");
            Refusal::Internal
        }
    };
    signed(answer::refusing(secret, refusal))
}

/// An error for requests of which the launcher looks at the status alone.
fn in_status(error: &Error) -> HttpResponse {
    let status = match error {
        Error::NotFound(_) | Error::Ended => StatusCode::NOT_FOUND,
        Error::Denied(_) => StatusCode::FORBIDDEN,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::Unavailable(..) | Error::TooMany { .. } => {
            return HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "5")).finish();
        }
        Error::Internal { operation, source } => {
            tracing::error!(operation, error = %source, cause = ?source, "a launcher's request failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    HttpResponse::build(status).finish()
}

/// What was sent is not what a launcher sends. It may hold a number, so that it is not written into the log.
fn unreadable() -> HttpResponse {
    tracing::info!("a launcher's message cannot be understood");
    HttpResponse::BadRequest().finish()
}

fn is_signed(request: &HttpRequest, secret: &str, values: &[String]) -> bool {
    let given = request.headers().get(REQUEST_SIGNATURE).and_then(|value| value.to_str().ok());
    given.is_some_and(|given| signature::is_of(secret, given, values))
}

fn wrong_signature() -> Error {
    Error::Denied("the signature of the request is not right".into())
}

/// The configuration, for a launcher that was just installed.
pub async fn post_configuration(request: HttpRequest, app: web::Data<App>, number: web::Path<String>, _: web::Bytes) -> HttpResponse {
    configuration(&request, app.into_inner(), number.into_inner(), true).await
}

/// The configuration.
pub async fn get_configuration(request: HttpRequest, app: web::Data<App>, number: web::Path<String>) -> HttpResponse {
    configuration(&request, app.into_inner(), number.into_inner(), false).await
}

async fn configuration(request: &HttpRequest, app: Arc<App>, number: String, is_first: bool) -> HttpResponse {
    let secret = match app.launcher_answer_secret().await {
        Ok(secret) => secret,
        Err(error) => return in_status(&error),
    };
    if !is_signed(request, &secret, &signature::of_configuration(&number)) {
        return in_words(&secret, &wrong_signature());
    }
    match app.launcher_configuration(number, is_first).await {
        Ok(configuration) => with_data(&secret, &configuration),
        Err(error) => in_words(&secret, &error),
    }
}

/// How a device is.
pub async fn post_info(app: web::Data<App>, body: web::Bytes) -> HttpResponse {
    let app = app.into_inner();
    let Ok(info) = device_info::read(&body) else { return unreadable() };
    let secret = match app.launcher_answer_secret().await {
        Ok(secret) => secret,
        Err(error) => return in_status(&error),
    };
    match app.take_launcher_info(info).await {
        Ok(()) => with_data(&secret, &()),
        Err(error) => in_words(&secret, &error),
    }
}

/// Push messages: waits until there is one, or long enough.
pub async fn get_news_patiently(request: HttpRequest, app: web::Data<App>, number: web::Path<String>) -> HttpResponse {
    let values = signature::of_polling(&number);
    news(&request, app.into_inner(), number.into_inner(), values, true).await
}

/// Push messages: those that there are.
pub async fn get_news(request: HttpRequest, app: web::Data<App>, number: web::Path<String>) -> HttpResponse {
    let mut values = signature::of_polling(&number);
    values.extend([request.path().to_owned(), request.path().trim_start_matches('/').to_owned()]);
    news(&request, app.into_inner(), number.into_inner(), values, false).await
}

async fn news(request: &HttpRequest, app: Arc<App>, number: String, values: Vec<String>, is_patient: bool) -> HttpResponse {
    let secret = match app.launcher_answer_secret().await {
        Ok(secret) => secret,
        Err(error) => return in_status(&error),
    };
    if !is_signed(request, &secret, &values) {
        return in_status(&wrong_signature());
    }
    match app.launcher_has_news(number, is_patient).await {
        Ok(true) => with_data(&secret, &[push::configuration_changed()]),
        Ok(false) => with_data(&secret, &[(); 0]),
        Err(error) => in_status(&error),
    }
}

/// Which lines of its log a launcher shall send.
pub async fn get_rules(app: web::Data<App>, number: web::Path<String>) -> HttpResponse {
    let app = app.into_inner();
    let secret = match app.launcher_answer_secret().await {
        Ok(secret) => secret,
        Err(error) => return in_status(&error),
    };
    match app.launcher_rules(number.into_inner()).await {
        Ok(rules) => with_data(&secret, &rules),
        Err(error) => in_words(&secret, &error),
    }
}

/// Lines of a launcher's log.
pub async fn post_log(app: web::Data<App>, number: web::Path<String>, body: web::Bytes) -> HttpResponse {
    let Ok(lines) = log::read(&body) else { return unreadable() };
    done(app.into_inner().take_launcher_log(number.into_inner(), lines).await)
}

/// Whether a device may reset itself. Whoever is told yes does it at once.
pub async fn post_reset(app: web::Data<App>, number: web::Path<String>, _: web::Bytes) -> HttpResponse {
    done(app.into_inner().permit_reset(number.into_inner()).await)
}

/// Whether a device may start again: nobody asks it to.
pub async fn post_reboot(_: web::Path<String>, _: web::Bytes) -> HttpResponse {
    HttpResponse::Conflict().finish()
}

/// A device has set the passcode that it was given.
pub async fn post_passcode(app: web::Data<App>, number: web::Path<String>, _: web::Bytes) -> HttpResponse {
    done(app.into_inner().confirm_passcode(number.into_inner()).await)
}

fn done(result: Result<(), Error>) -> HttpResponse {
    match result {
        Ok(()) => HttpResponse::Ok().content_type("application/json").body("{\"status\":\"OK\",\"message\":null,\"data\":null}"),
        Err(error) => in_status(&error),
    }
}

/// The launcher's own file.
pub async fn get_file(request: HttpRequest, app: web::Data<App>, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, name) = path.into_inner();
    let Some(id) = id.parse::<LauncherPackageId>().ok().filter(|_| name == FILE) else { return HttpResponse::NotFound().finish() };
    let header = request.headers().get(REQUEST_SIGNATURE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let right = DownloadRight { cookie: request.cookie(COOKIE).map(|cookie| cookie.value().to_owned()), signature: header };
    let app = app.into_inner();
    let package = match app.launcher_download(id, right).await {
        Ok(package) => package,
        Err(error) => return in_status(&error),
    };
    let pieces = stream::unfold(Some(0_i32), move |position| {
        let app = Arc::clone(&app);
        async move {
            let position = position?;
            match app.launcher_piece(id, position).await {
                Ok(Some(piece)) => Some((Ok(web::Bytes::from(piece)), position.checked_add(1))),
                Ok(None) => None,
                Err(error) => {
                    tracing::error!(error = %error, cause = ?error, "a download was broken off");
                    Some((Err(ErrorInternalServerError("the download was broken off")), None))
                }
            }
        }
    });
    HttpResponse::Ok()
        .content_type("application/vnd.android.package-archive")
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .body(SizedStream::new(u64::try_from(package.length).unwrap_or_default(), pieces))
}
