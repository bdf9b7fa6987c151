//! Signs people in to the console with the password that is kept here, and knows them again by their session.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, secrets, secrets::Secret, setup};
use crate::{
    domain::{
        audit::{Actor, ActorKind},
        id::{FailureId, SessionId, UserId},
        sign_in::{FAILURE_HOURS, IDLE_MINUTES, SESSION_HOURS, wait_seconds},
        user::{Role, UserState, normalize_address},
    },
    store::{
        audit::{self, Entry},
        sessions::{self, Failure, Session},
        users::{self, User},
    },
};

/// What is compared with where nobody has this address, so that the answer takes as long as for somebody who has.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$4lpvBBFMPMDgnTHLIvRfGVcWSH8Mr8rLr3vVuIUOUGk";
/// Most characters of what a browser calls itself.
const BROWSER_LENGTH: usize = 300;

/// From where somebody signs in.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The network address.
    pub address: String,
    /// What the browser calls itself.
    pub browser: String,
}

impl App {
    /// Signs somebody in; gives the secret for the browser to keep.
    ///
    /// # Errors
    /// [`Error::Denied`] where address and password do not belong to somebody with a role, which of the reasons it is stays
    /// untold; [`Error::TooMany`] after failures.
    pub async fn sign_in(self: &Arc<Self>, email: &str, password: String, from: Origin) -> Result<String> {
        // An address that cannot be one is answered like one that nobody has.
        let email = normalize_address(email).unwrap_or_else(|_| email.chars().take(254).collect());
        let now = self.now();
        let (wanted, since) = (email.clone(), now.plus_seconds(-FAILURE_HOURS * 3600));
        let (user, failures) = self
            .read(move |conn| Ok::<_, Error>((users::find_by_email(conn, &wanted)?, sessions::failures_since(conn, &wanted, since)?)))
            .await?;
        let wait = wait_seconds(&failures, &from.address, now);
        if wait > 0 {
            return Err(Error::TooMany {
                why: format!("the password was wrong too often; wait {wait} seconds before the next try"),
                retry_after_seconds: u64::try_from(wait).unwrap_or(0),
            });
        }
        let candidate = user.filter(|user| user.role.is_some() && user.state == UserState::Active);
        let hash = candidate.as_ref().and_then(|user| user.password_hash.clone()).unwrap_or_else(|| NOBODYS_HASH.into());
        let is_right = self.is_password(password, hash).await?;
        match candidate.filter(|_| is_right) {
            Some(user) => self.begin_session(user, from).await,
            None => self.refuse_sign_in(email, from).await,
        }
    }

    /// Compares a password, a few at a time: each comparison takes memory and time on purpose.
    async fn is_password(&self, password: String, hash: String) -> Result<bool> {
        let _place = self.cryptography.acquire().await.map_err(|error| Error::internal("waiting for a place", error))?;
        tokio::task::spawn_blocking(move || setup::is_password(&password, &hash))
            .await
            .map_err(|error| Error::internal("comparing a password", error))
    }

