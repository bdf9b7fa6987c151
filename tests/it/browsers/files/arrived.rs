//! Mails with a file, as they arrived: read to the last byte, with nothing that the server itself uses.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use enlist::simulator::mail::Mail;

use crate::harness::app::TestApp;

/// A mail that brought a file.
#[derive(Debug)]
pub struct Arrived {
    pub to: String,
    pub subject: String,
    /// Of the file, decoded.
    pub name: String,
    pub kind: String,
    pub bytes: Vec<u8>,
    /// What the mail says.
    pub text: String,
}

/// Every mail with a file that this server has sent, in order of the addresses.
pub fn arrived(app: &TestApp) -> Vec<Arrived> {
    arrived_in(&app.outbox())
}

/// Every mail with a file in a folder, in order of the addresses.
pub fn arrived_in(folder: &Path) -> Vec<Arrived> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "eml"));
    let mut mails: Vec<Arrived> = paths.filter_map(|path| read(&std::fs::read_to_string(path).unwrap())).collect();
    mails.sort_by(|a, b| a.to.cmp(&b.to));
    mails
}

fn read(source: &str) -> Option<Arrived> {
    let (head, body) = source.split_once("\r\n\r\n")?;
    let boundary = parameter(&header(head, "Content-Type"), "boundary").filter(|_| head.contains("multipart/mixed"))?;
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[3].trim_end()), (4, "--"), "two parts and an end");
    assert!(parts[1].contains("multipart/alternative"), "what the mail says comes first");
    let (about, content) = parts[2].trim_start().split_once("\r\n\r\n").unwrap();
    assert_eq!(header(about, "Content-Transfer-Encoding"), "base64");
    let disposition = header(about, "Content-Disposition");
    assert!(disposition.starts_with("attachment"), "{disposition}");
    assert!(source.lines().all(|line| line.len() <= 998), "no line is longer than SMTP allows");
    Some(Arrived {
        to: header(head, "To"),
        subject: header(head, "Subject"),
        name: file_name(&disposition),
        kind: header(about, "Content-Type"),
        bytes: STANDARD.decode(content.split_whitespace().collect::<String>()).unwrap(),
        text: Mail::parse(source.as_bytes()).text,
    })
}

/// A field of a head, in one line.
fn header(head: &str, name: &str) -> String {
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let field = head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
    field.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let rest = value.split_once(&format!("{name}=\""))?.1;
    rest.split('"').next().map(str::to_owned)
}

/// The name in a `Content-Disposition`: as it is, or in pieces that are encoded (RFC 2231).
fn file_name(disposition: &str) -> String {
    if let Some(name) = parameter(disposition, "filename") {
        return name;
    }
    let pieces = disposition.split(';').filter_map(|piece| piece.trim().strip_prefix("filename*"));
    let joined: String = pieces.map(|piece| piece.split_once('=').unwrap().1.trim_matches('"')).collect();
    let encoded = joined.strip_prefix("utf-8''").unwrap().as_bytes();
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < encoded.len() {
        let is_escape = encoded[at] == b'%';
        bytes.push(if is_escape {
            u8::from_str_radix(std::str::from_utf8(&encoded[at + 1..at + 3]).unwrap(), 16).unwrap()
        } else {
            encoded[at]
        });
        at += if is_escape { 3 } else { 1 };
    }
    String::from_utf8(bytes).unwrap()
}
