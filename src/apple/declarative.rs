//! Declarative management: this server declares nothing, says so in valid documents, and reads the status reports.

use serde_json::{Value, json};

use super::field::for_people;
use crate::domain::{
    posture::{Fact, Posture, Source},
    time::Timestamp,
};

/// The token of the empty set of declarations. Must be another as soon as anything is declared.
const EMPTY_SET: &str = "none-1";

/// How large a status report may be, in bytes.
const MOST_STATUS: usize = 1024 * 1024;

/// How a request of declarative management is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// 200 with this JSON document.
    Document(Value),
    /// 204: the body is a status report; see [`status_facts`].
    Status,
    /// 404: there is no such declaration or endpoint.
    NotFound,
}

/// The answer to a request for this `Endpoint`; `now` is when the set of declarations was made for the device.
#[must_use]
pub fn answer(endpoint: &str, now: Timestamp) -> Answer {
    match endpoint {
        "status" => Answer::Status,
        other => document(other, now).map_or(Answer::NotFound, Answer::Document),
    }
}

/// The JSON document of an endpoint, or `None` where there is none.
#[must_use]
pub fn document(endpoint: &str, now: Timestamp) -> Option<Value> {
    match endpoint {
        "tokens" => Some(json!({ "SyncTokens": { "DeclarationsToken": EMPTY_SET, "Timestamp": whole_seconds(now) } })),
        "declaration-items" => Some(json!({
            "Declarations": { "Activations": [], "Assets": [], "Configurations": [], "Management": [] },
            "DeclarationsToken": EMPTY_SET,
        })),
        _ => None,
    }
}

/// RFC 3339 without fractions of a second, which the device's decoder does not accept.
fn whole_seconds(instant: Timestamp) -> String {
    instant.to_string().split('.').next().map(|text| format!("{text}Z")).unwrap_or_default()
}

/// Why a status report is not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// More bytes than any honest report has.
    #[error("the status report is too large")]
    TooLarge,
    /// Not JSON, or nested too deeply.
    #[error("parse the status report")]
    Parse(#[source] serde_json::Error),
}

/// What a status report says of the device, as said at `now`. What is missing or has another type is not reported.
///
/// `passcode.is-compliant` is true where no requirement is installed, so it says nothing without evidence of the profile.
///
/// # Errors
/// The report is too large or not JSON.
pub fn status_facts(report: &[u8], now: Timestamp) -> Result<Posture, StatusError> {
    if report.len() > MOST_STATUS {
        return Err(StatusError::TooLarge);
    }
    let report: Value = serde_json::from_slice(report).map_err(StatusError::Parse)?;
    let item = |path: &str| report.pointer("/StatusItems").and_then(|items| items.pointer(path));
    let boolean = |path: &str| fact(item(path).and_then(Value::as_bool), now);
    let text = |path: &str| fact(item(path).and_then(Value::as_str).and_then(for_people), now);
    Ok(Posture {
        passcode_present: boolean("/passcode/is-present"),
        passcode_compliant: boolean("/passcode/is-compliant"),
        os_version: text("/device/operating-system/version"),
        build_version: text("/device/operating-system/build-version"),
        model_name: text("/device/model/marketing-name"),
        product_name: text("/device/model/identifier"),
        serial: text("/device/identifier/serial-number"),
        ..Posture::default()
    })
}

fn fact<T>(value: Option<T>, at: Timestamp) -> Option<Fact<T>> {
    value.map(|value| Fact { value, source: Source::StatusReport, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

    #[test]
    fn an_empty_set_is_declared_with_one_token() {
        let tokens = document("tokens", NOW).unwrap();
        let items = document("declaration-items", NOW).unwrap();
        assert_eq!(tokens["SyncTokens"]["DeclarationsToken"], items["DeclarationsToken"]);
        assert_eq!(tokens["SyncTokens"]["Timestamp"], "2026-09-21T14:13:20Z");
        for kind in ["Activations", "Assets", "Configurations", "Management"] {
            assert_eq!(items["Declarations"][kind], json!([]));
        }
    }

    #[test]
    fn only_known_endpoints_are_answered() {
        assert_eq!(answer("status", NOW), Answer::Status);
        for endpoint in ["declaration/configuration/x", "", "declaration/../tokens", "Tokens"] {
            assert_eq!(answer(endpoint, NOW), Answer::NotFound, "{endpoint}");
        }
    }

    #[test]
    fn a_status_report_becomes_facts_with_their_source() {
        let report = br#"{"StatusItems":{"passcode":{"is-present":true,"is-compliant":false},
            "device":{"operating-system":{"version":"17.5.1"}}},"Errors":[]}"#;
        let posture = status_facts(report, NOW).unwrap();
        assert_eq!(posture.passcode_present, Some(Fact { value: true, source: Source::StatusReport, at: NOW }));
        assert!(!posture.passcode_compliant.unwrap().value);
        assert_eq!(posture.os_version.unwrap().value, "17.5.1");
        assert_eq!(posture.serial, None);
    }

    #[test]
    fn a_status_item_of_another_type_is_not_reported() {
        let report = br#"{"StatusItems":{"passcode":{"is-present":"true","is-compliant":1}}}"#;
        assert_eq!(status_facts(report, NOW).unwrap(), Posture::default());
        assert_eq!(status_facts(b"[]", NOW).unwrap(), Posture::default());
    }

    #[test]
    fn a_hostile_status_report_is_refused() {
        let deep = "[".repeat(200_000);
        assert!(matches!(status_facts(deep.as_bytes(), NOW), Err(StatusError::Parse(_))));
        assert!(matches!(status_facts(&vec![b' '; MOST_STATUS + 1], NOW), Err(StatusError::TooLarge)));
        assert!(status_facts(b"\xff", NOW).is_err());
    }
}
