//! What an employee sees on the way to an enrolled phone.

use std::time::Duration;

use enlist::simulator::mailbox::Mailbox;

use super::driver::Browser;
use crate::{
    harness::{
        actors::{Visitor, id},
        android,
        app::TestApp,
        clerk::{PASSWORD, hire},
        database::Database,
    },
    portal::android::{ADA, PIXEL},
};

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

/// Proves Ada's mailbox in this browser of an Android device.
async fn prove(app: &TestApp, browser: &Browser) {
    browser.open("/").await;
    browser.sees("android-start", &["this Android device, with its screen lock"]).await;
    prove_mailbox(app, browser).await;
}

/// Proves Ada's mailbox in this browser, from the page on which it is.
pub async fn prove_mailbox(app: &TestApp, browser: &Browser) {
    let mailbox = Mailbox::new(app.outbox(), Duration::from_secs(30));
    let mut seen = mailbox.seen();
    browser.type_into("#email", ADA).await;
    browser.press_text("Send me a code").await;
    app.work().await;
    browser.type_into("#code", &mailbox.code(ADA, &mut seen).await.unwrap()).await;
    browser.press_text("Go on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_android_device_is_led_to_its_certificate_on_a_phone_and_on_a_desk() {
    for width in [390, 1280] {
        let app = android::start(Database::sqlite()).await;
        let admin = app.admin();
        admin.create_user(ADA).await;
        let browser = Browser::start_as(app.address(), width, PIXEL).await;
        prove(&app, &browser).await;
        browser.sees("android-method", &["With the agent app", "With a certificate only"]).await;
        browser.tick("#method-certificate").await;
        browser.press_text("Go on").await;
        browser.sees("android-consent", &["no power over this device"]).await;
        browser.tick("#consent").await;
        browser.press_text("Agree and go on").await;
        browser.sees("android-activate", &["For every Android"]).await;
        browser.press_text("ACTIVATE").await;
        browser.sees("android-password", &["It is shown this once"]).await;
        browser.press_and_stay("Download the certificate").await;
        browser.downloaded_bytes("certificate.p12").await;
        browser.press_text("I have downloaded it").await;
        browser.sees("android-done", &["Your certificate was given out", "Pixel 9"]).await;
        browser.open("/devices").await;
        browser.sees("android-devices", &["Pixel 9"]).await;
        the_console_shows_it(&app, &browser).await;
        browser.close().await;
        app.work().await;
    }
}

async fn the_console_shows_it(app: &TestApp, browser: &Browser) {
    hire(app, "boss@example.com", enlist::domain::user::Role::Administrator).await;
    browser.open("/console/sign-in").await;
    browser.type_into("#email", "boss@example.com").await;
    browser.type_into("#password", PASSWORD).await;
    browser.press("main form button").await;
    let device = id(&app.admin().get("/devices").await.expect(200)["items"][0]);
    browser.open(&format!("/console/devices/{device}")).await;
    browser.sees("android-device", &["identified, not managed", "nothing on it obeys"]).await;
    browser.open(&format!("/console/devices/{device}/retire")).await;
    browser.sees("android-retire", &["Nothing on the device obeys"]).await;
    browser.open("/console/policies/new").await;
    browser.tick("main details summary").await;
    browser.sees("policy-support", &["Enforced in broad steps"]).await;
    let rights = enlist::domain::rights::AccessRights::ANDROID_COMPANY.bits();
    app.database.tamper(&format!("UPDATE enrollments SET backend = 'agent', management_mode = 'device_owner', rights = {rights}"));
    browser.open(&format!("/console/devices/{device}/clear-passcode")).await;
    browser.sees("android-reset-passcode", &["temporary passcode"]).await;
    browser.press_text("Reset the passcode").await;
    browser.sees("android-temporary-passcode", &["It is shown this once"]).await;
    browser.open(&format!("/console/devices/{device}/wipe/selective")).await;
    browser.sees("android-wipe-selective", &["What goes"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_android_device_is_led_to_the_agent_on_a_phone() {
    let app = android::start(Database::sqlite()).await;
    app.admin().create_user(ADA).await;
    let browser = Browser::start_as(app.address(), 390, PIXEL).await;
    prove(&app, &browser).await;
    browser.tick("#method-agent").await;
    browser.press_text("Go on").await;
    browser.sees("agent-consent", &["You open the agent app"]).await;
    browser.tick("#consent").await;
    browser.press_text("Agree and go on").await;
    browser.press_text("ACTIVATE").await;
    browser.sees("agent-activation", &["Give this to the agent app"]).await;
    browser.open("/enroll/progress").await;
    browser.sees("agent-progress", &["Waiting for the device", "Look again"]).await;
    browser.close().await;
    app.work().await;
}
