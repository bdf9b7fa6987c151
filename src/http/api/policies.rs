//! Policies.

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, Problem},
    paging,
};
use crate::{
    domain::{
        id::{GroupId, PolicyId},
        ladder::Ladder,
        passcode::PasscodePolicy,
        policy::{Enforcement, MinOs, Rules},
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error, policy::WantedPolicy},
    store::{page::Page, policies as rows},
};

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyView {
    /// Identifier.
    pub id: PolicyId,
    /// Name.
    pub name: String,
    /// It reaches every user.
    pub everyone: bool,
    /// Identifiers of the groups whose members it reaches.
    pub groups: Vec<GroupId>,
    /// What it asks for.
    #[serde(flatten)]
    pub rules: Rules,
}

impl From<rows::Policy> for PolicyView {
    fn from(policy: rows::Policy) -> Self {
        Self { id: policy.id, name: policy.name, everyone: policy.is_for_everyone, groups: policy.groups, rules: policy.rules }
    }
}

/// A policy as it should be. What is left out has its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyBody {
    /// Ignored in a new policy; must be that of the address in a changed one, if it is there.
    pub(super) id: Option<PolicyId>,
    /// Name.
    name: String,
    /// It reaches every user. Left out: a new policy without groups does; a changed one stays as it is.
    everyone: Option<bool>,
    /// Identifiers of groups.
    #[serde(default)]
    groups: Vec<GroupId>,
    /// What the passcode must be like.
    passcode: Option<PasscodePolicy>,
    /// The device must be encrypted.
    require_encryption: Option<bool>,
    /// A jailbroken or rooted device breaks the policy.
    block_compromised: Option<bool>,
    /// Lowest accepted system versions.
    min_os: Option<MinOs>,
    /// Mail must come through an account that the organization installed.
    require_managed_mail: Option<bool>,
    /// Days without contact after which a device breaks the policy, 1 to 120.
    max_silence_days: Option<u16>,
    /// Days between a violation and the loss of access, 0 to 365.
    grace_days: Option<u16>,
    /// What happens then.
    enforcement: Option<Enforcement>,
    /// Who is told meanwhile, and what comes in the end.
    ladder: Option<Ladder>,
}

impl PolicyBody {
    pub(super) fn wanted(self) -> WantedPolicy {
        let usual = Rules::default();
        WantedPolicy {
            name: self.name,
            groups: self.groups,
            is_for_everyone: self.everyone,
            rules: Rules {
                passcode: self.passcode.unwrap_or(usual.passcode),
                require_encryption: self.require_encryption.unwrap_or(usual.require_encryption),
                block_compromised: self.block_compromised.unwrap_or(usual.block_compromised),
                min_os: self.min_os.unwrap_or(usual.min_os),
                require_managed_mail: self.require_managed_mail.unwrap_or(usual.require_managed_mail),
                max_silence_days: self.max_silence_days.unwrap_or(usual.max_silence_days),
                grace_days: self.grace_days.unwrap_or(usual.grace_days),
                enforcement: self.enforcement.unwrap_or(usual.enforcement),
                ladder: self.ladder.unwrap_or(usual.ladder),
            },
        }
    }
}

/// Which page of policies.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists policies.
#[utoipa::path(get, path = "/api/v1/policies", params(PolicyQuery), responses((status = 200, body = Page<PolicyView>)), tag = "policies", security(("token" = [])))]
pub async fn list_policies(
    caller: Caller,
    app: web::Data<App>,
    query: Query<PolicyQuery>,
) -> Result<web::Json<Page<PolicyView>>, ApiError> {
    caller.must(Permission::Read)?;
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let page = app.read(move |conn| rows::list(conn, page)).await?;
    Ok(web::Json(page.map(PolicyView::from)))
}

/// Creates a policy; it reaches its devices at once.
#[utoipa::path(post, path = "/api/v1/policies", request_body = PolicyBody, responses((status = 201, body = PolicyView), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "policies", security(("token" = [])))]
pub async fn create_policy(caller: Caller, app: web::Data<App>, body: web::Json<PolicyBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let policy = app.into_inner().create_policy(caller.actor, body.into_inner().wanted()).await?;
    Ok(HttpResponse::Created().json(PolicyView::from(policy)))
}

/// Gives one policy.
#[utoipa::path(get, path = "/api/v1/policies/{id}", params(("id" = PolicyId, Path)), responses((status = 200, body = PolicyView), (status = 404, body = Problem)), tag = "policies", security(("token" = [])))]
pub async fn get_policy(caller: Caller, app: web::Data<App>, id: web::Path<PolicyId>) -> Result<web::Json<PolicyView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let found = app.read(move |conn| rows::find(conn, id)).await?;
    Ok(web::Json(found.ok_or(Error::NotFound("policy"))?.into()))
}

/// Replaces a policy; the change reaches its devices at once.
#[utoipa::path(put, path = "/api/v1/policies/{id}", params(("id" = PolicyId, Path)), request_body = PolicyBody, responses((status = 200, body = PolicyView), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "policies", security(("token" = [])))]
pub async fn replace_policy(
    caller: Caller,
    app: web::Data<App>,
    id: web::Path<PolicyId>,
    body: web::Json<PolicyBody>,
) -> Result<web::Json<PolicyView>, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let (id, body) = (id.into_inner(), body.into_inner());
    if body.id.is_some_and(|given| given != id) {
        return Err(Error::invalid("id", "must be the identifier of the address, or be left out").into());
    }
    let policy = app.into_inner().change_policy(caller.actor, id, body.wanted()).await?;
    Ok(web::Json(policy.into()))
}

/// Removes a policy; devices are no longer held to it.
#[utoipa::path(delete, path = "/api/v1/policies/{id}", params(("id" = PolicyId, Path)), responses((status = 204), (status = 404, body = Problem)), tag = "policies", security(("token" = [])))]
pub async fn delete_policy(caller: Caller, app: web::Data<App>, id: web::Path<PolicyId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    app.into_inner().delete_policy(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
