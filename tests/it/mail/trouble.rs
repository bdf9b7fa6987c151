//! Mail servers in trouble: what is tried again and when, what is given up, and that nothing is lost or told apart from itself.

use std::{collections::BTreeSet, time::Duration};

use enlist::{
    jobs,
    mail::{DeliveryError, Mailer, Outgoing, smtp::Smtp},
    service::queue::Lane,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{ADA, newest, started, started_with};
use crate::harness::{
    actors::{Admin, id},
    app::TestApp,
    clerk::Clerk,
    database::Database,
    every_backend,
    mailserver::{Encryption, MailServer},
};

every_backend!(
    a_refusal_ends_the_tries_and_is_kept_in_the_servers_words,
    a_greylisted_mail_is_tried_again_until_it_is_taken,
    mails_leave_when_a_server_that_was_down_is_back,
    a_code_that_lost_its_point_is_not_sent,
    a_code_does_not_wait_for_another_mail
);

async fn test_mail(admin: &Admin) -> String {
    id(&admin.post("/settings/test-mail", &json!({ "recipient": ADA })).await.expect(202))
}

async fn shown(admin: &Admin, mail: &str) -> Value {
    admin.get(&format!("/mails/{mail}")).await.expect(200)
}

/// Seconds until the only mail job runs.
fn wait(app: &TestApp) -> i64 {
    let jobs = app.jobs("mail");
    assert_eq!(jobs.len(), 1);
    let now =
        enlist::store::write_once::<_, enlist::store::Error>(&app.database.url(), |tx| enlist::store::jobs::database_now(tx)).unwrap();
    (jobs[0].run_at.millis() - now.millis() + 500) / 1000
}

async fn a_refusal_ends_the_tries_and_is_kept_in_the_servers_words(db: Database) {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(db, &server).await;
    let admin = app.admin();
    let mail = id(&admin.post("/settings/test-mail", &json!({ "recipient": "nobody@example.com" })).await.expect(202));
    app.work().await;
    let failed = shown(&admin, &mail).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(failed["last_error"], "the mail server answered 550: 5.1.1 there is no such mailbox");
    assert!(app.jobs("mail").is_empty() && failed["next_attempt_at"].is_null(), "it is not tried again");
    // The one after it is none the worse.
    let other = test_mail(&admin).await;
    app.work().await;
    server.wait_for(1).await;
    assert_eq!(shown(&admin, &other).await["state"], "sent");
    // An administrator who knows better has it tried again, and the server says the same.
    admin.post(&format!("/mails/{mail}/retry"), &json!({})).await.expect(202);
    app.work().await;
    let failed = shown(&admin, &mail).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(2)));
    assert_eq!(admin.post(&format!("/mails/{other}/retry"), &json!({})).await.status, 409, "it was sent");
}

async fn a_greylisted_mail_is_tried_again_until_it_is_taken(db: Database) {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(db, &server).await;
    let admin = app.admin();
    server.set("greylist", true);
    let mail = test_mail(&admin).await;
    app.work().await;
    let mut message_ids = BTreeSet::new();
    for (attempts, base) in [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1800), (6, 3600), (7, 3600)] {
        let waiting = shown(&admin, &mail).await;
        assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("queued"), &json!(attempts)));
        assert_eq!(waiting["last_error"], "the mail server answered 451: 4.7.1 greylisted, come back later");
        message_ids.insert(waiting["message_id"].as_str().unwrap().to_owned());
        let seconds = wait(&app);
        assert!((base * 4 / 5 - 2..=base * 6 / 5 + 1).contains(&seconds), "after {attempts} tries it waits {seconds} s");
        let failing = admin.get("/jobs?state=failing&kind=mail").await.expect(200);
        assert_eq!((&failing["total"], &failing["items"][0]["attempts"]), (&json!(1), &json!(attempts)));
        app.work_after(0).await;
    }
    server.set("greylist", false);
    app.work_after(0).await;
    let arrived = server.wait_for(1).await;
    assert_eq!((arrived.len(), message_ids.len()), (1, 1));
    assert_eq!(arrived[0].header("message-id"), format!("<{}>", message_ids.first().unwrap()));
    assert_eq!(shown(&admin, &mail).await["state"], "sent");
}

