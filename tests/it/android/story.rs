//! The whole story of a device for everything that can manage it: from the invitation in the mailbox through the portal to the end,
//! played by the simulator.

use std::time::Duration;

use enlist::simulator::{
    Passcode, State,
    android::{
        Mode,
        agent::Agent,
        certificate::{CertificateDevice, FileForm, download},
        handset::{Handset, passcode_of},
        launcher::{Launcher, LauncherState},
        portal::{fetch_code, fetch_ticket},
    },
    mailbox::Mailbox,
    portal::Owner,
    transport::{Browser, Trust},
};
use reqwest::Url;
use serde_json::{Value, json};

use super::launcher_stage::Stage;
use crate::{
    harness::{
        actors::{id, text},
        android::{behaviour, standing, start},
        database::Database,
        every_backend,
    },
    portal::android::ADA,
};

every_backend!(
    a_companys_phone_with_the_agent,
    a_persons_phone_with_the_agent,
    a_companys_phone_with_the_launcher,
    a_persons_phone_with_a_certificate_only,
);

const COMPUTER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";

/// Ada is invited, and opens the link of her invitation in this browser to enroll a device in this way.
async fn invite(stage: &Stage, ownership: &str, method: &str, user_agent: &str) -> (Owner, Url) {
    stage.app.admin().invite(&stage.user, ownership).await;
    stage.app.work().await;
    let owner = Owner {
        browser: Browser::new(&Trust::System, user_agent).unwrap(),
        mailbox: Mailbox::new(stage.app.outbox(), Duration::from_secs(30)),
        address: ADA.into(),
        ownership: None,
        method: Some(method.into()),
    };
    let link = owner.mailbox.invitation(ADA, &Url::parse(stage.app.address()).unwrap()).unwrap();
    assert!(link.path().starts_with("/enroll/"), "{link}");
    (owner, link)
}

/// A device with the agent, from the invitation to what it is told first.
async fn enroll_agent(stage: &Stage, ownership: &str, mode: Mode, passcode: Passcode) -> Agent {
    let mut agent = Agent::new(Handset::numbered("story", 0), behaviour(passcode, mode)).unwrap();
    let (owner, link) = invite(stage, ownership, "agent", &agent.handset().user_agent()).await;
    let (page, ticket) = stage.app.work_during(fetch_ticket(&owner, link)).await.unwrap();
    assert!(!owner.sees_done(&page).await.unwrap());
    agent.enroll(&ticket).await.unwrap();
    stage.app.work().await;
    assert_eq!(obey(&mut agent).await.first().map(String::as_str), Some("apply_policy acknowledged"));
    assert!(owner.sees_done(&page).await.unwrap(), "the portal says that it is enrolled");
    agent
}

/// What the agent was told, and how it answered.
async fn obey(agent: &mut Agent) -> Vec<String> {
    let steps = agent.poll(0).await.unwrap();
    steps.into_iter().map(|step| format!("{} {}", step.request_type, step.status)).collect()
}

/// A device with the launcher, from the invitation to what it is told first.
async fn enroll_launcher(stage: &Stage, serial: &str, passcode: Passcode) -> Launcher {
    let (owner, link) = invite(stage, "company", "headwind", COMPUTER).await;
    let (page, code) = stage.app.work_during(fetch_code(&owner, link)).await.unwrap();
    let mut launcher = Launcher::provision(&code, stage.options(serial, passcode)).await.unwrap();
    assert!(!owner.sees_done(&page).await.unwrap());
    launcher.enroll().await.unwrap();
    stage.app.work().await;
    launcher.fetch().await.unwrap();
    assert!(owner.sees_done(&page).await.unwrap(), "the portal says that it is enrolled");
    launcher
}

