//! Messages that a launcher waits for. One is enough: everything that a device is told stands in its configuration.

use serde::Serialize;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    message_type: &'static str,
    payload: Option<String>,
}

/// Tells a launcher to fetch its configuration.
#[must_use]
pub const fn configuration_changed() -> Message {
    Message { message_type: "configUpdated", payload: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_type_and_no_payload() {
        assert_eq!(serde_json::to_string(&[configuration_changed()]).unwrap(), r#"[{"messageType":"configUpdated","payload":null}]"#);
    }
}
