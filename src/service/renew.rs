//! Renewal of device certificates: from two thirds of its life on a device is asked to fetch another. The enrollment profile is
//! installed once more for that, with the same rights, topic and addresses; only the right to a certificate in it is new.

use std::sync::Arc;

use super::{App, Error, Result};
use crate::{
    domain::{
        command::{Command, Purpose},
        device::EnrollmentState,
        id::{CertificateId, EnrollmentId},
        rights::AccessRights,
    },
    store::{
        Tx, certificates, commands, devices,
        enrollments::{self, Enrollment, Stage},
        users,
    },
};

/// Days after which a device that has not renewed its certificate is asked again.
const AGAIN_DAYS: i64 = 7;

impl App {
    /// Asks devices whose certificate is due to renew it; gives how many certificates were looked at.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn renew_due(self: &Arc<Self>, limit: i64) -> Result<usize> {
        let now = self.now();
        let due = self.read(move |conn| certificates::due_for_renewal(conn, now, limit)).await?;
        for (certificate, enrollment) in &due {
            let (app, certificate, enrollment) = (Arc::clone(self), *certificate, *enrollment);
            self.write(move |tx| app.ask_to_renew(tx, certificate, enrollment)).await?;
        }
        Ok(due.len())
    }

    fn ask_to_renew(&self, tx: &mut Tx<'_>, certificate: CertificateId, enrollment: EnrollmentId) -> Result<()> {
        let enrollment = enrollments::find(tx, enrollment)?.ok_or(Error::NotFound("enrollment"))?;
        let device = enrollment.device_id.map(|id| devices::find(tx, id)).transpose()?.flatten();
        let device = device.filter(|device| device.state == EnrollmentState::Enrolled && enrollment.state == Stage::Enrolled);
        let may_install = enrollment.is_user_enrollment || enrollment.rights.allows(AccessRights::MANAGE_PROFILES);
        let Some(device) = device.filter(|_| may_install) else {
            return Ok(certificates::set_renew_at(tx, certificate, None)?);
        };
        if !commands::is_waiting(tx, enrollment.id, Purpose::Renewal, Command::RenewIdentity.kind())? {
            self.queue(tx, &enrollment, device.id, &Command::RenewIdentity, Purpose::Renewal)?;
        }
        Ok(certificates::set_renew_at(tx, certificate, Some(self.now().plus_days(AGAIN_DAYS)))?)
    }

    /// The enrollment profile of an enrollment that is there, with a fresh right to a certificate.
    pub(super) fn renewed_profile(&self, tx: &mut Tx<'_>, enrollment: &Enrollment) -> Result<Vec<u8>> {
        let user = users::find(tx, enrollment.user_id)?.ok_or(Error::NotFound("user"))?;
        let secret = self.challenge(tx, enrollment, &user.email)?;
        self.enrollment_profile(tx, enrollment, &user, &secret.text)
    }
}
