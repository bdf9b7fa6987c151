//! A forgotten passcode: removed on an iPhone, and replaced by a temporary one on Android, which is shown once to whoever asked.

use std::sync::Arc;

use openssl::error::ErrorStack;
use serde_json::json;

use super::{
    App, Result,
    command::{may_send, reachable},
};
use crate::{
    domain::{
        audit::Actor,
        backend::Backend,
        command::{Command, Purpose},
        id::DeviceId,
        passcode::PasscodePolicy,
    },
    pki::random::random_text,
    store::{
        audit::{self, Entry},
        commands::QueuedCommand,
        policies,
    },
};

/// Characters of a temporary passcode, where the policy does not ask for more.
const USUAL_LENGTH: usize = 8;
/// Nothing that looks like something else: it is read from a screen, or to somebody by telephone.
const DIGITS: &[u8] = b"0123456789";
const LETTERS_AND_DIGITS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const WITH_SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789+-=?!#+-=?!#";

/// What was ordered, and what opens the device afterwards.
#[derive(Debug, Clone)]
pub struct PasscodeReset {
    /// The command.
    pub command: QueuedCommand,
    /// The temporary passcode, where the device gets one. It is told this once.
    pub temporary_passcode: Option<String>,
}

impl App {
    /// Removes a forgotten passcode, or replaces it, whichever the device knows.
    ///
    /// # Errors
    /// [`super::Error::NotFound`], or [`super::Error::Conflict`] where the device cannot do it; the text says why.
    pub async fn reset_passcode(self: &Arc<Self>, actor: Actor, device: DeviceId) -> Result<PasscodeReset> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let (device, enrollment) = reachable(tx, device)?;
            let (command, temporary_passcode) = if enrollment.backend == Backend::Apple {
                (Command::ClearPasscode, None)
            } else {
                let asked = policies::for_user(tx, device.user_id)?.map(|policy| policy.rules.passcode);
                let passcode = draw(&asked.unwrap_or_else(PasscodePolicy::unrestricted))?;
                let sealed_passcode = app.seal_passcode(&passcode)?;
                (Command::ResetPasscode { sealed_passcode }, Some(passcode))
            };
            may_send(&enrollment, &command)?;
            let command = app.queue(tx, &enrollment, device.id, &command, Purpose::Administrator)?;
            let (detail, subject) = (json!({ "command": command.id, "kind": command.kind }), device.id.to_string());
            audit::record(tx, &Entry { at: app.now(), actor: &actor, action: "device.command", subject_kind: "device", subject, detail })?;
            Ok(PasscodeReset { command, temporary_passcode })
        })
        .await
    }
}

/// A random passcode that meets what is asked for: digits, where they suffice.
fn draw(asked: &PasscodePolicy) -> std::result::Result<String, ErrorStack> {
    let alphabet = if asked.min_complex_characters > 0 {
        WITH_SIGNS
    } else if asked.require_alphanumeric {
        LETTERS_AND_DIGITS
    } else {
        DIGITS
    };
    let length = USUAL_LENGTH.max(asked.min_length.into());
    loop {
        let passcode = random_text(alphabet, length)?;
        if meets(asked, &passcode) {
            return Ok(passcode);
        }
    }
}

/// Whether a passcode is one that Android takes: no four characters that repeat or follow each other (`NUMERIC_COMPLEX`), and of
/// each kind that is asked for enough.
fn meets(asked: &PasscodePolicy, passcode: &str) -> bool {
    let has = |test: fn(&u8) -> bool| passcode.bytes().filter(test).count();
    let is_row = passcode.as_bytes().windows(4).any(|four| {
        let steps: Vec<i16> = four.iter().zip(four.iter().skip(1)).map(|(a, b)| i16::from(*b).saturating_sub(i16::from(*a))).collect();
        steps.iter().all(|step| Some(step) == steps.first()) && steps.first().is_some_and(|step| step.abs() <= 1)
    });
    let mixed = !asked.require_alphanumeric && asked.min_complex_characters == 0
        || (has(u8::is_ascii_alphabetic) > 0 && has(u8::is_ascii_digit) > 0);
    let complex = asked.min_complex_characters == 0
        || (has(u8::is_ascii_punctuation) >= usize::from(asked.min_complex_characters)
            && has(u8::is_ascii_uppercase) > 0
            && has(u8::is_ascii_lowercase) > 0);
    !is_row && mixed && complex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_passcode_meets_the_policy() {
        let plain = PasscodePolicy { required: true, ..PasscodePolicy::unrestricted() };
        for (asked, length) in [
            (PasscodePolicy::unrestricted(), 8),
            (PasscodePolicy { allow_simple: false, min_length: 6, ..plain.clone() }, 8),
            (PasscodePolicy { min_length: 12, ..plain.clone() }, 12),
            (PasscodePolicy { require_alphanumeric: true, min_length: 10, ..plain.clone() }, 10),
            (PasscodePolicy { min_complex_characters: 4, min_length: 16, ..plain }, 16),
        ] {
            for _ in 0..50 {
                let passcode = draw(&asked).unwrap();
                assert_eq!(passcode.len(), length);
                assert!(meets(&asked, &passcode), "{passcode}");
                let needs_letters = asked.require_alphanumeric || asked.min_complex_characters > 0;
                assert_eq!(passcode.bytes().all(|byte| byte.is_ascii_digit()), !needs_letters, "{passcode}");
            }
        }
    }

    #[test]
    fn rows_and_repetitions_are_no_passcode() {
        let asked = PasscodePolicy::unrestricted();
        for refused in ["12345068", "90987654", "00001947", "48203333"] {
            assert!(!meets(&asked, refused), "{refused}");
        }
        assert!(meets(&asked, "13579024") && meets(&asked, "12312312"));
    }
}
