//! What a phone has said, played again through the engine alone: the same verdicts as those that the server wrote down, each change
//! of them one line of the timeline.

use enlist::{
    domain::{
        compliance::{Reason, Status, Subject, Verdict, evaluate},
        id::DeviceId,
        policy::EffectivePolicy,
        posture::Posture,
    },
    simulator::passcode::Passcode,
    store::{
        self,
        devices::{self, Device},
        enrollments::{self, Enrollment},
        policies, postures,
    },
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    actors::{Admin, IPhone, id, passcode_policy, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(the_facts_of_a_phones_life_give_the_verdicts_of_its_timeline_once_more);

/// Where a device stands after one thing has happened to it.
struct Moment {
    device: Device,
    enrollment: Enrollment,
    posture: Posture,
    policy: Option<EffectivePolicy>,
}

/// A phone, and everything that was ever known of it.
struct Life<'a> {
    app: &'a TestApp,
    admin: Admin,
    phone: IPhone,
    device: String,
    moments: Vec<Moment>,
}

impl Life<'_> {
    async fn remember(&mut self) {
        let id: DeviceId = self.device.parse().unwrap();
        let read = self.app.app.read(move |conn| {
            let device = devices::find(conn, id)?.unwrap();
            let enrollment = enrollments::find(conn, device.enrollment_id.unwrap())?.unwrap();
            let (posture, policy) = (postures::get(conn, id)?, policies::for_user(conn, device.user_id)?);
            Ok::<_, store::Error>(Moment { device, enrollment, posture, policy })
        });
        self.moments.push(read.await.unwrap());
    }

    /// Answers everything that the server asks. Each answer is a moment of its own.
    async fn answer_all(&mut self) {
        let mut next = self.phone.ask().await;
        self.remember().await;
        while let Some(command) = next {
            let (body, _) = self.phone.obey(&command).unwrap();
            next = self.phone.exchange(body).await;
            self.remember().await;
        }
        self.app.work().await;
        self.remember().await;
    }

    async fn asked_with(&mut self, passcode: Passcode) {
        self.phone.device_mut().set_passcode(passcode);
        let asked = self.admin.send(self.admin.request(Method::POST, &format!("/devices/{}/refresh", self.device))).await;
        assert!(matches!(asked.status, 202 | 409), "it is asked now, or was already by the time that passed: {}", asked.status);
        self.answer_all().await;
    }

    async fn ruled_by(&mut self, policy: &str, rules: &Value) {
        self.admin.put(&format!("/policies/{policy}"), rules).await.expect(200);
        self.app.work().await;
        self.remember().await;
    }

    async fn wait(&mut self, days: i64) {
        self.app.clock.advance_days(days);
        self.app.sweep().await;
        self.remember().await;
    }

    /// The changes of the verdict as the timeline tells them, oldest first: when, and what it says.
    async fn changes(&self) -> Vec<(String, String)> {
        let page = self.admin.get(&format!("/devices/{}/timeline?limit=200", self.device)).await.expect(200);
        let lines = page["items"].as_array().unwrap().iter().rev();
        lines.filter(|line| line["kind"] == "compliance_changed").map(|line| (text(line, "at"), text(line, "text"))).collect()
    }
}

/// The verdict of each moment, from what the device had said by then; of the server's own verdicts nothing is used.
fn replayed(moments: &[Moment], identifier: &str) -> Vec<Verdict> {
    let (mut before, mut verdicts): (Vec<Reason>, Vec<Verdict>) = (Vec::new(), Vec::new());
    for Moment { device, enrollment, posture, policy } in moments {
        let subject = Subject {
            platform: device.platform,
            state: device.state,
            backend: enrollment.backend,
            is_user_enrollment: enrollment.is_user_enrollment,
            last_seen_at: device.last_seen_at,
            passcode_profile: enrollment.passcode_profile.as_deref().map(|uuid| (identifier, uuid)),
            policy_version: None,
            before: &before,
        };
        let verdict = evaluate(policy.as_ref(), &subject, posture, device.evaluated_at.unwrap());
        before.clone_from(&verdict.reasons);
        verdicts.push(verdict);
    }
    verdicts
}

