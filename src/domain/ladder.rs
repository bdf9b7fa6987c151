//! What happens to a device that breaks its policy, rung by rung: the person is told at once and told again, loses access, and in
//! the end an administrator is asked whether the device should be let go. Nothing is ever let go without that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    access::Decision,
    compliance::{Status, Verdict, is_broken},
    time::Timestamp,
};

/// How the ladder of a policy is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ladder {
    /// The person gets a mail that says what is wrong, until when, and what to do.
    pub notify_user: bool,
    /// Days between two such mails while nothing was mended and there is access, 0 to 30; 0 sends no second one.
    pub remind_every_days: u16,
    /// Days of non-compliance after which an administrator is asked to let the device go, 1 to 365; none never asks.
    pub retire_after_days: Option<u16>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { notify_user: true, remind_every_days: 2, retire_after_days: None }
    }
}

impl Ladder {
    /// The strictest of both: who must be told is told, the more often and the sooner.
    #[must_use]
    pub fn strictest(&self, other: &Self) -> Self {
        let sooner = |a: Option<u16>, b: Option<u16>| a.into_iter().chain(b).min();
        let interval = |ladder: &Self| Some(ladder.remind_every_days).filter(|days| *days > 0);
        Self {
            notify_user: self.notify_user || other.notify_user,
            remind_every_days: sooner(interval(self), interval(other)).unwrap_or(0),
            retire_after_days: sooner(self.retire_after_days, other.retire_after_days),
        }
    }
}

/// Days between two mails that say the same, however often a device obeys in between: whoever holds it can break and mend a rule as
/// often as they like.
const LEAST_DAYS: i64 = 1;

/// How far a device has come since it began to break its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Climbed {
    /// Since when it has been breaking it.
    pub since: Timestamp,
    /// When the person was last told, also of what they have mended since.
    pub mailed_at: Option<Timestamp>,
    /// The reasons for which the person was told that access is lost; each is told once.
    pub blocked_for: Vec<String>,
    /// When an administrator was asked to let it go.
    pub proposed_at: Option<Timestamp>,
}

impl Climbed {
    /// The device breaks its policy anew, having obeyed meanwhile: it begins at the bottom, and what the person was told is remembered.
    #[must_use]
    pub fn anew(self, now: Timestamp) -> Self {
        Self { since: now, proposed_at: None, ..self }
    }

    /// When the person was last told of something else than the present violations.
    fn told_before(&self) -> Option<Timestamp> {
        self.mailed_at.filter(|mailed| *mailed < self.since)
    }
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Tell the person what is wrong.
    Warn,
    /// Tell them again.
    Remind,
    /// Tell them that access is lost.
    TellBlocked,
    /// Ask an administrator whether to let the device go.
    ProposeRetirement,
}

/// The next steps of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Climb {
    /// What is to be done now, in this order.
    pub rungs: Vec<Rung>,
    /// What is to be remembered; none where the device obeys again.
    pub climbed: Option<Climbed>,
    /// When time alone brings the next step.
    pub next_at: Option<Timestamp>,
}

/// Finds the next steps.
///
/// * `verdict`, `access`: what was just concluded about the device.
/// * `before`: how far it had come, none where the person was never told anything; see [`Climbed::anew`].
#[must_use]
pub fn climb(ladder: &Ladder, verdict: &Verdict, access: Decision, before: Option<&Climbed>, now: Timestamp) -> Climb {
    let broken: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).filter(|code| is_broken(code)).collect();
    if broken.is_empty() || !matches!(verdict.status, Status::InGrace | Status::Noncompliant) {
        return Climb::default();
    }
    let mut climbed = before.cloned().unwrap_or(Climbed { since: now, mailed_at: None, blocked_for: Vec::new(), proposed_at: None });
    let mut rungs = Vec::new();
    let mut next = Vec::new();
    if ladder.notify_user {
        if access == Decision::Allow {
            tell(ladder, &mut climbed, &mut rungs, &mut next, now);
        } else {
            tell_blocked(&broken, &mut climbed, &mut rungs, &mut next, now);
        }
    }
    if let Some(days) = ladder.retire_after_days.filter(|_| verdict.status == Status::Noncompliant && climbed.proposed_at.is_none()) {
        let at = climbed.since.plus_days(days.into());
        if now >= at {
            rungs.push(Rung::ProposeRetirement);
            climbed.proposed_at = Some(now);
        } else {
            next.push(at);
        }
    }
    Climb { rungs, climbed: Some(climbed), next_at: next.into_iter().min() }
}

