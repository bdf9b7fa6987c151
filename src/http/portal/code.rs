//! The page that asks for the code from the mail.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    enroll_browser,
    limit::Limiter,
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::enrollment::{CODE_SECONDS, CODE_TRIES},
    http::client::client_address,
    service::{
        enroll::Step,
        identify::{CodeAsked, CodeTried},
    },
};

/// What may stand behind the question mark.
#[derive(Debug, Deserialize)]
pub struct CodeQuery {
    note: Option<String>,
}

/// The code form.
#[derive(Debug, Deserialize)]
pub struct CodeForm {
    code: String,
}

#[derive(Serialize)]
struct CodeView<'a> {
    email: &'a str,
    minutes: i64,
    tries: i32,
    was_sent_again: bool,
    must_wait: bool,
    error: Option<&'static str>,
    /// Where another address can be typed in.
    start: &'static str,
}

const WRONG: &str = "That code did not work. Use the newest mail, and check that every digit is right.";
const NEEDS_NEW: &str = "That code does not work any more: it was tried too often, it is too old, or a newer one was sent. \
                         Ask for a new code below.";

/// `GET /enroll/code`
pub async fn get_code(visitor: Visitor, query: web::Query<CodeQuery>) -> HttpResponse {
    if visitor.step() == Step::Code { show(&visitor, query.note.as_deref(), None) } else { visitor.send_on() }
}

fn show(visitor: &Visitor, note: Option<&str>, error: Option<&'static str>) -> HttpResponse {
    let view = CodeView {
        email: visitor.visit().and_then(|visit| visit.email.as_deref()).unwrap_or_default(),
        minutes: CODE_SECONDS / 60,
        tries: CODE_TRIES,
        was_sent_again: note == Some("sent"),
        must_wait: note == Some("wait"),
        error,
        start: if visitor.enrolls_browser() { "/browser" } else { "/" },
    };
    let mut frame = visitor.walk_frame("Type in the code", Step::Code);
    frame.has_error = error.is_some();
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    visitor.page(status, "portal/code", &frame, &view)
}

/// `POST /enroll/code`: tries a code. The right one proves the mailbox, and the visit gets another cookie.
pub async fn post_code(
    visitor: Visitor,
    request: HttpRequest,
    limiter: web::Data<Limiter>,
    form: web::Form<CodeForm>,
) -> Result<HttpResponse, Problem> {
    limiter.admit(client_address(&request), visitor.app.now()).map_err(Problem::too_many)?;
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(visit) = visitor.visit().filter(|_| visitor.step() == Step::Code) else { return Ok(visitor.send_on()) };
    match visitor.app.try_code(visit.id, &form.code).await? {
        CodeTried::Wrong => Ok(show(&visitor, None, Some(WRONG))),
        CodeTried::NeedsNew => Ok(show(&visitor, None, Some(NEEDS_NEW))),
        CodeTried::Proved if visitor.enrolls_browser() => enroll_browser::finish(&visitor).await,
        CodeTried::Proved => {
            let secret = visitor.app.renew_visit_cookie(visit.id).await?;
            let mut response = see(visitor.look_again(secret.clone()).await?.standing());
            let _ = response.add_cookie(&visitor.cookie(secret, visit.expires_at));
            Ok(response)
        }
    }
}

/// `POST /enroll/resend`: sends another code to the same address.
pub async fn post_resend(visitor: Visitor, request: HttpRequest, limiter: web::Data<Limiter>) -> Result<HttpResponse, Problem> {
    limiter.admit(client_address(&request), visitor.app.now()).map_err(Problem::too_many)?;
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let known = visitor.visit().filter(|_| visitor.step() == Step::Code);
    let Some((id, email)) = known.and_then(|visit| visit.email.clone().map(|email| (visit.id, email))) else {
        return Ok(visitor.send_on());
    };
    Ok(see(match visitor.app.ask_code(id, &email).await? {
        CodeAsked::Sent => "/enroll/code?note=sent",
        CodeAsked::TooMany => "/enroll/code?note=wait",
    }))
}