/// The device is kept out, with the reason and what to do about it.
async fn is_kept_out(stage: &Stage, serial: &str) {
    let device = stage.device(serial).await;
    assert_eq!(standing(&device), ["enrolled", "noncompliant", "block"], "{device}");
    let reason = &device["reasons"][0];
    assert_eq!(reason["code"], "passcode_too_weak", "{device}");
    assert!(text(reason, "remedy").to_lowercase().contains("screen lock"), "{reason}");
}

/// The device is let in.
async fn is_let_in(stage: &Stage, serial: &str) -> Value {
    let device = stage.device(serial).await;
    assert_eq!(standing(&device), ["enrolled", "compliant", "allow"], "{device}");
    assert_eq!(device["reasons"], json!([]));
    device
}

/// A wipe was ordered: access is cut before the device has heard of it.
async fn is_cut_off(stage: &Stage, device: &Value, scope: &str) {
    stage.app.admin().wipe(device, scope).await.expect(202);
    let cut = stage.app.admin().device(&id(device)).await;
    assert_eq!((&cut["enrollment"], &cut["access"]), (&json!("wipe_pending"), &json!("block")));
}

/// The device is gone, and has no access.
async fn is_gone(stage: &Stage, device: &Value, enrollment: &str) {
    stage.app.work().await;
    let gone = stage.app.admin().device(&id(device)).await;
    assert_eq!((&gone["enrollment"], &gone["access"]), (&json!(enrollment), &json!("block")), "{gone}");
}

async fn a_companys_phone_with_the_agent(db: Database) {
    let stage = Stage::new(start(db).await).await;
    let mut phone = enroll_agent(&stage, "company", Mode::DeviceOwner, Passcode::Weak).await;
    let serial = phone.handset().serial.clone();
    is_kept_out(&stage, &serial).await;
    phone.set_passcode(passcode_of(Passcode::Strong));
    phone.report().await.unwrap();
    let device = is_let_in(&stage, &serial).await;
    assert_eq!((&device["backend"], &device["management_mode"]), (&json!("agent"), &json!("device_owner")));

    stage.app.admin().order(&id(&device), "lock").await;
    assert_eq!(obey(&mut phone).await, ["lock acknowledged"]);
    assert!(phone.is_locked());
    is_cut_off(&stage, &device, "selective").await;
    assert_eq!(obey(&mut phone).await, ["remove_work_data acknowledged"]);
    assert_eq!(phone.state(), State::Removed);
    is_gone(&stage, &device, "wiped").await;

    // It comes again, and is lost.
    let mut phone = enroll_agent(&stage, "company", Mode::DeviceOwner, Passcode::Strong).await;
    let device = is_let_in(&stage, &serial).await;
    assert_eq!(device["generation"], 2);
    is_cut_off(&stage, &device, "full").await;
    assert_eq!(obey(&mut phone).await, ["erase_device acknowledged"]);
    assert_eq!(phone.state(), State::Wiped);
    is_gone(&stage, &device, "wiped").await;
    stage.app.work().await;
}

async fn a_persons_phone_with_the_agent(db: Database) {
    let stage = Stage::new(start(db).await).await;
    let admin = stage.app.admin();
    let mut phone = enroll_agent(&stage, "personal", Mode::ProfileOwner, Passcode::Weak).await;
    let serial = phone.handset().serial.clone();
    is_kept_out(&stage, &serial).await;
    phone.set_passcode(passcode_of(Passcode::Strong));
    phone.report().await.unwrap();
    let device = is_let_in(&stage, &serial).await;
    admin.order(&id(&device), "lock").await;
    assert_eq!(obey(&mut phone).await, ["lock acknowledged"]);
    for refused in [admin.wipe(&device, "full").await, admin.post(&format!("/devices/{}/clear-passcode", id(&device)), &json!({})).await] {
        let detail = text(&refused.expect(409), "detail");
        assert!(detail.contains("personal") || detail.contains("work profile"), "{detail}");
    }
    is_cut_off(&stage, &device, "selective").await;
    assert_eq!(obey(&mut phone).await, ["remove_work_data acknowledged"]);
    assert_eq!(phone.state(), State::Removed);
    is_gone(&stage, &device, "wiped").await;
    stage.app.work().await;
}

