//! Mails that tell a person what has happened to a device of theirs.

use super::{App, Result, outbox, settings};
use crate::{
    domain::{backend::Backend, command::Purpose, user::UserState},
    mail::template::{Template, UNNAMED},
    store::{
        Tx, commands,
        devices::Device,
        users::{self, User},
    },
};

/// Days after which such a mail has lost its point.
const GOOD_DAYS: i64 = 7;

/// What mails call a device.
pub(super) fn name_of(device: &Device) -> String {
    device.device_name.clone().or_else(|| device.model.clone()).unwrap_or_else(|| UNNAMED.into())
}

impl App {
    /// Tells a person that a device was enrolled in their name. Not of a browser: its code has just come to the same mailbox, and a
    /// private window would bring such a mail each time.
    pub(super) fn tell_of_enrollment(&self, tx: &mut Tx<'_>, device: &Device, backend: Backend) -> Result<()> {
        if backend == Backend::Browser {
            return Ok(());
        }
        self.tell_owner(tx, device, |user, organization, date| Template::Enrolled {
            organization,
            name: user.name.clone(),
            device: name_of(device),
            date,
            link: format!("{}/devices", self.public_url),
        })
    }

    /// Tells a person that a wipe was carried out. It is told afterwards: whoever has the device may read the mail on it.
    pub(super) fn tell_of_wipe(&self, tx: &mut Tx<'_>, device: &Device) -> Result<()> {
        let is_full = match device.enrollment_id {
            Some(enrollment) => commands::was_acknowledged(tx, enrollment, Purpose::FullWipe)?,
            None => false,
        };
        self.tell_owner(tx, device, |user, organization, date| Template::Wiped {
            organization,
            name: user.name.clone(),
            device: name_of(device),
            is_full,
            date,
            link: format!("{}/", self.public_url),
        })
    }

    fn tell_owner(&self, tx: &mut Tx<'_>, device: &Device, template: impl FnOnce(&User, String, String) -> Template) -> Result<()> {
        let Some(user) = users::find(tx, device.user_id)?.filter(|user| user.state == UserState::Active) else { return Ok(()) };
        let now = self.now();
        let organization = settings::read(tx, &self.default_sender)?.organization;
        let template = template(&user, organization, now.calendar().date().to_string());
        let mail = outbox::NewMail { user: Some(user.id), recipient: user.email, template, expires_at: Some(now.plus_days(GOOD_DAYS)) };
        if let Err(why) = outbox::try_enqueue(tx, self, mail)? {
            // What has happened to the device has happened, whether or not its owner can be told.
            tracing::error!(device = %device.id, why, "a person could not be told what happened to their device");
        }
        Ok(())
    }
}