async fn mails_leave_when_a_server_that_was_down_is_back(db: Database) {
    let mut server = MailServer::start(Encryption::Implicit);
    let app = started(db, &server).await;
    let admin = app.admin();
    server.close();
    let mut mails = Vec::new();
    for _ in 0..3 {
        mails.push(test_mail(&admin).await);
        app.work().await;
    }
    // It stays away for long enough that the next try would be an hour away.
    for _ in 0..6 {
        app.work_after(0).await;
    }
    app.sweep().await;
    for mail in &mails {
        let waiting = shown(&admin, mail).await;
        assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("queued"), &json!(7)));
        assert!(waiting["last_error"].as_str().unwrap().contains("Connection refused"), "{waiting}");
    }
    server.open();
    // What looks for such things twice a minute finds it, and does not wait for the hour.
    app.sweep().await;
    let arrived = server.wait_for(3).await;
    let mut expected = Vec::new();
    for mail in &mails {
        let sent = shown(&admin, mail).await;
        assert_eq!(sent["state"], "sent");
        expected.push(format!("<{}>", sent["message_id"].as_str().unwrap()));
    }
    let arrived: Vec<String> = arrived.iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!(arrived.len(), 3, "none is lost, and none comes twice");
    assert!(expected.iter().all(|id| arrived.contains(id)), "{arrived:?}");
}

async fn a_code_that_lost_its_point_is_not_sent(db: Database) {
    let mut server = MailServer::start(Encryption::StartTls);
    let app = started(db, &server).await;
    let admin = app.admin();
    server.close();
    // A test mail has its point for a day.
    let mail = test_mail(&admin).await;
    app.work().await;
    server.open();
    app.work_after(24 * 3600).await;
    let expired = shown(&admin, &mail).await;
    assert_eq!(expired["state"], "expired");
    assert!(server.mailbox().is_empty() && server.connections() == 0);
    assert_eq!(admin.post(&format!("/mails/{mail}/retry"), &json!({})).await.status, 409);
}

