//! Protected links: made, listed, withdrawn. Those that stand for files are made in [`super::files`].

use std::collections::HashMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    files::FileForm,
    frame::Frame,
    see,
    show::{Badge, When},
};
use crate::{
    domain::{
        file::MOST_KEPT,
        id::LinkId,
        link::{MOST_DAYS, USUAL_DAYS},
        user::Permission,
    },
    http::{
        api::paging,
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::{sentence, size},
    },
    service::{Error, links::NewLink},
    store::links::{self as rows, Link},
};

/// Rows on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct LinksQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: String,
}

/// The form: everything as it was typed.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct LinkForm {
    target: String,
    note: String,
    recipient: String,
    days: String,
}

impl LinkForm {
    fn fields(&self) -> Vec<Field> {
        vec![
            Field::text("target", "Where it leads", self.target.clone()).longest(2000).required().hint("A whole address with https://."),
            Field::text("note", "What it is about", self.note.clone()).hint("For this list and the report; people do not see it."),
            Field::email("recipient", "To whom the mail is sent", self.recipient.clone())
                .hint("May stay empty. Clicks are recorded for whoever follows the link, also where the mail was forwarded."),
            Field::number("days", "Days for which it is good", self.days.clone(), (1, MOST_DAYS)).required(),
        ]
    }
}

