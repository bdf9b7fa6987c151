//! The enrollment of the browser itself: the page that explains it and asks for the address, and what follows the right code.

use actix_web::{HttpRequest, HttpResponse, cookie::Cookie, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    browser::Family,
    devices::date,
    limit::Limiter,
    problem::Problem,
    return_to::own_address,
    visitor::{Visitor, see},
};
use crate::{
    domain::{backend::Backend, browser::MANY_A_WEEK, enrollment::VISIT_SECONDS, id::VisitId, user::normalize_address},
    http::{browser_cookie, client::client_address, prose::sentence},
    service::{Error, enroll::Step, identify::CodeAsked},
    store::visits::Visit,
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct BrowserQuery {
    /// Where the person wanted to go.
    #[serde(default, rename = "return")]
    return_to: String,
    #[serde(default)]
    note: String,
}

/// The address form.
#[derive(Debug, Deserialize)]
pub struct AddressForm {
    email: String,
    #[serde(default, rename = "return")]
    return_to: String,
}

#[derive(Debug, Default, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is one part of the page that is shown or not")]
struct BrowserView {
    name: String,
    email: String,
    /// For how long it lasts, in words.
    duration: String,
    return_to: String,
    error: Option<String>,
    /// Until when the enrollment lasts, where the browser is enrolled.
    until: Option<String>,
    is_new: bool,
    is_off: bool,
    is_proved: bool,
    is_unknown: bool,
    forgets: bool,
}

/// `GET /browser`
pub async fn get_browser(visitor: Visitor, query: web::Query<BrowserQuery>) -> Result<HttpResponse, Problem> {
    let return_to = own_address(visitor.app.public_url(), &query.return_to).unwrap_or_default();
    let mut view = BrowserView { return_to, is_new: query.note == "done", ..BrowserView::default() };
    if let Some(enrolled) = &visitor.enrolled {
        view.email.clone_from(&enrolled.user.email);
        view.name.clone_from(&enrolled.name);
        view.until = Some(date(enrolled.expires_at));
        view.forgets = visitor.app.browsers_enrolled_this_week(enrolled.user.id).await? > MANY_A_WEEK;
    } else {
        view.email = visitor.visit().and_then(|visit| visit.email.clone()).unwrap_or_default();
    }
    show(&visitor, view, StatusCode::OK).await
}

async fn show(visitor: &Visitor, mut view: BrowserView, status: StatusCode) -> Result<HttpResponse, Problem> {
    view.duration = match visitor.app.settings().await?.browser_enrollment_days {
        1 => "one day".into(),
        days => format!("{days} days"),
    };
    view.is_off = !visitor.offers_browsers;
    view.is_proved |= visitor.user().is_some();
    view.is_unknown = visitor.browser.family == Family::Other;
    if view.name.is_empty() {
        view.name = visitor.facts().name;
    }
    let is_enrolled = view.until.is_some();
    let title = match (is_enrolled, view.is_off) {
        (true, _) => "This browser is enrolled",
        (false, true) => "Browsers are not enrolled here",
        (false, false) => "Enroll this browser",
    };
    let mut frame = visitor.frame(title);
    frame.has_error = view.error.is_some();
    frame.mark = is_enrolled.then_some("browser-enrolled");
    let mut response = visitor.page(status, "portal/browser", &frame, &view);
    if !visitor.has_cookie {
        // A cookie that is too long for a header is none; ours never is.
        let _ = response.add_cookie(&visitor.probe());
    }
    Ok(response)
}

/// `POST /browser`: sends a code, if somebody has the address; the answer is the same if nobody does.
pub async fn post_address(
    visitor: Visitor,
    request: HttpRequest,
    limiter: web::Data<Limiter>,
    form: web::Form<AddressForm>,
) -> Result<HttpResponse, Problem> {
    limiter.admit(client_address(&request), visitor.app.now()).map_err(Problem::too_many)?;
    must_be_possible(&visitor)?;
    let return_to = own_address(visitor.app.public_url(), &form.return_to);
    if let Err(why) = normalize_address(&form.email) {
        return ask_again(&visitor, form.into_inner(), &why.to_string()).await;
    }
    let (visit, cookie) = visit_for(&visitor, return_to).await?;
    let asked = match visitor.app.ask_code(visit, &form.email).await {
        Ok(asked) => asked,
        Err(Error::Invalid { why, .. }) => return ask_again(&visitor, form.into_inner(), &why).await,
        Err(error) => return Err(error.into()),
    };
    let mut response = see(match asked {
        CodeAsked::Sent => "/enroll/code",
        CodeAsked::TooMany => "/enroll/code?note=wait",
    });
    if let Some(cookie) = cookie {
        let _ = response.add_cookie(&cookie);
    }
    Ok(response)
}

/// `POST /browser/enroll`: enrolls the browser of somebody who has proved their mailbox already.
pub async fn post_enroll(visitor: Visitor, form: web::Form<ReturnForm>) -> Result<HttpResponse, Problem> {
    must_be_possible(&visitor)?;
    let Some(visit) = visitor.visit().filter(|_| visitor.user().is_some()) else { return Ok(see("/browser")) };
    let return_to = own_address(visitor.app.public_url(), &form.return_to);
    Ok(enroll(&visitor, visit.id, return_to.as_deref()).await?)
}

/// Where the person wanted to go.
#[derive(Debug, Deserialize)]
pub struct ReturnForm {
    #[serde(default, rename = "return")]
    return_to: String,
}

/// What follows the right code: the browser gets its cookie, and the person goes where they wanted to.
pub(super) async fn finish(visitor: &Visitor) -> Result<HttpResponse, Problem> {
    let Some(visit) = visitor.visit() else { return Ok(see("/browser")) };
    match enroll(visitor, visit.id, visit.return_to.as_deref()).await {
        Err(Error::Denied(why)) => refuse(visitor, visit, &why).await,
        other => Ok(other?),
    }
}

/// Says why the browser is not enrolled though the mailbox was proved. The visit gets another cookie all the same: whoever planted
/// the one before does not share in what was proved.
async fn refuse(visitor: &Visitor, visit: &Visit, why: &str) -> Result<HttpResponse, Problem> {
    let secret = visitor.app.renew_visit_cookie(visit.id).await?;
    let view = BrowserView {
        email: visit.email.clone().unwrap_or_default(),
        return_to: visit.return_to.clone().unwrap_or_default(),
        error: Some(sentence(why)),
        is_proved: true,
        ..BrowserView::default()
    };
    let mut response = show(visitor, view, StatusCode::FORBIDDEN).await?;
    let _ = response.add_cookie(&visitor.cookie(secret, visit.expires_at));
    Ok(response)
}

async fn enroll(visitor: &Visitor, visit: VisitId, return_to: Option<&str>) -> Result<HttpResponse, Error> {
    let secret = visitor.app.enroll_browser(visit, visitor.facts(), visitor.browser_secret.clone()).await?;
    let mut response = see(return_to.unwrap_or("/browser?note=done"));
    let _ = response.add_cookie(&browser_cookie::make(&visitor.app, secret));
    let _ = response.add_cookie(&visitor.probe());
    Ok(response)
}

/// A form is taken only in a browser that keeps cookies, and where the organization enrolls browsers.
fn must_be_possible(visitor: &Visitor) -> Result<(), Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    if !visitor.offers_browsers {
        let text = "The organization does not enroll browsers at the moment. Protected links and pages work without it.";
        return Err(Problem::new(StatusCode::CONFLICT, "Browsers are not enrolled here", text));
    }
    Ok(())
}

/// The visit that there is, where it is about this browser and leads to the same place; or a new one with its cookie.
async fn visit_for(visitor: &Visitor, return_to: Option<String>) -> Result<(VisitId, Option<Cookie<'static>>), Problem> {
    let is_waiting = matches!(visitor.step(), Step::Address | Step::Code);
    let fits = |visit: &&Visit| visit.backend == Some(Backend::Browser) && visit.return_to == return_to;
    if let Some(visit) = visitor.visit().filter(fits).filter(|_| is_waiting) {
        return Ok((visit.id, None));
    }
    let (secret, visit) = visitor.app.begin_browser_visit(return_to).await?;
    Ok((visit.id, Some(visitor.cookie(secret, visitor.app.now().plus_seconds(VISIT_SECONDS)))))
}

async fn ask_again(visitor: &Visitor, form: AddressForm, why: &str) -> Result<HttpResponse, Problem> {
    let return_to = own_address(visitor.app.public_url(), &form.return_to).unwrap_or_default();
    let view = BrowserView { email: form.email, return_to, error: Some(sentence(why)), ..BrowserView::default() };
    show(visitor, view, StatusCode::BAD_REQUEST).await
}
