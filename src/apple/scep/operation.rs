//! Which operation a request is, read from the query string, and the answer to `GetCACert`.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use openssl::x509::X509Ref;

use crate::pki::{During, Error, cms::certificates_only};

/// Largest message in a URL, in base64 characters. Larger ones come by POST.
pub const MAX_QUERY_BYTES: usize = 64 * 1024;

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GetCACaps`: answer [`capabilities`](super::capabilities()).
    GetCaCaps,
    /// `GetCACert`: answer [`ca_certificates`].
    GetCaCert,
    /// `PKIOperation`: the message from the URL, or `None` if it is the body of a POST.
    PkiOperation(Option<Vec<u8>>),
}

/// Why a query string is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// No operation, or one that is not offered.
    #[error("the SCEP operation is not offered")]
    Unknown,
    /// Longer than [`MAX_QUERY_BYTES`].
    #[error("the SCEP message in the URL is too long")]
    TooLong,
    /// The message is not base64.
    #[error("the SCEP message in the URL is not base64")]
    NotBase64,
}

impl Operation {
    /// Reads the query string as it stands in the URL, not yet decoded (a form decoder would turn `+` into a space; one
    /// that a proxy turned already is turned back).
    pub fn parse(query: &str) -> Result<Self, OperationError> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(OperationError::TooLong);
        }
        let find = |wanted: &str| {
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == wanted).map(|(_, value)| value)
        };
        match find("operation") {
            Some("GetCACaps") => Ok(Self::GetCaCaps),
            Some("GetCACert") => Ok(Self::GetCaCert),
            Some("PKIOperation") => match find("message") {
                Some(message) if !message.is_empty() => decode(message).map(|message| Self::PkiOperation(Some(message))),
                _ => Ok(Self::PkiOperation(None)),
            },
            _ => Err(OperationError::Unknown),
        }
    }
}

fn decode(message: &str) -> Result<Vec<u8>, OperationError> {
    let unescaped = percent_decode(message).ok_or(OperationError::NotBase64)?;
    let base64: Vec<u8> =
        unescaped.into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).map(|byte| if byte == b' ' { b'+' } else { byte }).collect();
    BASE64.decode(base64).map_err(|_| OperationError::NotBase64)
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(rest.as_bytes());
    }
    Some(out)
}

/// The answer to `GetCACert`: its media type and its bytes (RFC 8894, section 4.2.1).
///
/// With a registration authority it is a bundle of both. Clients that number the certificates by position find the
/// authority first; the reliable way to tell them apart is their key usage.
pub fn ca_certificates(ca: &X509Ref, ra: Option<&X509Ref>) -> Result<(&'static str, Vec<u8>), Error> {
    match ra {
        Some(ra) => Ok(("application/x-x509-ca-ra-cert", certificates_only(&[ca, ra])?)),
        None => Ok(("application/x-x509-ca-cert", ca.to_der().during("encode the authority's certificate")?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_recognised() {
        assert_eq!(Operation::parse("operation=GetCACaps&message=Example"), Ok(Operation::GetCaCaps));
        assert_eq!(Operation::parse("message=0&operation=GetCACert"), Ok(Operation::GetCaCert));
        assert_eq!(Operation::parse("operation=PKIOperation"), Ok(Operation::PkiOperation(None)));
        for bad in ["", "operation", "operation=", "operation=GetNextCACert", "Operation=GetCACaps"] {
            assert_eq!(Operation::parse(bad), Err(OperationError::Unknown), "{bad}");
        }
    }

    #[test]
    fn a_plus_survives_however_it_arrives() {
        let wanted = Ok(Operation::PkiOperation(Some(vec![0xfb, 0xef, 0xff, 0x01])));
        for message in ["++//AQ==", "%2B%2b%2F/AQ%3D%3D", "%20+//AQ==", "  //AQ==", "++//AQ", "++%0A//%0D%0AAQ=="] {
            assert_eq!(Operation::parse(&format!("operation=PKIOperation&message={message}")), wanted, "{message}");
        }
    }

    #[test]
    fn rubbish_in_the_message_is_refused() {
        for bad in ["%", "%4", "%zz", "%+1AA", "a", "ä", "%ff%fe", "!!!!"] {
            assert_eq!(Operation::parse(&format!("operation=PKIOperation&message={bad}")), Err(OperationError::NotBase64), "{bad}");
        }
        assert_eq!(Operation::parse(&"x".repeat(MAX_QUERY_BYTES + 1)), Err(OperationError::TooLong));
    }
}
