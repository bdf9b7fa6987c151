//! Protected links: made, listed, withdrawn; and the report on who followed them.

use std::collections::HashMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    see,
    show::{Badge, When},
};
use crate::{
    domain::{
        id::LinkId,
        link::{LinkEventKind, MOST_DAYS, USUAL_DAYS},
        time::Timestamp,
        user::Permission,
    },
    http::{
        api::{
            links::{LinkReportQuery, csv_report},
            paging,
        },
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::{Error, links::NewLink},
    store::links::{self as rows, Link, ReportLine},
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
#[derive(Debug, Default, Deserialize)]
pub struct LinkForm {
    #[serde(default)]
    target: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    recipient: String,
    #[serde(default)]
    days: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: LinkId,
    note: String,
    target: String,
    address: String,
    recipient: Option<String>,
    state: Badge,
    expires: When,
    opened: i64,
    is_good: bool,
}

#[derive(Debug, Serialize)]
struct LinksView {
    fields: Vec<Field>,
    rows: Vec<Row>,
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
        "withdrawn" => Some("The link was withdrawn. It leads nowhere from now on."),
        _ => None,
    };
    let form = LinkForm { days: USUAL_DAYS.to_string(), ..LinkForm::default() };
    show(&admin, frame(&admin).done(done), StatusCode::OK, &form, &query.cursor).await
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
        Err(Error::Invalid { field, why }) => {
            let name = match field.as_str() {
                "target" => "The target",
                "note" => "The note",
                "recipient" => "The recipient",
                _ => "The number of days",
            };
            let frame = frame(&admin).refused(Some(sentence(&format!("{name} {why}"))));
            show(&admin, frame, StatusCode::BAD_REQUEST, &typed, "").await
        }
        Err(error) => Err(error.into()),
    }
}

fn frame(admin: &Admin) -> Frame {
    Frame::new(admin, "/console/links", "Protected links").wide()
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, typed: &LinkForm, cursor: &str) -> Result<HttpResponse, Problem> {
    let page = paging::page(Some(ROWS), Some(cursor))?;
    let (page, opened) = admin
        .app
        .read(move |conn| {
            let page = rows::list(conn, page)?;
            let ids: Vec<LinkId> = page.items.iter().map(|link| link.id).collect();
            Ok::<_, Error>((page, rows::count_opened(conn, &ids)?))
        })
        .await?;
    let opened: HashMap<LinkId, i64> = opened.into_iter().collect();
    let row = |link: Link| row_of(admin, link, &opened);
    let view = LinksView {
        fields: vec![
            Field::text("target", "Where it leads", typed.target.clone()).longest(2000).required().hint("A whole address with https://."),
            Field::text("note", "What it is about", typed.note.clone()).hint("For this list and the report; people do not see it."),
            Field::email("recipient", "To whom the mail is sent", typed.recipient.clone())
                .hint("May stay empty. Clicks are recorded for whoever follows the link, also where the mail was forwarded."),
            Field::number("days", "Days for which it is good", typed.days.clone(), (1, MOST_DAYS)).required(),
        ],
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        rows: page.items.into_iter().map(row).collect::<Result<_, _>>()?,
        is_first: cursor.is_empty(),
        may_make: admin.may(Permission::ManageUsers),
        may_report: admin.may(Permission::ReadAudit),
    };
    Ok(frame.show_as(admin, status, "console/links", &view))
}

fn row_of(admin: &Admin, link: Link, opened: &HashMap<LinkId, i64>) -> Result<Row, Error> {
    let now = admin.app.now();
    let state = match (link.withdrawn_at, now >= link.expires_at) {
        (Some(_), _) => Badge { text: "Withdrawn", class: "bad", word: "withdrawn" },
        (None, true) => Badge { text: "Ended", class: "plain", word: "ended" },
        (None, false) => Badge { text: "Good", class: "good", word: "good" },
    };
    Ok(Row {
        address: admin.app.link_address(link.id)?,
        is_good: link.withdrawn_at.is_none() && now < link.expires_at,
        state,
        expires: When::new(link.expires_at, now),
        opened: opened.get(&link.id).copied().unwrap_or_default(),
        id: link.id,
        note: link.note,
        target: link.target,
        recipient: link.recipient,
    })
}

