//! The page that follows an enrollment from the download to its end. It asks again by itself.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;

use super::{devices::DeviceView, problem::Problem, visitor::Visitor};
use crate::{
    domain::{access::Decision, compliance::Status, enrollment::CHALLENGE_SECONDS},
    service::{Error, enroll::Step},
};

/// Seconds between two looks while the device enrolls.
const LOOK_AGAIN_SECONDS: u32 = 3;
/// Seconds between two looks while the first verdict is awaited.
const AWAIT_VERDICT_SECONDS: u32 = 10;

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is one part of the page that is shown or not")]
struct ProgressView<'a> {
    organization: &'a str,
    is_installing: bool,
    is_done: bool,
    is_too_late: bool,
    /// The device is enrolled, but something keeps it out.
    must_mend: bool,
    minutes: i64,
    device: Option<DeviceView>,
}

/// `GET /enroll/progress`
pub async fn get_progress(visitor: Visitor) -> Result<HttpResponse, Problem> {
    let step = visitor.step();
    let title = match step {
        Step::Install => "Install the profile",
        Step::Installing => "Your device is being enrolled",
        Step::Done => "Your device is enrolled",
        Step::TooLate => "This enrollment is over",
        Step::Address | Step::Code | Step::Consent | Step::Profile => return Ok(visitor.send_on()),
    };
    let device = visitor.progress.as_ref().and_then(|progress| progress.device.as_ref());
    let awaits_verdict = device.is_some_and(|device| device.compliance == Status::Unknown);
    let view = ProgressView {
        organization: &visitor.organization,
        is_installing: step == Step::Installing,
        is_done: step == Step::Done,
        is_too_late: step == Step::TooLate,
        must_mend: device.is_some_and(|device| device.compliance == Status::Noncompliant && device.access != Decision::Allow),
        minutes: CHALLENGE_SECONDS / 60,
        device: device.map(|device| DeviceView::of(device, visitor.app.now())).transpose().map_err(Error::from)?,
    };
    let mut frame = visitor.walk_frame(title, step);
    match step {
        Step::Done => {
            frame.mark = Some("done");
            frame.refresh_seconds = awaits_verdict.then_some(AWAIT_VERDICT_SECONDS);
        }
        Step::TooLate => frame.has_error = true,
        _ => frame.refresh_seconds = Some(LOOK_AGAIN_SECONDS),
    }
    Ok(visitor.page(StatusCode::OK, "portal/progress", &frame, &view))
}
