//! Counts the devices by verdict once an hour; the last count of each day is what the trend shows.

use super::{App, Error, Result};
use crate::{
    domain::{compliance::Status, device::EnrollmentState, time::Timestamp},
    store::{
        census::{self, Count},
        devices::Filter,
        finders, tallies,
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
        let rows = self.read(|conn| tallies::totals(conn, &Filter::default())).await?;
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

    /// Puts together what many changes have left in the tallies of the devices.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn fold_tallies(&self) -> Result<()> {
        if self.read(tallies::are_many).await? { self.write(|tx| Ok(tallies::fold(tx)?)).await } else { Ok(()) }
    }

    /// Counts the devices anew, and looks whether each is found by what it is. The triggers that keep this leave nothing to mend;
    /// whoever writes into the database past them does.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn verify_tallies(&self) -> Result<()> {
        let (kinds, lost) = self.read(|conn| Ok::<_, Error>((tallies::wrong(conn)?, finders::wrong(conn)?))).await?;
        if kinds > 0 {
            tracing::warn!(kinds, "the tallies of the devices were not right and are mended");
            self.write(|tx| Ok(tallies::mend(tx)?)).await?;
        }
        if lost > 0 {
            tracing::warn!(lost, "devices or users were not found by what they are and are mended");
            self.write(|tx| Ok(finders::mend(tx)?)).await?;
        }
        Ok(())
    }
}