async fn a_code_does_not_wait_for_another_mail(db: Database) {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(db, &server).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    // For half a minute the server says nothing to this one.
    let slow = id(&admin.post("/settings/test-mail", &json!({ "recipient": "slow@example.com" })).await.expect(202));
    let (stop, stopped) = watch::channel(false);
    let runners = Lane::ALL.map(|lane| tokio::spawn(jobs::run(app.app.clone(), lane, stopped.clone())));
    let began = std::time::Instant::now();
    while server.connections() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "nothing was sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let clerk = Clerk::stranger(&app);
    clerk.open("/browser").await;
    let asked = clerk.request(reqwest::Method::POST, "/browser").header("sec-fetch-site", "same-origin").form(&[("email", ADA)]);
    clerk.send(asked).await.expect(303);
    let arrived = server.wait_for(1).await;
    assert_eq!(arrived[0].header("envelope-to"), ADA);
    let waiting = shown(&admin, &slow).await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("queued"), &json!(0)), "it is still being sent");
    stop.send_replace(true);
    for runner in runners {
        runner.abort();
        drop(runner.await);
    }
    app.database.tamper("DELETE FROM jobs; DELETE FROM mails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_mail_has_time_by_its_size_and_a_short_one_has_not() {
    let server = MailServer::start(Encryption::StartTls);
    // The server takes eight seconds over each.
    server.set("pause", true);
    let route = server.route();
    let roots = std::fs::read(route.roots.unwrap()).unwrap();
    let smtp = Smtp::new(&route.url, Some(&roots), Duration::from_secs(5)).unwrap();
    let mail = |lines: usize| Outgoing {
        sender: "it@example.com".into(),
        recipient: ADA.into(),
        message_id: "1@example.com".into(),
        bytes: format!("Subject: Long\r\n\r\n{}", format!("{}\r\n", "x".repeat(62)).repeat(lines)).into_bytes(),
    };
    let late = smtp.deliver(&mail(1)).await;
    assert!(matches!(&late, Err(DeliveryError::Temporary(why)) if why.contains("did not answer within 5s")), "{late:?}");
    smtp.deliver(&mail(16 * 1024)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_in_the_middle_is_given_up_in_time() {
    let server = MailServer::start(Encryption::StartTls);
    let mut route = server.route();
    // Short of the half minute for which the server is silent, and enough for a try on a busy machine.
    route.patience = Duration::from_secs(8);
    let app = started_with(Database::sqlite(), route).await;
    let admin = app.admin();
    server.set("hang", true);
    let mail = test_mail(&admin).await;
    let began = std::time::Instant::now();
    app.work().await;
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    let waiting = shown(&admin, &mail).await;
    assert_eq!((&waiting["state"], &waiting["last_error"]), (&json!("queued"), &json!("the mail server did not answer within 8s")));
    server.set("hang", false);
    app.work_after(0).await;
    let sent = shown(&admin, &mail).await;
    assert_eq!((&sent["state"], &sent["attempts"]), (&json!("sent"), &json!(2)));
    let expected = format!("<{}>", sent["message_id"].as_str().unwrap());
    // The server may have taken it the first time as well; it is then the same mail to everybody who looks.
    let arrived = server.wait_for(1).await;
    assert!(arrived.iter().all(|mail| mail.header("message-id") == expected));
    assert_eq!(server.connections(), 2, "the connection on which nobody answered is not used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_for_the_administrator_to_mend_and_no_fault_of_the_mail() {
    let server = MailServer::start(Encryption::StartTls);
    let mut route = server.route();
    route.url = route.url.replace("enlist:", "another:");
    let app = started_with(Database::sqlite(), route).await;
    let admin = app.admin();
    let mail = test_mail(&admin).await;
    app.work().await;
    let waiting = shown(&admin, &mail).await;
    assert_eq!(waiting["state"], "queued");
    assert!(waiting["last_error"].as_str().unwrap().starts_with("the mail server answered 535"), "{waiting}");
    // Many mails do not mean many tries to sign in: such a server would lock the account.
    for _ in 0..4 {
        test_mail(&admin).await;
    }
    app.work().await;
    assert_eq!(server.connections(), 1);
    app.database.tamper("DELETE FROM jobs; DELETE FROM mails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_nobody_takes_for_two_days_is_given_up_and_can_be_sent_yet() {
    let server = MailServer::start(Encryption::StartTls);
    let app = started(Database::sqlite(), &server).await;
    let admin = app.admin();
    server.set("full", true);
    let mail = test_mail(&admin).await;
    app.work().await;
    app.database.tamper("UPDATE jobs SET attempts = 52; UPDATE mails SET attempts = 52");
    app.work_after(0).await;
    let failed = shown(&admin, &mail).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("failed"), &json!(53)));
    assert_eq!(failed["last_error"], "the mail server answered 451: 4.2.2 the mailbox is full");
    let dead = admin.get("/jobs?state=dead").await.expect(200);
    assert_eq!((&dead["total"], &dead["items"][0]["kind"]), (&json!(1), &json!("mail")));
    let failed = admin.get("/mails?state=failed").await.expect(200);
    assert_eq!((&failed["total"], &failed["items"][0]["id"]), (&json!(1), &json!(mail)));
    server.set("full", false);
    let retried = admin.post("/mails/retry", &json!({})).await.expect(202);
    assert_eq!(retried["retried"], 1);
    app.work().await;
    server.wait_for(1).await;
    assert_eq!(shown(&admin, &mail).await["state"], "sent");
    assert_eq!(newest(&admin).await["id"], json!(mail));
}
