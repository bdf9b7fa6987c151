//! `enlist simulate browser`, against a server over the network.

use std::time::Duration;

use enlist::simulator::{
    browser::{BrowserOptions, run_browsers},
    transport::Trust,
};
use reqwest::Url;

use super::{meanwhile, states};
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(simulated_browsers_enroll_and_come_back_known_or_forget);

async fn simulated_browsers_enroll_and_come_back_known_or_forget(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for number in 1..=2 {
        admin.create_user(&format!("ada{number}@example.com")).await;
    }
    let portal = Url::parse(app.address()).unwrap();
    let options = BrowserOptions {
        email: "ada{n}@example.com".into(),
        outbox: app.outbox(),
        count: 2,
        forgets: false,
        visits: vec![portal.join("/browser?return=/devices").unwrap()],
        times: 2,
        trust: Trust::System,
        mail_patience: Duration::from_secs(30),
        portal,
    };
    let reports = meanwhile(&app, run_browsers(options.clone())).await.unwrap();
    assert!(reports.iter().all(|report| report.enrolled && report.error.is_none() && report.visits.len() == 2), "{reports:?}");
    assert!(reports.iter().flat_map(|report| &report.visits).all(|visit| !visit.was_asked), "{reports:?}");
    assert_eq!(states(&admin).await, ["enrolled"; 2]);
    let forgetful = BrowserOptions { forgets: true, count: 1, ..options };
    let reports = meanwhile(&app, run_browsers(forgetful)).await.unwrap();
    assert!(reports[0].visits.iter().all(|visit| visit.was_asked), "{reports:?}");
    assert_eq!(states(&admin).await, ["enrolled"; 5], "each time it was another browser");
    app.work().await;
}
