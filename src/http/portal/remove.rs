//! A person lets devices of their own go: one, or all. The first page says what will happen; nothing does before the second step.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::{
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{device::EnrollmentState, device::Platform, id::DeviceId},
    service::Error,
    store::devices::{self, Device},
};

#[derive(Debug, Serialize)]
struct RemoveView {
    /// Where the form is sent.
    action: String,
    names: Vec<String>,
    has_device: bool,
    is_this: bool,
}

/// `GET /devices/{id}/remove`
pub async fn get_one(visitor: Visitor, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let id = *id;
    let found: Vec<Device> = enrolled(&visitor).await?.into_iter().filter(|device| device.id == id).collect();
    if found.is_empty() {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    }
    Ok(ask(&visitor, "Remove this device?", format!("/devices/{id}/remove"), &found))
}

/// `GET /devices/remove-all`
pub async fn get_all(visitor: Visitor) -> Result<HttpResponse, Problem> {
    let found = enrolled(&visitor).await?;
    if found.is_empty() {
        return Ok(see("/devices"));
    }
    Ok(ask(&visitor, "Remove all your devices?", "/devices/remove-all".into(), &found))
}

/// `POST /devices/{id}/remove`
pub async fn post_one(visitor: Visitor, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let owner = visitor.owner().ok_or_else(nobody)?;
    visitor.app.remove_own_device(owner, *id).await?;
    Ok(see(after(&visitor, Some(*id), "/devices?done=removed")))
}

/// `POST /devices/remove-all`
pub async fn post_all(visitor: Visitor) -> Result<HttpResponse, Problem> {
    let owner = visitor.owner().ok_or_else(nobody)?;
    visitor.app.remove_own_devices(owner).await?;
    Ok(see(after(&visitor, None, "/devices?done=all")))
}

/// Where to go afterwards: a browser that has let itself go knows nobody any more.
fn after(visitor: &Visitor, removed: Option<DeviceId>, otherwise: &'static str) -> &'static str {
    let is_itself = visitor.enrolled.as_ref().is_some_and(|enrolled| removed.is_none_or(|removed| removed == enrolled.device));
    if is_itself && visitor.user().is_none() { "/browser" } else { otherwise }
}

async fn enrolled(visitor: &Visitor) -> Result<Vec<Device>, Problem> {
    let owner = visitor.owner().ok_or_else(nobody)?.id;
    let found = visitor.app.read(move |conn| devices::of_user(conn, owner).map_err(Error::from)).await?;
    Ok(found.into_iter().filter(|device| device.state == EnrollmentState::Enrolled).collect())
}

fn nobody() -> Problem {
    let text = "Your devices are shown after you have proved your address, and in a browser that is enrolled. Start again.";
    Problem::new(StatusCode::FORBIDDEN, "Please say who you are first", text)
}

fn ask(visitor: &Visitor, title: &str, action: String, found: &[Device]) -> HttpResponse {
    let name = |device: &Device| device.device_name.clone().or_else(|| device.model.clone()).unwrap_or_else(|| "A device".into());
    let view = RemoveView {
        action,
        names: found.iter().map(name).collect(),
        has_device: found.iter().any(|device| device.platform != Platform::Browser),
        is_this: visitor.enrolled.as_ref().is_some_and(|enrolled| found.iter().any(|device| device.id == enrolled.device)),
    };
    visitor.page(StatusCode::OK, "portal/remove", &visitor.frame(title), &view)
}
