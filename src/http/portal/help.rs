//! Pages that help: short, and the same for everybody, but for the section that is open because it is about the reader's browser.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    browser::{Device, Family},
    problem::Problem,
    visitor::Visitor,
};
use crate::{http::gate::text_of, service::host_of};

/// The topics, with the titles of their pages.
const TOPICS: [(&str, &str, &str); 6] = [
    ("help", "Help", "portal/help"),
    ("safari", "Why Safari", "portal/help_safari"),
    ("cookies", "How to allow cookies", "portal/help_cookies"),
    ("browsers", "Which browsers work", "portal/help_browsers"),
    ("declined", "Nothing was changed", "portal/help_declined"),
    ("access", "No access from this device", "portal/help_access"),
];

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each opens one of the instructions")]
struct HelpView<'a> {
    organization: &'a str,
    own_address: String,
    /// The host that browsers are to let keep cookies, alone, as a pattern of Chrome and Edge, and as Firefox wants it.
    site: String,
    pattern: String,
    address: String,
    browser: String,
    is_safari_ios: bool,
    is_safari_mac: bool,
    is_chrome: bool,
    is_chrome_mobile: bool,
    is_firefox: bool,
    is_edge: bool,
    is_edge_ios: bool,
    is_unrecognized: bool,
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
    let is = |family: Family| visitor.browser.family == family;
    let is_ios = matches!(visitor.browser.device, Device::Iphone | Device::Ipad);
    let is_mobile = is_ios || matches!(visitor.browser.device, Device::Android | Device::OtherPhone);
    let return_address = visitor.standing();
    let site = host_of(visitor.app.public_url()).to_owned();
    let view = HelpView {
        organization: &visitor.organization,
        own_address: format!("{}/", visitor.app.public_url()),
        pattern: format!("[*.]{site}"),
        site,
        address: visitor.app.public_url().to_owned(),
        browser: visitor.facts().name,
        is_safari_ios: is(Family::Safari) && is_ios,
        is_safari_mac: is(Family::Safari) && !is_ios,
        is_chrome: is(Family::Chrome) && !is_mobile,
        is_chrome_mobile: is(Family::Chrome) && is_mobile,
        is_firefox: is(Family::Firefox),
        is_edge: is(Family::Edge) && !is_ios,
        is_edge_ios: is(Family::Edge) && is_ios,
        is_unrecognized: is(Family::Other),
        can_return: return_address != "/",
        return_address,
        reason: text_of(&query.reason),
    };
    Ok(visitor.page(StatusCode::OK, template, &visitor.frame(*title), &view))
}
