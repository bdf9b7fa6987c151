//! The gate: may this request, from this device, of this user, come in? Answered from memory.
//!
//! What the answer rests on (device, user, group, policy, posture, exception, certificate, access rules) is read once for each
//! certificate and remembered together with the time until which it is good. Nothing of it is used longer than a second without
//! having asked the database whether anything has changed ([`pulse`]), so that a change holds everywhere within a second, and at
//! once on the server that made it. A server that cannot ask does what `gate_outage` says:
//!
//! * `fail_closed`: nobody comes in until the database answers again.
//! * `fail_open`: a device that this server has decided about is treated as it was then, for at most an hour after the database
//!   was last heard of and never past the time until which the decision was good; everybody else stays out.

use std::sync::Arc;

mod memory;
mod pulse;
mod standing;

pub(super) use pulse::Gate;
use pulse::Pulse;
pub use standing::Standing;
use standing::Trouble;

use super::{App, Result};
use crate::{
    domain::{
        access::{self, AccessRules, Candidate, Decided, Decision, GateOutage, Question},
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

/// Whom a certificate belongs to.
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
}

impl Answer {
    const fn refused(why: Why) -> Self {
        Self { decision: Decision::Block, why, holder: None }
    }

    fn of(decided: Decided, holder: Option<Arc<Standing>>) -> Self {
        Self { decision: decided.decision, why: Why::Rule(decided.by), holder }
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
        let rules = self.gate_rules().await?;
        let Some(certificate) = asked.certificate else { return Ok(stranger(&rules, asked, now)) };
        let print = fingerprint(certificate);
        if let Some(standing) = self.gate.memory().get(&print).filter(|standing| standing.is_good(now)) {
            return Ok(judge(&rules, &standing, asked, now));
        }
        // Who issued it is asked before the database is: anybody can make a certificate.
        if self.certificate_of(certificate).is_err() {
            return Ok(Answer::refused(Why::UnknownCertificate));
        }
        let era = self.gate.memory().era();
        let app = Arc::clone(self);
        match self.read_soon(move |conn| Standing::read(conn, &app, &print, now)).await? {
            Some(standing) => {
                let standing = Arc::new(standing);
                self.gate.memory().put(print, &standing, era);
                Ok(judge(&rules, &standing, asked, now))
            }
            None => Ok(Answer::refused(Why::UnknownCertificate)),
        }
    }

    async fn gate_rules(&self) -> Result<Arc<AccessRules>> {
        let era = {
            let memory = self.gate.memory();
            if let Some(rules) = memory.rules() {
                return Ok(rules);
            }
            memory.era()
        };
        let rules = Arc::new(self.read_soon(|conn| Ok(store::access::rules(conn)?)).await?);
        self.gate.memory().put_rules(&rules, era);
        Ok(rules)
    }

    /// What is left without the database: nothing, or what is remembered.
    fn decide_in_outage(&self, asked: Asked<'_>, now: Timestamp) -> Answer {
        let mut memory = self.gate.memory();
        let rules = memory.rules().filter(|rules| rules.gate_outage == GateOutage::FailOpen && self.gate.was_heard_lately());
        let Some(rules) = rules else { return Answer::refused(Why::Outage) };
        let standing = asked.certificate.and_then(|certificate| memory.get(&fingerprint(certificate)));
        match standing.filter(|standing| standing.is_good(now)) {
            Some(standing) => judge(&rules, &standing, asked, now),
            None => Answer::refused(Why::Outage),
        }
    }
}

/// Decides about somebody who has shown nothing.
fn stranger(rules: &AccessRules, asked: Asked<'_>, now: Timestamp) -> Answer {
    let candidate = Candidate { user_agent: program(asked), ..Candidate::nobody() };
    Answer::of(access::decide(rules, &candidate, now), None)
}

/// Decides about a device.
fn judge(rules: &AccessRules, standing: &Arc<Standing>, asked: Asked<'_>, now: Timestamp) -> Answer {
    let decided = if rules.looks_at_programs() {
        access::decide(rules, &Candidate { user_agent: program(asked), ..standing.candidate() }, now)
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
