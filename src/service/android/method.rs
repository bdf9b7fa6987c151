//! Which ways of enrolling a device there are for somebody who walks through the portal, and which was chosen.

use std::sync::Arc;

use super::super::{App, Error, Result, enroll::proved, settings::Settings};
use crate::{
    domain::{backend::Backend, device::Ownership, enrollment::CONSENT_VERSION, id::VisitId},
    store::visits::{self, Visit},
};

/// With what somebody walks through the portal; it decides what can be enrolled there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walker {
    /// An iPhone or iPad.
    Apple,
    /// An Android device.
    Android,
    /// A computer: it cannot be enrolled itself, but a new company phone can be set up from it.
    Computer,
    /// Something from which nothing can be enrolled.
    Other,
}

impl App {
    /// The ways in which a device of this ownership can be enrolled from there, in the order in which they are offered.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn methods(&self, walker: Walker, ownership: Ownership) -> Result<Vec<Backend>> {
        match walker {
            Walker::Apple => return Ok(vec![Backend::Apple]),
            Walker::Other => return Ok(Vec::new()),
            Walker::Android | Walker::Computer => {}
        }
        let mut methods = allowed(&self.settings().await?, ownership).to_vec();
        if self.device_url.is_none() {
            // An agent would have nowhere to report to.
            methods.retain(|method| *method != Backend::Agent);
        }
        if walker == Walker::Computer {
            methods.retain(|method| *method == Backend::Headwind);
        }
        if methods.contains(&Backend::Headwind) && (ownership == Ownership::Personal || !self.has_launcher().await?) {
            methods.retain(|method| *method != Backend::Headwind);
        }
        Ok(methods)
    }

    /// Notes how the person wants the device to be managed. What was agreed to for another way counts no longer.
    ///
    /// # Errors
    /// [`Error::Denied`] before the mailbox was proved, [`Error::Conflict`] where this way is not offered, or too late.
    pub async fn choose_method(&self, visit: VisitId, walker: Walker, method: Backend) -> Result<()> {
        let ownership = self.read(move |conn| visits::find(conn, visit)).await?.ok_or(Error::NotFound("visit"))?.ownership;
        must_offer(&self.methods(walker, ownership).await?, method)?;
        self.write(move |tx| {
            let mut visit = proved(tx, visit)?;
            if visit.profile_taken_at.is_some() || visit.ownership != ownership {
                return Err(Error::Conflict("the enrollment has begun already; begin again to choose another way".into()));
            }
            visit.backend = Some(method);
            (visit.consent_version, visit.consented_at) = (None, None);
            Ok(visits::update(tx, &visit)?)
        })
        .await
    }

    /// Notes that the person has read what the organization will be able to do in this way, and agrees.
    ///
    /// # Errors
    /// [`Error::Denied`] before the mailbox was proved, [`Error::Conflict`] where this way is not offered.
    pub async fn consent(self: &Arc<Self>, visit: VisitId, walker: Walker, method: Backend) -> Result<()> {
        let ownership = self.read(move |conn| visits::find(conn, visit)).await?.ok_or(Error::NotFound("visit"))?.ownership;
        must_offer(&self.methods(walker, ownership).await?, method)?;
        let now = self.now();
        self.write(move |tx| {
            let mut visit = proved(tx, visit)?;
            visit.backend = Some(method);
            visit.consent_version = Some(CONSENT_VERSION.to_owned());
            visit.consented_at = Some(now);
            Ok(visits::update(tx, &visit)?)
        })
        .await
    }
}

/// What the organization allows.
pub(in crate::service) fn allowed(settings: &Settings, ownership: Ownership) -> &[Backend] {
    match ownership {
        Ownership::Personal => &settings.android_personal,
        Ownership::Company => &settings.android_company,
    }
}

/// The way that was chosen, or the only one that there is.
pub(in crate::service) fn chosen(visit: &Visit, methods: &[Backend]) -> Option<Backend> {
    match methods {
        [only] => Some(*only),
        several => visit.backend.filter(|method| several.contains(method)),
    }
}

fn must_offer(methods: &[Backend], method: Backend) -> Result<()> {
    if methods.contains(&method) {
        return Ok(());
    }
    Err(Error::Conflict("this way of enrolling a device is not offered; go back and choose another".into()))
}
