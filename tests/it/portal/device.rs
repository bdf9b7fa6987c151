//! What people see of their devices.

use diesel::prelude::*;

use super::{
    URL,
    stage::{ADA, IPHONE, Person, Stage},
};
use enlist::{
    domain::{
        command::CommandState,
        compliance::{Reason, Status},
        device::{EnrollmentState, Ownership, Platform},
        id::{DeviceId, UserId},
    },
    store::{
        self,
        devices::{self, Device},
        enrollments::Stage as EnrollmentStage,
        schema::enrollments,
    },
};

/// Lets a device of Ada's complete the enrollment that she has begun.
pub fn enroll(stage: &Stage) -> DeviceId {
    let now = stage.app.now();
    let mut device = Device::new(stage.ada, "00008110-0001".into(), Platform::Ios, Ownership::Personal, now);
    device.state = EnrollmentState::Enrolled;
    device.model = Some("iPhone 15".into());
    device.device_name = Some("Ada's <b>phone</b>".into());
    device.os_version = Some("18.1".into());
    device.compliance = Status::Noncompliant;
    device.evaluated_at = Some(now.plus_seconds(-120));
    let reason = Reason {
        code: "passcode_missing".into(),
        text: "No passcode is set on the device.".into(),
        remedy: "Set a passcode in Settings.".into(),
        since: now,
    };
    device.set_reasons(&[reason]).unwrap();
    store::write_once(&stage.url, |tx| {
        devices::insert(tx, &device)?;
        diesel::update(enrollments::table.filter(enrollments::user_id.eq(stage.ada)))
            .set((enrollments::state.eq(EnrollmentStage::Enrolled), enrollments::device_id.eq(Some(device.id))))
            .execute(&mut **tx)?;
        let enrollment = enrollments::table.filter(enrollments::user_id.eq(stage.ada)).select(enrollments::id).first(&mut **tx)?;
        device.enrollment_id = Some(enrollment);
        devices::update(tx, &device)?;
        Ok::<_, store::Error>(())
    })
    .unwrap();
    device.id
}

#[actix_web::test]
async fn an_enrolled_device_is_shown_with_what_is_wrong_and_what_to_do() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.take_profile(&stage).await;
    enroll(&stage);
    let done = ada.get(&stage, "/enroll/progress").await.body;
    assert!(done.contains("data-enlist=\"done\"") && done.contains("stay closed until"));
    let devices = ada.get(&stage, "/devices").await.body;
    for page in [&done, &devices] {
        for text in ["iPhone 15", "iOS 18.1", "2 minutes ago", "No passcode is set", "Set a passcode in Settings", "has to be mended"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("<b>phone"));
    }
    assert!(devices.contains(ADA));
}

#[actix_web::test]
async fn a_person_sees_what_is_known_and_what_was_done_and_has_the_device_checked() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.take_profile(&stage).await;
    let device = enroll(&stage);
    let page = ada.get(&stage, &format!("/devices/{device}")).await.body;
    for text in ["No passcode is set", "see whether a passcode is set", "erase the whole device", "Check again", "What has happened"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let asked = ada.post(&stage, &format!("/devices/{device}/check"), &[]).await;
    assert_eq!((asked.status.as_u16(), asked.header("location")), (303, format!("/devices/{device}?done=asked").as_str()));
    let page = ada.get(&stage, &format!("/devices/{device}?done=asked")).await.body;
    assert!(page.contains("The device is being asked") && page.contains("The owner asked for a new check."), "{page}");
    let waiting =
        store::write_once(&stage.url, |tx| store::schema::commands::table.count().get_result::<i64>(&mut **tx).map_err(store::Error::from))
            .unwrap();
    assert_eq!(waiting, 3, "what compliance depends on is asked");
    // It has answered, and its owner presses the button again and again: the device is woken once a minute.
    for (seconds, expected) in [(0, 3), (59, 3), (1, 6)] {
        stage.wait_seconds(seconds);
        store::write_once(&stage.url, |tx| {
            diesel::update(store::schema::commands::table)
                .set(store::schema::commands::state.eq(CommandState::Acknowledged))
                .execute(&mut **tx)
                .map_err(store::Error::from)
        })
        .unwrap();
        let asked = ada.post(&stage, &format!("/devices/{device}/check"), &[]).await;
        assert_eq!(asked.header("location"), format!("/devices/{device}?done=asked"), "nobody is told the difference");
        let asked_so_far = store::write_once(&stage.url, |tx| {
            store::schema::commands::table.count().get_result::<i64>(&mut **tx).map_err(store::Error::from)
        });
        assert_eq!(asked_so_far.unwrap(), expected, "after {seconds} more seconds");
    }
    // Of a stranger it is as if there were none.
    let mut eve = Person::with(IPHONE);
    eve.prove(&stage).await;
    let other = DeviceId::new();
    assert_eq!(eve.get(&stage, &format!("/devices/{other}")).await.status.as_u16(), 404);
    assert_eq!(eve.post(&stage, &format!("/devices/{other}/check"), &[]).await.status.as_u16(), 404);
}

#[actix_web::test]
async fn nobody_sees_the_devices_of_another() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.take_profile(&stage).await;
    let device = enroll(&stage);
    let new = enlist::service::users::NewUser {
        email: "bob@example.com".into(),
        name: "Bob".into(),
        password: None,
        must_change_password: false,
        groups: Vec::new(),
        role: None,
        language: None,
    };
    let _: UserId = stage.app.create_user(enlist::domain::audit::Actor::server(), new).await.unwrap().id;
    let mut bob = Person::with(IPHONE);
    bob.identify(&stage, "bob@example.com").await;
    let code = stage.code().await;
    bob.post(&stage, "/enroll/code", &[("code", &code)]).await;
    assert_eq!(bob.get(&stage, &format!("/devices/{device}")).await.status.as_u16(), 404);
    assert_eq!(bob.post(&stage, &format!("/devices/{device}/check"), &[]).await.status.as_u16(), 404);
    let page = bob.get(&stage, "/devices").await.body;
    assert!(page.contains("There are none yet") && !page.contains("iPhone 15"));
}
