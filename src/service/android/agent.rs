//! The beginning of an enrollment with Enlist's own agent: the one-time right to its certificate.

use std::sync::Arc;

use super::super::{App, Error, Result, enroll::consented};
use crate::{
    domain::{backend::Backend, enrollment::CHALLENGE_SECONDS, id::VisitId, time::Timestamp},
    store::visits,
};

/// What an agent activates itself with, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentTicket {
    /// The one-time secret.
    pub token: String,
    /// When it goes unused.
    pub expires_at: Timestamp,
}

impl App {
    /// Prepares the enrollment of a visit with the agent, which is possible once.
    ///
    /// # Errors
    /// [`Error::Denied`] before mailbox and consent, [`Error::Conflict`] the second time.
    pub async fn activate_agent(self: &Arc<Self>, visit: VisitId) -> Result<AgentTicket> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let agreed = consented(tx, visit, Backend::Agent)?;
            let (enrollment, secret) = app.prepare(tx, &agreed.user, Backend::Agent, agreed.visit.ownership, Some(agreed.consent))?;
            if !visits::take_profile(tx, agreed.visit.id, enrollment.id, app.now())? {
                return Err(Error::Conflict("the device was activated already; begin again to activate another".into()));
            }
            Ok(AgentTicket { token: secret.text, expires_at: app.now().plus_seconds(CHALLENGE_SECONDS) })
        })
        .await
    }
}
