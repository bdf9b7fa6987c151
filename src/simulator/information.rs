//! What a device says of itself when it is asked: `DeviceInformation` and `SecurityInfo`.

use plist::{Dictionary, Value};

use crate::simulator::{device::Device, propertylist::dictionary};

/// `AccessRights` bit: query device information.
const DEVICE: u64 = 16;
/// `AccessRights` bit: query network information.
const NETWORK: u64 = 32;
/// `AccessRights` bit: manage apps.
const APPS: u64 = 4096;
/// No right is needed.
const FREE: u64 = 0;

/// `QueryResponses`: only what was asked for, what the device knows, and what the rights allow. The rest is silently
/// left out, as iOS does.
pub(crate) fn responses(device: &Device, command: &Dictionary) -> Dictionary {
    let queries = command.get("Queries").and_then(Value::as_array).into_iter().flatten();
    queries
        .filter_map(Value::as_string)
        .filter_map(|query| {
            let (right, value) = answer(device, query)?;
            (right == FREE || device.rights() & right != 0).then(|| (query.to_owned(), value))
        })
        .collect()
}

/// The right that a query needs, and its answer.
fn answer(device: &Device, query: &str) -> Option<(u64, Value)> {
    let model = device.model();
    identity(device, query).or_else(|| system(device, query)).or_else(|| {
        let value = match query {
            "ICCID" => model.imei.as_ref().map(|imei| Value::from(format!("8949{imei}1"))),
            "BluetoothMAC" => Some(hardware_address(&model.udid, "a4").into()),
            "WiFiMAC" => Some(hardware_address(&model.udid, "a5").into()),
            "PhoneNumber" => model.imei.as_ref().map(|_| Value::from("+4915550100")),
            "DataRoamingEnabled" | "VoiceRoamingEnabled" | "PersonalHotspotEnabled" | "IsRoaming" | "IsNetworkTethered" => {
                Some(false.into())
            }
            "CurrentCarrierNetwork" | "SubscriberCarrierNetwork" => model.imei.as_ref().map(|_| Value::from("Example Mobile")),
            _ => None,
        };
        value.map(|value| (NETWORK, value))
    })
}

fn identity(device: &Device, query: &str) -> Option<(u64, Value)> {
    let model = device.model();
    let value = match query {
        "UDID" => return Some((FREE, model.udid.clone().into())),
        "OrganizationInfo" | "MDMOptions" => return device.setting(query).map(|value| (FREE, value.clone())),
        "AwaitingConfiguration" => return Some((FREE, false.into())),
        "iTunesStoreAccountIsActive" => return Some((APPS, true.into())),
        "DeviceName" => device.name().into(),
        "ModelName" => model.family.into(),
        "Model" | "ModelNumber" => model.order_number.into(),
        "ProductName" => model.product_name.into(),
        "SerialNumber" => model.serial.clone().into(),
        "IMEI" => model.imei.clone()?.into(),
        // What ActiveSync calls the device: letters and digits only, derived from the device.
        "EASDeviceIdentifier" => model.udid.replace('-', "").into(),
        _ => return None,
    };
    Some((DEVICE, value))
}

fn system(device: &Device, query: &str) -> Option<(u64, Value)> {
    let model = device.model();
    let value: Value = match query {
        "OSVersion" => model.os_version.into(),
        "BuildVersion" | "SupplementalBuildVersion" => model.build_version.into(),
        "DeviceCapacity" => model.capacity.into(),
        "AvailableDeviceCapacity" => (model.capacity / 2.0).into(),
        "BatteryLevel" => 0.8.into(),
        // 3: both GSM and CDMA; 0: none.
        "CellularTechnology" => if model.imei.is_some() { 3 } else { 0 }.into(),
        "ModemFirmwareVersion" => model.imei.as_ref().map(|_| Value::from("3.20.05"))?,
        "IsDeviceLocatorServiceEnabled" | "IsActivationLockEnabled" => true.into(),
        "IsSupervised"
        | "IsMultiUser"
        | "IsDoNotDisturbInEffect"
        | "IsCloudBackupEnabled"
        | "IsMDMLostModeEnabled"
        | "DiagnosticSubmissionEnabled"
        | "AppAnalyticsEnabled" => false.into(),
        "TimeZone" => "Europe/Vienna".into(),
        "PushToken" => Value::Data(device.push_token().to_vec()),
        _ => return None,
    };
    Some((DEVICE, value))
}

/// Six bytes, the first as told, the rest from the device's own number.
fn hardware_address(udid: &str, first: &str) -> String {
    let digits: Vec<char> = udid.chars().rev().filter(char::is_ascii_hexdigit).take(10).collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>().to_ascii_lowercase());
    std::iter::once(first.to_owned()).chain(pairs).collect::<Vec<_>>().join(":")
}

/// The dictionary `SecurityInfo` of a device under device enrollment.
pub(crate) fn security(device: &Device) -> Dictionary {
    let compliant = device.is_compliant();
    dictionary([
        // 3: block-level and file-level encryption.
        ("HardwareEncryptionCaps", 3.into()),
        ("PasscodePresent", device.passcode().is_present().into()),
        ("PasscodeCompliant", compliant.into()),
        ("PasscodeCompliantWithProfiles", compliant.into()),
        ("PasscodeLockGracePeriod", 0.into()),
        ("PasscodeLockGracePeriodEnforced", 0.into()),
        ("AutoLockTime", 60.into()),
        ("ManagementStatus", Value::Dictionary(dictionary([("IsUserEnrollment", false.into())]))),
    ])
}
