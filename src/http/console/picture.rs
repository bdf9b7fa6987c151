//! Numbers as pictures: bars and a trend, worked out here and drawn by the templates as SVG.

use serde::Serialize;

use super::show;
use crate::{
    domain::{
        compliance::Status,
        device::{EnrollmentState, Platform},
        time::Timestamp,
    },
    service::census::day_of,
    store::census::Count,
};

/// Width of the pictures, in their own units.
const WIDTH: i64 = 600;
/// Height of the trend.
const HEIGHT: i64 = 120;
/// Days that the trend shows.
pub const TREND_DAYS: i64 = 30;

/// A part of a bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Where it begins.
    pub x: i64,
    /// How long it is.
    pub width: i64,
    /// The word for what it counts.
    pub text: &'static str,
    /// As the filters write it.
    pub word: &'static str,
    /// How many.
    pub count: i64,
}

/// One platform's devices by verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// The platform's name.
    pub name: &'static str,
    /// As the filters write it.
    pub word: &'static str,
    /// All devices of it.
    pub total: i64,
    /// They add up to the whole width.
    pub pieces: Vec<Piece>,
}

/// The enrolled devices of each platform by verdict; platforms without any are left out.
#[must_use]
pub fn bars(rows: &[(Platform, EnrollmentState, Status, i64)]) -> Vec<Bar> {
    Platform::ALL.iter().filter_map(|platform| bar(*platform, rows)).collect()
}

fn bar(platform: Platform, rows: &[(Platform, EnrollmentState, Status, i64)]) -> Option<Bar> {
    let of = |status: Status| {
        let matching =
            rows.iter().filter(|(of, state, verdict, _)| *of == platform && *state == EnrollmentState::Enrolled && *verdict == status);
        matching.fold(0_i64, |sum, (.., count)| sum.saturating_add(*count))
    };
    let total = Status::ALL.iter().fold(0_i64, |sum, status| sum.saturating_add(of(*status)));
    if total == 0 {
        return None;
    }
    let mut before = 0_i64;
    let mut pieces = Vec::new();
    for status in Status::ALL {
        let count = of(*status);
        if count > 0 {
            let (x, end) = (scale(before, total, WIDTH), scale(before.saturating_add(count), total, WIDTH));
            let word = show::compliance(*status);
            pieces.push(Piece { x, width: end.saturating_sub(x).max(1), text: word.text, word: word.word, count });
        }
        before = before.saturating_add(count);
    }
    Some(Bar { name: show::platform(platform), word: platform.as_str(), total, pieces })
}

const fn scale(part: i64, whole: i64, length: i64) -> i64 {
    match part.saturating_mul(length).checked_div(whole) {
        Some(value) => value,
        None => 0,
    }
}

/// How the share of compliant devices went, day by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// The line, as an SVG `points` attribute.
    pub points: String,
    /// The first day, for the axis.
    pub from: String,
    /// The share on the first day that was counted, in per cent.
    pub first: i64,
    /// The share on the last one.
    pub last: i64,
    /// The same in a table, for those who do not see the picture: day, share, devices.
    pub days: Vec<TrendDay>,
}

/// One day of the trend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrendDay {
    /// The date.
    pub date: String,
    /// The share of compliant devices, in per cent.
    pub share: i64,
    /// All devices that were enrolled.
    pub devices: i64,
}

/// The trend of the last [`TREND_DAYS`] days; `None` with fewer than two days that had devices.
#[must_use]
pub fn trend(counts: &[Count], now: Timestamp) -> Option<Trend> {
    let today = day_of(now);
    let (mut points, mut days) = (Vec::new(), Vec::new());
    for ago in (0..TREND_DAYS).rev() {
        let day = today.plus_days(-ago);
        let of_day: Vec<&Count> = counts.iter().filter(|count| count.day == day).collect();
        let devices = of_day.iter().fold(0_i64, |sum, count| sum.saturating_add(count.devices));
        if devices == 0 {
            continue;
        }
        let compliant =
            of_day.iter().filter(|count| count.compliance == Status::Compliant).fold(0, |sum, count| count.devices.saturating_add(sum));
        let x = scale(TREND_DAYS.saturating_sub(1).saturating_sub(ago), TREND_DAYS.saturating_sub(1), WIDTH);
        points.push(format!("{x},{}", HEIGHT.saturating_sub(scale(compliant, devices, HEIGHT))));
        days.push(TrendDay { date: day.calendar().date().to_string(), share: scale(compliant, devices, 100), devices });
    }
    let (first, last) = (days.first()?.share, days.last()?.share);
    let from = today.plus_days(1_i64.saturating_sub(TREND_DAYS)).calendar().date().to_string();
    (days.len() > 1).then(|| Trend { points: points.join(" "), from, first, last, days })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    #[test]
    fn the_pieces_of_a_bar_fill_it_without_gaps() {
        let rows = [
            (Platform::Ios, EnrollmentState::Enrolled, Status::Compliant, 2),
            (Platform::Ios, EnrollmentState::Enrolled, Status::Noncompliant, 1),
            (Platform::Ios, EnrollmentState::Retired, Status::Noncompliant, 50),
            (Platform::Android, EnrollmentState::Enrolled, Status::Unknown, 7),
        ];
        let bars = bars(&rows);
        assert_eq!(bars.iter().map(|bar| (bar.name, bar.total)).collect::<Vec<_>>(), [("iOS", 3), ("Android", 7)]);
        let pieces: Vec<_> = bars[0].pieces.iter().map(|piece| (piece.word, piece.x, piece.width)).collect();
        assert_eq!(pieces, [("compliant", 0, 400), ("noncompliant", 400, 200)]);
    }

    #[test]
    fn a_trend_needs_two_days_and_skips_those_without_devices() {
        let count = |ago: i64, compliance, devices| Count { day: day_of(NOW).plus_days(-ago), compliance, devices };
        assert_eq!(trend(&[count(0, Status::Compliant, 4)], NOW), None);
        let trend = trend(&[count(29, Status::Compliant, 1), count(29, Status::Unknown, 1), count(0, Status::Compliant, 4)], NOW).unwrap();
        assert_eq!((trend.first, trend.last, trend.points.as_str()), (50, 100, "0,60 600,0"));
    }
}
