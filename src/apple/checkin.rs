//! The check-in channel: how a device enrolls, renews its push token, leaves, and asks for tokens and declarations.

use super::{
    channel::Channel,
    field::{DecodeError, Fields, MOST_CHARACTERS, Secret},
    property_list::Value,
};

/// How long a push token may be, in bytes. Apple's have 32 today and are documented to vary.
const MOST_TOKEN: usize = 256;
/// How long an unlock token or a bootstrap token may be, in bytes.
const MOST_ESCROW: usize = 64 * 1024;
/// How long the body of a declarative management request may be, in bytes.
const MOST_STATUS: usize = 4 * 1024 * 1024;

/// One check-in message and who sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckIn {
    /// Who speaks.
    pub channel: Channel,
    /// What is said.
    pub message: Message,
}

/// The check-in messages, by Apple's `MessageType`.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The enrollment begins.
    Authenticate(Authenticate),
    /// The device can be reached; the first one completes the enrollment.
    TokenUpdate(TokenUpdate),
    /// The enrollment profile was removed. Best effort: it may never be sent.
    CheckOut {
        /// `Topic`.
        topic: String,
    },
    /// A network user of a Mac signs in.
    UserAuthenticate {
        /// `DigestResponse`; only the second message has it.
        digest_response: Option<String>,
    },
    /// A Mac gives its bootstrap token.
    SetBootstrapToken {
        /// `BootstrapToken`; none means that it is to be forgotten.
        token: Option<Secret>,
        /// `AwaitingConfiguration`.
        awaiting_configuration: bool,
    },
    /// A Mac asks for its bootstrap token.
    GetBootstrapToken {
        /// `AwaitingConfiguration`.
        awaiting_configuration: bool,
    },
    /// The device asks for a token of some service.
    GetToken {
        /// `TokenServiceType`.
        service_type: String,
        /// `TokenParameters`.
        parameters: Option<Value>,
    },
    /// A request of declarative management.
    DeclarativeManagement {
        /// `Endpoint`.
        endpoint: String,
        /// `Data`, a JSON document.
        data: Option<Vec<u8>>,
    },
}

/// Apple's `Authenticate`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authenticate {
    /// `Topic`.
    pub topic: String,
    /// `DeviceName`, as the person chose it.
    pub device_name: Option<String>,
    /// `Model`.
    pub model: Option<String>,
    /// `ModelName`.
    pub model_name: Option<String>,
    /// `ProductName`.
    pub product_name: Option<String>,
    /// `OSVersion`.
    pub os_version: Option<String>,
    /// `BuildVersion`.
    pub build_version: Option<String>,
    /// `SerialNumber`.
    pub serial: Option<String>,
    /// `IMEI`.
    pub imei: Option<String>,
    /// `MEID`.
    pub meid: Option<String>,
}

/// Apple's `TokenUpdate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUpdate {
    /// `Topic`.
    pub topic: String,
    /// `Token`, the push token.
    pub token: Vec<u8>,
    /// `PushMagic`, the content of each push.
    pub push_magic: String,
    /// `UnlockToken`; keep the former one where it is absent.
    pub unlock_token: Option<Secret>,
    /// `AwaitingConfiguration`.
    pub awaiting_configuration: bool,
    /// `NotOnConsole` (Mac).
    pub not_on_console: bool,
}

/// Reads a check-in message, XML or binary.
///
/// # Errors
/// The body is not a property list, its `MessageType` is not known, or the error names the key that is missing or wrong.
pub fn decode(body: &[u8]) -> Result<CheckIn, DecodeError> {
    let mut fields = Fields::read(body)?;
    let kind = fields.string("MessageType")?.ok_or(DecodeError::Missing("MessageType"))?.to_owned();
    let message = match kind.as_str() {
        "Authenticate" => Message::Authenticate(authenticate(&fields)?),
        "TokenUpdate" => Message::TokenUpdate(token_update(&fields)?),
        "CheckOut" => Message::CheckOut { topic: fields.required("Topic", MOST_CHARACTERS)? },
        "UserAuthenticate" => Message::UserAuthenticate { digest_response: fields.identifier("DigestResponse", 4096)? },
        "SetBootstrapToken" => Message::SetBootstrapToken {
            token: fields.data("BootstrapToken", MOST_ESCROW)?.map(Secret),
            awaiting_configuration: fields.boolean("AwaitingConfiguration")?.unwrap_or(false),
        },
        "GetBootstrapToken" => {
            Message::GetBootstrapToken { awaiting_configuration: fields.boolean("AwaitingConfiguration")?.unwrap_or(false) }
        }
        "GetToken" => {
            Message::GetToken { service_type: fields.required("TokenServiceType", MOST_CHARACTERS)?, parameters: parameters(&mut fields)? }
        }
        "DeclarativeManagement" => Message::DeclarativeManagement {
            endpoint: fields.required("Endpoint", MOST_CHARACTERS)?,
            data: fields.data("Data", MOST_STATUS)?,
        },
        _ => return Err(DecodeError::UnknownMessage(kind.chars().filter(|c| !c.is_control()).take(64).collect())),
    };
    Ok(CheckIn { channel: Channel::read(&fields)?, message })
}

fn parameters(fields: &mut Fields) -> Result<Option<Value>, DecodeError> {
    match fields.take("TokenParameters") {
        None => Ok(None),
        Some(value @ Value::Dictionary(_)) => Ok(Some(value)),
        Some(_) => Err(DecodeError::WrongType { key: "TokenParameters", expected: "a dictionary" }),
    }
}

fn authenticate(fields: &Fields) -> Result<Authenticate, DecodeError> {
    Ok(Authenticate {
        topic: fields.required("Topic", MOST_CHARACTERS)?,
        device_name: fields.text("DeviceName")?,
        model: fields.text("Model")?,
        model_name: fields.text("ModelName")?,
        product_name: fields.text("ProductName")?,
        os_version: fields.text("OSVersion")?,
        build_version: fields.text("BuildVersion")?,
        serial: fields.text("SerialNumber")?,
        imei: fields.text("IMEI")?,
        meid: fields.text("MEID")?,
    })
}

fn token_update(fields: &Fields) -> Result<TokenUpdate, DecodeError> {
    Ok(TokenUpdate {
        topic: fields.required("Topic", MOST_CHARACTERS)?,
        token: fields.data("Token", MOST_TOKEN)?.ok_or(DecodeError::Missing("Token"))?,
        push_magic: fields.required("PushMagic", MOST_CHARACTERS)?,
        unlock_token: fields.data("UnlockToken", MOST_ESCROW)?.map(Secret),
        awaiting_configuration: fields.boolean("AwaitingConfiguration")?.unwrap_or(false),
        not_on_console: fields.boolean("NotOnConsole")?.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::channel::DeviceIdentifier, *};

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
}
