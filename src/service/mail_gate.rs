//! Answers Dovecot's policy server requests: whether a login may go on. The password is recognized by its hash; what it opens is
//! decided from the device as the database has it at this moment, and nothing is remembered in between.

use std::sync::{Arc, atomic::Ordering};

use super::{App, Error, Result, mail_access};
use crate::{
    domain::{access::Decision, device::EnrollmentState},
    store::{
        devices::Device,
        enrollments::Stage,
        mail_accounts::{self, Known},
    },
};

/// Seconds that pass between two notes that Dovecot was heard of, or that a password was used.
const NOTE_SECONDS: i64 = 30;

/// What the gate says to a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailVerdict {
    /// It may go on; Dovecot checks the password.
    Proceed,
    /// It is refused. The text is shown to the person.
    Refuse(String),
}

/// A login that Dovecot tells of.
#[derive(Debug, Clone)]
pub struct MailLogin {
    /// How Dovecot names the password.
    pub password_hash: Vec<u8>,
    /// Where the client is.
    pub address: String,
}

impl App {
    /// Whether a login may go on.
    ///
    /// # Errors
    /// [`Error::Denied`] where the key is not the one that was made for Dovecot, and those of the database.
    pub async fn may_read_mail(&self, key: String, login: MailLogin) -> Result<MailVerdict> {
        let url = self.public_url.clone();
        self.read(move |conn| {
            must_be_dovecot(conn, &key)?;
            if !mail_access::read(conn)?.enabled {
                return Ok(MailVerdict::Refuse("Mail access is switched off at the moment.".into()));
            }
            match mail_accounts::recognize(conn, &login.password_hash)? {
                Some(known) if may_enter(&known) => Ok(MailVerdict::Proceed),
                Some(known) => Ok(MailVerdict::Refuse(one_line(&explain(&known.device, &url)?))),
                None => Ok(MailVerdict::Refuse(one_line(&format!(
                    "This is not the password of a managed mail account. Enroll your device at {url}/ and remove the account that you set up yourself."
                )))),
            }
        })
        .await
    }

    /// Takes note of how a login ended.
    ///
    /// # Errors
    /// As [`App::may_read_mail`].
    pub async fn note_mail_login(self: &Arc<Self>, key: String, login: MailLogin, has_succeeded: bool) -> Result<()> {
        let (now, hash) = (self.now(), login.password_hash.clone());
        let before = now.plus_seconds(-NOTE_SECONDS);
        let used = self
            .read(move |conn| {
                must_be_dovecot(conn, &key)?;
                let known = if has_succeeded { mail_accounts::recognize(conn, &hash)? } else { None };
                let Some(enrollment) = known.map(|known| known.enrollment_id) else { return Ok::<_, Error>(None) };
                let account = mail_accounts::find(conn, enrollment)?;
                Ok(account.filter(|account| account.last_used_at.is_none_or(|at| at < before)).map(|account| account.enrollment_id))
            })
            .await?;
        if used.is_none() && self.mail_noted_at.load(Ordering::Relaxed) >= before.millis() {
            return Ok(());
        }
        self.mail_noted_at.store(now.millis(), Ordering::Relaxed);
        self.write(move |tx| {
            if let Some(enrollment) = used {
                mail_accounts::note_use(tx, enrollment, now, &login.address)?;
            }
            mail_access::note_request(tx, now)
        })
        .await
    }
}

fn must_be_dovecot(conn: &mut crate::store::Conn, key: &str) -> Result<()> {
    if mail_access::is_dovecot(conn, key)? { Ok(()) } else { Err(Error::Denied("the key is not the one that was made for Dovecot".into())) }
}

/// Only the present enrollment of a device that may come in.
fn may_enter(known: &Known) -> bool {
    let is_present = known.device.enrollment_id == Some(known.enrollment_id) && known.stage == Stage::Enrolled;
    is_present && known.device.state == EnrollmentState::Enrolled && known.device.access == Decision::Allow
}

/// Why a device may not read mail, and what its owner can do.
fn explain(device: &Device, url: &str) -> Result<String> {
    let reasons = device.reasons()?;
    Ok(match reasons.first() {
        Some(reason) => format!("Mail is closed to this device. {} {} More: {url}/devices", reason.text, reason.remedy),
        None => format!("Mail is closed to this device. Ask your administrator, or see {url}/devices"),
    })
}

/// The text as IMAP can show it: one line of ASCII (RFC 3501, `resp-text`).
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_of_ascii() {
        assert_eq!(one_line("a\r\nb \u{e9}"), "a??b ?");
        assert_eq!(one_line(&"x".repeat(700)).len(), 600);
    }
}
