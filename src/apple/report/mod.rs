//! The command channel as the device speaks on it: that it is idle, or how a command went and what it answered. What the
//! answers say of the device is in [`results`], the human text for error codes in [`hint`].

pub mod hint;
pub mod results;
#[cfg(test)]
mod tests;

use super::{
    channel::Channel,
    field::{DecodeError, Fields, for_people},
    property_list::{Dictionary, Value},
};
use crate::domain::{
    command::Answer,
    posture::{Fact, Posture, Source},
    time::Timestamp,
};

pub use results::Results;

/// How many items of an `ErrorChain` are kept.
const MOST_ERRORS: usize = 16;

/// Apple's `Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The device waits for a command.
    Idle,
    /// The command was carried out.
    Acknowledged,
    /// The command failed.
    Error,
    /// The device did not understand the command: a fault of the server.
    CommandFormatError,
    /// Not now; the device keeps nothing, the command must be sent again.
    NotNow,
}

impl Status {
    /// The answer to a command, or `None` where the device only waits for one.
    #[must_use]
    pub const fn answer(self) -> Option<Answer> {
        match self {
            Self::Idle => None,
            Self::Acknowledged => Some(Answer::Acknowledged),
            Self::Error => Some(Answer::Error),
            Self::CommandFormatError => Some(Answer::FormatError),
            Self::NotNow => Some(Answer::NotNow),
        }
    }
}

/// One item of Apple's `ErrorChain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorItem {
    /// `ErrorDomain`.
    pub domain: String,
    /// `ErrorCode`.
    pub code: i64,
    /// `USEnglishDescription`, or else `LocalizedDescription`; cut at 256 characters.
    pub text: String,
}

impl ErrorItem {
    /// What the code means, for people; none where this server does not know it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        hint::hint(&self.domain, self.code)
    }
}

/// One message of a device on the command channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Who speaks.
    pub channel: Channel,
    /// How it stands.
    pub status: Status,
    /// `CommandUUID` of the command that this answers; always there but for [`Status::Idle`].
    pub command_uuid: Option<String>,
    /// `ErrorChain`, outermost first.
    pub errors: Vec<ErrorItem>,
    /// What the command answered.
    pub results: Results,
}

/// Reads a message of the command channel, XML or binary.
///
/// The envelope is read strictly. A result of an unexpected type is no error, because the device would repeat the same message
/// for ever: it counts as not reported and is named in [`Results::ignored`].
///
/// # Errors
/// The body is not a property list, or the error names the key of the envelope that is missing or wrong.
pub fn decode(body: &[u8]) -> Result<Report, DecodeError> {
    let mut fields = Fields::read(body)?;
    let status = match fields.string("Status")?.ok_or(DecodeError::Missing("Status"))? {
        "Idle" => Status::Idle,
        "Acknowledged" => Status::Acknowledged,
        "Error" => Status::Error,
        "CommandFormatError" => Status::CommandFormatError,
        "NotNow" => Status::NotNow,
        _ => return Err(DecodeError::Invalid { key: "Status", why: "is not known" }),
    };
    let channel = Channel::read(&fields)?;
    let command_uuid = fields.identifier("CommandUUID", 64)?;
    if status != Status::Idle && command_uuid.is_none() {
        return Err(DecodeError::Missing("CommandUUID"));
    }
    let errors = match fields.take("ErrorChain") {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_dict).take(MOST_ERRORS).map(error_item).collect(),
        Some(_) => return Err(DecodeError::WrongType { key: "ErrorChain", expected: "an array" }),
    };
    let results = if status == Status::Idle { Results::default() } else { Results::read(fields.into_inner()) };
    Ok(Report { channel, status, command_uuid, errors, results })
}

fn error_item(item: &Dictionary) -> ErrorItem {
    let text = |key| item.get(key).and_then(Value::as_str).and_then(for_people);
    ErrorItem {
        domain: text("ErrorDomain").unwrap_or_default(),
        code: item.get("ErrorCode").and_then(Value::as_i64).unwrap_or_default(),
        text: text("USEnglishDescription").or_else(|| text("LocalizedDescription")).unwrap_or_default(),
    }
}

impl Report {
    /// What this message says of the device, as said at `now`. Nothing is concluded from what is missing.
    #[must_use]
    pub fn facts(&self, now: Timestamp) -> Posture {
        let mut posture = self.results.facts(now);
        if self.channel.id.is_user_enrollment() {
            posture.user_enrollment = Some(Fact { value: true, source: Source::CheckIn, at: now });
        }
        posture
    }
}
