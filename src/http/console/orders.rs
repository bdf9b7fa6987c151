//! Orders for one device. What cannot be taken back has a page of its own before it, which says what will happen; a wipe must be
//! confirmed by typing what is printed on the device.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    device_list::{name_of, system_of},
    frame::Frame,
    see,
    show::{self, When},
    wording::wording,
};
use crate::{
    domain::{
        backend::Backend,
        command::{Command, EraseOptions, Purpose},
        device::{Ownership, WipeScope},
        id::{CommandId, DeviceId},
        user::Permission,
    },
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        command::Order,
        offers::{DeviceWithOffers, Offer, Offers},
        wipe::WipeOrder,
    },
    store::{commands, postures},
};

/// The device of an order, as its page shows it.
#[derive(Debug, Serialize)]
struct Target {
    id: DeviceId,
    name: String,
    system: String,
    serial: Option<String>,
    owner: String,
    email: String,
    ownership: &'static str,
    is_company: bool,
    seen: Option<When>,
    /// What must be typed to confirm a wipe.
    confirmation: String,
}

#[derive(Debug, Default, Serialize)]
struct Typed {
    reason: String,
    confirm: String,
    message: String,
    phone_number: String,
    preserve_data_plan: bool,
}

#[derive(Debug, Serialize)]
struct OrderView {
    target: Target,
    refusal: Option<String>,
    profiles: Vec<String>,
    is_apple: bool,
    /// What locks it is the launcher, which a passcode does not open.
    is_launcher: bool,
    /// Wipes and retirements are held at the moment.
    is_held: bool,
    /// What happens when the device is let go.
    retire: &'static [&'static str],
    /// What goes with a selective wipe.
    goes: &'static [&'static str],
    /// What stays.
    stays: &'static str,
    typed: Typed,
}

/// `POST /console/devices/{id}/refresh`
pub async fn post_refresh(form: Form<NoFields>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    form.admin.app.order(form.admin.actor.clone(), *id, Order::Refresh).await?;
    Ok(back(*id, "refresh"))
}

/// `GET /console/devices/{id}/lock`
pub async fn get_lock(admin: Admin, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, &LOCK, Typed::default(), None).await
}

/// What is shown on the lock screen.
#[derive(Debug, Deserialize)]
pub struct LockForm {
    #[serde(default)]
    message: String,
    #[serde(default)]
    phone_number: String,
}

/// `POST /console/devices/{id}/lock`
pub async fn post_lock(form: Form<LockForm>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let LockForm { message, phone_number } = &form.fields;
    let command = Command::DeviceLock { message: given(message), phone_number: given(phone_number) };
    let done = if [message, phone_number].iter().any(|text| text.chars().count() > 200) {
        Err(Error::invalid("message", "must have at most 200 characters"))
    } else {
        form.admin.app.order(form.admin.actor.clone(), *id, Order::Command(command)).await
    };
    let typed = Typed { message: form.fields.message, phone_number: form.fields.phone_number, ..Typed::default() };
    settle(&form.admin, *id, &LOCK, typed, done.map(drop)).await
}

/// `GET /console/devices/{id}/clear-passcode`
pub async fn get_clear_passcode(admin: Admin, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, &CLEAR_PASSCODE, Typed::default(), None).await
}

#[derive(Debug, Serialize)]
struct ResetView {
    id: DeviceId,
    passcode: String,
}

/// `POST /console/devices/{id}/clear-passcode`: shows the temporary passcode, where the device gets one. It is not sent on to
/// another page, so that no address and no history keeps it.
pub async fn post_clear_passcode(form: Form<NoFields>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let (admin, id) = (form.admin, *id);
    let reset = admin.app.reset_passcode(admin.actor.clone(), id).await?;
    let Some(passcode) = reset.temporary_passcode else { return Ok(back(id, CLEAR_PASSCODE.done)) };
    let name = admin.app.read(move |conn| Ok::<_, Error>(name_of(&DeviceWithOffers::get(conn, id)?.device))).await?;
    let frame = Frame::new(&admin, "/console/devices", "The passcode is being reset")
        .below("/console/devices", "Devices")
        .below(format!("/console/devices/{id}"), name);
    Ok(frame.show(&admin, "console/passcode_reset", &ResetView { id, passcode }))
}

