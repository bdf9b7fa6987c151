//! Groups and their members. A change of membership changes which policies reach the member's devices, at once.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, rollout};
use crate::{
    domain::{
        audit::Actor,
        id::{GroupId, UserId},
    },
    store::{
        Conn, Tx,
        audit::{self, Entry},
        devices,
        groups::{self, Group},
        rollouts::Scope,
        users,
    },
};

impl App {
    /// Creates a group.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the name is not usable, [`Error::Conflict`] where it is taken.
    pub async fn create_group(self: &Arc<Self>, actor: Actor, name: String) -> Result<Group> {
        let name = checked_name(&name)?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let group = Group { id: GroupId::new(), name, source: "local".into(), created_at: app.now() };
            groups::insert(tx, &group).map_err(|error| taken(error.into()))?;
            app.note_group(tx, &actor, "group.create", group.id, json!({ "name": group.name }))?;
            Ok(group)
        })
        .await
    }

    /// Renames a group.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Conflict`].
    pub async fn rename_group(self: &Arc<Self>, actor: Actor, id: GroupId, name: String) -> Result<Group> {
        let name = checked_name(&name)?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            if !groups::rename(tx, id, &name).map_err(|error| taken(error.into()))? {
                return Err(Error::NotFound("group"));
            }
            app.note_group(tx, &actor, "group.rename", id, json!({ "name": name }))?;
            groups::find(tx, id)?.ok_or(Error::NotFound("group"))
        })
        .await
    }

    /// Removes a group. Policies no longer reach its members through it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_group(self: &Arc<Self>, actor: Actor, id: GroupId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let group = groups::find(tx, id)?.ok_or(Error::NotFound("group"))?;
            // Who was in it is known only before.
            let members = groups::members(tx, id)?;
            groups::delete(tx, id)?;
            rollout::begin(tx, &app, &Scope::Users(members), &format!("The group {} was deleted", group.name))?;
            app.note_group(tx, &actor, "group.delete", id, json!({ "name": group.name }))
        })
        .await
    }

    /// Puts a user into a group; the policies of the group hold for their devices at once.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn add_member(self: &Arc<Self>, actor: Actor, group: GroupId, user: UserId) -> Result<()> {
        self.change_member(actor, group, user, true).await
    }

    /// Takes a user out of a group; the policies of the group no longer hold for their devices, at once.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_member(self: &Arc<Self>, actor: Actor, group: GroupId, user: UserId) -> Result<()> {
        self.change_member(actor, group, user, false).await
    }

    async fn change_member(self: &Arc<Self>, actor: Actor, group: GroupId, user: UserId, is_added: bool) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            groups::find(tx, group)?.ok_or(Error::NotFound("group"))?;
            users::find(tx, user)?.ok_or(Error::NotFound("user"))?;
            let has_changed = if is_added { groups::add_member(tx, group, user)? } else { groups::remove_member(tx, group, user)? };
            if !has_changed {
                return Ok(());
            }
            for device in devices::of_user(tx, user)? {
                app.reconcile_device(tx, device.id, "group membership")?;
            }
            let action = if is_added { "group.add_member" } else { "group.remove_member" };
            app.note_group(tx, &actor, action, group, json!({ "user": user }))
        })
        .await
    }

    fn note_group(&self, tx: &mut Tx<'_>, actor: &Actor, action: &'static str, id: GroupId, detail: serde_json::Value) -> Result<()> {
        let entry = Entry { at: self.now(), actor, action, subject_kind: "group", subject: id.to_string(), detail };
        Ok(audit::record(tx, &entry)?)
    }
}

/// A name that is taken, in words for people.
pub(super) fn taken(error: Error) -> Error {
    match error {
        Error::Conflict(_) => Error::Conflict("this name is taken".into()),
        other => other,
    }
}

/// A name of a group or a policy.
pub(super) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "must be 1 to 100 characters without line breaks"));
    }
    Ok(name.to_owned())
}

/// Checks that every group exists.
pub(super) fn check_groups_exist(conn: &mut Conn, ids: &[GroupId]) -> Result<()> {
    if groups::count_existing(conn, ids)? == ids.len() {
        return Ok(());
    }
    for id in ids {
        groups::find(conn, *id)?.ok_or_else(|| Error::invalid("groups", format!("there is no group {id}")))?;
    }
    Err(Error::invalid("groups", "names a group twice"))
}
