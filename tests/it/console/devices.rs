//! Devices at the console: the list with its filters, the page of one, orders, wipes, several at once, and the report.

use enlist::domain::user::Role;

use crate::harness::{
    actors::{IPhone, passcode_policy, text},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
};

every_backend!(
    the_whole_story_is_seen_and_told_at_the_console,
    the_list_is_filtered_and_each_view_has_its_address,
    a_wipe_needs_the_serial_number_and_says_what_was_wrong,
    what_a_device_cannot_do_is_shown_with_the_reason,
    several_devices_are_counted_and_asked_about_before_anything_happens,
    the_helpdesk_sees_no_full_wipe_and_an_auditor_nothing_to_press,
    the_report_can_be_filtered_and_downloaded,
    what_a_profile_holds_is_shown_to_nobody,
);

async fn enrolled(app: &TestApp, email: &str, number: usize, ownership: &str) -> (IPhone, String) {
    let admin = app.admin();
    let user = admin.create_user(email).await;
    let mut phone = IPhone::enroll(app, &user, ownership, number).await;
    phone.obey_all().await;
    app.work().await;
    let id = text(&phone.seen_by(&admin).await, "id");
    (phone, id)
}

async fn the_whole_story_is_seen_and_told_at_the_console(database: Database) {
    let app = TestApp::start(database).await;
    app.admin().create_policy(&passcode_policy("Everyone")).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/devices").await.expect(200).says("No device is enrolled yet");
    let (mut phone, id) = enrolled(&app, "ada@example.com", 1, "company").await;
    let page = clerk.open(&format!("/console/devices/{id}")).await.expect(200).says("Compliant").says("Allowed").says("ada@example.com");
    let page = page.says("A passcode is set").says("security report").says("Everyone").says("Timeline");
    let path = format!("/console/devices/{id}");
    let after = clerk.submit(&page, &format!("{path}/refresh"), &[]).await.expect(200).says("was asked for its facts");
    phone.obey_all().await;
    assert!(after.has_link(&format!("{path}/wipe/full")));
    let lock = clerk.open(&format!("{path}/lock")).await.expect(200);
    clerk.submit(&lock, &format!("{path}/lock"), &[("message", "Found? Call us")]).await.expect(200).says("will be locked");
    let page = clerk.open(&path).await;
    let command = page.page.links.iter().find(|link| link.href.contains("/commands/")).unwrap().href.clone();
    let raw = clerk.open(&command).await.expect(200);
    assert!(raw.source.contains("DeviceLock") && raw.source.contains("Found? Call us"), "{}", raw.source);
    phone.obey_all().await;
    clerk.open(&command).await.says("Done").says("MessageResult");
    let serial = text(&app.admin().device(&id).await, "serial");
    let wipe = clerk.open(&format!("{path}/wipe/full")).await.expect(200).says("Everything on the device is lost");
    let typed = [("reason", "lost on a train"), ("confirm", serial.as_str())];
    let wiped = clerk.submit(&wipe, &format!("{path}/wipe/full"), &typed).await.expect(200);
    wiped.says("The full wipe was ordered").says("Wipe pending").says("Blocked");
    phone.obey_all().await;
    clerk.open(&path).await.says("Wiped").says("lost on a train");
    let audit = clerk.open("/console/audit?action=device.wipe").await.expect(200).says("administrator@example.com").says("console");
    assert!(audit.source.contains("lost on a train"));
}

async fn the_list_is_filtered_and_each_view_has_its_address(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let (_phone, _) = enrolled(&app, "ada@example.com", 1, "company").await;
    let (_phone, _) = enrolled(&app, "bob@example.com", 2, "personal").await;
    clerk.open("/console/devices").await.expect(200).says("ada@example.com").says("bob@example.com").says("2 in this view");
    clerk.open("/console/devices?ownership=personal").await.says("bob@example.com").keeps_quiet_about("ada@example.com");
    clerk.open("/console/devices?q=ada").await.says("1 in this view").keeps_quiet_about("bob@example.com");
    clerk.open("/console/devices?os=android").await.says("No device fits this filter");
    clerk.open("/console/devices?status=enrolled&os=").await.says("2 in this view");
    let wrong = clerk.open("/console/devices?os=windows").await;
    assert_eq!(wrong.status, 400);
    wrong.says("is not one of");
    let page = clerk.open("/console/devices").await;
    let mut form = page.page.forms.iter().find(|form| form.action == "/console/devices").unwrap().clone();
    form.fill("q", "bob");
    clerk.submit_form(&page, &form, "/console/devices", &[]).await.expect(200).says("1 in this view").says("bob@example.com");
}

async fn a_wipe_needs_the_serial_number_and_says_what_was_wrong(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let (_phone, id) = enrolled(&app, "ada@example.com", 1, "company").await;
    let path = format!("/console/devices/{id}/wipe/selective");
    let page = clerk.open(&path).await.expect(200).says("What goes").says("What stays");
    let again = clerk.submit(&page, &path, &[("reason", "left the company"), ("confirm", "WRONG")]).await.expect(400);
    let again = again.says("must be the serial number");
    let kept = again.form(&path);
    assert_eq!(kept.find(|field| field.name == "reason").unwrap().value, "left the company");
    let serial = text(&app.admin().device(&id).await, "serial");
    clerk.submit(&again, &path, &[("reason", " "), ("confirm", serial.as_str())]).await.expect(400).says("The reason must say");
    assert_eq!(app.admin().device(&id).await["enrollment"], "enrolled");
    clerk.submit(&again, &path, &[("confirm", serial.as_str())]).await.expect(200).says("The selective wipe was ordered");
    // Whoever sends the same form once more is told that it was done already.
    clerk.submit(&again, &path, &[("confirm", serial.as_str())]).await.expect(409).says("under way already");
}