/// `GET /console/devices/{id}/retire`
pub async fn get_retire(admin: Admin, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, &RETIRE, Typed::default(), None).await
}

/// `POST /console/devices/{id}/retire`
pub async fn post_retire(form: Form<NoFields>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let done = form.admin.app.retire(form.admin.actor.clone(), *id).await;
    settle(&form.admin, *id, &RETIRE, Typed::default(), done.map(drop)).await
}

/// `GET /console/devices/{id}/wipe/selective`
pub async fn get_selective_wipe(admin: Admin, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, &SELECTIVE, Typed::default(), None).await
}

/// `GET /console/devices/{id}/wipe/full`
pub async fn get_full_wipe(admin: Admin, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, &FULL, Typed::default(), None).await
}

/// A wipe.
#[derive(Debug, Deserialize)]
pub struct WipeForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    preserve_data_plan: String,
}

/// `POST /console/devices/{id}/wipe/selective`
pub async fn post_selective_wipe(form: Form<WipeForm>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    wipe(form, *id, WipeScope::Selective, &SELECTIVE).await
}

/// `POST /console/devices/{id}/wipe/full`
pub async fn post_full_wipe(form: Form<WipeForm>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    wipe(form, *id, WipeScope::Full, &FULL).await
}

async fn wipe(form: Form<WipeForm>, id: DeviceId, scope: WipeScope, kind: &Kind) -> Result<HttpResponse, Problem> {
    let WipeForm { reason, confirm, preserve_data_plan } = form.fields;
    let typed = Typed { preserve_data_plan: !preserve_data_plan.is_empty(), reason, confirm, ..Typed::default() };
    let options = EraseOptions { preserve_data_plan: scope == WipeScope::Full && typed.preserve_data_plan, ..EraseOptions::default() };
    let order = WipeOrder { scope, reason: typed.reason.clone(), confirm: typed.confirm.clone(), options };
    let done = form.admin.app.wipe(form.admin.actor.clone(), id, order).await;
    settle(&form.admin, id, kind, typed, done.map(drop)).await
}

/// `POST /console/devices/{id}/commands/{command}/approve`: lets a held order go to the device.
pub async fn post_approve(form: Form<NoFields>, path: web::Path<(DeviceId, CommandId)>) -> Result<HttpResponse, Problem> {
    let (admin, (device, command)) = (form.admin, path.into_inner());
    must_decide(&admin, device, command).await?;
    admin.app.approve_command(admin.actor.clone(), device, command).await?;
    Ok(back(device, "approved"))
}

/// `POST /console/devices/{id}/commands/{command}/cancel`: withdraws a held order.
pub async fn post_cancel(form: Form<NoFields>, path: web::Path<(DeviceId, CommandId)>) -> Result<HttpResponse, Problem> {
    let (admin, (device, command)) = (form.admin, path.into_inner());
    must_decide(&admin, device, command).await?;
    admin.app.cancel_command(admin.actor.clone(), device, command).await?;
    Ok(back(device, "withdrawn"))
}

/// Whoever may not order a full wipe may not decide about one either.
async fn must_decide(admin: &Admin, device: DeviceId, command: CommandId) -> Result<(), Problem> {
    let found = admin.app.read(move |conn| Ok::<_, Error>(commands::find_of_device(conn, device, command)?)).await?;
    let purpose = found.ok_or(Error::NotFound("command"))?.purpose;
    if purpose == Purpose::FullWipe && !admin.may(Permission::WipeFully) {
        return Err(Error::Denied("only an administrator decides about a full wipe".into()).into());
    }
    Ok(())
}

