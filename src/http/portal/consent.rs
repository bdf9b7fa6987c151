//! The page that says what will happen and what the organization will be able to do, made from the very rights and capabilities
//! that it will have, and the agreement to it.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{backend::Backend, device::Ownership, promise::promise, rights::AccessRights},
    service::{android::method::Walker, enroll::Step},
};

/// The consent form.
#[derive(Debug, Deserialize)]
pub struct ConsentForm {
    consent: Option<String>,
    /// What the page was about: the choice may have been changed in another window since.
    #[serde(default)]
    method: Option<String>,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is one part of the page that is shown or not")]
struct ConsentView<'a> {
    organization: &'a str,
    email: &'a str,
    is_company: bool,
    is_apple: bool,
    is_agent: bool,
    is_certificate: bool,
    is_headwind: bool,
    may_erase: bool,
    granted: Vec<&'static str>,
    not_granted: Vec<&'static str>,
    has_choice: bool,
    method: &'static str,
    error: Option<&'static str>,
}

/// `GET /enroll/consent`
pub async fn get_consent(visitor: Visitor) -> HttpResponse {
    if is_asked(&visitor) { show(&visitor, None) } else { visitor.send_on() }
}

fn is_asked(visitor: &Visitor) -> bool {
    visitor.may_enroll && visitor.step() == Step::Consent
}

fn show(visitor: &Visitor, error: Option<&'static str>) -> HttpResponse {
    let (ownership, method) = (visitor.ownership(), visitor.method());
    let told = promise(method, ownership);
    let view = ConsentView {
        organization: &visitor.organization,
        email: visitor.user().map(|user| user.email.as_str()).unwrap_or_default(),
        is_company: ownership == Ownership::Company,
        is_apple: method == Backend::Apple,
        is_agent: method == Backend::Agent,
        is_certificate: method == Backend::Certificate,
        is_headwind: method == Backend::Headwind,
        may_erase: method.rights(ownership).allows(AccessRights::ERASE),
        granted: told.can,
        not_granted: told.cannot,
        has_choice: visitor.methods().len() > 1 || visitor.browser.walker() == Walker::Computer,
        method: method.as_str(),
        error,
    };
    let mut frame = visitor.walk_frame("What will happen", Step::Consent);
    frame.has_error = error.is_some();
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    visitor.page(status, "portal/consent", &frame, &view)
}

/// `POST /enroll/consent`: notes that the person agrees.
pub async fn post_consent(visitor: Visitor, form: web::Form<ConsentForm>) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(visit) = visitor.visit().filter(|_| is_asked(&visitor)) else { return Ok(visitor.send_on()) };
    if form.consent.as_deref() != Some("yes") {
        return Ok(show(&visitor, Some("Tick the box to agree. Without that, nothing is changed on your device.")));
    }
    if form.method.as_deref().is_some_and(|method| method != visitor.method().as_str()) {
        return Ok(show(&visitor, Some("You have chosen another way since you opened this page. Please read it again.")));
    }
    visitor.app.consent(visit.id, visitor.browser.walker(), visitor.method()).await?;
    Ok(see(if visitor.method() == Backend::Apple { "/enroll/profile" } else { "/enroll/activate" }))
}
