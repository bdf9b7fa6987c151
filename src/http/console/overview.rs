//! The first page: what needs attention, then the picture.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    picture::{self, Bar, TREND_DAYS, Trend},
    show::count,
};
use crate::{
    domain::{command::Purpose, id::DeviceId, user::Permission},
    http::{extract::admin::Admin, problem::Problem},
    service::{App, Error, census::day_of},
    store::{
        attention::{self, Approval, Attention, Progress},
        census,
        devices::Filter,
        tallies,
    },
};

/// Days before the end of a certificate from which on it is pointed out. Devices renew theirs long before.
const CERTIFICATE_DAYS: i64 = 14;

/// Orders that are named on the page.
const APPROVALS: i64 = 20;

/// What may stand behind the question mark.
#[derive(Debug, Deserialize)]
pub struct OverviewQuery {
    done: Option<String>,
}

/// Something to look at.
#[derive(Debug, Serialize)]
struct Matter {
    address: &'static str,
    text: String,
    advice: &'static str,
    class: &'static str,
}

/// A step of setting the server up.
#[derive(Debug, Serialize)]
struct Step {
    address: &'static str,
    text: &'static str,
    why: &'static str,
    is_done: bool,
}

/// An order that waits for approval, which is given on the page of its device.
#[derive(Debug, Serialize)]
struct Waiting {
    device: DeviceId,
    text: String,
}

#[derive(Debug, Serialize)]
struct OverviewView {
    matters: Vec<Matter>,
    approvals: Vec<Waiting>,
    steps: Vec<Step>,
    devices: i64,
    bars: Vec<Bar>,
    trend: Option<Trend>,
}

/// `GET /console/`
pub async fn get_overview(admin: Admin, query: web::Query<OverviewQuery>) -> Result<HttpResponse, Problem> {
    let now = admin.app.now();
    let (attention, approvals, progress, rows, counts) = admin
        .app
        .read(move |conn| {
            Ok::<_, Error>((
                attention::count(conn, now.plus_days(CERTIFICATE_DAYS))?,
                attention::approvals(conn, APPROVALS)?,
                attention::progress(conn)?,
                tallies::totals(conn, &Filter::default())?,
                census::since(conn, day_of(now).plus_days(-TREND_DAYS))?,
            ))
        })
        .await?;
    let bars = picture::bars(&rows);
    let mut matters = matters(&attention);
    matters.extend(push_matter(admin.app.push_certificate().await?.warning));
    if admin.app.hold().await?.is_some() {
        matters.insert(0, held_matter());
    }
    let view = OverviewView {
        matters,
        approvals: approvals.into_iter().map(waiting).collect(),
        steps: steps(&admin, &progress),
        devices: bars.iter().fold(0, |sum, bar| sum.saturating_add(bar.total)),
        trend: picture::trend(&counts, now),
        bars,
    };
    let done = query.done.as_deref().filter(|word| *word == "setup").map(|_| "The server is set up, and you are signed in.");
    Ok(Frame::new(&admin, "/console/", "Overview").done(done).show(&admin, "console/overview", &view))
}

fn held_matter() -> Matter {
    let (text, advice) = ("Wipes and retirements are held".to_owned(), "None is handed to any device until they are released.");
    Matter { address: "/console/hold", text, advice, class: "bad" }
}

fn matters(found: &Attention) -> Vec<Matter> {
    let matter = |number: i64, noun: &str, rest: &str, address, advice, class| {
        (number > 0).then(|| Matter { address, text: format!("{} {rest}", count(number, noun)), advice, class })
    };
    let are = |number: i64| if number == 1 { "is" } else { "are" };
    [
        matter(
            found.awaiting_approval,
            "order",
            "waiting for approval",
            "#approvals",
            "Open the device and approve or withdraw the order.",
            "bad",
        ),
        matter(
            found.noncompliant,
            "device",
            &format!("{} not compliant", are(found.noncompliant)),
            "/console/devices?status=noncompliant",
            "They are kept out. Each device's page says why, and what its owner can do.",
            "bad",
        ),
        matter(
            found.wipes_pending,
            "wipe",
            &format!("{} pending", are(found.wipes_pending)),
            "/console/devices?status=wipe_pending",
            "Access was cut already. The device is wiped when it next connects.",
            "care",
        ),
        matter(
            found.in_grace,
            "device",
            &format!("{} in the grace period", are(found.in_grace)),
            "/console/devices?status=in_grace",
            "They still come in, and lose access when the period ends.",
            "care",
        ),
        matter(
            found.unknown,
            "device",
            if found.unknown == 1 { "has not reported enough" } else { "have not reported enough" },
            "/console/devices?status=unknown",
            "What was not reported does not count as obeyed.",
            "care",
        ),
        matter(
            found.mails_failed,
            "mail",
            "could not be delivered",
            "/console/outbox?state=failed",
            "See what the mail server said, then try again.",
            "bad",
        ),
        matter(
            found.mails_waiting,
            "mail",
            if found.mails_waiting == 1 { "is being tried again" } else { "are being tried again" },
            "/console/outbox?state=queued",
            "The mail server did not take them yet. They are kept and tried again.",
            "care",
        ),
        matter(found.jobs_dead, "job", "given up", "/console/jobs?state=dead", "See why, then try again.", "bad"),
        matter(
            found.certificates_ending,
            "device certificate",
            if found.certificates_ending == 1 { "ends soon" } else { "end soon" },
            "/console/certificates?show=ending",
            "These devices were not in contact to renew. They have to connect before the certificate ends, or enroll again.",
            "care",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn push_matter(warning: Option<String>) -> Option<Matter> {
    let advice = "Without Apple's push service, iPhones and iPads are not woken: what is ordered waits until they come by themselves.";
    warning.map(|text| Matter { address: "/console/push", text, advice, class: "care" })
}

fn waiting(order: Approval) -> Waiting {
    let what = match order.purpose {
        Purpose::FullWipe => "Full wipe",
        Purpose::SelectiveWipe | Purpose::SelectiveWipeEnd => "Selective wipe",
        Purpose::Retire => "Retirement",
        Purpose::Administrator | Purpose::Facts | Purpose::Policy | Purpose::Renewal => "An order",
    };
    let name = order.name.unwrap_or_else(|| "a device".into());
    Waiting { device: order.device, text: format!("{what}: {name} of {}", order.email) }
}

/// What comes next on a new server; nothing once there are devices.
fn steps(admin: &Admin, progress: &Progress) -> Vec<Step> {
    if progress.has_devices || !admin.may(Permission::ManageSettings) {
        return Vec::new();
    }
    vec![
        Step {
            address: "/console/settings",
            text: "Say how mail is sent, and from whom",
            why: "Invitations and codes go by mail.",
            is_done: has_sender(&admin.app),
        },
        Step {
            address: "/console/policies/new",
            text: "Create a passcode policy",
            why: "Without a policy every enrolled device counts as compliant.",
            is_done: progress.has_policies,
        },
        Step {
            address: "/console/users/import",
            text: "Add the people",
            why: "One by one, or all of them from a list.",
            is_done: progress.has_users,
        },
        Step {
            address: "/console/users",
            text: "Invite the first of them",
            why: "They get a mail with a link that leads the phone through its enrollment.",
            is_done: false,
        },
    ]
}

fn has_sender(app: &App) -> bool {
    !app.is_mail_kept_as_files()
}
