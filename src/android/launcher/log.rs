//! The launcher's log, and what can be read from it. The launcher reports no passcode; but when it has applied a password mode it
//! writes into its log whether the present passcode suffices, and it sends the lines that the server asks for. That is weaker than
//! a report: it says how the passcode was when the launcher's screen was last opened.

use serde::{Deserialize, Serialize};

use super::{
    PACKAGE,
    reading::{self, Unreadable},
};
use crate::domain::time::Timestamp;

const SUFFICIENT: &str = "Active password quality sufficient";
const FAILED: &str = "Failed to update password quality";
/// Most lines in one call; launchers send ten.
const MOST: usize = 100;
/// Seconds by which the clock of a device may differ from ours.
pub const SKEW_SECONDS: i64 = 30;

/// Which lines are asked for: those of this level or a more serious one that contain the filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    package_id: &'static str,
    log_level: u8,
    filter: &'static str,
}

/// The lines that say something about the passcode.
#[must_use]
pub const fn rules() -> [Rule; 2] {
    [Rule { package_id: PACKAGE, log_level: 4, filter: SUFFICIENT }, Rule { package_id: PACKAGE, log_level: 2, filter: FAILED }]
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// When it was written, in milliseconds.
    pub timestamp: i64,
    /// By which app.
    pub package_id: Option<String>,
    /// What it says.
    pub message: Option<String>,
}

/// What a line says about the passcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It suffices.
    Sufficient,
    /// It does not.
    Insufficient,
    /// The launcher could not tell. In this case it takes the passcode to be good, which is no reason to believe it.
    Unclear,
}

/// Reads what a launcher sent.
///
/// # Errors
/// It is not what a launcher sends.
pub fn read(body: &[u8]) -> Result<Vec<Line>, Unreadable> {
    let lines: Vec<Line> = reading::read(body)?;
    if lines.len() > MOST {
        return Err(Unreadable::Size("the list of lines"));
    }
    Ok(lines)
}

/// The newest of what these lines say about the passcode, and when. A line that was written before the policy came to the device
/// says nothing about it, and one from the future is not believed.
///
/// * `since`: lines that are older do not count.
#[must_use]
pub fn newest(lines: &[Line], since: Timestamp, now: Timestamp) -> Option<(Timestamp, Evidence)> {
    let latest = now.plus_seconds(SKEW_SECONDS);
    let told = lines.iter().filter_map(|line| Some((Timestamp::from_millis(line.timestamp), evidence(line)?)));
    let (at, evidence) = told.filter(|(at, _)| *at >= since && *at <= latest).max()?;
    Some((at.min(now), evidence))
}

fn evidence(line: &Line) -> Option<Evidence> {
    if line.package_id.as_deref() != Some(PACKAGE) {
        return None;
    }
    let message = line.message.as_deref()?;
    if message.contains(FAILED) {
        return Some(Evidence::Unclear);
    }
    let (_, rest) = message.split_once(SUFFICIENT)?;
    match rest.trim_start_matches(':').trim() {
        "true" => Some(Evidence::Sufficient),
        "false" => Some(Evidence::Insufficient),
        _ => Some(Evidence::Unclear),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(timestamp: i64, message: &str) -> Line {
        Line { timestamp, package_id: Some(PACKAGE.into()), message: Some(message.into()) }
    }

    fn told(lines: &[Line]) -> Option<(i64, Evidence)> {
        newest(lines, Timestamp::from_millis(1_000), Timestamp::from_millis(100_000)).map(|(at, evidence)| (at.millis(), evidence))
    }

    #[test]
    fn the_newest_line_counts_and_doubt_wins_over_confidence() {
        let yes = "Active password quality sufficient: true";
        let no = "Active password quality sufficient: false";
        let failed = "Failed to update password quality: SecurityException";
        assert_eq!(told(&[line(2_000, yes), line(3_000, no)]), Some((3_000, Evidence::Insufficient)));
        assert_eq!(told(&[line(3_000, yes), line(2_000, no)]), Some((3_000, Evidence::Sufficient)));
        assert_eq!(told(&[line(3_000, failed), line(3_000, yes)]), Some((3_000, Evidence::Unclear)));
        assert_eq!(told(&[line(3_000, "Active password quality sufficient: maybe")]), Some((3_000, Evidence::Unclear)));
        assert_eq!(told(&[line(3_000, "Something else")]), None);
    }

    #[test]
    fn lines_of_other_times_and_other_apps_do_not_count() {
        let yes = "Active password quality sufficient: true";
        assert_eq!(told(&[line(999, yes)]), None);
        assert_eq!(told(&[line(130_001, yes)]), None);
        assert_eq!(told(&[line(110_000, yes)]), Some((100_000, Evidence::Sufficient)), "a clock may be a little ahead");
        assert_eq!(told(&[line(i64::MAX, yes), line(i64::MIN, yes)]), None);
        let other = Line { package_id: Some("com.example".into()), ..line(2_000, yes) };
        assert_eq!(told(&[other]), None);
    }

    #[test]
    fn the_rules_and_the_lines_are_in_the_launchers_form() {
        let rules = serde_json::to_value(rules()).unwrap();
        assert_eq!(
            rules[0],
            serde_json::json!({ "packageId": "com.hmdm.launcher", "logLevel": 4, "filter": "Active password quality sufficient" })
        );
        assert_eq!(
            rules[1],
            serde_json::json!({ "packageId": "com.hmdm.launcher", "logLevel": 2, "filter": "Failed to update password quality" })
        );
        assert_eq!(read(br#"[{"timestamp":5,"logLevel":4,"packageId":"a","message":"b"}]"#).unwrap().len(), 1);
        let many = format!("[{}]", vec![r#"{"timestamp":1}"#; 101].join(","));
        for body in ["{}", r#"[{"timestamp":"5"}]"#, r#"[{"message":"b"}]"#, "[1]", &many] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
