//! API tokens: made, recognized, taken back.

use serde_json::json;

use super::{App, Error, Result, secrets, secrets::Secret};
use crate::{
    domain::{
        audit::{Actor, ActorKind},
        id::TokenId,
        user::Role,
    },
    store::{
        audit::{self, Entry},
        tokens::{self, Token},
    },
};

/// Tells people and secret scanners what it is.
const PREFIX: &str = "enlist_";

impl App {
    /// Makes a token; it is shown this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the name is not usable.
    pub async fn create_token(&self, actor: Actor, name: String, role: Role) -> Result<String> {
        if name.trim().is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "must be 1 to 60 characters without line breaks"));
        }
        let (secret, now) = (Secret::generate(PREFIX)?, self.now());
        let token = Token { id: TokenId::new(), name: name.clone(), role, hash: secret.hash, created_at: now, revoked_at: None };
        self.write(move |tx| {
            if tokens::list(tx)?.iter().any(|other| other.name == name && other.revoked_at.is_none()) {
                return Err(Error::Conflict(format!(
                    "there is a valid token named {name} already; the audit log could not tell them apart"
                )));
            }
            tokens::insert(tx, &token)?;
            let detail = json!({ "name": name, "role": role });
            Ok(audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "token.create", subject_kind: "token", subject: token.id.to_string(), detail },
            )?)
        })
        .await?;
        Ok(secret.text)
    }

    /// Who holds this token, and what they may do; `None` where it is not valid.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn holder_of(&self, token: &str) -> Result<Option<(Actor, Role)>> {
        let hash = secrets::hash(token);
        let found = self.read(move |conn| tokens::find_valid(conn, &hash)).await?;
        Ok(found.map(|token| (Actor { kind: ActorKind::Token, name: token.name }, token.role)))
    }

    /// Takes back every token of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revoke_tokens(&self, actor: Actor, name: String) -> Result<usize> {
        let now = self.now();
        self.write(move |tx| {
            let count = tokens::revoke(tx, &name, now)?;
            if count == 0 {
                return Err(Error::NotFound("token"));
            }
            let detail = json!({ "name": name, "count": count });
            audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "token.revoke", subject_kind: "token", subject: name.clone(), detail },
            )?;
            Ok(count)
        })
        .await
    }
}
