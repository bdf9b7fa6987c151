//! The words of mails: which mails there are, in which languages, and what a text of one consists of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::words;

/// The language that every mail has, and that stands in where another one lacks something.
pub const ENGLISH: &str = "en";
/// Longest subject, in characters.
pub const LONGEST_SUBJECT: usize = 200;
/// Longest text, in characters.
pub const LONGEST_BODY: usize = 10_000;

words! {
    /// Which mail it is.
    pub enum MailKind {
        /// Asks a user to enroll.
        Invitation = "invitation",
        /// Carries a code.
        Code = "code",
        /// Tells a person that a device breaks its policy, or has lost its access.
        Compliance = "compliance",
        /// Explains to people what the enrollment of browsers means for them.
        Announcement = "announcement",
        /// Tells a person that a device was enrolled in their name.
        Enrolled = "enrolled",
        /// Tells a person that a wipe was carried out.
        Wiped = "wiped",
        /// Brings a protected file.
        File = "file",
        /// Tells administrators that the server holds wipes by itself.
        Held = "held",
        /// Brings a view of the compliance report.
        Report = "report",
        /// Shows an administrator that mail arrives.
        Test = "test",
    }
}

/// The kinds of the jobs that send mails.
pub const MAIL_JOBS: [&str; 3] = [CODE_JOB, FILE_JOB, MAIL_JOB];
/// The kind of the jobs that send codes: somebody sits and waits for one.
pub const CODE_JOB: &str = "mail_code";
/// The kind of the jobs that send mails with a file, which take long.
pub const FILE_JOB: &str = "mail_file";
/// The kind of the jobs that send all other mails.
pub const MAIL_JOB: &str = "mail";

impl MailKind {
    /// The kind of the job that sends it.
    #[must_use]
    pub const fn job(self) -> &'static str {
        match self {
            Self::Code => CODE_JOB,
            Self::File => FILE_JOB,
            _ => MAIL_JOB,
        }
    }
}

/// A mail as it is written down: with the places where names, links and codes are put in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailText {
    /// The subject, in one line.
    pub subject: String,
    /// The text. A line that holds nothing but an address becomes a link, lines that begin with `*` become a list.
    pub body: String,
}

impl MailText {
    /// Reads a file: `Subject: …`, an empty line, the text.
    #[must_use]
    pub fn read(file: &str) -> Option<Self> {
        let file = file.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let (subject, body) = file.strip_prefix("Subject:")?.split_once("\n\n")?;
        Some(Self { subject: subject.trim().to_owned(), body: body.trim_matches('\n').to_owned() + "\n" })
    }

    /// The same as it is kept: without what forms and editors put around it.
    #[must_use]
    pub fn normal(&self) -> Self {
        Self { subject: self.subject.trim().to_owned(), body: self.body.replace("\r\n", "\n").trim_end().to_owned() + "\n" }
    }
}

/// Whether a text can be the code of a language, such as `de` or `pt-br` (BCP 47, in lower case).
#[must_use]
pub fn is_language(code: &str) -> bool {
    let mut parts = code.split('-');
    let is_first = parts.next().is_some_and(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase()));
    let is_more = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_first && parts.all(is_more) && code.len() <= 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_subject_an_empty_line_and_a_text() {
        let text = MailText::read("\u{feff}Subject: Your code\r\n\r\nHere it is:\r\n\r\n    {{code}}\r\n\r\n").unwrap();
        assert_eq!((text.subject.as_str(), text.body.as_str()), ("Your code", "Here it is:\n\n    {{code}}\n"));
        for wrong in ["", "Your code\n\nHere", "Subject: Your code\nHere it is"] {
            assert_eq!(MailText::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_code_of_a_language_is_short_and_in_lower_case() {
        for good in ["en", "de", "pt-br", "gsw", "zh-hant"] {
            assert!(is_language(good), "{good}");
        }
        for wrong in ["", "e", "DE", "de_DE", "../de", "de-", "-de", "d1", "en-abcdefghi"] {
            assert!(!is_language(wrong), "{wrong}");
        }
    }
}
