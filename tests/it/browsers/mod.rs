//! Browsers that are enrolled: by a code, known by a cookie, limited, revoked. The comments above the tests name rows, which
//! `docs/browsers.md` lists.

mod cookie;
mod enroll;
pub mod files;
mod guess;
mod limits;
mod links;
mod revoke;
mod settings;
mod simulate;

use std::time::Duration;

use enlist::service::queue::Lane;
use enlist::simulator::{
    browser::{Surfer, Visited},
    mailbox::Mailbox,
    page::Page,
    transport::Trust,
};
use reqwest::Url;
use serde_json::Value;

use crate::harness::{actors::Admin, app::TestApp};

pub const ADA: &str = "ada@example.com";
pub const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// Somebody with a browser that was never here.
pub fn surfer(app: &TestApp, agent: &str, address: &str) -> Surfer {
    let mailbox = Mailbox::new(app.outbox(), Duration::from_secs(30));
    Surfer::new(&Trust::System, agent, Url::parse(app.address()).unwrap(), mailbox, address).unwrap()
}

/// Does something while the server does its jobs, such as sending the code.
pub async fn meanwhile<T>(app: &TestApp, deed: impl Future<Output = T>) -> T {
    let server = async {
        loop {
            app.app.job_enqueued(Lane::Others).await;
            app.work().await;
        }
    };
    tokio::select! {
        done = deed => done,
        () = server => unreachable!("the server works for ever"),
    }
}

/// Enrolls a browser; gives the page that says so.
pub async fn enroll(app: &TestApp, surfer: &Surfer) -> Page {
    let page = meanwhile(app, surfer.enroll()).await.unwrap();
    app.work().await;
    page
}

/// Opens a page and says who one is where that is asked.
pub async fn visit(app: &TestApp, surfer: &Surfer, path: &str) -> Visited {
    let visited = meanwhile(app, surfer.visit(surfer.at(path).unwrap())).await.unwrap();
    app.work().await;
    visited
}

/// The devices that are browsers.
pub async fn browsers(admin: &Admin) -> Vec<Value> {
    admin.get("/devices?os=browser&limit=200").await.expect(200)["items"].as_array().unwrap().clone()
}

/// The states of a user's browsers, sorted.
pub async fn states(admin: &Admin) -> Vec<String> {
    let mut states: Vec<String> = browsers(admin).await.iter().map(|browser| browser["enrollment"].as_str().unwrap().to_owned()).collect();
    states.sort();
    states
}
