//! The outbox, the jobs and the webhooks at the console.

use enlist::domain::user::Role;

use crate::harness::{app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(a_mail_is_followed_and_tried_again, work_that_was_given_up_is_tried_again, a_webhook_is_made_changed_tried_and_removed,);

async fn a_mail_is_followed_and_tried_again(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    clerk.open("/console/outbox").await.expect(200).says("No mail was written yet");
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    admin.invite(&user, "company").await;
    clerk.open("/console/outbox?state=queued").await.says("Invitation").says("ada@example.com").says("Waiting");
    app.database.tamper("UPDATE mails SET state = 'failed', last_error = '550 no such mailbox'");
    app.database.tamper("DELETE FROM jobs WHERE kind = 'mail'");
    let page = clerk.open("/console/outbox?state=failed").await.says("550 no such mailbox").says("Given up");
    clerk.open("/console/").await.says("1 mail could not be delivered");
    let retry = page.page.forms.iter().find(|form| form.action.ends_with("/retry") && form.action.len() > 30).unwrap().clone();
    // The text of a mail, with its link, is nowhere to be seen.
    assert!(!page.source.contains("/enroll/"));
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    let seen = auditor.open("/console/outbox?state=failed").await.expect(200);
    assert!(!seen.page.forms.iter().any(|form| form.action.ends_with("/retry")));
    clerk.submit_form(&page, &retry, &retry.action, &[]).await.expect(200).says("tried again now");
    app.work().await;
    clerk.open("/console/outbox?state=sent&q=ada").await.says("ada@example.com").says("1 in this view");
    assert!(admin.audited().await.contains(&"mail.retry".to_owned()));
}

async fn work_that_was_given_up_is_tried_again(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/jobs").await.expect(200).says("There is no such work");
    app.admin().create_policy(&serde_json::json!({ "name": "All" })).await;
    app.database.tamper("UPDATE jobs SET dead_at = 1, last_error = 'the database was away', attempts = 9");
    clerk.open("/console/").await.says("1 job given up");
    let page = clerk.open("/console/jobs?state=dead").await.says("Rollout").says("the database was away");
    let retry = page.page.forms.iter().find(|form| form.action.ends_with("/retry")).unwrap().clone();
    clerk.submit_form(&page, &retry, &retry.action, &[]).await.expect(200).says("tried again now");
    app.work().await;
    clerk.open("/console/jobs").await.says("There is no such work");
}

async fn a_webhook_is_made_changed_tried_and_removed(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    clerk.open("/console/webhooks").await.expect(200).says("No system is told of anything yet");
    let new = "/console/webhooks/new";
    let page = clerk.open(new).await.expect(200).says("A wipe was ordered");
    let again = clerk.submit(&page, new, &[("name", "Tickets"), ("url", "http://127.0.0.1/hook"), ("event", "wipe.ordered")]).await;
    let again = again.expect(400).says("The address");
    assert_eq!(again.form(new).find(|field| field.name == "name").unwrap().value, "Tickets");
    let fields = [("name", "Tickets"), ("url", "https://tickets.example.com/hook"), ("event", "wipe.ordered")];
    let made = clerk.submit(&again, new, &fields).await.expect(200).says("shown this once").says("Active");
    let secret = made.page.text.split_whitespace().find(|word| word.starts_with("whsec_")).expect("the secret is shown").to_owned();
    let list = clerk.open("/console/webhooks").await.says("Tickets").keeps_quiet_about(&secret);
    let path = list.page.links.iter().find(|link| link.href.starts_with("/console/webhooks/0")).unwrap().href.clone();
    let page = clerk.open(&path).await.expect(200).says("Nothing yet").keeps_quiet_about(&secret);
    let test = format!("{path}/test");
    clerk.submit(&page, &test, &[]).await.expect(200).says("A test event was written").says("Waiting");
    let off = [("name", "Tickets"), ("url", "https://tickets.example.com/other"), ("event", "wipe.sent")];
    let mut form = page.form(&path);
    form.fields.retain(|field| field.name != "enabled");
    clerk.submit_form(&page, &form, &path, &off).await.expect(200).says("The webhook was saved").says("Switched off");
    let ask = clerk.open(&format!("{path}/delete")).await.expect(200).says("1 event(s) that wait for it are dropped");
    clerk.submit(&ask, &format!("{path}/delete"), &[]).await.expect(200).says("The webhook was removed");
    app.work().await;
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    auditor.look("/console/webhooks").await.expect(403);
}
