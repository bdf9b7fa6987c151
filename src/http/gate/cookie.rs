//! The cookie by which an enrolled browser is known to the gate. It belongs to the application's own host, because browsers keep
//! none of other sites.

use actix_web::{HttpRequest, cookie::Cookie};

use super::original::Place;
use crate::{domain::browser::COOKIE_SECONDS, http::cookie};

/// What it is called on every host.
const NAME: &str = "enlist-gate";

/// The secret that a browser has for this host.
pub fn read(request: &HttpRequest, place: &Place) -> Option<String> {
    cookie::read(request, NAME, place.scheme == "https")
}

/// The cookie that a browser is given.
pub fn make(place: &Place, secret: String) -> Cookie<'static> {
    cookie::make(NAME, secret, COOKIE_SECONDS, place.scheme == "https")
}
