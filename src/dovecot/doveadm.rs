//! Ends sessions through doveadm's HTTP interface (`doveadm kick`).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, StatusCode, header::AUTHORIZATION, redirect::Policy};
use serde_json::{Value, json};

/// How long Dovecot may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// What doveadm says where the user has no session (`EX_NOHOST`).
const NOBODY: i64 = 68;

/// Why sessions could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum KickError {
    /// There was no answer.
    #[error("doveadm cannot be reached: {0}")]
    Unreachable(String),
    /// The key is another one.
    #[error("doveadm does not accept the key; give the value of doveadm_api_key in the settings of mail access")]
    Key,
    /// It answered with another status.
    #[error("doveadm answered with status {0}")]
    Status(u16),
    /// It could not do it.
    #[error("doveadm could not end the sessions (code {0})")]
    Failed(i64),
    /// Its answer cannot be understood.
    #[error("what answered is not doveadm's HTTP interface")]
    Form,
}

/// Why nothing can be sent at all.
#[derive(Debug, thiserror::Error)]
#[error("the client for doveadm cannot be made")]
pub struct SetUpError(#[source] reqwest::Error);

/// Speaks to doveadm.
pub struct Doveadm(Client);

impl Doveadm {
    /// Sets it up.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new() -> Result<Self, SetUpError> {
        let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE);
        Ok(Self(client.build().map_err(SetUpError)?))
    }

    /// Ends every session of a user; that there was none is as good.
    ///
    /// * `url`: where doveadm listens; no slash at the end.
    /// * `key`: `doveadm_api_key`.
    ///
    /// # Errors
    /// [`KickError`] says why not.
    pub async fn kick(&self, url: &str, key: &str, user: &str) -> Result<(), KickError> {
        let request = self
            .0
            .post(format!("{url}/doveadm/v1"))
            .header(AUTHORIZATION, format!("X-Dovecot-API {}", STANDARD.encode(key)))
            .json(&json!([["kick", { "mask": [user] }, "enlist"]]));
        let answer = request.send().await.map_err(described)?;
        match answer.status() {
            StatusCode::OK => judge(&answer.json().await.map_err(|_| KickError::Form)?),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(KickError::Key),
            other => Err(KickError::Status(other.as_u16())),
        }
    }
}

/// `[["doveadmResponse", …, tag]]` or `[["error", {"type": "exitCode", "exitCode": 68}, tag]]`.
fn judge(answer: &Value) -> Result<(), KickError> {
    match answer.pointer("/0/0").and_then(Value::as_str) {
        Some("doveadmResponse") => Ok(()),
        Some("error") => match answer.pointer("/0/1/exitCode").and_then(Value::as_i64) {
            Some(NOBODY) => Ok(()),
            code => Err(KickError::Failed(code.unwrap_or(-1))),
        },
        _ => Err(KickError::Form),
    }
}

/// What went wrong, down to its cause, without the address.
fn described(error: reqwest::Error) -> KickError {
    use std::error::Error;
    if error.is_timeout() {
        return KickError::Unreachable(format!("no answer within {PATIENCE:?}"));
    }
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    KickError::Unreachable(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_was_there_is_as_good() {
        assert!(judge(&json!([["doveadmResponse", [{ "result": "ada" }], "enlist"]])).is_ok());
        assert!(judge(&json!([["error", { "type": "exitCode", "exitCode": 68 }, "enlist"]])).is_ok());
        assert!(matches!(judge(&json!([["error", { "type": "exitCode", "exitCode": 75 }, "enlist"]])), Err(KickError::Failed(75))));
        assert!(matches!(judge(&json!([["error", { "type": "unknownMethod" }, "enlist"]])), Err(KickError::Failed(-1))));
        assert!(matches!(judge(&json!({ "ok": true })), Err(KickError::Form)));
    }
}
