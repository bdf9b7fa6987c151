//! Agents that wait for something to do. They are called at once by the server that orders it; what another server of the same
//! database has ordered is found by asking the queue now and then, once for all who wait here.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    domain::id::{CommandId, EnrollmentId},
    service::{App, Result},
    store::commands,
};

/// How far back the queue is looked at for what other servers have ordered: longer than a transaction takes, and than the clocks
/// of two servers differ.
const LOOK_BACK_SECONDS: u64 = 10;

/// Everybody who waits on this server.
#[derive(Default)]
pub struct Waiting {
    seats: Mutex<HashMap<EnrollmentId, Arc<Notify>>>,
    /// How often somebody was called, so that whoever has just looked can tell whether to look again.
    calls: AtomicU64,
    is_over: AtomicBool,
}

/// A place of one agent. There is one for each enrollment: who comes later takes it over.
pub struct Seat<'a> {
    waiting: &'a Waiting,
    enrollment: EnrollmentId,
    bell: Arc<Notify>,
}

impl Waiting {
    fn seats(&self) -> MutexGuard<'_, HashMap<EnrollmentId, Arc<Notify>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often somebody was called so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Takes the place of an enrollment. Whoever had it before is sent home.
    #[must_use]
    pub fn sit(&self, enrollment: EnrollmentId) -> Seat<'_> {
        let bell = Arc::new(Notify::new());
        if let Some(before) = self.seats().insert(enrollment, Arc::clone(&bell)) {
            before.notify_one();
        }
        Seat { waiting: self, enrollment, bell }
    }

    /// Calls these, where they wait here.
    pub fn call(&self, enrollments: &[EnrollmentId]) {
        if enrollments.is_empty() {
            return;
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        let seats = self.seats();
        for bell in enrollments.iter().filter_map(|enrollment| seats.get(enrollment)) {
            // It keeps one call for whoever is about to listen.
            bell.notify_one();
        }
    }

    /// Sends everybody home, now and from now on: the server stops.
    fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.seats().values().for_each(|bell| bell.notify_one());
    }

    /// Whether nobody may wait any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn count(&self) -> usize {
        self.seats().len()
    }
}

impl Seat<'_> {
    /// Waits until called.
    pub async fn called(&self) {
        self.bell.notified().await;
    }

    /// Whether this is still the place of the enrollment.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.waiting.seats().get(&self.enrollment).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut seats = self.waiting.seats();
        if seats.get(&self.enrollment).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)) {
            seats.remove(&self.enrollment);
        }
    }
}

impl App {
    /// Calls the agents that wait here for what was ordered lately, on whatever server. Costs one query, and none where nobody
    /// waits.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn call_waiting_agents(&self) -> Result<()> {
        if self.waiting_agents() == 0 {
            return Ok(());
        }
        let called = self.read(|conn| commands::called_since(conn, CommandId::made_before(LOOK_BACK_SECONDS))).await?;
        self.waiting.call(&called);
        Ok(())
    }

    /// How many agents wait here.
    #[must_use]
    pub fn waiting_agents(&self) -> usize {
        self.waiting.count()
    }

    /// Sends home every agent that waits here, because the server stops.
    pub fn send_agents_home(&self) {
        self.waiting.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn only_those_who_are_called_hear_it_and_none_misses_a_call() {
        let (waiting, one, other) = (Waiting::default(), EnrollmentId::new(), EnrollmentId::new());
        let (seat, idle) = (waiting.sit(one), waiting.sit(other));
        waiting.call(&[one]);
        assert!(timeout(MOMENT, seat.called()).await.is_ok(), "a call that came before listening counts");
        assert!(timeout(MOMENT, idle.called()).await.is_err());
        assert_eq!(waiting.calls(), 1);
        drop((seat, idle));
        assert_eq!(waiting.count(), 0);
    }

    #[tokio::test]
    async fn who_comes_later_takes_the_place_over() {
        let (waiting, enrollment) = (Waiting::default(), EnrollmentId::new());
        let first = waiting.sit(enrollment);
        let second = waiting.sit(enrollment);
        assert!(timeout(MOMENT, first.called()).await.is_ok());
        assert!(!first.is_held() && second.is_held());
        drop(first);
        waiting.call(&[enrollment]);
        assert!(timeout(MOMENT, second.called()).await.is_ok(), "the place is still taken");
        waiting.end();
        assert!(timeout(MOMENT, second.called()).await.is_ok() && waiting.is_over());
    }
}
