//! The compliance report: how many devices there are of each kind, and each of them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{App, Result};
use crate::{
    domain::{
        compliance::Status,
        device::{EnrollmentState, Platform},
        time::Timestamp,
    },
    store::{devices::Filter, tallies},
};

/// How many devices there are. A status is a verdict or a state of enrollment; the number beside a word is that of the devices
/// which the filter `status` with this word finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Totals {
    /// All of them.
    pub devices: i64,
    /// By platform.
    pub by_os: BTreeMap<&'static str, i64>,
    /// By verdict and by state of enrollment.
    pub by_status: BTreeMap<&'static str, i64>,
}

/// The numbers of the report.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Summary {
    /// When they were counted.
    pub generated_at: Timestamp,
    /// The numbers.
    pub totals: Totals,
}

impl App {
    /// Counts the devices that a filter wants.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn summarize(&self, filter: Filter) -> Result<Summary> {
        let generated_at = self.now();
        let rows = self.read(move |conn| tallies::totals(conn, &filter)).await?;
        let mut totals = Totals::default();
        for platform in Platform::ALL {
            totals.by_os.insert(platform.as_str(), 0);
        }
        for word in Status::ALL.iter().map(|status| status.as_str()).chain(EnrollmentState::ALL.iter().map(|state| state.as_str())) {
            totals.by_status.insert(word, 0);
        }
        for (platform, state, status, count) in rows {
            totals.devices = totals.devices.saturating_add(count);
            add(&mut totals.by_os, platform.as_str(), count);
            add(&mut totals.by_status, state.as_str(), count);
            add(&mut totals.by_status, status.as_str(), count);
        }
        Ok(Summary { generated_at, totals })
    }
}

fn add(map: &mut BTreeMap<&'static str, i64>, word: &'static str, count: i64) {
    let number = map.entry(word).or_default();
    *number = number.saturating_add(count);
}
