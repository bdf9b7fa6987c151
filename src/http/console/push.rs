//! Apple push: how the certificate stands, and the way through Apple's portal to a new one.

use actix_web::{HttpResponse, http::StatusCode, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{frame::Frame, see, show::When};
use crate::{
    domain::user::Permission,
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        push_request::{PushRequest, Vendor, explain},
    },
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct PushQuery {
    #[serde(default)]
    done: String,
}

/// A request that was just made.
#[derive(Debug, Serialize)]
struct Made {
    text: String,
    file_name: &'static str,
    /// The same as a `data:` address, to be saved as a file.
    address: String,
    next: &'static str,
}

#[derive(Debug, Serialize)]
struct PushView {
    warning: Option<String>,
    is_usable: bool,
    topic: Option<String>,
    expires: Option<When>,
    imported: Option<When>,
    imported_by: Option<String>,
    requested: Option<When>,
    delivered: Option<When>,
    error: Option<String>,
    error_at: Option<When>,
    other_topic: i64,
    may_manage: bool,
    made: Option<Made>,
    email: String,
    certificate: String,
    /// Another topic was refused: the page offers to force it.
    offers_force: bool,
}

/// What a page shows besides the state.
#[derive(Default)]
struct Besides {
    made: Option<PushRequest>,
    certificate: String,
    offers_force: bool,
}

/// `GET /console/push`
pub async fn get_push(admin: Admin, query: web::Query<PushQuery>) -> Result<HttpResponse, Problem> {
    let done =
        (query.done == "imported").then_some("The push certificate was imported. Devices for which something waits are being woken.");
    let frame = Frame::new(&admin, "/console/push", "Apple push").done(done);
    show(&admin, frame, StatusCode::OK, Besides::default()).await
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, besides: Besides) -> Result<HttpResponse, Problem> {
    let (state, now) = (admin.app.push_certificate().await?, admin.app.now());
    let view = PushView {
        warning: state.warning,
        is_usable: state.is_usable,
        topic: state.topic,
        expires: When::some(state.expires_at, now),
        imported: When::some(state.imported_at, now),
        imported_by: state.imported_by,
        requested: When::some(state.requested_at, now),
        delivered: When::some(state.health.last_delivered_at, now),
        error_at: state.health.last_error.as_ref().map(|trouble| When::new(trouble.at, now)),
        error: state.health.last_error.map(|trouble| trouble.why),
        other_topic: state.devices_with_other_topic,
        may_manage: admin.may(Permission::ManageSettings),
        made: besides.made.map(|made| Made {
            file_name: if made.is_signed { "push-request.plist.b64" } else { "push-request.csr" },
            address: format!("data:application/octet-stream;base64,{}", STANDARD.encode(&made.text)),
            next: explain(made.is_signed),
            text: made.text,
        }),
        email: admin.user.email.clone(),
        certificate: besides.certificate,
        offers_force: besides.offers_force,
    };
    Ok(frame.show_as(admin, status, "console/push", &view))
}

/// What is needed for a request.
#[derive(Debug, Deserialize)]
pub struct RequestForm {
    email: String,
    #[serde(default)]
    vendor_certificate: String,
    #[serde(default)]
    vendor_key: String,
}

/// `POST /console/push/request`: makes a key and shows the request for Apple.
pub async fn post_request(form: Form<RequestForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let vendor = match (fields.vendor_certificate.trim(), fields.vendor_key.trim()) {
        ("", "") => None,
        (certificate, key) => Some(Vendor { certificate: certificate.to_owned(), key: key.to_owned() }),
    };
    let frame = Frame::new(&admin, "/console/push", "Apple push");
    match admin.app.request_push_certificate(admin.actor.clone(), &fields.email, vendor).await {
        Ok(made) => show(&admin, frame, StatusCode::OK, Besides { made: Some(made), ..Besides::default() }).await,
        Err(Error::Invalid { field, why }) => {
            let frame = frame.refused(Some(sentence(&format!("{} {why}", name_of(&field)))));
            show(&admin, frame, StatusCode::BAD_REQUEST, Besides::default()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// A certificate from Apple's portal.
#[derive(Debug, Deserialize)]
pub struct ImportForm {
    certificate: String,
    #[serde(default)]
    force: String,
}

/// `POST /console/push/import`
pub async fn post_import(form: Form<ImportForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let frame = Frame::new(&admin, "/console/push", "Apple push");
    match admin.app.import_push_certificate(admin.actor.clone(), &fields.certificate, !fields.force.is_empty()).await {
        Ok(_) => Ok(see("/console/push?done=imported")),
        Err(Error::Invalid { field, why }) => {
            let frame = frame.refused(Some(sentence(&format!("{} {why}", name_of(&field)))));
            show(&admin, frame, StatusCode::BAD_REQUEST, Besides { certificate: fields.certificate, ..Besides::default() }).await
        }
        Err(Error::Conflict(why)) => {
            let besides = Besides { certificate: fields.certificate, offers_force: true, ..Besides::default() };
            show(&admin, frame.refused(Some(sentence(&why))), StatusCode::CONFLICT, besides).await
        }
        Err(error) => Err(error.into()),
    }
}

fn name_of(field: &str) -> &str {
    match field {
        "email" => "The mail address",
        "vendor_certificate" => "The vendor's certificate",
        "vendor_key" => "The vendor's key",
        "certificate" => "The certificate",
        other => other,
    }
}
