//! What commands answer: security state, device information and profiles as facts, everything else as JSON for the console.

use crate::{
    apple::{
        field::for_people,
        property_list::{Dictionary, Value},
    },
    domain::{
        posture::{Fact, ManagedProfile, Posture, Source},
        time::Timestamp,
    },
};

/// How many profiles of a `ProfileList` are read, and payloads of each.
const MOST_PROFILES: usize = 1000;

/// Keys of the envelope, which are no results.
const ENVELOPE: &[&str] = &[
    "Status",
    "CommandUUID",
    "UDID",
    "EnrollmentID",
    "UserID",
    "EnrollmentUserID",
    "UserShortName",
    "UserLongName",
    "NotOnConsole",
    "RequestType",
    "ErrorChain",
];

/// Results that open a device and therefore are shown nowhere.
const SECRETS: &[&str] =
    &["UnlockToken", "ActivationLockBypassCode", "BootstrapToken", "EncryptedNewRecoveryKey", "RotateResult", "PushToken"];

/// What a command answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// Answer of `SecurityInfo`.
    pub security: Option<SecurityInfo>,
    /// Answer of `DeviceInformation`.
    pub device: Option<DeviceInformation>,
    /// Answer of `ProfileList`.
    pub profiles: Option<Vec<InstalledProfile>>,
    /// Every result, those above included, as JSON for the console: data as base64; secrets are left out.
    pub details: serde_json::Map<String, serde_json::Value>,
    /// Keys whose value had an unexpected type; they count as not reported.
    pub ignored: Vec<&'static str>,
}

/// Apple's `SecurityInfo` on iOS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityInfo {
    /// `HardwareEncryptionCaps`: 1 block level, 2 file level, 3 both.
    pub hardware_encryption_caps: Option<i64>,
    /// `PasscodePresent`; never reported by a User Enrollment.
    pub passcode_present: Option<bool>,
    /// `PasscodeCompliant`.
    pub passcode_compliant: Option<bool>,
    /// `PasscodeCompliantWithProfiles`; never reported by a User Enrollment.
    pub passcode_compliant_with_profiles: Option<bool>,
    /// `PasscodeLockGracePeriod`, in seconds.
    pub passcode_lock_grace_period: Option<i64>,
    /// `PasscodeLockGracePeriodEnforced`, in seconds.
    pub passcode_lock_grace_period_enforced: Option<i64>,
    /// `AutoLockTime`, in seconds.
    pub auto_lock_time: Option<i64>,
    /// `ManagementStatus.IsUserEnrollment`.
    pub is_user_enrollment: Option<bool>,
}

/// Apple's `QueryResponses`, as far as anything is concluded from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInformation {
    /// `DeviceName`.
    pub device_name: Option<String>,
    /// `OSVersion`.
    pub os_version: Option<String>,
    /// `BuildVersion`.
    pub build_version: Option<String>,
    /// `ModelName`.
    pub model_name: Option<String>,
    /// `ProductName`.
    pub product_name: Option<String>,
    /// `SerialNumber`.
    pub serial: Option<String>,
    /// `IsSupervised`.
    pub is_supervised: Option<bool>,
}

/// One item of Apple's `ProfileList`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledProfile {
    /// Identifier, UUID and payload types.
    pub profile: ManagedProfile,
    /// `IsManaged`: it was installed by a management server. Absent counts as no.
    pub is_managed: bool,
}

impl Results {
    /// Reads the results from all keys of a message.
    pub(super) fn read(message: Dictionary) -> Self {
        let mut ignored = Vec::new();
        let mut results = Self::default();
        if let Some(info) = expect_dict(&message, "SecurityInfo", &mut ignored) {
            results.security = Some(SecurityInfo::read(info, &mut ignored));
        }
        if let Some(responses) = expect_dict(&message, "QueryResponses", &mut ignored) {
            results.device = Some(DeviceInformation::read(responses, &mut ignored));
        }
        match message.get("ProfileList") {
            Some(Value::Array(items)) => results.profiles = Some(items.iter().filter_map(profile).take(MOST_PROFILES).collect()),
            Some(_) => ignored.push("ProfileList"),
            None => {}
        }
        results.ignored = ignored;
        let is_shown = |key: &String| !ENVELOPE.contains(&key.as_str()) && !SECRETS.contains(&key.as_str());
        results.details = message.into_iter().filter(|(key, _)| is_shown(key)).map(|(key, value)| (key, shown(&value))).collect();
        results
    }

