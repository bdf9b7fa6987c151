//! The first page: what this is, the question for the mail address, and a way back for those who were interrupted.

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    browser::Device,
    limit::Limiter,
    problem::Problem,
    qr,
    visitor::{self, Visitor, see},
};
use crate::{
    domain::{backend::Backend, enrollment::VISIT_SECONDS, id::VisitId, user::normalize_address},
    http::{client::client_address, prose::sentence},
    service::{
        Error,
        android::method::Walker,
        enroll::Step,
        identify::{CodeAsked, Link},
    },
    store::invitations::Invitation,
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct StartQuery {
    note: Option<String>,
    device: Option<String>,
}

/// The address form.
#[derive(Debug, Deserialize)]
pub struct AddressForm {
    email: String,
    /// The secret of the invitation's link, where the form was reached by one.
    #[serde(default)]
    invitation: String,
}

/// What the first page shows.
#[derive(Debug, Default, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is one paragraph that is shown or not")]
struct StartView {
    device: &'static str,
    needs_safari: bool,
    is_unrecognized: bool,
    has_ended: bool,
    is_invited: bool,
    resume: Option<Resume>,
    asks_address: bool,
    email: String,
    invitation: String,
    error: Option<String>,
    own_address: String,
    ipad_address: Option<String>,
    tablet_address: Option<String>,
    is_android: bool,
    qr: Option<String>,
    offers_browser: bool,
    /// Whose browser this is, if it is enrolled.
    browser_of: Option<String>,
}

#[derive(Debug, Serialize)]
struct Resume {
    address: &'static str,
    text: &'static str,
}

/// `GET /`
pub async fn get_start(visitor: Visitor, query: web::Query<StartQuery>) -> HttpResponse {
    let email = visitor.visit().and_then(|visit| visit.email.clone()).unwrap_or_default();
    let view = StartView {
        email,
        has_ended: query.note.as_deref() == Some("ended"),
        own_address: format!("{}/", visitor.app.public_url()),
        ..StartView::default()
    };
    show(visitor, view, query.device.as_deref(), StatusCode::OK)
}

/// `GET /enroll/{token}`: the link of an invitation. Looking uses nothing up.
pub async fn get_invitation(visitor: Visitor, token: web::Path<String>, query: web::Query<StartQuery>) -> Result<HttpResponse, Problem> {
    let token = token.into_inner();
    match visitor.app.invitation_link(&token).await? {
        Link::Good(found) => {
            let view = StartView {
                email: found.1.email,
                is_invited: true,
                own_address: format!("{}/enroll/{token}", visitor.app.public_url()),
                invitation: token,
                ..StartView::default()
            };
            Ok(show(visitor, view, query.device.as_deref(), StatusCode::OK))
        }
        Link::Expired => Ok(dead_link(&visitor, true)),
        Link::Unknown => Ok(dead_link(&visitor, false)),
    }
}

/// The page for a link that leads nowhere: what to do about it is the same whether it has ended or never was.
fn dead_link(visitor: &Visitor, has_expired: bool) -> HttpResponse {
    #[derive(Serialize)]
    struct View {
        has_expired: bool,
    }
    let (status, title) =
        if has_expired { (StatusCode::GONE, "This invitation has expired") } else { (StatusCode::NOT_FOUND, "This link does not work") };
    let mut frame = visitor.frame(title);
    frame.has_error = true;
    visitor.page(status, "portal/link", &frame, &View { has_expired })
}

/// Shows the first page in the form that suits the device.
fn show(mut visitor: Visitor, mut view: StartView, claimed: Option<&str>, status: StatusCode) -> HttpResponse {
    let told = claimed.and_then(|word| Some((word, visitor::claimed(visitor.browser.device, word)?)));
    if let Some((_, device)) = told {
        // What can be enrolled from there is asked on the next page, when the browser says it by a cookie.
        (visitor.browser.device, visitor.may_enroll) = (device, true);
    }
    view.resume = resume(&visitor);
    view.offers_browser = visitor.offers_browsers;
    view.browser_of = visitor.enrolled.as_ref().map(|enrolled| enrolled.user.email.clone());
    view.asks_address = matches!(visitor.step(), Step::Address | Step::Code);
    view.device = device_word(visitor.browser.device);
    view.needs_safari = visitor.browser.needs_safari();
    view.is_unrecognized = visitor.browser.device == Device::Unknown;
    let path = view.own_address.strip_prefix(visitor.app.public_url()).unwrap_or("/").to_owned();
    view.ipad_address = (visitor.browser.device == Device::Mac).then(|| format!("{path}?device=ipad"));
    view.tablet_address = (visitor.browser.device == Device::Computer).then(|| format!("{path}?device=android"));
    view.qr = (visitor.browser.walker() == Walker::Computer).then(|| qr::data_address(&view.own_address)).flatten();
    view.is_android = visitor.browser.device == Device::Android;
    let (template, title) = match visitor.browser.device {
        Device::Iphone | Device::Ipad | Device::Unknown => ("portal/start", "Enroll your device"),
        Device::Android if visitor.may_enroll => ("portal/start", "Enroll your device"),
        Device::Mac | Device::Computer => ("portal/computer", "Enroll your phone or tablet"),
        Device::Android | Device::OtherPhone => ("portal/unsupported", "This device cannot be enrolled"),
    };
    let mut frame = if template == "portal/start" { visitor.walk_frame(title, Step::Address) } else { visitor.frame(title) };
    frame.has_error = view.error.is_some();
    let mut response = visitor.page(status, template, &frame, &view);
    if !visitor.has_cookie || view.has_ended {
        // A cookie that is too long for a header is none; ours never is.
        let _ = response.add_cookie(&visitor.probe());
    }
    if let Some((word, _)) = told {
        let _ = response.add_cookie(&visitor.device_cookie(word));
    }
    response
}

/// The way back for those who were interrupted.
fn resume(visitor: &Visitor) -> Option<Resume> {
    let is_apple = visitor.method() == Backend::Apple;
    let text = match visitor.step() {
        Step::Address => return None,
        Step::Code => "You have asked for a code. Go on by typing it in.",
        Step::Method | Step::Consent | Step::Profile if !visitor.may_enroll => "You have proved your address. Go on to your devices.",
        Step::Method => "You have proved your address. Go on by choosing how the device shall be managed.",
        Step::Consent => "You have proved your address. Go on by reading what will happen.",
        Step::Profile if !is_apple => "You have agreed. Go on by activating the device.",
        Step::Profile => "You have agreed. Go on by downloading the profile.",
        Step::Install | Step::Installing if !is_apple => "The device is being activated. See how far it has come.",
        Step::Install | Step::Installing => "The profile was downloaded. Go on by installing it.",
        Step::Done => "Your device is enrolled. See how it stands.",
        Step::TooLate if !is_apple => "The activation was not completed in time. See what to do.",
        Step::TooLate => "The profile was not installed in time. See what to do.",
    };
    Some(Resume { address: visitor.standing(), text })
}

const fn device_word(device: Device) -> &'static str {
    match device {
        Device::Iphone => "iPhone",
        Device::Ipad => "iPad",
        Device::Mac => "Mac",
        Device::Android => "Android device",
        Device::OtherPhone => "phone",
        Device::Computer => "computer",
        Device::Unknown => "device",
    }
}

