//! The outbox: mails with what became of them, and the server's other work that waits, fails or was given up; each can be tried
//! again at once.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    see,
    show::{self, Badge, When},
};
use crate::{
    domain::{
        id::{JobId, MailId, UserId},
        time::Timestamp,
        user::Permission,
    },
    http::{
        api::paging,
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::{Error, outbox::job_key},
    store::{
        backlog::{self, JobState},
        jobs::Job,
        mails::{self, Mail, MailState},
    },
};

/// Rows on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct OutboxQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: String,
}

impl OutboxQuery {
    fn address(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).append_pair("state", &self.state).append_pair("q", &self.q).finish()
    }

    fn done(&self) -> Option<&'static str> {
        Some(match self.done.as_str() {
            "mail" => "The mail is tried again now.",
            "mails" => "All mails that were given up and still have their text are tried again now.",
            "job" => "The work is tried again now.",
            "test" => "A test mail was written. Its line here says what became of it; load the page again in a moment.",
            _ => return None,
        })
    }
}

#[derive(Debug, Serialize)]
struct Tab {
    word: &'static str,
    text: &'static str,
    is_current: bool,
}

#[derive(Debug, Serialize)]
struct MailRow {
    id: MailId,
    recipient: String,
    user: Option<UserId>,
    what: String,
    subject: String,
    state: Badge,
    attempts: i32,
    created: When,
    sent: Option<When>,
    next: Option<When>,
    error: Option<String>,
    /// It can be tried again at once.
    may_retry: bool,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that is shown or not")]
struct OutboxView {
    tabs: Vec<Tab>,
    state: String,
    q: String,
    rows: Vec<MailRow>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
    is_filtered: bool,
    may_retry_all: bool,
    is_mail_kept_as_files: bool,
    test_address: Option<String>,
}

/// `GET /console/outbox`
pub async fn get_outbox(admin: Admin, query: web::Query<OutboxQuery>) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "/console/outbox", "Outbox").wide().done(query.done());
    show_outbox(&admin, frame, StatusCode::OK, &query).await
}

async fn show_outbox(admin: &Admin, frame: Frame, status: StatusCode, query: &OutboxQuery) -> Result<HttpResponse, Problem> {
    let filter = mails::Filter {
        state: paging::optional("state", Some(&query.state))?,
        recipient: paging::text("q", Some(query.q.trim().to_owned()))?,
    };
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let (page, jobs) = admin
        .app
        .read(move |conn| {
            let page = mails::list(conn, &filter, page)?;
            let waiting: Vec<String> =
                page.items.iter().filter(|mail| mail.state == MailState::Queued).map(|mail| job_key(mail.id)).collect();
            let jobs = backlog::find_by_keys(conn, &waiting)?;
            Ok::<_, Error>((page, jobs))
        })
        .await?;
    let (now, may_retry) = (admin.app.now(), admin.may(Permission::ManageUsers));
    let address = query.address();
    let rows: Vec<MailRow> = page.items.into_iter().map(|mail| mail_row(mail, &jobs, may_retry, now)).collect();
    let tab = |word, text| Tab { word, text, is_current: query.state == word };
    let view = OutboxView {
        tabs: [tab("", "All"), tab("queued", "Waiting"), tab("failed", "Given up"), tab("sent", "Sent"), tab("expired", "Too late")].into(),
        state: query.state.clone(),
        q: query.q.clone(),
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?{address}&cursor={cursor}")),
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        is_filtered: !query.state.is_empty() || !query.q.is_empty(),
        may_retry_all: may_retry && rows.iter().any(|row| row.state.word == "failed" && row.may_retry),
        is_mail_kept_as_files: admin.app.is_mail_kept_as_files(),
        test_address: admin.may(Permission::ManageSettings).then(|| admin.user.email.clone()),
        rows,
    };
    Ok(frame.show_as(admin, status, "console/outbox", &view))
}

