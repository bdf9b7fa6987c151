//! Protected links: followed in an enrolled browser only, and recorded for the person who enrolled it.

use actix_web::{HttpRequest, HttpResponse, http::Method, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    enter::go_on,
    file,
    limit::Limiter,
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::link::{LinkEventKind, is_inside},
    http::client::client_address,
    service::{browser::IdentifiedBrowser, links::Standing},
    store::links::Link,
};

/// What the page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It shows where the link leads.
    Target,
    /// It asks whether that looks safe.
    Question,
    /// It thanks for the answer.
    Thanks(LinkEventKind),
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is one part of the page that is shown or not")]
struct LinkView {
    token: String,
    target: String,
    host: String,
    is_insecure: bool,
    /// The person is asked what they think of it.
    asks: bool,
    says_safe: bool,
    says_unsafe: bool,
    email: String,
}

/// What the person thinks of the target.
#[derive(Debug, Deserialize)]
pub struct AnswerForm {
    answer: String,
}

/// What stands behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct LinkQuery {
    /// The browser comes from its enrollment.
    #[serde(default)]
    enrolled: String,
    /// The person has just had a file sent.
    #[serde(default)]
    sent: String,
}

/// `GET /l/{token}`: to the target, or to the page that shows it first; or to the page of the file.
pub async fn get_link(
    visitor: Visitor,
    request: HttpRequest,
    limiter: web::Data<Limiter>,
    token: web::Path<String>,
    query: web::Query<LinkQuery>,
) -> Result<HttpResponse, Problem> {
    let link = good(&visitor, &request, &limiter, &token).await?;
    let settings = visitor.app.settings().await?;
    if link.file().is_some() {
        return get_file(&visitor, &token, &link, &query, settings.browser_enrollment_enabled).await;
    }
    let is_ours = is_ours(&link, &settings.browser_enrollment_domains);
    if !settings.browser_enrollment_enabled {
        return Ok(if is_ours { leave(&link) } else { show(&visitor, &token, &link, Purpose::Target) });
    }
    let Some(browser) = &visitor.enrolled else { return Ok(ask_who(&token)) };
    let leads_on = !settings.browser_enrollment_awareness && is_ours;
    if !query.enrolled.is_empty() {
        let here = format!("/l/{token}");
        return Ok(if leads_on { go_on(&visitor, &host_of(&link).unwrap_or_default(), here) } else { see(&here) });
    }
    if leads_on {
        return go(&visitor, &request, &link, browser).await;
    }
    let purpose = if settings.browser_enrollment_awareness { Purpose::Question } else { Purpose::Target };
    Ok(show(&visitor, &token, &link, purpose))
}

/// The page of the file that a link stands for. Nobody is asked whether it looks safe: there is no target to judge.
async fn get_file(visitor: &Visitor, token: &str, link: &Link, query: &LinkQuery, is_on: bool) -> Result<HttpResponse, Problem> {
    if !is_on {
        return Err(file::off());
    }
    let Some(browser) = &visitor.enrolled else { return Ok(ask_who(token)) };
    if !query.enrolled.is_empty() {
        return Ok(see(&format!("/l/{token}")));
    }
    file::show(visitor, token, link, browser, !query.sent.is_empty()).await
}

/// `GET /l/{token}/go`: to the target, after it was shown.
pub async fn get_go(
    visitor: Visitor,
    request: HttpRequest,
    limiter: web::Data<Limiter>,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let link = target_of(good(&visitor, &request, &limiter, &token).await?)?;
    let settings = visitor.app.settings().await?;
    if !settings.browser_enrollment_enabled {
        return Ok(leave(&link));
    }
    let Some(browser) = &visitor.enrolled else { return Ok(ask_who(&token)) };
    if settings.browser_enrollment_awareness && !visitor.app.has_answered(link.id, browser.user.id).await? {
        return Ok(see(&format!("/l/{token}")));
    }
    go(&visitor, &request, &link, browser).await
}

