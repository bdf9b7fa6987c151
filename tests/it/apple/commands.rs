//! Commands: from the order to the answer, whatever the device and the connection make of it.

use enlist::{domain::user::Role, simulator::passcode::Passcode};
use plist::Value as Plist;
use serde_json::json;

use crate::harness::{
    actors::{IPhone, id, passcode_policy, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    a_command_is_handed_out_again_until_it_is_answered,
    an_answer_that_the_phone_sends_again_after_a_broken_connection_counts_once,
    a_locked_phone_puts_off_and_obeys_when_it_comes_back,
    an_error_of_the_device_is_shown_with_its_meaning,
    clearing_the_passcode_uses_a_token_that_the_database_never_holds_in_clear,
    a_raw_command_reaches_the_device_and_destroys_nothing,
    a_device_is_asked_again_when_its_facts_are_old,
    a_phone_that_speaks_binary_property_lists_is_understood,
    a_lost_passcode_profile_is_installed_again,
);

async fn enrolled(app: &TestApp) -> (IPhone, String) {
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    (phone, device)
}

async fn a_command_is_handed_out_again_until_it_is_answered(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (phone, device) = enrolled(&app).await;
    let lock = admin.order(&device, "lock").await;
    let other = admin.command(&device, &json!({ "kind": "restrictions" })).await;
    for times in 1..=3 {
        assert_eq!(phone.ask().await.unwrap().uuid, lock.to_uppercase());
        let command = admin.command_state(&device, &lock).await;
        assert_eq!((&command["state"], &command["times_sent"]), (&json!("sent"), &json!(times)));
    }
    let next = phone.exchange(phone.answer(&lock.to_uppercase(), "Acknowledged", [])).await.unwrap();
    assert_eq!(next.uuid, other.to_uppercase());
    assert!(phone.exchange(phone.answer(&next.uuid, "Acknowledged", [])).await.is_none());
    assert!(phone.ask().await.is_none());
}

async fn an_answer_that_the_phone_sends_again_after_a_broken_connection_counts_once(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (mut phone, device) = enrolled(&app).await;
    let lock = admin.order(&device, "lock").await;
    let other = admin.command(&device, &json!({ "kind": "certificate_list" })).await;
    phone.lose_next_answer();
    assert!(phone.poll().await.unwrap().interrupted);
    assert_eq!(admin.command_state(&device, &lock).await["state"], "acknowledged");
    let finished = admin.command_state(&device, &lock).await["finished_at"].clone();
    app.clock.advance_seconds(30);
    assert_eq!(phone.obey_all().await, ["CertificateList"]);
    assert_eq!(admin.command_state(&device, &lock).await["finished_at"], finished);
    assert_eq!(admin.command_state(&device, &other).await["state"], "acknowledged");
}

async fn a_locked_phone_puts_off_and_obeys_when_it_comes_back(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let profile = admin.profile(&user, "company").await;
    let options = enlist::simulator::PhoneOptions { not_now: true, ..Default::default() };
    let mut phone = IPhone::open(&app, &profile, 0, options).await;
    phone.certify(0).await;
    phone.enroll().await.unwrap();
    let first = phone.poll().await.unwrap();
    assert!(first.steps.iter().any(|step| step.status == "NotNow"));
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let queue = admin.get(&format!("/devices/{device}/commands")).await.expect(200);
    assert!(queue["items"].as_array().unwrap().iter().all(|command| command["state"] == "acknowledged"), "{queue}");
}

async fn an_error_of_the_device_is_shown_with_its_meaning(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (phone, device) = enrolled(&app).await;
    let failing = admin.command(&device, &json!({ "kind": "restrictions" })).await;
    let command = phone.ask().await.unwrap();
    let error = enlist::simulator::propertylist::dictionary([
        ("ErrorCode", 12021.into()),
        ("ErrorDomain", "MCMDMErrorDomain".into()),
        ("LocalizedDescription", "Ungültig".into()),
        ("USEnglishDescription", "The request type is not valid.".into()),
    ]);
    let chain = Plist::Array(vec![Plist::Dictionary(error)]);
    assert!(phone.exchange(phone.answer(&command.uuid, "Error", [("ErrorChain", chain)])).await.is_none());
    let shown = admin.command_state(&device, &failing).await;
    assert_eq!(shown["state"], "failed");
    let why = text(&shown, "error");
    assert!(why.contains("MCMDMErrorDomain 12021") && why.contains("The request type is not valid."), "{why}");
    let timeline = admin.get(&format!("/devices/{device}/timeline?limit=1")).await.expect(200);
    assert_eq!(timeline["items"][0]["kind"], "command_failed");
    assert!(text(&timeline["items"][0], "text").contains("12021"));

    let nonsense = admin.order(&device, "lock").await;
    let command = phone.ask().await.unwrap();
    phone.exchange(phone.answer(&command.uuid, "CommandFormatError", [])).await;
    assert_eq!(admin.command_state(&device, &nonsense).await["state"], "failed");
}

async fn clearing_the_passcode_uses_a_token_that_the_database_never_holds_in_clear(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (mut phone, device) = enrolled(&app).await;
    let canary = phone.device().unlock_token().to_vec();
    let order = admin.order(&device, "clear-passcode").await;
    is_nowhere(&app, &canary);
    assert_eq!(phone.obey_all().await, ["ClearPasscode"]);
    assert_eq!(phone.device().passcode(), Passcode::None);
    assert_eq!(admin.command_state(&device, &order).await["state"], "acknowledged");
    is_nowhere(&app, &canary);
}

/// Looks for a secret in everything that a SQLite database leaves on the disk, as it is and in base64.
fn is_nowhere(app: &TestApp, secret: &[u8]) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    if app.database.is_postgres() {
        return;
    }
    let file = app.database.path();
    let mut found = 0;
    for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        found += bytes.len();
        let text = STANDARD.encode(secret);
        for needle in [secret, text.as_bytes().get(..40).unwrap()] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle), "a secret is on the disk in clear");
        }
    }
    assert!(found > 100_000, "the database itself was searched");
}

