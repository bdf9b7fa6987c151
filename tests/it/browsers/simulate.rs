//! `enlist simulate browser`, against a server over the network.

use std::time::Duration;

use enlist::simulator::{
    browser::{BrowserOptions, run_browsers},
    transport::Trust,
};
use reqwest::Url;

use super::{files, meanwhile, states};
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(simulated_browsers_enroll_and_come_back_known_or_forget, a_simulated_browser_asks_for_a_file_that_it_is_led_to);

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

// B4
async fn a_simulated_browser_asks_for_a_file_that_it_is_led_to(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user("ada@example.com").await;
    let (_, path) = files::protect(&app, &[("name", "a.pdf"), ("recipient", "eve@example.com")], "application/pdf", b"content").await;
    let portal = Url::parse(app.address()).unwrap();
    let options = BrowserOptions {
        email: "ada@example.com".into(),
        outbox: app.outbox(),
        count: 1,
        forgets: true,
        visits: vec![portal.join(&path).unwrap(), portal.join("/browser").unwrap()],
        times: 2,
        trust: Trust::System,
        mail_patience: Duration::from_secs(30),
        portal,
    };
    let reports = meanwhile(&app, run_browsers(options)).await.unwrap();
    app.work().await;
    assert!(reports[0].error.is_none(), "{reports:?}");
    let released: Vec<bool> = reports[0].visits.iter().map(|visit| visit.released).collect();
    // When it comes the second time, the page has no button: the file was sent a moment ago.
    assert_eq!(released, [true, false, false, false], "{reports:?}");
    assert!(reports[0].visits.iter().step_by(2).all(|visit| visit.was_asked), "{reports:?}");
    let to: Vec<String> = files::arrived::arrived(&app).into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["ada@example.com"]);
}
