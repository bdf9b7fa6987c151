//! Whether what is remembered is still true: what has changed is asked a few times a second, by the requests themselves.
//!
//! Nobody asks while there are no requests. A request is answered from memory if the database was asked within the last second
//! and this server has changed nothing since; after a fifth of a second the next question is already under way beside it. One
//! question is under way at a time, and whoever needs its answer waits for it.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::memory::Memory;
use crate::{
    service::{App, Error},
    store::{
        self, Conn,
        gate::{Changes, changes},
    },
};

/// Nothing that was asked longer ago is believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// What was asked longer ago is asked again beside the answer.
const FRESH: Duration = Duration::from_millis(200);
/// How long the database may take. Whoever waits at a proxy does not wait longer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long after a failure the database is asked again.
const RETRY: Duration = Duration::from_millis(200);
/// Between two questions, however much this server changes.
const GAP: Duration = Duration::from_millis(5);
/// Changes are kept for longer than this. A server that was silent for so long forgets everything instead of reading them.
const READABLE: Duration = Duration::from_secs(600);
/// With `fail_open`, how long after the database was last heard of decisions are still used.
const OPEN: Duration = Duration::from_secs(3600);

/// Whether the database says what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// What is remembered is true.
    Heard,
    /// It cannot be told.
    Silent,
}

/// What a request has to do before it may be answered from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    /// Ask, but not wait.
    Soon,
    /// Ask and wait.
    Now,
    /// The database has just failed: ask, and do without.
    Without,
}

#[derive(Debug, Default)]
struct Heard {
    /// When the last question that was answered was asked.
    at: Option<Instant>,
    /// How much this server had written then.
    written: u64,
    /// When the last question was not answered.
    failed_at: Option<Instant>,
}

impl Heard {
    fn need(&self, written: u64) -> Need {
        let is_believed = self.at.is_some_and(|at| at.elapsed() < BELIEVED) && self.written >= written;
        let has_failed = self.failed_at > self.at;
        match (is_believed, has_failed) {
            (true, _) if self.at.is_some_and(|at| at.elapsed() < FRESH) => Need::Nothing,
            (true, _) => Need::Soon,
            (false, true) => Need::Without,
            (false, false) => Need::Now,
        }
    }
}

#[derive(Debug, Default)]
struct Position {
    /// From where to read.
    next: Option<i64>,
    /// Transactions beyond that which were read already.
    done: HashSet<i64>,
}

/// What one server keeps for the gate.
#[derive(Default)]
pub struct Gate {
    memory: Mutex<Memory>,
    written: AtomicU64,
    heard: Mutex<Heard>,
    position: tokio::sync::Mutex<Position>,
    is_asking: AtomicBool,
}

impl Gate {
    /// What is remembered.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that this server has written something: what is remembered may be wrong from now on.
    pub fn note_write(&self) {
        self.written.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that the database did not answer.
    pub(super) fn note_failure(&self) {
        self.heard().failed_at = Some(Instant::now());
    }

    /// Whether the database was heard of within the time for which `fail_open` uses what is remembered.
    pub(super) fn was_heard_lately(&self) -> bool {
        self.heard().at.is_some_and(|at| at.elapsed() < OPEN)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what has changed.
    fn take_in(&self, position: &mut Position, answer: Changes) {
        if position.next.is_none() {
            self.memory().forget_everything();
        }
        let new: Vec<_> = answer.list.into_iter().filter(|(sequence, _)| !position.done.contains(sequence)).collect();
        position.done.extend(new.iter().map(|(sequence, _)| *sequence).filter(|sequence| *sequence >= answer.next));
        position.done.retain(|sequence| *sequence >= answer.next);
        position.next = Some(answer.next);
        if !new.is_empty() {
            self.memory().forget(new.into_iter().map(|(_, changed)| changed));
        }
    }
}

/// Somebody who asks without being waited for. However that ends, the next may ask.
struct Asking(Arc<App>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.gate.is_asking.store(false, Ordering::SeqCst);
    }
}

impl App {
    /// Makes sure that what is remembered is true.
    pub(super) async fn pulse(self: &Arc<Self>) -> Pulse {
        let written = self.gate.written.load(Ordering::SeqCst);
        let need = self.gate.heard().need(written);
        match need {
            Need::Nothing => Pulse::Heard,
            Need::Soon => {
                self.ask_beside(written);
                Pulse::Heard
            }
            Need::Now => self.ask(written).await,
            Need::Without => {
                self.ask_beside(written);
                Pulse::Silent
            }
        }
    }

