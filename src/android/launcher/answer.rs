//! The envelope of every answer. A launcher that checks signatures takes the data out of it by looking for the first `"data":` and
//! the last brace, so that it must come last and be named nowhere before.

use serde::Serialize;

use super::signature;

/// An answer, and its signature for the header `X-Response-Signature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The JSON text.
    pub text: String,
    /// The signature.
    pub signature: String,
}

/// Why a launcher's request was not done, in the words that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such device.
    NotFound,
    /// The signature is not right.
    Denied,
    /// The number was used by a device already.
    Duplicate,
    /// Anything else.
    Internal,
}

impl Refusal {
    /// The word for it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::NotFound => "error.notfound.device",
            Self::Denied => "error.permission.denied",
            Self::Duplicate => "error.duplicate.device",
            Self::Internal => "error.internal.server",
        }
    }
}

/// An answer with these data.
///
/// # Errors
/// The data cannot be written as JSON.
pub fn with_data(secret: &str, data: &impl Serialize) -> Result<Answer, serde_json::Error> {
    let data = serde_json::to_string(data)?;
    let signature = signature::sign_data(secret, &data);
    Ok(Answer { text: format!("{{\"status\":\"OK\",\"message\":null,\"data\":{data}}}"), signature })
}

/// An answer that says no. Launchers expect it with the status 200.
#[must_use]
pub fn refusing(secret: &str, refusal: Refusal) -> Answer {
    let text = format!("{{\"status\":\"ERROR\",\"message\":\"{}\",\"data\":null}}", refusal.key());
    Answer { text, signature: signature::sign_data(secret, "null") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_data_can_be_taken_out_and_its_signature_is_right() {
        let answer = with_data("s", &json!({ "a": "b c", "data": [1] })).unwrap();
        assert!(answer.text.starts_with("{\"status\":\"OK\",\"message\":null,\"data\":{"));
        let start = answer.text.find("\"data\":").unwrap() + 7;
        let data = &answer.text[start..answer.text.rfind('}').unwrap()];
        assert_eq!(answer.signature, signature::sign_data("s", data));
        assert_eq!(with_data("s", &json!(null)).unwrap().text, "{\"status\":\"OK\",\"message\":null,\"data\":null}");
    }

    #[test]
    fn a_refusal_has_the_launchers_own_word() {
        assert_eq!(refusing("s", Refusal::Duplicate).text, "{\"status\":\"ERROR\",\"message\":\"error.duplicate.device\",\"data\":null}");
    }
}
