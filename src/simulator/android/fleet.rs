//! Many Android devices at once: each comes to the portal, enrolls, lives and ends by itself.

use std::sync::Arc;

use reqwest::Url;
use serde::Serialize;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use super::{
    AndroidOptions, Backend,
    agent::{Agent, Behaviour},
    certificate::{CertificateDevice, FileForm, download},
    device::Device,
    handset::{Handset, passcode_of},
    launcher::{Launcher, LauncherOptions},
    portal::{fetch_code, fetch_ticket},
};
use crate::simulator::{
    error::{Error, Result, chain},
    mailbox::Mailbox,
    message::{State, Step},
    page::Page,
    people::People,
    portal::Owner,
    transport::Browser,
};

/// The browser in which the code for a new phone is shown: that of a computer.
const COMPUTER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";

/// One line about one device.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its number, from 1.
    pub device: usize,
    /// Its serial number.
    pub serial: String,
    /// Its owner.
    pub email: String,
    /// Always `android`.
    pub platform: &'static str,
    /// What manages it.
    pub backend: &'static str,
    /// What has become of it.
    pub state: State,
    /// Its passcode, by the word of the command line; `other` where it was replaced.
    pub passcode: &'static str,
    /// Whether the portal says that the enrollment is done; none where it was not asked.
    pub portal_done: Option<bool>,
    /// The commands and how they were answered.
    pub commands: Vec<Step>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Is called with each report as it comes.
pub type Sink = Arc<dyn Fn(&Report) + Send + Sync>;

struct Fleet {
    options: AndroidOptions,
    people: People,
    sink: Sink,
    stopped: watch::Receiver<bool>,
    seats: Semaphore,
}

/// Plays the devices until they are done or told to stop, and gives the last report of each, in order.
pub async fn run(options: AndroidOptions, stopped: watch::Receiver<bool>, sink: Sink) -> Result<Vec<Report>> {
    let people = People::new(Mailbox::new(&options.outbox, options.mail_patience), options.portal.clone());
    let (count, seats) = (options.count, Semaphore::new(options.concurrency.max(1)));
    let fleet = Arc::new(Fleet { options, people, sink, stopped, seats });
    let mut lives = JoinSet::new();
    for number in 0..count {
        let fleet = Arc::clone(&fleet);
        lives.spawn(async move { Box::pin(fleet.live(number)).await });
    }
    let mut reports = lives.join_all().await;
    reports.sort_by_key(|report| report.device);
    Ok(reports)
}

impl Fleet {
    /// The whole life of one device; what goes wrong is in the report.
    async fn live(&self, number: usize) -> Report {
        let handset = Handset::numbered(&self.options.fleet, number);
        let mut report = Report {
            device: number + 1,
            serial: handset.serial.clone(),
            email: self.options.email.replace("{n}", &(number + 1).to_string()),
            platform: "android",
            backend: self.options.backend.word(),
            state: State::New,
            passcode: self.options.passcode.word(),
            portal_done: None,
            commands: Vec::new(),
            error: None,
        };
        let played = self.play(&mut report, handset).await;
        if let Err(error) = played {
            report.state = State::Failed;
            report.error = Some(chain(&error));
            (self.sink)(&report);
        }
        report
    }

    async fn play(&self, report: &mut Report, handset: Handset) -> Result<()> {
        let mut device = Box::pin(self.enroll(report, handset)).await?;
        device.ask().await?;
        self.take(report, &device);
        (self.sink)(report);
        if !self.options.stay {
            return Ok(());
        }
        let ended = self.stay(&mut device).await;
        self.take(report, &device);
        ended?;
        (self.sink)(report);
        Ok(())
    }

    async fn enroll(&self, report: &mut Report, handset: Handset) -> Result<Device> {
        let turn = self.people.turn(&report.email);
        let _turn = turn.lock().await;
        let _seat = self.seats.acquire().await.map_err(|_| Error::Misuse("the fleet is closed".to_owned()))?;
        let options = &self.options;
        let user_agent = if options.backend == Backend::Headwind { COMPUTER.to_owned() } else { handset.user_agent() };
        let browser = Browser::new(&options.trust, &user_agent)?;
        let (ownership, method) = (options.ownership().map(str::to_owned), options.backend.word().to_owned());
        let owner = self.people.owner(browser, &report.email, ownership, Some(method));
        let start = self.people.start(&report.email);
        let (page, device) = match options.backend {
            Backend::Agent => self.enroll_agent(&owner, start, handset).await?,
            Backend::Certificate => self.enroll_certificate(&owner, start).await?,
            Backend::Headwind => self.enroll_launcher(&owner, start, handset).await?,
        };
        report.portal_done = Some(owner.sees_done(&page).await?);
        Ok(device)
    }

    async fn enroll_agent(&self, owner: &Owner, start: Url, handset: Handset) -> Result<(Page, Device)> {
        let options = &self.options;
        let (page, ticket) = fetch_ticket(owner, start).await?;
        let behaviour = Behaviour {
            trust: options.device_trust(),
            passcode: passcode_of(options.passcode),
            is_rooted: options.rooted,
            defers: options.not_now,
            mode: options.mode(),
            device_url: options.device_url.clone(),
        };
        let mut agent = Box::new(Agent::new(handset, behaviour)?);
        agent.enroll(&ticket).await?;
        Ok((page, Device::Agent(agent)))
    }

    async fn enroll_certificate(&self, owner: &Owner, start: Url) -> Result<(Page, Device)> {
        let no_port = || Error::Misuse("nothing says where the port for devices is; say it with --device-url".to_owned());
        let identity = self.options.identity_address().ok_or_else(no_port)?;
        let got = download(owner, start, FileForm::Legacy).await?;
        let device = CertificateDevice::install(&got.file, &got.password, &self.options.device_trust())?;
        Ok((got.page, Device::Certificate { device, identity, state: State::New }))
    }

    async fn enroll_launcher(&self, owner: &Owner, start: Url, handset: Handset) -> Result<(Page, Device)> {
        let (page, code) = fetch_code(owner, start).await?;
        let known = LauncherOptions::new(handset.serial, self.options.passcode);
        let options = LauncherOptions {
            model: handset.model.to_owned(),
            android_version: handset.android_version.to_owned(),
            trust: self.options.trust.clone(),
            ..known
        };
        let mut launcher = Box::new(Launcher::provision(&code, options).await?);
        launcher.enroll().await?;
        Ok((page, Device::Launcher(launcher)))
    }

    /// Asks and obeys until the device is gone or everything stops.
    async fn stay(&self, device: &mut Device) -> Result<()> {
        let mut stopped = self.stopped.clone();
        while device.state() == State::Enrolled && !*stopped.borrow() {
            let waited = tokio::select! {
                waited = device.wait(self.options.wait) => waited,
                _ = stopped.wait_for(|stop| *stop) => return Ok(()),
            };
            match waited {
                // A device that stays has no signal now and then; it comes back.
                Err(Error::Network { .. }) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes into the report what has become of the device.
    fn take(&self, report: &mut Report, device: &Device) {
        let chosen = self.options.passcode;
        report.state = device.state();
        report.passcode = if device.has_passcode(chosen) { chosen.word() } else { "other" };
        report.commands = device.journal().to_vec();
    }
}
