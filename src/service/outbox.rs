//! The outbox: mails are written in the transaction that they follow from, and leave afterwards as jobs.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, host_of, mail_texts, settings};
use crate::{
    domain::{
        audit::Actor,
        id::{MailId, UserId},
        mail::{MAIL_JOB, MailKind},
        time::Timestamp,
        user::normalize_address,
    },
    mail::{
        DeliveryError, Outgoing,
        message::{Envelope, compose},
        template::Template,
    },
    store::{
        Tx,
        audit::{self, Entry},
        backlog,
        jobs::{self, Job, NewJob},
        mails::{self, Mail, MailState},
    },
};

const PURPOSE: &str = "mail";
/// What fails where a mail cannot be composed.
pub(super) const COMPOSING: &str = "writing a mail";
/// Most mails that are hastened at once; the next sweep takes those that are left.
const MOST_HASTENED: i64 = 1000;

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
    try_enqueue(tx, app, mail)?.map_err(|why| Error::internal(COMPOSING, why))
}

/// The same for whoever goes on without the mail: where it cannot be composed, nothing is written, and it says why.
pub(super) fn try_enqueue(tx: &mut Tx<'_>, app: &App, mail: NewMail) -> Result<std::result::Result<MailId, String>> {
    let now = app.now();
    let settings = settings::read(tx, &app.default_sender)?;
    let id = MailId::new();
    let envelope = Envelope { sender: &settings.mail_sender, sender_name: &settings.organization, recipient: &mail.recipient };
    let language = mail_texts::language_of(tx, mail.user, &settings)?;
    let rendered = match mail_texts::written(tx, app, &mail.template, &language) {
        Err(Error::Internal { operation: COMPOSING, source }) => return Ok(Err(source.to_string())),
        other => other?,
    };
    let subject = rendered.subject.clone();
    let composed = match compose(id, rendered, envelope, now) {
        Ok(composed) => composed,
        Err(error) => return Ok(Err(error.to_string())),
    };
    mails::insert(
        tx,
        &Mail {
            id,
            user_id: mail.user,
            recipient: mail.recipient,
            template: mail.template.kind().as_str().into(),
            subject,
            message_id: composed.message_id,
            sealed_message: Some(app.keys.seal(PURPOSE, &composed.bytes)?),
            state: MailState::Queued,
            created_at: now,
            expires_at: mail.expires_at,
            sent_at: None,
            last_error: None,
            attempts: 0,
            is_unreachable: false,
        },
    )?;
    enqueue_sending(tx, id, mail.template.kind().as_str())?;
    Ok(Ok(id))
}

/// Enqueues the job that sends a mail.
///
/// * `template`: which mail it is, as the outbox says.
pub(super) fn enqueue_sending(tx: &mut Tx<'_>, id: MailId, template: &str) -> Result<()> {
    let kind = template.parse().map_or(MAIL_JOB, MailKind::job);
    Ok(jobs::enqueue(tx, &NewJob { kind, key: job_key(id), payload: json!({ "mail": id }), delay_seconds: 0 })?)
}

/// The key of the job that sends a mail, of whatever kind the job is.
#[must_use]
pub fn job_key(id: MailId) -> String {
    format!("{MAIL_JOB}:{id}")
}

/// The mail that a job sends.
pub(super) fn mail_of(job: &Job) -> Option<MailId> {
    job.key.strip_prefix(MAIL_JOB)?.strip_prefix(':')?.parse().ok()
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
        let bytes = match self.with_file(id, mail.user_id, self.keys.open(PURPOSE, &sealed)?).await? {
            Ok(bytes) => bytes,
            Err(why) => return self.finish_mail(id, MailState::Expired, Some(why.into())).await,
        };
        let message = Outgoing { sender: settings.mail_sender, recipient: mail.recipient, message_id: mail.message_id, bytes };
        match self.mailer.deliver(&message).await {
            Ok(()) => self.note_try(id, MailState::Sent, None).await,
            Err(DeliveryError::Permanent(why)) => {
                tracing::warn!(mail = %id, why, "a mail was refused for good");
                self.note_try(id, MailState::Failed, Some(why)).await
            }
            Err(DeliveryError::Temporary(why)) => self.try_again(id, why, false).await,
            Err(DeliveryError::Unreachable(why)) => self.try_again(id, why, true).await,
        }
    }

    async fn try_again(&self, id: MailId, why: String, is_unreachable: bool) -> Result<Sent> {
        let noted = why.clone();
        self.write(move |tx| {
            mails::count_attempt(tx, id)?;
            Ok(mails::note_error(tx, id, &noted, is_unreachable)?)
        })
        .await?;
        Ok(Sent::TryAgain(why))
    }

    /// Counts a try that finished a mail.
    async fn note_try(&self, id: MailId, state: MailState, error: Option<String>) -> Result<Sent> {
        let now = self.now();
        self.write(move |tx| {
            mails::count_attempt(tx, id)?;
            Ok(mails::finish(tx, id, state, error.as_deref(), now)?)
        })
        .await?;
        Ok(Sent::Finished)
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

    /// Sends at once what waits because the mail server could not be used, if it can be used by now; gives how many mails that are.
    ///
    /// The server is asked once, whatever the number of mails: they would otherwise wait for up to an hour after it came back.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hasten_mails(&self) -> Result<usize> {
        let waiting = self.read(|conn| mails::unreachable(conn, MOST_HASTENED)).await?;
        if waiting.is_empty() || self.mailer.probe().await.is_err() {
            return Ok(0);
        }
        let keys: Vec<String> = waiting.into_iter().map(job_key).collect();
        let count = self.write(move |tx| Ok(backlog::hasten(tx, &keys)?)).await?;
        self.jobs_waiting.notify_one();
        Ok(count)
    }

    /// Sends a mail that shows whether mail arrives. It goes through the outbox as any other.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the address is none.
    pub async fn send_test_mail(self: &Arc<Self>, actor: Actor, recipient: &str) -> Result<MailId> {
        let recipient = normalize_address(recipient).map_err(|why| Error::invalid("recipient", why))?;
        let app = Arc::clone(self);
        let mail = self
            .write(move |tx| {
                let now = app.now();
                let organization = settings::read(tx, &app.default_sender)?.organization;
                let template = Template::Test { organization, host: app.portal_host().to_owned() };
                let mail = NewMail { user: None, recipient: recipient.clone(), template, expires_at: Some(now.plus_days(1)) };
                let mail = enqueue(tx, &app, mail)?;
                let detail = json!({ "recipient": recipient });
                audit::record(
                    tx,
                    &Entry { at: now, actor: &actor, action: "mail.test", subject_kind: "mail", subject: mail.to_string(), detail },
                )?;
                Ok(mail)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(mail)
    }
}
