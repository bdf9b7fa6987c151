//! An administrator's first day: set-up, a policy, an invitation, a phone that enrolls, its page, both wipes, the report.

use enlist::simulator::{PhoneOptions, passcode::Passcode};

use super::driver::Browser;
use crate::harness::{
    actors::{IPhone, Visitor, id, text},
    app::TestApp,
    clerk::PASSWORD,
    database::Database,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrators_first_day_on_a_desk() {
    first_day(1280).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrators_first_day_on_a_phone() {
    first_day(390).await;
}

async fn first_day(width: u32) {
    let app = TestApp::start(Database::sqlite()).await;
    let browser = Browser::start(app.address(), width).await;
    set_up(&app, &browser).await;
    a_policy_is_made(&app, &browser).await;
    let mut lost = somebody_is_invited(&app, &browser, "ada@example.com", 0).await;
    let mut left = somebody_is_invited(&app, &browser, "grace@example.com", 1).await;
    the_devices_are_looked_at(&app, &browser, &lost).await;
    a_device_is_erased(&app, &browser, &mut lost).await;
    company_data_is_wiped(&app, &browser, &mut left).await;
    the_report_is_read(&browser).await;
    the_rest_is_looked_at(&app, &browser).await;
    pages_of_single_things_are_looked_at(&app, &browser, &lost).await;
    what_is_asked_before_is_looked_at(&app, &browser).await;
    browser.close().await;
    app.work().await;
}

async fn set_up(app: &TestApp, browser: &Browser) {
    browser.open("/console/").await;
    browser.sees("sign-in", &["Sign in", "There is no administrator yet"]).await;
    browser.open(&format!("/console/setup/{}", app.app.setup_secret().unwrap())).await;
    browser.sees("setup", &["You are about to become the first administrator"]).await;
    for (field, value) in
        [("#organization", "Example & Sons"), ("#email", "boss@example.com"), ("#password", PASSWORD), ("#again", PASSWORD)]
    {
        browser.type_into(field, value).await;
    }
    browser.press("form button").await;
    browser.sees("overview-empty", &["Example & Sons", "First steps", "There is no push certificate"]).await;
}

async fn a_policy_is_made(app: &TestApp, browser: &Browser) {
    browser.open("/console/policies").await;
    browser.sees("policies-empty", &[]).await;
    browser.open("/console/policies/new").await;
    browser.sees("policy-new", &["Name"]).await;
    browser.type_into("[name=name]", "Everyone").await;
    browser.tick("[name='passcode.required']").await;
    browser.type_into("[name='passcode.min_length']", "6").await;
    browser.tick("[name='passcode.allow_simple']").await;
    browser.press("main form button:not(.quiet)").await;
    app.work().await;
    browser.open("/console/policies").await;
    browser.sees("policies", &["Everyone"]).await;
}

/// Invites somebody, who enrolls a phone by the mail.
async fn somebody_is_invited(app: &TestApp, browser: &Browser, email: &str, number: usize) -> IPhone {
    browser.open("/console/users/new").await;
    browser.sees("user-new", &["Name"]).await;
    browser.type_into("[name=email]", email).await;
    browser.type_into("[name=name]", "Somebody").await;
    browser.press("main form button:not(.quiet)").await;
    let user = browser.place().await;
    browser.sees("user", &[email]).await;
    browser.choose("[name=ownership]", "company").await;
    browser.press_text("Send the invitation").await;
    browser.sees("user-invited", &["invitation"]).await;
    app.work().await;
    let visitor = Visitor::new(app, email);
    let visit = visitor.fetch_profile(visitor.invitation().expect("the mail has a link")).await;
    let options = PhoneOptions { passcode: if number == 0 { Passcode::Weak } else { Passcode::Strong }, ..PhoneOptions::default() };
    let mut phone = IPhone::open(app, &visit.profile, number, options).await;
    phone.certify(number).await;
    enlist::simulator::iphone::Phone::enroll(&mut phone).await.unwrap();
    phone.obey_all().await;
    app.work().await;
    browser.open(user.split('?').next().unwrap()).await;
    browser.sees("user-with-device", &["iPhone"]).await;
    phone
}

async fn the_devices_are_looked_at(app: &TestApp, browser: &Browser, phone: &IPhone) {
    let id = text(&phone.seen_by(&app.admin()).await, "id");
    browser.open("/console/devices").await;
    browser.sees("devices", &["ada@example.com", "grace@example.com", "Not compliant", "Compliant"]).await;
    browser.open("/console/").await;
    browser.sees("overview", &["1 device is not compliant"]).await;
    browser.open(&format!("/console/devices/{id}")).await;
    browser.sees("device", &["The passcode does not meet the requirements", "What its owner can do", "Blocked"]).await;
    browser.press_text("Check again").await;
    browser.sees("device-asked", &["was asked for its facts"]).await;
    browser.press("#commands ~ table a").await;
    browser.sees("command", &["What the device is sent"]).await;
}

async fn a_device_is_erased(app: &TestApp, browser: &Browser, phone: &mut IPhone) {
    let shown = phone.seen_by(&app.admin()).await;
    browser.open(&format!("/console/devices/{}", text(&shown, "id"))).await;
    browser.press_text("Full wipe").await;
    browser.sees("wipe-full", &["Everything on the device is lost"]).await;
    browser.type_into("#reason", "Left in a taxi").await;
    browser.type_into("#confirm", "the wrong thing").await;
    browser.press("button.danger").await;
    browser.sees("wipe-refused", &["must be the serial number"]).await;
    browser.type_into("#confirm", &text(&shown, "serial")).await;
    browser.press("button.danger").await;
    browser.sees("wipe-ordered", &["The full wipe was ordered", "Wipe pending"]).await;
    phone.obey_all().await;
    browser.open(&format!("/console/devices/{}", text(&shown, "id"))).await;
    browser.sees("wiped", &["Wiped"]).await;
}

async fn company_data_is_wiped(app: &TestApp, browser: &Browser, phone: &mut IPhone) {
    let shown = phone.seen_by(&app.admin()).await;
    browser.open(&format!("/console/devices/{}", text(&shown, "id"))).await;
    browser.press_text("Selective wipe").await;
    browser.sees("wipe-selective", &["What goes", "What stays"]).await;
    browser.type_into("#reason", "Has left the company").await;
    browser.type_into("#confirm", &text(&shown, "serial")).await;
    browser.press("button.danger").await;
    browser.sees("wipe-selective-ordered", &["The selective wipe was ordered"]).await;
    phone.obey_all().await;
}

async fn the_report_is_read(browser: &Browser) {
    browser.open("/console/report").await;
    browser.sees("report", &["By compliance", "ada@example.com"]).await;
    browser.open("/console/report?status=wiped&os=ios").await;
    browser.sees("report-filtered", &["2 device(s)"]).await;
    browser.press_and_stay("Download as CSV").await;
    let csv = browser.downloaded("compliance.csv").await;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.contains("ada@example.com") && csv.contains("grace@example.com") && csv.contains(",wiped,"), "{csv}");
}

/// Every other page that the navigation leads to.
async fn the_rest_is_looked_at(app: &TestApp, browser: &Browser) {
    for (path, name) in [
        ("/console/users", "users"),
        ("/console/users/import", "import"),
        ("/console/users/invite", "invite"),
        ("/console/domains", "domains"),
        ("/console/browsers", "browsers"),
        ("/console/links", "links"),
        ("/console/links/report", "link-report"),
        ("/console/groups", "groups"),
        ("/console/groups/new", "group-new"),
        ("/console/outbox", "outbox"),
        ("/console/jobs", "jobs"),
        ("/console/push", "push"),
        ("/console/webhooks", "webhooks"),
        ("/console/webhooks/new", "webhook-new"),
        ("/console/certificates", "certificates"),
        ("/console/audit?verify=yes", "audit"),
        ("/console/tokens", "tokens"),
        ("/console/settings", "settings"),
        ("/console/sessions", "sessions"),
        ("/console/account", "account"),
        ("/console/password", "password"),
        ("/console/nowhere", "nowhere"),
    ] {
        browser.open(path).await;
        browser.sees(name, &[]).await;
    }
    app.work().await;
}

/// The pages of one group, one policy, one user, one device, one webhook.
async fn pages_of_single_things_are_looked_at(app: &TestApp, browser: &Browser, phone: &IPhone) {
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let policy = admin.create_policy(&serde_json::json!({ "name": "Sales", "groups": [group] })).await;
    let hook = serde_json::json!({ "name": "Tickets", "url": "https://tickets.example.com/hook", "events": ["wipe.ordered"] });
    let hook = id(&admin.post("/webhooks", &hook).await.expect(201));
    app.work().await;
    let device = id(&phone.seen_by(&admin).await);
    let user = text(&phone.seen_by(&admin).await["user"], "id");
    for (path, name) in [
        (format!("/console/groups/{group}"), "group"),
        (format!("/console/groups/{group}/delete"), "group-delete"),
        (format!("/console/policies/{policy}"), "policy"),
        (format!("/console/policies/{policy}/delete"), "policy-delete"),
        (format!("/console/users/{user}/edit"), "user-edit"),
        (format!("/console/users/{user}/role"), "user-role"),
        (format!("/console/users/{user}/revoke"), "user-revoke"),
        (format!("/console/users/{user}/delete"), "user-delete"),
        (format!("/console/devices/{device}/lock"), "device-lock"),
        (format!("/console/devices/{device}/clear-passcode"), "device-clear-passcode"),
        (format!("/console/devices/{device}/retire"), "device-retire"),
        (format!("/console/webhooks/{hook}"), "webhook"),
        (format!("/console/webhooks/{hook}/delete"), "webhook-delete"),
    ] {
        browser.open(&path).await;
        assert_eq!(browser.place().await, path);
        browser.sees(name, &[]).await;
    }
}

/// The pages that come between a form and what it does.
async fn what_is_asked_before_is_looked_at(app: &TestApp, browser: &Browser) {
    browser.open("/console/devices").await;
    browser.tick("[name=device]").await;
    browser.press_text("Check again").await;
    browser.sees("bulk", &["Left out"]).await;
    browser.open("/console/users/import").await;
    browser.type_into("textarea", "linus@example.com;Linus\nnot an address;Nobody").await;
    browser.press("main form button:not(.quiet)").await;
    browser.sees("import-preview", &["linus@example.com", "not an address"]).await;
    browser.press("main form button:not(.quiet)").await;
    app.work().await;
    browser.sees("import-progress", &[]).await;
    browser.open("/console/tokens").await;
    browser.type_into("#name", "Prometheus").await;
    browser.type_into("#present", PASSWORD).await;
    browser.press("main form button:not(.small)").await;
    browser.sees("token-made", &["shown this once"]).await;
    browser.press("main table form button").await;
    browser.sees("token-revoke", &["cannot be given back"]).await;
}
