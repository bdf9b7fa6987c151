//! Everything that the living server says to a device, held against what Apple accepts.

use enlist::simulator::{
    cms,
    iphone::{Command, Door, Signature, anchors},
    passcode::Passcode,
    profile::Profile,
    transport::{Trust, Wire},
};
use openssl::x509::X509;
use reqwest::Url;
use serde_json::json;

use crate::harness::{
    actors::{IPhone, id, passcode_policy, text},
    app::{Setup, TestApp},
    database::Database,
    every_backend,
};

/// The tables of the server's own tests.
#[path = "../../../src/apple/schema.rs"]
#[allow(dead_code, reason = "the server's own tests use more of it")]
mod schema;

every_backend!(
    every_profile_that_is_given_is_one_that_apple_accepts,
    every_command_that_is_sent_is_one_that_apple_accepts,
    a_renewed_enrollment_profile_never_widens_rights_nor_leads_elsewhere,
    an_enrollment_profile_that_an_administrator_sends_cannot_widen_rights,
);

async fn roots(app: &TestApp) -> Vec<X509> {
    anchors(&Wire::new(&Trust::System).unwrap(), &Url::parse(app.address()).unwrap()).await.unwrap()
}

async fn every_profile_that_is_given_is_one_that_apple_accepts(db: Database) {
    let app = TestApp::start_with(db, Setup { public_url: "https://mdm.example.com", ..Setup::default() }).await;
    let (admin, roots) = (app.admin(), roots(&app).await);
    admin.patch("/settings", &json!({ "organization": "Bread & <Butter>" })).await.expect(200);
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    for (ownership, rights) in [("company", 8191), ("personal", 5143)] {
        let profile = admin.profile(&user, ownership).await;
        let content = cms::open(&profile, &roots).unwrap().content;
        let payloads = schema::check_profile(&content);
        let management = payloads.iter().find(|payload| payload["PayloadType"].as_string() == Some("com.apple.mdm")).unwrap();
        assert_eq!(management["AccessRights"].as_signed_integer(), Some(rights));
        assert_eq!(management["ServerURL"].as_string(), Some("https://mdm.example.com/mdm/connect"));
        assert!(String::from_utf8(content).unwrap().contains("Bread &amp; &lt;Butter&gt;"));
    }
}

async fn every_command_that_is_sent_is_one_that_apple_accepts(db: Database) {
    let app = TestApp::start(db).await;
    let (admin, roots) = (app.admin(), roots(&app).await);
    admin
        .create_policy(&json!({ "name": "all", "passcode": {
        "required": true, "min_length": 16, "require_alphanumeric": true, "min_complex_characters": 4, "allow_simple": false,
        "max_failed_attempts": 2, "max_inactivity_minutes": 15, "max_age_days": 730, "history": 50 } }))
        .await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let mut seen = Vec::new();
    for (number, scope) in ["selective", "full"].into_iter().enumerate() {
        let mut phone = IPhone::enroll(&app, &user, "company", number).await;
        let device = id(&phone.seen_by(&admin).await);
        seen.extend(session(&mut phone, &roots).await);
        for body in [
            json!({ "kind": "profile_list" }),
            json!({ "kind": "certificate_list" }),
            json!({ "kind": "installed_application_list", "managed_only": true }),
            json!({ "kind": "device_information" }),
            json!({ "kind": "security_info" }),
            json!({ "kind": "restrictions" }),
            json!({ "kind": "declarative_management" }),
            json!({ "kind": "settings", "settings": [{ "item": "organization_info", "name": "Example", "email": null, "phone": "1" }, { "item": "data_roaming", "enabled": false }] }),
        ] {
            admin.command(&device, &body).await;
        }
        let words = json!({ "message": "found? <call> & win", "phone_number": "+49 30 1" });
        admin.post(&format!("/devices/{device}/lock"), &words).await.expect(202);
        admin.order(&device, "clear-passcode").await;
        seen.extend(session(&mut phone, &roots).await);
        admin.wipe(&admin.device(&device).await, scope).await.expect(202);
        seen.extend(session(&mut phone, &roots).await);
    }
    seen.sort_unstable();
    seen.dedup();
    let all = [
        "CertificateList",
        "ClearPasscode",
        "DeclarativeManagement",
        "DeviceInformation",
        "DeviceLock",
        "EraseDevice",
        "InstallProfile",
        "InstalledApplicationList",
        "ProfileList",
        "RemoveProfile",
        "Restrictions",
        "SecurityInfo",
        "Settings",
    ];
    assert_eq!(seen, all);
    app.work().await;
}