    /// What these results say of the device, as said at `now`.
    #[must_use]
    pub fn facts(&self, now: Timestamp) -> Posture {
        let mut posture = Posture::default();
        if let Some(info) = &self.security {
            let at = Stamp { source: Source::SecurityInfo, now };
            posture.passcode_present = at.fact(info.passcode_present);
            posture.passcode_compliant = at.fact(info.passcode_compliant);
            posture.passcode_compliant_with_profiles = at.fact(info.passcode_compliant_with_profiles);
            posture.encryption_capable = at.fact(info.hardware_encryption_caps.map(|caps| caps == 3));
            posture.user_enrollment = at.fact(info.is_user_enrollment);
        }
        if let Some(device) = &self.device {
            let at = Stamp { source: Source::DeviceInformation, now };
            posture.device_name = at.fact(device.device_name.clone());
            posture.os_version = at.fact(device.os_version.clone());
            posture.build_version = at.fact(device.build_version.clone());
            posture.model_name = at.fact(device.model_name.clone());
            posture.product_name = at.fact(device.product_name.clone());
            posture.serial = at.fact(device.serial.clone());
            posture.supervised = at.fact(device.is_supervised);
        }
        if let Some(profiles) = &self.profiles {
            let managed = profiles.iter().filter(|profile| profile.is_managed).map(|profile| profile.profile.clone()).collect();
            posture.managed_profiles = Stamp { source: Source::ProfileList, now }.fact(Some(managed));
        }
        posture
    }
}

/// Source and time of the facts of one answer.
#[derive(Clone, Copy)]
struct Stamp {
    source: Source,
    now: Timestamp,
}

impl Stamp {
    fn fact<T>(self, value: Option<T>) -> Option<Fact<T>> {
        value.map(|value| Fact { value, source: self.source, at: self.now })
    }
}

impl SecurityInfo {
    fn read(info: &Dictionary, ignored: &mut Vec<&'static str>) -> Self {
        let management = expect_dict(info, "ManagementStatus", ignored);
        Self {
            hardware_encryption_caps: expect(info, "HardwareEncryptionCaps", Value::as_i64, ignored),
            passcode_present: expect(info, "PasscodePresent", Value::as_bool, ignored),
            passcode_compliant: expect(info, "PasscodeCompliant", Value::as_bool, ignored),
            passcode_compliant_with_profiles: expect(info, "PasscodeCompliantWithProfiles", Value::as_bool, ignored),
            passcode_lock_grace_period: expect(info, "PasscodeLockGracePeriod", Value::as_i64, ignored),
            passcode_lock_grace_period_enforced: expect(info, "PasscodeLockGracePeriodEnforced", Value::as_i64, ignored),
            auto_lock_time: expect(info, "AutoLockTime", Value::as_i64, ignored),
            is_user_enrollment: management.and_then(|status| expect(status, "IsUserEnrollment", Value::as_bool, ignored)),
        }
    }
}

impl DeviceInformation {
    fn read(responses: &Dictionary, ignored: &mut Vec<&'static str>) -> Self {
        let mut text = |key| expect(responses, key, |value| value.as_str().map(for_people), ignored).flatten();
        Self {
            device_name: text("DeviceName"),
            os_version: text("OSVersion"),
            build_version: text("BuildVersion"),
            model_name: text("ModelName"),
            product_name: text("ProductName"),
            serial: text("SerialNumber"),
            is_supervised: expect(responses, "IsSupervised", Value::as_bool, ignored),
        }
    }
}

/// The value of a key, if it is there and has its type; the key is noted if it has another.
fn expect<'a, T>(
    from: &'a Dictionary,
    key: &'static str,
    typed: impl FnOnce(&'a Value) -> Option<T>,
    ignored: &mut Vec<&'static str>,
) -> Option<T> {
    let value = typed(from.get(key)?);
    if value.is_none() {
        ignored.push(key);
    }
    value
}

fn expect_dict<'a>(from: &'a Dictionary, key: &'static str, ignored: &mut Vec<&'static str>) -> Option<&'a Dictionary> {
    expect(from, key, Value::as_dict, ignored)
}

/// One profile; none where it has no identifier or UUID that can be compared.
fn profile(item: &Value) -> Option<InstalledProfile> {
    let name = |key| item.get(key).and_then(Value::as_str).filter(|text| !text.is_empty() && text.len() <= 256).map(str::to_owned);
    let payloads = item.get("PayloadContent").and_then(Value::as_array).unwrap_or_default();
    let payload_types = payloads.iter().filter_map(|payload| payload.get("PayloadType")?.as_str().and_then(for_people));
    Some(InstalledProfile {
        profile: ManagedProfile {
            identifier: name("PayloadIdentifier")?,
            uuid: name("PayloadUUID")?,
            payload_types: payload_types.take(MOST_PROFILES).collect(),
        },
        is_managed: item.get("IsManaged").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// A result as JSON, without secrets one level down.
fn shown(value: &Value) -> serde_json::Value {
    match value {
        Value::Dictionary(entries) => {
            let is_shown = |key: &str| !SECRETS.contains(&key);
            entries.iter().filter(|(key, _)| is_shown(key)).map(|(key, value)| (key.clone(), value.to_json())).collect()
        }
        other => other.to_json(),
    }
}
