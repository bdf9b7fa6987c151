//! API tokens: made, recognized, taken back.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, mail_access, secrets, secrets::Secret};
use crate::{
    domain::{
        audit::{Actor, ActorKind},
        id::TokenId,
        user::{Permission, Role, UserState},
    },
    store::{
        Tx,
        audit::{self, Entry},
        sessions::{self, Session},
        tokens::{self, Maker, Token},
        users::{self, User},
    },
};

/// Tells people and secret scanners what it is.
const PREFIX: &str = "enlist_";
/// Who made a token that was made by a command on the server. No mail address is like it.
const COMMAND_LINE: &str = "command line";

/// Whether whoever made a token could make it today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They could, or it was made by a command on the server.
    Good,
    /// They are no longer an administrator, or no longer a user at all.
    Gone,
    /// It was not noted who it was.
    Unknown,
}

/// Whether whoever made a token could make it today.
#[must_use]
pub fn standing(token: &Token, maker: Option<Maker>) -> Standing {
    match (token.created_by.as_deref(), maker) {
        (None, _) => Standing::Unknown,
        (Some(COMMAND_LINE), _) => Standing::Good,
        (Some(_), Some(maker)) if may_make(maker.role, maker.state) => Standing::Good,
        (Some(_), _) => Standing::Gone,
    }
}

fn may_make(role: Option<Role>, state: UserState) -> bool {
    state == UserState::Active && role.is_some_and(|role| role.may(Permission::ManageSettings))
}

impl App {
    /// Makes a token for whoever has a shell on the server; it is shown this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the name is not usable, [`Error::Conflict`] where it is taken.
    pub async fn create_token(&self, actor: Actor, name: String, role: Role) -> Result<String> {
        let (secret, token) = self.draft_token(name, role)?;
        self.write(move |tx| keep(tx, &actor, &Token { created_by: Some(COMMAND_LINE.into()), ..token })).await?;
        Ok(secret)
    }

    /// Makes a token for somebody who is signed in and types their own password once more; it is shown this once.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the name is not usable or `present` is not the password, [`Error::Conflict`] where the name is
    /// taken or the account was changed meanwhile, [`Error::TooMany`] after failures.
    pub async fn create_own_token(
        self: &Arc<Self>,
        session: &Session,
        user: &User,
        present: String,
        name: String,
        role: Role,
    ) -> Result<String> {
        let (secret, token) = self.draft_token(name, role)?;
        self.prove_password(session, user, present).await?;
        let (id, before, network) = (user.id, user.password_hash.clone(), session.network.clone());
        self.write(move |tx| {
            // The role or the password may have been taken away while the password was being compared.
            let again = users::find_for_update(tx, id)?.filter(|again| again.password_hash == before && may_make(again.role, again.state));
            let Some(user) = again else { return Err(Error::Conflict("the account was changed just now; sign in again".into())) };
            sessions::forgive(tx, &user.email, &network)?;
            let actor = Actor { kind: ActorKind::User, name: user.email.clone() };
            keep(tx, &actor, &Token { created_by: Some(user.email), created_by_user: Some(id), ..token })
        })
        .await?;
        Ok(secret)
    }

    /// A token that nobody has made yet, with its text.
    fn draft_token(&self, name: String, role: Role) -> Result<(String, Token)> {
        if name.trim().is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err(Error::invalid("name", "must be 1 to 60 characters without line breaks"));
        }
        let secret = Secret::generate(PREFIX)?;
        let token = Token {
            id: TokenId::new(),
            name,
            role,
            hash: secret.hash,
            created_at: self.now(),
            revoked_at: None,
            created_by: None,
            created_by_user: None,
        };
        Ok((secret.text, token))
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

    /// Whether this is the key that was made for Dovecot.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn is_key_of_dovecot(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        self.read(move |conn| mail_access::is_dovecot(conn, &key)).await
    }

    /// Takes back every token of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revoke_tokens(&self, actor: Actor, name: String) -> Result<usize> {
        // No token is called so, and PostgreSQL does not even take the question where there is a NUL in it.
        if name.chars().any(char::is_control) {
            return Err(Error::NotFound("token"));
        }
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

fn keep(tx: &mut Tx<'_>, actor: &Actor, token: &Token) -> Result<()> {
    if tokens::list(tx)?.iter().any(|other| other.name == token.name && other.revoked_at.is_none()) {
        let why = format!("there is a valid token named {} already; the audit log could not tell them apart", token.name);
        return Err(Error::Conflict(why));
    }
    tokens::insert(tx, token)?;
    let (subject, detail) = (token.id.to_string(), json!({ "name": token.name, "role": token.role }));
    Ok(audit::record(tx, &Entry { at: token.created_at, actor, action: "token.create", subject_kind: "token", subject, detail })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{id::UserId, time::Timestamp};

    #[test]
    fn a_token_stands_as_long_as_its_maker_could_make_it_again() {
        let of = |created_by: Option<&str>| Token {
            id: TokenId::new(),
            name: "backup".into(),
            role: Role::Auditor,
            hash: Vec::new(),
            created_at: Timestamp::from_millis(0),
            revoked_at: None,
            created_by: created_by.map(str::to_owned),
            created_by_user: Some(UserId::new()),
        };
        let maker = |role, state| Some(Maker { role, state });
        let ada = of(Some("ada@example.com"));
        assert_eq!(standing(&ada, maker(Some(Role::Administrator), UserState::Active)), Standing::Good);
        assert_eq!(standing(&ada, maker(Some(Role::Administrator), UserState::Disabled)), Standing::Gone);
        assert_eq!(standing(&ada, maker(Some(Role::Helpdesk), UserState::Active)), Standing::Gone);
        assert_eq!(standing(&ada, maker(None, UserState::Active)), Standing::Gone);
        assert_eq!(standing(&ada, None), Standing::Gone);
        assert_eq!(standing(&of(Some(COMMAND_LINE)), None), Standing::Good);
        assert_eq!(standing(&of(None), None), Standing::Unknown);
    }
}