async fn a_raw_command_reaches_the_device_and_destroys_nothing(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (mut phone, device) = enrolled(&app).await;
    let raw = |kind: &str| {
        let plist = format!("<plist version=\"1.0\"><dict><key>RequestType</key><string>{kind}</string></dict></plist>");
        json!({ "kind": "raw", "plist": plist })
    };
    let order = admin.command(&device, &raw("ManagedApplicationList")).await;
    assert_eq!(phone.obey_all().await, ["ManagedApplicationList"]);
    assert_eq!(admin.command_state(&device, &order).await["state"], "acknowledged");
    let path = format!("/devices/{device}/commands");
    for kind in ["EraseDevice", "RemoveProfile"] {
        assert_eq!(admin.post(&path, &raw(kind)).await.status, 409, "{kind}");
    }
    for plist in ["", "<plist", "bm9uc2Vuc2U=", "<plist version=\"1.0\"><dict/></plist>"] {
        let refused = admin.post(&path, &json!({ "kind": "raw", "plist": plist })).await.expect(400);
        assert_eq!(refused["field"], "plist", "{plist}");
    }
    for role in [Role::Helpdesk, Role::Auditor] {
        assert_eq!(app.caller(role).post(&path, &raw("SecurityInfo")).await.status, 403, "{role}");
    }
    assert!(phone.ask().await.is_none());
}

async fn a_device_is_asked_again_when_its_facts_are_old(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (mut phone, device) = enrolled(&app).await;
    app.clock.advance_seconds(6 * 3600 - 60);
    app.sweep().await;
    assert!(phone.ask().await.is_none());
    app.clock.advance_seconds(60);
    app.sweep().await;
    app.sweep().await;
    let refused = admin.post(&format!("/devices/{device}/refresh"), &json!({})).await.expect(409);
    assert!(text(&refused, "detail").contains("asked already"));
    let asked = phone.obey_all().await;
    assert_eq!(asked, ["DeviceInformation", "SecurityInfo", "ProfileList"], "each question waits once");
    assert_eq!(admin.device(&device).await["compliance"], "compliant");

    admin.patch("/settings", &json!({ "refresh_hours": 1 })).await.expect(200);
    admin.order(&device, "refresh").await;
    assert_eq!(phone.obey_all().await.len(), 3);
    app.clock.advance_seconds(3600);
    app.sweep().await;
    assert_eq!(phone.obey_all().await.len(), 3, "the next time is counted with the setting in force");
}

async fn a_phone_that_speaks_binary_property_lists_is_understood(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_policy(&passcode_policy("all")).await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let profile = admin.profile(&user, "company").await;
    let options = enlist::simulator::PhoneOptions { binary_plist: true, ..Default::default() };
    let mut phone = IPhone::open(&app, &profile, 0, options).await;
    phone.certify(0).await;
    phone.enroll().await.unwrap();
    phone.obey_all().await;
    let device = phone.seen_by(&admin).await;
    assert_eq!((&device["compliance"], &device["name"]), (&json!("compliant"), &json!("iPhone 1")));
}

async fn a_lost_passcode_profile_is_installed_again(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (mut phone, device) = enrolled(&app).await;
    admin.create_policy(&passcode_policy("all")).await;
    app.work().await;
    assert_eq!(admin.device(&device).await["compliance"], "unknown");
    let obeyed = phone.obey_all().await;
    assert_eq!(obeyed.first().map(String::as_str), Some("InstallProfile"));
    assert_eq!(admin.device(&device).await["compliance"], "compliant");

    // Somebody removed it on the device: the list of profiles tells, and it comes back.
    let identifier = phone.device().profiles().into_iter().find(|name| name.ends_with(".passcode")).unwrap().to_owned();
    let remove =
        enlist::simulator::propertylist::dictionary([("RequestType", "RemoveProfile".into()), ("Identifier", identifier.clone().into())]);
    phone.device_mut().answer("behind-the-back", &remove);
    phone.device_mut().set_passcode(Passcode::Weak);
    // Not within the hour, or a device that never shows its profiles would be given one for ever.
    app.clock.advance_seconds(3700);
    admin.order(&device, "refresh").await;
    let obeyed = phone.obey_all().await;
    assert!(obeyed.contains(&"InstallProfile".to_owned()), "{obeyed:?}");
    assert!(phone.device().profiles().contains(&identifier.as_str()));
    let shown = admin.device(&device).await;
    assert_eq!((&shown["compliance"], &shown["reasons"][0]["code"]), (&json!("noncompliant"), &json!("passcode_too_weak")));
    app.work().await;
}
