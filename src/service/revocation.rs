//! What the device CA says to anybody who asks: the list of revoked certificates, and the state of one.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

use super::{App, Error, Result};
use crate::{
    domain::time::Timestamp,
    pki::revoke::{
        self, Reason, Revoked,
        ocsp::{self, OcspRequest, Status},
    },
    store::{
        Conn,
        certificates::{self},
    },
};

/// Hours for which a list or an answer is good.
const GOOD_HOURS: i64 = 24;
/// Seconds for which a list is given out again before a new one is made.
const REUSED_SECONDS: i64 = 10;

impl App {
    /// The certificate revocation list, DER.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn revocation_list(self: &Arc<Self>) -> Result<Arc<Vec<u8>>> {
        let now = self.now();
        let kept = self.crl.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((made_at, list)) = kept.filter(|(made_at, _)| now < made_at.plus_seconds(REUSED_SECONDS) && now >= *made_at) {
            tracing::trace!(%made_at, "the revocation list is given out again");
            return Ok(list);
        }
        let app = Arc::clone(self);
        let list = self.read(move |conn| app.make_list(conn, now)).await?;
        *self.crl.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&list)));
        Ok(list)
    }

    fn make_list(&self, conn: &mut Conn, now: Timestamp) -> Result<Arc<Vec<u8>>> {
        let rows = certificates::revoked(conn, now)?;
        let revoked: Vec<Revoked> = rows
            .into_iter()
            .filter_map(|(serial, at, reason)| Some(Revoked { serial: serial.try_into().ok()?, at, reason: reason_of(reason.as_deref()) }))
            .collect();
        // The number only has to grow; the time does, on every server alike.
        let number = u64::try_from(now.millis()).unwrap_or(0);
        let next = now.plus_seconds(GOOD_HOURS * 3600);
        Ok(Arc::new(revoke::crl(&self.authorities.device_ca, &revoked, number, now, next)?))
    }

    /// Answers an OCSP request, DER in and out.
    ///
    /// # Errors
    /// Those of the database; an unreadable request is an answer, not an error.
    pub async fn answer_ocsp(self: &Arc<Self>, request: &[u8]) -> Result<Vec<u8>> {
        let Ok(request) = OcspRequest::parse(request) else { return Ok(ocsp::Failure::MalformedRequest.to_der()) };
        let (app, now) = (Arc::clone(self), self.now());
        self.read(move |conn| {
            let mut known = HashMap::new();
            for serial in request.serials() {
                if let Some(certificate) = certificates::of_serial(conn, &serial)? {
                    known.insert(serial, certificate);
                }
            }
            let status = |serial: &[u8; 16]| match known.get(serial) {
                None => Status::Unknown,
                Some(certificate) => certificate
                    .revoked_at
                    .map_or(Status::Good, |at| Status::Revoked { at, reason: reason_of(certificate.revocation_reason.as_deref()) }),
            };
            let authorities = &app.authorities;
            let times = (now, now.plus_seconds(GOOD_HOURS * 3600));
            Ok::<_, Error>(ocsp::answer(&request, &authorities.device_ca.certificate, &authorities.ocsp_responder, times, status)?)
        })
        .await
    }
}

fn reason_of(word: Option<&str>) -> Reason {
    match word {
        Some("superseded") => Reason::Superseded,
        Some("cessation_of_operation") => Reason::CessationOfOperation,
        Some("privilege_withdrawn") => Reason::PrivilegeWithdrawn,
        _ => Reason::Unspecified,
    }
}
