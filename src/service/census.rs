//! Counts the devices by verdict once an hour; the last count of each day is what the trend shows.

use super::{App, Result};
use crate::{
    domain::{compliance::Status, device::EnrollmentState, time::Timestamp},
    store::{
        census::{self, Count},
        devices::{self, Filter},
    },
};

/// The kind of the job that counts.
pub const JOB: &str = "census";
/// Days for which the counts are kept.
pub const CENSUS_DAYS: i64 = 400;

const DAY_MILLIS: i64 = 86_400_000;

/// The midnight, in UTC, that begins the day of this instant.
#[must_use]
pub const fn day_of(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().div_euclid(DAY_MILLIS).saturating_mul(DAY_MILLIS))
}

impl App {
    /// Counts the devices that are enrolled, as of today.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_census(&self) -> Result<()> {
        let day = day_of(self.now());
        let rows = self.read(|conn| devices::totals(conn, &Filter::default())).await?;
        let counts: Vec<Count> = Status::ALL
            .iter()
            .map(|status| Count {
                day,
                compliance: *status,
                devices: rows
                    .iter()
                    .filter(|(_, state, verdict, _)| *state == EnrollmentState::Enrolled && verdict == status)
                    .fold(0, |sum, (.., count)| sum.saturating_add(*count)),
            })
            .collect();
        self.write(move |tx| Ok(census::replace(tx, day, &counts)?)).await
    }
}
