//! Whose device a certificate is: for whoever comes with one and wants to know whether it still counts.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::super::{App, Error, Result, comply::Known, signers::Fingerprint};
use crate::{
    domain::{access::Decision, backend::Backend, compliance::Status, device::EnrollmentState, id::DeviceId, time::Timestamp},
    store::{
        certificates, devices,
        enrollments::{self, Stage},
        users,
    },
};

/// Who comes with a certificate.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KnownDevice {
    /// The device.
    pub device: DeviceId,
    /// Its owner's address.
    pub user: String,
    /// What manages it.
    pub backend: Backend,
    /// The verdict.
    pub compliance: Status,
    /// Whether it may come in.
    pub access: Decision,
    /// When the certificate ends.
    pub certificate_until: Timestamp,
}

impl App {
    /// Whose device this certificate is. It is asked of the database each time, so that a revocation counts at once on every server,
    /// and the verdict is reached anew, so that it is right also where nothing but time has passed since the last one.
    ///
    /// # Errors
    /// [`Error::Denied`] where the certificate counts no longer, [`Error::Ended`] where its enrollment is over.
    pub async fn identify_certificate(self: &Arc<Self>, fingerprint: Fingerprint) -> Result<KnownDevice> {
        let now = self.now();
        let app = Arc::clone(self);
        let known = self
            .read(move |conn| {
                let refused = |why: &str| Error::Denied(why.to_owned());
                let certificate =
                    certificates::of_fingerprint(conn, &fingerprint)?.ok_or_else(|| refused("the certificate is not known here"))?;
                let enrollment = enrollments::find(conn, certificate.enrollment_id)?.ok_or(Error::NotFound("enrollment"))?;
                if enrollment.state == Stage::Ended {
                    return Err(Error::Ended);
                }
                if certificate.revoked_at.is_some() {
                    return Err(refused("the certificate is revoked"));
                }
                if now > certificate.not_after || now < certificate.not_before {
                    return Err(refused("the certificate has expired"));
                }
                let device = enrollment.device_id.map(|id| devices::find(conn, id)).transpose()?.flatten();
                let device = device.filter(|device| device.state == EnrollmentState::Enrolled);
                let device = device.ok_or_else(|| refused("the device is not enrolled"))?;
                let user = users::find(conn, enrollment.user_id)?.ok_or(Error::NotFound("user"))?;
                let known = Known::of(conn, &app, device)?;
                let (verdict, access) = known.conclude(now)?;
                Ok(KnownDevice {
                    device: known.device.id,
                    user: user.email,
                    backend: enrollment.backend,
                    compliance: verdict.status,
                    access,
                    certificate_until: certificate.not_after,
                })
            })
            .await?;
        self.seen.note(known.device, now);
        Ok(known)
    }
}
