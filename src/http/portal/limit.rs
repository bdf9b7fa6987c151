//! How often one network address may ask for something, so that neither mailboxes are flooded nor codes guessed in bulk.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use lru::LruCache;

use crate::domain::time::Timestamp;

/// Requests of one address within a minute: a whole office comes from one address on the day of a roll-out. Guessing is held back
/// by the rules of the codes themselves.
pub const REQUESTS_PER_MINUTE: u32 = 1200;
/// Addresses that are remembered; beyond that the one that was silent longest is forgotten.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Milliseconds' worth of requests left; a full bucket holds a minute.
    left_millis: i64,
    at: Timestamp,
}

/// How often one network may try to sign in to the console within a minute.
const SIGN_INS_PER_MINUTE: u32 = 60;

/// The limiter of the console's sign-in: comparing a password costs much more than showing a page.
pub struct SignIns(pub Limiter);

impl Default for SignIns {
    fn default() -> Self {
        Self(Limiter::new(SIGN_INS_PER_MINUTE))
    }
}

/// A token bucket for each address. One for each server: make it once, outside the closure that runs for each worker.
pub struct Limiter {
    buckets: Mutex<LruCache<IpAddr, Bucket>>,
    per_minute: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new(REQUESTS_PER_MINUTE)
    }
}

impl Limiter {
    /// A limiter that admits so many requests of one address in a minute.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        let capacity = NonZeroUsize::new(REMEMBERED).unwrap_or(NonZeroUsize::MIN);
        Self { buckets: Mutex::new(LruCache::new(capacity)), per_minute: per_minute.max(1) }
    }

    /// Admits a request of this address.
    ///
    /// # Errors
    /// Too many came; the error says after how many seconds the next is admitted.
    pub fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), u64> {
        const FULL: i64 = 60_000;
        let cost = FULL / i64::from(self.per_minute);
        let key = network_of(address);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(&key).copied().unwrap_or(Bucket { left_millis: FULL, at: now });
        let gained = i64::try_from(now.since(bucket.at).as_millis()).unwrap_or(FULL);
        let filled = bucket.left_millis.saturating_add(gained).min(FULL);
        let is_admitted = filled >= cost;
        let left_millis = if is_admitted { filled.saturating_sub(cost) } else { filled };
        buckets.put(key, Bucket { left_millis, at: now.max(bucket.at) });
        if is_admitted { Ok(()) } else { Err(u64::try_from(cost.saturating_sub(filled)).unwrap_or(0).div_ceil(1000).max(1)) }
    }
}

/// What is counted as one address: of IPv6 a /64, because that is what one customer has to choose from.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_empties_and_fills_again_with_time() {
        let (limiter, now) = (Limiter::new(30), Timestamp::from_millis(0));
        for _ in 0..30 {
            limiter.admit(address("192.0.2.1"), now).unwrap();
        }
        assert_eq!(limiter.admit(address("192.0.2.1"), now), Err(2));
        assert_eq!(limiter.admit(address("192.0.2.2"), now), Ok(()));
        assert_eq!(limiter.admit(address("192.0.2.1"), now.plus_seconds(2)), Ok(()));
        assert_eq!(limiter.admit(address("192.0.2.1"), now.plus_seconds(2)), Err(2));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let (limiter, now) = (Limiter::new(1), Timestamp::from_millis(100_000));
        limiter.admit(address("192.0.2.1"), now).unwrap();
        assert!(limiter.admit(address("192.0.2.1"), now.plus_seconds(-50)).is_err());
        assert!(limiter.admit(address("192.0.2.1"), now).is_err());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_bucket_and_mapped_addresses_are_ipv4() {
        let (limiter, now) = (Limiter::new(1), Timestamp::from_millis(0));
        limiter.admit(address("2001:db8:1:2::1"), now).unwrap();
        assert!(limiter.admit(address("2001:db8:1:2:ffff::9"), now).is_err());
        assert!(limiter.admit(address("2001:db8:1:3::1"), now).is_ok());
        limiter.admit(address("::ffff:192.0.2.9"), now).unwrap();
        assert!(limiter.admit(address("192.0.2.9"), now).is_err());
    }
}
