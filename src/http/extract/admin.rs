//! Who is signed in to the console. A handler that takes an [`Admin`] or a [`Form`](super::form::Form) cannot be reached by
//! anybody else, nor by somebody whose role lacks what its address [needs](Needs).

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpRequest,
    cookie::Cookie,
    dev::Payload,
    http::{Method, StatusCode},
    web,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::LocalBoxFuture;

use crate::{
    domain::{
        audit::{Actor, ActorKind},
        sign_in::SESSION_HOURS,
        user::{Permission, Role},
    },
    http::{cookie, layer::refusals, problem::Problem},
    service::App,
    store::{sessions::Session, users::User},
};

/// What the cookie of a session is called.
const COOKIE: &str = "enlist-session";

/// What an address asks of whoever comes: to look, and to change something. Every address of the console has one.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// To look.
    pub see: Permission,
    /// To send a form.
    pub send: Permission,
    /// It can be reached before a password that must be changed was changed.
    pub is_for_everyone: bool,
}

/// Who is signed in.
#[derive(Clone)]
pub struct Admin {
    /// The use cases.
    pub app: Arc<App>,
    /// Their name in the audit log.
    pub actor: Actor,
    /// What they may do.
    pub role: Role,
    /// Who they are.
    pub user: User,
    /// By which session.
    pub session: Session,
    /// What their forms must bring along.
    pub csrf: String,
    /// Whose server this is.
    pub organization: String,
}

impl Admin {
    /// Whether they may do this; pages leave out what they may not.
    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// Whether the world reaches the server by HTTPS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        is_https(&self.app)
    }
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>().map(|app| Arc::clone(app));
        let needs = request.app_data::<Needs>().copied();
        let is_looking = matches!(*request.method(), Method::GET | Method::HEAD);
        let target = request.uri().path_and_query().map_or("/console/", |target| target.as_str()).to_owned();
        let secret = app.as_ref().and_then(|app| cookie::read(request, COOKIE, is_https(app)));
        let request = request.clone();
        Box::pin(async move {
            // An address that says nothing of what it needs is one that nobody may reach.
            let (Some(app), Some(needs)) = (app, needs) else { return Err(Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)) };
            let admin = signed_in(app, secret).await?.ok_or_else(|| sign_in_first(is_looking, &target))?;
            refusals::know(&request, &admin.actor);
            if admin.user.must_change_password && !needs.is_for_everyone {
                return Err(Problem::send_to("/console/password"));
            }
            let permission = if is_looking { needs.see } else { needs.send };
            if !admin.may(permission) {
                let text =
                    format!("Your role ({}) does not include this. An administrator can do it, or give you another role.", admin.role);
                return Err(Problem::new(StatusCode::FORBIDDEN, "You may not do this", text));
            }
            Ok(admin)
        })
    }
}

async fn signed_in(app: Arc<App>, secret: Option<String>) -> Result<Option<Admin>, Problem> {
    let Some(secret) = secret else { return Ok(None) };
    let Some((session, user)) = app.session(&secret).await? else { return Ok(None) };
    let Some(role) = user.role else { return Ok(None) };
    let organization = app.settings().await?.organization;
    let actor = Actor { kind: ActorKind::User, name: user.email.clone() };
    Ok(Some(Admin { csrf: csrf_of(&secret), app, actor, role, user, session, organization }))
}

fn sign_in_first(is_looking: bool, target: &str) -> Problem {
    if is_looking {
        let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        return Problem::send_to(format!("/console/sign-in?next={target}"));
    }
    let text = "Your session has ended, so nothing was done. Sign in and try again.";
    Problem::new(StatusCode::FORBIDDEN, "You are not signed in", text)
}

/// What a form must bring along: it can be worked out from the cookie, and the cookie not from it.
#[must_use]
pub fn csrf_of(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(openssl::sha::sha256(format!("csrf\0{secret}").as_bytes()))
}

fn is_https(app: &App) -> bool {
    app.public_url().starts_with("https://")
}

/// The cookie that carries a session; an empty secret takes it away.
#[must_use]
pub fn session_cookie(app: &App, secret: String) -> Cookie<'static> {
    let hours = if secret.is_empty() { 0 } else { SESSION_HOURS };
    cookie::make(COOKIE, secret, hours * 3600, is_https(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forms_bring_along_differs_from_session_to_session_and_is_not_the_secret() {
        assert_eq!(csrf_of("a"), csrf_of("a"));
        assert_ne!(csrf_of("a"), csrf_of("b"));
        assert!(!csrf_of("secret").contains("secret"));
    }
}
