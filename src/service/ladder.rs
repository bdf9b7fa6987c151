//! Carries out what the ladder of a policy says: mails to the person, and the question to an administrator.

use serde_json::json;

use super::{App, Result, comply::Known, notices, outbox, settings};
use crate::{
    apple::profile,
    domain::{
        access::Decision,
        audit::Actor,
        backend::Backend,
        command::{Command, CommandState, Purpose},
        compliance::{Status, Verdict, is_broken},
        device::EnrollmentState,
        ladder::{Climbed, Rung, climb},
        policy::Rules,
        time::Timestamp,
        user::UserState,
    },
    mail::template::{Mended, Template},
    store::{
        Tx,
        audit::{self, Entry},
        commands::{self, QueuedCommand},
        held, ladders, timeline, users,
    },
};

impl App {
    /// Does what is due for a device that was just judged, and gives when the next step is.
    ///
    /// * `known`: with the verdict and access that it had before; a device that obeyed and obeys costs no query.
    pub(super) fn climb(&self, tx: &mut Tx<'_>, known: &Known, verdict: &Verdict, access: Decision) -> Result<Option<Timestamp>> {
        let was_breaking = known.device.reasons()?.iter().any(|reason| is_broken(&reason.code));
        let is_breaking = verdict.reasons.iter().any(|reason| is_broken(&reason.code));
        if !was_breaking && !is_breaking {
            return Ok(None);
        }
        let device = known.device.id;
        // The same question as in the ladder itself, asked about the verdict before.
        let was_climbing = was_breaking && matches!(known.device.compliance, Status::InGrace | Status::Noncompliant);
        let kept = ladders::find(tx, device)?;
        let before = kept.clone().map(|before| if was_climbing { before } else { before.anew(self.now()) });
        let usual = Rules::default();
        let rules = known.policy.as_ref().map_or(&usual, |policy| &policy.rules);
        let climb = climb(&rules.ladder, verdict, access, before.as_ref(), self.now());
        for rung in &climb.rungs {
            match rung {
                Rung::Warn | Rung::Remind => self.tell_person(tx, known, verdict, false)?,
                Rung::TellBlocked => self.tell_person(tx, known, verdict, true)?,
                Rung::ProposeRetirement => self.propose_retirement(tx, known)?,
            }
        }
        match &climb.climbed {
            Some(climbed) if kept.as_ref() != Some(climbed) => ladders::upsert(tx, device, climbed)?,
            Some(_) => {}
            None => self.step_down(tx, known, kept)?,
        }
        Ok(climb.next_at)
    }

    /// The device obeys again, or is under way out: what was proposed because of its violations is no longer. What the person was
    /// told is remembered, so that they are not told the same each time that the device breaks a rule and mends it.
    fn step_down(&self, tx: &mut Tx<'_>, known: &Known, before: Option<Climbed>) -> Result<()> {
        let Some(before) = before else { return Ok(()) };
        if before.proposed_at.is_some()
            && let Some(enrollment) = &known.enrollment
        {
            held::withdraw(tx, enrollment.id, &[Purpose::Retire], "the device obeys its policy again", self.now())?;
        }
        if before.mailed_at.is_none() {
            return Ok(ladders::delete(tx, known.device.id)?);
        }
        if before.proposed_at.is_none() {
            return Ok(());
        }
        Ok(ladders::upsert(tx, known.device.id, &Climbed { proposed_at: None, ..before })?)
    }

    fn tell_person(&self, tx: &mut Tx<'_>, known: &Known, verdict: &Verdict, is_blocked: bool) -> Result<()> {
        let Some(user) = users::find(tx, known.device.user_id)?.filter(|user| user.state == UserState::Active) else { return Ok(()) };
        let device = &known.device;
        let broken = verdict.reasons.iter().filter(|reason| is_broken(&reason.code));
        let template = Template::Compliance {
            organization: settings::read(tx, &self.default_sender)?.organization,
            name: user.name.clone(),
            device: notices::name_of(device),
            is_blocked,
            until: verdict.deadline.map(|at| at.calendar().date().to_string()),
            reasons: broken.map(|reason| Mended { text: reason.text.clone(), remedy: reason.remedy.clone() }).collect(),
            link: format!("{}/devices", self.public_url),
        };
        let expires_at = Some(self.now().plus_days(7));
        outbox::enqueue(tx, self, outbox::NewMail { user: Some(user.id), recipient: user.email, template, expires_at })?;
        let text = if is_blocked { "The person was told that access is lost, and why." } else { "The person was told what is wrong." };
        Ok(timeline::record(tx, device.id, self.now(), "person_told", text, "policy")?)
    }

    /// Asks an administrator to let the device go: the order is written and waits for approval. Access is as it was.
    fn propose_retirement(&self, tx: &mut Tx<'_>, known: &Known) -> Result<()> {
        let device = &known.device;
        let Some(enrollment) = known.enrollment.as_ref().filter(|_| device.state == EnrollmentState::Enrolled) else { return Ok(()) };
        let command = match enrollment.backend {
            Backend::Apple => Command::RemoveProfile { identifier: profile::enrollment::identifier(&self.reverse_dns) },
            _ => Command::RemoveWorkData,
        };
        let mut proposed = QueuedCommand::new(enrollment.id, device.id, &command, Purpose::Retire, self.now())?;
        proposed.state = CommandState::AwaitingApproval;
        proposed.reason = Some("the device has been breaking its policy for longer than the policy lets it".into());
        commands::insert(tx, &proposed)?;
        let text = "The policy proposes to let the device go; an administrator decides.";
        timeline::record(tx, device.id, self.now(), "retirement_proposed", text, "policy")?;
        let (detail, subject) = (json!({ "command": proposed.id }), device.id.to_string());
        let actor = Actor::server();
        let entry = Entry { at: self.now(), actor: &actor, action: "device.propose_retirement", subject_kind: "device", subject, detail };
        Ok(audit::record(tx, &entry)?)
    }
}
