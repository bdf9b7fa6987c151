//! Receivers in trouble: tried again with the same identifier, less and less often, and left alone in the end.

use enlist::{config::Webhooks, domain::user::Role};
use serde_json::{Value, json};

use super::{deliveries, hooked, shown, started, test_event};
use crate::harness::{
    app::{Setup, TestApp},
    certificates::Company,
    clerk::Clerk,
    database::Database,
    every_backend,
    folder::TempFolder,
    receiver::{Answer, Receiver},
};

every_backend!(
    an_event_that_is_not_taken_comes_again_with_the_same_identifier,
    an_event_that_is_refused_holds_up_no_other,
    an_event_that_was_given_up_is_sent_again_on_an_administrators_word,
    a_target_that_is_silent_for_a_day_is_paused_and_told_everything_later
);

const DAY: i64 = 24 * 3600;

async fn an_event_that_is_not_taken_comes_again_with_the_same_identifier(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, secret) = hooked(&admin, "shaky", &receiver).await;
    receiver.answer([Answer::Status(500), Answer::Status(503)]);
    let first = test_event(&admin, &webhook).await;
    app.work().await;
    let target = shown(&admin, &webhook).await;
    assert_eq!((&target["state"], &target["consecutive_failures"], &target["waiting"]), (&json!("failing"), &json!(1), &json!(1)));
    assert_eq!(target["last_error"], "the target answered 500 Internal Server Error");
    // Another server's runner, or a job that comes too early, does not hammer it.
    app.work_after(1).await;
    assert_eq!(receiver.calls().len(), 1);
    app.work_after(6).await;
    assert_eq!(receiver.calls().len(), 2);
    app.work_after(6).await;
    assert_eq!(receiver.calls().len(), 2, "the second wait is longer");
    app.work_after(36).await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.id == first && call.body == calls[0].body && call.is_signed_with(&secret)), "{calls:?}");
    assert!(calls[2].timestamp > calls[0].timestamp, "each try is signed anew");
    let target = shown(&admin, &webhook).await;
    assert_eq!((&target["state"], &target["consecutive_failures"], &target["last_error"]), (&json!("active"), &json!(0), &Value::Null));
    assert!(target["last_success_at"].is_string() && target["last_failure_at"].is_string());
    let told = deliveries(&admin, &webhook).await;
    assert_eq!((&told[0]["state"], &told[0]["attempts"], &told[0]["last_status"]), (&json!("delivered"), &json!(3), &json!(204)));
}

async fn an_event_that_is_refused_holds_up_no_other(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, _) = hooked(&admin, "picky", &receiver).await;
    receiver.answer([Answer::Status(422)]);
    let (refused, taken) = (test_event(&admin, &webhook).await, test_event(&admin, &webhook).await);
    app.work().await;
    let calls: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    assert_eq!(calls, [refused.clone(), taken.clone()]);
    receiver.refuse_all(422);
    for _ in 0..9 {
        app.work_after(5000).await;
    }
    receiver.accept_all();
    app.work_after(5000).await;
    let told = deliveries(&admin, &webhook).await;
    assert_eq!((&told[0]["id"], &told[0]["state"], &told[0]["attempts"]), (&json!(refused), &json!("failed"), &json!(10)));
    assert_eq!((&told[1]["id"], &told[1]["state"]), (&json!(taken), &json!("delivered")));
    assert_eq!(receiver.calls().len(), 11, "it was given up");
    assert_eq!(admin.get(&format!("/webhooks/{webhook}/deliveries?state=failed")).await.expect(200)["total"], 1);
}

async fn an_event_that_was_given_up_is_sent_again_on_an_administrators_word(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, secret) = hooked(&admin, "picky", &receiver).await;
    receiver.refuse_all(422);
    let event = test_event(&admin, &webhook).await;
    app.work().await;
    for _ in 0..9 {
        app.work_after(5000).await;
    }
    let retry = |event: &str| format!("/webhooks/{webhook}/deliveries/{event}/retry");
    let again = admin.post(&retry(&event), &json!({})).await.expect(202);
    assert_eq!((&again["id"], &again["state"], &again["attempts"]), (&json!(event), &json!("queued"), &json!(0)));
    app.work().await;
    let told = deliveries(&admin, &webhook).await;
    assert_eq!((&told[0]["state"], &told[0]["attempts"]), (&json!("queued"), &json!(1)), "it has all its tries before it");
    for _ in 0..9 {
        app.work_after(5000).await;
    }
    assert_eq!(deliveries(&admin, &webhook).await[0]["state"], "failed");

    // In the console, while the target is switched off and afterwards.
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let (page, action) = (format!("/console/webhooks/{webhook}"), format!("/console/webhooks/{webhook}/deliveries/{event}/retry"));
    admin.patch(&format!("/webhooks/{webhook}"), &json!({ "enabled": false })).await.expect(200);
    assert!(!clerk.open(&page).await.expect(200).has_form(&action));
    let refused = admin.post(&retry(&event), &json!({})).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("enable it first"), "{refused}");
    admin.patch(&format!("/webhooks/{webhook}"), &json!({ "enabled": true })).await.expect(200);
    receiver.accept_all();
    let shown = clerk.open(&page).await.expect(200);
    clerk.submit(&shown, &action, &[]).await.expect(200).says("The event is sent again");
    app.work().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 21);
    assert!(calls.iter().all(|call| call.id == event) && calls[20].is_signed_with(&secret), "the identifier stays the same");
    assert_eq!(deliveries(&admin, &webhook).await[0]["state"], "delivered");
    assert!(!clerk.open(&page).await.has_form(&action));
    let refused = admin.post(&retry(&event), &json!({})).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("has taken this event"), "{refused}");
    // An event of another webhook is none of this one.
    let (other, _) = hooked(&admin, "other", &receiver).await;
    assert_eq!(admin.post(&format!("/webhooks/{other}/deliveries/{event}/retry"), &json!({})).await.status, 404);
    assert_eq!(admin.audited().await.iter().filter(|action| *action == "webhook.retry").count(), 2);
}

