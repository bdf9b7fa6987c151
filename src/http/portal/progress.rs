//! The page that follows an enrollment from the download to its end. It asks again by itself for those who want that: a page that
//! changes under one's hands is hard to use with a screen reader (WCAG 2.2, success criterion 2.2.4), and whoever comes back from the
//! Settings of the device finds the link with which to look again.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    activate::{Installation, clock},
    devices::DeviceView,
    problem::Problem,
    visitor::Visitor,
};
use crate::{
    domain::{access::Decision, backend::Backend, compliance::Status, enrollment::CHALLENGE_SECONDS},
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
    is_apple: bool,
    is_agent: bool,
    is_certificate: bool,
    is_headwind: bool,
    /// Until when the certificate waits to be downloaded.
    file_until: Option<String>,
    /// How it is installed.
    installation: Installation,
    /// Something can still change.
    is_awaited: bool,
    is_followed: bool,
    /// The device is enrolled, but something keeps it out.
    must_mend: bool,
    minutes: i64,
    device: Option<DeviceView>,
}

/// Whether the page looks again by itself.
#[derive(Debug, Default, Deserialize)]
pub struct ProgressQuery {
    #[serde(default)]
    follow: String,
}

const fn title_of_install(method: Backend) -> &'static str {
    match method {
        Backend::Apple | Backend::Browser => "Install the profile",
        Backend::Certificate => "Download your certificate",
        Backend::Agent => "Open the agent app",
        Backend::Headwind => "Set up the new phone",
    }
}

/// `GET /enroll/progress`
pub async fn get_progress(visitor: Visitor, query: web::Query<ProgressQuery>) -> Result<HttpResponse, Problem> {
    let (step, method) = (visitor.step(), visitor.method());
    let title = match step {
        Step::Install => title_of_install(method),
        Step::Installing => "Your device is being enrolled",
        Step::Done => "Your device is enrolled",
        Step::TooLate => "This enrollment is over",
        Step::Address | Step::Code | Step::Method | Step::Consent | Step::Profile => return Ok(visitor.send_on()),
    };
    let device = visitor.progress.as_ref().and_then(|progress| progress.device.as_ref());
    // Nothing on a device that only has a certificate will ever say more.
    let awaits_verdict = method.has_command_channel() && device.is_some_and(|device| device.compliance == Status::Unknown);
    let look_again = match step {
        Step::Done => awaits_verdict.then_some(AWAIT_VERDICT_SECONDS),
        Step::TooLate => None,
        _ => Some(LOOK_AGAIN_SECONDS),
    };
    let is_followed = !query.follow.is_empty();
    let view = ProgressView {
        organization: &visitor.organization,
        is_installing: step == Step::Installing,
        is_done: step == Step::Done,
        is_too_late: step == Step::TooLate,
        is_apple: method == Backend::Apple,
        is_agent: method == Backend::Agent,
        is_certificate: method == Backend::Certificate,
        is_headwind: method == Backend::Headwind,
        file_until: visitor.progress.as_ref().and_then(|progress| progress.file_until).map(clock),
        installation: Installation::of(&visitor),
        is_awaited: look_again.is_some(),
        is_followed,
        must_mend: device.is_some_and(|device| device.compliance == Status::Noncompliant && device.access != Decision::Allow),
        minutes: CHALLENGE_SECONDS / 60,
        device: device.map(|device| DeviceView::of(device, visitor.app.now())).transpose().map_err(Error::from)?,
    };
    let mut frame = visitor.walk_frame(title, step);
    frame.refresh_seconds = look_again.filter(|_| is_followed);
    frame.has_error = step == Step::TooLate;
    frame.mark = (step == Step::Done).then_some("done");
    Ok(visitor.page(StatusCode::OK, "portal/progress", &frame, &view))
}
