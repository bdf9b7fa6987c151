//! The words between a phone and its server: which door, whose signature, which command, and what came of it.

use plist::{Dictionary, Value};
use serde::Serialize;

use crate::simulator::{
    error::{Result, protocol},
    keychain::Identity,
    propertylist,
};

/// What has become of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not yet enrolled.
    New,
    /// Under management.
    Enrolled,
    /// Erased.
    Wiped,
    /// No longer managed.
    Removed,
    /// It could not go on.
    Failed,
}

/// One command and the status that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `RequestType`.
    pub request_type: String,
    /// `Acknowledged`, `Error` or `NotNow`.
    pub status: String,
}

/// What happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// The commands, in order.
    pub steps: Vec<Step>,
    /// What the phone is now.
    pub state: State,
    /// The connection broke; the last answer is sent again at the next poll.
    pub interrupted: bool,
}

/// Which door a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `CheckInURL`.
    CheckIn,
    /// `ServerURL`.
    Connect,
}

/// Whose signature a message carries.
#[derive(Debug, Clone, Copy)]
pub enum Signature<'a> {
    /// The phone's own, if its profile asks for signatures.
    Own,
    /// Somebody else's.
    By(&'a Identity),
    /// Whatever is written here.
    Header(&'a str),
    /// None.
    Missing,
}

/// A command as it arrived.
#[derive(Debug, Clone)]
pub struct Command {
    /// `CommandUUID`.
    pub uuid: String,
    /// `Command`, with its `RequestType`.
    pub body: Dictionary,
}

impl Command {
    /// Reads a command; an empty body is none.
    pub fn read(body: &[u8]) -> Result<Option<Self>> {
        if body.is_empty() {
            return Ok(None);
        }
        let outer = propertylist::read(body)?;
        let uuid = propertylist::text(&outer, "CommandUUID", "read a command")?.to_owned();
        let body = outer.get("Command").and_then(Value::as_dictionary).cloned();
        let body = body.ok_or_else(|| protocol("read a command", "Command is missing"))?;
        Ok(Some(Self { uuid, body }))
    }

    /// `RequestType`.
    #[must_use]
    pub fn request_type(&self) -> &str {
        self.body.get("RequestType").and_then(Value::as_string).unwrap_or_default()
    }
}
