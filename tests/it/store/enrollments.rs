//! Enrollments, and what a device's certificate says about one.

use enlist::{
    domain::{device::EnrollmentState, rights::AccessRights},
    store::{
        certificates, devices,
        enrollments::{self, Stage},
    },
};

use super::fixture::{NOW, certificate, enrolled, enrollment, random_hash, read, stored_user, write};
use crate::harness::{database::Database, every_backend};

every_backend!(
    a_certificate_leads_to_its_enrollment_and_device,
    a_certificate_leads_to_an_enrollment_without_a_device,
    an_unknown_certificate_leads_nowhere,
    an_enrollment_survives_the_database,
    enrollments_that_are_over_are_not_listed,
);

async fn a_certificate_leads_to_its_enrollment_and_device(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let made = certificate(ada.enrollment.id);
    let fingerprint = made.fingerprint.clone();
    let (row, enrollment) = (made.clone(), ada.enrollment.id);
    write(&store, move |tx| certificates::insert(tx, &row).and_then(|()| enrollments::pin(tx, enrollment, &row.fingerprint))).await;
    let asked = fingerprint.clone();
    let session = read(&store, move |c| enrollments::session(c, &asked)).await.unwrap();
    assert_eq!((session.certificate_id, session.enrollment_id, session.user_id), (made.id, enrollment, ada.user.id));
    assert_eq!((session.not_before, session.not_after, session.revoked_at), (made.not_before, made.not_after, None));
    assert_eq!((session.stage, session.pinned, session.is_user_enrollment), (Stage::Enrolled, Some(fingerprint.clone()), false));
    assert_eq!((session.device_id, session.device_state), (Some(ada.device.id), Some(EnrollmentState::Enrolled)));
    assert_eq!(session.identifier, Some(ada.device.identifier));
    write(&store, move |tx| certificates::revoke_of_enrollment(tx, enrollment, None, "keyCompromise", NOW)).await;
    let session = read(&store, move |c| enrollments::session(c, &fingerprint)).await.unwrap();
    assert_eq!(session.revoked_at, Some(NOW));
}

async fn a_certificate_leads_to_an_enrollment_without_a_device(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let prepared = enrollment(ada.id);
    let made = certificate(prepared.id);
    let fingerprint = made.fingerprint.clone();
    write(&store, move |tx| enrollments::insert(tx, &prepared).and_then(|()| certificates::insert(tx, &made))).await;
    let session = read(&store, move |c| enrollments::session(c, &fingerprint)).await.unwrap();
    assert_eq!((session.stage, session.pinned), (Stage::Prepared, None));
    assert_eq!((session.device_id, session.identifier, session.device_state), (None, None, None));
}

async fn an_unknown_certificate_leads_nowhere(db: Database) {
    let store = db.store();
    for fingerprint in [random_hash(), vec![], vec![0; 10_000]] {
        assert!(read(&store, move |c| enrollments::session(c, &fingerprint)).await.is_none());
    }
}

async fn an_enrollment_survives_the_database(db: Database) {
    let store = db.store();
    let ada = stored_user(&store, "ada@example.com").await;
    let mut made = enrollment(ada.id);
    made.rights = AccessRights::PERSONAL;
    made.push_token = Some(vec![0, 255, 7]);
    let (row, id) = (made.clone(), made.id);
    write(&store, move |tx| enrollments::insert(tx, &row)).await;
    write(&store, move |tx| enrollments::set_passcode_profile(tx, id, Some("uuid"))).await;
    let kept = read(&store, move |c| enrollments::find(c, id)).await.unwrap();
    assert_eq!(
        (kept.rights, kept.push_token, kept.passcode_profile.as_deref()),
        (AccessRights::PERSONAL, made.push_token.clone(), Some("uuid"))
    );
    made.push_token = None;
    made.state = Stage::Ended;
    made.end_cause = Some("retired".into());
    write(&store, move |tx| enrollments::update(tx, &made)).await;
    let kept = write(&store, move |tx| enrollments::find_for_update(tx, id)).await.unwrap();
    assert_eq!((kept.push_token, kept.state, kept.passcode_profile), (None, Stage::Ended, None));
}

async fn enrollments_that_are_over_are_not_listed(db: Database) {
    let store = db.store();
    let ada = enrolled(&store, "ada@example.com").await;
    let (device, user, present) = (ada.device.id, ada.user.id, ada.enrollment.id);
    let mut earlier = enrollment(user);
    earlier.device_id = Some(device);
    let mut over = earlier.clone();
    over.id = enlist::domain::id::EnrollmentId::new();
    over.state = Stage::Ended;
    let earlier_id = earlier.id;
    write(&store, move |tx| enrollments::insert(tx, &earlier).and_then(|()| enrollments::insert(tx, &over))).await;
    let others = read(&store, move |c| enrollments::others_of_device(c, device, present)).await;
    assert_eq!(others.iter().map(|row| row.id).collect::<Vec<_>>(), [earlier_id]);
    assert_eq!(read(&store, move |c| enrollments::of_user(c, user)).await.len(), 2);
    write(&store, move |tx| devices::delete(tx, device)).await;
    assert!(read(&store, move |c| enrollments::find(c, present)).await.is_none(), "enrollments go with their device");
}
