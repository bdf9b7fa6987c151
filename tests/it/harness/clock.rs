//! A clock that stands still until it is set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use enlist::domain::time::{Clock, Timestamp};

/// A clock that shows what it was told to show. Clones show the same.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock that shows this instant.
    pub fn at(instant: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(instant.millis())))
    }

    /// Sets the clock, forwards or back.
    pub fn set(&self, instant: Timestamp) {
        self.0.store(instant.millis(), Ordering::SeqCst);
    }

    /// Lets so many seconds pass.
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Lets so many days pass.
    pub fn advance_days(&self, days: i64) {
        self.advance_seconds(days * 86_400);
    }
}

impl Default for TestClock {
    /// A day in the life of the product; any would do.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_790_000_000_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn clones_of_a_test_clock_show_the_same_time() {
    let clock = TestClock::default();
    let other = clock.clone();
    clock.advance_days(1);
    other.advance_seconds(1);
    assert_eq!(clock.now(), TestClock::default().now().plus_days(1).plus_seconds(1));
    other.set(Timestamp::from_millis(5));
    assert_eq!(clock.now().millis(), 5);
}
