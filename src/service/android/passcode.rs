//! A new passcode for a device whose own was forgotten: kept sealed in the queue, and opened when it is handed out.

use crate::service::{App, Error, Result};

/// Seals new passcodes.
const NEW_PASSCODE: &str = "new passcode";

impl App {
    /// Seals a new passcode for the queue.
    ///
    /// # Errors
    /// [`Error::Invalid`] where no device would take it.
    pub fn seal_passcode(&self, passcode: &str) -> Result<Vec<u8>> {
        let length = passcode.chars().count();
        if !(4..=64).contains(&length) || passcode.chars().any(char::is_control) {
            return Err(Error::invalid("passcode", "must be 4 to 64 characters, without line breaks"));
        }
        Ok(self.keys.seal(NEW_PASSCODE, passcode.as_bytes())?)
    }

    /// Opens a new passcode for the device that it is for.
    pub(in crate::service) fn open_passcode(&self, sealed: &[u8]) -> Result<String> {
        let opened = self.keys.open(NEW_PASSCODE, sealed)?;
        String::from_utf8(opened).map_err(|error| Error::internal("opening a new passcode", error))
    }
}
