//! The other end: real devices, played against a running server over the network, through the doors that phones use.
//!
//! Nothing here shares a codec with the server; a mistake made on both sides would otherwise look like agreement.
//!
//! - `html`, `page`, `mail`, `mailbox`, `portal`: the device's owner, who reads pages and mails;
//! - `transport`, `keychain`, `cms`, `scep`, `profile`, `propertylist`: what a device speaks;
//! - `model`, `passcode`, `device`, `obey`, `information`, `inventory`, `refusal`: what a device is and how it answers;
//! - `message`, `iphone`, `ota`: one device, step by step; `fleet`: many of them, from the portal to the end;
//! - `browser`: a browser that is enrolled itself, keeps or drops its cookie, and follows links.
//! - `android`: Android devices.

pub mod account;
pub mod android;
pub mod browser;
pub mod cms;
pub mod device;
pub mod error;
pub mod fleet;
mod html;
mod information;
mod inventory;
pub mod iphone;
pub mod keychain;
pub mod mail;
pub mod mailbox;
pub mod message;
pub mod model;
pub mod obey;
pub mod ota;
pub mod page;
pub mod passcode;
mod people;
pub mod portal;
pub mod profile;
pub mod propertylist;
pub mod refusal;
pub mod scep;
pub mod transport;

#[cfg(test)]
mod rehearsal;

use std::{io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use reqwest::Url;
use tokio::sync::watch;

pub use self::{
    error::{Error, Result},
    fleet::Report,
    iphone::{Phone, PhoneOptions, State},
    passcode::Passcode,
    transport::Trust,
};

/// What `enlist simulate ios` plays.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone)]
pub struct IosOptions {
    /// The portal's address.
    pub portal: Url,
    /// The owner's mail address; `{n}` in it becomes the device's number, from 1.
    pub email: String,
    /// The folder into which the server writes its mails.
    pub outbox: PathBuf,
    /// How many devices.
    pub count: usize,
    /// The passcode that every owner chose.
    pub passcode: Passcode,
    /// `personal` or `company`, where the portal asks; none leaves its choice.
    pub ownership: Option<String>,
    /// Keep polling and obeying until wiped, removed or stopped.
    pub stay: bool,
    /// Put commands off once, as locked phones do.
    pub not_now: bool,
    /// Break some connections after an answer was sent.
    pub lose_answers: bool,
    /// Enroll every device a second time under the same UDID.
    pub re_enroll: bool,
    /// Renew the certificate right after enrollment.
    pub renew: bool,
    /// Speak binary property lists.
    pub binary_plist: bool,
    /// Whom connections trust.
    pub trust: Trust,
    /// Polls before a device is done; with `stay` none means no end, without it two.
    pub polls: Option<u32>,
    /// Time between polls.
    pub poll_every: Duration,
    /// How long an owner waits for the code.
    pub mail_patience: Duration,
    /// Devices that enroll or poll at the same time.
    pub concurrency: usize,
    /// What the fleet is called: the same name makes the same UDIDs and serial numbers again. By default a name that
    /// nobody had before, so that every run brings new devices.
    pub fleet: String,
}

impl IosOptions {
    /// One device that enrolls, polls twice and is done.
    #[must_use]
    pub fn new(portal: Url, email: impl Into<String>, outbox: impl Into<PathBuf>) -> Self {
        Self {
            fleet: uuid::Uuid::new_v4().to_string(),
            portal,
            email: email.into(),
            outbox: outbox.into(),
            count: 1,
            passcode: Passcode::Strong,
            ownership: None,
            stay: false,
            not_now: false,
            lose_answers: false,
            re_enroll: false,
            renew: false,
            binary_plist: false,
            trust: Trust::System,
            polls: None,
            poll_every: Duration::from_secs(2),
            mail_patience: Duration::from_secs(30),
            concurrency: 16,
        }
    }
}

/// Plays the devices and prints one line of JSON for each on standard output whenever something that matters is over.
/// SIGINT and SIGTERM end it cleanly. An error only where nothing could begin; what befell single devices is in the
/// reports, of which the last one for each device is returned, in order.
pub async fn run_ios(options: IosOptions) -> Result<Vec<Report>> {
    let (stopped, watcher) = until_signal();
    let reports = fleet::run(options, stopped, Arc::new(report_line)).await;
    watcher.abort();
    reports
}

/// Prints a report as one line.
fn report_line<T: serde::Serialize>(report: &T) {
    if let Ok(line) = serde_json::to_string(report) {
        // A closed pipe is no reason to stop the devices.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// Says `true` once a signal came; with the task that waits for it.
fn until_signal() -> (watch::Receiver<bool>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let watcher = tokio::spawn(async move {
        wait_for_signal().await;
        // Nobody listens any more when every device is done already.
        let _ = stop.send(true);
    });
    (stopped, watcher)
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
