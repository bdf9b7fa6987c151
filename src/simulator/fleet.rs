//! Many devices at once: each comes to the portal, enrolls, lives and ends by itself.

use std::sync::Arc;

use openssl::x509::X509;
use serde::Serialize;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::simulator::{
    IosOptions,
    error::{Error, Result, chain},
    iphone::{self, Phone, PhoneOptions, State, Step},
    keychain::Identity,
    mailbox::Mailbox,
    model::Model,
    ota,
    people::People,
    portal::Visit,
    profile::Profile,
    transport::{Browser, Wire},
};

/// Without `stay`: once for the policy, once more for what follows from it.
const DEFAULT_POLLS: u32 = 2;

/// One line about one device.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its number, from 1.
    pub device: usize,
    /// Its UDID.
    pub udid: String,
    /// Its serial number.
    pub serial: String,
    /// Its owner.
    pub email: String,
    /// What has become of it.
    pub state: State,
    /// Its passcode, by the word of the command line.
    pub passcode: &'static str,
    /// Whether the portal says that the enrollment is done; none where it was not asked.
    pub portal_done: Option<bool>,
    /// The commands of its present enrollment and how they were answered.
    pub commands: Vec<Step>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Is called with each report as it comes.
pub type Sink = Arc<dyn Fn(&Report) + Send + Sync>;

/// What the devices of a fleet share.
struct Fleet {
    options: IosOptions,
    wire: Wire,
    people: People,
    anchors: Vec<X509>,
    sink: Sink,
    stopped: watch::Receiver<bool>,
    seats: Semaphore,
}

/// Plays the devices until they are done or told to stop (`true` from `stopped`, or its sender dropped), and gives the last report of each, in order.
pub async fn run(options: IosOptions, stopped: watch::Receiver<bool>, sink: Sink) -> Result<Vec<Report>> {
    let wire = Wire::new(&options.trust)?;
    let anchors = iphone::anchors(&wire, &options.portal).await?;
    let seats = Semaphore::new(options.concurrency.max(1));
    let count = options.count;
    let people = People::new(Mailbox::new(&options.outbox, options.mail_patience), options.portal.clone());
    let fleet = Arc::new(Fleet { options, wire, people, anchors, sink, stopped, seats });
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
        let model = Model::numbered(&self.options.fleet, number);
        let mut report = Report {
            device: number + 1,
            udid: model.udid.clone(),
            serial: model.serial.clone(),
            email: self.options.email.replace("{n}", &(number + 1).to_string()),
            state: State::New,
            passcode: self.options.passcode.word(),
            portal_done: None,
            commands: Vec::new(),
            error: None,
        };
        if let Err(error) = self.play(&mut report, &model).await {
            report.state = State::Failed;
            report.error = Some(chain(&error));
            (self.sink)(&report);
        }
        report
    }

    async fn play(&self, report: &mut Report, model: &Model) -> Result<()> {
        let mut phone = Box::pin(self.enroll(report, model)).await?;
        take(report, &phone);
        if self.options.re_enroll {
            (self.sink)(report);
            phone = Box::pin(self.enroll(report, model)).await?;
        }
        if self.options.renew {
            phone.renew().await?;
        }
        if self.options.stay {
            self.poll(&mut phone).await?;
            take(report, &phone);
            (self.sink)(report);
        }
        let ended = self.stay(&mut phone).await;
        take(report, &phone);
        ended?;
        (self.sink)(report);
        Ok(())
    }

    /// From the portal to `TokenUpdate`.
    async fn enroll(&self, report: &mut Report, model: &Model) -> Result<Phone> {
        let turn = self.people.turn(&report.email);
        let _turn = turn.lock().await;
        let _seat = self.seat().await?;
        let browser = Browser::new(&self.options.trust, &model.user_agent())?;
        let owner = self.people.owner(browser, &report.email, self.options.ownership.clone(), None);
        let visit = owner.fetch_profile(self.people.start(&report.email)).await?;
        let mut phone = self.install(&visit, model).await?;
        phone.enroll().await?;
        report.portal_done = Some(owner.sees_done(&visit.page).await?);
        Ok(phone)
    }

    async fn install(&self, visit: &Visit, model: &Model) -> Result<Phone> {
        let options = &self.options;
        let behaviour = PhoneOptions {
            trust: options.trust.clone(),
            anchors: self.anchors.clone(),
            passcode: options.passcode,
            binary_plist: options.binary_plist,
            lose_answers: options.lose_answers,
            not_now: options.not_now,
            acknowledges_removal: false,
        };
        let Some(service) = Profile::read(&visit.profile, &self.anchors)?.service()? else {
            return Phone::new(&visit.profile, model.clone(), behaviour);
        };
        let built_in = Identity::stranger(&model.udid)?;
        let (profile, identity) = ota::play(&self.wire, &service, model, &built_in, &self.anchors).await?;
        let mut phone = Phone::new(&profile, model.clone(), behaviour)?;
        if phone.scep_payload().is_none() {
            phone.set_identity(identity);
        }
        Ok(phone)
    }

    /// Polls until the device is gone, its polls are used up, or everything stops.
    async fn stay(&self, phone: &mut Phone) -> Result<()> {
        let limit = self.options.polls.or_else(|| (!self.options.stay).then_some(DEFAULT_POLLS));
        let mut polls = 0_u32;
        let mut stopped = self.stopped.clone();
        while phone.state() == State::Enrolled && limit.is_none_or(|limit| polls < limit) && !*stopped.borrow() {
            if polls > 0 || self.options.stay {
                tokio::select! {
                    () = tokio::time::sleep(self.options.poll_every) => {}
                    _ = stopped.wait_for(|stop| *stop) => break,
                }
            }
            match self.poll(phone).await {
                // A phone that stays has no signal now and then; it comes back.
                Err(Error::Network { .. }) if self.options.stay => {}
                other => other?,
            }
            polls = polls.saturating_add(1);
        }
        Ok(())
    }

    async fn poll(&self, phone: &mut Phone) -> Result<()> {
        let _seat = self.seat().await?;
        if phone.identity().map(Identity::is_due_for_renewal).transpose()? == Some(true) && phone.scep_payload().is_some() {
            phone.renew().await?;
        }
        phone.poll().await.map(drop)
    }

    async fn seat(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.seats.acquire().await.map_err(|_| Error::Misuse("the fleet is closed".to_owned()))
    }
}

/// Writes into the report what has become of the phone.
fn take(report: &mut Report, phone: &Phone) {
    report.state = phone.state();
    report.passcode = phone.device().passcode().word();
    report.commands = phone.journal().to_vec();
}
