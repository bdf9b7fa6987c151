//! How long something that failed waits until it is tried again: soon at first, then less and less often.

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

#[cfg(test)]
mod tests {
    use super::*;

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
