//! How many devices of a kind one person may have (B18).

use serde_json::json;

use super::{ADA, CHROME, FIREFOX, browsers, enroll, states, surfer, visit};
use crate::harness::{
    actors::{IPhone, Visitor},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    a_second_apple_device_is_refused_and_the_first_stays,
    a_second_browser_is_refused_until_the_first_is_removed,
    a_limit_that_makes_no_sense_is_refused,
);

async fn a_second_apple_device_is_refused_and_the_first_stays(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "device_limits": { "apple": 1 } })).await.expect(200);
    // Both profiles are made while there is room; the first that is installed takes it.
    let mut late = IPhone::with_profile(&app, &user, "company", 1).await;
    let phone = IPhone::enroll(&app, &user, "company", 0).await;
    late.certify(1).await;
    assert!(enlist::simulator::iphone::Phone::enroll(&mut late).await.is_err());
    assert_eq!(phone.seen_by(&admin).await["enrollment"], "enrolled");
    let body = json!({ "platform": "ios", "ownership": "company" });
    let refused = admin.post(&format!("/users/{user}/enrollment-profile"), &body).await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("allows 1 enrolled Apple device"), "{refused}");
    // At the portal the person is told so on a page.
    let person = Visitor::new(&app, ADA);
    let walked = tokio::time::timeout(std::time::Duration::from_secs(60), person.try_profile()).await.unwrap();
    assert!(walked.unwrap_err().contains("remove one under"), "the page says what to do");
    admin.patch("/settings", &json!({ "device_limits": {} })).await.expect(200);
    admin.profile(&user, "company").await;
    app.work().await;
}

async fn a_second_browser_is_refused_until_the_first_is_removed(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "device_limits": { "browser": 1, "apple": null } })).await.expect(200);
    let (first, second) = (surfer(&app, CHROME, ADA), surfer(&app, FIREFOX, ADA));
    enroll(&app, &first).await;
    let refused = visit(&app, &second, "/browser").await.page;
    assert!(refused.text.contains("The organization allows 1 enrolled browser for each person"), "{}", refused.text);
    assert!(first.is_known().await.unwrap(), "what is enrolled stays so");
    assert_eq!(states(&admin).await, ["enrolled"]);
    let id = browsers(&admin).await[0]["id"].as_str().unwrap().to_owned();
    let page = first.look(first.at(&format!("/devices/{id}/remove")).unwrap()).await.unwrap();
    first.submit(&page, &page.forms[0]).await.unwrap();
    assert!(!first.is_known().await.unwrap());
    // The mailbox was proved before, so that the browser can be enrolled without another code.
    let page = second.look(second.at("/browser").unwrap()).await.unwrap();
    let form = page.forms.iter().find(|form| form.action == "/browser/enroll").unwrap();
    assert!(second.submit(&page, form).await.unwrap().is_marked("browser-enrolled"));
    app.work().await;
}

async fn a_limit_that_makes_no_sense_is_refused(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for wrong in [json!({ "apple": 0 }), json!({ "browser": 1001 })] {
        assert_eq!(admin.patch("/settings", &json!({ "device_limits": wrong })).await.expect(400)["field"], "device_limits");
    }
    let unknown = admin.patch("/settings", &json!({ "device_limits": { "toaster": 1 } })).await.expect(400);
    assert!(unknown["detail"].as_str().unwrap().contains("toaster"));
}
