//! Protected links, one by one and many at once, and the report on who followed them.

use actix_web::{
    HttpResponse,
    web::{self, Query},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    csv,
    error::{ApiError, Problem},
    paging,
};
use crate::{
    domain::{
        id::{DeviceId, LinkEventId, LinkId, UserId},
        link::LinkEventKind,
        time::Timestamp,
        user::{Permission, Role},
    },
    http::extract::caller::Caller,
    service::{App, Error, links::NewLink},
    store::{
        links::{self as rows, EventFilter, Link, ReportLine},
        page::{Page, PageRequest},
    },
};

/// A protected link.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its identifier.
    pub id: LinkId,
    /// What stands in the mail: leads through this server to the target, or to the page of the file. That of a file is shown only
    /// to those who may make links, and null for everybody else: whoever has it can have the file sent to themselves.
    pub url: Option<String>,
    /// Where it leads; null where it stands for a file.
    pub target: Option<String>,
    /// The file that it stands for; null where it leads to an address.
    pub file: Option<FileView>,
    /// What it is about.
    pub note: String,
    /// To whom the mail was first sent.
    pub recipient: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
}

/// A protected file. What is in it is given by mail only, to whoever enrolled the browser in which it is asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileView {
    /// What it is called.
    pub name: String,
    /// How many bytes it has.
    pub size: i64,
}

impl LinkView {
    /// A link as this caller may see it.
    pub(super) fn of(app: &App, link: Link, role: Role) -> Result<Self, Error> {
        let shows_url = link.file_name.is_none() || role.may(Permission::ManageUsers);
        let file = link.file().map(|(name, size)| FileView { name: name.to_owned(), size });
        Ok(Self {
            id: link.id,
            url: shows_url.then(|| app.link_address(link.id)).transpose()?,
            target: Some(link.target).filter(|_| file.is_none()),
            file,
            note: link.note,
            recipient: link.recipient,
            created_by: link.created_by,
            created_at: link.created_at,
            expires_at: link.expires_at,
            withdrawn_at: link.withdrawn_at,
        })
    }
}

/// A link to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// Where it leads: a whole address with https:// or http://.
    target: String,
    /// What it is about, at most 200 characters.
    #[serde(default)]
    note: String,
    /// To whom the mail is first sent. Clicks are recorded for whoever follows the link, which may be somebody else.
    recipient: Option<String>,
    /// Days for which it is good, 1 to 365; 30 where it is left out.
    days: Option<u16>,
}

impl From<LinkBody> for NewLink {
    fn from(body: LinkBody) -> Self {
        Self { target: body.target, note: body.note, recipient: body.recipient, days: body.days }
    }
}

/// Makes a protected link.
#[utoipa::path(post, path = "/api/v1/links", request_body = LinkBody, responses((status = 201, body = LinkView), (status = 400, body = Problem)), tag = "links", security(("token" = [])))]
pub async fn create_link(caller: Caller, app: web::Data<App>, body: web::Json<LinkBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let app = app.into_inner();
    let made = app.make_links(caller.actor, vec![body.into_inner().into()]).await?;
    let link = made.into_iter().next().ok_or(Error::NotFound("link"))?;
    Ok(HttpResponse::Created().json(LinkView::of(&app, link, caller.role)?))
}

/// Many links to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinksBody {
    /// 1 to 1000 of them.
    links: Vec<LinkBody>,
}

/// Links that were made, in the order in which they were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinksView {
    /// The links.
    pub items: Vec<LinkView>,
}

