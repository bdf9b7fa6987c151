//! The audit log's chain: who did what to which thing, each line sealed with the hash of the one before.

use openssl::sha::Sha256;

use super::time::Timestamp;
use crate::words;

words! {
    /// Through which door somebody acted.
    pub enum ActorKind {
        /// A person signed in to the console.
        User = "user",
        /// A program with an API token.
        Token = "token",
        /// Somebody with a shell on the server.
        CommandLine = "command_line",
        /// The server itself.
        Server = "server",
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Through which door.
    pub kind: ActorKind,
    /// Their name: a mail address, a token's name, a system account.
    pub name: String,
}

impl Actor {
    /// The server itself.
    #[must_use]
    pub fn server() -> Self {
        Self { kind: ActorKind::Server, name: "enlist".into() }
    }
}

/// One line before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its place in the log, from 1 without gaps.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: &'a Actor,
    /// What, such as `device.wipe`.
    pub action: &'a str,
    /// To what, such as `device`.
    pub subject_kind: &'a str,
    /// To which one.
    pub subject: &'a str,
    /// The rest, as JSON text.
    pub detail: &'a str,
}

/// The hash that seals a line: SHA-256 over the hash of the line before and every field, each with its length before it.
#[must_use]
pub fn seal(previous: &[u8], line: &Line<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    field(previous);
    field(&line.sequence.to_be_bytes());
    field(&line.at.millis().to_be_bytes());
    for text in [line.actor.kind.as_str(), &line.actor.name, line.action, line.subject_kind, line.subject, line.detail] {
        field(text.as_bytes());
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_any_field_breaks_the_seal() {
        let actor = Actor { kind: ActorKind::Token, name: "ops".into() };
        let line = Line {
            sequence: 7,
            at: Timestamp::from_millis(5),
            actor: &actor,
            action: "device.wipe",
            subject_kind: "device",
            subject: "d",
            detail: "{}",
        };
        let sealed = seal(&[1; 32], &line);
        let other = Actor { kind: ActorKind::User, name: "ops".into() };
        for changed in [
            Line { sequence: 8, ..line.clone() },
            Line { at: Timestamp::from_millis(6), ..line.clone() },
            Line { actor: &other, ..line.clone() },
            Line { action: "device.wip", subject_kind: "edevice", ..line.clone() },
            Line { subject: "e", ..line.clone() },
            Line { detail: "{ }", ..line.clone() },
        ] {
            assert_ne!(seal(&[1; 32], &changed), sealed);
        }
        assert_ne!(seal(&[2; 32], &line), sealed);
    }
}
