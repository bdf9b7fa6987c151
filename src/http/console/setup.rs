//! The first administrator, created through the one-time address that the server prints as long as there is none.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{see, session::origin_of};
use crate::{
    domain::audit::{Actor, ActorKind},
    http::{client::client_address, extract::admin::session_cookie, page, portal::limit::SignIns, problem::Problem, prose::sentence},
    service::{App, Error, setup::Initialized},
};

/// The form.
#[derive(Debug, Deserialize)]
pub struct SetupForm {
    organization: String,
    email: String,
    password: String,
    again: String,
}

#[derive(Debug, Default, Serialize)]
struct SetupView {
    secret: String,
    organization: String,
    email: String,
    error: Option<String>,
    field: Option<String>,
}

/// `GET /console/setup/{secret}`
pub async fn get_setup(app: web::Data<App>, secret: web::Path<String>) -> Result<HttpResponse, Problem> {
    if let Some(answer) = refusal(&app, &secret).await? {
        return Ok(answer);
    }
    Ok(show(&app, StatusCode::OK, &SetupView { secret: secret.into_inner(), ..SetupView::default() }))
}

/// `POST /console/setup/{secret}`
pub async fn post_setup(
    app: web::Data<App>,
    request: HttpRequest,
    limiter: web::Data<SignIns>,
    secret: web::Path<String>,
    form: web::Form<SetupForm>,
) -> Result<HttpResponse, Problem> {
    limiter.0.admit(client_address(&request), app.now()).map_err(Problem::too_many)?;
    if let Some(answer) = refusal(&app, &secret).await? {
        return Ok(answer);
    }
    let form = form.into_inner();
    let app = app.into_inner();
    match create(&app, &form, &request).await {
        Ok(cookie) => {
            let mut response = see("/console/");
            // A cookie that is too long for a header is none; ours never is.
            let _ = response.add_cookie(&session_cookie(&app, cookie));
            Ok(response)
        }
        Err(Error::Invalid { field, why }) => {
            let view = SetupView {
                secret: secret.into_inner(),
                organization: form.organization,
                email: form.email,
                error: Some(sentence(&why)),
                field: Some(field),
            };
            Ok(show(&app, StatusCode::BAD_REQUEST, &view))
        }
        Err(error) => Err(error.into()),
    }
}

async fn create(app: &std::sync::Arc<App>, form: &SetupForm, request: &HttpRequest) -> Result<String, Error> {
    if form.password != form.again {
        return Err(Error::invalid("again", "is not the same password; type it twice"));
    }
    let actor = Actor { kind: ActorKind::User, name: form.email.trim().to_lowercase() };
    match app.initialize(actor, form.organization.trim().to_owned(), &form.email, form.password.clone()).await? {
        Initialized::Created => app.sign_in(&form.email, form.password.clone(), origin_of(request)).await,
        Initialized::Already => Err(Error::Conflict("somebody else has just become the first administrator; sign in instead".into())),
    }
}

/// What is answered instead, where the address is not the one that was printed, or its time is over.
async fn refusal(app: &App, secret: &str) -> Result<Option<HttpResponse>, Problem> {
    let expected = app.setup_secret()?;
    let is_right = secret.len() == expected.len() && openssl::memcmp::eq(secret.as_bytes(), expected.as_bytes());
    if !is_right {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    }
    Ok((!app.needs_setup().await?).then(|| see("/console/sign-in")))
}

fn show(app: &App, status: StatusCode, view: &SetupView) -> HttpResponse {
    page::render(status, "console/setup", &page::Frame::default(), view, app.public_url().starts_with("https://"))
}
