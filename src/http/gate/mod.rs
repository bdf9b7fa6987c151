//! The gate: reverse proxies ask here about every request. One address, any method, never a body; what is decided, and why, is the
//! service's matter.
//!
//! Who asks makes no difference to who may ask: whoever comes without being a trusted proxy is judged by the certificate of the
//! own connection, or by the cookie for the host that the request names, and everything else that is claimed in headers is ignored.

use actix_web::{HttpRequest, HttpResponse, web};

mod answer;
mod callback;
mod cookie;
mod original;

pub use answer::{enter_address, text_of};
use original::Original;

use super::client::{client_address, shown_certificate};
use crate::{
    domain::{
        access::{Decision, Question},
        destination::CALLBACK,
        id::DeviceId,
    },
    service::{
        App,
        gate::{Answer, Asked, Why},
    },
};

/// Where the gate is; what stands below is the address that was asked for, from proxies that put it there.
pub const ADDRESS: &str = "/gate/v1/check";

/// Routes the gate.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource([ADDRESS, "/gate/v1/check/{rest:.*}"]).to(check));
    config.service(web::resource(CALLBACK).get(callback::get_callback));
}

/// Answers a proxy. Any method.
pub async fn check(request: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let app = app.into_inner();
    let shown = Original::read(&request, scheme_of(&app)).and_then(|original| Ok((original, shown_certificate(&request)?)));
    let Ok((original, certificate)) = shown else {
        tracing::debug!(client = %client_address(&request), "the gate was asked in a way that can be read in two ways");
        return answer::ambiguous(app.public_url());
    };
    let user_agent = request.headers().get("user-agent").and_then(|text| text.to_str().ok());
    let cookie = cookie::read(&request, &original.place);
    let host = Some(original.place.host.as_str());
    let asked = Asked { certificate: certificate.as_deref(), user_agent, host, cookie: cookie.as_deref() };
    let answer: Answer = app.check_at_gate(asked).await;
    let pass = refused_device(&answer).map(|device| app.pass_to_device(device)).transpose().unwrap_or_else(|error| {
        // The page that helps is the general one then.
        tracing::error!(error = %error, "no pass could be made for a device that was refused");
        None
    });
    answer::answer(&answer, app.public_url(), &original, pass.as_deref())
}

/// The device that its owner can do something about; of one that was let go, or whose owner takes part no more, nothing is told.
fn refused_device(answer: &Answer) -> Option<DeviceId> {
    let can_be_mended = matches!(answer.why, Why::Rule(question) if !matches!(question, Question::UserDisabled | Question::DeviceGone));
    let holder = answer.holder.as_ref().filter(|_| can_be_mended && answer.decision != Decision::Allow)?;
    holder.holder.device
}

/// How applications are reached where the proxy says nothing about it: as this server is.
fn scheme_of(app: &App) -> &'static str {
    if app.public_url().starts_with("https://") { "https" } else { "http" }
}
