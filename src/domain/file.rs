//! Protected files: what they may be called and be, how long they may be, and how soon one is sent to the same person again.

/// Longest file, in bytes.
pub const LONGEST: usize = 10 * 1024 * 1024;
/// Most bytes of all files that are kept at once: they are in the database, and in each of its backups.
pub const MOST_KEPT: i64 = 2 * 1024 * 1024 * 1024;
/// Longest name, in characters.
pub const LONGEST_NAME: usize = 120;
/// Seconds within which the same file is sent to the same person once.
pub const ONCE_SECONDS: i64 = 600;
/// What a file is of which nothing better is known.
pub const UNKNOWN_KIND: &str = "application/octet-stream";

/// Why a text cannot be the name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is none.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must not be longer than {LONGEST_NAME} characters")]
    TooLong,
    /// It would lead into another folder.
    #[error("must not have a slash or a backslash in it")]
    Path,
    /// It would be hidden, or be a folder.
    #[error("must not begin with a dot")]
    Hidden,
    /// It would be shown as another one than it is.
    #[error("must not have control characters in it, nor those that turn the direction of writing")]
    Control,
}

/// Reads the name of a file.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<String, NameError> {
    // Looked at before anything is trimmed: a line break at the end is white space as well.
    if text.chars().any(|letter| letter.is_control() || disguises(letter)) {
        return Err(NameError::Control);
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(NameError::TooLong);
    }
    if text.contains(['/', '\\']) {
        return Err(NameError::Path);
    }
    if text.starts_with('.') { Err(NameError::Hidden) } else { Ok(text.to_owned()) }
}

/// Characters that nobody sees, and that make a name look like another one: `annexe\u{202e}fdp.exe` is shown as `annexeexe.pdf`.
const fn disguises(letter: char) -> bool {
    matches!(letter, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What a file is said to be, as `type/subtype` in lower case; [`UNKNOWN_KIND`] where that is not well formed.
///
/// Three kinds are not believed: a part of a mail that is a mail or has parts must not be encoded (RFC 2045, section 6.4), and
/// the kind of a form is what programs say that were told of no kind.
#[must_use]
pub fn kind(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_known = essence.split_once('/').is_some_and(|(main, sub)| {
        is_token(main) && is_token(sub) && !matches!(main, "multipart" | "message") && essence != "application/x-www-form-urlencoded"
    });
    if is_known { essence } else { UNKNOWN_KIND.to_owned() }
}

/// RFC 6838, section 4.2.
fn is_token(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.len() <= 127
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "!#$&-^_.+".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_name() {
        for fine in ["report.pdf", "Übersicht 2026.pdf", "a \"quoted\" name", "見積書.xlsx", "no ending", &"x".repeat(LONGEST_NAME)] {
            assert_eq!(name(fine).as_deref(), Ok(fine));
        }
        assert_eq!(name("  report.pdf ").as_deref(), Ok("report.pdf"));
        for (wrong, why) in [
            ("", NameError::Empty),
            ("   ", NameError::Empty),
            ("../secret.key", NameError::Path),
            ("a/b", NameError::Path),
            ("C:\\a", NameError::Path),
            (".bashrc", NameError::Hidden),
            ("..", NameError::Hidden),
            ("a\r\nBcc: eve@example.com", NameError::Control),
            ("a\n", NameError::Control),
            ("a\0b", NameError::Control),
            ("annexe\u{202e}fdp.exe", NameError::Control),
            ("a\u{200b}b", NameError::Control),
            (&"ü".repeat(LONGEST_NAME + 1), NameError::TooLong),
        ] {
            assert_eq!(name(wrong), Err(why), "{wrong:?}");
        }
    }

    #[test]
    fn a_kind_is_well_formed_or_unknown() {
        assert_eq!(kind("application/pdf"), "application/pdf");
        assert_eq!(kind(" Text/Plain; charset=utf-8"), "text/plain");
        assert_eq!(kind("application/vnd.openxmlformats-officedocument.wordprocessingml.document").len(), 71);
        for odd in ["", "pdf", "/pdf", "a/", "a/b/c", "text/pl ain", "text/html\r\nX: y", "mültipart/x", "*/*", "-/x"] {
            assert_eq!(kind(odd), UNKNOWN_KIND, "{odd:?}");
        }
        for refused in ["multipart/mixed", "message/rfc822", "application/x-www-form-urlencoded"] {
            assert_eq!(kind(refused), UNKNOWN_KIND, "{refused}");
        }
    }
}
