//! The agent's protocol. This file only translates; `docs/android-agent.md` describes the protocol for those who write an agent.
//!
//! Refusals are `application/problem+json`, as in the API. The kind of problem (`type`) tells an agent what to do where the status
//! alone does not: with `urn:enlist:certificate` it has to come with another certificate or to be activated anew, with
//! `urn:enlist:enrollment-ended` it is not managed any more.

#![allow(unused_qualifications, reason = "the macro that describes calls qualifies the types of their parameters")]

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH},
    web,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    android::{
        message::{Activated, Activation, CommandAnswer, PostureReport, Renewal, Renewed, SignedCommand},
        policy::AgentPolicy,
    },
    domain::id::CommandId,
    http::{
        api::error::{ApiError, Problem, json_error, no_such_address, path_error, query_error, resource},
        client::client_certificate,
    },
    service::{
        App,
        android::{agent::LONGEST_WAIT_SECONDS, channel::Ask},
        signers::{Fingerprint, SignerError},
    },
};

/// Most bytes of a document; a certificate request is the longest part of any.
const LONGEST_DOCUMENT: usize = 64 * 1024;

/// The addresses of agents.
///
/// * `with_activation`: also where they get their certificate; the rest is of use only with one.
pub fn configure(config: &mut web::ServiceConfig, with_activation: bool) {
    let mut scope = web::scope("/android/v1")
        .app_data(web::JsonConfig::default().limit(LONGEST_DOCUMENT).error_handler(json_error))
        .app_data(web::QueryConfig::default().error_handler(query_error))
        .app_data(web::PathConfig::default().error_handler(path_error))
        .service(resource("/policy").get(get_policy))
        .service(resource("/posture").post(report_posture))
        .service(resource("/commands").get(next_command))
        .service(resource("/commands/{id}/answer").post(answer_command))
        .service(resource("/certificate/renew").post(renew_certificate))
        .service(resource("/leave").post(leave));
    if with_activation {
        scope = scope.service(resource("/activate").post(activate));
    }
    config.service(scope.default_service(web::to(no_such_address)));
}

/// Whose certificate the request came with.
fn holder(app: &App, request: &HttpRequest) -> Result<Fingerprint, ApiError> {
    let certificate = client_certificate(request).ok_or(SignerError::NoCertificate)?;
    Ok(app.certificate_of(&certificate)?)
}

/// Give an agent its certificate
///
/// For the token that the portal shows once; on the public port. The same token with the same key gets the same certificate again,
/// with another key it is refused. The device is `pending` until the agent has reported its posture with the certificate.
#[utoipa::path(post, path = "/android/v1/activate", tag = "android", request_body = Activation, security(()), responses(
    (status = 200, body = Activated), (status = 400, body = Problem), (status = 403, body = Problem, description = "the token is not valid"),
    (status = 409, body = Problem, description = "this server has no port for agents"), (status = 429, body = Problem)))]
pub async fn activate(app: web::Data<App>, body: web::Json<Activation>) -> Result<HttpResponse, ApiError> {
    let activated = app.into_inner().activate(body.into_inner()).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(activated))
}

/// What the device has to obey
///
/// The `ETag` is the version, which the agent names as `applied_policy` once it has taken it over.
#[utoipa::path(get, path = "/android/v1/policy", tag = "android", security(("device_certificate" = [])), responses(
    (status = 200, body = AgentPolicy), (status = 304, description = "it is the version of If-None-Match"), (status = 403, body = Problem)))]
pub async fn get_policy(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let holder = holder(&app, &request)?;
    let policy = app.into_inner().agent_policy(holder).await?;
    let tag = format!("\"{}\"", policy.version);
    let asked = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let is_known = asked.flat_map(|value| value.split(',')).any(|value| value.trim() == tag);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, "private, no-cache"));
    Ok(if is_known { answer.finish() } else { answer.json(policy) })
}