/// What the page before an order is called, which template it has, and which offer it is about.
struct Kind {
    title: &'static str,
    template: &'static str,
    done: &'static str,
    offer: fn(&Offers) -> &Offer,
}

const LOCK: Kind = Kind { title: "Lock this device?", template: "console/order_lock", done: "lock", offer: |offers| &offers.lock };
const CLEAR_PASSCODE: Kind = Kind {
    title: "Clear the passcode of this device?",
    template: "console/order_clear_passcode",
    done: "clear-passcode",
    offer: |offers| &offers.clear_passcode,
};
const RESET_PASSCODE: Kind = Kind {
    title: "Reset the passcode of this device?",
    template: "console/order_reset_passcode",
    done: "clear-passcode",
    offer: |offers| &offers.clear_passcode,
};
const RETIRE: Kind =
    Kind { title: "Retire this device?", template: "console/order_retire", done: "retire", offer: |offers| &offers.retire };
const SELECTIVE: Kind = Kind {
    title: "Wipe company data from this device?",
    template: "console/order_selective_wipe",
    done: "selective",
    offer: |offers| &offers.selective_wipe,
};
const FULL: Kind =
    Kind { title: "Erase this device completely?", template: "console/order_full_wipe", done: "full", offer: |offers| &offers.full_wipe };

/// Back to the device's page, which says what was done.
fn back(id: DeviceId, done: &str) -> HttpResponse {
    see(&format!("/console/devices/{id}?done={done}"))
}

/// Back to the device where the order was given; where something was typed wrongly, the page again with what was typed.
async fn settle(admin: &Admin, id: DeviceId, kind: &Kind, typed: Typed, done: Result<(), Error>) -> Result<HttpResponse, Problem> {
    match done {
        Ok(()) => Ok(back(id, kind.done)),
        Err(Error::Invalid { field, why }) => {
            let what = match field.as_str() {
                "confirm" => "What you typed to confirm",
                "reason" => "The reason",
                _ => "The text",
            };
            ask(admin, id, kind, typed, Some(sentence(&format!("{what} {why}")))).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn ask(admin: &Admin, id: DeviceId, kind: &Kind, typed: Typed, error: Option<String>) -> Result<HttpResponse, Problem> {
    let (found, posture) = admin.app.read(move |conn| Ok::<_, Error>((DeviceWithOffers::get(conn, id)?, postures::get(conn, id)?))).await?;
    let now = admin.app.now();
    let (backend, words) = (found.backend(), wording(found.backend(), found.mode()));
    let kind = if kind.done == CLEAR_PASSCODE.done && backend != Backend::Apple { &RESET_PASSCODE } else { kind };
    let device = found.device;
    let target = Target {
        id,
        name: name_of(&device),
        system: system_of(&device),
        owner: found.name,
        email: found.email,
        ownership: show::ownership(device.ownership),
        is_company: device.ownership == Ownership::Company,
        seen: When::some(device.last_seen_at, now),
        confirmation: device.serial.clone().unwrap_or_else(|| id.to_string()),
        serial: device.serial,
    };
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let frame = Frame::new(admin, "/console/devices", kind.title)
        .below("/console/devices", "Devices")
        .below(format!("/console/devices/{id}"), target.name.clone())
        .refused(error);
    let view = OrderView {
        refusal: (kind.offer)(&found.offers).as_ref().err().map(|why| sentence(why)),
        profiles: posture
            .managed_profiles
            .map(|fact| fact.value.into_iter().map(|profile| profile.identifier).collect())
            .unwrap_or_default(),
        is_apple: backend == Backend::Apple,
        is_launcher: backend == Backend::Headwind,
        is_held: admin.app.hold().await?.is_some(),
        retire: words.retire,
        goes: words.selective_goes,
        stays: words.selective_stays,
        target,
        typed,
    };
    Ok(frame.show_as(admin, status, kind.template, &view))
}
