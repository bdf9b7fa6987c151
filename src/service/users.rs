//! Users: created, changed, removed.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, setup::hash_password};
use crate::{
    domain::{
        audit::Actor,
        id::{GroupId, UserId},
        user::{Permission, Role, UserState, normalize_address},
    },
    store::{
        Tx,
        audit::{self, Entry},
        devices,
        enrollments::{self, Stage},
        groups, sessions,
        users::{self, User},
    },
};

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their password for the console.
    pub password: Option<String>,
    /// They must choose another when they first sign in.
    pub must_change_password: bool,
    /// Their groups.
    pub groups: Vec<GroupId>,
    /// Their role.
    pub role: Option<Role>,
    /// The language of the mails to them; none for the organization's.
    pub language: Option<String>,
}

/// A change of a user; what is left out stays. A role of `Some(None)` is taken away.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// A new name.
    pub name: Option<String>,
    /// A new address.
    pub email: Option<String>,
    /// A new password.
    pub password: Option<String>,
    /// Whether it must be changed.
    pub must_change_password: Option<bool>,
    /// A new role.
    pub role: Option<Option<Role>>,
    /// Whether they take part.
    pub state: Option<UserState>,
    /// A new language of the mails to them; `Some(None)` for the organization's.
    pub language: Option<Option<String>>,
}

