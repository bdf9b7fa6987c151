//! The first step of the way to a user: the domains of all mail addresses. From there it goes to the users of one, and to the page
//! of a user, where their enrollments are revoked.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use crate::{
    http::{extract::admin::Admin, problem::Problem},
    service::Error,
    store::users,
};

/// Rows on a page.
const ROWS: i64 = 100;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct DomainQuery {
    /// The first domain that is shown.
    #[serde(default)]
    from: String,
}

#[derive(Debug, Serialize)]
struct Row {
    domain: String,
    address: String,
    users: i64,
}

#[derive(Debug, Serialize)]
struct DomainsView {
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
}

fn written(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

/// `GET /console/domains`
pub async fn get_domains(admin: Admin, query: web::Query<DomainQuery>) -> Result<HttpResponse, Problem> {
    let from = query.from.clone();
    let mut found = admin.app.read(move |conn| users::domains(conn, &from, ROWS)).await.map_err(Error::from)?;
    let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let next = found.get(most).map(|domain| format!("?{}", written("from", &domain.domain)));
    found.truncate(most);
    let row = |found: users::Domain| Row {
        address: format!("/console/users?{}", written("domain", &found.domain)),
        domain: found.domain,
        users: found.users,
    };
    let view = DomainsView { rows: found.into_iter().map(row).collect(), next, is_first: query.from.is_empty() };
    Ok(Frame::new(&admin, "/console/domains", "Domains").show(&admin, "console/domains", &view))
}
