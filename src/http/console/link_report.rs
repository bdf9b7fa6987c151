//! The report on who followed which protected link, and who had which file sent.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    show::{Badge, When},
};
use crate::{
    domain::{link::LinkEventKind, time::Timestamp},
    http::{
        api::{
            links::{LinkReportQuery, csv_report},
            paging,
        },
        extract::admin::Admin,
        problem::Problem,
    },
    service::Error,
    store::links::{self as rows, ReportLine},
};

/// Rows on a page.
const ROWS: i64 = 50;

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
        LinkEventKind::Released => Badge { text: "Asked for it: to their mailbox", class: "good", word: "released" },
    };
    Line {
        at: When::new(line.event.at, now),
        what,
        user_address: format!("?user={}", line.event.user_id),
        user: line.email,
        browser: line.device_name.unwrap_or_else(|| "–".into()),
        link_address: format!("?link={}", line.event.link_id),
        target: line.link.subject().to_owned(),
        recipient: line.link.recipient,
    }
}
