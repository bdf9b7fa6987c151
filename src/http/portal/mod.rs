//! The employee's portal: from a mail address to an enrolled device, page by page, without any script. What may be done is
//! decided by the services; here it is asked for and explained.
//!
//! Looking changes nothing: `GET` and `HEAD` write nothing at all, because mail scanners follow links. A visit begins with the
//! first form, and only in a browser that has shown that it keeps cookies.

use actix_web::{HttpRequest, HttpResponse, Resource, http::StatusCode, middleware::from_fn, web};

use super::{
    layer::pages::guard_pages,
    page,
    problem::{self, Door, Link},
};
use crate::{domain::destination::ENTER, service::App};

mod activate;
pub mod browser;
mod code;
mod consent;
mod device;
mod devices;
mod enroll_browser;
mod enter;
mod file;
mod help;
pub mod limit;
mod link;
mod method;
mod profile;
mod progress;
pub mod qr;
mod remove;
mod return_to;
mod start;
mod visitor;

/// What the portal's pages have in common when something went wrong.
const DOOR: Door =
    Door { template: "portal/problem", heading: "Device enrollment", start: Link { address: "/", text: "Go to the start page" } };

/// Routes the portal. The server must hold `web::Data<App>` and one `web::Data<limit::Limiter>` for all workers.
pub fn configure(config: &mut web::ServiceConfig) {
    page::configure(config);
    let mut add = |resource: Resource| {
        config.service(resource.wrap(from_fn(|request, next| guard_pages(DOOR, request, next))));
    };
    add(seen("/", start::get_start));
    add(web::resource("/enroll/address").route(web::post().to(start::post_address)));
    add(seen("/enroll/code", code::get_code).route(web::post().to(code::post_code)));
    add(web::resource("/enroll/resend").route(web::post().to(code::post_resend)));
    add(seen("/enroll/consent", consent::get_consent).route(web::post().to(consent::post_consent)));
    add(seen("/enroll/method", method::get_method).route(web::post().to(method::post_method)));
    add(seen("/enroll/activate", activate::get_activate).route(web::post().to(activate::post_activate)));
    add(web::resource("/enroll/certificate").route(web::post().to(activate::post_certificate)));
    add(seen("/enroll/profile", profile::get_profile));
    add(web::resource("/enroll/apple").route(web::post().to(profile::post_apple)));
    add(web::resource("/enroll/restart").route(web::post().to(profile::post_restart)));
    add(seen("/enroll/progress", progress::get_progress));
    add(seen("/enroll/help/{topic}", help::get_help));
    add(web::resource("/enroll/help/access/check").route(web::post().to(help::post_check)));
    add(seen("/devices", devices::get_devices));
    add(seen("/devices/remove-all", remove::get_all).route(web::post().to(remove::post_all)));
    add(seen("/devices/{id}", device::get_device));
    add(web::resource("/devices/{id}/check").route(web::post().to(device::post_check)));
    add(seen("/devices/{id}/remove", remove::get_one).route(web::post().to(remove::post_one)));
    add(seen("/browser", enroll_browser::get_browser).route(web::post().to(enroll_browser::post_address)));
    // Looking here gives a ticket away, so `HEAD` does not.
    add(web::resource(ENTER).route(web::get().to(enter::get_enter)));
    add(seen("/l/{token}", link::get_link).route(web::post().to(link::post_answer)));
    add(seen("/l/{token}/go", link::get_go));
    add(web::resource("/l/{token}/send").route(web::post().to(file::post_send)));
    add(web::resource("/browser/enroll").route(web::post().to(enroll_browser::post_enroll)));
    // Last, because its pattern covers the others.
    add(seen("/enroll/{token}", start::get_invitation));
}

/// What is shown at an address that does not exist; for the server's default service.
pub async fn get_nothing(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    problem::Problem::of_status(StatusCode::NOT_FOUND).page(&request, DOOR, app.public_url().starts_with("https://"))
}

/// A page that is looked at: `HEAD` does what `GET` does.
fn seen<H, A>(path: &str, handler: H) -> Resource
where
    H: actix_web::Handler<A> + Clone,
    A: actix_web::FromRequest + 'static,
    H::Output: actix_web::Responder + 'static,
{
    web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler))
}
