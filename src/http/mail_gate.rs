//! The policy server that Dovecot asks about each login (`auth_policy_server_url`). This file only translates.
//!
//! Dovecot takes every answer but a 20x for a failure, and what it does then is in its own configuration
//! (`auth_policy_reject_on_fail`).

use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::{extract::caller::bearer_token, prose::chain};
use crate::service::{
    App, Error,
    mail_gate::{MailLogin, MailVerdict},
};

/// What Dovecot wants.
#[derive(Debug, Deserialize)]
pub struct DovecotQuery {
    /// `allow` or `report`.
    #[serde(default)]
    command: String,
}

/// A login, as `auth_policy_request_attributes` names its parts. Dovecot adds more, which nobody here needs.
#[derive(Debug, Deserialize)]
struct Login {
    /// SHA-256 in hexadecimal digits.
    pwhash: String,
    /// The client's address.
    #[serde(default)]
    remote: String,
    /// Whether the login went well; with `report` only.
    #[serde(default)]
    success: bool,
}

/// `POST /gate/v1/mail/dovecot`. The body is read for whoever has shown the key.
pub async fn answer_dovecot(
    request: HttpRequest,
    app: web::Data<App>,
    query: web::Query<DovecotQuery>,
    payload: web::Payload,
) -> HttpResponse {
    let Some(key) = bearer_token(&request) else { return HttpResponse::Unauthorized().finish() };
    let app = app.into_inner();
    match app.is_key_of_dovecot(&key).await {
        Ok(true) => {}
        Ok(false) => return refuse(),
        Err(error) => return fail(&error),
    }
    let body = match web::Bytes::from_request(&request, &mut payload.into_inner()).await {
        Ok(body) => body,
        Err(error) => return error.error_response(),
    };
    let Ok(login) = serde_json::from_slice::<Login>(&body) else { return unreadable() };
    let Some(password_hash) = bytes_of(&login.pwhash) else { return unreadable() };
    let known = MailLogin { password_hash, address: login.remote.chars().filter(|c| !c.is_control()).take(64).collect() };
    let answer = match query.command.as_str() {
        "allow" => app.may_read_mail(key, known).await,
        "report" => app.note_mail_login(key, known, login.success).await.map(|()| MailVerdict::Proceed),
        _ => return unreadable(),
    };
    match answer {
        Ok(MailVerdict::Proceed) => HttpResponse::Ok().json(json!({ "status": 0, "msg": "" })),
        Ok(MailVerdict::Refuse(text)) => HttpResponse::Ok().json(json!({ "status": -1, "msg": text })),
        // The key was exchanged in this very moment.
        Err(Error::Denied(_)) => refuse(),
        Err(error) => fail(&error),
    }
}

/// Anybody can cause this, so it is no line of the usual log.
fn refuse() -> HttpResponse {
    tracing::debug!("a mail server was refused: the key is not the one that was made for Dovecot");
    HttpResponse::Unauthorized().finish()
}

fn fail(error: &Error) -> HttpResponse {
    if let Error::Unavailable(..) = error {
        return HttpResponse::ServiceUnavailable().insert_header(("retry-after", "2")).finish();
    }
    tracing::error!(cause = chain(error), "a mail server's question could not be answered");
    HttpResponse::InternalServerError().finish()
}

fn unreadable() -> HttpResponse {
    tracing::warn!("a mail server's question cannot be understood: its configuration is not the one that the documentation gives");
    HttpResponse::BadRequest().finish()
}

/// The bytes of 64 hexadecimal digits.
fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hash {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at.checked_add(2)?)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_hash_is_one() {
        assert_eq!(bytes_of(&"0f".repeat(32)), Some(vec![15; 32]));
        for odd in ["", "0f", &"0g".repeat(32), &"+1".repeat(32), &"0f".repeat(33)] {
            assert_eq!(bytes_of(odd), None, "{odd}");
        }
    }
}
