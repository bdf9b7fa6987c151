//! The beginning of an enrollment with the Headwind launcher, which needs its file.

use std::sync::Arc;

use super::super::{App, Error, Result};
use crate::domain::{id::VisitId, time::Timestamp};

/// What a new phone is set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioning {
    /// The content of the QR code.
    pub json: String,
    /// It holds the password of a wireless network.
    pub has_wifi: bool,
    /// When it goes unused.
    pub expires_at: Timestamp,
}

impl App {
    /// Whether the launcher can be given to phones.
    ///
    /// # Errors
    /// Those of the database.
    #[allow(clippy::unused_async, reason = "who can give it has to ask the database")]
    pub async fn has_launcher(&self) -> Result<bool> {
        Ok(false)
    }

    /// Prepares the enrollment of a visit with the launcher.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there is no launcher.
    #[allow(clippy::unused_async, reason = "who can give it has to ask the database")]
    pub async fn provision_launcher(self: &Arc<Self>, visit: VisitId) -> Result<Provisioning> {
        Err(Error::Conflict(format!("no launcher was uploaded, so the visit {visit} cannot go on with it")))
    }
}