impl App {
    /// Creates a user.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value is not usable, [`Error::Conflict`] where the address is taken.
    pub async fn create_user(self: &Arc<Self>, actor: Actor, new: NewUser) -> Result<User> {
        let email = normalize_address(&new.email).map_err(|why| Error::invalid("email", why))?;
        let name = checked_name(&new.name)?;
        if let Some(language) = &new.language {
            self.check_language("language", language)?;
        }
        let password_hash = match new.password {
            Some(password) => Some(hash_password(password).await?),
            None => None,
        };
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let user = User {
                id: UserId::new(),
                email,
                name,
                source: "local".into(),
                role: new.role,
                state: UserState::Active,
                password_hash,
                must_change_password: new.must_change_password,
                created_at: now,
                updated_at: now,
                language: new.language,
            };
            app.create_user_in(tx, &actor, &user, &new.groups)?;
            Ok(user)
        })
        .await
    }

    /// Creates a user in a transaction that does more.
    pub(super) fn create_user_in(&self, tx: &mut Tx<'_>, actor: &Actor, user: &User, members_of: &[GroupId]) -> Result<()> {
        if users::find_by_email(tx, &user.email)?.is_some() {
            return Err(taken());
        }
        users::insert(tx, user)?;
        for group in members_of {
            groups::find(tx, *group)?.ok_or_else(|| Error::invalid("groups", format!("there is no group {group}")))?;
            groups::add_member(tx, *group, user.id)?;
        }
        let detail = json!({ "email": user.email, "name": user.name, "role": user.role, "groups": members_of });
        self.note_user(tx, actor, "user.create", user.id, detail)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], or [`Error::Conflict`] where nobody would be left to administer the server.
    pub async fn change_user(self: &Arc<Self>, actor: Actor, role: Role, id: UserId, change: UserChange) -> Result<User> {
        let email = change.email.as_deref().map(normalize_address).transpose().map_err(|why| Error::invalid("email", why))?;
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let password_hash = match change.password.clone() {
            Some(password) => Some(hash_password(password).await?),
            None => None,
        };
        let app = Arc::clone(self);
        self.write(move |tx| {
            users::lock_role(tx, Role::Administrator)?;
            let before = users::find_for_update(tx, id)?.ok_or(Error::NotFound("user"))?;
            // One that has vanished from the server may stay as it is.
            if let Some(Some(language)) = change.language.as_ref().filter(|language| **language != before.language) {
                app.check_language("language", language)?;
            }
            // Whoever can change an administrator's address, password or state can become one.
            if before.role.is_some() || change.role.is_some() || change.password.is_some() {
                may_manage_roles(role)?;
            }
            let mut user = before.clone();
            user.email = email.unwrap_or(user.email);
            user.name = name.unwrap_or(user.name);
            user.role = change.role.unwrap_or(user.role);
            user.state = change.state.unwrap_or(user.state);
            user.language = change.language.unwrap_or(user.language);
            user.must_change_password = change.must_change_password.unwrap_or(user.must_change_password);
            user.password_hash = password_hash.or(user.password_hash);
            user.updated_at = app.now();
            keep_an_administrator(tx, &before, user.role, user.state)?;
            if users::find_by_email(tx, &user.email)?.is_some_and(|other| other.id != id) {
                return Err(taken());
            }
            users::update(tx, &user)?;
            // Whoever holds the old password, or the old role, must not go on with it.
            if user.password_hash != before.password_hash
                || user.role != before.role
                || user.state != before.state
                || user.email != before.email
            {
                sessions::end_of_user(tx, id, None)?;
            }
            // The address may be the user name of a managed mail account.
            if user.state != before.state || user.email != before.email {
                let cause = if user.state == before.state { "the user's address" } else { "the user's state" };
                for device in devices::of_user(tx, id)? {
                    app.reconcile_device(tx, device.id, cause)?;
                }
            }
            let detail = json!({
                "before": { "email": before.email, "name": before.name, "role": before.role, "state": before.state, "language": before.language },
                "after": { "email": user.email, "name": user.name, "role": user.role, "state": user.state, "language": user.language },
                "password_changed": change.password.is_some(),
            });
            app.note_user(tx, &actor, "user.change", id, detail)?;
            Ok(user)
        })
        .await
    }

    /// Removes a user who has no device under management.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where devices would be left without anybody, or the server without an
    /// administrator.
    pub async fn delete_user(self: &Arc<Self>, actor: Actor, role: Role, id: UserId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            users::lock_role(tx, Role::Administrator)?;
            let user = users::find_for_update(tx, id)?.ok_or(Error::NotFound("user"))?;
            if user.role.is_some() {
                may_manage_roles(role)?;
            }
            let managed = enrollments::of_user(tx, id)?.iter().filter(|enrollment| enrollment.state == Stage::Enrolled).count();
            if managed > 0 {
                return Err(Error::Conflict(format!(
                    "{managed} device(s) of this user are under management; wipe or retire them first and wait until they have heard of it, so that nothing of the company stays on them"
                )));
            }
            keep_an_administrator(tx, &user, None, UserState::Disabled)?;
            for device in devices::of_user(tx, id)? {
                devices::delete(tx, device.id)?;
            }
            users::delete(tx, id)?;
            app.note_user(tx, &actor, "user.delete", id, json!({ "email": user.email }))
        })
        .await
    }

    fn note_user(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, id: UserId, detail: serde_json::Value) -> Result<()> {
        let entry = Entry { at: self.now(), actor, action, subject_kind: "user", subject: id.to_string(), detail };
        Ok(audit::record(tx, &entry)?)
    }
}

fn may_manage_roles(role: Role) -> Result<()> {
    if role.may(Permission::ManageRoles) {
        Ok(())
    } else {
        Err(Error::Denied(format!("the role {role} may not change somebody who holds a role")))
    }
}

fn taken() -> Error {
    Error::Conflict("there is a user with this address already".into())
}

pub(super) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "must be 1 to 200 characters without line breaks"));
    }
    Ok(name.to_owned())
}

/// Whoever may change everything must not be able to leave nobody who can.
fn keep_an_administrator(tx: &mut Tx<'_>, before: &User, role: Option<Role>, state: UserState) -> Result<()> {
    let was = before.role == Some(Role::Administrator) && before.state == UserState::Active;
    let stays = role == Some(Role::Administrator) && state == UserState::Active;
    if was && !stays && users::count_role(tx, Role::Administrator)? <= 1 {
        return Err(Error::Conflict("this is the last administrator; make somebody else an administrator first".into()));
    }
    Ok(())
}
