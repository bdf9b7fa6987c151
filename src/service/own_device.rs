//! What a person can ask for their own device.

use std::sync::Arc;

use super::{App, Error, Result};
use crate::{
    domain::{
        device::EnrollmentState,
        id::{DeviceId, UserId},
    },
    store::{devices, timeline},
};

impl App {
    /// Asks a device how it is, on behalf of its owner. Where it was asked already and has not answered, nothing more is done.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the device is not theirs, [`Error::Conflict`] where it is not enrolled.
    pub async fn check_own_device(self: &Arc<Self>, owner: UserId, device: DeviceId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let found = devices::find_for_update(tx, device)?.filter(|found| found.user_id == owner).ok_or(Error::NotFound("device"))?;
            if found.state != EnrollmentState::Enrolled {
                return Err(Error::Conflict("the device is not enrolled, so it cannot be asked".into()));
            }
            if app.refresh(tx, device)?.is_some() {
                timeline::record(tx, device, app.now(), "checked_by_owner", "The owner asked for a new check.", "owner")?;
            }
            Ok(())
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(())
    }
}
