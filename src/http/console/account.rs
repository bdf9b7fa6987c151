//! One's own account: password and sessions; and everybody's sessions, for those who may end them.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{frame::Frame, see, show::When};
use crate::{
    domain::{
        id::{SessionId, UserId},
        sign_in::IDLE_MINUTES,
    },
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::{Error, setup::SHORTEST_PASSWORD},
    store::{self, sessions},
};

/// What may stand behind the question mark.
#[derive(Debug, Deserialize)]
pub struct AccountQuery {
    done: Option<String>,
}

impl AccountQuery {
    fn text(&self) -> Option<&'static str> {
        match self.done.as_deref()? {
            "password" => Some("Your password was changed, and your other sessions were ended."),
            "session" => Some("The session was ended."),
            _ => None,
        }
    }
}

#[derive(Debug, Serialize)]
struct SessionRow {
    id: SessionId,
    user: String,
    browser: String,
    address: String,
    began: When,
    seen: When,
    is_this: bool,
}

#[derive(Debug, Serialize)]
struct SessionsView {
    sessions: Vec<SessionRow>,
    has_others: bool,
}

/// `GET /console/account`
pub async fn get_account(admin: Admin, query: web::Query<AccountQuery>) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "/console/account", "Your account").done(query.text());
    let view = sessions_of(&admin, Some(admin.user.id)).await?;
    Ok(frame.show(&admin, "console/account", &view))
}

/// `POST /console/account/sessions/{id}/end`: ends one of one's own sessions.
pub async fn post_end_session(form: Form<NoFields>, id: web::Path<SessionId>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    admin.app.end_session(admin.actor.clone(), id.into_inner(), Some(admin.user.id)).await?;
    Ok(see("/console/account?done=session"))
}

/// `GET /console/sessions`: everybody's.
pub async fn get_sessions(admin: Admin, query: web::Query<AccountQuery>) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(&admin, "/console/settings", "Sessions").below("/console/settings", "Settings").wide().done(query.text());
    let view = sessions_of(&admin, None).await?;
    Ok(frame.show(&admin, "console/sessions", &view))
}

/// Which session is to end.
#[derive(Debug, Deserialize)]
pub struct EndForm {
    id: SessionId,
}

/// `POST /console/sessions`: ends anybody's session.
pub async fn post_end_any_session(form: Form<EndForm>) -> Result<HttpResponse, Problem> {
    form.admin.app.end_session(form.admin.actor.clone(), form.fields.id, None).await?;
    Ok(see("/console/sessions?done=session"))
}

async fn sessions_of(admin: &Admin, user: Option<UserId>) -> Result<SessionsView, Problem> {
    let now = admin.app.now();
    let idle_since = now.plus_seconds(-IDLE_MINUTES * 60);
    let found = admin.app.read(move |conn| Ok::<_, Error>(sessions::list(conn, user, idle_since, now)?)).await?;
    let sessions: Vec<SessionRow> = found
        .into_iter()
        .map(|(session, user): (sessions::Session, store::users::User)| SessionRow {
            is_this: session.id == admin.session.id,
            id: session.id,
            user: user.email,
            browser: if session.browser.is_empty() { "Unknown browser".into() } else { session.browser },
            address: session.address,
            began: When::new(session.created_at, now),
            seen: When::new(session.last_seen_at, now),
        })
        .collect();
    Ok(SessionsView { has_others: sessions.len() > 1, sessions })
}

/// The password form.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    present: String,
    password: String,
    again: String,
}

#[derive(Debug, Serialize)]
struct PasswordView {
    must_change: bool,
    shortest: usize,
}

/// `GET /console/password`
pub async fn get_password(admin: Admin) -> HttpResponse {
    show_password(&admin, StatusCode::OK, None)
}

/// `POST /console/password`
pub async fn post_password(form: Form<PasswordForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    if fields.password != fields.again {
        return Ok(show_password(
            &admin,
            StatusCode::BAD_REQUEST,
            Some("The two new passwords are not the same. Type the new one twice.".into()),
        ));
    }
    match admin.app.change_own_password(&admin.session, &admin.user, fields.present, fields.password).await {
        Ok(()) => Ok(see("/console/account?done=password")),
        Err(Error::Invalid { field, why }) => {
            let what = if field == "present" { "What you typed" } else { "The new password" };
            Ok(show_password(&admin, StatusCode::BAD_REQUEST, Some(sentence(&format!("{what} {why}")))))
        }
        Err(error) => Err(error.into()),
    }
}

fn show_password(admin: &Admin, status: StatusCode, error: Option<String>) -> HttpResponse {
    let must_change = admin.user.must_change_password;
    let title = if must_change { "Choose a password of your own" } else { "Change your password" };
    let frame = Frame::new(admin, "/console/account", title).below("/console/account", "Your account").refused(error);
    frame.show_as(admin, status, "console/password", &PasswordView { must_change, shortest: SHORTEST_PASSWORD })
}