/// `POST /enroll/address`: sends a code, if somebody has the address; the answer is the same if nobody does.
pub async fn post_address(
    visitor: Visitor,
    request: actix_web::HttpRequest,
    limiter: web::Data<Limiter>,
    form: web::Form<AddressForm>,
) -> Result<HttpResponse, Problem> {
    limiter.admit(client_address(&request), visitor.app.now()).map_err(Problem::too_many)?;
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    if !matches!(visitor.step(), Step::Address | Step::Code) {
        return Ok(visitor.send_on());
    }
    if let Err(why) = normalize_address(&form.email) {
        return Ok(ask_again(visitor, form.into_inner(), &why.to_string()));
    }
    let invitation = invitation_of(&visitor, &form.invitation).await?;
    let (visit, cookie) = visit_for(&visitor, invitation).await?;
    let asked = match visitor.app.ask_code(visit, &form.email).await {
        Ok(asked) => asked,
        Err(Error::Invalid { why, .. }) => return Ok(ask_again(visitor, form.into_inner(), &why)),
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

async fn invitation_of(visitor: &Visitor, token: &str) -> Result<Option<Invitation>, Problem> {
    if token.is_empty() {
        return Ok(None);
    }
    Ok(match visitor.app.invitation_link(token).await? {
        Link::Good(found) => Some(found.0),
        Link::Expired | Link::Unknown => None,
    })
}

/// The visit that there is; or a new one with its cookie, where there is none or it came by another invitation.
async fn visit_for(
    visitor: &Visitor,
    invitation: Option<Invitation>,
) -> Result<(VisitId, Option<actix_web::cookie::Cookie<'static>>), Problem> {
    let wanted = invitation.as_ref().map(|invitation| invitation.id);
    if let Some(visit) = visitor.visit().filter(|visit| wanted.is_none() || visit.invitation_id == wanted) {
        return Ok((visit.id, None));
    }
    let (secret, visit) = visitor.app.begin_visit(invitation).await?;
    let cookie = visitor.cookie(secret, visitor.app.now().plus_seconds(VISIT_SECONDS));
    Ok((visit.id, Some(cookie)))
}

fn ask_again(visitor: Visitor, form: AddressForm, why: &str) -> HttpResponse {
    let path = if form.invitation.is_empty() { String::new() } else { format!("enroll/{}", form.invitation) };
    let own_address = format!("{}/{path}", Arc::clone(&visitor.app).public_url());
    let view = StartView {
        email: form.email,
        is_invited: !form.invitation.is_empty(),
        invitation: form.invitation,
        error: Some(sentence(why)),
        own_address,
        ..StartView::default()
    };
    show(visitor, view, None, StatusCode::BAD_REQUEST)
}
