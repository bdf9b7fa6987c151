//! The devices: filtered, page by page, each view with its own address; and the first half of doing something with many of them.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    show::{self, Badge, When},
};
use crate::{
    domain::{
        compliance::Status,
        device::{EnrollmentState, Ownership, Platform},
        id::{DeviceId, UserId},
        time::Timestamp,
        user::Permission,
    },
    http::{api::paging, extract::admin::Admin, problem::Problem},
    service::{Error, report::WantedDevices},
    store::{
        self,
        devices::{self, Device},
        users,
    },
};

/// Rows on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) ownership: String,
    #[serde(default)]
    pub(super) user: String,
    #[serde(default)]
    pub(super) q: String,
    #[serde(default)]
    pub(super) group: String,
    #[serde(default)]
    pub(super) policy: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) unseen_days: String,
    #[serde(default)]
    pub(super) cursor: String,
    #[serde(default)]
    pub(super) done: String,
}

impl ListQuery {
    /// The filter that is asked for.
    ///
    /// # Errors
    /// A word is none that the filter knows.
    pub(super) fn filter(&self, now: Timestamp) -> Result<devices::Filter, Error> {
        self.wanted().filter(now)
    }

    /// Which devices are asked for.
    pub(super) fn wanted(&self) -> WantedDevices {
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        WantedDevices {
            os: given(&self.os),
            status: given(&self.status),
            user: given(&self.user),
            ownership: given(&self.ownership),
            q: given(&self.q),
            group: given(&self.group),
            policy: given(&self.policy),
            reason: given(&self.reason),
            unseen_days: given(&self.unseen_days),
        }
    }

    /// The filter as it is written into an address, without the cursor.
    pub(super) fn address(&self) -> String {
        self.wanted().address()
    }
}

/// One choice of a filter.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    word: &'static str,
    text: &'static str,
    is_chosen: bool,
}

/// The choices of the filters.
#[derive(Debug, Serialize)]
pub(super) struct Choices {
    os: Vec<Choice>,
    verdicts: Vec<Choice>,
    states: Vec<Choice>,
    ownership: Vec<Choice>,
    q: String,
    user: String,
    is_filtered: bool,
}

impl Choices {
    pub(super) fn of(query: &ListQuery) -> Self {
        let choice = |word: &'static str, text, chosen: &str| Choice { word, text, is_chosen: word == chosen };
        Self {
            os: Platform::ALL.iter().map(|os| choice(os.as_str(), show::platform(*os), &query.os)).collect(),
            verdicts: Status::ALL.iter().map(|status| choice(status.as_str(), show::compliance(*status).text, &query.status)).collect(),
            states: EnrollmentState::ALL.iter().map(|state| choice(state.as_str(), show::enrollment(*state).text, &query.status)).collect(),
            ownership: Ownership::ALL.iter().map(|of| choice(of.as_str(), show::ownership(*of), &query.ownership)).collect(),
            q: query.q.clone(),
            user: query.user.clone(),
            is_filtered: !query.address().is_empty(),
        }
    }
}

/// One device of a list.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    id: DeviceId,
    name: String,
    serial: Option<String>,
    email: String,
    user: UserId,
    system: String,
    ownership: &'static str,
    enrollment: Badge,
    compliance: Badge,
    access: Badge,
    reason: Option<String>,
    more_reasons: usize,
    seen: Option<When>,
}

impl Row {
    pub(super) fn of(device: Device, email: String, now: Timestamp) -> Result<Self, store::Error> {
        let reasons = device.reasons()?;
        Ok(Self {
            id: device.id,
            name: name_of(&device),
            user: device.user_id,
            email,
            system: system_of(&device),
            ownership: show::ownership(device.ownership),
            enrollment: show::enrollment(device.state),
            compliance: show::compliance(device.compliance),
            access: show::access(device.access),
            more_reasons: reasons.len().saturating_sub(1),
            reason: reasons.into_iter().next().map(|reason| reason.text),
            seen: When::some(device.last_seen_at, now),
            serial: device.serial,
        })
    }
}

/// What people call a device.
pub(super) fn name_of(device: &Device) -> String {
    let kind = || device.model.clone().or_else(|| device.product_name.clone());
    device.device_name.clone().or_else(kind).unwrap_or_else(|| format!("{} device", show::platform(device.platform)))
}

/// Its system with its version.
pub(super) fn system_of(device: &Device) -> String {
    let version = device.os_version.as_deref().unwrap_or_default();
    format!("{} {version}", show::platform(device.platform)).trim_end().to_owned()
}

#[derive(Debug, Serialize)]
struct DevicesView {
    choices: Choices,
    rows: Vec<Row>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
    may_support: bool,
    may_retire: bool,
    owner: Option<String>,
}

/// `GET /console/devices`
pub async fn get_devices(admin: Admin, query: web::Query<ListQuery>) -> Result<HttpResponse, Problem> {
    let (filter, page) = (query.filter(admin.app.now())?, paging::page(Some(ROWS), Some(&query.cursor))?);
    let now = admin.app.now();
    let (page, owner) = admin
        .app
        .read(move |conn| {
            let owner = filter.user.map(|id| users::find(conn, id)).transpose()?.flatten();
            Ok::<_, Error>((devices::list(conn, &filter, page)?, owner))
        })
        .await?;
    let address = query.address();
    let joined = |rest: String| if address.is_empty() { format!("?{rest}") } else { format!("?{address}&{rest}") };
    let next = page.next_cursor.map(|cursor| joined(format!("cursor={cursor}")));
    let rows = page.items.into_iter().map(|(device, email)| Row::of(device, email, now)).collect::<Result<_, store::Error>>();
    let view = DevicesView {
        choices: Choices::of(&query),
        rows: rows.map_err(Error::from)?,
        total: page.total,
        next,
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        may_support: admin.may(Permission::SupportDevices),
        may_retire: admin.may(Permission::WipeSelectively),
        owner: owner.map(|user| user.email),
    };
    let done = (query.done == "bulk").then_some("The orders were given. Each device carries its own out when it next connects.");
    Ok(Frame::new(&admin, "/console/devices", "Devices").wide().done(done).show(&admin, "console/devices", &view))
}
