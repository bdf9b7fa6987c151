//! When something that comes back is next due: every day, every Monday, or on the first of every month, at six in the morning UTC.

use time::{Duration, OffsetDateTime, Weekday};

use super::time::Timestamp;
use crate::words;

words! {
    /// How often something comes back.
    pub enum Every {
        /// Every day.
        Day = "day",
        /// Every Monday.
        Week = "week",
        /// On the first of every month.
        Month = "month",
    }
}

/// The hour of the day, UTC.
const HOUR: i64 = 6;

impl Every {
    /// The first time after this one.
    #[must_use]
    pub fn next_after(self, now: Timestamp) -> Timestamp {
        let at = |day: OffsetDateTime| day.replace_time(time::Time::MIDNIGHT).saturating_add(Duration::hours(HOUR));
        let mut day = now.calendar();
        // A month has 31 days at most, so that the first after one is found by then.
        for _ in 0..=32 {
            let due = at(day);
            if self.falls_on(day) && due.unix_timestamp() > now.seconds() {
                return Timestamp::from_millis(due.unix_timestamp().saturating_mul(1000));
            }
            day = day.saturating_add(Duration::days(1));
        }
        now.plus_days(31)
    }

    fn falls_on(self, day: OffsetDateTime) -> bool {
        match self {
            Self::Day => true,
            Self::Week => day.weekday() == Weekday::Monday,
            Self::Month => day.day() == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_the_next_morning_monday_or_first() {
        let next = |every: Every, now: &str| every.next_after(Timestamp::parse(now).unwrap()).to_string();
        assert_eq!(next(Every::Day, "2026-11-26T05:59:59Z"), "2026-11-26T06:00:00.000Z");
        assert_eq!(next(Every::Day, "2026-11-26T06:00:00Z"), "2026-11-27T06:00:00.000Z");
        assert_eq!(next(Every::Week, "2026-11-26T12:00:00Z"), "2026-11-30T06:00:00.000Z");
        assert_eq!(next(Every::Month, "2026-11-26T12:00:00Z"), "2026-12-01T06:00:00.000Z");
        assert_eq!(next(Every::Month, "2026-12-01T06:00:00Z"), "2027-01-01T06:00:00.000Z");
        assert_eq!(next(Every::Month, "2028-02-01T07:00:00Z"), "2028-03-01T06:00:00.000Z");
    }
}
