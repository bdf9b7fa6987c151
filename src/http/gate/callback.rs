//! What the proxy of every protected host hands on to this server: a browser comes with its ticket, gets the cookie of that host, and
//! goes where it wanted to.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use serde::Deserialize;

use super::{answer::ambiguous, cookie, enter_address, original::Place, scheme_of};
use crate::{
    domain::destination::path_within,
    http::{client::client_address, page::harden, portal::limit::Limiter},
    service::App,
};

/// What stands behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct CallbackQuery {
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    to: String,
}

/// `GET /.enlist/callback`, on the host of an application
pub async fn get_callback(
    request: HttpRequest,
    app: web::Data<App>,
    limiter: web::Data<Limiter>,
    query: web::Query<CallbackQuery>,
) -> HttpResponse {
    let Ok(place) = Place::read(&request, scheme_of(&app)) else { return hardened(ambiguous(app.public_url())) };
    if let Err(seconds) = limiter.admit(client_address(&request), app.now()) {
        let mut response = refuse(&app, &place, StatusCode::TOO_MANY_REQUESTS);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    let Some(path) = path_within(&query.to) else { return refuse(&app, &place, StatusCode::BAD_REQUEST) };
    let secret = match app.spend_ticket(&query.ticket, &place.host).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return refuse(&app, &place, StatusCode::FORBIDDEN),
        Err(error) => {
            tracing::warn!(error = %error, "a ticket could not be spent");
            return refuse(&app, &place, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, path)).cookie(cookie::make(&place, secret));
    hardened(response.finish())
}

/// A page that needs nothing of this server, whose pictures and styles are not within reach here.
fn refuse(app: &App, place: &Place, status: StatusCode) -> HttpResponse {
    let text = match status {
        StatusCode::SERVICE_UNAVAILABLE => "It cannot be checked at the moment whether this browser may come in. Try again in a minute.",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests came from your network just now. Wait a minute, then try again.",
        _ => "The way here can be used once, and within a minute. It was used before, or took too long, or was meant for another address.",
    };
    let again = enter_address(app.public_url(), &format!("{}://{}/", place.scheme, place.host));
    let again = handlebars::html_escape(&again);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>This did not work</title></head><body><h1>This did not work</h1><p>{text}</p>\
         <p><a href=\"{again}\">Start again</a></p></body></html>"
    );
    hardened(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page))
}

/// That the application is reached by HTTPS only is for its own proxy to say.
fn hardened(mut response: HttpResponse) -> HttpResponse {
    harden(response.headers_mut(), false);
    response
}
