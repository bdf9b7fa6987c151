//! What an employee sees on the way to an enrolled phone.

use super::driver::Browser;
use crate::harness::{actors::Visitor, app::TestApp, database::Database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_an_enrollment_can_be_read_on_a_phone_and_on_a_desk() {
    for width in [390, 1280] {
        let app = TestApp::start(Database::sqlite()).await;
        let admin = app.admin();
        let user = admin.create_user("ada@example.com").await;
        admin.invite(&user, "personal").await;
        app.work().await;
        let link = Visitor::new(&app, "ada@example.com").invitation().unwrap();
        let browser = Browser::start(app.address(), width).await;
        browser.open(link.path()).await;
        browser.sees("portal-invitation", &["Enroll your"]).await;
        browser.open("/").await;
        browser.sees("portal-start", &["address"]).await;
        browser.open("/devices").await;
        browser.sees("portal-devices", &["Enroll"]).await;
        for topic in ["help", "cookies", "safari"] {
            browser.open(&format!("/enroll/help/{topic}")).await;
            browser.sees(&format!("portal-help-{topic}"), &[]).await;
        }
        browser.open("/enroll/unknown-link").await;
        browser.sees("portal-dead-link", &["does not work"]).await;
        browser.close().await;
        app.work().await;
    }
}
