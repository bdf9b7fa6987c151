//! What can be done with an Android device by what manages it, as the API answers it and the console shows it.

use enlist::domain::{rights::AccessRights, user::Role};
use serde_json::{Value, json};

use super::certificate::enroll;
use crate::{
    harness::{
        actors::{id, text},
        app::TestApp,
        clerk::Clerk,
        database::Database,
        every_backend,
    },
    portal::android::ADA,
};

every_backend!(
    what_a_certificate_cannot_do_is_refused_with_the_reason,
    a_temporary_passcode_is_shown_once_and_written_nowhere,
    an_agent_in_a_work_profile_promises_no_more_than_that,
    the_policy_says_what_becomes_of_each_setting,
);

async fn device(app: &TestApp, ownership: &str) -> Value {
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.invite(&user, ownership).await;
    enroll(app).await;
    admin.get("/devices").await.expect(200)["items"][0].clone()
}

/// Turns the device into one that an agent manages, as if it had been enrolled so.
fn let_agent_manage(app: &TestApp, mode: &str) {
    let rights = AccessRights::ANDROID_COMPANY.bits();
    app.database.tamper(&format!("UPDATE enrollments SET backend = 'agent', management_mode = '{mode}', rights = {rights}"));
}

async fn what_a_certificate_cannot_do_is_refused_with_the_reason(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let device = device(&app, "company").await;
    let path = format!("/devices/{}", id(&device));
    for what in ["lock", "clear-passcode", "refresh"] {
        let refused = admin.post(&format!("{path}/{what}"), &json!({})).await.expect(409);
        assert!(text(&refused, "detail").contains("only has a certificate and nothing on it obeys"), "{what}: {refused}");
    }
    for scope in ["selective", "full"] {
        let body = json!({ "scope": scope, "reason": "lost", "confirm": id(&device) });
        let refused = admin.post(&format!("{path}/wipe"), &body).await.expect(409);
        assert!(text(&refused, "detail").contains("retire it, which revokes the certificate"), "{scope}: {refused}");
    }
    assert_eq!(admin.device(&id(&device)).await["enrollment"], "enrolled");
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let at = format!("/console/devices/{}", id(&device));
    let page = clerk.open(&at).await.expect(200);
    let page = page.says("Certificate only (identified, not managed)").says("nothing on it obeys").says("Reset passcode");
    let page = page.says("Nothing: nothing on the device reports").says("retire it, which revokes the certificate");
    for what in ["lock", "clear-passcode", "wipe/selective", "wipe/full"] {
        assert!(!page.has_link(&format!("{at}/{what}")), "{what}");
    }
    assert!(!page.has_form(&format!("{at}/refresh")));
    let retire = clerk.open(&format!("{at}/retire")).await.expect(200).says("Nothing on the device obeys, so nothing is removed");
    clerk.submit(&retire, &format!("{at}/retire"), &[]).await.expect(200).says("nothing on it was changed").says("Retired");
    app.work().await;
}

async fn a_temporary_passcode_is_shown_once_and_written_nowhere(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let policy = json!({ "name": "Strong", "passcode": { "required": true, "min_length": 10, "require_alphanumeric": true } });
    admin.create_policy(&policy).await;
    let device = device(&app, "company").await;
    let_agent_manage(&app, "device_owner");
    let path = format!("/devices/{}", id(&device));
    let ordered = admin.post(&format!("{path}/clear-passcode"), &json!({})).await.expect(202);
    let passcode = text(&ordered, "temporary_passcode");
    assert!(passcode.len() == 10 && passcode.bytes().any(|byte| byte.is_ascii_alphabetic()), "{passcode}");
    assert_eq!(ordered["command"]["kind"], "reset_passcode");
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let at = format!("/console/devices/{}", id(&device));
    let ask = clerk.open(&format!("{at}/clear-passcode")).await.expect(200).says("a temporary passcode takes the place");
    let shown = clerk.submit(&ask, &format!("{at}/clear-passcode"), &[]).await.expect(200).says("It is shown this once");
    let second = shown.source.split("aria-label=\"The temporary passcode\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(second.len() == 10 && second != passcode);
    let everything = [
        admin.get("/audit?limit=200").await.text(),
        admin.get(&format!("{path}/commands")).await.text(),
        admin.get(&format!("{path}/timeline")).await.text(),
        clerk.open(&at).await.source,
        clerk.open(&format!("{at}/commands/{}", id(&ordered["command"]))).await.source,
    ];
    for text in everything {
        assert!(!text.contains(&passcode) && !text.contains(&second), "{text}");
    }
    assert_eq!(admin.audited().await.iter().filter(|action| *action == "device.command").count(), 2);
    app.work().await;
}

async fn an_agent_in_a_work_profile_promises_no_more_than_that(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let device = device(&app, "company").await;
    let_agent_manage(&app, "profile_owner");
    let seen = admin.device(&id(&device)).await;
    assert_eq!((&seen["backend"], &seen["management_mode"]), (&json!("agent"), &json!("profile_owner")));
    let can = &seen["capabilities"];
    assert_eq!((&can["lock"], &can["reset_passcode"], &can["full_wipe"]), (&json!(true), &json!(false), &json!(false)));
    assert_eq!((&can["selective_wipe"], &can["passcode_enforce"]), (&json!("work_profile"), &json!("coarse")));
    let body = json!({ "scope": "full", "reason": "lost", "confirm": id(&device) });
    let refused = admin.post(&format!("/devices/{}/wipe", id(&device)), &body).await.expect(409);
    assert!(text(&refused, "detail").contains("work profile"), "{refused}");
    admin.post(&format!("/devices/{}/clear-passcode", id(&device)), &json!({})).await.expect(409);
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let at = format!("/console/devices/{}", id(&device));
    clerk.open(&at).await.expect(200).says("Enlist's agent, which manages a work profile").says("Removes the work profile");
    clerk.open(&format!("{at}/wipe/selective")).await.expect(200).says("Everything outside of the work profile");
    let_agent_manage(&app, "device_owner");
    assert_eq!(admin.device(&id(&device)).await["capabilities"]["full_wipe"], true);
    let page = clerk.open(&format!("{at}/wipe/full")).await.expect(200).says("Everything on the device is lost");
    page.keeps_quiet_about("eSIM");
    app.work().await;
}

async fn the_policy_says_what_becomes_of_each_setting(db: Database) {
    let app = TestApp::start(db).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/policies/new").await.expect(200).says("What becomes of each setting on which device");
    for text in ["Enforced in broad steps", "Only checked", "Not possible", "Android, certificate only"] {
        assert!(page.source.contains(text), "{text}");
    }
    let saved = clerk.open("/console/settings").await.expect(200).says("Android devices of the company").says("is offered to nobody until");
    let kept = saved.form("/console/settings");
    assert_eq!(kept.fields.iter().filter(|field| field.name.starts_with("android_") && field.checked).count(), 5);
    let after = clerk.submit(&saved, "/console/settings", &[("android_personal", "certificate")]).await.expect(200).says("were saved");
    drop(after);
    assert_eq!(app.admin().get("/settings").await.expect(200)["android_personal"], json!(["certificate"]));
    app.work().await;
}
