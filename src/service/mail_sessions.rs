//! Ends the sessions of people whose device may not read mail any more: by doveadm, user by user. A device of theirs that still may
//! signs in again by itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{App, Result, mail_access};
use crate::{
    domain::id::EnrollmentId,
    store::{
        Tx,
        jobs::{self, Job, NewJob},
        mail_accounts,
    },
};

/// The kind of the jobs that end sessions.
pub const JOB: &str = "mail_kick";
/// The kinds of the jobs that are done by the runner for ended sessions.
pub const KINDS: &[&str] = &[JOB];
/// When sessions are ended, in seconds after the decision: at once, and once more. A login that was let through just before the
/// decision may not have been a session yet at the first time.
const TIMES: [(&str, i64); 2] = [("now", 0), ("again", 5)];

/// Whose sessions a job ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Whose {
    /// The user name at Dovecot.
    pub login: String,
}

/// Has the sessions of an enrollment's mail account ended after the commit.
pub(super) fn end(tx: &mut Tx<'_>, enrollment: EnrollmentId) -> Result<()> {
    let mut logins: Vec<String> = mail_accounts::passwords(tx, enrollment)?.into_iter().map(|password| password.login).collect();
    logins.sort_unstable();
    logins.dedup();
    if logins.is_empty() || mail_access::read(tx)?.doveadm_url.is_empty() {
        return Ok(());
    }
    for login in logins {
        for (which, delay_seconds) in TIMES {
            let key = format!("{JOB}:{which}:{login}");
            jobs::enqueue(tx, &NewJob { kind: JOB, key, payload: json!(Whose { login: login.clone() }), delay_seconds })?;
        }
    }
    Ok(())
}

impl App {
    /// Claims the next job that ends sessions, if one is due.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim_kick(&self, lease_seconds: i64) -> Result<Option<Job>> {
        self.claim_due(KINDS, lease_seconds).await
    }

    /// Ends every session of a user of Dovecot; gives why not, where it could not be done.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn kick(self: &Arc<Self>, whose: &Whose) -> Result<Option<String>> {
        let app = Arc::clone(self);
        let (url, key) = self
            .read(move |conn| {
                let url = mail_access::read(conn)?.doveadm_url;
                Ok::<_, super::Error>((url, mail_access::doveadm_key(conn, &app.keys)?))
            })
            .await?;
        if url.is_empty() {
            // Nobody wants sessions to be ended any more.
            return Ok(None);
        }
        let result = self.doveadm.kick(&url, key.as_deref().unwrap_or_default(), &whose.login).await;
        let why = result.err().map(|error| error.to_string());
        let (noted, now) = (why.clone(), self.now());
        self.write(move |tx| mail_access::note_kick(tx, now, noted)).await?;
        Ok(why)
    }
}
