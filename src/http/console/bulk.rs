//! Doing the same with several devices: first a page that counts them and says what will happen, then the doing, then what came
//! of it for each.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};

use super::{
    device_list::{name_of, system_of},
    frame::Frame,
    show::count,
};
use crate::{
    domain::{command::Command, id::DeviceId},
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        command::Order,
        offers::{DeviceWithOffers, Offer, Offers},
    },
};

/// Most devices at once: as many as a page shows.
const MOST: usize = 50;

/// The selection, and the confirmation once it was given.
#[derive(Debug, Deserialize)]
pub struct BulkForm {
    #[serde(default)]
    device: Vec<DeviceId>,
    #[serde(default)]
    confirm: String,
}

/// What is done with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Refresh,
    Lock,
    Retire,
}

impl Deed {
    const fn address(self) -> &'static str {
        match self {
            Self::Refresh => "/console/devices/bulk/refresh",
            Self::Lock => "/console/devices/bulk/lock",
            Self::Retire => "/console/devices/bulk/retire",
        }
    }

    fn question(self, number: usize) -> String {
        let devices = count(i128::try_from(number).unwrap_or_default(), "device");
        match self {
            Self::Refresh => format!("Ask {devices} for their facts?"),
            Self::Lock => format!("Lock {devices}?"),
            Self::Retire => format!("Retire {devices}?"),
        }
    }

    const fn consequence(self) -> &'static str {
        match self {
            Self::Refresh => {
                "Each device reports its passcode, encryption and system version when it next connects. Nothing on it changes."
            }
            Self::Lock => {
                "The screen of each device is locked when it next connects. Its owner unlocks it with the passcode; with \
                 the launcher it stays locked until it is unlocked here. Nothing is lost."
            }
            Self::Retire => {
                "Each device loses access at once and its certificate is revoked. A managed one removes what was installed from \
                 here when it next connects. The person's own data stays. To come back, it has to be enrolled again."
            }
        }
    }

    fn button(self, number: usize) -> String {
        let devices = count(i128::try_from(number).unwrap_or_default(), "device");
        match self {
            Self::Refresh => format!("Ask {devices}"),
            Self::Lock => format!("Lock {devices}"),
            Self::Retire => format!("Retire {devices}"),
        }
    }

    const fn offer(self, offers: &Offers) -> &Offer {
        match self {
            Self::Refresh => &offers.refresh,
            Self::Lock => &offers.lock,
            Self::Retire => &offers.retire,
        }
    }

    async fn perform(self, admin: &Admin, device: DeviceId) -> Result<(), Error> {
        let actor = admin.actor.clone();
        match self {
            Self::Refresh => admin.app.order(actor, device, Order::Refresh).await.map(drop),
            Self::Lock => {
                let lock = Command::DeviceLock { message: None, phone_number: None };
                admin.app.order(actor, device, Order::Command(lock)).await.map(drop)
            }
            Self::Retire => admin.app.retire(actor, device).await.map(drop),
        }
    }
}

/// One device of the selection.
#[derive(Debug, Serialize)]
struct Selected {
    id: DeviceId,
    name: String,
    system: String,
    email: String,
    serial: Option<String>,
    /// Why it will not be done, or was not done.
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct BulkView {
    address: &'static str,
    consequence: &'static str,
    button: String,
    possible: Vec<Selected>,
    impossible: Vec<Selected>,
    is_dangerous: bool,
}

#[derive(Debug, Serialize)]
struct DoneView {
    done: Vec<Selected>,
    not_done: Vec<Selected>,
}

/// `POST /console/devices/bulk/refresh`
pub async fn post_refresh(form: Form<BulkForm>) -> Result<HttpResponse, Problem> {
    many(form, Deed::Refresh).await
}

/// `POST /console/devices/bulk/lock`
pub async fn post_lock(form: Form<BulkForm>) -> Result<HttpResponse, Problem> {
    many(form, Deed::Lock).await
}

/// `POST /console/devices/bulk/retire`
pub async fn post_retire(form: Form<BulkForm>) -> Result<HttpResponse, Problem> {
    many(form, Deed::Retire).await
}

async fn many(form: Form<BulkForm>, deed: Deed) -> Result<HttpResponse, Problem> {
    let (admin, mut fields) = (form.admin, form.fields);
    fields.device.sort_unstable();
    fields.device.dedup();
    if fields.device.is_empty() {
        return Err(Error::invalid("device", "no device was selected: go back, tick the devices, and choose again").into());
    }
    if fields.device.len() > MOST {
        return Err(Error::invalid("device", format!("at most {MOST} devices can be selected at once")).into());
    }
    let selected = look_up(&admin, fields.device, deed).await?;
    if fields.confirm == "yes" { perform(&admin, selected, deed).await } else { Ok(ask(&admin, selected, deed)) }
}

async fn look_up(admin: &Admin, ids: Vec<DeviceId>, deed: Deed) -> Result<Vec<Selected>, Error> {
    let found =
        admin.app.read(move |conn| ids.into_iter().map(|id| DeviceWithOffers::get(conn, id)).collect::<Result<Vec<_>, _>>()).await?;
    let selected = |found: DeviceWithOffers| Selected {
        id: found.device.id,
        name: name_of(&found.device),
        system: system_of(&found.device),
        email: found.email,
        serial: found.device.serial,
        refusal: deed.offer(&found.offers).as_ref().err().map(|why| sentence(why)),
    };
    Ok(found.into_iter().map(selected).collect())
}

fn ask(admin: &Admin, selected: Vec<Selected>, deed: Deed) -> HttpResponse {
    let (possible, impossible): (Vec<_>, Vec<_>) = selected.into_iter().partition(|one| one.refusal.is_none());
    let view = BulkView {
        address: deed.address(),
        consequence: deed.consequence(),
        button: deed.button(possible.len()),
        is_dangerous: deed == Deed::Retire,
        impossible,
        possible,
    };
    let frame = Frame::new(admin, "/console/devices", deed.question(view.possible.len())).below("/console/devices", "Devices");
    frame.show(admin, "console/bulk", &view)
}

async fn perform(admin: &Admin, selected: Vec<Selected>, deed: Deed) -> Result<HttpResponse, Problem> {
    let (mut done, mut not_done) = (Vec::new(), Vec::new());
    for mut one in selected {
        match deed.perform(admin, one.id).await {
            Ok(()) => done.push(one),
            // Somebody was faster, or a limit was reached: the others are still tried, and it is said here.
            Err(error @ (Error::Conflict(_) | Error::NotFound(_) | Error::TooMany { .. })) => {
                one.refusal = Some(sentence(&error.to_string()));
                not_done.push(one);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let title =
        format!("{} of {}", done.len(), count(i128::try_from(done.len().saturating_add(not_done.len())).unwrap_or_default(), "order"));
    let frame = Frame::new(admin, "/console/devices", format!("{title} given")).below("/console/devices", "Devices");
    Ok(frame.show(admin, "console/bulk_done", &DoneView { done, not_done }))
}
