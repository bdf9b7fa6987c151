//! The rules of signing in to the console: how long a session lives, and how failures slow the next try down.

use super::time::Timestamp;

/// Hours after which a session ends, however much it is used.
pub const SESSION_HOURS: i64 = 12;
/// Minutes after which a session that nobody uses ends.
pub const IDLE_MINUTES: i64 = 60;
/// Hours for which a failure counts.
pub const FAILURE_HOURS: i64 = 24;
/// Days after the end of a session for which it is remembered where its owner was.
pub const KNOWN_DAYS: i64 = 30;
/// Failures from one network that cost nothing.
const FREE_TRIES: u32 = 4;
/// Most seconds that failures from one network make it wait.
const LONGEST_WAIT: i64 = 900;
/// Failures from all networks together within an hour, above which strangers wait a little.
const STORM: usize = 100;
/// Seconds between two tries then. Short, because it holds up the owner in a new place as well.
const STORM_WAIT: i64 = 5;

/// Seconds until a password may be tried again for this mail address.
///
/// * `failures`: of the last [`FAILURE_HOURS`] hours, from which network and when.
/// * `network`: from which network it is tried now.
/// * `is_known`: the owner of the address has signed in from this network of late.
///
/// A stranger slows down the stranger's own network by doubling waits. A storm of failures from many networks slows down whoever
/// comes from a place where the owner has not been, and so never locks the owner out.
#[must_use]
pub fn wait_seconds(failures: &[(String, Timestamp)], network: &str, is_known: bool, now: Timestamp) -> i64 {
    let own: Vec<Timestamp> = failures.iter().filter(|(from, _)| from == network).map(|(_, at)| *at).collect();
    let count = u32::try_from(own.len()).unwrap_or(u32::MAX);
    let own_wait = match count.checked_sub(FREE_TRIES) {
        None | Some(0) => 0,
        Some(over) => 2_i64.saturating_pow(over.min(20)).min(LONGEST_WAIT),
    };
    let hour_ago = now.plus_seconds(-3600);
    let is_storm = failures.iter().filter(|(_, at)| *at >= hour_ago).count() >= STORM;
    let storm_wait = if is_storm && !is_known { STORM_WAIT } else { 0 };
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
            assert_eq!(wait_seconds(&failures(count, "a", 0), "a", false, NOW), wait, "{count}");
        }
        assert_eq!(wait_seconds(&failures(8, "a", 10), "a", false, NOW), 6);
        assert_eq!(wait_seconds(&failures(8, "a", 60), "a", false, NOW), 0);
    }

    #[test]
    fn a_stranger_elsewhere_does_not_lock_the_owner_out() {
        assert_eq!(wait_seconds(&failures(50, "stranger", 0), "owner", false, NOW), 0);
        assert_eq!(wait_seconds(&failures(1000, "stranger", 0), "elsewhere", false, NOW), 5);
        assert_eq!(wait_seconds(&failures(1000, "stranger", 0), "owner", true, NOW), 0);
    }
}
