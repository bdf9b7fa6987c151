//! What a new device reads from the QR code in its set-up wizard (Android's `DevicePolicyManager.EXTRA_PROVISIONING_*`): from where
//! to fetch the launcher, how to know that it is the right one, and what to tell it.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use super::PROJECT;
use crate::words;

words! {
    /// How a wireless network is protected.
    pub enum WifiSecurity {
        /// Not at all.
        None = "NONE",
        /// By WEP.
        Wep = "WEP",
        /// By a password (WPA, WPA2, WPA3).
        Wpa = "WPA",
    }
}

/// How a device knows that the app is the right one: one of the two, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the file.
    Package(Vec<u8>),
    /// SHA-256 of the certificate that signed it, which stays the same with its next version.
    Signature(Vec<u8>),
}

/// The wireless network to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wifi {
    /// Its name.
    pub ssid: String,
    /// How it is protected.
    pub security: WifiSecurity,
    /// Its password. Whoever reads the QR code reads it.
    pub password: Option<String>,
    /// It does not announce itself.
    pub is_hidden: bool,
}

/// Everything that goes into the QR code.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// `package/receiver`.
    pub component: String,
    /// Where the app is.
    pub download: String,
    /// How the right one is known.
    pub checksum: Checksum,
    /// The cookie that allows the download, `name=value`.
    pub cookie: String,
    /// The network to join.
    pub wifi: Option<Wifi>,
    /// The device's number.
    pub number: String,
    /// The server's address, without a slash at its end.
    pub server: String,
}

#[derive(Serialize)]
struct Extras<'a> {
    #[serde(rename = "android.app.extra.PROVISIONING_DEVICE_ADMIN_COMPONENT_NAME")]
    component: &'a str,
    #[serde(rename = "android.app.extra.PROVISIONING_DEVICE_ADMIN_PACKAGE_DOWNLOAD_LOCATION")]
    download: &'a str,
    #[serde(rename = "android.app.extra.PROVISIONING_DEVICE_ADMIN_PACKAGE_CHECKSUM", skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(rename = "android.app.extra.PROVISIONING_DEVICE_ADMIN_SIGNATURE_CHECKSUM", skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(rename = "android.app.extra.PROVISIONING_DEVICE_ADMIN_PACKAGE_DOWNLOAD_COOKIE_HEADER")]
    cookie: &'a str,
    // Without it the maker's own apps vanish from the device.
    #[serde(rename = "android.app.extra.PROVISIONING_LEAVE_ALL_SYSTEM_APPS_ENABLED")]
    leave_system_apps: bool,
    #[serde(rename = "android.app.extra.PROVISIONING_WIFI_SSID", skip_serializing_if = "Option::is_none")]
    ssid: Option<&'a str>,
    #[serde(rename = "android.app.extra.PROVISIONING_WIFI_SECURITY_TYPE", skip_serializing_if = "Option::is_none")]
    security: Option<&'static str>,
    #[serde(rename = "android.app.extra.PROVISIONING_WIFI_PASSWORD", skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(rename = "android.app.extra.PROVISIONING_WIFI_HIDDEN", skip_serializing_if = "Option::is_none")]
    hidden: Option<bool>,
    #[serde(rename = "android.app.extra.PROVISIONING_ADMIN_EXTRAS_BUNDLE")]
    bundle: Bundle<'a>,
}

#[derive(Serialize)]
struct Bundle<'a> {
    #[serde(rename = "com.hmdm.DEVICE_ID")]
    number: &'a str,
    // Without it the launcher would report to its vendor.
    #[serde(rename = "com.hmdm.BASE_URL")]
    server: &'a str,
    #[serde(rename = "com.hmdm.SERVER_PROJECT")]
    project: &'static str,
}

