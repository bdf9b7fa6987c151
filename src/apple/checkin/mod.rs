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
mod tests;