/// Obeys everything, and holds each command against the tables before.
async fn session(phone: &mut IPhone, roots: &[X509]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut body = phone.idle_request().unwrap();
    for _ in 0..50 {
        let answer = phone.send(Door::Connect, body, Signature::Own).await.unwrap();
        assert_eq!(answer.status, 200);
        let Some(command) = Command::read(&answer.body).unwrap() else { return seen };
        assert_eq!(answer.content_type, "application/xml");
        assert_eq!(command.uuid, command.uuid.to_uppercase());
        let checked = schema::check_command(&answer.body, &command.uuid);
        if let Some(profile) = checked.get("Payload").and_then(plist::Value::as_data) {
            schema::check_profile(&cms::open(profile, roots).unwrap().content);
        }
        seen.push(command.request_type().to_owned());
        body = phone.obey(&command).unwrap().0;
    }
    panic!("the queue never ends: {seen:?}");
}

async fn a_renewed_enrollment_profile_never_widens_rights_nor_leads_elsewhere(db: Database) {
    let app = TestApp::start(db).await;
    let (admin, roots) = (app.admin(), roots(&app).await);
    let user = admin.create_user("ada@example.com").await;
    for (number, ownership) in ["personal", "company"].into_iter().enumerate() {
        let mut phone = IPhone::enroll(&app, &user, ownership, number).await;
        phone.obey_all().await;
    }
    // Whatever the user's invitation says meanwhile, a renewal is about the enrollment that is there.
    let mut phone = IPhone::enroll(&app, &user, "personal", 0).await;
    phone.obey_all().await;
    admin.invite(&user, "company").await;
    app.clock.advance_days(265);
    app.sweep().await;
    let old = (phone.mdm().clone(), phone.profile().clone());
    let mut next = phone.ask().await;
    let mut renewed = None;
    while let Some(command) = next {
        if let Some(bytes) = command.body.get("Payload").and_then(plist::Value::as_data) {
            renewed = Some(Profile::read(bytes, &roots).unwrap());
        }
        let reply = phone.obey(&command).unwrap().0;
        next = phone.exchange(reply).await;
    }
    let renewed = renewed.expect("the certificate is due for renewal");
    let new = renewed.mdm().unwrap().unwrap();
    assert_eq!(renewed.identifier, old.1.identifier);
    assert_eq!((new.access_rights, &new.topic), (5143, &old.0.topic));
    assert_eq!((&new.server_url, &new.check_in_url), (&old.0.server_url, &old.0.check_in_url));
    let challenge = |profile: &Profile, uuid: &str| profile.scep(Some(uuid)).unwrap().unwrap().challenge.unwrap();
    assert_ne!(challenge(&renewed, &new.identity_uuid), challenge(&old.1, &old.0.identity_uuid), "the right to a certificate is new");
}

async fn an_enrollment_profile_that_an_administrator_sends_cannot_widen_rights(db: Database) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_policy(&passcode_policy("all")).await;
    app.work().await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "personal", 0).await;
    phone.obey_all().await;
    let device = phone.seen_by(&admin).await;
    let wide = admin.profile(&user, "company").await;
    let body = |identifier: &str| json!({ "kind": "install_profile", "identifier": identifier, "profile": STANDARD.encode(&wide) });
    let path = format!("/devices/{}/commands", id(&device));
    assert_eq!(admin.post(&path, &body(&phone.profile().identifier)).await.status, 409, "the server's own profiles are its own");
    // Under another name it reaches the device, which knows better.
    let body = body("com.example.other");
    let order = admin.command(&id(&device), &body).await;
    assert_eq!(phone.obey_all().await, ["InstallProfile"]);
    let shown = admin.command_state(&id(&device), &order).await;
    assert_eq!(shown["state"], "failed");
    assert!(text(&shown, "error").contains("12012"), "{shown}");
    assert_eq!(phone.device().rights(), 5143);
    assert_eq!(admin.wipe(&device, "full").await.status, 409);
    assert_eq!(phone.device().passcode(), Passcode::Strong);
}
