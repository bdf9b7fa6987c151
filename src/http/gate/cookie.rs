//! The cookie by which an enrolled browser is known to the gate. It belongs to the application's own host, because browsers keep
//! none of other sites.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};

use super::original::Place;
use crate::domain::browser::COOKIE_SECONDS;

/// The name of the cookie. The `__Host-` prefix lets nobody but that very host set it; browsers accept it over HTTPS only.
fn name(place: &Place) -> &'static str {
    if place.scheme == "https" { "__Host-enlist-gate" } else { "enlist-gate" }
}

/// The secret that a browser has for this host. One that comes twice is none: only one of them can be ours.
pub fn read(request: &HttpRequest, place: &Place) -> Option<String> {
    let cookies = request.cookies().ok()?;
    let mut ours = cookies.iter().filter(|cookie| cookie.name() == name(place));
    let secret = ours.next().map(|cookie| cookie.value().to_owned())?;
    (ours.next().is_none() && is_ours(&secret)).then_some(secret)
}

/// Whether a secret looks like one of ours, so that no database is asked about anything else.
fn is_ours(secret: &str) -> bool {
    secret.len() == 43 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The cookie that a browser is given.
pub fn make(place: &Place, secret: String) -> Cookie<'static> {
    Cookie::build(name(place), secret)
        .path("/")
        .http_only(true)
        .secure(place.scheme == "https")
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(COOKIE_SECONDS))
        .finish()
}