fn tell(ladder: &Ladder, climbed: &mut Climbed, rungs: &mut Vec<Rung>, next: &mut Vec<Timestamp>, now: Timestamp) {
    let again_at = |mailed: Timestamp| mailed.plus_days(ladder.remind_every_days.into());
    if let Some(soonest) = climbed.told_before().map(|mailed| mailed.plus_days(LEAST_DAYS)).filter(|soonest| now < *soonest) {
        next.push(soonest);
        return;
    }
    match climbed.mailed_at {
        None => rungs.push(Rung::Warn),
        Some(_) if climbed.told_before().is_some() => rungs.push(Rung::Warn),
        Some(mailed) if ladder.remind_every_days > 0 && now >= again_at(mailed) => rungs.push(Rung::Remind),
        Some(_) => {}
    }
    if !rungs.is_empty() {
        climbed.mailed_at = Some(now);
    }
    if let Some(mailed) = climbed.mailed_at.filter(|_| ladder.remind_every_days > 0) {
        next.push(again_at(mailed));
    }
}

/// Each reason is told once, however often the device is judged. One that was mended and is there again is told anew, after a while.
fn tell_blocked(broken: &[&str], climbed: &mut Climbed, rungs: &mut Vec<Rung>, next: &mut Vec<Timestamp>, now: Timestamp) {
    if let Some(soonest) = climbed.told_before().map(|mailed| mailed.plus_days(LEAST_DAYS)) {
        if now >= soonest {
            climbed.blocked_for.clear();
        } else {
            next.push(soonest);
        }
    }
    let untold: Vec<String> =
        broken.iter().filter(|code| !climbed.blocked_for.iter().any(|told| told == *code)).map(|code| (*code).to_owned()).collect();
    if !untold.is_empty() {
        rungs.push(Rung::TellBlocked);
        climbed.blocked_for.extend(untold);
        climbed.mailed_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::compliance::Reason;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn verdict(status: Status, codes: &[&str]) -> Verdict {
        let reason = |code: &&str| Reason { code: (*code).into(), text: String::new(), remedy: String::new(), since: NOW };
        Verdict { status, reasons: codes.iter().map(reason).collect(), deadline: None, valid_until: None }
    }

    #[test]
    fn a_person_is_told_at_once_and_again_and_when_access_is_lost() {
        let ladder = Ladder::default();
        let grace = verdict(Status::InGrace, &["passcode_missing"]);
        let first = climb(&ladder, &grace, Decision::Allow, None, NOW);
        assert_eq!((first.rungs.as_slice(), first.next_at), ([Rung::Warn].as_slice(), Some(NOW.plus_days(2))));
        let soon = climb(&ladder, &grace, Decision::Allow, first.climbed.as_ref(), NOW.plus_days(1));
        assert_eq!((soon.rungs.len(), soon.next_at), (0, Some(NOW.plus_days(2))));
        let again = climb(&ladder, &grace, Decision::Allow, soon.climbed.as_ref(), NOW.plus_days(2));
        assert_eq!(again.rungs, [Rung::Remind]);
        let lost = verdict(Status::Noncompliant, &["passcode_missing"]);
        let blocked = climb(&ladder, &lost, Decision::Block, again.climbed.as_ref(), NOW.plus_days(3));
        assert_eq!((blocked.rungs.as_slice(), blocked.next_at), ([Rung::TellBlocked].as_slice(), None));
        let once = climb(&ladder, &lost, Decision::Block, blocked.climbed.as_ref(), NOW.plus_days(4));
        assert_eq!(once.rungs, []);
        let more = verdict(Status::Noncompliant, &["passcode_missing", "os_outdated"]);
        assert_eq!(climb(&ladder, &more, Decision::Block, once.climbed.as_ref(), NOW.plus_days(5)).rungs, [Rung::TellBlocked]);
    }

    #[test]
    fn a_device_that_obeys_again_begins_at_the_bottom_the_next_time() {
        let grace = verdict(Status::InGrace, &["silent"]);
        let first = climb(&Ladder::default(), &grace, Decision::Allow, None, NOW);
        let mended = climb(&Ladder::default(), &verdict(Status::Compliant, &[]), Decision::Allow, first.climbed.as_ref(), NOW);
        assert_eq!(mended, Climb::default());
    }

    #[test]
    fn whoever_breaks_and_mends_a_rule_again_and_again_gets_one_mail_a_day() {
        let grace = verdict(Status::InGrace, &["passcode_missing"]);
        let lost = verdict(Status::Noncompliant, &["passcode_missing"]);
        for (verdict, access, rung) in [(&grace, Decision::Allow, Rung::Warn), (&lost, Decision::Block, Rung::TellBlocked)] {
            let mut known = climb(&Ladder::default(), verdict, access, None, NOW).climbed;
            for minutes in 1..100 {
                let now = NOW.plus_seconds(minutes * 60);
                let again = climb(&Ladder::default(), verdict, access, known.map(|before| before.anew(now)).as_ref(), now);
                assert_eq!((again.rungs.len(), again.next_at), (0, Some(NOW.plus_days(1))), "{rung:?}");
                known = again.climbed;
            }
            let due = climb(&Ladder::default(), verdict, access, known.as_ref(), NOW.plus_days(1));
            assert_eq!(due.rungs, [rung]);
            let told = climb(&Ladder::default(), verdict, access, due.climbed.as_ref(), NOW.plus_days(2));
            assert_eq!(told.rungs, [], "{rung:?}");
        }
        // What is wrong for another reason is told at once.
        let told = climb(&Ladder::default(), &lost, Decision::Block, None, NOW).climbed.unwrap().anew(NOW.plus_seconds(60));
        let other = verdict(Status::Noncompliant, &["os_outdated"]);
        assert_eq!(climb(&Ladder::default(), &other, Decision::Block, Some(&told), NOW.plus_seconds(60)).rungs, [Rung::TellBlocked]);
    }

    #[test]
    fn the_days_until_a_device_is_proposed_to_be_let_go_begin_with_each_violation() {
        let lost = verdict(Status::Noncompliant, &["silent"]);
        let ladder = Ladder { notify_user: false, retire_after_days: Some(30), ..Ladder::default() };
        let first = climb(&ladder, &lost, Decision::Block, None, NOW);
        let due = climb(&ladder, &lost, Decision::Block, first.climbed.as_ref(), NOW.plus_days(30));
        let anew = due.climbed.unwrap().anew(NOW.plus_days(40));
        let again = climb(&ladder, &lost, Decision::Block, Some(&anew), NOW.plus_days(40));
        assert_eq!((again.rungs.len(), again.next_at), (0, Some(NOW.plus_days(70))));
        assert_eq!(climb(&ladder, &lost, Decision::Block, again.climbed.as_ref(), NOW.plus_days(70)).rungs, [Rung::ProposeRetirement]);
    }

    #[test]
    fn what_is_not_the_persons_fault_is_not_told_to_them() {
        for (status, code) in
            [(Status::InGrace, "policy_outdated"), (Status::Unknown, "passcode_not_reported"), (Status::Noncompliant, "wipe_ordered")]
        {
            assert_eq!(climb(&Ladder::default(), &verdict(status, &[code]), Decision::Allow, None, NOW), Climb::default(), "{code}");
        }
    }

    #[test]
    fn letting_a_device_go_is_proposed_once_and_only_where_the_policy_says_so() {
        let lost = verdict(Status::Noncompliant, &["silent"]);
        let ladder = Ladder { notify_user: false, retire_after_days: Some(30), ..Ladder::default() };
        let first = climb(&ladder, &lost, Decision::Block, None, NOW);
        assert_eq!((first.rungs.len(), first.next_at), (0, Some(NOW.plus_days(30))));
        let due = climb(&ladder, &lost, Decision::Block, first.climbed.as_ref(), NOW.plus_days(30));
        assert_eq!(due.rungs, [Rung::ProposeRetirement]);
        assert_eq!(climb(&ladder, &lost, Decision::Block, due.climbed.as_ref(), NOW.plus_days(31)).rungs, []);
        let never = Ladder { notify_user: false, ..Ladder::default() };
        assert_eq!(climb(&never, &lost, Decision::Block, first.climbed.as_ref(), NOW.plus_days(400)).rungs, []);
    }

    #[test]
    fn of_two_ladders_the_stricter_value_of_each_setting_holds() {
        let quiet = Ladder { notify_user: false, remind_every_days: 0, retire_after_days: Some(60) };
        let loud = Ladder { notify_user: true, remind_every_days: 7, retire_after_days: None };
        let both = Ladder { notify_user: true, remind_every_days: 7, retire_after_days: Some(60) };
        assert_eq!((quiet.strictest(&loud), loud.strictest(&quiet)), (both.clone(), both));
    }
}