fn mail_row(mail: Mail, jobs: &[Job], may_retry: bool, now: Timestamp) -> MailRow {
    let key = job_key(mail.id);
    let job = jobs.iter().find(|job| job.key == key);
    let is_open = match mail.state {
        MailState::Failed => mail.sealed_message.is_some(),
        MailState::Queued => mail.last_error.is_some(),
        MailState::Sent | MailState::Expired => false,
    };
    MailRow {
        id: mail.id,
        recipient: mail.recipient,
        user: mail.user_id,
        what: mail.template.parse().map_or_else(|_| show::words(&mail.template), |kind| show::mail_name(kind).to_owned()),
        subject: mail.subject,
        state: show::mail(mail.state),
        attempts: mail.attempts,
        created: When::new(mail.created_at, now),
        sent: When::some(mail.sent_at, now),
        next: job.filter(|_| mail.last_error.is_some()).map(|job| When::new(job.run_at, now)),
        error: mail.last_error.filter(|_| mail.state != MailState::Sent),
        may_retry: may_retry && is_open,
    }
}

/// `POST /console/outbox/{id}/retry`
pub async fn post_retry(form: Form<NoFields>, id: web::Path<MailId>) -> Result<HttpResponse, Problem> {
    form.admin.app.retry_mail(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/outbox?done=mail"))
}

/// `POST /console/outbox/retry`: all that were given up.
pub async fn post_retry_all(form: Form<NoFields>) -> Result<HttpResponse, Problem> {
    form.admin.app.retry_failed_mails(form.admin.actor.clone()).await?;
    Ok(see("/console/outbox?done=mails"))
}

/// To whom a test mail goes.
#[derive(Debug, Deserialize)]
pub struct TestForm {
    recipient: String,
}

/// `POST /console/outbox/test`
pub async fn post_test(form: Form<TestForm>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    match admin.app.send_test_mail(admin.actor.clone(), &form.fields.recipient).await {
        Ok(_) => Ok(see("/console/outbox?done=test")),
        Err(Error::Invalid { why, .. }) => {
            let why = sentence(&format!("The address {why}"));
            let frame = Frame::new(&admin, "/console/outbox", "Outbox").wide().refused(Some(why));
            show_outbox(&admin, frame, StatusCode::BAD_REQUEST, &OutboxQuery::default()).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Serialize)]
struct JobRow {
    id: JobId,
    kind: String,
    key: String,
    state: Badge,
    attempts: i32,
    created: When,
    runs: When,
    error: Option<String>,
    may_retry: bool,
}

#[derive(Debug, Serialize)]
struct JobsView {
    tabs: Vec<Tab>,
    rows: Vec<JobRow>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
}

const fn job_state(state: JobState) -> Badge {
    let (text, class) = match state {
        JobState::Waiting => ("Waiting", "plain"),
        JobState::Running => ("At work", "good"),
        JobState::Failing => ("Being tried again", "care"),
        JobState::Dead => ("Given up", "bad"),
    };
    Badge { text, class, word: state.as_str() }
}

/// `GET /console/jobs`
pub async fn get_jobs(admin: Admin, query: web::Query<OutboxQuery>) -> Result<HttpResponse, Problem> {
    let filter = backlog::Filter { state: paging::optional("state", Some(&query.state))?, kind: None };
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let (page, database_now) = admin.app.read(move |conn| Ok::<_, Error>(backlog::list(conn, &filter, page)?)).await?;
    let may_retry = admin.may(Permission::ManageSettings);
    let address = query.address();
    let row = |job: Job| {
        let state = job.state(database_now);
        JobRow {
            state: job_state(state),
            id: job.id,
            kind: show::words(&job.kind),
            key: job.key,
            attempts: job.attempts,
            created: When::new(job.created_at, database_now),
            runs: When::new(job.run_at, database_now),
            error: job.last_error,
            may_retry: may_retry && matches!(state, JobState::Failing | JobState::Dead),
        }
    };
    let tab = |word, text| Tab { word, text, is_current: query.state == word };
    let view = JobsView {
        tabs: [
            tab("", "All"),
            tab("failing", "Being tried again"),
            tab("dead", "Given up"),
            tab("waiting", "Waiting"),
            tab("running", "At work"),
        ]
        .into(),
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?{address}&cursor={cursor}")),
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        rows: page.items.into_iter().map(row).collect(),
    };
    let frame = Frame::new(&admin, "/console/outbox", "Jobs").below("/console/outbox", "Outbox").wide().done(query.done());
    Ok(frame.show(&admin, "console/jobs", &view))
}

/// `POST /console/jobs/{id}/retry`
pub async fn post_retry_job(form: Form<NoFields>, id: web::Path<JobId>) -> Result<HttpResponse, Problem> {
    form.admin.app.retry_job(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/jobs?done=job"))
}
