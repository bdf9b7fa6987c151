//! The page that says what will happen and what the organization will be able to do, made from the very rights that the
//! profile asks for, and the agreement to it.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{device::Ownership, rights::AccessRights},
    service::enroll::Step,
};

/// The consent form.
#[derive(Debug, Deserialize)]
pub struct ConsentForm {
    consent: Option<String>,
}

#[derive(Serialize)]
struct ConsentView<'a> {
    organization: &'a str,
    email: &'a str,
    is_company: bool,
    may_erase: bool,
    granted: Vec<&'static str>,
    not_granted: Vec<&'static str>,
    error: Option<&'static str>,
}

/// `GET /enroll/consent`
pub async fn get_consent(visitor: Visitor) -> HttpResponse {
    if visitor.step() == Step::Consent { show(&visitor, None) } else { visitor.send_on() }
}

fn show(visitor: &Visitor, error: Option<&'static str>) -> HttpResponse {
    let ownership = visitor.visit().map_or(Ownership::Personal, |visit| visit.ownership);
    let rights = AccessRights::for_ownership(ownership);
    let view = ConsentView {
        organization: &visitor.organization,
        email: visitor.user().map(|user| user.email.as_str()).unwrap_or_default(),
        is_company: ownership == Ownership::Company,
        may_erase: rights.allows(AccessRights::ERASE),
        granted: rights.explained(),
        not_granted: rights.not_granted(),
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
    let Some(visit) = visitor.visit().filter(|_| visitor.step() == Step::Consent) else { return Ok(visitor.send_on()) };
    if form.consent.as_deref() != Some("yes") {
        return Ok(show(&visitor, Some("Tick the box to agree. Without that, nothing is changed on your device.")));
    }
    visitor.app.consent(visit.id).await?;
    Ok(see("/enroll/profile"))
}
