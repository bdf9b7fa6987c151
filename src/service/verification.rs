//! Verifies the audit log: one verification at a time on each server, because each reads the whole log.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, Error, Result};
use crate::{
    domain::time::Timestamp,
    store::audit::{self, Verification},
};

/// The turn, and what the last one has found.
pub(super) struct Verifications {
    turn: Arc<Semaphore>,
    last: Arc<Mutex<Option<Verified>>>,
}

impl Default for Verifications {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), last: Arc::new(Mutex::new(None)) }
    }
}

/// What a verification has found, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// When it was over.
    pub at: Timestamp,
    /// What it has found.
    pub found: Verification,
}

/// The right to verify the log; it ends with this value.
pub struct VerificationTurn(OwnedSemaphorePermit);

impl App {
    /// Takes the turn to verify the log; nothing where somebody has it.
    #[must_use]
    pub fn take_verification_turn(&self) -> Option<VerificationTurn> {
        Arc::clone(&self.verifications.turn).try_acquire_owned().ok().map(VerificationTurn)
    }

    /// What this server's last verification has found; nothing where there was none since it started.
    #[must_use]
    pub fn last_verification(&self) -> Option<Verified> {
        self.verifications.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the whole log and checks every seal; nothing where that is being done at the moment.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn verify_audit(&self) -> Result<Option<Verified>> {
        let Some(VerificationTurn(turn)) = self.take_verification_turn() else { return Ok(None) };
        let (last, clock) = (Arc::clone(&self.verifications.last), Arc::clone(&self.clock));
        let verified = self
            .read(move |conn| {
                // Goes on to its end also where nobody waits for it any more, and keeps the turn for as long.
                let verified = Verified { found: audit::verify(conn)?, at: clock.now() };
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(verified.clone());
                drop(turn);
                Ok::<_, Error>(verified)
            })
            .await?;
        Ok(Some(verified))
    }
}
