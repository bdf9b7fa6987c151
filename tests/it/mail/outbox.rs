//! The outbox and the jobs as administrators see them: what waits, what failed, and no secret in either.

use enlist::domain::user::Role;
use serde_json::json;

use crate::harness::{
    actors::{Visitor, id, text},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(mails_are_listed_without_their_secrets, a_test_mail_is_followed_through_the_outbox, jobs_are_listed_and_tried_again);

async fn mails_are_listed_without_their_secrets(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for name in ["ada", "bob", "carol"] {
        let user = admin.create_user(&format!("{name}@example.com")).await;
        admin.invite(&user, "company").await;
    }
    app.work().await;
    let visitor = Visitor::new(&app, "ada@example.com");
    let visit = visitor.fetch_profile(visitor.invitation().unwrap()).await;
    assert!(!visit.profile.is_empty());
    // Three invitations and a code, page by page, newest first.
    let first = admin.get("/mails?limit=3").await.expect(200);
    assert_eq!((&first["total"], &first["items"][0]["template"]), (&json!(4), &json!("code")));
    let second = admin.get(&format!("/mails?limit=3&cursor={}", text(&first, "next_cursor"))).await.expect(200);
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next_cursor"]), (1, &json!(null)));
    assert_eq!(second["items"][0]["recipient"], "ada@example.com");
    for (query, expected) in [("q=ADA@", 2), ("q=bob", 1), ("state=sent", 4), ("state=queued", 0), ("state=sent&q=carol", 1), ("q=%25", 0)]
    {
        assert_eq!(admin.get(&format!("/mails?{query}")).await.expect(200)["total"], expected, "{query}");
    }
    assert_eq!(admin.get("/mails?state=lost").await.status, 400);
    let link = visitor.invitation().unwrap();
    let token = link.path().rsplit('/').next().unwrap();
    for role in [Role::Administrator, Role::Helpdesk, Role::Auditor] {
        let shown = app.caller(role).get("/mails?limit=200").await;
        let (shown, audit) = (shown.text(), admin.get("/audit?limit=200").await.text());
        assert!(!shown.contains(token) && !audit.contains(token), "an invitation's link is a secret");
        assert!(!shown.contains("/enroll/") && !shown.contains("sealed"), "{shown}");
    }
}

async fn a_test_mail_is_followed_through_the_outbox(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for wrong in ["", "nobody", "a b@example.com"] {
        assert_eq!(admin.post("/settings/test-mail", &json!({ "recipient": wrong })).await.expect(400)["field"], "recipient");
    }
    let queued = admin.post("/settings/test-mail", &json!({ "recipient": "Ada@Example.com" })).await.expect(202);
    assert_eq!(
        (&queued["state"], &queued["recipient"], &queued["template"]),
        (&json!("queued"), &json!("ada@example.com"), &json!("test"))
    );
    app.work().await;
    let sent = admin.get(&format!("/mails/{}", id(&queued))).await.expect(200);
    assert_eq!((&sent["state"], &sent["attempts"]), (&json!("sent"), &json!(1)));
    assert_eq!(std::fs::read_dir(app.outbox()).unwrap().count(), 1);
    assert!(admin.audited().await.contains(&"mail.test".to_owned()));
    assert_eq!(admin.get(&format!("/mails/{}", uuid::Uuid::now_v7())).await.status, 404);
}

async fn jobs_are_listed_and_tried_again(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.post("/settings/test-mail", &json!({ "recipient": "ada@example.com" })).await.expect(202);
    admin.post("/settings/test-mail", &json!({ "recipient": "bob@example.com" })).await.expect(202);
    let waiting = admin.get("/jobs?state=waiting&kind=mail").await.expect(200);
    assert_eq!((&waiting["total"], &waiting["items"][0]["attempts"]), (&json!(2), &json!(0)));
    assert!(waiting["items"][0].get("payload").is_none());
    let newest = id(&waiting["items"][0]);
    // What nobody can do is given up in the end; here at once.
    app.database.tamper("UPDATE jobs SET dead_at = 5, attempts = 10, last_error = 'nobody knows'; UPDATE mails SET state = 'failed'");
    for (query, expected) in [("state=dead", 2), ("state=waiting", 0), ("state=failing", 0), ("state=running", 0), ("kind=push", 0)] {
        assert_eq!(admin.get(&format!("/jobs?{query}")).await.expect(200)["total"], expected, "{query}");
    }
    let page = admin.get("/jobs?limit=1").await.expect(200);
    assert_eq!((&page["items"][0]["state"], &page["items"][0]["last_error"]), (&json!("dead"), &json!("nobody knows")));
    assert_ne!(
        admin.get(&format!("/jobs?limit=1&cursor={}", text(&page, "next_cursor"))).await.expect(200)["items"][0]["id"],
        page["items"][0]["id"]
    );
    let retried = admin.post(&format!("/jobs/{newest}/retry"), &json!({})).await.expect(202);
    assert_eq!((&retried["attempts"], &retried["dead_at"]), (&json!(0), &json!(null)));
    app.work().await;
    let sent = admin.get("/mails?state=sent").await.expect(200);
    assert_eq!((&sent["total"], &sent["items"][0]["recipient"]), (&json!(1), &json!("bob@example.com")));
    assert_eq!(app.caller(Role::Helpdesk).post("/mails/retry", &json!({})).await.expect(202)["retried"], 1);
    app.work().await;
    assert_eq!(admin.get("/mails?state=sent").await.expect(200)["total"], 2);
    assert_eq!(admin.post(&format!("/jobs/{newest}/retry"), &json!({})).await.status, 404, "it is done");
    let audited = admin.audited().await;
    assert!(audited.contains(&"job.retry".to_owned()) && audited.contains(&"mail.retry".to_owned()), "{audited:?}");
}
