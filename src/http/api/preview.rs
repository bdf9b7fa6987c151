//! What a policy would change, before it is saved.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::{ApiError, Problem},
    policies::PolicyBody,
};
use crate::{
    domain::{
        access::Decision,
        compliance::{Reason, Status},
        id::DeviceId,
        time::Timestamp,
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{
        App,
        preview::{Change, Preview},
    },
};

/// Who would lose access at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewlyBlocked {
    /// People.
    pub users: i64,
    /// Devices.
    pub devices: i64,
}

/// What a policy would change. Nothing was saved.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// Enrolled devices that the policy reaches, or would no longer reach.
    pub devices_affected: i64,
    /// Devices that would get another verdict.
    pub verdicts_changed: i64,
    /// Devices that would begin to break their policy.
    pub newly_noncompliant: i64,
    /// Of those, the ones that would have time to mend it.
    pub newly_in_grace: i64,
    /// Devices that would become compliant.
    pub newly_compliant: i64,
    /// Who would lose access at once.
    pub newly_blocked: NewlyBlocked,
    /// Devices that would get access.
    pub newly_allowed_devices: i64,
    /// The devices that something would change for, a hundred at most.
    pub changes: Vec<ChangeView>,
    /// There are more changes than those.
    pub has_more_changes: bool,
}

/// What would change for one device.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// The device.
    pub device: DeviceId,
    /// Its name or model.
    pub name: String,
    /// Its owner's address.
    pub email: String,
    /// The verdict now.
    pub compliance_before: Status,
    /// The verdict then.
    pub compliance_after: Status,
    /// The access now.
    pub access_before: Decision,
    /// The access then.
    pub access_after: Decision,
    /// When it would lose access, where it has time until then.
    pub grace_until: Option<Timestamp>,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self {
            device: change.device,
            name: change.name,
            email: change.email,
            compliance_before: change.before,
            compliance_after: change.after,
            access_before: change.access_before,
            access_after: change.access_after,
            grace_until: change.deadline,
            reasons: change.reasons,
        }
    }
}

impl From<Preview> for PreviewView {
    fn from(found: Preview) -> Self {
        Self {
            devices_affected: found.devices_affected,
            verdicts_changed: found.verdicts_changed,
            newly_noncompliant: found.newly_noncompliant,
            newly_in_grace: found.newly_in_grace,
            newly_compliant: found.newly_compliant,
            newly_blocked: NewlyBlocked { users: found.newly_blocked_users, devices: found.newly_blocked_devices },
            newly_allowed_devices: found.newly_allowed_devices,
            changes: found.changes.into_iter().map(Into::into).collect(),
            has_more_changes: found.is_cut,
        }
    }
}

/// Finds out what a policy would change; `id` names the one that it would replace. Nothing is saved.
#[utoipa::path(post, path = "/api/v1/policies/preview", request_body = PolicyBody, responses((status = 200, body = PreviewView), (status = 400, body = Problem), (status = 404, body = Problem)), tag = "policies", security(("token" = [])))]
pub async fn preview_policy(caller: Caller, app: web::Data<App>, body: web::Json<PolicyBody>) -> Result<web::Json<PreviewView>, ApiError> {
    caller.must(Permission::ManagePolicies)?;
    let body = body.into_inner();
    let found = app.into_inner().preview_policy(body.id, body.wanted()).await?;
    Ok(web::Json(found.into()))
}
