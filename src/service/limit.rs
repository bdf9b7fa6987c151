//! How many devices of a kind one person may have.

use super::{App, Error, Result, settings};
use crate::{
    domain::{
        browser::Kind,
        device::EnrollmentState,
        id::{DeviceId, UserId},
    },
    store::{Tx, devices},
};

impl App {
    /// Refuses another device of a kind where its user has as many as the organization allows. Those that are there stay.
    ///
    /// * `but`: the device that enrolls, where it is known: it does not stand in its own way.
    pub(super) fn within_device_limit(&self, tx: &mut Tx<'_>, user: UserId, kind: Kind, but: Option<DeviceId>) -> Result<()> {
        let Some(limit) = settings::read(tx, &self.default_sender)?.device_limits.of(kind) else { return Ok(()) };
        let counts = |state| matches!(state, EnrollmentState::Enrolled | EnrollmentState::WipePending);
        let enrolled = devices::of_user(tx, user)?
            .into_iter()
            .filter(|device| Kind::of(device.platform) == Some(kind) && counts(device.state) && Some(device.id) != but)
            .count();
        if enrolled < usize::from(limit) {
            return Ok(());
        }
        let (one, several) = kind.words();
        let (allowed, noun) = (limit, if limit == 1 { one } else { several });
        Err(Error::Denied(format!(
            "the organization allows {allowed} enrolled {noun} for each person, and you have {enrolled} already; what is enrolled stays so; to enroll another one, remove one under “Your devices”, or ask your help desk"
        )))
    }
}
