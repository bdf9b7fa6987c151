//! Apple push at the console, and orders that wait for approval.

use enlist::domain::user::Role;

use crate::harness::{actors::IPhone, apns, app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(a_push_certificate_is_asked_for_and_imported, a_held_wipe_is_approved_or_withdrawn_by_whoever_may_order_it);

async fn a_push_certificate_is_asked_for_and_imported(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/").await.says("There is no push certificate");
    let (request, import) = ("/console/push/request", "/console/push/import");
    let page = clerk.open("/console/push").await.expect(200).says("A new certificate, in four steps").says("MDM vendor certificate");
    clerk.submit(&page, request, &[("email", "nobody")]).await.expect(400).says("The mail address is not a mail address");
    let made = clerk.submit(&page, request, &[("email", "push@example.com")]).await.expect(200).says("Apple's portal does not take this");
    let from = made.source.find("-----BEGIN CERTIFICATE REQUEST-----").expect("the request is shown");
    let to = made.source.find("-----END CERTIFICATE REQUEST-----").unwrap() + "-----END CERTIFICATE REQUEST-----".len();
    let certificate = apns::certify(&made.source[from..to], apns::TOPIC);
    clerk.submit(&page, import, &[("certificate", "no certificate")]).await.expect(400).says("The certificate");
    let done = clerk.submit(&page, import, &[("certificate", &certificate)]).await.expect(200);
    done.says("The push certificate was imported").says(apns::TOPIC).says("administrator@example.com");
    app.work().await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 1).await;
    phone.obey_all().await;
    let other = apns::pem(&apns::certificate("com.apple.mgmt.External.other"));
    let refused = clerk.submit(&page, import, &[("certificate", &other)]).await.expect(409);
    assert!(refused.form(import).find(|field| field.name == "force").is_some(), "it can be forced");
    clerk
        .submit(&refused, import, &[("certificate", &other), ("force", "yes")])
        .await
        .expect(200)
        .says("1 device(s) were enrolled with another");
    app.work().await;
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    assert!(!auditor.open("/console/push").await.expect(200).has_form(import));
    app.forget_pushes();
}

async fn a_held_wipe_is_approved_or_withdrawn_by_whoever_may_order_it(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 1).await;
    phone.obey_all().await;
    let device = phone.seen_by(&admin).await;
    admin.wipe(&device, "full").await.expect(202);
    app.database.tamper("UPDATE commands SET state = 'awaiting_approval', error = 'held after a restore' WHERE purpose = 'full_wipe'");
    let path = format!("/console/devices/{}", crate::harness::actors::id(&device));
    let boss = Clerk::with_role(&app, Role::Administrator).await;
    boss.open("/console/").await.says("1 order waiting for approval");
    let page = boss.open(&path).await.says("Needs approval").says("held after a restore");
    let form = page.page.forms.iter().find(|form| form.action.ends_with("/approve")).unwrap().clone();
    let helper = Clerk::with_role(&app, Role::Helpdesk).await;
    let seen = helper.open(&path).await;
    let own = seen.page.forms.iter().find(|form| form.action.ends_with("/approve")).unwrap().clone();
    helper.submit_form(&seen, &own, &own.action, &[]).await.expect(403).says("Only an administrator decides");
    assert!(phone.obey_all().await.is_empty(), "nothing is handed out before somebody decides");
    boss.submit_form(&page, &form, &form.action, &[]).await.expect(200).says("The order was approved");
    assert_eq!(phone.obey_all().await, ["EraseDevice"]);
    boss.open(&path).await.says("Wiped");
}
