//! Signing in and out.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, web};
use serde::{Deserialize, Serialize};

use super::see;
use crate::{
    http::{
        client::client_address,
        extract::{
            admin::{Admin, session_cookie},
            form::{Form, NoFields},
        },
        page,
        portal::limit::{SignIns, network_of},
        problem::Problem,
        prose::sentence,
    },
    service::{App, Error, sign_in::Origin},
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct SignInQuery {
    next: Option<String>,
    note: Option<String>,
}

/// The form.
#[derive(Debug, Deserialize)]
pub struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Debug, Default, Serialize)]
struct SignInView {
    organization: String,
    email: String,
    next: String,
    error: Option<String>,
    needs_setup: bool,
    has_signed_out: bool,
}

/// `GET /console/sign-in`
pub async fn get_sign_in(app: web::Data<App>, admin: Option<Admin>, query: web::Query<SignInQuery>) -> Result<HttpResponse, Problem> {
    let next = safe_next(query.next.as_deref().unwrap_or_default());
    if admin.is_some() {
        return Ok(see(&next));
    }
    let needs_setup = app.needs_setup().await?;
    let has_signed_out = query.note.as_deref() == Some("out");
    show(&app, StatusCode::OK, SignInView { next, needs_setup, has_signed_out, ..SignInView::default() }).await
}

/// `POST /console/sign-in`
pub async fn post_sign_in(
    app: web::Data<App>,
    request: HttpRequest,
    limiter: web::Data<SignIns>,
    form: web::Form<SignInForm>,
) -> Result<HttpResponse, Problem> {
    limiter.0.admit(client_address(&request), app.now()).map_err(Problem::too_many)?;
    let SignInForm { email, password, next } = form.into_inner();
    let next = safe_next(&next);
    let app = app.into_inner();
    match app.sign_in(&email, password, origin_of(&request)).await {
        Ok(secret) => {
            let mut response = see(&next);
            // A cookie that is too long for a header is none; ours never is.
            let _ = response.add_cookie(&session_cookie(&app, secret));
            Ok(response)
        }
        Err(error @ (Error::Denied(_) | Error::TooMany { .. })) => {
            let status = if matches!(error, Error::Denied(_)) { StatusCode::FORBIDDEN } else { StatusCode::TOO_MANY_REQUESTS };
            let view = SignInView { email, next, error: Some(sentence(&error.to_string())), ..SignInView::default() };
            show(&app, status, view).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/sign-out`
pub async fn post_sign_out(form: Form<NoFields>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    admin.app.end_session(admin.actor.clone(), admin.session.id, Some(admin.user.id)).await?;
    let mut response = see("/console/sign-in?note=out");
    // As above.
    let _ = response.add_cookie(&session_cookie(&admin.app, String::new()));
    Ok(response)
}

async fn show(app: &App, status: StatusCode, mut view: SignInView) -> Result<HttpResponse, Problem> {
    view.organization = app.settings().await?.organization;
    Ok(page::render(status, "console/sign_in", &page::Frame::default(), &view, app.public_url().starts_with("https://")))
}

/// From where a request comes.
pub(super) fn origin_of(request: &HttpRequest) -> Origin {
    let browser = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = client_address(request);
    Origin { address: address.to_string(), network: network_of(address).to_string(), browser: browser.to_owned() }
}

/// Where to go after signing in: to a page of the console and nowhere else.
fn safe_next(next: &str) -> String {
    let is_ours =
        next.starts_with("/console/") && next.chars().all(|letter| letter.is_ascii_graphic() && letter != '\\') && !next.contains("//");
    if is_ours { next.to_owned() } else { "/console/".into() }
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        assert_eq!(safe_next("/console/devices?os=ios"), "/console/devices?os=ios");
        for foreign in [
            "",
            "https://evil.example",
            "//evil.example",
            "/console//evil.example",
            "/\\evil.example",
            "/console/\\x",
            "/console/\u{7}",
            "/api/v1",
        ] {
            assert_eq!(safe_next(foreign), "/console/", "{foreign}");
        }
    }
}
