//! Reads one mail: to whom it is, its text, the code and the link in it (RFC 5322, RFC 2045, RFC 2046).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Url;

use crate::simulator::page::Page;

/// Mails nest parts in parts; deeper than this nobody writes.
const DEPTH_LIMIT: usize = 8;

/// A mail, as far as an enrolling person reads it.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The `To` header.
    pub to: String,
    /// Its text: the plain part, or what the HTML part says.
    pub text: String,
}

impl Mail {
    /// Reads a mail. What cannot be understood is left out.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Self {
        let source = String::from_utf8_lossy(raw).replace("\r\n", "\n");
        let (headers, body) = split(&source);
        let mut parts = Vec::new();
        collect(&headers, body, DEPTH_LIMIT, &mut parts);
        let plain = parts.iter().find(|(kind, _)| kind == "text/plain").map(|(_, text)| text.clone());
        let text = plain.or_else(|| parts.iter().find(|(kind, _)| kind == "text/html").map(|(_, text)| html_text(text)));
        Self { to: header(&headers, "to").unwrap_or_default().to_owned(), text: text.unwrap_or_default() }
    }

    /// Whether the mail is addressed to this mailbox, whatever the case and the display name.
    #[must_use]
    pub fn is_for(&self, address: &str) -> bool {
        self.to.split([',', ' ', '<', '>', '\t', '\n', '"', ';']).any(|word| !word.is_empty() && word.eq_ignore_ascii_case(address.trim()))
    }

    /// The eight-digit code: the one of a closing line `@host #12345678`, else the first that stands alone,
    /// also when it is written in two groups of four.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let words: Vec<&str> = self.text.split_whitespace().filter(|word| !word.contains("://")).collect();
        let bound = words.iter().filter_map(|word| word.strip_prefix('#')).find_map(|word| digits(word, 8));
        let alone = || words.iter().find_map(|word| digits(word, 8));
        let grouped = || {
            words.windows(2).find_map(|pair| match pair {
                [left, right] => Some(digits(left, 4)? + &digits(right, 4)?),
                _ => None,
            })
        };
        bound.or_else(alone).or_else(grouped)
    }

    /// The first link to this portal whose path begins with this segment.
    #[must_use]
    pub fn link(&self, portal: &Url, segment: &str) -> Option<Url> {
        let words = self.text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '(' | ')'));
        words
            .filter(|word| word.starts_with("http"))
            .filter_map(|word| Url::parse(word.trim_end_matches(['.', ',', ';'])).ok())
            .find(|url| url.origin() == portal.origin() && url.path_segments().and_then(|mut path| path.next()) == Some(segment))
    }
}

/// The word, if it is exactly so many digits once punctuation around it is taken off. One dash may divide them; a date has two.
fn digits(word: &str, count: usize) -> Option<String> {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).replacen('-', "", 1);
    (bare.len() == count && bare.bytes().all(|byte| byte.is_ascii_digit())).then_some(bare)
}

/// What an HTML part says, links included.
fn html_text(source: &str) -> String {
    // The address only resolves relative links, which mails do not have.
    let Ok(nowhere) = Url::parse("about:blank") else { return String::new() };
    let page = Page::read(nowhere, source);
    let links: Vec<String> = page.links.into_iter().map(|link| link.href).collect();
    format!("{}\n{}", page.text, links.join("\n"))
}

type Headers = Vec<(String, String)>;

