//! Why a device may come in or not: the questions of the access rules in their order, with what was found, in words for people.

use std::sync::Arc;

use super::{App, Error, Result, comply::Known};
use crate::{
    domain::{
        access::{self, AccessRules, Candidate, Decision, Question, Step},
        compliance::Verdict,
        id::{DeviceId, UserId},
        time::Timestamp,
    },
    store::{Conn, access as rows, access::ExceptionRow, devices, users},
};

/// Whom an explanation is asked for.
#[derive(Debug, Clone, Default)]
pub struct ExplainOrder {
    /// A user; without a device, one of theirs that is not enrolled.
    pub user: Option<UserId>,
    /// A device.
    pub device: Option<DeviceId>,
    /// What the program that asks calls itself.
    pub user_agent: Option<String>,
}

/// One question, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// The question.
    pub question: Question,
    /// The question in words.
    pub asked: &'static str,
    /// The answer in words.
    pub answer: String,
    /// The decision, where this question made it.
    pub decision: Option<Decision>,
}

/// What is decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What is decided.
    pub decision: Decision,
    /// The questions in their order, up to the one that decided.
    pub because: Vec<Because>,
}

impl App {
    /// Explains what is decided about a device, or about a device of a user that is not enrolled.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] where neither is given, or the device is somebody else's.
    pub async fn explain_access(self: &Arc<Self>, order: ExplainOrder) -> Result<Explanation> {
        let app = Arc::clone(self);
        self.read(move |conn| explain(conn, &app, &order)).await
    }
}

/// The same within a closure that reads more.
///
/// # Errors
/// As [`App::explain_access`].
pub fn explain(conn: &mut Conn, app: &App, order: &ExplainOrder) -> Result<Explanation> {
    let now = app.now();
    let user_agent = order.user_agent.as_deref();
    let Some(id) = order.device else {
        let user = order.user.ok_or_else(|| Error::invalid("device", "must be given, or user"))?;
        let user = users::find(conn, user)?.ok_or(Error::NotFound("user"))?;
        let rules = rows::rules(conn)?;
        let is_excluded = rows::is_excluded(conn, user.id)?;
        let candidate = Candidate { user: user.state, is_excluded, user_agent, ..Candidate::nobody() };
        let groups = rows::excluded_groups(conn)?;
        return Ok(Words { rules: &rules, exception: None, verdict: None, groups: &groups }.explain(&candidate, now));
    };
    let device = devices::find(conn, id)?.ok_or(Error::NotFound("device"))?;
    if order.user.is_some_and(|user| user != device.user_id) {
        return Err(Error::invalid("user", "is not the one whose device this is"));
    }
    let known = Known::of(conn, app, device)?;
    let (verdict, _) = known.conclude(now)?;
    let exception = rows::exception(conn, id)?;
    let groups = rows::excluded_groups(conn)?;
    let candidate = Candidate { user_agent, ..known.candidate(verdict.status) };
    let words = Words { rules: &known.rules, exception: exception.as_ref(), verdict: Some(&verdict), groups: &groups };
    Ok(words.explain(&candidate, now))
}

/// What the words are made from.
struct Words<'a> {
    rules: &'a AccessRules,
    exception: Option<&'a ExceptionRow>,
    verdict: Option<&'a Verdict>,
    groups: &'a [(crate::domain::id::GroupId, String)],
}

impl Words<'_> {
    fn explain(&self, candidate: &Candidate<'_>, now: Timestamp) -> Explanation {
        let steps = access::explain(self.rules, candidate, now);
        let because: Vec<Because> = steps
            .iter()
            .map(|step| Because {
                question: step.question,
                asked: asked(step.question),
                answer: self.answer(step, candidate, now),
                decision: step.decision,
            })
            .collect();
        let decision = because.last().and_then(|last| last.decision).unwrap_or(Decision::Block);
        Explanation { decision, because }
    }

    fn answer(&self, step: &Step, candidate: &Candidate<'_>, now: Timestamp) -> String {
        let Some(decision) = step.decision else { return self.no(step.question, now) };
        let then = then(decision);
        match step.question {
            Question::UserDisabled => format!("Yes. Nothing of theirs comes in: {then}"),
            Question::DeviceGone => format!("Yes, it is {}. That cannot be overruled: {then}", candidate.state.as_str().replace('_', " ")),
            Question::Exception => self.exception.map_or_else(
                || format!("Yes: {then}"),
                |row| format!("Yes, {} decided until {}{}: {then}", row.created_by, row.until, noted(&row.note)),
            ),
            Question::ExcludedGroup => format!("Yes, in one of: {}. {then}", self.group_names()),
            Question::DeviceRule => {
                let place = step.rule.unwrap_or_default();
                let note = self.rules.rules.get(place).map(|rule| noted(&rule.note)).unwrap_or_default();
                format!("Yes, rule {}{note}: {then}", place.saturating_add(1))
            }
            Question::Unenrolled => format!("Yes. The setting for devices that are not enrolled: {then}"),
            Question::Unsupported => format!("Yes. The setting for devices that cannot be managed: {then}"),
            Question::UnknownCompliance | Question::Noncompliant => {
                format!("Yes.{} The setting for such devices: {then}", self.reasons())
            }
            Question::ReportedOnly => format!("Yes.{} Its policy reports that and lets it in: {then}", self.reasons()),
            Question::NothingAgainst => format!("Yes: {then}"),
        }
    }

    fn no(&self, question: Question, now: Timestamp) -> String {
        let text = match question {
            Question::Exception if self.exception.is_some_and(|row| !row.exception().holds(now)) => "No. There was one, and it has ended.",
            Question::ExcludedGroup if self.groups.is_empty() => "No. There is no such group.",
            Question::DeviceRule if self.rules.rules.is_empty() => "No. There is no such rule.",
            Question::DeviceRule => "No rule matches.",
            _ => "No.",
        };
        text.to_owned()
    }

    fn group_names(&self) -> String {
        self.groups.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn reasons(&self) -> String {
        let reasons = self.verdict.into_iter().flat_map(|verdict| &verdict.reasons);
        reasons.fold(String::new(), |text, reason| text + " " + &reason.text)
    }
}

fn noted(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(" ({note})") }
}

/// A question in words.
#[must_use]
pub const fn asked(question: Question) -> &'static str {
    match question {
        Question::UserDisabled => "Was the user disabled?",
        Question::DeviceGone => "Was the device wiped or retired, or was its wipe ordered?",
        Question::Exception => "Did an administrator decide about this very device?",
        Question::ExcludedGroup => "Is the user in an excluded group?",
        Question::DeviceRule => "Does a rule for a kind of device match?",
        Question::Unenrolled => "Is the device not enrolled?",
        Question::Unsupported => "Can the device not be managed?",
        Question::UnknownCompliance => "Is too little known about it?",
        Question::ReportedOnly => "Does it break a policy that only reports?",
        Question::Noncompliant => "Does it break its policy?",
        Question::NothingAgainst => "Is there nothing against it?",
    }
}

const fn then(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "it may come in.",
        Decision::Quarantine => "it is kept in quarantine.",
        Decision::Block => "it is blocked.",
    }
}
