//! One of a person's own devices: what the organization can see and do, what it has done, and the question to the device how it is.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::{
    devices::{DeviceView, date},
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{
        backend::Backend,
        device::EnrollmentState,
        id::{DeviceId, UserId},
        posture::{Fact, Posture},
        rights::AccessRights,
        time::Timestamp,
    },
    service::Error,
    store::{
        devices::{self, Device},
        enrollments,
        page::PageRequest,
        postures,
        timeline::{self, DeviceEvent},
    },
};

/// Events on the page, the newest.
const EVENTS: i64 = 30;

#[derive(Debug, Serialize)]
struct View<'a> {
    id: DeviceId,
    organization: &'a str,
    device: DeviceView,
    may_check: bool,
    asked: bool,
    may: Vec<&'static str>,
    may_not: Vec<&'static str>,
    facts: Vec<FactRow>,
    events: Vec<EventRow>,
}

#[derive(Debug, Serialize)]
struct FactRow {
    name: &'static str,
    value: String,
    at: String,
}

#[derive(Debug, Serialize)]
struct EventRow {
    text: String,
    at: String,
}

/// What may stand behind the question mark.
#[derive(Debug, Default, serde::Deserialize)]
pub struct DevicePageQuery {
    #[serde(default)]
    done: String,
}

struct Found {
    device: Device,
    backend: Backend,
    rights: AccessRights,
    posture: Posture,
    events: Vec<DeviceEvent>,
}

/// `GET /devices/{id}`
pub async fn get_device(visitor: Visitor, id: web::Path<DeviceId>, query: web::Query<DevicePageQuery>) -> Result<HttpResponse, Problem> {
    let Some(owner) = visitor.owner() else { return Ok(visitor.send_on()) };
    let found = find(&visitor, owner.id, *id).await?;
    let now = visitor.app.now();
    let name = found.device.device_name.clone().or_else(|| found.device.model.clone()).unwrap_or_else(|| "Your device".into());
    let is_enrolled = found.device.state == EnrollmentState::Enrolled;
    let view = View {
        id: found.device.id,
        organization: &visitor.organization,
        device: DeviceView::of(&found.device, now).map_err(Error::from)?,
        may_check: is_enrolled && found.backend.may(None, crate::domain::backend::Action::Refresh).is_ok(),
        asked: query.done == "asked",
        may: if is_enrolled { found.rights.explained() } else { Vec::new() },
        may_not: found.rights.not_granted(),
        facts: facts(&found.posture),
        events: found.events.into_iter().map(|event| EventRow { text: event.text, at: date(event.at) }).collect(),
    };
    Ok(visitor.page(StatusCode::OK, "portal/device", &visitor.frame(name), &view))
}

/// `POST /devices/{id}/check`: asks the device how it is.
pub async fn post_check(visitor: Visitor, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    if !visitor.has_cookie {
        return Err(Problem::cookies());
    }
    let Some(owner) = visitor.owner() else { return Ok(visitor.send_on()) };
    visitor.app.check_own_device(owner.id, *id).await?;
    Ok(see(&format!("/devices/{}?done=asked", *id)))
}

async fn find(visitor: &Visitor, owner: UserId, id: DeviceId) -> Result<Found, Problem> {
    let found = visitor.app.read(move |conn| {
        // Somebody else's device is none.
        let device = devices::find(conn, id)?.filter(|device| device.user_id == owner).ok_or(Error::NotFound("device"))?;
        let enrollment = device.enrollment_id.map(|id| enrollments::find(conn, id)).transpose()?.flatten();
        let events = timeline::list(conn, id, PageRequest { limit: EVENTS, after: None })?.items;
        Ok::<_, Error>(Found {
            backend: enrollment.as_ref().map_or(Backend::Apple, |enrollment| enrollment.backend),
            rights: enrollment.as_ref().map_or(AccessRights::from_bits(0), |enrollment| enrollment.rights),
            posture: postures::get(conn, id)?,
            events,
            device,
        })
    });
    Ok(found.await?)
}

/// What the organization knows of the device, in the words that a person would use.
fn facts(posture: &Posture) -> Vec<FactRow> {
    let yes = |fact: &Option<Fact<bool>>| fact.as_ref().map(|fact| (if fact.value { "yes" } else { "no" }.to_owned(), fact.at));
    let text = |fact: &Option<Fact<String>>| fact.as_ref().map(|fact| (fact.value.clone(), fact.at));
    let profiles = posture.managed_profiles.as_ref().map(|fact| (fact.value.len().to_string(), fact.at));
    let rows: [(&'static str, Option<(String, Timestamp)>); 12] = [
        ("Name of the device", text(&posture.device_name)),
        ("Model", text(&posture.model_name)),
        ("Serial number", text(&posture.serial)),
        ("Version of the system", text(&posture.os_version)),
        ("Last security update", text(&posture.security_patch)),
        ("A passcode is set", yes(&posture.passcode_present)),
        ("The passcode meets the rules", yes(&posture.passcode_compliant)),
        ("Level of the passcode", text(&posture.passcode_complexity)),
        ("The storage can be encrypted", yes(&posture.encryption_capable)),
        ("The storage is encrypted", yes(&posture.encrypted)),
        ("Jailbroken or rooted", yes(&posture.compromised)),
        ("Profiles that the organization has installed", profiles),
    ];
    rows.into_iter().filter_map(|(name, fact)| fact.map(|(value, at)| FactRow { name, value, at: date(at) })).collect()
}