/// The text of the QR code.
///
/// # Errors
/// It cannot be written as JSON.
pub fn to_json(provisioning: &Provisioning) -> Result<String, serde_json::Error> {
    let (package, signature) = match &provisioning.checksum {
        Checksum::Package(hash) => (Some(URL_SAFE_NO_PAD.encode(hash)), None),
        Checksum::Signature(hash) => (None, Some(URL_SAFE_NO_PAD.encode(hash))),
    };
    let wifi = provisioning.wifi.as_ref();
    let text = serde_json::to_string(&Extras {
        component: &provisioning.component,
        download: &provisioning.download,
        package,
        signature,
        cookie: &provisioning.cookie,
        leave_system_apps: true,
        ssid: wifi.map(|wifi| wifi.ssid.as_str()),
        security: wifi.map(|wifi| wifi.security.as_str()),
        password: wifi.and_then(|wifi| wifi.password.as_deref()),
        hidden: wifi.map(|wifi| wifi.is_hidden).filter(|hidden| *hidden),
        bundle: Bundle { number: &provisioning.number, server: &provisioning.server, project: PROJECT },
    })?;
    Ok(in_ascii(&text))
}

/// JSON without a character beyond ASCII. A QR code does not say in which encoding its text is, and readers guess.
fn in_ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn plain() -> Provisioning {
        Provisioning {
            component: super::super::COMPONENT.into(),
            download: "https://mdm.example.com/files/x/launcher.apk".into(),
            checksum: Checksum::Package(vec![0xfb; 32]),
            cookie: "a=b".into(),
            wifi: None,
            number: "n".into(),
            server: "https://mdm.example.com".into(),
        }
    }

    fn keys(provisioning: &Provisioning) -> (Value, Vec<String>) {
        let value: Value = serde_json::from_str(&to_json(provisioning).unwrap()).unwrap();
        let keys = value.as_object().unwrap().keys().map(|key| key.trim_start_matches("android.app.extra.PROVISIONING_").to_owned());
        let mut keys: Vec<String> = keys.collect();
        keys.sort();
        (value, keys)
    }

    #[test]
    fn there_is_one_checksum_in_the_alphabet_of_addresses_and_without_padding() {
        let (value, found) = keys(&plain());
        let plainly = ["ADMIN_EXTRAS_BUNDLE", "DEVICE_ADMIN_COMPONENT_NAME", "DEVICE_ADMIN_PACKAGE_CHECKSUM"];
        let rest =
            ["DEVICE_ADMIN_PACKAGE_DOWNLOAD_COOKIE_HEADER", "DEVICE_ADMIN_PACKAGE_DOWNLOAD_LOCATION", "LEAVE_ALL_SYSTEM_APPS_ENABLED"];
        assert_eq!(found, [plainly, rest].concat());
        let checksum = value["android.app.extra.PROVISIONING_DEVICE_ADMIN_PACKAGE_CHECKSUM"].as_str().unwrap();
        assert_eq!(checksum, "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s");
        let (_, found) = keys(&Provisioning { checksum: Checksum::Signature(vec![1; 32]), ..plain() });
        assert!(
            found.iter().any(|key| key == "DEVICE_ADMIN_SIGNATURE_CHECKSUM")
                && found.iter().all(|key| key != "DEVICE_ADMIN_PACKAGE_CHECKSUM")
        );
    }

    #[test]
    fn every_reader_reads_the_same_characters() {
        let wifi = Wifi { ssid: "Größe 📶".into(), security: WifiSecurity::None, password: None, is_hidden: false };
        let text = to_json(&Provisioning { wifi: Some(wifi), ..plain() }).unwrap();
        assert!(text.is_ascii(), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["android.app.extra.PROVISIONING_WIFI_SSID"], "Größe 📶");
    }

    #[test]
    fn a_network_comes_with_its_types() {
        let wifi = Wifi { ssid: "corp-setup".into(), security: WifiSecurity::Wpa, password: Some("secret pass".into()), is_hidden: true };
        let (value, _) = keys(&Provisioning { wifi: Some(wifi), ..plain() });
        let at = |key: &str| value[format!("android.app.extra.PROVISIONING_{key}")].clone();
        assert_eq!((at("WIFI_SSID"), at("WIFI_SECURITY_TYPE")), ("corp-setup".into(), "WPA".into()));
        assert_eq!((at("WIFI_PASSWORD"), at("WIFI_HIDDEN")), ("secret pass".into(), true.into()));
        assert_eq!(at("LEAVE_ALL_SYSTEM_APPS_ENABLED"), true);
    }
}
