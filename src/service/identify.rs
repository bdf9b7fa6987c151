//! Who is it? A visit to the portal is identified by a code that was sent to a mailbox.
//!
//! The code proves that somebody reads the mailbox, which is identification and not authentication. Whether an address is
//! known is never told: the same happens, in the same words, and nothing but the mail differs.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{App, Result, outbox, secrets, secrets::Secret, settings};
use crate::{
    domain::{
        backend::Backend,
        device::Ownership,
        enrollment::{
            CODE_SECONDS, CodeOnFile, CodeRefusal, FAILURES_PER_DAY, SEND_WINDOW_SECONDS, SENDS_PER_DAY, SENDS_PER_WINDOW, VISIT_SECONDS,
        },
        id::{CodeId, VisitId},
        time::Timestamp,
        user::{UserState, normalize_address},
    },
    mail::template::Template,
    store::{
        Conn, Tx,
        codes::{self, Code},
        invitations::{self, Invitation},
        users::{self, User},
        visits::{self, Visit},
    },
};

const CODE_PURPOSE: &str = "code";
/// An answer to the question for a code comes no sooner, so that its time does not tell whether somebody has the address.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// What came of asking for a code. None of these says whether the address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeAsked {
    /// If the address is known, a code is on its way.
    Sent,
    /// Too many codes were asked for; wait a while.
    TooMany,
}

/// What came of trying a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTried {
    /// The mailbox is proved.
    Proved,
    /// It did not work; another try may.
    Wrong,
    /// It did not work and will not: a new code is needed.
    NeedsNew,
}

/// How an invitation's link stands.
pub enum Link {
    /// It is good; for this user.
    Good(Box<(Invitation, User)>),
    /// It was good once.
    Expired,
    /// It never was.
    Unknown,
}

