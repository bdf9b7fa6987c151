//! The compliance report: numbers by system and by status, each leading to its devices, and the same as CSV.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{
    device_list::{Choices, ListQuery, Row},
    field::Field,
    frame::Frame,
    picture::{self, Bar, TREND_DAYS, Trend},
    show::{self, Badge, When},
};
use crate::{
    domain::{
        compliance::{CODES, Status},
        device::{EnrollmentState, Platform},
        id::{GroupId, PolicyId},
    },
    http::{
        api::{paging, reports::csv_report},
        extract::admin::Admin,
        problem::Problem,
        prose::sentence,
    },
    service::{Error, census::day_of, report::Totals},
    store::{
        self, census,
        devices::{self, Filter},
        groups, policies, tallies,
    },
};

/// Rows on a page.
const ROWS: i64 = 50;

#[derive(Debug, Serialize)]
struct Number {
    text: &'static str,
    word: &'static str,
    class: &'static str,
    count: i64,
}

#[derive(Debug, Serialize)]
struct ReportView {
    choices: Choices,
    more: Vec<Field>,
    generated: When,
    devices: i64,
    by_status: Vec<Number>,
    by_enrollment: Vec<Number>,
    by_os: Vec<Number>,
    bars: Vec<Bar>,
    /// Of all devices, as the bars.
    trend: Option<Trend>,
    rows: Vec<Row>,
    total: i64,
    next: Option<String>,
    csv: String,
    save: String,
}

/// `GET /console/report`
pub async fn get_report(admin: Admin, query: web::Query<ListQuery>) -> Result<HttpResponse, Problem> {
    let query = ListQuery { user: String::new(), q: String::new(), ..query.into_inner() };
    let (filter, page) = (query.filter(admin.app.now())?, paging::page(Some(ROWS), Some(&query.cursor))?);
    let summary = admin.app.summarize(filter.clone()).await?;
    let now = admin.app.now();
    let (page, rows, counts, groups, policies) = admin
        .app
        .read(move |conn| {
            let (page, rows) = (devices::list(conn, &filter, page)?, tallies::totals(conn, &Filter::default())?);
            let counts = census::since(conn, day_of(now).plus_days(-TREND_DAYS))?;
            Ok::<_, Error>((page, rows, counts, groups::all(conn)?, policies::names(conn)?))
        })
        .await?;
    let address = query.address();
    let items = page.items.into_iter().map(|(device, email)| Row::of(device, email, now)).collect::<Result<_, store::Error>>();
    let view = ReportView {
        choices: Choices::of(&query),
        more: more_filters(&query, groups, policies),
        generated: When::new(summary.generated_at, now),
        devices: summary.totals.devices,
        by_status: by_status(&summary.totals),
        by_enrollment: by_enrollment(&summary.totals),
        by_os: by_os(&summary.totals),
        bars: picture::bars(&rows),
        trend: picture::trend(&counts, now),
        rows: items.map_err(Error::from)?,
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?{address}&cursor={cursor}")),
        save: format!("/console/report/saved?{address}"),
        csv: format!("/console/report.csv?{address}"),
    };
    Ok(Frame::new(&admin, "/console/report", "Compliance report").wide().show(&admin, "console/report", &view))
}

/// `GET /console/report.csv`
pub async fn get_csv(admin: Admin, query: web::Query<ListQuery>) -> Result<HttpResponse, Problem> {
    let filter = ListQuery { user: String::new(), q: String::new(), ..query.into_inner() }.filter(admin.app.now())?;
    Ok(csv_report(admin.app, filter))
}

/// The filters that only the report has.
fn more_filters(query: &ListQuery, groups: Vec<(GroupId, String)>, policies: Vec<(PolicyId, String)>) -> Vec<Field> {
    let all = || std::iter::once((String::new(), "All".to_owned()));
    let reasons = CODES.iter().map(|(code, text)| ((*code).to_owned(), sentence(text).trim_end_matches('.').to_owned()));
    vec![
        Field::choice("group", "Group", &query.group, all().chain(groups.into_iter().map(|(id, name)| (id.to_string(), name)))),
        Field::choice("policy", "Policy", &query.policy, all().chain(policies.into_iter().map(|(id, name)| (id.to_string(), name)))),
        Field::choice("reason", "Reason", &query.reason, all().chain(reasons)),
        Field::number("unseen_days", "Not seen for days", query.unseen_days.as_str(), (1, 365)),
    ]
}

fn by_status(totals: &Totals) -> Vec<Number> {
    Status::ALL.iter().map(|status| number_of(&show::compliance(*status), totals)).collect()
}

fn by_enrollment(totals: &Totals) -> Vec<Number> {
    EnrollmentState::ALL.iter().map(|state| number_of(&show::enrollment(*state), totals)).collect()
}

/// Colour is for what is there.
fn number_of(word: &Badge, totals: &Totals) -> Number {
    let count = number(&totals.by_status, word.word);
    Number { text: word.text, word: word.word, class: if count > 0 { word.class } else { "plain" }, count }
}

fn by_os(totals: &Totals) -> Vec<Number> {
    Platform::ALL
        .iter()
        .map(|os| Number { text: show::platform(*os), word: os.as_str(), class: "plain", count: number(&totals.by_os, os.as_str()) })
        .collect()
}

fn number(of: &std::collections::BTreeMap<&'static str, i64>, word: &str) -> i64 {
    of.get(word).copied().unwrap_or_default()
}
