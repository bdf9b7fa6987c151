//! The end of enrollments: by an administrator, by a program, by the person (A9, A10, B11, B12).

use enlist::{domain::user::Role, store::users};
use serde_json::json;

use super::{ADA, CHROME, FIREFOX, browsers, enroll, states, surfer};
use crate::harness::{
    actors::{IPhone, text},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    an_administrator_goes_by_domain_and_user_and_revokes_in_two_steps,
    a_program_revokes_only_with_confirmation,
    a_person_removes_one_or_all_of_their_own_and_nobody_elses,
    removing_all_devices_where_there_is_none_records_nothing,
);

// A9, A10, B11, B12
async fn an_administrator_goes_by_domain_and_user_and_revokes_in_two_steps(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.create_user("eve@example.com.invalid").await;
    let (chrome, firefox) = (surfer(&app, CHROME, ADA), surfer(&app, FIREFOX, ADA));
    enroll(&app, &chrome).await;
    enroll(&app, &firefox).await;
    let phone = IPhone::enroll(&app, &user, "personal", 0).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let tree = clerk.open("/console/domains").await.expect(200);
    assert!(tree.has_link("/console/users?domain=example.com") && tree.has_link("/console/users?domain=example.com.invalid"));
    let people = clerk.open("/console/users?domain=example.com").await.says("Users of example.com").keeps_quiet_about("eve@");
    assert!(people.has_link(&format!("/console/users/{user}")));
    let page = clerk.open(&format!("/console/users/{user}")).await.says("Chrome on Windows");
    assert!(page.has_link(&format!("/console/users/{user}/revoke")));
    let asked = clerk.open(&format!("/console/users/{user}/revoke")).await.says("3 devices").says("access ends at once");
    assert!(chrome.is_known().await.unwrap(), "the first step only says what will happen");
    clerk.submit(&asked, &format!("/console/users/{user}/revoke"), &[]).await.says("Every enrollment of this user was ended").expect(200);
    for surfer in [&chrome, &firefox] {
        assert!(!surfer.is_known().await.unwrap(), "at once");
    }
    assert_eq!(states(&admin).await, ["retired"; 2]);
    assert_eq!(phone.seen_by(&admin).await["enrollment"], "retired");
    assert!(admin.audited().await.contains(&"user.revoke_enrollments".to_owned()));
    app.work().await;
    enroll(&app, &chrome).await;
    assert_eq!(states(&admin).await, ["enrolled", "retired"]);
}

// B12
async fn a_program_revokes_only_with_confirmation(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let path = format!("/users/{user}/revoke-enrollments");
    let refused = admin.post(&path, &json!({})).await.expect(409);
    assert!(text(&refused, "detail").contains("1 device(s) of this user would lose access"));
    assert!(ada.is_known().await.unwrap());
    assert_eq!(admin.post(&path, &json!({ "confirm": true })).await.expect(200), json!({ "revoked": 1 }));
    assert!(!ada.is_known().await.unwrap());
    app.work().await;
}

// B12
async fn a_person_removes_one_or_all_of_their_own_and_nobody_elses(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.create_user("eve@example.com").await;
    let (chrome, firefox, eve) = (surfer(&app, CHROME, ADA), surfer(&app, FIREFOX, ADA), surfer(&app, CHROME, "eve@example.com"));
    for surfer in [&chrome, &firefox, &eve] {
        enroll(&app, surfer).await;
    }
    let phone = IPhone::enroll(&app, &user, "personal", 0).await;
    let hers = browsers(&admin).await.into_iter().find(|found| found["model"] == "Firefox 145").unwrap();
    let path = format!("/devices/{}/remove", text(&hers, "id"));
    let page = chrome.look(chrome.at(&path).unwrap()).await.unwrap();
    assert!(page.text.contains("Firefox on Linux") && page.text.contains("ends at once"), "{}", page.text);
    // Somebody else cannot, though they know the address.
    let foreign = eve.submit(&page, &page.forms[0]).await.unwrap();
    assert!(foreign.text.contains("There is nothing here"), "{}", foreign.text);
    assert!(firefox.is_known().await.unwrap());
    let done = chrome.submit(&page, &page.forms[0]).await.unwrap();
    assert!(done.text.contains("The device was removed"), "{}", done.text);
    assert!(!firefox.is_known().await.unwrap() && chrome.is_known().await.unwrap());
    let page = chrome.look(chrome.at("/devices/remove-all").unwrap()).await.unwrap();
    assert!(page.text.contains("This browser is among them") && page.text.contains("what the organization installed"), "{}", page.text);
    chrome.submit(&page, &page.forms[0]).await.unwrap();
    assert!(!chrome.is_known().await.unwrap() && eve.is_known().await.unwrap());
    assert_eq!(phone.seen_by(&admin).await["enrollment"], "retired");
    let lines = admin.get("/audit?action=device.retire&limit=10").await.expect(200);
    assert!(lines["items"].as_array().unwrap().iter().all(|line| line["actor_name"] == ADA), "{lines}");
    app.work().await;
}

// B12
async fn removing_all_devices_where_there_is_none_records_nothing(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    enroll(&app, &surfer(&app, CHROME, ADA)).await;
    let ada = app.app.read(|conn| users::find_by_email(conn, ADA)).await.unwrap().unwrap();
    for revoked in [1, 0, 0] {
        assert_eq!(app.app.remove_own_devices(&ada).await.unwrap(), revoked);
        app.work().await;
    }
    let lines = admin.get("/audit?action=user.revoke_enrollments&limit=10").await.expect(200);
    assert_eq!(lines["items"].as_array().unwrap().len(), 1, "{lines}");
}
