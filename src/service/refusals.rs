//! Leaves a line in the audit log where somebody who is known was refused something: who tries doors should be seen. One line for
//! each door and person in ten minutes, so that nobody can fill the log.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use lru::LruCache;
use serde_json::json;

use super::{App, Result};
use crate::{
    domain::{audit::Actor, time::Timestamp},
    store::audit::{self, Entry},
};

/// Seconds for which further refusals of the same actor at the same address leave no line.
const QUIET_SECONDS: u64 = 600;
/// Most refusals that are remembered: far more than there are addresses for the few who hold a role.
const MOST: usize = 4096;

/// Who was refused what of late, by this server.
pub(super) struct Refusals(Mutex<LruCache<(&'static str, String, String), Timestamp>>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NonZeroUsize::new(MOST).unwrap_or(NonZeroUsize::MIN))))
    }
}

impl Refusals {
    /// Whether this refusal deserves a line; if so, the next ones do not for a while.
    fn is_news(&self, actor: &Actor, route: &str, now: Timestamp) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (actor.kind.as_str(), actor.name.clone(), route.to_owned());
        if noted.get(&key).is_some_and(|at| now.since(*at).as_secs() < QUIET_SECONDS) {
            return false;
        }
        noted.put(key, now);
        true
    }
}

impl App {
    /// Notes that somebody who is known was refused something.
    ///
    /// * `route`: the pattern of the address, such as `/console/devices/{id}`.
    /// * `why`: what they were told.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn note_refusal(&self, actor: Actor, method: String, route: String, why: String) -> Result<()> {
        let now = self.now();
        if !self.refusals.is_news(&actor, &route, now) {
            return Ok(());
        }
        self.write(move |tx| {
            let detail = json!({ "method": method, "why": why });
            Ok(audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "access.refused", subject_kind: "route", subject: route, detail },
            )?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::ActorKind;

    #[test]
    fn one_line_in_ten_minutes_for_each_actor_and_route() {
        let refusals = Refusals::default();
        let actor = |kind, name: &str| Actor { kind, name: name.into() };
        let (ada, bob, token) = (actor(ActorKind::User, "ada"), actor(ActorKind::User, "bob"), actor(ActorKind::Token, "ada"));
        let at = |seconds| Timestamp::from_millis(1_790_000_000_000).plus_seconds(seconds);
        assert!(refusals.is_news(&ada, "/a", at(0)));
        assert!(!refusals.is_news(&ada, "/a", at(599)));
        assert!(refusals.is_news(&ada, "/b", at(599)) && refusals.is_news(&bob, "/a", at(599)) && refusals.is_news(&token, "/a", at(599)));
        assert!(refusals.is_news(&ada, "/a", at(600)), "what came in between does not lengthen the silence");
    }
}