/// Makes many protected links at once: all of them, or none where one is not usable.
#[utoipa::path(post, path = "/api/v1/links/bulk", request_body = LinksBody, responses((status = 201, body = LinksView), (status = 400, body = Problem)), tag = "links", security(("token" = [])))]
pub async fn create_links(caller: Caller, app: web::Data<App>, body: web::Json<LinksBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let app = app.into_inner();
    let made = app.make_links(caller.actor, body.into_inner().links.into_iter().map(Into::into).collect()).await?;
    let items = made.into_iter().map(|link| LinkView::of(&app, link, caller.role)).collect::<Result<_, _>>()?;
    Ok(HttpResponse::Created().json(LinksView { items }))
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LinkQuery {
    /// Items on a page, 1 to 200.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists protected links, newest first.
#[utoipa::path(get, path = "/api/v1/links", params(LinkQuery), responses((status = 200, body = Page<LinkView>)), tag = "links", security(("token" = [])))]
pub async fn list_links(caller: Caller, app: web::Data<App>, query: Query<LinkQuery>) -> Result<web::Json<Page<LinkView>>, ApiError> {
    caller.must(Permission::Read)?;
    let page = paging::page(query.limit, query.cursor.as_deref())?;
    let page = app.read(move |conn| rows::list(conn, page).map_err(Error::from)).await?;
    let items = page.items.into_iter().map(|link| LinkView::of(&app, link, caller.role)).collect::<Result<_, _>>()?;
    Ok(web::Json(Page { items, next_cursor: page.next_cursor, total: page.total }))
}

/// Gives one protected link.
#[utoipa::path(get, path = "/api/v1/links/{id}", params(("id" = LinkId, Path)), responses((status = 200, body = LinkView), (status = 404, body = Problem)), tag = "links", security(("token" = [])))]
pub async fn get_link(caller: Caller, app: web::Data<App>, id: web::Path<LinkId>) -> Result<web::Json<LinkView>, ApiError> {
    caller.must(Permission::Read)?;
    let id = id.into_inner();
    let link = app.read(move |conn| rows::find(conn, id).map_err(Error::from)).await?.ok_or(Error::NotFound("link"))?;
    Ok(web::Json(LinkView::of(&app, link, caller.role)?))
}

/// Takes a protected link back: from then on it leads nowhere, and the file that it stood for is deleted.
#[utoipa::path(post, path = "/api/v1/links/{id}/withdraw", params(("id" = LinkId, Path)), responses((status = 200, body = LinkView), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "links", security(("token" = [])))]
pub async fn withdraw_link(caller: Caller, app: web::Data<App>, id: web::Path<LinkId>) -> Result<web::Json<LinkView>, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let app = app.into_inner();
    let link = app.withdraw_link(caller.actor, id.into_inner()).await?;
    Ok(web::Json(LinkView::of(&app, link, caller.role)?))
}

/// Which lines of the report are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LinkReportQuery {
    /// Of this link.
    pub link: Option<String>,
    /// Of this user.
    pub user: Option<String>,
    /// From this time on, RFC 3339.
    pub since: Option<String>,
    /// Until before this time, RFC 3339.
    pub until: Option<String>,
    /// `json` or `csv`.
    pub format: Option<String>,
    /// Items on a page of JSON, 1 to 200; CSV always has all.
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl LinkReportQuery {
    /// What is wanted of the store.
    ///
    /// # Errors
    /// A parameter cannot be read.
    pub fn filter(&self) -> Result<EventFilter, Error> {
        let time = |field: &'static str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| Timestamp::parse(text).map_err(|_| Error::invalid(field, "must be a time such as 2026-01-31T00:00:00Z")))
                .transpose()
        };
        Ok(EventFilter {
            link: paging::optional("link", self.link.as_deref())?,
            user: paging::optional("user", self.user.as_deref())?,
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
        })
    }
}

/// One line of the report.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkEventView {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub kind: LinkEventKind,
    /// By whom: the person who enrolled the browser.
    pub user_id: UserId,
    /// Their address.
    pub user: String,
    /// In which browser; null where that was deleted since.
    pub device_id: Option<DeviceId>,
    /// What the browser is called.
    pub device: Option<String>,
    /// With which link.
    pub link_id: LinkId,
    /// Where it leads, or what the file is called that it stands for.
    pub target: String,
    /// To whom the mail was first sent.
    pub recipient: Option<String>,
}

impl From<ReportLine> for LinkEventView {
    fn from(line: ReportLine) -> Self {
        Self {
            at: line.event.at,
            kind: line.event.kind,
            user_id: line.event.user_id,
            user: line.email,
            device_id: line.event.device_id,
            device: line.device_name,
            link_id: line.event.link_id,
            target: line.link.subject().to_owned(),
            recipient: line.link.recipient,
        }
    }
}

/// Reports who followed which link, when, and what they answered.
#[utoipa::path(get, path = "/api/v1/reports/links", params(LinkReportQuery), responses((status = 200, body = Page<LinkEventView>), (status = 400, body = Problem)), tag = "reports", security(("token" = [])))]
pub async fn link_report(caller: Caller, app: web::Data<App>, query: Query<LinkReportQuery>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ReadAudit)?;
    let filter = query.filter()?;
    match query.format.as_deref() {
        None | Some("json" | "") => {
            let page = paging::page(query.limit, query.cursor.as_deref())?;
            let page = app.read(move |conn| rows::events(conn, &filter, page).map_err(Error::from)).await?;
            Ok(HttpResponse::Ok().json(page.map(LinkEventView::from)))
        }
        Some("csv") => Ok(csv_report(app.into_inner(), filter)),
        Some(_) => Err(Error::invalid("format", "must be json or csv").into()),
    }
}

const COLUMNS: &str = "at,kind,user,device,link_id,target,recipient\r\n";
/// Lines in one piece of the CSV.
const PIECE: i64 = 500;

/// All lines as CSV, piece by piece.
pub fn csv_report(app: std::sync::Arc<App>, filter: EventFilter) -> HttpResponse {
    let rows = futures_util::stream::try_unfold(Some(None), move |state: Option<Option<LinkEventId>>| {
        let (app, filter) = (std::sync::Arc::clone(&app), filter.clone());
        async move {
            let Some(after) = state else { return Ok::<_, ApiError>(None) };
            let page = app.read(move |conn| rows::events(conn, &filter, PageRequest { limit: PIECE, after }).map_err(Error::from)).await?;
            let mut text = if after.is_none() { COLUMNS.to_owned() } else { String::new() };
            let last = page.items.last().map(|line| line.event.id).filter(|_| page.next_cursor.is_some());
            for line in page.items {
                text.push_str(&csv_line(&line.into()));
            }
            Ok(Some((web::Bytes::from(text), last.map(Some))))
        }
    });
    csv::answer("links.csv", rows)
}

fn csv_line(line: &LinkEventView) -> String {
    let fields = [
        line.at.to_string(),
        line.kind.to_string(),
        line.user.clone(),
        line.device.clone().unwrap_or_default(),
        line.link_id.to_string(),
        line.target.clone(),
        line.recipient.clone().unwrap_or_default(),
    ];
    csv::line(&fields)
}
