//! A person's own devices: what they are, when they were last checked, and what is wrong with them.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{problem::Problem, visitor::Visitor};
use crate::{
    domain::{
        access::Decision,
        compliance::Status,
        device::{EnrollmentState, Platform},
        id::DeviceId,
        time::Timestamp,
    },
    service::{Error, android::method::Walker},
    store::{
        self,
        devices::{self, Device},
    },
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct DevicesQuery {
    #[serde(default)]
    done: String,
}

/// One device, in words.
#[derive(Debug, Serialize)]
pub struct DeviceView {
    id: DeviceId,
    name: String,
    model: String,
    system: String,
    state: &'static str,
    checked: String,
    seen: String,
    verdict: &'static str,
    /// Which of the colours goes with the verdict; the words say the same.
    tone: &'static str,
    access: &'static str,
    deadline: Option<String>,
    reasons: Vec<ReasonView>,
    /// It is the browser that shows the page.
    is_this: bool,
    may_remove: bool,
}

#[derive(Debug, Serialize)]
struct ReasonView {
    text: String,
    remedy: String,
}

impl DeviceView {
    /// Puts a device into words.
    ///
    /// # Errors
    /// Its stored reasons cannot be read.
    pub fn of(device: &Device, now: Timestamp) -> Result<Self, store::Error> {
        let kind = kind(device.platform);
        let model = device.model.clone().or_else(|| device.product_name.clone()).unwrap_or_else(|| kind.to_owned());
        let (verdict, tone) = verdict(device.compliance);
        let reasons = device.reasons()?.into_iter().map(|reason| ReasonView { text: reason.text, remedy: reason.remedy });
        Ok(Self {
            id: device.id,
            is_this: false,
            may_remove: false,
            name: device.device_name.clone().unwrap_or_else(|| model.clone()),
            model,
            system: system(device),
            state: state(device.state),
            checked: device.evaluated_at.map_or_else(|| "Not yet".into(), |at| ago(at, now)),
            seen: device.last_seen_at.map_or_else(|| "Not yet".into(), |at| ago(at, now)),
            verdict,
            tone,
            access: access(device.access),
            deadline: device.deadline.map(date),
            reasons: reasons.collect(),
        })
    }
}

const fn kind(platform: Platform) -> &'static str {
    match platform {
        Platform::Ios => "iPhone",
        Platform::Ipados => "iPad",
        Platform::Macos => "Mac",
        Platform::Android => "Android device",
        Platform::Browser => "Browser",
        Platform::Other => "Device",
    }
}

fn system(device: &Device) -> String {
    let name = match device.platform {
        Platform::Ios => "iOS",
        Platform::Ipados => "iPadOS",
        Platform::Macos => "macOS",
        Platform::Android => "Android",
        // What it runs on stands in place of a version.
        Platform::Browser | Platform::Other => "",
    };
    let version = device.os_version.as_deref().unwrap_or("");
    let both = format!("{name} {version}").trim().to_owned();
    if both.is_empty() { "Not known yet".into() } else { both }
}

const fn state(state: EnrollmentState) -> &'static str {
    match state {
        EnrollmentState::Invited => "Invited",
        EnrollmentState::Pending => "Enrollment has begun",
        EnrollmentState::Enrolled => "Enrolled",
        EnrollmentState::Retired => "No longer managed",
        EnrollmentState::WipePending => "A wipe was ordered",
        EnrollmentState::Wiped => "Wiped",
    }
}

const fn verdict(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Compliant => ("Everything is in order", "good"),
        Status::InGrace => ("Something has to be mended soon", "care"),
        Status::Noncompliant => ("Something has to be mended", "bad"),
        Status::Unknown => ("Not known yet", "calm"),
        Status::Unsupported => ("This kind of device is not supported", "bad"),
    }
}

const fn access(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "Allowed",
        Decision::Quarantine => "On hold",
        Decision::Block => "Blocked",
    }
}

/// How long ago something was; after a day the date.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).as_secs() {
        0..60 => "Less than a minute ago".into(),
        60..120 => "A minute ago".into(),
        seconds @ 120..3_600 => format!("{} minutes ago", seconds / 60),
        3_600..7_200 => "An hour ago".into(),
        seconds @ 7_200..86_400 => format!("{} hours ago", seconds / 3_600),
        _ => date(at),
    }
}

/// A time, as people write it.
pub(super) fn date(at: Timestamp) -> String {
    let at = at.calendar();
    format!("{} {} {}, {:02}:{:02} UTC", at.day(), at.month(), at.year(), at.hour(), at.minute())
}

/// `GET /devices`: those of the person who has proved their address or enrolled this browser, and no others.
pub async fn get_devices(visitor: Visitor, query: web::Query<DevicesQuery>) -> Result<HttpResponse, Problem> {
    #[derive(Serialize)]
    struct View<'a> {
        email: &'a str,
        devices: Vec<DeviceView>,
        next: Option<&'static str>,
        /// Which device has just been removed, or that all were.
        done: Option<&'static str>,
        has_several: bool,
        has_visit: bool,
        /// What is looking cannot be enrolled, and might have been.
        is_refused: bool,
    }
    let Some(user) = visitor.owner() else { return Ok(visitor.send_on()) };
    let (id, now) = (user.id, visitor.app.now());
    let found = visitor.app.read(move |conn| devices::of_user(conn, id).map_err(Error::from)).await?;
    let mut devices = found.iter().map(|device| DeviceView::of(device, now)).collect::<Result<Vec<_>, _>>().map_err(Error::from)?;
    for (device, row) in devices.iter_mut().zip(&found) {
        device.may_remove = row.state == EnrollmentState::Enrolled;
        device.is_this = visitor.enrolled.as_ref().is_some_and(|enrolled| enrolled.device == device.id);
    }
    let has_visit = visitor.user().is_some();
    let next = Some(visitor.standing()).filter(|address| has_visit && *address != "/devices");
    let done = match query.done.as_str() {
        "removed" => Some("The device was removed. Its access has ended."),
        "all" => Some("All your devices were removed. Their access has ended."),
        _ => None,
    };
    let has_several = devices.iter().filter(|device| device.may_remove).count() > 1;
    let is_refused = !visitor.may_enroll && visitor.browser.walker() == Walker::Android;
    let view = View { email: &user.email, devices, next, done, has_several, has_visit, is_refused };
    Ok(visitor.page(StatusCode::OK, "portal/devices", &visitor.frame("Your devices"), &view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_the_way_people_tell_them() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let told = |seconds: i64| ago(now.plus_seconds(-seconds), now);
        assert_eq!(told(5), "Less than a minute ago");
        assert_eq!(told(61), "A minute ago");
        assert_eq!(told(3_599), "59 minutes ago");
        assert_eq!(told(3_700), "An hour ago");
        assert_eq!(told(86_399), "23 hours ago");
        assert_eq!(told(86_400), "20 September 2026, 14:13 UTC");
        assert_eq!(told(-100), "Less than a minute ago");
    }
}
