//! The cookie of an enrolled browser. What it holds is a secret without meaning; whose browser it names, and for how long, is
//! decided by the service.

use actix_web::{HttpRequest, cookie::Cookie};

use super::cookie;
use crate::{domain::browser::COOKIE_SECONDS, service::App};

/// What it is called.
const NAME: &str = "enlist-browser";

/// The secret that a request brings.
#[must_use]
pub fn read(request: &HttpRequest, app: &App) -> Option<String> {
    cookie::read(request, NAME, is_https(app))
}

/// The cookie that a browser is given.
#[must_use]
pub fn make(app: &App, secret: String) -> Cookie<'static> {
    cookie::make(NAME, secret, COOKIE_SECONDS, is_https(app))
}

fn is_https(app: &App) -> bool {
    app.public_url().starts_with("https://")
}
