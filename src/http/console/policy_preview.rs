//! What a policy would change, as the form shows it before anything is saved.

use serde::Serialize;

use super::show::{self, Badge, count};
use crate::{
    domain::id::DeviceId,
    service::preview::{Change, Preview},
};

/// Devices that are named on the page.
const MOST_SHOWN: usize = 25;

/// The part of the form that says what saving would change.
#[derive(Debug, Serialize)]
pub(super) struct PreviewPart {
    affected: String,
    points: Vec<String>,
    rows: Vec<Row>,
    has_more: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    id: DeviceId,
    name: String,
    email: String,
    before: Badge,
    after: Badge,
    access_before: Badge,
    access_after: Badge,
    why: String,
    deadline: Option<String>,
}

impl PreviewPart {
    pub(super) fn of(found: Preview) -> Self {
        let mut points = Vec::new();
        let mut say = |number: i64, one: &str, rest: &str| {
            if number > 0 {
                points.push(format!("{} {rest}", count(number, one)));
            }
        };
        say(found.newly_blocked_devices, "device", &format!("of {} would lose access at once", people(found.newly_blocked_users)));
        say(found.newly_noncompliant, "device", "would begin to break the policy");
        say(found.newly_in_grace, "device", "of those would have time to mend it");
        say(found.newly_compliant, "device", "would become compliant");
        say(found.newly_allowed_devices, "device", "would get access");
        let has_more = found.is_cut || found.changes.len() > MOST_SHOWN;
        Self {
            affected: count(found.devices_affected, "device"),
            points,
            rows: found.changes.into_iter().take(MOST_SHOWN).map(row).collect(),
            has_more,
        }
    }
}

fn people(number: i64) -> String {
    if number == 1 { "1 person".into() } else { format!("{number} people") }
}

fn row(change: Change) -> Row {
    Row {
        id: change.device,
        name: change.name,
        email: change.email,
        before: show::compliance(change.before),
        after: show::compliance(change.after),
        access_before: show::access(change.access_before),
        access_after: show::access(change.access_after),
        why: change.reasons.first().map(|reason| reason.text.clone()).unwrap_or_default(),
        deadline: change.deadline.map(|at| at.calendar().date().to_string()),
    }
}
