//! Pages that help: short, and the same for everybody, but for the section that is open because it is about the reader's browser.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    browser::{Device, Family},
    devices::DeviceView,
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    http::gate::text_of,
    service::{Error, host_of},
};

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
    refused: Option<RefusedView<'a>>,
}

/// The device with which somebody was not let in.
#[derive(Serialize)]
struct RefusedView<'a> {
    device: DeviceView,
    may_check: bool,
    asked: bool,
    /// What leads back here.
    pass: &'a str,
    reason: &'a str,
}

/// What may stand behind the question mark.
#[derive(Debug, Deserialize)]
pub struct HelpQuery {
    #[serde(default)]
    reason: String,
    /// The pass that the gate gave for the device.
    #[serde(default)]
    device: String,
    #[serde(default)]
    done: String,
}

/// `GET /enroll/help/{topic}`
pub async fn get_help(visitor: Visitor, topic: web::Path<String>, query: web::Query<HelpQuery>) -> Result<HttpResponse, Problem> {
    let found = TOPICS.iter().find(|(name, ..)| *name == topic.as_str());
    let (_, title, template) = found.ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    let found = if query.device.is_empty() { None } else { visitor.app.refused_device(&query.device).await? };
    let refused = found.map(|found| {
        let device = DeviceView::of(&found.device, visitor.app.now())?;
        let (asked, pass, reason) = (query.done == "asked", query.device.as_str(), query.reason.as_str());
        Ok::<_, Error>(RefusedView { device, may_check: found.may_check, asked, pass, reason })
    });
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
        refused: refused.transpose()?,
    };
    Ok(visitor.page(StatusCode::OK, template, &visitor.frame(*title), &view))
}

/// `POST /enroll/help/access/check`: asks the device of a pass how it is. It needs no cookie: the pass is for nothing else.
pub async fn post_check(visitor: Visitor, form: web::Form<HelpQuery>) -> Result<HttpResponse, Problem> {
    let Some(found) = visitor.app.refused_device(&form.device).await? else {
        let text = "It was given a quarter of an hour ago or longer. Open the address that you could not open once more.";
        return Err(Problem::new(StatusCode::GONE, "This page has ended", text));
    };
    visitor.app.check_own_device(found.device.user_id, found.device.id).await?;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("reason", form.reason.as_str()), ("device", &form.device), ("done", "asked")])
        .finish();
    Ok(see(&format!("/enroll/help/access?{query}")))
}
