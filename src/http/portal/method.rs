//! The page that asks how an Android device shall be managed, and says of each way in plain words what it can do and what it needs.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{backend::Backend, device::Ownership},
    service::{android::method::Walker, enroll::Step},
};

/// The form.
#[derive(Debug, Deserialize)]
pub struct MethodForm {
    method: Option<String>,
}

#[derive(Serialize)]
struct Choice {
    word: &'static str,
    name: &'static str,
    can: &'static str,
    needs: &'static str,
    is_chosen: bool,
}

#[derive(Serialize)]
struct MethodView<'a> {
    organization: &'a str,
    email: &'a str,
    is_company: bool,
    is_computer: bool,
    choices: Vec<Choice>,
    error: Option<&'static str>,
}

/// `GET /enroll/method`. Also for those who have chosen already and have not begun, so that they can think again.
pub async fn get_method(visitor: Visitor) -> HttpResponse {
    if may_choose(&visitor) { show(&visitor, None) } else { visitor.send_on() }
}

fn may_choose(visitor: &Visitor) -> bool {
    let has_choice = visitor.methods().len() > 1 || visitor.step() == Step::Method || visitor.browser.walker() == Walker::Computer;
    visitor.may_enroll && has_choice && matches!(visitor.step(), Step::Method | Step::Consent | Step::Profile)
}

fn show(visitor: &Visitor, error: Option<&'static str>) -> HttpResponse {
    let chosen = visitor.progress.as_ref().and_then(|progress| progress.method);
    let (methods, ownership) = (visitor.methods(), visitor.ownership());
    let choice = |method: &Backend| {
        let (name, can, needs) = words(*method, ownership);
        Choice { word: method.as_str(), name, can, needs, is_chosen: chosen == Some(*method) || methods.len() == 1 }
    };
    let view = MethodView {
        organization: &visitor.organization,
        email: visitor.user().map(|user| user.email.as_str()).unwrap_or_default(),
        is_company: ownership == Ownership::Company,
        is_computer: visitor.browser.walker() == Walker::Computer,
        choices: methods.iter().map(choice).collect(),
        error,
    };
    let title = if view.is_computer { "Set up a phone of the company" } else { "How shall this device be managed?" };
    let mut frame = visitor.walk_frame(title, Step::Method);
    frame.has_error = error.is_some();
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    visitor.page(status, "portal/method", &frame, &view)
}

/// What a way is called, what it can do, and what it needs.
const fn words(method: Backend, ownership: Ownership) -> (&'static str, &'static str, &'static str) {
    match (method, ownership) {
        (Backend::Agent, Ownership::Personal) => (
            "With the agent app",
            "Work gets a profile of its own, apart from your things. The app sees whether your screen lock suffices, and can remove the work profile. It cannot erase the device.",
            "The agent app on this device, and about five minutes.",
        ),
        (Backend::Agent, Ownership::Company) => (
            "With the agent app",
            "The app keeps the device to the rules and reports how it stands. Where the device was set up with it as a whole, it can also lock and erase the device.",
            "The agent app on this device, and about five minutes.",
        ),
        (Backend::Headwind, _) => (
            "As a new phone, set up with a QR code",
            "A phone that is new or was reset is managed as a whole from the first minute: rules, apps, lock, and erasing it when it is lost.",
            "A phone that is new or was reset, which erases everything on it; a wireless network; and this screen, from which the phone reads the code.",
        ),
        _ => (
            "With a certificate only",
            "A certificate in the Settings of this device says whose device it is. Nothing is managed: nobody can see, change or remove anything on it.",
            "This browser, the Settings of the device, and a screen lock. Where more has to be known of a device, it may not be let in.",
        ),
    }
}

/// `POST /enroll/method`: notes the choice.
pub async fn post_method(visitor: Visitor, form: web::Form<MethodForm>) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(visit) = visitor.visit().filter(|_| may_choose(&visitor)) else { return Ok(visitor.send_on()) };
    let chosen = form.method.as_deref().and_then(|word| word.parse::<Backend>().ok());
    match chosen.filter(|method| visitor.methods().contains(method)) {
        Some(method) => {
            visitor.app.choose_method(visit.id, visitor.browser.walker(), method).await?;
            Ok(see("/enroll/consent"))
        }
        None => Ok(show(&visitor, Some("Choose one of the ways that are listed here."))),
    }
}
