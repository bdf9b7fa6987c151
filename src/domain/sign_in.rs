//! The rules of signing in to the console: how long a session lives, and how failures slow the next try down.

use super::time::Timestamp;

/// Hours after which a session ends, however much it is used.
pub const SESSION_HOURS: i64 = 12;
/// Minutes after which a session that nobody uses ends.
pub const IDLE_MINUTES: i64 = 60;
/// Hours for which a failure counts.
pub const FAILURE_HOURS: i64 = 24;
/// Failures from one network address that cost nothing.
const FREE_TRIES: u32 = 4;
/// Most seconds that failures from one network address make it wait.
const LONGEST_WAIT: i64 = 900;
/// Failures from all network addresses together within an hour, above which everybody waits a little.
const STORM: usize = 100;
/// Seconds between two tries then. Short, because it holds up the rightful owner as well.
const STORM_WAIT: i64 = 5;

/// Seconds until a password may be tried again for this mail address.
///
/// * `failures`: of the last [`FAILURE_HOURS`] hours, from which network address and when.
/// * `address`: from which network address it is tried now.
///
/// A stranger slows down the stranger's own address by doubling waits, and only a storm of failures from many addresses slows
/// down everybody, so that nobody can lock an administrator out.
#[must_use]
pub fn wait_seconds(failures: &[(String, Timestamp)], address: &str, now: Timestamp) -> i64 {
    let own: Vec<Timestamp> = failures.iter().filter(|(from, _)| from == address).map(|(_, at)| *at).collect();
    let count = u32::try_from(own.len()).unwrap_or(u32::MAX);
    let own_wait = match count.checked_sub(FREE_TRIES) {
        None | Some(0) => 0,
        Some(over) => 2_i64.saturating_pow(over.min(20)).min(LONGEST_WAIT),
    };
    let hour_ago = now.plus_seconds(-3600);
    let storm_wait = if failures.iter().filter(|(_, at)| *at >= hour_ago).count() >= STORM { STORM_WAIT } else { 0 };
    let until = |last: Option<Timestamp>, wait: i64| last.map_or(0, |last| last.plus_seconds(wait).millis().saturating_sub(now.millis()));
    let last = failures.iter().map(|(_, at)| *at).max();
    let millis = until(own.into_iter().max(), own_wait).max(until(last, storm_wait)).max(0);
    millis.saturating_add(999) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn failures(count: usize, from: &str, seconds_ago: i64) -> Vec<(String, Timestamp)> {
        vec![(from.into(), NOW.plus_seconds(-seconds_ago)); count]
    }

    #[test]
    fn the_first_failures_cost_nothing_and_then_each_doubles_the_wait() {
        for (count, wait) in [(0, 0), (4, 0), (5, 2), (6, 4), (8, 16), (13, 512), (14, 900), (1000, 900)] {
            assert_eq!(wait_seconds(&failures(count, "a", 0), "a", NOW), wait, "{count}");
        }
        assert_eq!(wait_seconds(&failures(8, "a", 10), "a", NOW), 6);
        assert_eq!(wait_seconds(&failures(8, "a", 60), "a", NOW), 0);
    }

    #[test]
    fn a_stranger_elsewhere_does_not_lock_the_owner_out() {
        assert_eq!(wait_seconds(&failures(50, "stranger", 0), "owner", NOW), 0);
        assert_eq!(wait_seconds(&failures(1000, "stranger", 0), "owner", NOW), 5);
        assert_eq!(wait_seconds(&failures(1000, "stranger", 6), "owner", NOW), 0);
    }
}
