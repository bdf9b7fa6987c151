//! The page with the button that activates an Android device, which works once, and what each way gives in answer: a certificate
//! with its password, a ticket for the agent, or the code that a new phone reads.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    problem::Problem,
    qr,
    visitor::{Visitor, see},
};
use crate::{
    domain::{
        backend::Backend,
        enrollment::{ACTIVATION_SECONDS, CHALLENGE_SECONDS},
        time::Timestamp,
    },
    pki::pkcs12::Form,
    service::{Error, enroll::Step},
};

/// The media type by which Android recognizes a file with a certificate and its key.
const PKCS12: &str = "application/x-pkcs12";
/// The first Android whose sure way is through the Settings.
const SETTINGS_VERSION: u32 = 11;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct ActivateQuery {
    profile: Option<String>,
}

/// The form.
#[derive(Debug, Default, Deserialize)]
pub struct ActivateForm {
    /// In which form the certificate is wanted.
    profile: Option<String>,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is one part of the page that is shown or not")]
struct ActivateView<'a> {
    organization: &'a str,
    minutes: i64,
    is_certificate: bool,
    is_agent: bool,
    is_headwind: bool,
    is_modern: bool,
    version: Option<&'a str>,
    has_choice: bool,
}

/// `GET /enroll/activate`
pub async fn get_activate(visitor: Visitor, query: web::Query<ActivateQuery>) -> HttpResponse {
    let method = visitor.method();
    if visitor.step() != Step::Profile || method == Backend::Apple {
        return visitor.send_on();
    }
    let seconds = if method == Backend::Certificate { ACTIVATION_SECONDS } else { CHALLENGE_SECONDS };
    let view = ActivateView {
        organization: &visitor.organization,
        minutes: seconds / 60,
        is_certificate: method == Backend::Certificate,
        is_agent: method == Backend::Agent,
        is_headwind: method == Backend::Headwind,
        is_modern: form_of(query.profile.as_deref()) == Form::Modern,
        version: visitor.looks.version.as_deref(),
        has_choice: visitor.methods().len() > 1,
    };
    visitor.page(StatusCode::OK, "portal/activate", &visitor.walk_frame("Activate the device", Step::Profile), &view)
}

/// What is asked for; everything but the word for the modern form means the one that every Android reads.
fn form_of(word: Option<&str>) -> Form {
    if word == Some(Form::Modern.as_str()) { Form::Modern } else { Form::Legacy }
}

/// `POST /enroll/activate`: what the device is activated with, once.
pub async fn post_activate(visitor: Visitor, form: web::Form<ActivateForm>) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(visit) = visitor.visit() else { return Ok(visitor.send_on()) };
    let method = visitor.method();
    match visitor.step() {
        Step::Profile if method != Backend::Apple => {}
        Step::Install | Step::Installing | Step::Done | Step::TooLate if method != Backend::Apple => return Ok(done_already(&visitor)),
        _ => return Ok(visitor.send_on()),
    }
    let activated = match method {
        Backend::Certificate => {
            let made = visitor.app.make_activation_file(visit.id, form_of(form.profile.as_deref())).await;
            made.map(|file| show_certificate(&visitor, &file.password, file.expires_at))
        }
        Backend::Agent => visitor.app.activate_agent(visit.id).await.map(|ticket| show_agent(&visitor, &ticket.token, ticket.expires_at)),
        Backend::Headwind => {
            let made = visitor.app.provision_launcher(visit.id).await;
            made.map(|provisioning| show_launcher(&visitor, &provisioning.json, provisioning.has_wifi, provisioning.expires_at))
        }
        Backend::Apple | Backend::Browser => return Ok(visitor.send_on()),
    };
    match activated {
        Ok(page) => Ok(page),
        // Somebody was faster, by a second tap or in a second window.
        Err(Error::Conflict(why)) if method != Backend::Headwind => {
            tracing::debug!(why, "an activation was refused");
            Ok(done_already(&visitor))
        }
        // The launcher may have been taken away meanwhile: the reason says which it is.
        Err(error) => Err(error.into()),
    }
}

