//! What a person can ask for their own device: after their mailbox was proved, or by the pass that the gate gives with its refusal.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{App, Error, Result};
use crate::{
    domain::{
        backend::{Action, Backend},
        device::EnrollmentState,
        id::{DeviceId, UserId},
        time::Timestamp,
    },
    store::{
        Conn,
        devices::{self, Device},
        enrollments,
        page::PageRequest,
        timeline,
    },
};

/// Under this purpose the passes are sealed.
const PURPOSE: &str = "pass to the page of a refused device";
/// Seconds for which a pass is good.
const PASS_SECONDS: i64 = 15 * 60;
/// Seconds within which a device is asked once on behalf of its owner.
const CHECK_SECONDS: i64 = 60;
/// Events among which the last check is looked for. No device has as many within the time that counts.
const LAST_EVENTS: i64 = 50;
/// The event of a check.
const CHECKED: &str = "checked_by_owner";

/// A device whose owner came with a pass.
#[derive(Debug, Clone)]
pub struct RefusedDevice {
    /// The device.
    pub device: Device,
    /// It can be asked how it is.
    pub may_check: bool,
}

impl App {
    /// A pass for whoever was refused with this device: it shows what is wrong with it for a quarter of an hour, and nothing else.
    /// Nobody can read in it which device that is.
    ///
    /// # Errors
    /// OpenSSL refuses.
    pub fn pass_to_device(&self, device: DeviceId) -> Result<String> {
        let until = self.now().plus_seconds(PASS_SECONDS).millis();
        let mut content = device.as_bytes().to_vec();
        content.extend(until.to_be_bytes());
        Ok(URL_SAFE_NO_PAD.encode(self.keys.seal(PURPOSE, &content)?))
    }

    /// The device of a pass; nothing where it is none of ours, has ended, or the device is not there any more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refused_device(&self, pass: &str) -> Result<Option<RefusedDevice>> {
        let Some(id) = self.device_of_pass(pass) else { return Ok(None) };
        let found = self.read(move |conn| {
            let Some(device) = devices::find(conn, id)? else { return Ok(None) };
            let enrollment = device.enrollment_id.map(|id| enrollments::find(conn, id)).transpose()?.flatten();
            let backend = enrollment.map_or(Backend::Apple, |enrollment| enrollment.backend);
            let may_check = device.state == EnrollmentState::Enrolled && backend.may(None, Action::Refresh).is_ok();
            Ok::<_, Error>(Some(RefusedDevice { device, may_check }))
        });
        found.await
    }

    fn device_of_pass(&self, pass: &str) -> Option<DeviceId> {
        let content = self.keys.open(PURPOSE, &URL_SAFE_NO_PAD.decode(pass).ok()?).ok()?;
        let (device, until) = content.split_first_chunk::<16>()?;
        let until = Timestamp::from_millis(i64::from_be_bytes(until.try_into().ok()?));
        (self.now() < until).then(|| DeviceId::from_bytes(*device))
    }

    /// Asks a device how it is, on behalf of its owner. Where they had it asked within the last minute, or it has not answered
    /// yet, nothing more is done: whoever presses the button again and again would wake the device each time.
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
            let now = app.now();
            if !was_checked_since(tx, device, now.plus_seconds(-CHECK_SECONDS))? && app.refresh(tx, device)?.is_some() {
                timeline::record(tx, device, now, CHECKED, "The owner asked for a new check.", "owner")?;
            }
            Ok(())
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(())
    }
}

/// Whether the owner has had a device asked after this time. What the server asks by itself does not count: somebody who has mended
/// something just after that waits for nothing.
fn was_checked_since(conn: &mut Conn, device: DeviceId, since: Timestamp) -> Result<bool> {
    let last = timeline::list(conn, device, PageRequest { limit: LAST_EVENTS, after: None })?.items;
    Ok(last.iter().any(|event| event.kind == CHECKED && event.at > since))
}
