//! The gate: may this request, from this device, of this user, come in? Answered from memory.
//!
//! What the answer rests on (device, user, group, policy, posture, exception, certificate or cookie, access rules) is read once for
//! each certificate or cookie and remembered together with the time until which it is good. Nothing of it is used longer than a second without
//! having asked the database whether anything has changed ([`pulse`]), so that a change holds everywhere within a second, and at
//! once on the server that made it. A server that cannot ask does what `gate_outage` says:
//!
//! * `fail_closed`: nobody comes in until the database answers again.
//! * `fail_open`: a device that this server has decided about is treated as it was then, for at most an hour after the database
//!   was last heard of and never past the time until which the decision was good; everybody else stays out.

use std::sync::Arc;

mod enter;
mod memory;
mod pulse;
mod signed;
mod standing;

use memory::Ground;
pub(super) use pulse::Gate;
use pulse::Pulse;
pub use standing::{Assurance, Standing};
use standing::{Renewal, Trouble};

use super::{App, Result, secrets, settings, signers::Fingerprint};
use crate::{
    domain::{
        access::{self, Candidate, Decided, Decision, GateOutage, Question},
        compliance::Status,
        id::{DeviceId, UserId},
        time::Timestamp,
    },
    pki::fingerprint,
    store,
};

/// Most characters of what a program calls itself that are looked at.
const LONGEST_PROGRAM: usize = 512;

/// What was asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The certificate that the device has shown, DER.
    pub certificate: Option<&'a [u8]>,
    /// What the program calls itself.
    pub user_agent: Option<&'a str>,
    /// The host of the application that was asked for.
    pub host: Option<&'a str>,
    /// The cookie that the browser has for that host. It counts where no certificate was shown.
    pub cookie: Option<&'a str>,
}

/// Why somebody is not let in, or is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The question of the access rules that decided.
    Rule(Question),
    /// The certificate was not issued here.
    UnknownCertificate,
    /// The certificate was revoked.
    RevokedCertificate,
    /// The certificate has expired, or is not valid yet.
    ExpiredCertificate,
    /// The device has enrolled again since, and has another certificate.
    ReplacedCertificate,
    /// The database does not answer.
    Outage,
}

impl Why {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule(question) => question.as_str(),
            Self::UnknownCertificate => "unknown_certificate",
            Self::RevokedCertificate => "revoked_certificate",
            Self::ExpiredCertificate => "expired_certificate",
            Self::ReplacedCertificate => "replaced_certificate",
            Self::Outage => "outage",
        }
    }
}

/// Whom a certificate or a cookie belongs to.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The user.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// The device; none while it is not enrolled.
    pub device: Option<DeviceId>,
    /// The verdict about it.
    pub compliance: Status,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub why: Why,
    /// Who it is, where that was shown and holds.
    pub holder: Option<Arc<Standing>>,
    /// A browser that nobody knows can be enrolled, and is led back to the host that it asked for.
    pub may_enter: bool,
}

impl Answer {
    const fn refused(why: Why) -> Self {
        Self { decision: Decision::Block, why, holder: None, may_enter: false }
    }

    fn of(decided: Decided, holder: Option<Arc<Standing>>) -> Self {
        Self { decision: decided.decision, why: Why::Rule(decided.by), holder, may_enter: false }
    }
}

