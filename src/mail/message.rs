//! Messages as they go over the wire: a text and an HTML form of the same words, with the headers that mail needs.

use lettre::{
    Message,
    message::{Mailbox, MultiPart, header},
};

use super::render::{Rendered, one_line};
use crate::domain::{id::MailId, time::Timestamp};

/// A message that was made.
pub struct Composed {
    /// `Message-ID` without its angle brackets.
    pub message_id: String,
    /// The message as it goes over the wire.
    pub bytes: Vec<u8>,
}

/// Why a message could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// An address is not one.
    #[error("'{0}' is not a mail address")]
    Address(String),
    /// The message could not be put together.
    #[error("a mail could not be put together")]
    Build(#[from] lettre::error::Error),
}

/// From whom to whom.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The sender's address; never empty.
    pub sender: &'a str,
    /// The name beside it.
    pub sender_name: &'a str,
    /// The recipient's address.
    pub recipient: &'a str,
}

/// Makes a message. The `Message-ID` follows from `id`, so that it stays the same however often the message is sent.
///
/// # Errors
/// An address is not one.
pub fn compose(id: MailId, mail: Rendered, envelope: Envelope<'_>, now: Timestamp) -> Result<Composed, ComposeError> {
    let address = |text: &str| text.parse::<lettre::Address>().map_err(|_| ComposeError::Address(text.to_owned()));
    let sender = address(envelope.sender)?;
    let message_id = format!("{id}@{}", sender.domain());
    let sent_at = std::time::UNIX_EPOCH + now.since(Timestamp::default());
    let message = Message::builder()
        .from(Mailbox::new(Some(one_line(envelope.sender_name)), sender))
        .to(Mailbox::new(None, address(envelope.recipient)?))
        .subject(mail.subject)
        .date(sent_at)
        .message_id(Some(format!("<{message_id}>")))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))?;
    Ok(Composed { message_id, bytes: message.formatted() })
}

/// `Auto-Submitted: auto-generated` (RFC 3834): nobody's absence notice should answer.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{
        languages::Languages,
        render::render,
        template::{Mended, Template},
    };

    const ENVELOPE: Envelope<'_> = Envelope { sender: "it@example.com", sender_name: "Example Ltd", recipient: "ada@example.com" };

    fn rendered(template: &Template) -> Rendered {
        render(Languages::shipped().text("en", template.kind()).unwrap(), template, "en").unwrap()
    }

    fn text_of(template: &Template) -> String {
        let id = MailId::from_bytes([7; 16]);
        let bytes = compose(id, rendered(template), ENVELOPE, Timestamp::from_millis(1_790_000_000_000)).unwrap().bytes;
        // Where quoted-printable breaks a line, the text goes on.
        String::from_utf8(bytes).unwrap().replace("=\r\n", "")
    }

    #[test]
    fn an_invitation_carries_a_plain_link_in_both_forms() {
        let text = text_of(&Template::Invitation {
            organization: "Example & Sons".into(),
            name: "Ada <Lovelace>".into(),
            link: "https://enroll.example.com/enroll/abc".into(),
            until: "2026-12-06".into(),
        });
        let text = text.replace("=\r\n", "");
        assert_eq!(text.matches("https://enroll.example.com/enroll/abc").count(), 3, "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated") && text.contains("From: \"Example Ltd\" <it@example.com>"), "{text}");
        assert!(text.contains("Ada <Lovelace>") && text.contains("Ada &lt;Lovelace&gt;"), "{text}");
    }

    #[test]
    fn a_code_ends_with_the_line_that_browsers_understand() {
        let text = text_of(&Template::Code {
            organization: "Example".into(),
            code: "12345678".into(),
            spaced: "1234 5678".into(),
            minutes: 10,
            host: "enroll.example.com".into(),
        });
        assert!(text.contains("@enroll.example.com #12345678"), "{text}");
        assert!(!text.contains("http"), "a mail with a code has no link: {text}");
    }

    #[test]
    fn a_person_is_told_what_is_wrong_until_when_and_what_to_do() {
        let mail = |is_blocked, until: Option<&str>| {
            text_of(&Template::Compliance {
                organization: "Example".into(),
                name: "Ada".into(),
                device: "Ada's iPhone".into(),
                is_blocked,
                until: until.map(str::to_owned),
                reasons: vec![Mended { text: "No passcode is set.".into(), remedy: "Set one.".into() }],
                link: "https://enroll.example.com/devices".into(),
            })
        };
        let warning = mail(false, Some("2026-12-06"));
        assert!(warning.contains("mend it by 2026-12-06") && warning.contains("What to do: Set one."), "{warning}");
        assert!(warning.contains("Subject: Ada's iPhone needs your attention"), "{warning}");
        let blocked = mail(true, None);
        assert!(blocked.contains("has no access") && !blocked.contains("mend it by"), "{blocked}");
    }

    #[test]
    fn a_test_mail_names_the_server_that_it_comes_from() {
        let text = text_of(&Template::Test { organization: "Example".into(), host: "enroll.example.com".into() });
        assert!(text.contains("Subject: Test mail of Example") && text.matches("at enroll.example.com").count() == 2, "{text}");
    }

    #[test]
    fn the_mail_with_a_file_says_why_it_comes() {
        let (organization, name) = ("Example".into(), "Ada".into());
        let (file, browser) = ("<b>.pdf".into(), "Chrome on Windows".into());
        let text = text_of(&Template::File { organization, name, file, browser, link: "https://enroll.example.com/devices".into() });
        assert!(text.contains("Subject: The file that you asked for: <b>.pdf") && text.contains("&lt;b&gt;.pdf"), "{text}");
        assert_eq!(text.matches("Chrome on Windows").count(), 2, "{text}");
    }

    #[test]
    fn the_message_id_follows_from_the_mail() {
        let template = Template::Invitation { organization: "E".into(), name: "A".into(), link: "l".into(), until: "u".into() };
        let id = MailId::new();
        let compose = || compose(id, rendered(&template), ENVELOPE, Timestamp::from_millis(0)).unwrap();
        assert_eq!(compose().message_id, compose().message_id);
        assert_eq!(compose().message_id, format!("{id}@example.com"));
    }

    #[test]
    fn a_line_break_in_a_name_starts_no_header() {
        let envelope = Envelope { sender_name: "Evil\r\nBcc: eve@example.com", ..ENVELOPE };
        let template =
            Template::Invitation { organization: "E\r\nBcc: x@y.z".into(), name: "A".into(), link: "l".into(), until: "u".into() };
        let composed = compose(MailId::new(), rendered(&template), envelope, Timestamp::from_millis(0)).unwrap();
        let text = String::from_utf8(composed.bytes).unwrap();
        let headers = text.split("\r\n\r\n").next().unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    }
}
