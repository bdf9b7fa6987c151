//! The page with the button that downloads the enrollment profile, which works once, and the way to begin again.

use actix_web::{HttpResponse, http::StatusCode, http::header};
use serde::Serialize;

use super::{
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{backend::Backend, enrollment::CHALLENGE_SECONDS},
    service::{Error, enroll::Step},
};

#[derive(Serialize)]
struct ProfileView<'a> {
    organization: &'a str,
    needs_safari: bool,
    minutes: i64,
    own_address: String,
}

/// `GET /enroll/profile`
pub async fn get_profile(visitor: Visitor) -> HttpResponse {
    if visitor.step() != Step::Profile || visitor.method() != Backend::Apple {
        return visitor.send_on();
    }
    let view = ProfileView {
        organization: &visitor.organization,
        needs_safari: visitor.browser.needs_safari(),
        minutes: CHALLENGE_SECONDS / 60,
        own_address: format!("{}/", visitor.app.public_url()),
    };
    visitor.page(StatusCode::OK, "portal/profile", &visitor.walk_frame("Download the profile", Step::Profile), &view)
}

/// `POST /enroll/apple`: the profile itself, once.
pub async fn post_apple(visitor: Visitor) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(visit) = visitor.visit() else { return Ok(visitor.send_on()) };
    match visitor.step() {
        _ if visitor.method() != Backend::Apple => return Ok(visitor.send_on()),
        Step::Profile => {}
        Step::Install | Step::Installing | Step::Done | Step::TooLate => return Ok(taken(&visitor)),
        Step::Address | Step::Code | Step::Method | Step::Consent => return Ok(visitor.send_on()),
    }
    match visitor.app.take_profile(visit.id).await {
        Ok(profile) => Ok(HttpResponse::Ok()
            .content_type("application/x-apple-aspen-config")
            .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"enroll.mobileconfig\""))
            .body(profile)),
        // Somebody was faster, by a second tap or in a second window.
        Err(Error::Conflict(_)) => Ok(taken(&visitor)),
        Err(error) => Err(error.into()),
    }
}

fn taken(visitor: &Visitor) -> HttpResponse {
    #[derive(Serialize)]
    struct View {}
    let mut frame = visitor.walk_frame("The profile was downloaded already", Step::Install);
    frame.has_error = true;
    visitor.page(StatusCode::CONFLICT, "portal/taken", &frame, &View {})
}

/// `POST /enroll/restart`: lets the visit begin again, which also forgets who it was.
pub async fn post_restart(visitor: Visitor) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    if let Some(visit) = visitor.visit() {
        visitor.app.restart_visit(visit.id).await?;
    }
    Ok(see("/"))
}