impl App {
    /// Begins a visit; gives the secret for its cookie.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_visit(&self, invitation: Option<Invitation>) -> Result<(String, Visit)> {
        self.begin(invitation, None, None).await
    }

    /// Begins a visit that will enroll the browser itself; gives the secret for its cookie.
    ///
    /// * `return_to`: where the person wanted to go; an address of this server, without its host.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_browser_visit(&self, return_to: Option<String>) -> Result<(String, Visit)> {
        self.begin(None, Some(Backend::Browser), return_to).await
    }

    async fn begin(&self, invitation: Option<Invitation>, backend: Option<Backend>, return_to: Option<String>) -> Result<(String, Visit)> {
        let secret = Secret::generate("")?;
        let now = self.now();
        let visit = Visit {
            id: VisitId::new(),
            hash: secret.hash,
            invitation_id: invitation.as_ref().map(|invitation| invitation.id),
            email: None,
            user_id: None,
            ownership: invitation.map_or(Ownership::Personal, |invitation| invitation.ownership),
            consent_version: None,
            consented_at: None,
            enrollment_id: None,
            profile_taken_at: None,
            created_at: now,
            expires_at: now.plus_seconds(VISIT_SECONDS),
            backend,
            return_to,
        };
        let kept = visit.clone();
        self.write(move |tx| Ok(visits::insert(tx, &kept)?)).await?;
        Ok((secret.text, visit))
    }

    /// The visit of a cookie, if it has not ended.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn visit(&self, cookie: &str) -> Result<Option<Visit>> {
        let (hash, now) = (secrets::hash(cookie), self.now());
        Ok(self.read(move |conn| visits::find_by_hash(conn, &hash, now)).await?)
    }

    /// Gives a visit a new secret for its cookie and makes the old one worthless. Done when the mailbox was proved: whoever
    /// planted the cookie before that does not share in what follows.
    ///
    /// # Errors
    /// [`super::Error::NotFound`] where the visit is gone, and those of the database.
    pub async fn renew_visit_cookie(&self, visit: VisitId) -> Result<String> {
        let secret = Secret::generate("")?;
        self.write(
            move |tx| {
                if visits::replace_hash(tx, visit, &secret.hash)? { Ok(secret.text) } else { Err(super::Error::NotFound("visit")) }
            },
        )
        .await
    }

    /// How the link of an invitation stands. Looking changes nothing, however often it is done.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn invitation_link(&self, token: &str) -> Result<Link> {
        let (hash, now) = (secrets::hash(token), self.now());
        self.read(move |conn: &mut Conn| {
            let Some(invitation) = invitations::find_by_hash(conn, &hash)? else { return Ok(Link::Unknown) };
            if now >= invitation.expires_at {
                return Ok(Link::Expired);
            }
            Ok(users::find(conn, invitation.user_id)?.map_or(Link::Unknown, |user| Link::Good(Box::new((invitation, user)))))
        })
        .await
    }

    /// Sends a code to an address, if somebody has it; the answer is the same either way.
    ///
    /// # Errors
    /// [`super::Error::Invalid`] where the text is not an address at all.
    pub async fn ask_code(self: &Arc<Self>, visit: VisitId, address: &str) -> Result<CodeAsked> {
        let email = normalize_address(address).map_err(|why| super::Error::invalid("email", why))?;
        let app = Arc::clone(self);
        let answered = Instant::now() + LEAST_WAIT;
        let asked = self.write(move |tx| app.send_code(tx, visit, &email)).await?;
        self.jobs_waiting.notify_one();
        // Writing a mail takes a little longer than writing none.
        sleep_until(answered).await;
        Ok(asked)
    }

    fn send_code(&self, tx: &mut Tx<'_>, visit_id: VisitId, email: &str) -> Result<CodeAsked> {
        let now = self.now();
        let mut visit = visits::find_for_update(tx, visit_id)?.ok_or(super::Error::NotFound("visit"))?;
        visit.email = Some(email.to_owned());
        visit.user_id = None;
        visits::update(tx, &visit)?;
        if is_flooded(tx, email, now)? {
            return Ok(CodeAsked::TooMany);
        }
        let digits = secrets::generate_code()?;
        let id = CodeId::new();
        let hash = self.code_hash(id, &digits)?;
        let expires_at = now.plus_seconds(CODE_SECONDS);
        let code = Code { id, visit_id, email: email.to_owned(), hash, tries: 0, failures: 0, created_at: now, expires_at, spent_at: None };
        codes::insert(tx, &code)?;
        let user = users::find_by_email(tx, email)?.filter(|user| user.state == UserState::Active);
        if let Some(user) = user {
            let (first, second) = digits.split_at_checked(4).unwrap_or((digits.as_str(), ""));
            let template = Template::Code {
                organization: settings::read(tx, &self.default_sender)?.organization,
                spaced: format!("{first} {second}"),
                code: digits.clone(),
                minutes: CODE_SECONDS / 60,
                host: self.portal_host().to_owned(),
            };
            outbox::enqueue(
                tx,
                self,
                outbox::NewMail { user: Some(user.id), recipient: user.email, template, expires_at: Some(expires_at) },
            )?;
        }
        Ok(CodeAsked::Sent)
    }

    /// Tries a code. Only the newest code of this very visit works, five times at most, and not at all once an address has had
    /// too many failures in a day.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn try_code(self: &Arc<Self>, visit: VisitId, digits: &str) -> Result<CodeTried> {
        let digits: String = digits.chars().filter(char::is_ascii_digit).take(16).collect();
        let app = Arc::clone(self);
        self.write(move |tx| app.judge_code(tx, visit, &digits)).await
    }

    fn judge_code(&self, tx: &mut Tx<'_>, visit_id: VisitId, digits: &str) -> Result<CodeTried> {
        let now = self.now();
        let Some(code) = codes::newest(tx, visit_id)? else { return Ok(CodeTried::NeedsNew) };
        let matches = openssl::memcmp::eq(&code.hash, &self.code_hash(code.id, digits)?);
        let on_file = CodeOnFile { expires_at: code.expires_at, tries: code.tries, is_spent: code.spent_at.is_some() };
        let is_locked = codes::failures_since(tx, &code.email, now.plus_days(-1))? >= FAILURES_PER_DAY;
        let verdict = if is_locked { Err(CodeRefusal::TooManyTries) } else { on_file.judge(matches, now) };
        codes::count_try(tx, code.id, verdict.is_err(), now)?;
        match verdict {
            Ok(()) => self.prove(tx, visit_id, &code.email),
            Err(CodeRefusal::Wrong) => Ok(CodeTried::Wrong),
            Err(_) => Ok(CodeTried::NeedsNew),
        }
    }

    fn prove(&self, tx: &mut Tx<'_>, visit_id: VisitId, email: &str) -> Result<CodeTried> {
        let Some(user) = users::find_by_email(tx, email)?.filter(|user| user.state == UserState::Active) else {
            return Ok(CodeTried::Wrong);
        };
        let mut visit = visits::find_for_update(tx, visit_id)?.ok_or(super::Error::NotFound("visit"))?;
        // An invitation is for one user: it says nothing about the device of another.
        let invitation = visit.invitation_id.map(|id| invitations::find(tx, id)).transpose()?.flatten();
        if invitation.is_none_or(|invitation| invitation.user_id != user.id) {
            visit.invitation_id = None;
            let newest = invitations::newest_of_user(tx, user.id)?.filter(|newest| newest.expires_at > self.now());
            visit.ownership = newest.map_or(Ownership::Personal, |invitation| invitation.ownership);
        }
        visit.user_id = Some(user.id);
        visits::update(tx, &visit)?;
        Ok(CodeTried::Proved)
    }

    fn code_hash(&self, id: CodeId, digits: &str) -> Result<Vec<u8>> {
        Ok(self.keys.keyed_hash(CODE_PURPOSE, &[id.as_bytes(), digits.as_bytes()])?)
    }
}

/// Whether an address has had enough codes: a mailbox must not be bombed, and a code must not be guessed.
fn is_flooded(tx: &mut Tx<'_>, email: &str, now: Timestamp) -> Result<bool> {
    Ok(codes::sent_since(tx, email, now.plus_seconds(-SEND_WINDOW_SECONDS))? >= SENDS_PER_WINDOW
        || codes::sent_since(tx, email, now.plus_days(-1))? >= SENDS_PER_DAY
        || codes::failures_since(tx, email, now.plus_days(-1))? >= FAILURES_PER_DAY)
}
