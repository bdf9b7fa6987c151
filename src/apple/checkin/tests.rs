use proptest::prelude::*;

use super::{
    super::{channel::DeviceIdentifier, property_list::write::to_xml},
    *,
};
use crate::domain::{posture::Posture, time::Timestamp};

proptest! {
    #[test]
    fn no_message_of_odd_keys_panics(kind in "[A-Za-z]{0,20}", entries in prop::collection::btree_map("[A-Za-z]{1,16}", any_value(), 0..8)) {
        let mut entries = entries;
        entries.insert("MessageType".into(), kind.as_str().into());
        let xml = to_xml(entries.into_iter().collect()).unwrap();
        drop(decode(&xml));
        drop(crate::apple::report::decode(&xml));
        drop(crate::apple::profile::ota::decode(&xml));
    }

    #[test]
    fn no_known_key_of_another_type_panics(key in 0..KEYS.len(), kind in 0..KINDS.len(), value in any_value()) {
        let entries = [("UDID", "A".into()), ("Topic", "t".into()), ("MessageType", KINDS[kind].into()), ("Status", "Error".into()), ("CommandUUID", "c".into()), (KEYS[key], value)];
        let xml = to_xml(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).unwrap();
        drop(decode(&xml));
        if let Ok(report) = crate::apple::report::decode(&xml) {
            prop_assert_eq!(report.facts(Timestamp::default()), Posture::default());
        }
    }
}

const KINDS: &[&str] =
    &["Authenticate", "TokenUpdate", "CheckOut", "UserAuthenticate", "SetBootstrapToken", "GetToken", "DeclarativeManagement"];
const KEYS: &[&str] = &[
    "Topic",
    "Token",
    "PushMagic",
    "UnlockToken",
    "UserID",
    "Endpoint",
    "Data",
    "TokenServiceType",
    "ErrorChain",
    "SecurityInfo",
    "QueryResponses",
];

/// A value of any type, never a dictionary with a key that says something.
fn any_value() -> impl Strategy<Value = plist::Value> {
    prop_oneof![
        any::<i64>().prop_map(plist::Value::from),
        any::<bool>().prop_map(plist::Value::from),
        any::<f64>().prop_map(plist::Value::from),
        "\\PC{0,300}".prop_map(plist::Value::from),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(plist::Value::Data),
        prop::collection::vec(any::<bool>().prop_map(plist::Value::from), 0..3).prop_map(plist::Value::Array),
        Just(plist::Value::Dictionary(plist::Dictionary::new())),
    ]
}

const ID: &str = "<key>UDID</key><string>00008030-001A</string>";
const TOPIC: &str = "<key>Topic</key><string>com.apple.mgmt.External.1</string>";

fn read(kind: &str, content: &str) -> Result<CheckIn, DecodeError> {
    decode(format!("<plist><dict><key>MessageType</key><string>{kind}</string>{content}</dict></plist>").as_bytes())
}

fn refused(kind: &str, content: &str, key: &str) {
    let error = read(kind, content).unwrap_err().to_string();
    assert!(error.starts_with(key), "{error}");
}

#[test]
fn an_enrollment_begins_whatever_the_device_is_called() {
    let name = format!("&lt;script&gt; &amp; ]]&gt; \u{1f4f1}&#10;{}", "\u{e4}".repeat(300));
    let content = format!("{ID}{TOPIC}<key>DeviceName</key><string>{name}</string><key>IMEI</key><string></string>");
    let Message::Authenticate(message) = read("Authenticate", &content).unwrap().message else { panic!("another message") };
    let shown = message.device_name.unwrap();
    assert!(shown.starts_with("<script> & ]]> \u{1f4f1}\u{e4}") && shown.chars().count() == 256);
    assert_eq!(message.imei, None);
    assert_eq!(message.serial, None);
}

#[test]
fn a_token_update_carries_what_a_push_needs_and_hides_its_secret() {
    let push = "<key>Token</key><data>AAE=</data><key>PushMagic</key><string>M-1</string>";
    let content = format!("{ID}{TOPIC}{push}<key>UnlockToken</key><data>AAE=</data>");
    let message = read("TokenUpdate", &content).unwrap().message;
    assert!(format!("{message:?}").contains("Secret(2 bytes)"));
    let Message::TokenUpdate(message) = message else { panic!("another message") };
    assert_eq!((message.token, message.push_magic.as_str()), (vec![0, 1], "M-1"));
    assert_eq!(message.unlock_token, Some(Secret(vec![0, 1])));
    let Message::TokenUpdate(message) = read("TokenUpdate", &format!("{ID}{TOPIC}{push}")).unwrap().message else {
        panic!("another message")
    };
    assert_eq!(message.unlock_token, None);
}

