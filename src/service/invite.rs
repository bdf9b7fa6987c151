//! Invites a user: the mail with the plain link.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, outbox, secrets::Secret, settings};
use crate::{
    domain::{
        audit::Actor,
        device::Ownership,
        enrollment::INVITATION_DAYS,
        id::{InvitationId, MailId, UserId},
        user::UserState,
    },
    mail::template::Template,
    store::{
        Tx,
        audit::{self, Entry},
        invitations::{self, Invitation},
        users::{self, User},
    },
};

impl App {
    /// Sends a user the mail that asks them to enroll.
    ///
    /// * `ownership`: for whose device the link is; it decides which rights the profile asks for.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where the user is disabled.
    pub async fn invite(self: &Arc<Self>, actor: Actor, user: UserId, ownership: Ownership) -> Result<MailId> {
        let app = Arc::clone(self);
        let mail = self
            .write(move |tx| {
                let user = users::find(tx, user)?.ok_or(Error::NotFound("user"))?;
                if user.state != UserState::Active {
                    return Err(Error::Conflict("the user is disabled; enable the user before sending an invitation".into()));
                }
                app.invite_in(tx, &actor, &user, ownership)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(mail)
    }

    /// Invites a user, who takes part, in a transaction that does more.
    pub(super) fn invite_in(&self, tx: &mut Tx<'_>, actor: &Actor, user: &User, ownership: Ownership) -> Result<MailId> {
        let now = self.now();
        let secret = Secret::generate("")?;
        let expires_at = now.plus_days(INVITATION_DAYS);
        let invitation =
            Invitation { id: InvitationId::new(), user_id: user.id, hash: secret.hash, ownership, created_at: now, expires_at };
        invitations::insert(tx, &invitation)?;
        let template = Template::Invitation {
            organization: settings::read(tx, &self.default_sender)?.organization,
            name: user.name.clone(),
            link: format!("{}/enroll/{}", self.public_url, secret.text),
            until: expires_at.calendar().date().to_string(),
        };
        let mail = outbox::NewMail { user: Some(user.id), recipient: user.email.clone(), template, expires_at: Some(expires_at) };
        let mail = outbox::enqueue(tx, self, mail)?;
        let detail = json!({ "email": user.email, "ownership": ownership, "mail": mail });
        audit::record(tx, &Entry { at: now, actor, action: "user.invite", subject_kind: "user", subject: user.id.to_string(), detail })?;
        Ok(mail)
    }
}