impl App {
    /// Decides about a request.
    pub async fn check_at_gate(self: &Arc<Self>, asked: Asked<'_>) -> Answer {
        let now = self.now();
        match self.pulse().await {
            Pulse::Heard => match self.decide_at_gate(asked, now).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(error = %error, "the gate cannot decide");
                    self.gate.note_failure();
                    self.decide_in_outage(asked, now)
                }
            },
            Pulse::Silent => self.decide_in_outage(asked, now),
        }
    }

    async fn decide_at_gate(self: &Arc<Self>, asked: Asked<'_>, now: Timestamp) -> Result<Answer> {
        let ground = self.gate_ground().await?;
        let Some(key) = key_of(asked) else { return Ok(stranger(&ground, asked, now)) };
        if let Some(standing) = self.gate.memory().get(&key).filter(|standing| standing.is_good(now)) {
            return Ok(judge(&ground, &standing, asked, now));
        }
        let era = self.gate.memory().era();
        let found = match asked.certificate {
            // Who issued it is asked before the database is: anybody can make a certificate.
            Some(certificate) if self.certificate_of(certificate).is_err() => None,
            Some(_) => {
                let app = Arc::clone(self);
                self.read_soon(move |conn| Standing::read(conn, &app, &key, now)).await?
            }
            None => self.read_browser(asked, now).await?,
        };
        let Some(standing) = found.map(Arc::new) else {
            // A cookie that does not count is none; the browser can be given another.
            let is_cookie = asked.certificate.is_none();
            return Ok(if is_cookie { stranger(&ground, asked, now) } else { Answer::refused(Why::UnknownCertificate) });
        };
        self.gate.memory().put(key, &standing, era);
        Ok(judge(&ground, &standing, asked, now))
    }

    /// Reads how a browser stands. That happens at least once an hour while it is used, and is the use that renews its enrollment.
    async fn read_browser(self: &Arc<Self>, asked: Asked<'_>, now: Timestamp) -> Result<Option<Standing>> {
        let (Some(cookie), Some(host)) = (asked.cookie, asked.host.map(str::to_owned)) else { return Ok(None) };
        // Strangers with cookies that they made up must not keep the few connections busy on which everybody's answer depends.
        if !signed::is_ours(&self.keys, signed::COOKIE, &host, cookie)? {
            return Ok(None);
        }
        let (app, hash) = (Arc::clone(self), secrets::hash(cookie));
        let found = self.read_soon(move |conn| Standing::read_browser(conn, &app, &hash, &host, now)).await?;
        let Some((standing, renewal)) = found else { return Ok(None) };
        if let Some(renewal) = renewal {
            self.renew_beside(renewal, now);
        }
        Ok(Some(standing))
    }

    /// Renews the enrollment of a browser. Nobody at a proxy waits for that.
    fn renew_beside(self: &Arc<Self>, renewal: Renewal, now: Timestamp) {
        let app = Arc::clone(self);
        tokio::spawn(async move {
            let Renewal { enrollment, end } = renewal;
            if let Err(error) = app.write(move |tx| Ok(store::browsers::renew(tx, enrollment, now, end)?)).await {
                tracing::warn!(error = %error, "the enrollment of a browser was not renewed");
            }
        });
    }

    async fn gate_ground(&self) -> Result<Arc<Ground>> {
        let era = {
            let memory = self.gate.memory();
            if let Some(ground) = memory.ground() {
                return Ok(ground);
            }
            memory.era()
        };
        let sender = self.default_sender.clone();
        let read = self.read_soon(move |conn| {
            let settings = settings::read(conn, &sender)?;
            let hosts = if settings.browser_enrollment_enabled { settings.gate_hosts } else { Vec::new() };
            Ok(Ground { rules: store::access::rules(conn)?, hosts })
        });
        let ground = Arc::new(read.await?);
        self.gate.memory().put_ground(&ground, era);
        Ok(ground)
    }

    /// What is left without the database: nothing, or what is remembered.
    fn decide_in_outage(&self, asked: Asked<'_>, now: Timestamp) -> Answer {
        let mut memory = self.gate.memory();
        let is_open = |ground: &Arc<Ground>| ground.rules.gate_outage == GateOutage::FailOpen && self.gate.was_heard_lately();
        let Some(ground) = memory.ground().filter(is_open) else { return Answer::refused(Why::Outage) };
        let standing = key_of(asked).and_then(|key| memory.get(&key));
        match standing.filter(|standing| standing.is_good(now)) {
            Some(standing) => judge(&ground, &standing, asked, now),
            None => Answer::refused(Why::Outage),
        }
    }
}

/// Under which key it is remembered how somebody stands: the certificate's own, or one of the cookie together with its host, which
/// no certificate can have.
fn key_of(asked: Asked<'_>) -> Option<Fingerprint> {
    let cookie = || Some(fingerprint(format!("cookie\0{}\0{}", asked.host?, asked.cookie?).as_bytes()));
    asked.certificate.map(fingerprint).or_else(cookie)
}

/// Decides about somebody who has shown nothing.
fn stranger(ground: &Ground, asked: Asked<'_>, now: Timestamp) -> Answer {
    let candidate = Candidate { user_agent: program(asked), ..Candidate::nobody() };
    let may_enter = asked.host.is_some_and(|host| ground.hosts.iter().any(|known| known == host));
    Answer { may_enter, ..Answer::of(access::decide(&ground.rules, &candidate, now), None) }
}

/// Decides about a device.
fn judge(ground: &Ground, standing: &Arc<Standing>, asked: Asked<'_>, now: Timestamp) -> Answer {
    let decided = if ground.rules.looks_at_programs() {
        access::decide(&ground.rules, &Candidate { user_agent: program(asked), ..standing.candidate() }, now)
    } else {
        standing.decided
    };
    let trouble = standing.trouble.map(|trouble| match trouble {
        Trouble::Revoked => Why::RevokedCertificate,
        Trouble::Expired => Why::ExpiredCertificate,
        Trouble::Replaced => Why::ReplacedCertificate,
    });
    match trouble {
        // That the device is gone says more than that its certificate was revoked with it.
        Some(_) if matches!(decided.by, Question::UserDisabled | Question::DeviceGone) => Answer::of(decided, Some(Arc::clone(standing))),
        Some(why) => Answer::refused(why),
        None => Answer::of(decided, Some(Arc::clone(standing))),
    }
}

fn program(asked: Asked<'_>) -> Option<&str> {
    asked.user_agent.map(|text| text.char_indices().nth(LONGEST_PROGRAM).map_or(text, |(end, _)| text.get(..end).unwrap_or(text)))
}
