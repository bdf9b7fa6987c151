//! What Apple's answers mean.

use std::time::Duration;

use serde::Deserialize;

use super::Outcome;
use crate::domain::{retry::retry_after, time::Timestamp};

/// Longest pause that is believed: nobody should silence the server for a day.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// What Apple believes the time to be, or this server where Apple does not say.
    pub(super) at: Timestamp,
    pub(super) body: Vec<u8>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    reason: String,
}

/// What an answer means. Where reason and status are unknown, another try is never wrong.
pub(super) fn outcome(answer: &Answer) -> Outcome {
    let reason = reason(&answer.body);
    let why = if reason.is_empty() { answer.status.to_string() } else { format!("{} {reason}", answer.status) };
    match (answer.status, reason.as_str()) {
        (200, _) => Outcome::Delivered,
        (410, _) | (400, "BadDeviceToken" | "DeviceTokenNotForTopic" | "Unregistered" | "ExpiredToken") => Outcome::TokenGone(why),
        (403, _) | (400, "BadTopic" | "MissingTopic" | "TopicDisallowed" | "BadCertificate" | "BadCertificateEnvironment") => {
            Outcome::CertificateRejected(why)
        }
        // 429 is about too many notifications for one device.
        (status, _) => Outcome::TryLater { why, after: pause(answer), is_for_all: status >= 500 },
    }
}

/// Apple's word for what is wrong. It comes from outside and goes into logs and pages.
fn reason(body: &[u8]) -> String {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    refusal.reason.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

fn pause(answer: &Answer) -> Option<Duration> {
    // Whoever asks for no wait gets the usual one.
    retry_after(answer.retry_after.as_deref()?, answer.at).filter(|wait| !wait.is_zero()).map(|wait| wait.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26T12:00:00Z
    const NOW: Timestamp = Timestamp::from_millis(1_795_694_400_000);

    fn of(status: u16, reason: &str, retry_after: Option<&str>) -> Outcome {
        let body = if reason.is_empty() { Vec::new() } else { serde_json::json!({ "reason": reason }).to_string().into_bytes() };
        outcome(&Answer { status, retry_after: retry_after.map(str::to_owned), at: NOW, body })
    }

    #[test]
    fn every_answer_has_its_meaning() {
        assert_eq!(of(200, "", None), Outcome::Delivered);
        for (status, reason) in [(410, "Unregistered"), (410, ""), (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic")] {
            assert!(matches!(of(status, reason, None), Outcome::TokenGone(_)), "{status} {reason}");
        }
        for (status, reason) in [(403, "BadCertificate"), (403, ""), (403, "Forbidden"), (400, "BadTopic"), (400, "MissingTopic")] {
            assert!(matches!(of(status, reason, None), Outcome::CertificateRejected(_)), "{status} {reason}");
        }
        for (status, reason, is_for_all) in [
            (429, "TooManyRequests", false),
            (503, "ServiceUnavailable", true),
            (500, "InternalServerError", true),
            (413, "PayloadTooLarge", false),
            (302, "", false),
        ] {
            let why = if reason.is_empty() { status.to_string() } else { format!("{status} {reason}") };
            assert_eq!(of(status, reason, None), Outcome::TryLater { why, after: None, is_for_all });
        }
    }

    #[test]
    fn a_pause_is_believed_within_reason() {
        let after = |text| match of(503, "", Some(text)) {
            Outcome::TryLater { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("30"), Some(Duration::from_secs(30)));
        assert_eq!(after("999999999"), Some(LONGEST_PAUSE));
        assert_eq!(after("Thu, 26 Nov 2026 12:05:00 GMT"), Some(Duration::from_secs(300)));
        assert_eq!(after("Fri, 27 Nov 2026 12:00:00 GMT"), Some(LONGEST_PAUSE));
        assert_eq!((after("Thu, 26 Nov 2026 11:00:00 GMT"), after("0")), (None, None));
        assert_eq!((after("-1"), after("soon"), after("")), (None, None, None));
    }

    #[test]
    fn a_reason_cannot_write_into_the_log_what_it_likes() {
        let Outcome::TryLater { why, .. } = of(429, &"x\n<b>".repeat(100), None) else { panic!("not a pause") };
        assert!(why.len() < 80 && why.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' '), "{why}");
        let Outcome::TryLater { why, .. } = outcome(&Answer { status: 429, retry_after: None, at: NOW, body: b"<html>".to_vec() }) else {
            panic!("not a pause")
        };
        assert_eq!(why, "429");
    }
}
