//! Signatures of requests and answers: `SHA1(secret ‖ value)` in upper-case hexadecimal digits. Not a MAC that anybody would
//! invent today, and with the secret of the published launcher it proves nothing at all.

use std::fmt::Write as _;

use openssl::sha::Sha1;

use super::PROJECT;

/// The secret that is compiled into the launcher as its vendor publishes it, and so no secret.
pub const STOCK_SECRET: &str = "changeme-C3z9vi54";

/// The signature of a value.
#[must_use]
pub fn sign(secret: &str, value: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(secret.as_bytes());
    hash.update(value.as_bytes());
    hash.finish().iter().fold(String::with_capacity(40), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// The signature of an answer: of the text of its `data` without any white space.
#[must_use]
pub fn sign_data(secret: &str, data: &str) -> String {
    let bare: String = data.chars().filter(|character| !matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')).collect();
    sign(secret, &bare)
}

/// Whether a signature is that of one of these values. The case of its digits does not matter.
#[must_use]
pub fn is_of(secret: &str, given: &str, values: &[String]) -> bool {
    let given = given.to_ascii_uppercase();
    values.iter().any(|value| {
        let wanted = sign(secret, value);
        wanted.len() == given.len() && openssl::memcmp::eq(wanted.as_bytes(), given.as_bytes())
    })
}

/// What a request for a configuration is signed over.
#[must_use]
pub fn of_configuration(number: &str) -> Vec<String> {
    vec![number.to_owned()]
}

/// What a request for push messages is signed over. The launcher takes the address without a slash at its beginning, and servers
/// that work with an empty project take it with one.
#[must_use]
pub fn of_polling(number: &str) -> Vec<String> {
    let path = format!("{PROJECT}/rest/notification/polling/{number}");
    vec![format!("/{path}"), path]
}

/// What a download is signed over: the address after `/files/`.
#[must_use]
pub fn of_download(rest: &str) -> Vec<String> {
    vec![rest.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with the vendor's own code.
    #[test]
    fn the_known_signature_of_a_number_comes_out() {
        let known = "C8F4DE053160B297AAD2DD18B950A4745D7E9936";
        assert_eq!(sign(STOCK_SECRET, "dev-001"), known);
        assert!(is_of(STOCK_SECRET, known, &of_configuration("dev-001")));
        assert!(is_of(STOCK_SECRET, &known.to_lowercase(), &of_configuration("dev-001")));
        assert!(!is_of(STOCK_SECRET, known, &of_configuration("dev-002")));
        assert!(!is_of("another secret", known, &of_configuration("dev-001")));
        assert!(!is_of(STOCK_SECRET, "", &of_configuration("dev-001")));
    }

    #[test]
    fn a_poll_may_be_signed_with_and_without_the_slash() {
        for value in ["android/hw/rest/notification/polling/n", "/android/hw/rest/notification/polling/n"] {
            assert!(is_of(STOCK_SECRET, &sign(STOCK_SECRET, value), &of_polling("n")), "{value}");
        }
    }

    #[test]
    fn white_space_in_an_answer_does_not_change_its_signature() {
        assert_eq!(sign_data("s", "{\"a\": [1,\r\n\t2]}"), sign("s", "{\"a\":[1,2]}"));
    }
}
