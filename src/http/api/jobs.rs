//! Jobs: what happens after a commit, and what of it waits, fails, or was given up.

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
    domain::{id::JobId, time::Timestamp, user::Permission},
    http::extract::caller::Caller,
    service::App,
    store::{
        self,
        backlog::{self as rows, JobState},
        jobs::{self, Job},
        page::Page,
    },
};

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Identifier.
    pub id: JobId,
    /// What is done, such as `push`, `mail` or `webhook`.
    pub kind: String,
    /// What it is done to. There is one job for each key.
    pub key: String,
    /// Where it stands.
    pub state: JobState,
    /// How often it was tried.
    pub attempts: i32,
    /// Not before then.
    pub run_at: Timestamp,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When it was given up.
    pub dead_at: Option<Timestamp>,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

impl JobView {
    /// The view of a job at this time of the database's clock.
    #[must_use]
    pub fn of(job: Job, now: Timestamp) -> Self {
        Self {
            state: job.state(now),
            id: job.id,
            kind: job.kind,
            key: job.key,
            attempts: job.attempts,
            run_at: job.run_at,
            last_error: job.last_error,
            dead_at: job.dead_at,
            created_at: job.created_at,
        }
    }
}

/// Which jobs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct JobQuery {
    /// `waiting`, `running`, `failing` or `dead`.
    state: Option<String>,
    /// A kind.
    kind: Option<String>,
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", params(JobQuery), responses((status = 200, body = Page<JobView>), (status = 400, body = Problem)), tag = "jobs", security(("token" = [])))]
pub async fn list_jobs(caller: Caller, app: web::Data<App>, query: Query<JobQuery>) -> Result<web::Json<Page<JobView>>, ApiError> {
    caller.must(Permission::Read)?;
    let query = query.into_inner();
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let filter = rows::Filter { state: paging::optional("state", query.state.as_deref())?, kind: paging::text("kind", query.kind)? };
    let (page, now) = app.read(move |conn| rows::list(conn, &filter, page)).await?;
    Ok(web::Json(page.map(|job| JobView::of(job, now))))
}

/// Has a job done at once, with all its tries before it.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/retry", params(("id" = JobId, Path)), responses((status = 202, body = JobView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "jobs", security(("token" = [])))]
pub async fn retry_job(caller: Caller, app: web::Data<App>, id: web::Path<JobId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let app = app.into_inner();
    let job = app.retry_job(caller.actor, id.into_inner()).await?;
    let view = app.read(move |conn| Ok::<_, store::Error>(JobView::of(job, jobs::database_now(conn)?))).await?;
    Ok(HttpResponse::Accepted().json(view))
}
