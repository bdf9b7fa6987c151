//! What the gate does while the database does not answer.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Held, becomes, server, set_rules, verdict};
use crate::harness::database::Database;

/// Waits until nothing that was read before is believed any more.
async fn forget() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_means_that_nobody_comes_in_until_the_database_answers_again() {
    let app = server(Database::postgres()).await;
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    assert_eq!(verdict(&app, &held.phone).await.0, 200);
    app.database.set_reachable(false);
    forget().await;
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(verdict(&app, &held.phone).await, (403, "block".into(), "outage".into()));
    }
    assert!(began.elapsed() < Duration::from_secs(3), "whoever waits at a proxy is told soon: {:?}", began.elapsed());
    app.database.set_reachable(true);
    becomes_after(&app, &held, 200, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_means_that_those_who_were_decided_about_are_treated_as_they_were() {
    let app = server(Database::postgres()).await;
    set_rules(&app.admin(), &json!({ "gate_outage": "fail_open", "unenrolled_devices": "allow" })).await;
    let known = Held::enroll(&app, "ada@example.com", 0).await;
    let kept_out = Held::enroll(&app, "bob@example.com", 1).await;
    let never_seen = Held::enroll(&app, "eve@example.com", 2).await;
    app.admin().order(&kept_out.device, "retire").await;
    app.work().await;
    assert_eq!(verdict(&app, &known.phone).await.0, 200);
    assert_eq!(verdict(&app, &kept_out.phone).await.0, 403);
    app.database.set_reachable(false);
    forget().await;
    assert_eq!(verdict(&app, &known.phone).await.0, 200);
    assert_eq!(verdict(&app, &kept_out.phone).await, (403, "block".into(), "device_gone".into()));
    assert_eq!(verdict(&app, &never_seen.phone).await, (403, "block".into(), "outage".into()));
    let nobody = super::ask(&app, "", &[]).await;
    assert_eq!((nobody.status, nobody.header("x-enlist-reason")), (403, "outage"));

    // What was changed meanwhile holds as soon as the database is heard of again.
    app.database.set_reachable(true);
    app.database.tamper("UPDATE users SET state = 'disabled' WHERE email = 'ada@example.com'");
    becomes_after(&app, &known, 403, "user_disabled").await;
}

/// The database may have to be found again first.
async fn becomes_after(app: &crate::harness::app::TestApp, held: &Held, status: u16, reason: &str) {
    let began = Instant::now();
    while verdict(app, &held.phone).await.2 == "outage" {
        assert!(began.elapsed() < Duration::from_secs(10), "the database is not found again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    becomes(app, &held.phone, status, reason).await;
}
