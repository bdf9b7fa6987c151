//! Bodies of the 403 answers that Apple devices understand. A 401 is never given by accident: it makes some devices un-enroll.

use serde_json::{Value, json};

/// The content type of every body here.
pub const CONTENT_TYPE: &str = "application/json";

/// The device is not enrolled here (iOS 17 removes its profile; earlier versions only stop).
pub const UNRECOGNIZED_DEVICE: &str = r#"{"code":"com.apple.unrecognized.device"}"#;

/// The account-driven enrollment is not offered to this person (iOS 17.5).
pub const WELL_KNOWN_FAILED: &str = r#"{"code":"com.apple.well-known.failed"}"#;

/// The device must install a system update before it may enroll (iOS 17, and only where its `MachineInfo` has
/// `MDM_CAN_REQUEST_SOFTWARE_UPDATE`): `OSVersion`, and the build if one build only will do.
#[must_use]
pub fn software_update_required(os_version: &str, build_version: Option<&str>) -> Value {
    let mut details = json!({ "OSVersion": os_version });
    if let (Some(build), Some(details)) = (build_version, details.as_object_mut()) {
        details.insert("BuildVersion".to_owned(), build.into());
    }
    json!({ "code": "com.apple.softwareupdate.required", "details": details })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_json_with_a_code() {
        for body in [UNRECOGNIZED_DEVICE, WELL_KNOWN_FAILED] {
            let body: Value = serde_json::from_str(body).unwrap();
            assert!(body["code"].as_str().unwrap().starts_with("com.apple."));
        }
        assert_eq!(software_update_required("17.4", None)["details"], json!({ "OSVersion": "17.4" }));
        assert_eq!(software_update_required("17.4", Some("21E219"))["details"]["BuildVersion"], "21E219");
    }
}