/// `POST /l/{token}`: records whether the person thinks that the target is safe.
pub async fn post_answer(
    visitor: Visitor,
    request: HttpRequest,
    limiter: web::Data<Limiter>,
    token: web::Path<String>,
    form: web::Form<AnswerForm>,
) -> Result<HttpResponse, Problem> {
    let link = target_of(good(&visitor, &request, &limiter, &token).await?)?;
    let Some(browser) = &visitor.enrolled else { return Ok(ask_who(&token)) };
    let kind = match form.answer.as_str() {
        "safe" => LinkEventKind::LooksSafe,
        "unsafe" => LinkEventKind::LooksUnsafe,
        _ => return Err(Problem::of_status(StatusCode::BAD_REQUEST)),
    };
    visitor.app.note_link(link.id, browser, kind).await?;
    Ok(show(&visitor, &token, &link, Purpose::Thanks(kind)))
}

/// The link of a token, as long as it is good.
pub(super) async fn good(visitor: &Visitor, request: &HttpRequest, limiter: &Limiter, token: &str) -> Result<Link, Problem> {
    limiter.admit(client_address(request), visitor.app.now()).map_err(Problem::too_many)?;
    match visitor.app.link_of(token).await? {
        Standing::Good(link) => Ok(*link),
        Standing::Unknown => Err(Problem::of_status(StatusCode::NOT_FOUND)),
        Standing::Ended => {
            let text = "Its time is over, or it was withdrawn. Ask whoever sent it to you for another one.";
            Err(Problem::new(StatusCode::GONE, "This link has ended", text))
        }
    }
}

/// The link, if it leads to a target: a file leads nowhere.
fn target_of(link: Link) -> Result<Link, Problem> {
    if link.file().is_some() { Err(Problem::of_status(StatusCode::NOT_FOUND)) } else { Ok(link) }
}

/// Whether the target belongs to the organization, so that nobody has to be shown where they go.
fn is_ours(link: &Link, domains: &[String]) -> bool {
    host_of(link).is_some_and(|host| is_inside(&host, domains))
}

fn host_of(link: &Link) -> Option<String> {
    url::Url::parse(&link.target).ok().and_then(|url| url.host_str().map(str::to_owned))
}

/// To where the browser is enrolled, and back.
pub(super) fn ask_who(token: &str) -> HttpResponse {
    see(&format!("/browser?return=/l/{token}%3Fenrolled%3Dyes"))
}

fn leave(link: &Link) -> HttpResponse {
    see(&link.target)
}

/// Records that the link was opened, and leaves. Whoever only asks what there is has opened nothing.
async fn go(visitor: &Visitor, request: &HttpRequest, link: &Link, browser: &IdentifiedBrowser) -> Result<HttpResponse, Problem> {
    if *request.method() == Method::GET {
        visitor.app.note_link(link.id, browser, LinkEventKind::Opened).await?;
    }
    Ok(leave(link))
}

/// Shows where the link leads.
fn show(visitor: &Visitor, token: &str, link: &Link, purpose: Purpose) -> HttpResponse {
    let view = LinkView {
        token: token.to_owned(),
        host: host_of(link).unwrap_or_default(),
        is_insecure: link.target.starts_with("http://"),
        target: link.target.clone(),
        asks: purpose == Purpose::Question,
        says_safe: purpose == Purpose::Thanks(LinkEventKind::LooksSafe),
        says_unsafe: purpose == Purpose::Thanks(LinkEventKind::LooksUnsafe),
        email: visitor.enrolled.as_ref().map(|browser| browser.user.email.clone()).unwrap_or_default(),
    };
    let title = if view.asks { "Does this look safe to you?" } else { "You are about to leave" };
    let mut frame = visitor.frame(title);
    frame.mark = Some("link-target");
    visitor.page(StatusCode::OK, "portal/protected", &frame, &view)
}
