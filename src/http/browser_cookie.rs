//! The cookie of an enrolled browser. What it holds is a secret without meaning; whose browser it names, and for how long, is
//! decided by the service.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};

use crate::{domain::browser::COOKIE_SECONDS, service::App};

/// The name of the cookie. The `__Host-` prefix lets nobody but this very host set it; browsers accept it over HTTPS only.
#[must_use]
pub fn name(app: &App) -> &'static str {
    if app.public_url().starts_with("https://") { "__Host-enlist-browser" } else { "enlist-browser" }
}

/// The secret that a request brings.
#[must_use]
pub fn read(request: &HttpRequest, app: &App) -> Option<String> {
    request.cookie(name(app)).map(|cookie| cookie.value().to_owned()).filter(|secret| !secret.is_empty())
}

/// The cookie that a browser is given.
#[must_use]
pub fn make(app: &App, secret: String) -> Cookie<'static> {
    Cookie::build(name(app), secret)
        .path("/")
        .http_only(true)
        .secure(app.public_url().starts_with("https://"))
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(COOKIE_SECONDS))
        .finish()
}