async fn what_a_device_cannot_do_is_shown_with_the_reason(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let (mut phone, id) = enrolled(&app, "ada@example.com", 1, "personal").await;
    let path = format!("/console/devices/{id}");
    let page = clerk.open(&path).await.expect(200).says("This is a personal device: it can only be wiped selectively");
    assert!(!page.has_link(&format!("{path}/wipe/full")) && page.has_link(&format!("{path}/wipe/selective")));
    let refused = clerk.open(&format!("{path}/wipe/full")).await.expect(200).says("This is a personal device");
    assert!(!refused.has_form(&format!("{path}/wipe/full")));
    let retire = clerk.open(&format!("{path}/retire")).await.expect(200).says("loses access at once");
    clerk.submit(&retire, &format!("{path}/retire"), &[]).await.expect(200).says("The device was let go");
    phone.obey_all().await;
    let page = clerk.open(&path).await.says("Retired").says("so no command can reach it");
    assert!(!page.has_form(&format!("{path}/refresh")));
    clerk.look(&format!("/console/devices/{}", uuid::Uuid::now_v7())).await.expect(404);
}

async fn several_devices_are_counted_and_asked_about_before_anything_happens(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    let (_a, first) = enrolled(&app, "ada@example.com", 1, "company").await;
    let (_b, second) = enrolled(&app, "bob@example.com", 2, "company").await;
    let retire = "/console/devices/bulk/retire";
    let list = clerk.open("/console/devices").await;
    let form = list.form("/console/devices/bulk/refresh");
    clerk.submit_form(&list, &form, retire, &[]).await.expect(400).says("No device was selected");
    let ask = clerk.submit_form(&list, &form, retire, &[("device", &first), ("device", &second)]).await.expect(200);
    let ask = ask.says("Retire 2 devices?").says("loses access at once").says("ada@example.com").says("bob@example.com");
    assert_eq!(app.admin().device(&first).await["enrollment"], "enrolled", "nothing happens before the confirmation");
    clerk.submit(&ask, retire, &[]).await.expect(200).says("2 of 2 orders given");
    for id in [&first, &second] {
        assert_eq!(app.admin().device(id).await["enrollment"], "retired");
    }
    // Once more: they are left out, with the reason, and nothing can be confirmed.
    let ask = clerk.submit_form(&list, &form, retire, &[("device", &first), ("device", &second)]).await.expect(200);
    assert!(!ask.has_form(retire));
    ask.says("Left out").says("not enrolled");
}

async fn the_helpdesk_sees_no_full_wipe_and_an_auditor_nothing_to_press(database: Database) {
    let app = TestApp::start(database).await;
    let (_phone, id) = enrolled(&app, "ada@example.com", 1, "company").await;
    let path = format!("/console/devices/{id}");
    let helper = Clerk::with_role(&app, Role::Helpdesk).await;
    let page = helper.open(&path).await.expect(200).says("Selective wipe").keeps_quiet_about("Full wipe");
    assert!(!page.has_link("/console/settings") && !page.has_link("/console/audit"));
    helper.look(&format!("{path}/wipe/full")).await.expect(403);
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    let page = auditor.open(&path).await.expect(200).keeps_quiet_about("What you can do");
    assert_eq!(page.page.forms.iter().filter(|form| form.post).count(), 1, "to sign out is all that is left");
    assert!(page.has_link("/console/audit"));
}

async fn the_report_can_be_filtered_and_downloaded(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    clerk.open("/console/report").await.expect(200).says("There is nothing to report yet");
    let (_phone, _) = enrolled(&app, "ada@example.com", 1, "company").await;
    let report = clerk.open("/console/report?os=ios&status=compliant").await.expect(200).says("1 device(s)").says("ada@example.com");
    assert!(report.has_link("/console/report.csv?os=ios&status=compliant"));
    let csv = clerk.look("/console/report.csv?os=ios&status=compliant").await.expect(200);
    assert!(csv.headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    assert_eq!(csv.source.lines().count(), 2, "{}", csv.source);
    assert!(csv.source.contains("ada@example.com"));
    assert_eq!(clerk.look("/console/report.csv?os=ipados").await.source.lines().count(), 1);
}

async fn what_a_profile_holds_is_shown_to_nobody(database: Database) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::json;
    let app = TestApp::start(database).await;
    let (_phone, id) = enrolled(&app, "ada@example.com", 1, "company").await;
    let secret = STANDARD.encode("<plist><dict><key>Password</key><string>the password of the network</string></dict></plist>");
    let admin = app.admin();
    let profile = admin.command(&id, &json!({ "kind": "install_profile", "identifier": "org.example.wifi", "profile": secret })).await;
    let raw = "<plist version=\"1.0\"><dict><key>RequestType</key><string>RestartDevice</string><key>Note</key><string>hush</string></dict></plist>";
    let raw = admin.command(&id, &json!({ "kind": "raw", "plist": raw })).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let shown = clerk.open(&format!("/console/devices/{id}/commands/{profile}")).await.expect(200);
    assert!(shown.source.contains("InstallProfile") && !shown.source.contains(secret.get(..20).unwrap()), "{}", shown.source);
    clerk.open(&format!("/console/devices/{id}/commands/{raw}")).await.expect(200).says("RestartDevice").keeps_quiet_about("hush");
}
