//! The outbox: mails are written in the transaction that they follow from, and leave afterwards as jobs.

use serde_json::json;

use super::{App, Error, Result, host_of, settings};
use crate::{
    domain::{
        id::{MailId, UserId},
        time::Timestamp,
    },
    mail::{
        DeliveryError, Outgoing,
        message::{Envelope, Template, compose},
    },
    store::{
        Tx,
        jobs::{self, NewJob},
        mails::{self, Mail, MailState},
    },
};

/// The kind of the jobs that send mails.
pub const JOB: &str = "mail";
const PURPOSE: &str = "mail";

/// A mail to be written.
pub(super) struct NewMail {
    /// For which user.
    pub user: Option<UserId>,
    /// To which address.
    pub recipient: String,
    /// Which mail.
    pub template: Template,
    /// When it loses its point.
    pub expires_at: Option<Timestamp>,
}

/// Writes a mail into the outbox, with the job that sends it.
pub(super) fn enqueue(tx: &mut Tx<'_>, app: &App, mail: NewMail) -> Result<MailId> {
    let now = app.now();
    let settings = settings::read(tx, &app.default_sender)?;
    let id = MailId::new();
    let envelope = Envelope { sender: &settings.mail_sender, sender_name: &settings.organization, recipient: &mail.recipient };
    let composed = compose(id, &mail.template, envelope, now).map_err(|error| Error::internal("writing a mail", error))?;
    mails::insert(
        tx,
        &Mail {
            id,
            user_id: mail.user,
            recipient: mail.recipient,
            template: mail.template.name().into(),
            subject: composed.subject,
            message_id: composed.message_id,
            sealed_message: Some(app.keys.seal(PURPOSE, &composed.bytes)?),
            state: MailState::Queued,
            created_at: now,
            expires_at: mail.expires_at,
            sent_at: None,
            last_error: None,
        },
    )?;
    jobs::enqueue(tx, &NewJob { kind: JOB, key: format!("mail:{id}"), payload: json!({ "mail": id }), delay_seconds: 0 })?;
    Ok(id)
}

/// What became of a mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is finished: sent, expired, or given up for good.
    Finished,
    /// It should be tried again; the text says why it did not work.
    TryAgain(String),
}

impl App {
    /// The host of the portal, as mails name it.
    pub(super) fn portal_host(&self) -> &str {
        host_of(&self.public_url)
    }

    /// Sends a mail of the outbox.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn send_mail(&self, id: MailId) -> Result<Sent> {
        let sender = self.default_sender.clone();
        let (mail, settings) = self.read(move |conn| Ok::<_, Error>((mails::find(conn, id)?, settings::read(conn, &sender)?))).await?;
        let Some(mail) = mail.filter(|mail| mail.state == MailState::Queued) else { return Ok(Sent::Finished) };
        let now = self.now();
        if mail.expires_at.is_some_and(|end| now >= end) {
            return self.finish_mail(id, MailState::Expired, Some("its time was over before it could be sent".into())).await;
        }
        let Some(sealed) = mail.sealed_message else { return Ok(Sent::Finished) };
        let message = Outgoing {
            sender: settings.mail_sender,
            recipient: mail.recipient,
            message_id: mail.message_id,
            bytes: self.keys.open(PURPOSE, &sealed)?,
        };
        match self.mailer.deliver(&message).await {
            Ok(()) => self.finish_mail(id, MailState::Sent, None).await,
            Err(DeliveryError::Permanent(why)) => {
                tracing::warn!(mail = %id, why, "a mail was refused for good");
                self.finish_mail(id, MailState::Failed, Some(why)).await
            }
            Err(DeliveryError::Temporary(why)) => {
                let noted = why.clone();
                self.write(move |tx| Ok(mails::note_error(tx, id, &noted)?)).await?;
                Ok(Sent::TryAgain(why))
            }
        }
    }

    async fn finish_mail(&self, id: MailId, state: MailState, error: Option<String>) -> Result<Sent> {
        let now = self.now();
        self.write(move |tx| Ok(mails::finish(tx, id, state, error.as_deref(), now)?)).await?;
        Ok(Sent::Finished)
    }

    /// Notes that a mail was given up after all its tries.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn give_up_mail(&self, id: MailId, why: String) -> Result<()> {
        self.finish_mail(id, MailState::Failed, Some(why)).await.map(drop)
    }
}