    /// Asks without waiting, unless somebody is asking already.
    fn ask_beside(self: &Arc<Self>, written: u64) {
        if self.gate.is_asking.swap(true, Ordering::SeqCst) {
            return;
        }
        let asking = Asking(Arc::clone(self));
        tokio::spawn(async move { asking.0.ask(written).await });
    }

    /// Asks what has changed since the last time, unless somebody else has while this waited for its turn.
    async fn ask(&self, written: u64) -> Pulse {
        let mut position = self.gate.position.lock().await;
        let (asked_at, failed_at) = {
            let heard = self.gate.heard();
            if heard.need(written) == Need::Nothing {
                return Pulse::Heard;
            }
            (heard.at, heard.failed_at)
        };
        if failed_at > asked_at && failed_at.is_some_and(|at| at.elapsed() < RETRY) {
            return Pulse::Silent;
        }
        if let Some(rest) = asked_at.and_then(|at| GAP.checked_sub(at.elapsed())) {
            tokio::time::sleep(rest).await;
        }
        if asked_at.is_none_or(|at| at.elapsed() > READABLE) {
            *position = Position::default();
        }
        // Both before the question: what is written meanwhile may be missing in its answer.
        let (now, written) = (Instant::now(), self.gate.written.load(Ordering::SeqCst));
        let since = position.next;
        match self.read_soon(move |conn| Ok(changes(conn, since)?)).await {
            Ok(answer) => {
                self.gate.take_in(&mut position, answer);
                *self.gate.heard() = Heard { at: Some(now), written, failed_at: None };
                Pulse::Heard
            }
            Err(error) => {
                if failed_at <= asked_at {
                    tracing::warn!(error = %error, "the gate cannot ask the database what has changed");
                }
                self.gate.note_failure();
                Pulse::Silent
            }
        }
    }

    /// Runs queries for somebody who cannot wait long.
    pub(super) async fn read_soon<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let late = |_| Error::from(store::Error::Unavailable("it did not answer in time".into()));
        timeout(PATIENCE, self.store.read_apart(f)).await.map_err(late)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::id::DeviceId, store::gate::Changed};

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_a_moment_ago_is_believed_for_a_second_and_no_longer() {
        let heard = Heard { at: Some(Instant::now()), written: 1, failed_at: None };
        assert_eq!(heard.need(1), Need::Nothing);
        assert_eq!(heard.need(2), Need::Now, "this server has changed something since");
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(heard.need(1), Need::Soon);
        tokio::time::advance(Duration::from_millis(700)).await;
        assert_eq!(heard.need(1), Need::Now);
        let failed = Heard { failed_at: Some(Instant::now()), ..heard };
        assert_eq!(failed.need(1), Need::Without);
        assert_eq!(Heard::default().need(0), Need::Now);
    }

    #[test]
    fn a_transaction_that_is_read_twice_is_taken_in_once() {
        let (gate, mut position) = (Gate::default(), Position::default());
        gate.take_in(&mut position, Changes { next: 5, list: Vec::new() });
        let era = gate.memory().era();
        let changed = Changed::Device(DeviceId::new());
        gate.take_in(&mut position, Changes { next: 5, list: vec![(7, changed)] });
        assert_eq!(gate.memory().era(), era + 1);
        // A transaction that began earlier ends later, so that the next question begins at the same place.
        gate.take_in(&mut position, Changes { next: 5, list: vec![(6, changed), (7, changed)] });
        assert_eq!(gate.memory().era(), era + 2);
        gate.take_in(&mut position, Changes { next: 8, list: vec![(6, changed), (7, changed)] });
        assert_eq!((gate.memory().era(), position.done.len()), (era + 2, 0));
        gate.take_in(&mut position, Changes { next: 8, list: vec![(-1, Changed::Everything)] });
        assert!(gate.memory().era() > era + 2);
    }
}
