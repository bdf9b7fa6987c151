//! Puts a file into a message that was made before.

use lettre::message::{Attachment, Body, header::ContentTransferEncoding, header::ContentType};

/// Why a file could not be put into a message.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The message has no body.
    #[error("the message has no body")]
    Message,
    /// The type is not one.
    #[error("'{0}' is no content type")]
    Kind(String),
    /// The content cannot be encoded.
    #[error("the content cannot be encoded")]
    Content,
}

/// The same message with a file beside what it says.
///
/// * `name`: what the file is called, in any letters.
/// * `kind`: its type, such as `application/pdf`.
///
/// # Errors
/// The message is none, or the type is not one.
pub fn attach(message: &[u8], name: &str, kind: &str, content: Vec<u8>) -> Result<Vec<u8>, AttachError> {
    let (head, body) = split(message).ok_or(AttachError::Message)?;
    let (about_content, others): (Vec<&[u8]>, Vec<&[u8]>) = fields(head).into_iter().partition(|field| is_about_content(field));
    let kind = ContentType::parse(kind).map_err(|_| AttachError::Kind(kind.to_owned()))?;
    // In base64 whatever is in it: other encodings change how lines end.
    let content = Body::new_with_encoding(content, ContentTransferEncoding::Base64).map_err(|_| AttachError::Content)?;
    let file = Attachment::new(name.to_owned()).body(content, kind).formatted();
    let boundary = format!("enlist-{}", uuid::Uuid::new_v4().simple());
    let mixed = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n");
    let delimiter = format!("\r\n--{boundary}\r\n");
    let end = format!("\r\n--{boundary}--\r\n");
    let parts: [&[u8]; 9] = [
        &others.concat(),
        mixed.as_bytes(),
        delimiter.as_bytes(),
        &about_content.concat(),
        b"\r\n",
        body,
        delimiter.as_bytes(),
        &file,
        end.as_bytes(),
    ];
    Ok(parts.concat())
}

/// The head of a message, with the end of its last line, and the body.
fn split(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = message.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = message.split_at_checked(at.checked_add(2)?)?;
    Some((head, rest.get(2..)?))
}

/// The fields of a head, each with the lines that it goes on in.
fn fields(head: &[u8]) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    let mut begin = 0_usize;
    for (at, window) in head.windows(3).enumerate() {
        if window.starts_with(b"\r\n") && !matches!(window.last(), Some(b' ' | b'\t')) {
            let end = at.saturating_add(2);
            fields.extend(head.get(begin..end));
            begin = end;
        }
    }
    fields.extend(head.get(begin..));
    fields
}

/// Whether a field says what the body is, and so goes with it.
fn is_about_content(field: &[u8]) -> bool {
    field.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"content-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "From: it@example.com\r\nSubject: =?utf-8?b?SGFsbG8=?=\r\n and more\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative;\r\n boundary=\"inner\"\r\n\r\n--inner\r\n\r\nText\r\n--inner--\r\n";

    #[test]
    fn the_message_goes_on_as_the_first_part_and_the_file_is_the_second() {
        let text =
            String::from_utf8(attach(MESSAGE.as_bytes(), "Übersicht.pdf", "application/pdf", b"line\nline".to_vec()).unwrap()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("From: it@example.com\r\nSubject: =?utf-8?b?SGFsbG8=?=\r\n and more\r\nMIME-Version: 1.0\r\n"), "{head}");
        let boundary = head.split("multipart/mixed; boundary=\"").nth(1).unwrap().trim_end_matches('"');
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4, "{body}");
        let inner = "\r\nContent-Type: multipart/alternative;\r\n boundary=\"inner\"\r\n\r\n--inner\r\n\r\nText\r\n--inner--\r\n\r\n";
        assert_eq!(parts[1], inner);
        assert!(parts[2].contains("filename*0*=utf-8''%C3%9Cbersicht.pdf") && parts[2].contains("bGluZQpsaW5l"), "{}", parts[2]);
        assert!(parts[2].contains("Content-Type: application/pdf\r\n") && parts[2].contains("Content-Disposition: attachment;"));
        assert_eq!(parts[3], "--\r\n");
    }

    #[test]
    fn a_name_cannot_begin_another_header() {
        for name in ["a\"; x=\"y.pdf", "a\r\nBcc: eve@example.com", &"ü".repeat(120), &"long name ".repeat(12)] {
            let text = String::from_utf8(attach(MESSAGE.as_bytes(), name, "text/html", b"x".to_vec()).unwrap()).unwrap();
            assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
            assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        }
    }

    #[test]
    fn what_is_no_message_or_no_type_is_refused() {
        assert!(matches!(attach(b"no body", "a", "text/plain", b"x".to_vec()), Err(AttachError::Message)));
        assert!(matches!(attach(MESSAGE.as_bytes(), "a", "pdf", b"x".to_vec()), Err(AttachError::Kind(_))));
    }
}
