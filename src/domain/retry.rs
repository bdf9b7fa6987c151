//! How long something that failed waits until it is tried again: soon at first, then less and less often.

use std::time::Duration;

use time::{PrimitiveDateTime, macros::format_description};

use super::time::Timestamp;

/// Seconds to wait after the first failures; after those beyond it is an hour each.
const FIRST: [i64; 5] = [5, 30, 120, 600, 1800];
/// The longest wait, in seconds.
const CEILING: i64 = 3600;
/// How often most things are tried before they are given up: over about five hours.
pub const USUAL_TRIES: i32 = 10;
/// How often a mail is tried: over about two days, because mail servers are mended on Monday.
pub const MAIL_TRIES: i32 = 53;

/// Seconds to wait after so many tries that failed.
///
/// * `draw`: any number. It moves the time by up to a fifth in either direction, so that what failed together does not come back
///   together.
#[must_use]
pub fn delay_seconds(tries: i32, draw: u8) -> i64 {
    let place = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
    let base = FIRST.get(place).copied().unwrap_or(CEILING);
    let permille = 800_i64.saturating_add(i64::from(draw).saturating_mul(400) / 255);
    base.saturating_mul(permille) / 1000
}

/// Reads what another server asks for with `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. Gives the wait; none where
/// it is neither, and nothing to wait for where the date is over.
///
/// * `now`: what the other server believes the time to be, as it says in `Date`.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More than fits is as good as for ever.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    Some(http_date(text)?.since(now))
}

/// Reads the date of an HTTP header, in the one form that is written today and the two that were (RFC 9110, section 5.6.7).
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    let present = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let asctime = format_description!("[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]");
    let text = text.trim();
    let read =
        PrimitiveDateTime::parse(text, present).or_else(|_| PrimitiveDateTime::parse(text, asctime)).ok().or_else(|| rfc850(text))?;
    i64::try_from(read.assume_utc().unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Timestamp::from_millis)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`; the century is this one, for whoever still writes it so tells of the near future.
fn rfc850(text: &str) -> Option<PrimitiveDateTime> {
    let (_weekday, rest) = text.split_once(", ")?;
    let (day, rest) = rest.split_once('-')?;
    let (month, rest) = rest.split_once('-')?;
    let (year, clock) = rest.split_once(' ')?;
    let form = format_description!("[day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    PrimitiveDateTime::parse(&format!("{day} {month} 20{year} {clock}"), form).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_seconds_and_in_every_form_of_a_date() {
        // 2030-11-06T08:49:37Z
        let then = Timestamp::from_millis(1_920_185_377_000);
        for text in ["Wed, 06 Nov 2030 08:49:37 GMT", "Wednesday, 06-Nov-30 08:49:37 GMT", "Wed Nov  6 08:49:37 2030"] {
            assert_eq!(http_date(text), Some(then), "{text}");
            assert_eq!(retry_after(text, then.plus_seconds(-90)), Some(Duration::from_secs(90)), "{text}");
            assert_eq!(retry_after(text, then.plus_seconds(90)), Some(Duration::ZERO), "{text}");
        }
        assert_eq!(retry_after(" 30 ", then), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("99999999999999999999999", then), Some(Duration::from_secs(u64::MAX)));
        for text in ["", "-1", "soon", "1.5", "Wed, 06 Nov 2030", "Wed, 06 Nov 2030 08:49:37 CET", "2030-11-06T08:49:37Z"] {
            assert_eq!(retry_after(text, then), None, "{text}");
        }
    }

    #[test]
    fn the_waits_grow_to_an_hour_and_differ_by_a_fifth() {
        for (tries, base) in [(0, 5), (1, 5), (2, 30), (3, 120), (4, 600), (5, 1800), (6, 3600), (40, 3600), (i32::MAX, 3600)] {
            assert_eq!((delay_seconds(tries, 0), delay_seconds(tries, 255)), (base * 4 / 5, base * 6 / 5), "{tries}");
            let middle = delay_seconds(tries, 127);
            assert!((base - middle).abs() <= 1 + base / 100, "{tries}: {middle}");
        }
    }

    #[test]
    fn a_mail_is_tried_for_two_days_and_anything_else_for_hours() {
        let total = |tries| (1..tries).map(|tries| delay_seconds(tries, 127)).sum::<i64>() / 3600;
        assert!((46..50).contains(&total(MAIL_TRIES)) && (4..6).contains(&total(USUAL_TRIES)));
    }
}