impl Default for LinkForm {
    fn default() -> Self {
        Self { target: String::new(), note: String::new(), recipient: String::new(), days: USUAL_DAYS.to_string() }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    id: LinkId,
    note: String,
    subject: String,
    /// Of the file, where it stands for one.
    size: Option<String>,
    /// Whoever has that of a file can have it sent to themselves: only those who may make links see it.
    address: Option<String>,
    recipient: Option<String>,
    state: Badge,
    expires: When,
    uses: i64,
    is_good: bool,
}

#[derive(Debug, Serialize)]
struct LinksView {
    fields: Vec<Field>,
    file_fields: Vec<Field>,
    rows: Vec<Row>,
    /// How many bytes of files are kept, of how many.
    kept: String,
    most_kept: String,
    total: i64,
    next: Option<String>,
    is_first: bool,
    may_make: bool,
    may_report: bool,
}

/// `GET /console/links`
pub async fn get_links(admin: Admin, query: web::Query<LinksQuery>) -> Result<HttpResponse, Problem> {
    let done = match query.done.as_str() {
        "made" => Some("The link was made. Copy its address from the list into the mail."),
        "protected" => Some("The file was protected. Copy the address from the list into the mail, in place of the file."),
        "withdrawn" => Some("The link was withdrawn. It leads nowhere from now on."),
        _ => None,
    };
    show(&admin, frame(&admin).done(done), StatusCode::OK, &Typed::default(), &query.cursor).await
}

/// `POST /console/links`
pub async fn post_links(form: Form<LinkForm>) -> Result<HttpResponse, Problem> {
    let (admin, typed) = (form.admin, form.fields);
    let wanted = NewLink {
        target: typed.target.clone(),
        note: typed.note.clone(),
        recipient: Some(typed.recipient.clone()),
        // What is no number is none of those that are allowed.
        days: Some(typed.days.trim().parse().unwrap_or(0)),
    };
    match admin.app.make_links(admin.actor.clone(), vec![wanted]).await {
        Ok(_) => Ok(see("/console/links?done=made")),
        Err(Error::Invalid { field, why }) => refuse(&admin, &field, &why, &Typed { link: typed, ..Typed::default() }).await,
        Err(error) => Err(error.into()),
    }
}

/// What was typed into the two forms.
#[derive(Debug, Default)]
pub(super) struct Typed {
    pub link: LinkForm,
    pub file: FileForm,
}

/// Shows the page again with what is wrong.
pub(super) async fn refuse(admin: &Admin, field: &str, why: &str, typed: &Typed) -> Result<HttpResponse, Problem> {
    let name = match field {
        "target" => "The target",
        "file" => "The file",
        "name" => "The name of the file",
        "note" => "The note",
        "recipient" => "The recipient",
        _ => "The number of days",
    };
    let frame = frame(admin).refused(Some(sentence(&format!("{name} {why}"))));
    show(admin, frame, StatusCode::BAD_REQUEST, typed, "").await
}

/// Shows the page again where it cannot be done at the moment, with the reason.
pub(super) async fn refuse_for_now(admin: &Admin, why: &str, typed: &Typed) -> Result<HttpResponse, Problem> {
    show(admin, frame(admin).refused(Some(sentence(why))), StatusCode::CONFLICT, typed, "").await
}

fn frame(admin: &Admin) -> Frame {
    Frame::new(admin, "/console/links", "Protected links").wide()
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, typed: &Typed, cursor: &str) -> Result<HttpResponse, Problem> {
    let page = paging::page(Some(ROWS), Some(cursor))?;
    let (page, uses) = admin
        .app
        .read(move |conn| {
            let page = rows::list(conn, page)?;
            let ids: Vec<LinkId> = page.items.iter().map(|link| link.id).collect();
            Ok::<_, Error>((page, rows::count_uses(conn, &ids)?))
        })
        .await?;
    let kept = admin.app.kept_bytes().await?;
    let uses: HashMap<LinkId, i64> = uses.into_iter().collect();
    let row = |link: Link| row_of(admin, link, &uses);
    let view = LinksView {
        fields: typed.link.fields(),
        file_fields: typed.file.fields(),
        kept: size(kept),
        most_kept: size(MOST_KEPT),
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        rows: page.items.into_iter().map(row).collect::<Result<_, _>>()?,
        is_first: cursor.is_empty(),
        may_make: admin.may(Permission::ManageUsers),
        may_report: admin.may(Permission::ReadAudit),
    };
    Ok(frame.show_as(admin, status, "console/links", &view))
}

fn row_of(admin: &Admin, link: Link, uses: &HashMap<LinkId, i64>) -> Result<Row, Error> {
    let now = admin.app.now();
    let state = match (link.withdrawn_at, now >= link.expires_at) {
        (Some(_), _) => Badge { text: "Withdrawn", class: "bad", word: "withdrawn" },
        (None, true) => Badge { text: "Ended", class: "plain", word: "ended" },
        (None, false) => Badge { text: "Good", class: "good", word: "good" },
    };
    let shows_address = link.file_name.is_none() || admin.may(Permission::ManageUsers);
    Ok(Row {
        address: shows_address.then(|| admin.app.link_address(link.id)).transpose()?,
        is_good: link.is_good(now),
        state,
        expires: When::new(link.expires_at, now),
        uses: uses.get(&link.id).copied().unwrap_or_default(),
        id: link.id,
        subject: link.subject().to_owned(),
        size: link.file_length.map(size),
        note: link.note,
        recipient: link.recipient,
    })
}

#[derive(Debug, Serialize)]
struct WithdrawView {
    id: LinkId,
    subject: String,
    is_file: bool,
}

/// `GET /console/links/{id}/withdraw`: says what will happen.
pub async fn get_withdraw(admin: Admin, id: web::Path<LinkId>) -> Result<HttpResponse, Problem> {
    let id = *id;
    let link = admin.app.read(move |conn| rows::find(conn, id).map_err(Error::from)).await?.ok_or(Error::NotFound("link"))?;
    let frame = Frame::new(&admin, "/console/links", "Withdraw this link?").below("/console/links", "Protected links");
    let view = WithdrawView { id, subject: link.subject().to_owned(), is_file: link.file_name.is_some() };
    Ok(frame.show(&admin, "console/link_withdraw", &view))
}

/// `POST /console/links/{id}/withdraw`
pub async fn post_withdraw(form: Form<NoFields>, id: web::Path<LinkId>) -> Result<HttpResponse, Problem> {
    form.admin.app.withdraw_link(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/links?done=withdrawn"))
}
