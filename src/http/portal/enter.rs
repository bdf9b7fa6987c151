//! The way of a browser to an application behind the gate: an enrolled one is sent there with a ticket, another one is enrolled first
//! and comes back here.

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue, REFRESH},
    },
    web,
};
use serde::{Deserialize, Serialize};

use super::{
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::destination::{Destination, ENTER},
    http::gate::enter_address,
    service::Error,
};

/// Longest address of an application that is kept while the browser is enrolled; of a longer one only the host is.
const LONGEST: usize = 300;

/// What stands behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct EnterQuery {
    #[serde(default)]
    to: String,
    /// The browser comes from its enrollment.
    #[serde(default)]
    enrolled: String,
}

#[derive(Debug, Serialize)]
struct EnterView {
    host: String,
    address: String,
}

/// `GET /gate/v1/enter`
pub async fn get_enter(visitor: Visitor, query: web::Query<EnterQuery>) -> Result<HttpResponse, Problem> {
    let to = match visitor.app.destination(&query.to).await {
        Ok(to) => to,
        Err(Error::Invalid { .. }) => return Err(foreign()),
        Err(error) => return Err(error.into()),
    };
    let Some(browser) = &visitor.enrolled else { return Ok(see(&enroll_first(&to))) };
    if !query.enrolled.is_empty() {
        return Ok(go_on(&visitor, &to.host, enter_address("", &to.address())));
    }
    let ticket = visitor.app.give_ticket(browser.enrollment, &to).await?;
    let mut response = HttpResponse::Found();
    Ok(response.insert_header((header::LOCATION, to.callback(&ticket))).finish())
}

fn foreign() -> Problem {
    let text = "This address leads to no application that your organization protects with this server, so you were not led there. \
                If it should be one, tell your administrator: the settings name the hosts.";
    Problem::new(StatusCode::BAD_REQUEST, "This address is not protected here", text)
}

fn query_of(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Where the browser is enrolled, to come back afterwards.
fn enroll_first(to: &Destination) -> String {
    let whole = to.address();
    let kept = if whole.len() > LONGEST { format!("{}://{}/", to.scheme, to.host) } else { whole };
    let back = format!("{ENTER}?{}", query_of(&[("to", &kept), ("enrolled", "yes")]));
    format!("/browser?{}", query_of(&[("return", &back)]))
}

/// Shows that the browser is enrolled, and goes on by itself. A redirect would not do: it would follow the form with the code, and
/// browsers let no form of ours lead to another host (`form-action` in our content security policy).
///
/// * `host`: where the person gets to in the end.
/// * `address`: the path on this server that leads there.
pub fn go_on(visitor: &Visitor, host: &str, address: String) -> HttpResponse {
    let refresh = HeaderValue::from_str(&format!("0; url={address}"));
    let view = EnterView { host: host.to_owned(), address };
    let mut frame = visitor.frame("This browser is enrolled");
    frame.mark = Some("enter");
    let mut response = visitor.page(StatusCode::OK, "portal/enter", &frame, &view);
    if let Ok(refresh) = refresh {
        response.headers_mut().insert(REFRESH, refresh);
    }
    response
}
