//! Changes on their way to the devices that they concern.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::{
    domain::{id::RolloutId, time::Timestamp, user::Permission},
    http::extract::caller::Caller,
    service::{App, Error},
    store::rollouts::{self, Rollout},
};

/// Rollouts that are shown.
const SHOWN: i64 = 50;

/// A change on its way to the devices that it concerns.
#[derive(Debug, Serialize, ToSchema)]
pub struct RolloutView {
    /// Identifier.
    pub id: RolloutId,
    /// What has changed.
    pub cause: String,
    /// Devices that it concerns; counted when it begins.
    pub devices: i64,
    /// Devices that were judged anew.
    pub done: i64,
    /// Those whose verdict or access changed.
    pub changed: i64,
    /// When the change was made.
    pub created_at: Timestamp,
    /// When the first devices were judged.
    pub started_at: Option<Timestamp>,
    /// When all were.
    pub finished_at: Option<Timestamp>,
}

impl From<Rollout> for RolloutView {
    fn from(rollout: Rollout) -> Self {
        Self {
            id: rollout.id,
            cause: rollout.cause,
            devices: rollout.total,
            done: rollout.done,
            changed: rollout.changed,
            created_at: rollout.created_at,
            started_at: rollout.started_at,
            finished_at: rollout.finished_at,
        }
    }
}

/// Lists the last fifty rollouts, newest first.
#[utoipa::path(get, path = "/api/v1/rollouts", responses((status = 200, body = Vec<RolloutView>)), tag = "policies", security(("token" = [])))]
pub async fn list_rollouts(caller: Caller, app: web::Data<App>) -> Result<web::Json<Vec<RolloutView>>, ApiError> {
    caller.must(Permission::Read)?;
    let found = app.read(|conn| rollouts::recent(conn, SHOWN).map_err(Error::from)).await?;
    Ok(web::Json(found.into_iter().map(RolloutView::from).collect()))
}