async fn the_facts_of_a_phones_life_give_the_verdicts_of_its_timeline_once_more(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let mut rules = passcode_policy("all");
    rules["grace_days"] = json!(3);
    let policy = admin.create_policy(&rules).await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.device_mut().set_passcode(Passcode::Weak);
    let device = id(&phone.seen_by(&admin).await);
    let mut life = Life { app: &app, admin, phone, device, moments: Vec::new() };
    life.remember().await;

    // A passcode that is too weak, mended in time.
    life.answer_all().await;
    life.wait(1).await;
    life.asked_with(Passcode::Strong).await;
    // A policy that the system is too old for, and within its grace a weak passcode once more.
    let mut stricter = rules.clone();
    stricter["min_os"] = json!({ "ios": "99" });
    life.ruled_by(&policy, &stricter).await;
    life.wait(1).await;
    life.asked_with(Passcode::Weak).await;
    // The grace ends by itself, and the milder policy does not begin it anew.
    life.wait(3).await;
    life.answer_all().await;
    judging_again_writes_nothing(&mut life, Passcode::Weak).await;
    life.ruled_by(&policy, &rules).await;
    life.asked_with(Passcode::Strong).await;
    judging_again_writes_nothing(&mut life, Passcode::Strong).await;
    the_replay_agrees(&life).await;
}

async fn the_replay_agrees(life: &Life<'_>) {
    let identifier = life.phone.device().profiles().into_iter().find(|name| name.ends_with(".passcode")).unwrap();
    let verdicts = replayed(&life.moments, identifier);
    let mut changes = Vec::new();
    let mut last = Status::Unknown;
    for (number, (moment, verdict)) in life.moments.iter().zip(&verdicts).enumerate() {
        let device = &moment.device;
        assert_eq!(verdict.status, device.compliance, "moment {number}: {verdict:?}");
        assert_eq!(verdict.reasons, device.reasons().unwrap(), "moment {number}");
        assert_eq!(verdict.deadline, device.deadline, "moment {number}");
        if verdict.status != last {
            changes.push((device.evaluated_at.unwrap().to_string(), verdict));
        }
        last = verdict.status;
    }
    // The timeline tells of each change, of no other, and in the words of the most serious reason.
    let told = life.changes().await;
    assert_eq!(told.len(), changes.len(), "{told:?} {changes:?}");
    for ((told_at, told), (at, verdict)) in told.iter().zip(&changes) {
        assert_eq!(told_at, at, "{told}");
        let reason = verdict.reasons.first().map_or("The device obeys the policy.", |reason| reason.text.as_str());
        assert!(told.contains(reason), "{told}: {reason}");
    }
    let statuses: Vec<Status> = changes.iter().map(|(_, verdict)| verdict.status).collect();
    let expected = [Status::InGrace, Status::Compliant, Status::InGrace, Status::Noncompliant, Status::Compliant];
    assert_eq!(statuses, expected);
}

/// By the same answers once more, and by the clock alone.
async fn judging_again_writes_nothing(life: &mut Life<'_>, passcode: Passcode) {
    let (told, before) = (life.changes().await, life.admin.device(&life.device).await);
    life.app.clock.advance_seconds(3600);
    life.asked_with(passcode).await;
    life.app.clock.advance_seconds(3600);
    life.app.database.tamper("UPDATE devices SET evaluate_at = 0");
    life.app.sweep().await;
    life.remember().await;
    let after = life.admin.device(&life.device).await;
    assert_eq!(after["evaluated_at"], json!(life.app.clock_now()), "it was judged again");
    for key in ["compliance", "access", "reasons"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(life.changes().await, told);
}
