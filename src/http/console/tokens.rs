//! API tokens: made, shown once, taken back.

use actix_web::{HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{frame::Frame, see, show::When};
use crate::{
    domain::user::Role,
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::Error,
    store::tokens,
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct TokensQuery {
    #[serde(default)]
    done: String,
}

#[derive(Debug, Serialize)]
struct TokenRow {
    name: String,
    role: Role,
    created: When,
    revoked: Option<When>,
}

#[derive(Debug, Serialize)]
struct TokensView {
    tokens: Vec<TokenRow>,
    /// The one that was just made; it is never shown again.
    secret: Option<String>,
    name: String,
}

/// `GET /console/tokens`
pub async fn get_tokens(admin: Admin, query: actix_web::web::Query<TokensQuery>) -> Result<HttpResponse, Problem> {
    let done = (query.done == "revoked").then_some("The token was taken back. Programs that used it are refused from now on.");
    let frame = Frame::new(&admin, "/console/tokens", "API tokens").done(done);
    show(&admin, frame, StatusCode::OK, None, String::new()).await
}

/// A new token.
#[derive(Debug, Deserialize)]
pub struct TokenForm {
    name: String,
    role: Role,
}

/// `POST /console/tokens`: makes one and shows it.
pub async fn post_token(form: Form<TokenForm>) -> Result<HttpResponse, Problem> {
    let (admin, TokenForm { name, role }) = (form.admin, form.fields);
    let frame = Frame::new(&admin, "/console/tokens", "API tokens");
    match admin.app.create_token(admin.actor.clone(), name.trim().to_owned(), role).await {
        Ok(secret) => show(&admin, frame, StatusCode::OK, Some(secret), String::new()).await,
        Err(Error::Invalid { why, .. }) => {
            let why = sentence(&format!("The name {why}"));
            show(&admin, frame.refused(Some(why)), StatusCode::BAD_REQUEST, None, name).await
        }
        Err(Error::Conflict(why)) => show(&admin, frame.refused(Some(sentence(&why))), StatusCode::CONFLICT, None, name).await,
        Err(error) => Err(error.into()),
    }
}

/// Which token is taken back, and whether that was confirmed.
#[derive(Debug, Deserialize)]
pub struct RevokeForm {
    name: String,
    #[serde(default)]
    confirm: String,
}

#[derive(Debug, Serialize)]
struct RevokeView {
    name: String,
}

/// `POST /console/tokens/revoke`: asks first, then takes the token back.
pub async fn post_revoke(form: Form<RevokeForm>) -> Result<HttpResponse, Problem> {
    let (admin, RevokeForm { name, confirm }) = (form.admin, form.fields);
    if confirm != "yes" {
        let frame = Frame::new(&admin, "/console/tokens", "Take this token back?").below("/console/tokens", "API tokens");
        return Ok(frame.show(&admin, "console/token_revoke", &RevokeView { name }));
    }
    admin.app.revoke_tokens(admin.actor.clone(), name).await?;
    Ok(see("/console/tokens?done=revoked"))
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, secret: Option<String>, name: String) -> Result<HttpResponse, Problem> {
    let now = admin.app.now();
    let found = admin.app.read(|conn| Ok::<_, Error>(tokens::list(conn)?)).await?;
    let row = |token: tokens::Token| TokenRow {
        name: token.name,
        role: token.role,
        created: When::new(token.created_at, now),
        revoked: When::some(token.revoked_at, now),
    };
    let view = TokensView { tokens: found.into_iter().rev().map(row).collect(), secret, name };
    Ok(frame.show_as(admin, status, "console/tokens", &view))
}
