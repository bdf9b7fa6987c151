//! Whether a device may come in: a list of questions, asked in one order, of which the first that has an answer decides.
//!
//! The order is the heart of the matter. It follows Exchange's allow, block and quarantine list (what is personal before what is
//! a rule for many, that before the organization's default), with two kinds of questions before and after it:
//!
//! 1. *What nobody can overrule*: a user who was disabled, and a device that was wiped, retired, or whose wipe was ordered. They
//!    come first, because access is cut when a wipe is ordered and nothing that is set up for many devices, neither a group nor a
//!    rule nor an exception, may give it back.
//! 2. *What an administrator decided about this very device*: the exception, until its end. It comes before the excluded groups,
//!    as Exchange asks what is personal first: one lost device of somebody who is excluded can be kept out, and an exception
//!    that lets in says the same as the group anyway.
//! 3. *Whom the organization leaves alone*: the excluded groups. They come before the rules, which are for everybody else.
//! 4. *What kind of device this is*: the device rules, of which the first that matches decides. A rule that lets in does so
//!    whatever the verdict is: that is what it is for, such as for a scanner that can never be managed. What a rule looks at is
//!    what a device says of itself, so that a rule never lets in somebody who has not shown which device it is.
//! 5. *How the device stands*: not enrolled, cannot be managed, too little known, breaks its policy. A policy that only reports
//!    lets its devices in, but one of which too little is known is not reported as anything, and stays with its own setting.
//! 6. What nothing was said against comes in.

use super::{
    compliance::Status,
    device::{EnrollmentState, Platform},
    policy::Enforcement,
    time::Timestamp,
    user::UserState,
};
use crate::words;

mod pattern;
mod rules;
#[cfg(test)]
mod tests;

pub use rules::{AccessRules, DeviceMatch, DeviceRule, GateOutage, RulesError};

words! {
    /// What the gate answers.
    pub enum Decision {
        /// Come in.
        Allow = "allow",
        /// Only the page that explains and helps.
        Quarantine = "quarantine",
        /// Nothing.
        Block = "block",
    }
}

words! {
    /// The questions, in the order in which they are asked.
    pub enum Question {
        /// Was the user disabled?
        UserDisabled = "user_disabled",
        /// Was the device wiped or retired, or was its wipe ordered?
        DeviceGone = "device_gone",
        /// Did an administrator decide about this device?
        Exception = "exception",
        /// Is the user in a group that the organization leaves alone?
        ExcludedGroup = "excluded_group",
        /// Does a rule for this kind of device match?
        DeviceRule = "device_rule",
        /// Is the device not enrolled?
        Unenrolled = "unenrolled",
        /// Can the device not be managed?
        Unsupported = "unsupported",
        /// Is too little known about it?
        UnknownCompliance = "unknown_compliance",
        /// Does it break a policy that only reports?
        ReportedOnly = "reported_only",
        /// Does it break its policy?
        Noncompliant = "noncompliant",
        /// Nothing was said against it.
        NothingAgainst = "nothing_against",
    }
}

/// What an administrator decided about one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// The decision.
    pub decision: Decision,
    /// When it ends.
    pub until: Timestamp,
}

impl Exception {
    /// Whether it holds at this time.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// Everything that the questions are about.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Whether the device has shown which one it is. Whoever has not is let in by the settings alone, and by no rule.
    pub is_identified: bool,
    /// Whether the user takes part.
    pub user: UserState,
    /// The user is in an excluded group.
    pub is_excluded: bool,
    /// What an administrator decided about the device.
    pub exception: Option<Exception>,
    /// Where the device stands with its enrollment.
    pub state: EnrollmentState,
    /// The verdict.
    pub status: Status,
    /// What the policy does with a device that breaks it.
    pub enforcement: Enforcement,
    /// What the device is.
    pub platform: Platform,
    /// Marketing name of its model.
    pub model: Option<&'a str>,
    /// Its product code.
    pub product: Option<&'a str>,
    /// Version of its system.
    pub os_version: Option<&'a str>,
    /// What the program that asks calls itself; known at the gate only.
    pub user_agent: Option<&'a str>,
}

impl Candidate<'_> {
    /// Somebody of whom nothing is known.
    #[must_use]
    pub const fn nobody() -> Self {
        Self {
            is_identified: false,
            user: UserState::Active,
            is_excluded: false,
            exception: None,
            state: EnrollmentState::Invited,
            status: Status::Unknown,
            enforcement: Enforcement::Block,
            platform: Platform::Other,
            model: None,
            product: None,
            os_version: None,
            user_agent: None,
        }
    }
}

/// A decision and the question whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What was decided.
    pub decision: Decision,
    /// By which question.
    pub by: Question,
}

/// One question that was asked, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The question.
    pub question: Question,
    /// The decision, where it has one.
    pub decision: Option<Decision>,
    /// Which of the device rules matched, counted from 0.
    pub rule: Option<usize>,
}

/// Decides. Total: the last question always has an answer.
#[must_use]
pub fn decide(rules: &AccessRules, candidate: &Candidate<'_>, now: Timestamp) -> Decided {
    let first = Question::ALL.iter().find_map(|by| ask(*by, rules, candidate, now).map(|decision| Decided { decision, by: *by }));
    first.unwrap_or(Decided { decision: Decision::Block, by: Question::NothingAgainst })
}

/// The questions as they were asked, up to and including the one that decided.
#[must_use]
pub fn explain(rules: &AccessRules, candidate: &Candidate<'_>, now: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    for question in Question::ALL.iter().copied() {
        let decision = ask(question, rules, candidate, now);
        let rule = if question == Question::DeviceRule { rules.matching(candidate) } else { None };
        steps.push(Step { question, decision, rule });
        if decision.is_some() {
            break;
        }
    }
    steps
}

/// One question; `None` where it has no answer, and the next is asked.
fn ask(question: Question, rules: &AccessRules, candidate: &Candidate<'_>, now: Timestamp) -> Option<Decision> {
    use EnrollmentState::{Invited, Pending, Retired, WipePending, Wiped};
    let is_noncompliant = candidate.status == Status::Noncompliant;
    match question {
        Question::UserDisabled => (candidate.user == UserState::Disabled).then_some(Decision::Block),
        Question::DeviceGone => matches!(candidate.state, WipePending | Wiped | Retired).then_some(Decision::Block),
        Question::Exception => candidate.exception.filter(|exception| exception.holds(now)).map(|exception| exception.decision),
        Question::ExcludedGroup => candidate.is_excluded.then_some(Decision::Allow),
        Question::DeviceRule => rules.matching(candidate).and_then(|place| rules.rules.get(place)).map(|rule| rule.decision),
        Question::Unenrolled => matches!(candidate.state, Invited | Pending).then_some(rules.unenrolled_devices),
        Question::Unsupported => (candidate.status == Status::Unsupported).then_some(rules.unsupported_devices),
        Question::UnknownCompliance => (candidate.status == Status::Unknown).then_some(rules.unknown_compliance),
        Question::ReportedOnly => (is_noncompliant && candidate.enforcement == Enforcement::AllowAndReport).then_some(Decision::Allow),
        Question::Noncompliant => is_noncompliant.then_some(rules.noncompliant_devices),
        Question::NothingAgainst => Some(Decision::Allow),
    }
}