/// Say how the device is
///
/// A report is complete: what it leaves out is not known any more. The first one completes the enrollment.
#[utoipa::path(post, path = "/android/v1/posture", tag = "android", request_body = PostureReport,
    security(("device_certificate" = [])), responses(
    (status = 204, description = "taken over"), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub async fn report_posture(request: HttpRequest, app: web::Data<App>, body: web::Json<PostureReport>) -> Result<HttpResponse, ApiError> {
    let holder = holder(&app, &request)?;
    app.into_inner().take_posture(holder, body.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How to ask for a command.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Seconds to wait for one where there is none, 0 to 60.
    #[serde(default)]
    #[param(maximum = 60)]
    wait: u32,
    /// Also what was put off with `not_now` less than a minute ago: the device can do it now.
    #[serde(default)]
    put_off: bool,
}

/// The next command
///
/// It is handed out again until it is answered. Of two that wait for one enrollment the earlier is answered with 204 at once.
#[utoipa::path(get, path = "/android/v1/commands", tag = "android", params(Wait), security(("device_certificate" = [])), responses(
    (status = 200, body = SignedCommand), (status = 204, description = "there is nothing to do"), (status = 400, body = Problem),
    (status = 403, body = Problem), (status = 409, body = Problem, description = "the posture was not reported yet")))]
pub async fn next_command(request: HttpRequest, app: web::Data<App>, query: web::Query<Wait>) -> Result<HttpResponse, ApiError> {
    let holder = holder(&app, &request)?;
    let Wait { wait, put_off } = query.into_inner();
    if wait > LONGEST_WAIT_SECONDS {
        return Err(ApiError::Unreadable(format!("the query: wait is at most {LONGEST_WAIT_SECONDS}")));
    }
    let ask = Ask { wait: Duration::from_secs(wait.into()), includes_put_off: put_off };
    Ok(match app.into_inner().next_agent_command(holder, ask).await? {
        Some(command) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(command),
        None => HttpResponse::NoContent().finish(),
    })
}

/// Say what became of a command
///
/// The same answer again changes nothing. Another one to a command that is finished is refused.
#[utoipa::path(post, path = "/android/v1/commands/{id}/answer", tag = "android",
    params(("id" = CommandId, Path, description = "the command's identifier")), request_body = CommandAnswer,
    security(("device_certificate" = [])), responses(
    (status = 204, description = "noted"), (status = 400, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem, description = "this enrollment has no such command"),
    (status = 409, body = Problem, description = "it was not handed out, or was answered otherwise")))]
pub async fn answer_command(
    request: HttpRequest,
    app: web::Data<App>,
    id: web::Path<CommandId>,
    body: web::Json<CommandAnswer>,
) -> Result<HttpResponse, ApiError> {
    let holder = holder(&app, &request)?;
    app.into_inner().answer_agent_command(holder, id.into_inner(), body.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give an agent another certificate
///
/// With the present one, also up to 30 days after its end. The present one stays good until the new one is used.
#[utoipa::path(post, path = "/android/v1/certificate/renew", tag = "android", request_body = Renewal,
    security(("device_certificate" = [])), responses(
    (status = 200, body = Renewed), (status = 400, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub async fn renew_certificate(request: HttpRequest, app: web::Data<App>, body: web::Json<Renewal>) -> Result<HttpResponse, ApiError> {
    let holder = holder(&app, &request)?;
    let renewed = app.into_inner().renew_agent(holder, body.into_inner().csr).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(renewed))
}

/// Leave: the agent is about to be removed
#[utoipa::path(post, path = "/android/v1/leave", tag = "android", security(("device_certificate" = [])), responses(
    (status = 204, description = "the enrollment has ended"), (status = 403, body = Problem)))]
pub async fn leave(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    let holder = holder(&app, &request)?;
    app.into_inner().leave(holder).await?;
    Ok(HttpResponse::NoContent().finish())
}
