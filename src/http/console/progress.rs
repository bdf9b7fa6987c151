//! Inviting everybody who has no device yet, and how far this and every import has come: users first, then their mails.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    see,
    show::{When, count},
    user::ownership_field,
};
use crate::{
    domain::{
        device::Ownership,
        id::{GroupId, ImportId},
    },
    http::{
        api::paging,
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{Error, import::job_key},
    store::{
        groups,
        imports::{self, Counts, ImportKind, ImportState, Outcome},
        jobs, users,
    },
};

/// Lines that failed which are shown; the others are counted.
const SHOWN: i64 = 50;
/// Seconds after which the page looks again while something is going on.
const LOOK_AGAIN_SECONDS: u32 = 3;

/// Of which group.
#[derive(Debug, Default, Deserialize)]
pub struct InviteQuery {
    #[serde(default)]
    group: String,
}

#[derive(Debug, Serialize)]
struct InviteView {
    group_field: Option<Field>,
    group: String,
    number: i64,
    users: String,
    ownership: Field,
}

/// `GET /console/users/invite`
pub async fn get_invite(admin: Admin, query: web::Query<InviteQuery>) -> Result<HttpResponse, Problem> {
    let group: Option<GroupId> = paging::optional("group", Some(query.group.as_str()))?;
    let (number, all) = admin.app.read(move |conn| Ok::<_, Error>((users::count_without_device(conn, group)?, groups::all(conn)?))).await?;
    let everybody = [(String::new(), "Everybody".to_owned())].into_iter();
    let choices = everybody.chain(all.iter().map(|(id, name)| (id.to_string(), name.clone())));
    let view = InviteView {
        group_field: (!all.is_empty()).then(|| Field::choice("group", "Only members of", &query.group, choices)),
        group: query.group.clone(),
        number,
        users: count(number, "user"),
        ownership: ownership_field("personal"),
    };
    let title = format!("Invite {}?", view.users);
    Ok(Frame::new(&admin, "/console/users", title).below("/console/users", "Users").show(&admin, "console/invite", &view))
}

/// Who is invited to enroll what.
#[derive(Debug, Deserialize)]
pub struct InviteForm {
    ownership: Ownership,
    #[serde(default)]
    group: String,
}

/// `POST /console/users/invite`
pub async fn post_invite(form: Form<InviteForm>) -> Result<HttpResponse, Problem> {
    let group = paging::optional("group", Some(form.fields.group.as_str()))?;
    let id = form.admin.app.invite_without_device(form.admin.actor.clone(), form.fields.ownership, group).await?;
    Ok(see(&format!("/console/users/import/{id}")))
}

#[derive(Debug, Serialize)]
struct FailedRow {
    line: i64,
    email: String,
    why: String,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that is shown or not")]
struct ProgressView {
    is_running: bool,
    /// People who are there are written to, and nobody is created.
    is_writing: bool,
    is_announcement: bool,
    counts: Counts,
    done: i64,
    by: String,
    began: When,
    finished: Option<When>,
    /// Why it did not go on at the last try.
    trouble: Option<String>,
    failed: Vec<FailedRow>,
    more_failed: i64,
    is_mailing: bool,
    mails_done: i64,
    /// The page looks again by itself.
    is_followed: bool,
}

/// Whether the page looks again by itself. Only where the reader asks for it: a page that changes under one's hands is hard to use
/// with a screen reader (WCAG 2.2, success criterion 2.2.4).
#[derive(Debug, Default, Deserialize)]
pub struct ProgressQuery {
    #[serde(default)]
    follow: String,
}

/// `GET /console/users/import/{id}`
pub async fn get_progress(admin: Admin, id: web::Path<ImportId>, query: web::Query<ProgressQuery>) -> Result<HttpResponse, Problem> {
    let id = *id;
    let (import, counts, failed, job) = admin
        .app
        .read(move |conn| {
            let import = imports::find(conn, id)?.ok_or(Error::NotFound("import"))?;
            let failed = imports::with_outcome(conn, id, Outcome::Failed, SHOWN)?;
            Ok::<_, Error>((import, imports::count(conn, id)?, failed, jobs::find_by_key(conn, &job_key(id))?))
        })
        .await?;
    let now = admin.app.now();
    let is_running = import.state == ImportState::Running;
    let view = ProgressView {
        is_running,
        is_writing: import.kind != ImportKind::Users,
        is_announcement: import.kind == ImportKind::Announcements,
        done: counts.total.saturating_sub(counts.waiting),
        by: import.actor_name,
        began: When::new(import.created_at, now),
        finished: When::some(import.finished_at, now),
        trouble: job.filter(|_| is_running).and_then(|job| job.last_error).map(|why| sentence(&why)),
        more_failed: counts.failed.saturating_sub(SHOWN).max(0),
        failed: failed
            .into_iter()
            .map(|line| FailedRow { line: line.number, email: line.email, why: sentence(&line.why.unwrap_or_default()) })
            .collect(),
        is_mailing: counts.mails_waiting > 0,
        is_followed: !query.follow.is_empty(),
        mails_done: counts.invited.saturating_sub(counts.mails_waiting),
        counts,
    };
    let title = match (import.kind, is_running) {
        (ImportKind::Users, true) => "Users are being created",
        (ImportKind::Users, false) => "The list was imported",
        (ImportKind::Invitations, true) => "Invitations are being written",
        (ImportKind::Invitations, false) => "The invitations were written",
        (ImportKind::Announcements, true) => "The announcement is being written",
        (ImportKind::Announcements, false) => "The announcement was written",
    };
    let mut frame = Frame::new(&admin, "/console/users", title).below("/console/users", "Users");
    if is_running || view.is_mailing {
        frame.refresh_seconds = view.is_followed.then_some(LOOK_AGAIN_SECONDS);
    }
    Ok(frame.show(&admin, "console/import_progress", &view))
}
