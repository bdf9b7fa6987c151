//! Pages that help: short, and the same for everybody.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{browser::Family, problem::Problem, visitor::Visitor};
use crate::http::gate::text_of;

/// The topics, with the titles of their pages.
const TOPICS: [(&str, &str, &str); 5] = [
    ("help", "Help", "portal/help"),
    ("safari", "Why Safari", "portal/help_safari"),
    ("cookies", "How to allow cookies", "portal/help_cookies"),
    ("declined", "Nothing was changed", "portal/help_declined"),
    ("access", "No access from this device", "portal/help_access"),
];

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each opens one of the instructions")]
struct HelpView<'a> {
    organization: &'a str,
    own_address: String,
    is_safari: bool,
    is_chrome: bool,
    is_firefox: bool,
    is_edge: bool,
    can_return: bool,
    return_address: &'static str,
    /// Why the gate lets somebody not in.
    reason: &'static str,
}

/// What may stand behind the question mark.
#[derive(Debug, Deserialize)]
pub struct HelpQuery {
    #[serde(default)]
    reason: String,
}

/// `GET /enroll/help/{topic}`
pub async fn get_help(visitor: Visitor, topic: web::Path<String>, query: web::Query<HelpQuery>) -> Result<HttpResponse, Problem> {
    let found = TOPICS.iter().find(|(name, ..)| *name == topic.as_str());
    let (_, title, template) = found.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    let family = visitor.browser.family;
    let return_address = visitor.standing();
    let view = HelpView {
        organization: &visitor.organization,
        own_address: format!("{}/", visitor.app.public_url()),
        is_safari: family == Family::Safari,
        is_chrome: family == Family::Chrome,
        is_firefox: family == Family::Firefox,
        is_edge: family == Family::Edge,
        can_return: return_address != "/",
        return_address,
        reason: text_of(&query.reason),
    };
    Ok(visitor.page(StatusCode::OK, template, &visitor.frame(*title), &view))
}
