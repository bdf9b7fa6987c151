//! Access rules, why they decide as they do, and what was decided about single devices.

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, Problem};
use crate::{
    domain::{
        access::{AccessRules, Decision, Question},
        id::DeviceId,
        time::Timestamp,
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{
        App, Error,
        access::WantedException,
        explain::{Because, ExplainOrder, Explanation},
    },
    store::access::{self as rows, ExceptionRow},
};

/// Gives the access rules.
#[utoipa::path(get, path = "/api/v1/access-rules", responses((status = 200, body = AccessRules)), tag = "access", security(("token" = [])))]
pub async fn get_access_rules(caller: Caller, app: web::Data<App>) -> Result<web::Json<AccessRules>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(app.access_rules().await?))
}

/// Replaces the access rules; what is left out has its default. They hold at the gate at once.
#[utoipa::path(put, path = "/api/v1/access-rules", request_body = AccessRules, responses((status = 200, body = AccessRules), (status = 400, body = Problem)), tag = "access", security(("token" = [])))]
pub async fn replace_access_rules(
    caller: Caller,
    app: web::Data<App>,
    body: web::Json<AccessRules>,
) -> Result<web::Json<AccessRules>, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    Ok(web::Json(app.into_inner().change_access_rules(caller.actor, body.into_inner()).await?))
}

/// Whom an explanation is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// Identifier of a user; without a device, one of theirs that is not enrolled.
    user: Option<String>,
    /// Identifier of a device.
    device: Option<String>,
    /// What the program that asks calls itself.
    user_agent: Option<String>,
}

impl ExplainQuery {
    fn order(self) -> Result<ExplainOrder, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(ExplainOrder {
            user: given(self.user).map(|text| text.parse()).transpose().map_err(|why| Error::invalid("user", why))?,
            device: given(self.device).map(|text| text.parse()).transpose().map_err(|why| Error::invalid("device", why))?,
            user_agent: given(self.user_agent),
        })
    }
}

/// What is decided, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationView {
    /// What is decided.
    decision: Decision,
    /// The rules in the order in which they were asked; the last one decided.
    because: Vec<BecauseView>,
}

/// One rule that was asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct BecauseView {
    /// Its word.
    rule: Question,
    /// What it asks.
    asked: &'static str,
    /// What was found.
    answer: String,
    /// It decided.
    decided: bool,
    /// What it decided.
    decision: Option<Decision>,
}

impl From<Because> for BecauseView {
    fn from(because: Because) -> Self {
        let Because { question, asked, answer, decision } = because;
        Self { rule: question, asked, answer, decided: decision.is_some(), decision }
    }
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        Self { decision: explanation.decision, because: explanation.because.into_iter().map(Into::into).collect() }
    }
}

/// Says what is decided about a device, by which rule, and which were asked before.
#[utoipa::path(get, path = "/api/v1/access-rules/explain", params(ExplainQuery), responses((status = 200, body = ExplanationView), (status = 400, body = Problem), (status = 404, body = Problem)), tag = "access", security(("token" = [])))]
pub async fn explain_access(
    caller: Caller,
    app: web::Data<App>,
    query: Query<ExplainQuery>,
) -> Result<web::Json<ExplanationView>, ApiError> {
    caller.must(Permission::Read)?;
    let order = query.into_inner().order()?;
    Ok(web::Json(app.into_inner().explain_access(order).await?.into()))
}

/// What an administrator decided about one device.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExceptionView {
    /// The decision.
    decision: Decision,
    /// When it ends.
    until: Timestamp,
    /// Why.
    note: String,
    /// Who decided.
    by: String,
    /// When.
    created_at: Timestamp,
}

impl From<ExceptionRow> for ExceptionView {
    fn from(row: ExceptionRow) -> Self {
        Self { decision: row.decision, until: row.until, note: row.note, by: row.created_by, created_at: row.created_at }
    }
}

/// A decision about one device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionBody {
    /// What holds, whatever the rules say.
    decision: Decision,
    /// When it ends.
    until: Timestamp,
    /// Why.
    #[serde(default)]
    note: String,
}

/// Gives what was decided about one device, also where it has ended.
#[utoipa::path(get, path = "/api/v1/devices/{id}/exception", params(("id" = DeviceId, Path)), responses((status = 200, body = ExceptionView), (status = 404, body = Problem)), tag = "access", security(("token" = [])))]
pub async fn get_exception(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<web::Json<ExceptionView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let found = app.read(move |conn| rows::exception(conn, id)).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("exception"))?.into()))
}

/// Decides about one device until a date, whatever the rules say. A device that was wiped or retired stays out.
#[utoipa::path(put, path = "/api/v1/devices/{id}/exception", params(("id" = DeviceId, Path)), request_body = ExceptionBody, responses((status = 200, body = ExceptionView), (status = 400, body = Problem), (status = 404, body = Problem)), tag = "access", security(("token" = [])))]
pub async fn set_exception(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<DeviceId>,
    body: web::Json<ExceptionBody>,
) -> Result<web::Json<ExceptionView>, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let ExceptionBody { decision, until, note } = body.into_inner();
    let wanted = WantedException { decision, until, note };
    Ok(web::Json(app.into_inner().set_exception(caller.actor, id.into_inner(), wanted).await?.into()))
}

/// Takes back what was decided about one device; the rules hold for it again.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/exception", params(("id" = DeviceId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "access", security(("token" = [])))]
pub async fn end_exception(caller: Caller, app: web::Data<App>, id: web::Path<DeviceId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    app.into_inner().end_exception(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
