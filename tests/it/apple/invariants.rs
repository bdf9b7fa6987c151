//! What must hold whatever happens.

use enlist::simulator::iphone::{Door, Signature};
use reqwest::StatusCode;

use crate::harness::{
    actors::{IPhone, id, passcode_policy},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(a_new_authenticate_clears_the_queue_and_no_command_of_an_older_generation_is_delivered);

async fn a_new_authenticate_clears_the_queue_and_no_command_of_an_older_generation_is_delivered(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    let device = id(&phone.seen_by(&admin).await);
    phone.obey_all().await;
    let lock = admin.order(&device, "lock").await;

    // The same profile once more: another generation of the same enrollment.
    phone.authenticate().await.unwrap();
    assert_eq!(admin.command_state(&device, &lock).await["state"], "cancelled");
    phone.token_update().await.unwrap();
    let obeyed = phone.obey_all().await;
    assert!(!obeyed.is_empty() && !obeyed.contains(&"DeviceLock".to_owned()), "{obeyed:?}");

    // A new profile on the same device: another enrollment.
    let lock = admin.order(&device, "lock").await;
    let mut again = IPhone::enroll(&app, &user, "company", 0).await;
    assert_eq!(admin.command_state(&device, &lock).await["state"], "cancelled");
    assert!(!again.obey_all().await.contains(&"DeviceLock".to_owned()));
    let late = phone.send(Door::Connect, phone.idle_request().unwrap(), Signature::Own).await.unwrap();
    assert_eq!(late.status, StatusCode::FORBIDDEN.as_u16());
    assert_eq!(admin.device(&device).await["generation"], 3);
}
