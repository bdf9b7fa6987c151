//! What Apple accepts of what this server sends, as tables that the tests hold every property list against.

use plist::{Dictionary, Value};

/// The type and the range of a key.
pub enum Kind {
    /// Any string that is not empty.
    Text,
    /// A string that begins so.
    Prefixed(&'static str),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A UUID.
    Uuid,
    /// An integer of this range.
    Integer(i64, i64),
    /// One of these integers.
    Among(&'static [i64]),
    /// A boolean.
    Boolean,
    /// Data that is not empty.
    Data,
    /// An array of strings.
    Texts,
    /// An array whose items are checked elsewhere.
    Array,
    /// A dictionary that is checked elsewhere.
    Dictionary,
}

use Kind::{Among, Array, Boolean, Data, Integer, OneOf, Prefixed, Text, Texts, Uuid};

/// One key: its name, its type, whether it must be there.
pub type Rule = (&'static str, Kind, bool);

/// Keys of every payload.
pub const COMMON: &[Rule] = &[
    ("PayloadIdentifier", Text, true),
    ("PayloadUUID", Uuid, true),
    ("PayloadType", Text, true),
    ("PayloadVersion", Integer(1, 1), true),
    ("PayloadDescription", Text, false),
    ("PayloadDisplayName", Text, false),
    ("PayloadOrganization", Text, false),
];
/// Keys of a profile.
pub const TOP_LEVEL: &[Rule] = &[("PayloadType", OneOf(&["Configuration"]), true), ("PayloadContent", Array, true)];
/// `com.apple.mdm`.
pub const MANAGEMENT: &[Rule] = &[
    ("IdentityCertificateUUID", Uuid, true),
    ("Topic", Prefixed("com.apple.mgmt."), true),
    ("ServerURL", Prefixed("https://"), true),
    ("CheckInURL", Prefixed("https://"), false),
    ("SignMessage", Boolean, false),
    ("AccessRights", Integer(1, 8191), false),
    ("AssignedManagedAppleID", Text, false),
    ("EnrollmentMode", OneOf(&["BYOD", "ADDE"]), false),
    ("CheckOutWhenRemoved", Boolean, false),
];
/// `com.apple.security.scep`, and its inner dictionary.
pub const SCEP: &[Rule] = &[("PayloadContent", Kind::Dictionary, true)];
/// The inner dictionary of `com.apple.security.scep`.
pub const SCEP_CONTENT: &[Rule] = &[
    ("URL", Prefixed("http"), true),
    ("Name", Text, false),
    ("Subject", Array, false),
    ("Challenge", Text, false),
    ("Keysize", Among(&[1024, 2048, 4096]), false),
    ("Key Type", OneOf(&["RSA"]), false),
    ("Key Usage", Among(&[1, 4, 5]), false),
    ("CAFingerprint", Data, false),
    ("Retries", Integer(0, i64::MAX), false),
    ("RetryDelay", Integer(0, i64::MAX), false),
    ("KeyIsExtractable", Boolean, false),
];
/// `com.apple.security.root`.
pub const ROOT: &[Rule] = &[("PayloadContent", Data, true)];
/// `com.apple.mobiledevice.passwordpolicy`.
pub const PASSCODE: &[Rule] = &[
    ("allowSimple", Boolean, false),
    ("forcePIN", Boolean, false),
    ("maxFailedAttempts", Integer(2, 11), false),
    ("maxInactivity", Integer(0, 15), false),
    ("maxPINAgeInDays", Integer(0, 730), false),
    ("minComplexChars", Integer(0, 4), false),
    ("minLength", Integer(0, 16), false),
    ("requireAlphanumeric", Boolean, false),
    ("pinHistory", Integer(1, 50), false),
    ("maxGracePeriod", Integer(0, i64::MAX), false),
];
/// `com.apple.mail.managed`.
pub const MAIL: &[Rule] = &[
    ("EmailAccountDescription", Text, false),
    ("EmailAccountName", Text, false),
    ("EmailAccountType", OneOf(&["EmailTypeIMAP", "EmailTypePOP"]), true),
    ("EmailAddress", Text, false),
    ("IncomingMailServerAuthentication", OneOf(MAIL_AUTHENTICATION), true),
    ("IncomingMailServerHostName", Text, true),
    ("IncomingMailServerPortNumber", Integer(1, 65_535), false),
    ("IncomingMailServerUseSSL", Boolean, false),
    ("IncomingMailServerUsername", Text, false),
    ("IncomingPassword", Text, false),
    ("OutgoingPassword", Text, false),
    ("OutgoingPasswordSameAsIncomingPassword", Boolean, false),
    ("OutgoingMailServerAuthentication", OneOf(MAIL_AUTHENTICATION), true),
    ("OutgoingMailServerHostName", Text, true),
    ("OutgoingMailServerPortNumber", Integer(1, 65_535), false),
    ("OutgoingMailServerUseSSL", Boolean, false),
    ("OutgoingMailServerUsername", Text, false),
    ("PreventMove", Boolean, false),
];
const MAIL_AUTHENTICATION: &[&str] = &["EmailAuthNone", "EmailAuthPassword", "EmailAuthCRAMMD5", "EmailAuthNTLM", "EmailAuthHTTPMD5"];
/// `com.apple.eas.account`.
pub const EXCHANGE: &[Rule] = &[
    ("EmailAddress", Text, false),
    ("Host", Text, false),
    ("SSL", Boolean, false),
    ("UserName", Text, false),
    ("Password", Text, false),
    ("OverridePreviousPassword", Boolean, false),
    ("PreventMove", Boolean, false),
];
/// `EraseDevice.ReturnToService`.
pub const RETURN_TO_SERVICE: &[Rule] = &[("Enabled", Boolean, true), ("WiFiProfileData", Data, false), ("MDMProfileData", Data, false)];

/// The keys of a command beside `RequestType`.
pub fn command(request_type: &str) -> &'static [Rule] {
    match request_type {
        "InstallProfile" => &[("Payload", Data, true)],
        "RemoveProfile" => &[("Identifier", Text, true)],
        "ProfileList" | "CertificateList" => &[("ManagedOnly", Boolean, false)],
        "InstalledApplicationList" => &[("ManagedAppsOnly", Boolean, false), ("Identifiers", Texts, false), ("Items", Texts, false)],
        "DeviceInformation" => &[("Queries", Texts, true), ("DeviceAttestationNonce", Data, false)],
        "DeviceLock" => &[("Message", Text, false), ("PhoneNumber", Text, false)],
        "ClearPasscode" => &[("UnlockToken", Data, true)],
        "EraseDevice" => &[
            ("PreserveDataPlan", Boolean, false),
            ("DisallowProximitySetup", Boolean, false),
            ("ReturnToService", Kind::Dictionary, false),
        ],
        "Restrictions" => &[("ProfileRestrictions", Boolean, false)],
        "Settings" => &[("Settings", Array, true)],
        "SecurityInfo" => &[],
        "DeclarativeManagement" => &[("Data", Data, false)],
        other => panic!("no table for {other}"),
    }
}

/// The keys of an item of `Settings` beside `Item`.
pub fn setting(item: &str) -> &'static [Rule] {
    match item {
        "DataRoaming" | "VoiceRoaming" | "PersonalHotspot" | "Bluetooth" => &[("Enabled", Boolean, true)],
        "DeviceName" => &[("DeviceName", Text, true)],
        "OrganizationInfo" => &[("OrganizationInfo", Kind::Dictionary, false)],
        other => panic!("no table for {other}"),
    }
}

/// `Settings` item `OrganizationInfo`.
pub const ORGANIZATION: &[Rule] =
    &[("OrganizationName", Text, true), ("OrganizationEmail", Text, false), ("OrganizationPhone", Text, false)];

/// Holds a dictionary against the tables: every key is known and well-typed, no required key is missing.
pub fn check(dictionary: &Dictionary, tables: &[&[Rule]]) {
    let rule = |key: &str| tables.iter().flat_map(|table| table.iter()).filter(|rule| rule.0 == key).collect::<Vec<_>>();
    for (key, value) in dictionary {
        let rules = rule(key);
        assert!(!rules.is_empty(), "{key} is not a key that Apple knows here");
        assert!(rules.iter().all(|rule| fits(value, &rule.1)), "{key} has a value that Apple does not accept: {value:?}");
    }
    for (key, _, is_required) in tables.iter().flat_map(|table| table.iter()) {
        assert!(!is_required || dictionary.contains_key(key), "{key} is missing");
    }
}

fn fits(value: &Value, kind: &Kind) -> bool {
    let text = value.as_string().filter(|text| !text.is_empty());
    match kind {
        Text => text.is_some(),
        Prefixed(prefix) => text.is_some_and(|text| text.starts_with(prefix) && text.len() > prefix.len()),
        OneOf(words) => text.is_some_and(|text| words.contains(&text)),
        Uuid => text.is_some_and(|text| text.len() == 36 && text.parse::<uuid::Uuid>().is_ok()),
        Integer(least, most) => value.as_signed_integer().is_some_and(|number| (*least..=*most).contains(&number)),
        Among(numbers) => value.as_signed_integer().is_some_and(|number| numbers.contains(&number)),
        Boolean => value.as_boolean().is_some(),
        Data => value.as_data().is_some_and(|data| !data.is_empty()),
        Texts => value.as_array().is_some_and(|items| items.iter().all(|item| item.as_string().is_some())),
        Array => value.as_array().is_some(),
        Kind::Dictionary => value.as_dictionary().is_some(),
    }
}

/// Reads what was emitted, with the plain reader.
pub fn parse(xml: &[u8]) -> Dictionary {
    Value::from_reader_xml(xml).unwrap().into_dictionary().unwrap()
}

/// Holds a whole profile against the tables; gives its payloads.
pub fn check_profile(xml: &[u8]) -> Vec<Dictionary> {
    let profile = parse(xml);
    check(&profile, &[COMMON, TOP_LEVEL]);
    let payloads: Vec<_> =
        profile["PayloadContent"].as_array().unwrap().iter().map(|payload| payload.as_dictionary().unwrap().clone()).collect();
    for payload in &payloads {
        match payload["PayloadType"].as_string().unwrap() {
            "com.apple.mdm" => check(payload, &[COMMON, MANAGEMENT]),
            "com.apple.security.root" => check(payload, &[COMMON, ROOT]),
            "com.apple.mobiledevice.passwordpolicy" => check(payload, &[COMMON, PASSCODE]),
            "com.apple.mail.managed" => check(payload, &[COMMON, MAIL]),
            "com.apple.eas.account" => check(payload, &[COMMON, EXCHANGE]),
            "com.apple.security.scep" => {
                check(payload, &[COMMON, SCEP]);
                check(payload["PayloadContent"].as_dictionary().unwrap(), &[SCEP_CONTENT]);
            }
            other => panic!("no table for {other}"),
        }
    }
    let mut names: Vec<_> = payloads.iter().chain([&profile]).flat_map(|p| [&p["PayloadUUID"], &p["PayloadIdentifier"]]).collect();
    let all = names.len();
    names.sort_by_key(|name| name.as_string());
    names.dedup();
    assert_eq!(names.len(), all, "UUIDs and identifiers must differ");
    payloads
}

/// Holds an encoded command against the tables; gives its `Command` dictionary.
pub fn check_command(xml: &[u8], uuid: &str) -> Dictionary {
    let envelope = parse(xml);
    assert_eq!(envelope.len(), 2);
    assert_eq!(envelope["CommandUUID"].as_string(), Some(uuid));
    let body = envelope["Command"].as_dictionary().unwrap().clone();
    let request_type = body["RequestType"].as_string().unwrap();
    check(&body, &[&[("RequestType", Text, true)], command(request_type)]);
    if let Some(service) = body.get("ReturnToService") {
        check(service.as_dictionary().unwrap(), &[RETURN_TO_SERVICE]);
    }
    for item in body.get("Settings").and_then(Value::as_array).into_iter().flatten() {
        let item = item.as_dictionary().unwrap();
        check(item, &[&[("Item", Text, true)], setting(item["Item"].as_string().unwrap())]);
        if let Some(info) = item.get("OrganizationInfo") {
            check(info.as_dictionary().unwrap(), &[ORGANIZATION]);
        }
    }
    body
}
