//! Check-in: how an enrollment begins, what it carries along, and how it ends.

use enlist::simulator::{
    iphone::{Door, Signature},
    propertylist::{self, dictionary},
};
use plist::{Dictionary, Value as Plist};
use serde_json::json;

use crate::harness::{
    actors::{IPhone, id, passcode_policy, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    an_authenticate_that_is_sent_again_is_not_another_generation,
    a_token_update_before_its_authenticate_is_refused,
    check_out_empties_the_queue_and_ends_the_enrollment,
    a_wipe_that_was_ordered_before_the_device_enrolled_anew_is_never_delivered,
    two_users_devices_of_the_same_name_are_two_devices,
    a_user_enrollment_without_udid_or_passcode_facts_is_never_compliant_by_itself,
    declarations_are_answered_and_a_status_report_becomes_facts,
    a_bootstrap_token_is_given_back_and_tokens_that_are_not_offered_are_refused,
    users_of_a_device_are_declined_without_harm_to_the_device,
);

async fn an_authenticate_that_is_sent_again_is_not_another_generation(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::with_profile(&app, &user, "company", 0).await;
    phone.certify(0).await;
    phone.authenticate().await.unwrap();
    phone.authenticate().await.unwrap();
    let device = phone.seen_by(&admin).await;
    assert_eq!((&device["generation"], &device["enrollment"], &device["access"]), (&json!(1), &json!("pending"), &json!("quarantine")));
    phone.token_update().await.unwrap();
    phone.token_update().await.unwrap();
    assert_eq!(admin.timeline(&id(&device)).await.iter().filter(|kind| *kind == "enrolled").count(), 1);
    let asked = phone.obey_all().await;
    assert_eq!(asked, ["DeviceInformation", "SecurityInfo", "ProfileList"], "a repeated TokenUpdate asks nothing twice");
}

async fn a_token_update_before_its_authenticate_is_refused(db: Database) {
    let app = TestApp::start(db).await;
    app.import_push_certificate().await;
    let user = app.admin().create_user("ada@example.com").await;
    let mut phone = IPhone::with_profile(&app, &user, "company", 0).await;
    phone.certify(0).await;
    let early = phone.send(Door::CheckIn, phone.token_update_body().unwrap(), Signature::Own).await.unwrap();
    assert_eq!(early.status, 409);
    let early = phone.send(Door::Connect, phone.idle_request().unwrap(), Signature::Own).await.unwrap();
    assert_eq!(early.status, 409);
    assert!(app.jobs("push").is_empty());
    phone.enroll().await.unwrap();
}

async fn check_out_empties_the_queue_and_ends_the_enrollment(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let lock = admin.order(&device, "lock").await;
    let (idle, identity) = (phone.idle_request().unwrap(), phone.identity().unwrap().clone());
    phone.check_out().await.unwrap();
    let shown = admin.device(&device).await;
    assert_eq!(
        (&shown["enrollment"], &shown["access"], &shown["reasons"][0]["code"]),
        (&json!("retired"), &json!("block"), &json!("retired"))
    );
    assert_eq!(admin.command_state(&device, &lock).await["state"], "cancelled");
    for body in [idle, phone.answer(&lock.to_uppercase(), "Acknowledged", [])] {
        let late = phone.send(Door::Connect, body, Signature::By(&identity)).await.unwrap();
        assert_eq!((late.status, late.body.as_slice()), (403, br#"{"code":"com.apple.unrecognized.device"}"#.as_slice()));
    }
    assert_eq!(admin.command_state(&device, &lock).await["state"], "cancelled", "a finished command never changes again");
}

async fn a_wipe_that_was_ordered_before_the_device_enrolled_anew_is_never_delivered(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = phone.seen_by(&admin).await;
    let wipe = id(&admin.wipe(&device, "full").await.expect(202)["command"]);

    let mut again = IPhone::enroll(&app, &user, "company", 0).await;
    let device = id(&device);
    assert_eq!(admin.command_state(&device, &wipe).await["state"], "cancelled");
    for _ in 0..3 {
        assert!(!again.obey_all().await.contains(&"EraseDevice".to_owned()));
    }
    assert_eq!(admin.command_state(&device, &wipe).await["times_sent"], 0);
    let shown = admin.device(&device).await;
    // The order is not forgotten: whoever holds a stolen phone would only have to enroll it once more.
    assert_eq!((&shown["enrollment"], &shown["generation"], &shown["access"]), (&json!("wipe_pending"), &json!(2), &json!("block")));
    assert!(admin.timeline(&device).await.contains(&"wipe_overtaken".to_owned()), "the administrator can see that the wipe did not happen");

    // The administrator orders it once more, for the enrollment that is there now.
    admin.wipe(&shown, "full").await.expect(202);
    assert!(again.obey_all().await.contains(&"EraseDevice".to_owned()));
    assert_eq!(admin.device(&device).await["enrollment"], "wiped");
}

async fn two_users_devices_of_the_same_name_are_two_devices(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (ada, eve) = (admin.create_user("ada@example.com").await, admin.create_user("eve@example.com").await);
    let mut phone = IPhone::enroll(&app, &ada, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    IPhone::enroll(&app, &eve, "company", 0).await.obey_all().await;
    let found = admin.get("/devices").await.expect(200);
    assert_eq!(found["total"], 2);
    admin.order(&device, "lock").await;
    assert_eq!(phone.obey_all().await, ["DeviceLock"], "nobody takes a device out of management by naming it");
    assert!(admin.timeline(&device).await.contains(&"identifier_reused".to_owned()));
}

async fn a_user_enrollment_without_udid_or_passcode_facts_is_never_compliant_by_itself(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_policy(&passcode_policy("all")).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::with_profile(&app, &user, "company", 0).await;
    phone.certify(0).await;
    let own = |keys: Vec<(&str, Plist)>| {
        let mut body: Dictionary = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        body.insert("EnrollmentID".into(), "2e7b3f0c-user-enrollment".into());
        propertylist::write(body, false).unwrap()
    };
    let topic = phone.mdm().topic.clone();
    let authenticate =
        own(vec![("MessageType", "Authenticate".into()), ("Topic", topic.clone().into()), ("ProductName", "iPhone15,2".into())]);
    let tokens = own(vec![
        ("MessageType", "TokenUpdate".into()),
        ("Topic", topic.into()),
        ("PushMagic", "magic".into()),
        ("Token", Plist::Data(vec![7; 32])),
    ]);
    for body in [authenticate, tokens] {
        assert_eq!(phone.send(Door::CheckIn, body, Signature::Own).await.unwrap().status, 200);
    }
    app.work().await;
    let device = id(&admin.get(&format!("/devices?user={user}")).await.expect(200)["items"][0]);
    let mut next = phone.exchange(own(vec![("Status", "Idle".into())])).await;
    let mut asked = Vec::new();
    while let Some(command) = next {
        asked.push(command.request_type().to_owned());
        let empty = || Plist::Dictionary(Dictionary::new());
        let answer = [("QueryResponses", empty()), ("SecurityInfo", empty()), ("ProfileList", Plist::Array(vec![]))];
        let mut keys = vec![("CommandUUID", command.uuid.into()), ("Status", "Acknowledged".into())];
        keys.extend(answer);
        next = phone.exchange(own(keys)).await;
        assert_eq!(admin.device(&device).await["compliance"], "unknown");
    }
    assert!(asked.contains(&"SecurityInfo".to_owned()) && !asked.contains(&"InstallProfile".to_owned()), "{asked:?}");
    let shown = admin.device(&device).await;
    assert_eq!((&shown["access"], &shown["reasons"][0]["code"]), (&json!("quarantine"), &json!("passcode_not_reported")));

    // Without a serial number the device is confirmed by its identifier; erased it cannot be.
    let wipe = |scope: &str| json!({ "scope": scope, "reason": "lost", "confirm": device });
    let refused = admin.post(&format!("/devices/{device}/wipe"), &wipe("full")).await.expect(409);
    assert!(text(&refused, "detail").contains("for a user only"), "{refused}");
    for kind in ["restrictions", "raw"] {
        let plist = "<plist version=\"1.0\"><dict><key>RequestType</key><string>SecurityInfo</string></dict></plist>";
        let body = if kind == "raw" { json!({ "kind": kind, "plist": plist }) } else { json!({ "kind": kind }) };
        assert_eq!(admin.post(&format!("/devices/{device}/commands"), &body).await.status, 409, "{kind}");
    }
    assert_eq!(admin.post(&format!("/devices/{device}/clear-passcode"), &json!({})).await.status, 409);
    admin.post(&format!("/devices/{device}/wipe"), &wipe("selective")).await.expect(202);
}

async fn declarations_are_answered_and_a_status_report_becomes_facts(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    for endpoint in ["tokens", "declaration-items"] {
        let answer = phone.declarative(endpoint, None).await.unwrap();
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"), "{endpoint}");
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
    }
    assert_eq!(phone.declarative("declaration/configuration/none", None).await.unwrap().status, 404);
    let device = id(&phone.seen_by(&admin).await);
    let report = json!({ "StatusItems": { "passcode": { "is-present": false }, "device": { "operating-system": { "version": "99.1" } } } });
    let answer = phone.declarative("status", Some(report.to_string().into_bytes())).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(admin.device(&device).await["os_version"], "99.1");
    let posture = admin.get(&format!("/devices/{device}/posture")).await.expect(200);
    assert_eq!(posture["passcode_present"]["value"], false);
    assert_eq!(phone.declarative("status", Some(b"nonsense".to_vec())).await.unwrap().status, 400);
}

async fn a_bootstrap_token_is_given_back_and_tokens_that_are_not_offered_are_refused(db: Database) {
    let app = TestApp::start(db).await;
    let user = app.admin().create_user("ada@example.com").await;
    let phone = IPhone::enroll(&app, &user, "company", 0).await;
    let read = |body: &[u8]| propertylist::read(body).unwrap().get("BootstrapToken").and_then(Plist::as_data).map(<[u8]>::to_vec);
    assert_eq!(read(&phone.check_in("GetBootstrapToken", []).await.body), None);
    let token = [("BootstrapToken", Plist::Data(b"entrusted".to_vec()))];
    assert_eq!(phone.check_in("SetBootstrapToken", token).await.status, 200);
    assert_eq!(read(&phone.check_in("GetBootstrapToken", []).await.body), Some(b"entrusted".to_vec()));
    assert_eq!(phone.check_in("SetBootstrapToken", []).await.status, 200);
    assert_eq!(read(&phone.check_in("GetBootstrapToken", []).await.body), None);
    assert_eq!(phone.check_in("GetToken", [("TokenServiceType", "com.apple.maid".into())]).await.status, 400);
    assert_eq!(phone.check_in("NoSuchMessage", []).await.status, 400);
}

async fn users_of_a_device_are_declined_without_harm_to_the_device(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let lock = admin.order(&device, "lock").await;
    let user = || ("UserID", Plist::from("1E5A2C00-0000-4000-8000-000000000001"));
    assert_eq!(phone.check_in("UserAuthenticate", [user()]).await.status, 410);
    let tokens = [user(), ("PushMagic", "m".into()), ("Token", Plist::Data(vec![1; 32]))];
    assert_eq!(phone.check_in("TokenUpdate", tokens).await.status, 410);
    let idle = phone.connect_body(dictionary([user(), ("Status", "Idle".into())])).unwrap();
    assert!(phone.exchange(idle).await.is_none(), "the device's commands are not for its users");
    let acknowledged = phone.answer(&lock.to_uppercase(), "Acknowledged", [user()]);
    assert!(phone.exchange(acknowledged).await.is_none());
    assert_eq!(admin.command_state(&device, &lock).await["state"], "queued");
    assert_eq!(phone.obey_all().await, ["DeviceLock"]);
}