    async fn refuse_sign_in(&self, email: String, from: Origin) -> Result<String> {
        let now = self.now();
        self.write(move |tx| {
            let failure = Failure { id: FailureId::new(), email: email.clone(), address: from.address.clone(), at: now };
            sessions::note_failure(tx, &failure)?;
            let actor = Actor { kind: ActorKind::User, name: email.clone() };
            let detail = json!({ "from": from.address });
            Ok(audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "session.refuse", subject_kind: "user", subject: email, detail },
            )?)
        })
        .await?;
        Err(Error::Denied("the address and the password do not belong together, or not to somebody who may sign in here".into()))
    }

    async fn begin_session(&self, user: User, from: Origin) -> Result<String> {
        let (secret, now) = (Secret::generate("")?, self.now());
        let session = Session {
            id: SessionId::new(),
            hash: secret.hash,
            user_id: user.id,
            browser: from.browser.chars().filter(|letter| !letter.is_control()).take(BROWSER_LENGTH).collect(),
            address: from.address.clone(),
            created_at: now,
            last_seen_at: now,
            expires_at: now.plus_seconds(SESSION_HOURS * 3600),
        };
        self.write(move |tx| {
            // The role or the password may have been taken away while the password was being compared.
            let again = users::find_for_update(tx, user.id)?
                .filter(|again| again.role.is_some() && again.state == UserState::Active && again.password_hash == user.password_hash);
            let Some(user) = again else { return Err(Error::Denied("the account was changed just now; sign in again".into())) };
            sessions::insert(tx, &session)?;
            sessions::forgive(tx, &user.email, &from.address)?;
            let actor = Actor { kind: ActorKind::User, name: user.email };
            let detail = json!({ "session": session.id, "from": from.address });
            Ok(audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "session.begin", subject_kind: "user", subject: user.id.to_string(), detail },
            )?)
        })
        .await?;
        Ok(secret.text)
    }

    /// Whose session a browser's secret names, if it has not ended and its user may still sign in. Its use is noted once a minute.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn session(&self, secret: &str) -> Result<Option<(Session, User)>> {
        let (hash, now) = (secrets::hash(secret), self.now());
        let idle_since = now.plus_seconds(-IDLE_MINUTES * 60);
        let found = self.read(move |conn| sessions::find_valid(conn, &hash, idle_since, now)).await?;
        let Some((session, user)) = found.filter(|(_, user)| user.role.is_some() && user.state == UserState::Active) else {
            return Ok(None);
        };
        if now.since(session.last_seen_at).as_secs() >= 60 {
            let id = session.id;
            self.write(move |tx| Ok(sessions::touch(tx, id, now)?)).await?;
        }
        Ok(Some((session, user)))
    }

    /// Exchanges one's own password, and ends one's other sessions.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the present password is not right, or the new one is not usable.
    pub async fn change_own_password(self: &Arc<Self>, session: &Session, user: &User, present: String, new: String) -> Result<()> {
        let hash = user.password_hash.clone().unwrap_or_else(|| NOBODYS_HASH.into());
        if present == new {
            return Err(Error::invalid("password", "must be another one than before"));
        }
        if !self.is_password(present, hash).await? {
            return Err(Error::invalid("present", "is not your present password"));
        }
        let password_hash = setup::hash_password(new).await?;
        let (app, id, kept, before) = (Arc::clone(self), user.id, session.id, user.password_hash.clone());
        self.write(move |tx| {
            let mut user = users::find_for_update(tx, id)?.ok_or(Error::NotFound("user"))?;
            if user.password_hash != before {
                return Err(Error::Conflict("the password was changed elsewhere just now; sign in again".into()));
            }
            user.password_hash = Some(password_hash);
            user.must_change_password = false;
            user.updated_at = app.now();
            users::update(tx, &user)?;
            let ended = sessions::end_of_user(tx, id, Some(kept))?;
            let actor = Actor { kind: ActorKind::User, name: user.email };
            let detail = json!({ "sessions_ended": ended });
            Ok(audit::record(
                tx,
                &Entry { at: app.now(), actor: &actor, action: "user.password", subject_kind: "user", subject: id.to_string(), detail },
            )?)
        })
        .await
    }

    /// Ends a session: one's own, or, for those who may, somebody else's.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a session that the caller may not end.
    pub async fn end_session(&self, actor: Actor, id: SessionId, of: Option<UserId>) -> Result<()> {
        let now = self.now();
        self.write(move |tx| {
            let owner = sessions::owner(tx, id)?.filter(|owner| of.is_none_or(|user| user == *owner)).ok_or(Error::NotFound("session"))?;
            sessions::delete(tx, id)?;
            let detail = json!({ "session": id });
            Ok(audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "session.end", subject_kind: "user", subject: owner.to_string(), detail },
            )?)
        })
        .await
    }

    /// The secret of the address where the first administrator is created. Every server with the same key file has the same, and it
    /// is good for as long as there is no administrator.
    ///
    /// # Errors
    /// OpenSSL refuses.
    pub fn setup_secret(&self) -> Result<String> {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        Ok(URL_SAFE_NO_PAD.encode(self.keys.keyed_hash("console set-up", &[])?))
    }

    /// Whether there is no administrator yet.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn needs_setup(&self) -> Result<bool> {
        Ok(self.read(|conn| users::count_role(conn, Role::Administrator)).await? == 0)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn nobodys_hash_is_one_that_takes_its_time() {
        assert!(argon2::PasswordHash::new(super::NOBODYS_HASH).is_ok());
    }
}