#[test]
fn a_key_that_is_missing_wrong_or_too_long_is_named() {
    refused("Authenticate", ID, "Topic");
    refused("Authenticate", &format!("{ID}<key>Topic</key><integer>1</integer>"), "Topic");
    refused("TokenUpdate", &format!("{ID}{TOPIC}<key>PushMagic</key><string>M</string>"), "Token");
    refused("TokenUpdate", &format!("{ID}{TOPIC}<key>Token</key><string>M</string>"), "Token");
    refused("TokenUpdate", &format!("{ID}{TOPIC}<key>Token</key><data>{}</data>", "AAAA".repeat(86)), "Token");
    refused("CheckOut", &format!("{ID}<key>Topic</key><string>{}</string>", "x".repeat(257)), "Topic");
    refused(
        "GetToken",
        &format!("{ID}<key>TokenServiceType</key><string>com.apple.maid</string><key>TokenParameters</key><true/>"),
        "TokenParameters",
    );
    refused("DeclarativeManagement", &format!("{ID}<key>Endpoint</key><string>tokens</string><key>Data</key><string/>"), "Data");
    refused("SetBootstrapToken", &format!("{ID}<key>AwaitingConfiguration</key><integer>1</integer>"), "AwaitingConfiguration");
    refused("CheckOut", TOPIC, "UDID");
}

#[test]
fn a_device_has_one_identifier_of_a_sane_alphabet() {
    let read_id = |content: &str| read("CheckOut", &format!("{TOPIC}{content}"));
    let user = read_id("<key>EnrollmentID</key><string>E-1</string>").unwrap();
    assert_eq!(user.channel.id, DeviceIdentifier::EnrollmentId("E-1".into()));
    assert!(user.channel.id.is_user_enrollment());
    assert!(read_id(&format!("{ID}<key>EnrollmentID</key><string>E-1</string>")).is_err());
    for id in ["", "a b", "../x", "a:b", "a/b", "\u{e4}", "&#10;", &"x".repeat(65)] {
        assert!(read_id(&format!("<key>UDID</key><string>{id}</string>")).is_err(), "{id}");
    }
}

#[test]
fn users_of_a_shared_ipad_are_told_apart_by_their_names() {
    let shared = "<key>UserID</key><string>FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF</string>";
    let content = format!("{ID}{TOPIC}{shared}<key>UserShortName</key><string>ada@example.com</string>");
    let channel = read("CheckOut", &content).unwrap().channel;
    assert_eq!(channel.to_string(), "00008030-001A:ada@example.com");
    assert!(channel.user.unwrap().is_shared_ipad);
    refused("CheckOut", &format!("{ID}{TOPIC}{shared}"), "UserShortName");
    let own = read("CheckOut", &format!("{ID}{TOPIC}<key>UserID</key><string>U-1</string>")).unwrap().channel;
    assert_eq!(own.to_string(), "00008030-001A:U-1");
}

#[test]
fn the_other_messages_are_read() {
    let first = read("UserAuthenticate", ID).unwrap().message;
    assert_eq!(first, Message::UserAuthenticate { digest_response: None });
    let second = read("UserAuthenticate", &format!("{ID}<key>DigestResponse</key><string>Digest</string>")).unwrap().message;
    assert_eq!(second, Message::UserAuthenticate { digest_response: Some("Digest".into()) });
    let token = read("SetBootstrapToken", &format!("{ID}<key>BootstrapToken</key><data>AAE=</data>")).unwrap().message;
    assert_eq!(token, Message::SetBootstrapToken { token: Some(Secret(vec![0, 1])), awaiting_configuration: false });
    let ask = read("GetBootstrapToken", ID).unwrap().message;
    assert_eq!(ask, Message::GetBootstrapToken { awaiting_configuration: false });
    let ask = read("GetToken", &format!("{ID}<key>TokenServiceType</key><string>com.apple.maid</string>")).unwrap().message;
    assert_eq!(ask, Message::GetToken { service_type: "com.apple.maid".into(), parameters: None });
    let ask = read("DeclarativeManagement", &format!("{ID}<key>Endpoint</key><string>tokens</string>")).unwrap().message;
    assert_eq!(ask, Message::DeclarativeManagement { endpoint: "tokens".into(), data: None });
}

#[test]
fn an_unknown_message_is_an_error_of_its_own() {
    assert!(matches!(read("Surprise", ID), Err(DecodeError::UnknownMessage(kind)) if kind == "Surprise"));
    assert!(matches!(decode(b"<plist><dict/></plist>"), Err(DecodeError::Missing("MessageType"))));
    assert!(matches!(decode(b"nonsense"), Err(DecodeError::Read(_))));
}