/// Cuts a part into unfolded headers and body.
fn split(source: &str) -> (Headers, &str) {
    let (head, body) = match source.strip_prefix('\n') {
        Some(body) => ("", body),
        None => source.split_once("\n\n").unwrap_or((source, "")),
    };
    let mut headers: Headers = Vec::new();
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    (headers, body)
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Collects the leaves of a part with their types.
fn collect(headers: &Headers, body: &str, depth: usize, parts: &mut Vec<(String, String)>) {
    let full = header(headers, "content-type").unwrap_or("text/plain");
    let kind = full.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let boundary = kind.starts_with("multipart/").then(|| parameter(full, "boundary")).flatten();
    let Some(boundary) = boundary else {
        let encoding = header(headers, "content-transfer-encoding").unwrap_or_default().to_ascii_lowercase();
        parts.push((kind, decode(body, &encoding)));
        return;
    };
    if depth == 0 {
        return;
    }
    let delimiter = format!("--{boundary}");
    // What is before the first delimiter is a preamble; after the closing one (`--`) an epilogue.
    for part in body.split(&delimiter).skip(1).take_while(|part| !part.starts_with("--")) {
        let (inner, text) = split(part.strip_prefix('\n').unwrap_or(part));
        collect(&inner, text, depth - 1, parts);
    }
}

fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn decode(body: &str, encoding: &str) -> String {
    match encoding.trim() {
        "base64" => {
            let compact: String = body.split_whitespace().collect();
            String::from_utf8_lossy(&STANDARD.decode(compact).unwrap_or_default()).into_owned()
        }
        "quoted-printable" => quoted_printable(body),
        _ => body.to_owned(),
    }
}

/// RFC 2045 section 6.7; what is not a valid escape stays as it is.
fn quoted_printable(body: &str) -> String {
    let joined = body.replace("=\n", "");
    let mut decoded = Vec::with_capacity(joined.len());
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        decoded.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(byte.unwrap_or(b'='));
        rest = if byte.is_some() { after.get(2..).unwrap_or("") } else { after };
    }
    decoded.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_part_is_preferred_and_decoded() {
        let raw = "To: =?utf-8?Q?J=C3=B6rg?= <joerg@example.com>\r\nContent-Type: multipart/alternative;\r\n boundary=\"b1\"\r\n\r\n\
            --b1\r\nContent-Type: text/html\r\n\r\n<b>99999999</b>\r\n\
            --b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=C3=BC=C3=9Fe, your code is 1234=\r\n5678.\r\n--b1--\r\n";
        let mail = Mail::parse(raw.as_bytes());
        assert!(mail.is_for("JOERG@example.com") && !mail.is_for("org@example.com"));
        assert!(mail.text.contains("Grüße"));
        assert_eq!(mail.code().as_deref(), Some("12345678"));
    }

    #[test]
    fn base64_and_html_only_mails_are_read() {
        let text = STANDARD.encode("<p>Code: <b>8765 4321</b></p><a href='https://a.example/enroll/t'>go</a>");
        let raw = format!("To: a@b.c\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n{text}\n");
        let mail = Mail::parse(raw.as_bytes());
        assert_eq!(mail.code().as_deref(), Some("87654321"));
        assert!(mail.link(&Url::parse("https://a.example").unwrap(), "enroll").is_some());
    }

    #[test]
    fn the_bound_code_wins_over_other_numbers() {
        let mail = Mail::parse(b"To: a@b.c\n\nTicket 11111111, https://x/22222222\n@mdm.example #33333333\n");
        assert_eq!(mail.code().as_deref(), Some("33333333"));
        assert_eq!(Mail::parse(b"To: a@b.c\n\nphone 123456789\n").code(), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_mail_of_some_kind(bytes in proptest::collection::vec(0_u8.., 0..400), boundary in "[-=\n ]{0,6}") {
            let head = format!("Content-Type: multipart/mixed; boundary={boundary}\nContent-Transfer-Encoding: quoted-printable\n\n");
            let _ = Mail::parse(&[head.as_bytes(), &bytes].concat()).code();
            let _ = Mail::parse(&bytes).code();
        }
    }

    #[test]
    fn hostile_mails_are_read_to_the_end() {
        for raw in [
            "",
            "\n",
            "To",
            "Content-Type: multipart/mixed; boundary=\n\n----",
            "a: b\n\n=",
            "X: y\nContent-Transfer-Encoding: quoted-printable\n\n=é=4",
        ] {
            let _ = Mail::parse(raw.as_bytes()).code();
        }
    }
}