async fn a_companys_phone_with_the_launcher(db: Database) {
    let stage = Stage::new(start(db).await).await;
    let serial = "R5CT-WHOLE";
    let mut phone = enroll_launcher(&stage, serial, Passcode::Weak).await;
    is_kept_out(&stage, serial).await;
    phone.choose_passcode(Passcode::Strong);
    stage.app.clock.advance_seconds(5);
    phone.open_screen();
    phone.send_log().await.unwrap();
    let device = is_let_in(&stage, serial).await;
    assert_eq!((&device["backend"], &device["ownership"]), (&json!("headwind"), &json!("company")));

    stage.app.admin().order(&id(&device), "lock").await;
    assert!(phone.poll().await.unwrap());
    assert!(phone.lock().is_some());
    assert_eq!(stage.command(serial, "lock").await["state"], "acknowledged");
    is_cut_off(&stage, &device, "selective").await;
    assert!(phone.poll().await.unwrap());
    is_gone(&stage, &device, "wiped").await;
    phone.fetch().await.unwrap();
    assert_eq!(phone.state(), LauncherState::Forgotten);

    // It comes again, and is lost.
    let mut phone = enroll_launcher(&stage, serial, Passcode::Strong).await;
    let device = is_let_in(&stage, serial).await;
    is_cut_off(&stage, &device, "full").await;
    assert!(phone.poll().await.unwrap());
    assert_eq!(phone.state(), LauncherState::Reset);
    is_gone(&stage, &device, "wiped").await;
    let done: Vec<&str> = phone.journal().iter().map(|step| step.request_type.as_str()).collect();
    assert_eq!(done.last(), Some(&"factoryReset"), "{done:?}");
    stage.app.work().await;
}

async fn a_persons_phone_with_a_certificate_only(db: Database) {
    let stage = Stage::new(start(db).await).await;
    let admin = stage.app.admin();
    let (owner, link) = invite(&stage, "personal", "certificate", &Handset::numbered("story", 0).user_agent()).await;
    let got = stage.app.work_during(download(&owner, link, FileForm::Legacy)).await.unwrap();
    assert!(owner.sees_done(&got.page).await.unwrap(), "the portal says that nothing more is to come");
    let phone = CertificateDevice::install(&got.file, &got.password, &Trust::Anybody).unwrap();
    let identity = Url::parse(stage.app.device_address()).unwrap().join("/android/v1/identity").unwrap();
    assert!(phone.is_known(identity.clone()).await.unwrap());

    // Whatever its passcode is, nobody hears of it.
    let device = admin.get("/devices").await.expect(200)["items"][0].clone();
    assert_eq!((&device["backend"], &device["compliance"]), (&json!("certificate"), &json!("unknown")));
    assert_eq!(device["reasons"][0]["code"], "passcode_not_reported");
    assert!(!text(&device["reasons"][0], "remedy").is_empty());
    let at = format!("/devices/{}", id(&device));
    let wipe = |scope: &str| json!({ "scope": scope, "reason": "lost", "confirm": id(&device) });
    for (what, body, why) in [
        ("lock", json!({}), "certificate"),
        ("clear-passcode", json!({}), "certificate"),
        ("wipe", wipe("full"), "personal device"),
        ("wipe", wipe("selective"), "certificate"),
    ] {
        let refused = admin.post(&format!("{at}/{what}"), &body).await.expect(409);
        assert!(text(&refused, "detail").contains(why), "{what}: {refused}");
    }
    assert!(phone.is_known(identity.clone()).await.unwrap(), "what was refused has changed nothing");

    admin.order(&id(&device), "retire").await;
    assert!(!phone.is_known(identity).await.unwrap(), "its certificate counts no longer");
    is_gone(&stage, &device, "retired").await;
    stage.app.work().await;
}
