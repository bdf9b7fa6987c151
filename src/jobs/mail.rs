//! The job that sends a mail of the outbox.

use std::sync::Arc;

use serde::Deserialize;

use super::Outcome;
use crate::{
    domain::id::MailId,
    service::{App, Error, outbox},
    store::jobs::Job,
};

#[derive(Deserialize)]
struct Payload {
    mail: MailId,
}

/// Sends the mail.
pub(super) async fn send(app: &Arc<App>, job: &Job) -> anyhow::Result<Outcome> {
    let Payload { mail } = serde_json::from_str(&job.payload)?;
    Ok(match app.send_mail(mail).await? {
        outbox::Sent::Finished => Outcome::Done,
        outbox::Sent::TryAgain(why) => Outcome::Failed(why),
    })
}

/// Notes on the mail itself that it was given up.
pub(super) async fn give_up(app: &Arc<App>, job: &Job, why: &str) -> Result<(), Error> {
    match serde_json::from_str(&job.payload) {
        Ok(Payload { mail }) => app.give_up_mail(mail, why.to_owned()).await,
        // It names no mail, so there is none to tell.
        Err(_) => Ok(()),
    }
}
