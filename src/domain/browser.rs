//! The rules of enrolled browsers: how long an enrollment lasts, what is risky about the settings, and how many devices a person
//! may have.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{device::Platform, time::Timestamp};

/// Days for which an enrollment may last without being used.
pub const DAYS: RangeInclusive<u16> = 1..=365;
/// Seconds for which a browser is asked to keep the cookie: the longest that Chrome keeps any, which is 400 days. When the
/// enrollment ends is decided here and not by the browser, because a use that only a proxy sees cannot renew a cookie.
pub const COOKIE_SECONDS: i64 = 34_560_000;
/// The end of an enrollment is moved on when it would move by so many seconds, and not at each of a page's requests.
pub const STEP_SECONDS: i64 = 3600;
/// Enrollments of one person within a week, beyond which their browser seems to forget its cookies.
pub const MANY_A_WEEK: i64 = 5;
/// Most devices that a limit may be set to.
pub const MOST_DEVICES: u16 = 1000;

/// The end that a use gives an enrollment, where it has to be written down: a change of the duration always has.
#[must_use]
pub fn renewed(expires_at: Timestamp, days: u16, now: Timestamp) -> Option<Timestamp> {
    let end = now.plus_days(i64::from(days));
    (end.millis().abs_diff(expires_at.millis()) >= STEP_SECONDS.unsigned_abs().saturating_mul(1000)).then_some(end)
}

/// What is risky about a setting; the text is for the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Risk {
    /// Nobody is asked who they are.
    #[error(
        "without browser enrollment nobody who follows a protected link or asks for a file is asked who they are: clicks are recorded for nobody, and whoever a mail is forwarded to comes in"
    )]
    Off,
    /// The question whether a link looks safe is asked of people who are not known.
    #[error(
        "the question whether a link looks safe needs browser enrollment: without it the answers are recorded for nobody, or not asked for at all"
    )]
    AwarenessWithoutIdentity,
}

/// The risks that a change brings about, given for before and after whether enrollment and the awareness question are on.
#[must_use]
pub fn risks(before: (bool, bool), after: (bool, bool)) -> Vec<Risk> {
    let is_blind = |(is_on, is_aware): (bool, bool)| is_aware && !is_on;
    let mut risks = Vec::new();
    if before.0 && !after.0 {
        risks.push(Risk::Off);
    }
    if is_blind(after) && !is_blind(before) {
        risks.push(Risk::AwarenessWithoutIdentity);
    }
    risks
}

/// The kinds of devices that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// iPhones, iPads and Macs.
    Apple,
    /// Android devices.
    Android,
    /// Browsers.
    Browser,
}

impl Kind {
    /// The kind of a platform.
    #[must_use]
    pub const fn of(platform: Platform) -> Option<Self> {
        match platform {
            Platform::Ios | Platform::Ipados | Platform::Macos => Some(Self::Apple),
            Platform::Android => Some(Self::Android),
            Platform::Browser => Some(Self::Browser),
            Platform::Other => None,
        }
    }

    /// One of them, and several, in words.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Apple => ("Apple device", "Apple devices"),
            Self::Android => ("Android device", "Android devices"),
            Self::Browser => ("browser", "browsers"),
        }
    }
}

/// How many devices of each kind one person may have enrolled; none for as many as they like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceLimits {
    /// iPhones, iPads and Macs together.
    pub apple: Option<u16>,
    /// Android devices.
    pub android: Option<u16>,
    /// Browsers.
    pub browser: Option<u16>,
}

impl DeviceLimits {
    /// The limit for a kind.
    #[must_use]
    pub const fn of(self, kind: Kind) -> Option<u16> {
        match kind {
            Kind::Apple => self.apple,
            Kind::Android => self.android,
            Kind::Browser => self.browser,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_moves_the_end_on_at_most_once_an_hour_and_a_changed_duration_at_once() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let end = now.plus_days(365);
        assert_eq!(renewed(end, 365, now), None);
        assert_eq!(renewed(end, 365, now.plus_seconds(3_599)), None);
        assert_eq!(renewed(end, 365, now.plus_seconds(3_600)), Some(end.plus_seconds(3_600)));
        assert_eq!(renewed(end, 30, now), Some(now.plus_days(30)));
    }

    #[test]
    fn both_risks_are_named_and_only_when_a_change_brings_them_about() {
        assert_eq!(risks((true, false), (true, false)), []);
        assert_eq!(risks((true, false), (false, false)), [Risk::Off]);
        assert_eq!(risks((true, true), (false, true)), [Risk::Off, Risk::AwarenessWithoutIdentity]);
        assert_eq!(risks((false, false), (false, true)), [Risk::AwarenessWithoutIdentity]);
        assert_eq!(risks((false, true), (false, true)), []);
        assert_eq!(risks((false, true), (true, true)), []);
    }
}
