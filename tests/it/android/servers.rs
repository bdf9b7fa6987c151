//! Agents that wait for something to do, and two servers on one database: whatever one of them does, the other knows.

use std::time::{Duration, Instant};

use enlist::simulator::{
    android::{Mode, agent::Ticket},
    passcode::Passcode,
};
use reqwest::Url;
use serde_json::json;

use crate::harness::{
    actors::id,
    android::{Android, behaviour, start, ticket},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(a_waiting_agent_is_called_at_once, who_asks_again_takes_the_place_of_the_one_before, a_server_that_stops_lets_nobody_wait);

const ADA: &str = "ada@example.com";

async fn enrolled(app: &TestApp) -> (Android, String) {
    let user = app.admin().create_user(ADA).await;
    let mut agent = Android::enroll(app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    agent.obey_all().await;
    let device = id(&agent.seen_by(&app.admin()).await);
    (agent, device)
}

/// Waits until somebody waits at this server.
async fn is_waited_at(app: &TestApp) {
    while app.app.waiting_agents() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn a_waiting_agent_is_called_at_once(db: Database) {
    let app = start(db).await;
    let (agent, device) = enrolled(&app).await;
    let (began, admin) = (Instant::now(), app.admin());
    let order = async {
        is_waited_at(&app).await;
        admin.order(&device, "lock").await
    };
    let (answer, _) = tokio::join!(agent.get("commands?wait=60"), order);
    assert_eq!(answer.unwrap().status, 200);
    assert!(began.elapsed() < Duration::from_secs(10), "it did not wait to the end: {:?}", began.elapsed());
}

async fn who_asks_again_takes_the_place_of_the_one_before(db: Database) {
    let app = start(db).await;
    let (agent, device) = enrolled(&app).await;
    let admin = app.admin();
    let later = async {
        is_waited_at(&app).await;
        let asked = agent.get("commands?wait=60");
        let order = async {
            // The one before has gone when the place has changed hands.
            tokio::time::sleep(Duration::from_millis(50)).await;
            admin.order(&device, "lock").await
        };
        tokio::join!(asked, order).0.unwrap().status
    };
    let (first, later) = tokio::join!(agent.get("commands?wait=60"), later);
    assert_eq!((first.unwrap().status, later), (204, 200));
}

async fn a_server_that_stops_lets_nobody_wait(db: Database) {
    let app = start(db).await;
    let (agent, _) = enrolled(&app).await;
    let stop = async {
        is_waited_at(&app).await;
        app.app.send_agents_home();
    };
    let (answer, ()) = tokio::join!(agent.get("commands?wait=60"), stop);
    assert_eq!(answer.unwrap().status, 204);
    assert_eq!(agent.get("commands?wait=60").await.unwrap().status, 204, "nor does anybody begin to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_are_one() {
    let database = Database::postgres();
    let other = database.for_another_server();
    let here = start(database).await;
    let there = start(other).await;
    let user = here.admin().create_user(ADA).await;
    // The token of one server is good at the other, and so is the certificate.
    let given = ticket(&here, &user, "personal").await;
    let elsewhere = Ticket { activate: Url::parse(there.address()).unwrap().join("/android/v1/activate").unwrap(), ..given };
    let mut agent = Android::new(0, behaviour(Passcode::Strong, Mode::ProfileOwner));
    agent.enroll(&elsewhere).await.unwrap();
    agent.obey_all().await;
    let admin = here.admin();
    let device = agent.seen_by(&admin).await;
    // It waits at one server, and the order is given at the other.
    let began = Instant::now();
    let order = async {
        is_waited_at(&there).await;
        admin.order(&id(&device), "lock").await
    };
    let (answer, _) = tokio::join!(agent.get("commands?wait=60"), order);
    assert_eq!(answer.unwrap().status, 200);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    agent.obey_all().await;
    // A certificate that was revoked at one server is refused by both at once.
    assert_eq!(agent.get("policy").await.unwrap().status, 200);
    admin.wipe(&device, "selective").await.expect(202);
    assert_eq!(agent.get("policy").await.unwrap().status, 403);
    assert_eq!(agent.client().get(format!("{}/android/v1/policy", here.device_address())).send().await.unwrap().status(), 403);
    assert_eq!(agent.obey_all().await, ["remove_work_data acknowledged"]);
    assert_eq!(admin.device(&id(&device)).await["enrollment"], json!("wiped"));
    drop(there);
}