fn done_already(visitor: &Visitor) -> HttpResponse {
    #[derive(Serialize)]
    struct View {
        is_certificate: bool,
    }
    let mut frame = visitor.walk_frame("This was activated already", Step::Install);
    frame.has_error = true;
    let view = View { is_certificate: visitor.method() == Backend::Certificate };
    visitor.page(StatusCode::CONFLICT, "portal/activated", &frame, &view)
}

/// How a certificate is installed on this device, as far as its version is known.
#[derive(Debug, Clone, Serialize)]
pub struct Installation {
    version: Option<String>,
    is_older: bool,
    is_newer: bool,
    organization: String,
}

impl Installation {
    /// For who is looking.
    #[must_use]
    pub fn of(visitor: &Visitor) -> Self {
        let version = visitor.looks.version.clone();
        let major = version.as_deref().and_then(|version| version.split('.').next()).and_then(|major| major.parse::<u32>().ok());
        Self {
            version,
            is_older: major.is_some_and(|major| major < SETTINGS_VERSION),
            is_newer: major.is_some_and(|major| major >= SETTINGS_VERSION),
            organization: visitor.organization.clone(),
        }
    }
}

fn show_certificate(visitor: &Visitor, password: &str, until: Timestamp) -> HttpResponse {
    #[derive(Serialize)]
    struct View<'a> {
        password: &'a str,
        until: String,
        installation: Installation,
    }
    let view = View { password, until: clock(until), installation: Installation::of(visitor) };
    let frame = visitor.walk_frame("Download your certificate", Step::Install);
    visitor.page(StatusCode::OK, "portal/activation_certificate", &frame, &view)
}

fn show_agent(visitor: &Visitor, token: &str, until: Timestamp) -> HttpResponse {
    #[derive(Serialize)]
    struct View {
        activation: String,
        link: String,
        qr: Option<String>,
        until: String,
    }
    let server = visitor.app.public_url();
    let activate = format!("{server}/android/v1/activate");
    let activation = json!({ "server": server, "token": token, "activate": activate }).to_string();
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("server", server)
        .append_pair("token", token)
        .append_pair("activate", &activate)
        .finish();
    let view = View { qr: qr::data_address(&activation), link: format!("enlist://activate?{query}"), activation, until: clock(until) };
    visitor.page(StatusCode::OK, "portal/activation_agent", &visitor.walk_frame("Open the agent app", Step::Install), &view)
}

fn show_launcher(visitor: &Visitor, provisioning: &str, has_wifi: bool, until: Timestamp) -> HttpResponse {
    #[derive(Serialize)]
    struct View<'a> {
        provisioning: &'a str,
        qr: Option<String>,
        has_wifi: bool,
        until: String,
    }
    let view = View { provisioning, qr: qr::dense_data_address(provisioning), has_wifi, until: clock(until) };
    visitor.page(StatusCode::OK, "portal/activation_launcher", &visitor.walk_frame("Set up the new phone", Step::Install), &view)
}

/// A time of day.
pub(super) fn clock(at: Timestamp) -> String {
    let at = at.calendar();
    format!("{:02}:{:02} UTC", at.hour(), at.minute())
}

/// `POST /enroll/certificate`: the file itself, once.
pub async fn post_certificate(visitor: Visitor) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(visit) = visitor.visit().filter(|_| visitor.method() == Backend::Certificate) else { return Ok(visitor.send_on()) };
    if !matches!(visitor.step(), Step::Install | Step::Done | Step::TooLate) {
        return Ok(visitor.send_on());
    }
    match visitor.app.take_activation_file(visit.id, visitor.looks.clone()).await {
        Ok(file) => Ok(HttpResponse::Ok()
            .content_type(PKCS12)
            .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"certificate.p12\""))
            .body(file)),
        Err(Error::Conflict(why)) => {
            tracing::debug!(why, "an activation certificate was not given out");
            Ok(done_already(&visitor))
        }
        Err(Error::Denied(_)) => Ok(see("/")),
        Err(error) => Err(error.into()),
    }
}
