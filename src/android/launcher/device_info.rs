//! What a launcher says of its device. It says nothing of the passcode: that has to be read from its log.

use serde::Deserialize;

use super::reading::{self, Unreadable};

/// What a device says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The number that it was given.
    pub number: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The serial number, which Android gives to a device owner only.
    pub serial: Option<String>,
    /// The IMEI, which a tablet may not have.
    pub imei: Option<String>,
    /// Version of the system.
    pub android_version: Option<String>,
    /// The launcher manages the whole device.
    pub is_device_owner: bool,
}

/// The fields that count.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    device_id: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    imei: Option<String>,
    android_version: Option<String>,
    mdm_mode: Option<bool>,
}

/// Reads what a launcher sent.
///
/// # Errors
/// It is not what a launcher sends.
pub fn read(body: &[u8]) -> Result<DeviceInfo, Unreadable> {
    let fields: Fields = reading::read(body)?;
    let identifier = |text: Option<String>, what| {
        let text = reading::short(text, 64, what)?;
        // What Android writes where it has none, or does not say.
        Ok::<_, Unreadable>(text.filter(|text| !matches!(text.to_ascii_lowercase().as_str(), "unknown" | "null" | "0" | "000000000000000")))
    };
    Ok(DeviceInfo {
        number: reading::short(fields.device_id, 64, "deviceId")?,
        model: reading::short(fields.model, 120, "model")?,
        serial: identifier(fields.serial, "serial")?,
        imei: identifier(fields.imei, "imei")?,
        android_version: reading::short(fields.android_version, 40, "androidVersion")?,
        is_device_owner: fields.mdm_mode == Some(true),
    })
}

impl DeviceInfo {
    /// What tells this device from every other one: its serial number or its IMEI, where it gives one.
    #[must_use]
    pub fn identifier(&self) -> Option<String> {
        let of = |kind: &str, text: &Option<String>| text.as_ref().map(|text| format!("android-{kind}:{text}"));
        of("serial", &self.serial).or_else(|| of("imei", &self.imei))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_known_is_taken() {
        let body = br#"{"model":" Pixel 8 ","permissions":[1,1,0,0],"applications":[{"pkg":"a"}],"deviceId":"n","imei":"","mdmMode":true,
            "kioskMode":false,"batteryLevel":80,"androidVersion":"15","serial":"R5CT","futureField":{"a":[1]}}"#;
        let info = read(body).unwrap();
        assert_eq!(info.model.as_deref(), Some("Pixel 8"));
        assert_eq!(info.identifier().as_deref(), Some("android-serial:R5CT"));
        assert_eq!((info.imei, info.is_device_owner), (None, true));
    }

    #[test]
    fn a_serial_number_that_is_none_is_not_believed() {
        let info = read(br#"{"serial":"unknown","imei":"356938035643809"}"#).unwrap();
        assert_eq!(info.identifier().as_deref(), Some("android-imei:356938035643809"));
        assert_eq!(read(br#"{"serial":"UNKNOWN"}"#).unwrap().identifier(), None);
    }

    #[test]
    fn wrong_types_and_long_texts_are_refused() {
        let long = format!(r#"{{"model":"{}"}}"#, "x".repeat(121));
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        for body in [
            r#"{"model":1}"#,
            r#"{"mdmMode":"yes"}"#,
            r#"{"serial":["x"]}"#,
            "[]",
            "null",
            "",
            "{",
            &long,
            &deep,
            "{\"model\":\"a\\u0000b\"}",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