#[derive(Debug, Serialize)]
struct WithdrawView {
    id: LinkId,
    target: String,
}

/// `GET /console/links/{id}/withdraw`: says what will happen.
pub async fn get_withdraw(admin: Admin, id: web::Path<LinkId>) -> Result<HttpResponse, Problem> {
    let id = *id;
    let link = admin.app.read(move |conn| rows::find(conn, id).map_err(Error::from)).await?.ok_or(Error::NotFound("link"))?;
    let frame = Frame::new(&admin, "/console/links", "Withdraw this link?").below("/console/links", "Protected links");
    Ok(frame.show(&admin, "console/link_withdraw", &WithdrawView { id, target: link.target }))
}

/// `POST /console/links/{id}/withdraw`
pub async fn post_withdraw(form: Form<NoFields>, id: web::Path<LinkId>) -> Result<HttpResponse, Problem> {
    form.admin.app.withdraw_link(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/links?done=withdrawn"))
}

/// What may stand behind the question mark of the report.
#[derive(Debug, Default, Deserialize)]
pub struct ReportQuery {
    #[serde(default)]
    link: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    cursor: String,
}

impl ReportQuery {
    /// The days of the form, as the times of the API.
    fn wanted(&self) -> LinkReportQuery {
        let day = |text: &str| (!text.trim().is_empty()).then(|| format!("{}T00:00:00Z", text.trim()));
        LinkReportQuery {
            link: Some(self.link.clone()),
            user: Some(self.user.clone()),
            since: day(&self.since),
            until: day(&self.until),
            ..LinkReportQuery::default()
        }
    }

    fn address(&self) -> String {
        let fields = [("link", &self.link), ("user", &self.user), ("since", &self.since), ("until", &self.until)];
        let mut writer = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            writer.append_pair(name, value);
        }
        writer.finish()
    }
}

#[derive(Debug, Serialize)]
struct Line {
    at: When,
    what: Badge,
    user: String,
    user_address: String,
    browser: String,
    link_address: String,
    target: String,
    recipient: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReportView {
    since: String,
    until: String,
    link: String,
    user: String,
    rows: Vec<Line>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
    csv: String,
}

/// `GET /console/links/report`
pub async fn get_report(admin: Admin, query: web::Query<ReportQuery>) -> Result<HttpResponse, Problem> {
    let (filter, page) = (query.wanted().filter()?, paging::page(Some(ROWS), Some(&query.cursor))?);
    let page = admin.app.read(move |conn| rows::events(conn, &filter, page).map_err(Error::from)).await?;
    let (now, address) = (admin.app.now(), query.address());
    let view = ReportView {
        since: query.since.clone(),
        until: query.until.clone(),
        link: query.link.clone(),
        user: query.user.clone(),
        rows: page.items.into_iter().map(|line| line_of(line, now)).collect(),
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?{address}&cursor={cursor}")),
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        csv: format!("/console/links/report.csv?{address}"),
    };
    let frame = Frame::new(&admin, "/console/links", "Who followed which link").below("/console/links", "Protected links").wide();
    Ok(frame.show(&admin, "console/link_report", &view))
}

/// `GET /console/links/report.csv`
pub async fn get_csv(admin: Admin, query: web::Query<ReportQuery>) -> Result<HttpResponse, Problem> {
    let filter = query.wanted().filter()?;
    Ok(csv_report(admin.app, filter))
}

fn line_of(line: ReportLine, now: Timestamp) -> Line {
    let what = match line.event.kind {
        LinkEventKind::Opened => Badge { text: "Opened", class: "plain", word: "opened" },
        LinkEventKind::LooksSafe => Badge { text: "Says it looks safe", class: "good", word: "looks_safe" },
        LinkEventKind::LooksUnsafe => Badge { text: "Says it does not look safe", class: "care", word: "looks_unsafe" },
    };
    Line {
        at: When::new(line.event.at, now),
        what,
        user_address: format!("?user={}", line.event.user_id),
        user: line.email,
        browser: line.device_name.unwrap_or_else(|| "–".into()),
        link_address: format!("?link={}", line.event.link_id),
        target: line.link.target,
        recipient: line.link.recipient,
    }
}
