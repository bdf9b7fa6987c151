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
/// What is kept in place of something that is no mail address.
const NO_ADDRESS: &str = "(no address)";
/// Most characters of what a browser calls itself.
const BROWSER_LENGTH: usize = 300;

/// From where somebody signs in.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The network address.
    pub address: String,
    /// What counts as one place to come from: the address, or of IPv6 the network that one customer has.
    pub network: String,
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
        // Whatever was typed in place of an address, perhaps a password, is neither looked for nor kept.
        let email = normalize_address(email).unwrap_or_else(|_| NO_ADDRESS.into());
        let (user, tries) = self.take_try(&email, &from.network).await?;
        let candidate = user.filter(|user| user.role.is_some() && user.state == UserState::Active);
        let hash = candidate.as_ref().and_then(|user| user.password_hash.clone()).unwrap_or_else(|| NOBODYS_HASH.into());
        let is_right = self.is_password(password, hash).await?;
        match candidate.filter(|_| is_right) {
            Some(user) => self.begin_session(user, from).await,
            None => self.refuse_sign_in(email, from, tries).await,
        }
    }

    /// Counts a try as failed before the password is compared, so that many at once are no more than many one after the other; a
    /// right password takes the failures back. Gives who has the address, and the number of the try from this network.
    async fn take_try(&self, email: &str, network: &str) -> Result<(Option<User>, usize)> {
        let (email, network, now) = (email.to_owned(), network.to_owned(), self.now());
        let taken = self.write(move |tx| {
            // Tries for one address come one after the other.
            audit::lock(tx)?;
            let failures = sessions::failures_since(tx, &email, now.plus_seconds(-FAILURE_HOURS * 3600))?;
            let user = users::find_by_email(tx, &email)?;
            let is_known = user.as_ref().map(|user| sessions::was_at(tx, user.id, &network)).transpose()?.unwrap_or(false);
            let wait = wait_seconds(&failures, &network, is_known, now);
            if wait > 0 {
                return Ok(Err(wait));
            }
            let tries = failures.iter().filter(|(from, _)| *from == network).count().saturating_add(1);
            sessions::note_failure(tx, &Failure { id: FailureId::new(), email, address: network, at: now })?;
            Ok(Ok((user, tries)))
        });
        taken.await?.map_err(|wait| Error::TooMany {
            why: format!("the password was wrong too often; wait {wait} seconds before the next try"),
            retry_after_seconds: u64::try_from(wait).unwrap_or(0),
        })
    }

    /// Compares a password, a few at a time: each comparison takes memory and time on purpose. Whoever floods this holds up nothing
    /// else.
    async fn is_password(&self, password: String, hash: String) -> Result<bool> {
        let patience = std::time::Duration::from_secs(5);
        let Ok(Ok(_place)) = tokio::time::timeout(patience, self.passwords.acquire()).await else {
            return Err(Error::TooMany {
                why: "too many people sign in at once; try again in a few seconds".into(),
                retry_after_seconds: 5,
            });
        };
        tokio::task::spawn_blocking(move || setup::is_password(&password, &hash))
            .await
            .map_err(|error| Error::internal("comparing a password", error))
    }

    async fn refuse_sign_in(&self, email: String, from: Origin, tries: usize) -> Result<String> {
        // The first few tries are told one by one, then ever fewer: strangers must not be able to fill the log.
        if tries <= 4 || tries.is_power_of_two() {
            let now = self.now();
            self.write(move |tx| {
                let actor = Actor { kind: ActorKind::User, name: email.clone() };
                let detail = json!({ "from": from.address, "tries": tries });
                Ok(audit::record(
                    tx,
                    &Entry { at: now, actor: &actor, action: "session.refuse", subject_kind: "user", subject: email, detail },
                )?)
            })
            .await?;
        }
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
            network: from.network.clone(),
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
            sessions::forgive(tx, &user.email, &from.network)?;
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

    /// Has somebody who is signed in show once more that they know their password, with the waits of a sign-in. The try counts as
    /// failed until whatever follows forgives it.
    pub(super) async fn prove_password(&self, session: &Session, user: &User, present: String) -> Result<()> {
        let hash = user.password_hash.clone().unwrap_or_else(|| NOBODYS_HASH.into());
        self.take_try(&user.email, &session.network).await?;
        if self.is_password(present, hash).await? { Ok(()) } else { Err(Error::invalid("present", "is not your present password")) }
    }

    /// Exchanges one's own password, and ends one's other sessions.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the present password is not right, or the new one is not usable.
    pub async fn change_own_password(self: &Arc<Self>, session: &Session, user: &User, present: String, new: String) -> Result<()> {
        if present == new {
            return Err(Error::invalid("password", "must be another one than before"));
        }
        self.prove_password(session, user, present).await?;
        let password_hash = setup::hash_password(new).await?;
        let (app, id, kept, before) = (Arc::clone(self), user.id, session.id, user.password_hash.clone());
        let network = session.network.clone();
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
            sessions::forgive(tx, &user.email, &network)?;
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
