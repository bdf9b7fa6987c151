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
    service::{
        Error,
        tokens::{Standing, standing},
    },
    store::tokens::{self, Maker, Token},
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
    /// Who made it; nothing where that was not noted.
    maker: Option<String>,
    /// It is valid, and whoever made it is no longer an administrator.
    is_orphan: bool,
    revoked: Option<When>,
}

#[derive(Debug, Serialize)]
struct TokensView {
    tokens: Vec<TokenRow>,
    has_orphans: bool,
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
    #[serde(default)]
    present: String,
}

/// `POST /console/tokens`: makes one and shows it, to somebody who types their own password once more.
pub async fn post_token(form: Form<TokenForm>) -> Result<HttpResponse, Problem> {
    let (admin, TokenForm { name, role, present }) = (form.admin, form.fields);
    let frame = Frame::new(&admin, "/console/tokens", "API tokens");
    match admin.app.create_own_token(&admin.session, &admin.user, present, name.trim().to_owned(), role).await {
        Ok(secret) => show(&admin, frame, StatusCode::OK, Some(secret), String::new()).await,
        Err(Error::Invalid { field, why }) => {
            let what = if field == "present" { "What you typed as your password" } else { "The name" };
            let why = sentence(&format!("{what} {why}"));
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
    let found = admin.app.read(|conn| Ok::<_, Error>(tokens::list_with_makers(conn)?)).await?;
    let row = |(token, maker): (Token, Option<Maker>)| TokenRow {
        is_orphan: token.revoked_at.is_none() && standing(&token, maker) == Standing::Gone,
        name: token.name,
        role: token.role,
        created: When::new(token.created_at, now),
        maker: token.created_by,
        revoked: When::some(token.revoked_at, now),
    };
    let tokens: Vec<TokenRow> = found.into_iter().rev().map(row).collect();
    let view = TokensView { has_orphans: tokens.iter().any(|token| token.is_orphan), tokens, secret, name };
    Ok(frame.show_as(admin, status, "console/tokens", &view))
}
