//! The outbox: what became of each mail. Texts, codes and links are never shown.

use std::collections::HashMap;

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
        id::{MailId, UserId},
        time::Timestamp,
        user::Permission,
    },
    http::extract::caller::Caller,
    service::{App, Error, outbox},
    store::{
        self, Conn, backlog,
        mails::{self as rows, Mail, MailState},
        page::Page,
    },
};

/// A mail, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailView {
    /// Identifier.
    pub id: MailId,
    /// For which user.
    pub user: Option<UserId>,
    /// To which address.
    pub recipient: String,
    /// Which mail it is, such as `invitation` or `code`.
    pub template: String,
    /// Subject.
    pub subject: String,
    /// `Message-ID`, the same at every try; the mail server's log has it.
    pub message_id: String,
    /// Where it stands.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: i32,
    /// Why it was last not taken, in the mail server's words.
    pub last_error: Option<String>,
    /// When it is tried again; null where it is not.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it loses its point, and is no longer sent.
    pub expires_at: Option<Timestamp>,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
}

impl MailView {
    fn of(mail: Mail, next_attempt_at: Option<Timestamp>) -> Self {
        Self {
            id: mail.id,
            user: mail.user_id,
            recipient: mail.recipient,
            template: mail.template,
            subject: mail.subject,
            message_id: mail.message_id,
            state: mail.state,
            attempts: mail.attempts,
            last_error: mail.last_error,
            next_attempt_at,
            created_at: mail.created_at,
            expires_at: mail.expires_at,
            sent_at: mail.sent_at,
        }
    }

    /// Mails with the times of their next tries, which their jobs know.
    ///
    /// # Errors
    /// Those of the database.
    pub fn of_all(conn: &mut Conn, mails: Vec<Mail>) -> Result<Vec<Self>, store::Error> {
        let waiting: Vec<String> =
            mails.iter().filter(|mail| mail.state == MailState::Queued).map(|mail| outbox::job_key(mail.id)).collect();
        let jobs = backlog::find_by_keys(conn, &waiting)?;
        let times: HashMap<String, Timestamp> = jobs.into_iter().map(|job| (job.key, job.run_at)).collect();
        Ok(mails
            .into_iter()
            .map(|mail| {
                let next = times.get(&outbox::job_key(mail.id)).copied();
                Self::of(mail, next)
            })
            .collect())
    }
}

async fn show(app: &App, id: MailId) -> Result<MailView, ApiError> {
    let found = app
        .read(move |conn| {
            let mail = rows::find(conn, id)?.into_iter().collect();
            MailView::of_all(conn, mail)
        })
        .await?;
    Ok(found.into_iter().next().ok_or(Error::NotFound("mail"))?)
}

/// Which mails are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MailQuery {
    /// `queued`, `sent`, `expired` or `failed`.
    state: Option<String>,
    /// Part of the recipient's address.
    q: Option<String>,
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists mails, newest first.
#[utoipa::path(get, path = "/api/v1/mails", params(MailQuery), responses((status = 200, body = Page<MailView>), (status = 400, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn list_mails(caller: Caller, app: web::Data<App>, query: Query<MailQuery>) -> Result<web::Json<Page<MailView>>, ApiError> {
    caller.must(Permission::Read)?;
    let query = query.into_inner();
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let filter = rows::Filter { state: paging::optional("state", query.state.as_deref())?, recipient: paging::text("q", query.q)? };
    let page = app
        .read(move |conn| {
            let page = rows::list(conn, &filter, page)?;
            Ok::<_, store::Error>(Page { items: MailView::of_all(conn, page.items)?, next_cursor: page.next_cursor, total: page.total })
        })
        .await?;
    Ok(web::Json(page))
}

/// Gives one mail.
#[utoipa::path(get, path = "/api/v1/mails/{id}", params(("id" = MailId, Path)), responses((status = 200, body = MailView), (status = 404, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn get_mail(caller: Caller, app: web::Data<App>, id: web::Path<MailId>) -> Result<web::Json<MailView>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(show(&app, id.into_inner()).await?))
}

/// Sends a mail at once that waits or was given up.
#[utoipa::path(post, path = "/api/v1/mails/{id}/retry", params(("id" = MailId, Path)), responses((status = 202, body = MailView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn retry_mail(caller: Caller, app: web::Data<App>, id: web::Path<MailId>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let app = app.into_inner();
    let mail = app.retry_mail(caller.actor, id.into_inner()).await?;
    Ok(HttpResponse::Accepted().json(show(&app, mail.id).await?))
}

/// How many mails are tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetriedView {
    /// How many.
    pub retried: usize,
}

/// Sends every mail again that was given up and has not lost its point.
#[utoipa::path(post, path = "/api/v1/mails/retry", responses((status = 202, body = RetriedView)), tag = "mails", security(("token" = [])))]
pub async fn retry_failed_mails(caller: Caller, app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let retried = app.into_inner().retry_failed_mails(caller.actor).await?;
    Ok(HttpResponse::Accepted().json(RetriedView { retried }))
}

/// Where a test mail goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestMailBody {
    /// A mail address.
    recipient: String,
}

/// Sends a mail that shows whether mail arrives. What becomes of it is seen at `/mails/{id}`.
#[utoipa::path(post, path = "/api/v1/settings/test-mail", request_body = TestMailBody, responses((status = 202, body = MailView), (status = 400, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn send_test_mail(caller: Caller, app: web::Data<App>, body: web::Json<TestMailBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let app = app.into_inner();
    let mail = app.send_test_mail(caller.actor, &body.recipient).await?;
    Ok(HttpResponse::Accepted().json(show(&app, mail).await?))
}