async fn a_target_that_is_silent_for_a_day_is_paused_and_told_everything_later(db: Database) {
    let app = started(db).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, _) = hooked(&admin, "gone", &receiver).await;
    receiver.refuse_all(502);
    let mut expected = vec![test_event(&admin, &webhook).await];
    app.work().await;
    app.work_after(DAY).await;
    let target = shown(&admin, &webhook).await;
    assert_eq!((&target["state"], &target["consecutive_failures"]), (&json!("paused"), &json!(2)));
    assert!(target["paused_at"].is_string() && target["failing_since"].is_string(), "{target}");
    assert_eq!(admin.post(&format!("/webhooks/{webhook}/test"), &json!({})).await.status, 409);
    // What happens meanwhile is written down, and nothing is sent.
    let user = admin.create_user("ada@example.com").await;
    crate::harness::actors::IPhone::enroll(&app, &user, "company", 0).await;
    app.work_after(DAY).await;
    assert_eq!(receiver.calls().len(), 2);
    let waiting = deliveries(&admin, &webhook).await;
    assert!(waiting.iter().all(|delivery| delivery["state"] == "queued") && waiting.len() > 1, "{waiting:?}");
    expected.extend(waiting.iter().skip(1).map(|delivery| delivery["id"].as_str().unwrap().to_owned()));
    receiver.accept_all();
    receiver.forget();
    admin.patch(&format!("/webhooks/{webhook}"), &json!({ "enabled": true })).await.expect(200);
    app.work().await;
    let told: Vec<String> = receiver.calls().into_iter().map(|call| call.id).collect();
    assert_eq!(told, expected, "everything, in its order");
    assert_eq!(shown(&admin, &webhook).await["state"], "active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_wants_no_more_is_paused_at_once() {
    let app = started(Database::sqlite()).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, _) = hooked(&admin, "gone", &receiver).await;
    receiver.answer([Answer::Status(410)]);
    test_event(&admin, &webhook).await;
    app.work().await;
    assert_eq!(shown(&admin, &webhook).await["state"], "paused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let app = started(Database::sqlite()).await;
    let (admin, receiver, other) = (app.admin(), Receiver::start(), Receiver::start());
    let (webhook, _) = hooked(&admin, "moved", &receiver).await;
    receiver.answer([Answer::Redirect(other.url())]);
    test_event(&admin, &webhook).await;
    app.work().await;
    assert!(shown(&admin, &webhook).await["last_error"].as_str().unwrap().contains("redirects are not followed"));
    assert!(other.calls().is_empty());
    app.work_after(10).await;
    assert_eq!(receiver.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_an_end_is_not_read_to_its_end() {
    let app = started(Database::sqlite()).await;
    let (admin, receiver) = (app.admin(), Receiver::start());
    let (webhook, _) = hooked(&admin, "chatty", &receiver).await;
    receiver.answer([Answer::Endless]);
    test_event(&admin, &webhook).await;
    let began = std::time::Instant::now();
    app.work().await;
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(deliveries(&admin, &webhook).await[0]["state"], "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_shows_a_certificate_that_is_trusted_and_bears_its_name() {
    let (company, folder) = (Company::new(), TempFolder::new("roots"));
    let roots = folder.path().join("company.pem");
    std::fs::write(&roots, company.pem()).unwrap();
    let webhooks = Webhooks { allow_private: "127.0.0.0/8, ::1".parse().unwrap(), roots: Some(roots) };
    let app = TestApp::start_with(Database::sqlite(), Setup { webhooks, ..Setup::default() }).await;
    let admin = app.admin();
    let good = Receiver::start_encrypted(&company.issue("localhost"));
    let misnamed = Receiver::start_encrypted(&company.issue("hooks.example.com"));
    let unknown = Receiver::start_encrypted(&Company::new().issue("localhost"));
    for (name, receiver, is_taken) in [("good", &good, true), ("misnamed", &misnamed, false), ("unknown", &unknown, false)] {
        let (webhook, _) = hooked(&admin, name, receiver).await;
        test_event(&admin, &webhook).await;
        app.work().await;
        let target = shown(&admin, &webhook).await;
        assert_eq!((target["state"] == "active", receiver.calls().len()), (is_taken, usize::from(is_taken)), "{target}");
        if !is_taken {
            assert!(target["last_error"].as_str().unwrap().contains("certificate verify failed"), "{target}");
        }
        admin.delete(&format!("/webhooks/{webhook}")).await.expect(204);
    }
    app.work_after(60).await;
}
