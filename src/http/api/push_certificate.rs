//! Apple's push certificate.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, Problem};
use crate::{
    domain::user::Permission,
    http::extract::caller::Caller,
    service::{
        App, Error,
        push_certificate::PushCertificateState,
        push_request::{Vendor, explain},
    },
};

/// Who asks for a push certificate, and who signs the request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// Mail address of whoever looks after the certificate; it goes into the request.
    email: String,
    /// An MDM vendor certificate and those above it up to Apple's root, in PEM.
    vendor_certificate: Option<String>,
    /// Its key in PEM, without a pass phrase. It is used once and not kept.
    vendor_key: Option<String>,
}

/// A request to be brought to Apple.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestView {
    /// The text of the file.
    pub request: String,
    /// Whether it was signed by a vendor, so that Apple's portal takes it as it is.
    pub is_signed: bool,
    /// What has to be done with it, for people.
    pub next: &'static str,
}

/// A push certificate to be imported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushCertificateBody {
    /// The certificate in PEM, as Apple's portal gives it. Its private key may follow if the request was not made here.
    certificate: String,
    /// Also where its topic is another one and enrolled devices can no longer be woken then.
    #[serde(default)]
    force: bool,
}

/// Says where the push certificate stands, and how pushes fare.
#[utoipa::path(get, path = "/api/v1/push-certificate", responses((status = 200, body = PushCertificateState)), tag = "settings", security(("token" = [])))]
pub async fn get_push_certificate(caller: Caller, app: web::Data<App>) -> Result<web::Json<PushCertificateState>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(app.push_certificate().await?))
}

/// Imports the push certificate; devices for which something waits are woken.
#[utoipa::path(put, path = "/api/v1/push-certificate", request_body = PushCertificateBody, responses((status = 200, body = PushCertificateState), (status = 400, body = Problem), (status = 409, body = Problem)), tag = "settings", security(("token" = [])))]
pub async fn import_push_certificate(
    caller: Caller,
    app: web::Data<App>,
    body: web::Json<PushCertificateBody>,
) -> Result<web::Json<PushCertificateState>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let body = body.into_inner();
    Ok(web::Json(app.into_inner().import_push_certificate(caller.actor, &body.certificate, body.force).await?))
}

/// Makes a key and asks for a push certificate for it.
#[utoipa::path(post, path = "/api/v1/push-certificate/request", request_body = RequestBody, responses((status = 201, body = RequestView), (status = 400, body = Problem)), tag = "settings", security(("token" = [])))]
pub async fn request_push_certificate(caller: Caller, app: web::Data<App>, body: web::Json<RequestBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let body = body.into_inner();
    let vendor = match (body.vendor_certificate, body.vendor_key) {
        (Some(certificate), Some(key)) => Some(Vendor { certificate, key }),
        (None, None) => None,
        (Some(_), None) => return Err(Error::invalid("vendor_key", "is missing: the request is signed with it").into()),
        (None, Some(_)) => return Err(Error::invalid("vendor_certificate", "is missing: it goes with the signed request").into()),
    };
    let made = app.into_inner().request_push_certificate(caller.actor, &body.email, vendor).await?;
    Ok(HttpResponse::Created().json(RequestView { next: explain(made.is_signed), request: made.text, is_signed: made.is_signed }))
}
