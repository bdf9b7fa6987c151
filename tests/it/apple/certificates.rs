//! The life of a device's certificate after it was issued.

use enlist::simulator::iphone::{Door, Signature};
use serde_json::json;

use super::revocation::Authority;
use crate::harness::{
    actors::{IPhone, id},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    the_old_certificate_is_good_until_the_first_use_of_the_new_one,
    a_revoked_certificate_cannot_be_renewed,
    a_device_is_asked_to_renew_in_time_and_until_it_has,
);

async fn the_old_certificate_is_good_until_the_first_use_of_the_new_one(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let authority = Authority::of(&app).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let device = id(&phone.seen_by(&admin).await);
    let old = phone.identity().unwrap().clone();
    phone.renew().await.unwrap();
    let new = phone.identity().unwrap().clone();
    let names = |identity: &enlist::simulator::keychain::Identity| identity.certificate.subject_name().to_der().unwrap();
    assert_eq!(names(&old), names(&new), "the subject stays what it was");

    let idle = phone.idle_request().unwrap();
    assert_eq!(phone.send(Door::Connect, idle.clone(), Signature::By(&old)).await.unwrap().status, 200);
    assert!(!authority.has_revoked(&old.certificate).await);
    assert_eq!(phone.send(Door::Connect, idle.clone(), Signature::By(&new)).await.unwrap().status, 200);
    assert!(authority.has_revoked(&old.certificate).await);
    assert!(!authority.has_revoked(&new.certificate).await);
    let late = phone.send(Door::Connect, idle, Signature::By(&old)).await.unwrap();
    assert_eq!((late.status, late.body.len()), (403, 0), "the device that has the new one must not be told to forget its management");

    // The command channel goes on as if nothing had happened, and a wipe takes both.
    admin.order(&device, "lock").await;
    assert_eq!(phone.obey_all().await, ["DeviceLock"]);
    admin.wipe(&admin.device(&device).await, "selective").await.expect(202);
    assert!(authority.has_revoked(&new.certificate).await);
}

async fn a_revoked_certificate_cannot_be_renewed(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    admin.post(&format!("/users/{user}/revoke-enrollments"), &json!({ "confirm": true })).await.expect(200);
    assert!(phone.renew().await.is_err());
    assert!(phone.authenticate().await.is_err(), "nor does it enroll the device once more");
    assert_eq!(phone.obey_all().await, ["RemoveProfile"]);
}

async fn a_device_is_asked_to_renew_in_time_and_until_it_has(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let authority = Authority::of(&app).await;
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    phone.obey_all().await;
    let old = phone.identity().unwrap().certificate.clone();
    app.clock.advance_days(240);
    app.sweep().await;
    assert!(!phone.obey_all().await.contains(&"InstallProfile".to_owned()), "two thirds of its life are not over");
    app.clock.advance_days(25);
    app.sweep().await;
    // A phone that says yes and fetches nothing.
    assert!(acknowledge_all(&phone).await.contains(&"InstallProfile".to_owned()));
    app.clock.advance_days(1);
    app.sweep().await;
    assert!(!acknowledge_all(&phone).await.contains(&"InstallProfile".to_owned()), "it is not pestered");
    app.clock.advance_days(7);
    app.sweep().await;
    assert!(phone.obey_all().await.contains(&"InstallProfile".to_owned()), "it has not renewed and is asked again");
    assert!(authority.has_revoked(&old).await);
    app.clock.advance_days(8);
    app.sweep().await;
    assert!(!phone.obey_all().await.contains(&"InstallProfile".to_owned()), "the new certificate is young");
    assert_eq!(phone.seen_by(&admin).await["generation"], 1, "a renewal is not another enrollment");
}

/// Says yes to everything and does nothing; gives what was asked.
async fn acknowledge_all(phone: &IPhone) -> Vec<String> {
    let mut asked = Vec::new();
    let mut next = phone.ask().await;
    while let Some(command) = next {
        asked.push(command.request_type().to_owned());
        next = phone.exchange(phone.answer(&command.uuid, "Acknowledged", [])).await;
    }
    asked
}
