//! The rules of the way in: how long codes and invitations live, how often they may be tried, and what a person agrees to.

use super::time::Timestamp;

/// Digits of a code.
pub const CODE_DIGITS: usize = 8;
/// Seconds for which a code is good.
pub const CODE_SECONDS: i64 = 600;
/// Tries for one code; the sixth is refused even if it is right.
pub const CODE_TRIES: i32 = 5;
/// Codes sent to one address within [`SEND_WINDOW_SECONDS`].
pub const SENDS_PER_WINDOW: i64 = 3;
/// The shorter window for codes sent to one address.
pub const SEND_WINDOW_SECONDS: i64 = 900;
/// Codes sent to one address within a day.
pub const SENDS_PER_DAY: i64 = 10;
/// Wrong tries for one address within a day, over all its codes.
pub const FAILURES_PER_DAY: i64 = 20;
/// Days for which the link of an invitation is good.
pub const INVITATION_DAYS: i64 = 14;
/// Seconds for which a portal visit lives without being continued.
pub const VISIT_SECONDS: i64 = 86_400;
/// Seconds within which a device must use the right to its certificate.
pub const CHALLENGE_SECONDS: i64 = 900;
/// Seconds within which a new device must have begun whose set-up wizard reads a QR code: it fetches an app first.
pub const PROVISIONING_SECONDS: i64 = 7_200;
/// Seconds within which an activation certificate must be downloaded.
pub const ACTIVATION_SECONDS: i64 = 600;
/// The version of the text that a person agrees to; raised whenever its meaning changes.
pub const CONSENT_VERSION: &str = "1";

/// Why a code is refused. People are told only that it did not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    /// It was used, or a newer one was sent.
    #[error("the code was used already or replaced by a newer one")]
    Spent,
    /// Ten minutes are over.
    #[error("the code has expired")]
    Expired,
    /// Five wrong tries.
    #[error("the code was tried too often")]
    TooManyTries,
    /// The digits are wrong.
    #[error("the code is not the one that was sent")]
    Wrong,
}

/// What is known about a code when it is tried.
#[derive(Debug, Clone, Copy)]
pub struct CodeOnFile {
    /// When its life ends.
    pub expires_at: Timestamp,
    /// Tries before this one.
    pub tries: i32,
    /// It was used or replaced.
    pub is_spent: bool,
}

impl CodeOnFile {
    /// Whether the code may be used now, given whether the digits are right. A right code after five wrong ones is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge(&self, digits_match: bool, now: Timestamp) -> Result<(), CodeRefusal> {
        if self.is_spent {
            Err(CodeRefusal::Spent)
        } else if now >= self.expires_at {
            Err(CodeRefusal::Expired)
        } else if self.tries >= CODE_TRIES {
            Err(CodeRefusal::TooManyTries)
        } else if digits_match {
            Ok(())
        } else {
            Err(CodeRefusal::Wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: CodeOnFile = CodeOnFile { expires_at: Timestamp::from_millis(600_000), tries: 0, is_spent: false };

    #[test]
    fn a_right_code_works_once_in_time_and_within_five_tries() {
        let now = Timestamp::from_millis(0);
        assert_eq!(FRESH.judge(true, now), Ok(()));
        assert_eq!(FRESH.judge(false, now), Err(CodeRefusal::Wrong));
        assert_eq!(CodeOnFile { tries: 5, ..FRESH }.judge(true, now), Err(CodeRefusal::TooManyTries));
        assert_eq!(CodeOnFile { tries: 4, ..FRESH }.judge(true, now), Ok(()));
        assert_eq!(CodeOnFile { is_spent: true, ..FRESH }.judge(true, now), Err(CodeRefusal::Spent));
        assert_eq!(FRESH.judge(true, Timestamp::from_millis(600_000)), Err(CodeRefusal::Expired));
    }
}
