//! The whole story of a company's phones, played through the front door: by the administrator over the API, by the employee in a
//! browser and a mailbox, by the phone on its own channels.

use enlist::simulator::{PhoneOptions, State, iphone::Phone, passcode::Passcode};
use serde_json::{Value, json};

use super::revocation::Authority;
use crate::harness::{
    actors::{Admin, IPhone, Visitor, id, passcode_policy, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(phones_enroll_by_mail_are_held_to_their_policy_and_are_wiped);

const ADA: &str = "ada@example.com";

async fn phones_enroll_by_mail_are_held_to_their_policy_and_are_wiped(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let authority = Authority::of(&app).await;
    admin.create_policy(&passcode_policy("Company phones")).await;
    let user = admin.create_user(ADA).await;

    let mut phone = enroll_by_mail(&app, &admin, &user, Passcode::Weak).await;
    let device = id(&phone.seen_by(&admin).await);
    a_weak_passcode_is_too_little(&admin, &device, &mut phone).await;
    a_strong_passcode_is_enough(&admin, &device, &mut phone).await;
    the_report_shows_it(&admin, &phone).await;
    let certificate = phone.identity().unwrap().certificate.clone();
    assert!(!authority.has_revoked(&certificate).await);
    a_selective_wipe_is_ordered(&admin, &device).await;
    assert!(authority.has_revoked(&certificate).await);
    it_is_carried_out(&admin, &device, &mut phone).await;
    others_are_wiped_as_far_as_they_may_be(&app, &admin, &user).await;

    let mut again = enroll_by_mail(&app, &admin, &user, Passcode::Strong).await;
    again.obey_all().await;
    let shown = admin.device(&device).await;
    assert_eq!((&shown["generation"], &shown["compliance"], &shown["access"]), (&json!(2), &json!("compliant"), &json!("allow")));
    everything_was_written_down(&app, &admin, &device).await;
}

async fn enroll_by_mail(app: &TestApp, admin: &Admin, user: &str, passcode: Passcode) -> IPhone {
    admin.invite(user, "company").await;
    app.work().await;
    let visitor = Visitor::new(app, ADA);
    let visit = visitor.fetch_profile(visitor.invitation().expect("the mail has a link")).await;
    let mut phone = IPhone::open(app, &visit.profile, 0, PhoneOptions { passcode, ..PhoneOptions::default() }).await;
    assert!(!visitor.sees_done(&visit.page).await, "a downloaded profile is not an enrollment");
    Phone::enroll(&mut phone).await.unwrap();
    assert!(visitor.sees_done(&visit.page).await);
    phone
}

async fn a_weak_passcode_is_too_little(admin: &Admin, device: &str, phone: &mut IPhone) {
    let shown = admin.device(device).await;
    assert_eq!(
        (&shown["enrollment"], &shown["compliance"], &shown["access"]),
        (&json!("enrolled"), &json!("unknown"), &json!("quarantine"))
    );
    let obeyed = phone.obey_all().await;
    assert_eq!(obeyed.first().map(String::as_str), Some("InstallProfile"));
    let shown = admin.device(device).await;
    assert_eq!((&shown["compliance"], &shown["access"]), (&json!("noncompliant"), &json!("block")));
    assert_eq!(shown["reasons"][0]["code"], "passcode_too_weak");
    assert!(text(&shown["reasons"][0], "remedy").contains("Change the passcode"), "{shown}");
}

async fn a_strong_passcode_is_enough(admin: &Admin, device: &str, phone: &mut IPhone) {
    phone.device_mut().set_passcode(Passcode::Strong);
    admin.order(device, "refresh").await;
    assert_eq!(phone.obey_all().await, ["DeviceInformation", "SecurityInfo", "ProfileList"]);
    let shown = admin.device(device).await;
    assert_eq!((&shown["compliance"], &shown["access"], &shown["reasons"]), (&json!("compliant"), &json!("allow"), &json!([])));
    assert_eq!((&shown["user"]["email"], &shown["ownership"], &shown["platform"]), (&json!(ADA), &json!("company"), &json!("ios")));
}

async fn the_report_shows_it(admin: &Admin, phone: &IPhone) {
    let serial = &phone.device().model().serial;
    for (query, expected) in
        [("os=ios", 1), ("status=compliant", 1), ("os=ios&status=enrolled", 1), ("os=android", 0), ("status=noncompliant", 0)]
    {
        let report = admin.get(&format!("/reports/compliance?{query}")).await.expect(200);
        assert_eq!((&report["total"], &report["totals"]["devices"]), (&json!(expected), &json!(expected)), "{query}");
        let csv = admin.get(&format!("/reports/compliance?{query}&format=csv")).await;
        assert!(csv.header("content-type").starts_with("text/csv"));
        let lines: Vec<String> = csv.text().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 1 + expected, "{query}");
        assert_eq!(lines.iter().filter(|line| line.contains(serial) && line.contains(ADA)).count(), expected);
    }
    let report = admin.get("/reports/compliance").await.expect(200);
    assert_eq!((&report["totals"]["by_os"]["ios"], &report["totals"]["by_status"]["compliant"]), (&json!(1), &json!(1)));
}

async fn a_selective_wipe_is_ordered(admin: &Admin, device: &str) {
    let mut shown = admin.device(device).await;
    let serial = shown["serial"].clone();
    shown["serial"] = json!("another");
    let refused = admin.wipe(&shown, "selective").await.expect(400);
    assert_eq!(refused["field"], "confirm");
    assert_eq!(admin.device(device).await["access"], "allow");
    shown["serial"] = serial;
    let ordered = admin.wipe(&shown, "selective").await.expect(202);
    assert_eq!((&ordered["command"]["kind"], &ordered["command"]["state"]), (&json!("remove_profile"), &json!("queued")));
    let shown = admin.device(device).await;
    assert_eq!((&shown["enrollment"], &shown["access"]), (&json!("wipe_pending"), &json!("block")));
    assert_eq!(admin.wipe(&shown, "selective").await.status, 409, "once is enough");
}

async fn it_is_carried_out(admin: &Admin, device: &str, phone: &mut IPhone) {
    let before: Vec<String> = phone.device().profiles().into_iter().map(str::to_owned).collect();
    assert_eq!(before.len(), 2);
    let command = phone.ask().await.unwrap();
    let first = command.body["Identifier"].as_string().unwrap().to_owned();
    assert!(first.ends_with(".passcode"), "the enrollment profile goes last: {first}");
    assert_eq!(phone.obey_all().await, ["RemoveProfile", "RemoveProfile"]);
    assert_eq!((phone.state(), phone.device().profiles().len()), (State::Removed, 0));
    let shown = admin.device(device).await;
    assert_eq!((&shown["enrollment"], &shown["access"]), (&json!("wiped"), &json!("block")));
    assert_eq!(phone.device().passcode(), Passcode::Strong, "what is the person's own stays");
}

async fn others_are_wiped_as_far_as_they_may_be(app: &TestApp, admin: &Admin, user: &str) {
    let mut company = IPhone::enroll(app, user, "company", 1).await;
    company.obey_all().await;
    let device = company.seen_by(admin).await;
    let erase = admin.wipe(&device, "full").await.expect(202);
    assert_eq!(erase["command"]["kind"], "erase_device");
    assert_eq!(company.obey_all().await, ["EraseDevice"]);
    assert_eq!(company.state(), State::Wiped);
    assert_eq!(admin.device(&id(&device)).await["enrollment"], "wiped");

    let mut personal = IPhone::enroll(app, user, "personal", 2).await;
    personal.obey_all().await;
    let device = personal.seen_by(admin).await;
    let refused = admin.wipe(&device, "full").await.expect(409);
    assert!(text(&refused, "detail").contains("personal device"), "{refused}");
    assert_eq!(admin.device(&id(&device)).await["access"], "allow");
}

async fn everything_was_written_down(app: &TestApp, admin: &Admin, device: &str) {
    let timeline = admin.timeline(device).await;
    in_order(&timeline, &["authenticated", "enrolled", "access_changed", "wipe_ordered", "wiped", "authenticated", "enrolled"]);
    assert!(timeline.iter().filter(|kind| *kind == "compliance_changed").count() >= 4, "{timeline:?}");
    let audited = admin.audited().await;
    let steps = [
        "policy.create",
        "user.create",
        "user.invite",
        "device.command",
        "device.wipe",
        "user.enrollment_profile",
        "device.wipe",
        "user.enrollment_profile",
        "user.invite",
    ];
    in_order(&audited, &steps);
    assert_eq!(audited.iter().filter(|action| *action == "device.wipe").count(), 2, "what was refused was not done: {audited:?}");
    let wipes = admin.get("/audit?action=device.wipe&limit=1").await.expect(200);
    let detail: Value = serde_json::from_str(&text(&wipes["items"][0], "detail")).unwrap();
    assert_eq!((&detail["scope"], &detail["reason"]), (&json!("full"), &json!("lost")));
    let verified = admin.get("/audit/verification").await.expect(200);
    assert_eq!(verified["broken_at"], Value::Null);
    assert!(verified["lines"].as_i64().unwrap() > 10);
    app.work().await;
}

/// Whether these words come in this order, with others in between.
#[track_caller]
fn in_order(found: &[String], expected: &[&str]) {
    let mut rest = found.iter();
    for word in expected {
        assert!(rest.any(|found| found == word), "{word} is missing, or comes too early, in {found:?}");
    }
}
