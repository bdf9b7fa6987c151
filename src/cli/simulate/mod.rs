//! `enlist simulate`: plays devices against a running server.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::simulator::{
    IosOptions, Passcode, State, Trust,
    android::run_android,
    browser::{BrowserOptions, run_browsers},
    run_ios,
};

mod android;

/// Which devices.
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// iPhones and iPads
    Ios(Box<IosArguments>),
    /// Android phones and tablets
    Android(Box<android::AndroidArguments>),
    /// Browsers that are enrolled by a code and know themselves again by a cookie
    Browser(Box<BrowserArguments>),
}

/// How the browsers behave.
#[derive(Debug, Args)]
pub struct BrowserArguments {
    /// The server's address
    #[arg(long)]
    portal: String,
    /// The person's mail address; {n} is replaced by the number of the browser
    #[arg(long)]
    email: String,
    /// The folder where the server writes its mail
    #[arg(long)]
    outbox: PathBuf,
    /// How many browsers
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Drop all cookies before each visit, as a private window does
    #[arg(long)]
    forget: bool,
    /// An address to open once enrolled, such as a protected link; the button of a file is pressed; may be given several times
    #[arg(long)]
    visit: Vec<String>,
    /// How often those addresses are opened
    #[arg(long, default_value_t = 1)]
    times: usize,
    /// Certificate in PEM that the server's TLS certificate must come from
    #[arg(long, conflicts_with = "insecure")]
    ca_file: Option<PathBuf>,
    /// Take any TLS certificate
    #[arg(long)]
    insecure: bool,
    /// Seconds for which the code is awaited
    #[arg(long, default_value_t = 30)]
    mail_seconds: u64,
}

/// How the devices behave.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct IosArguments {
    /// The server's address
    #[arg(long)]
    portal: String,
    /// The person's mail address; {n} is replaced by the number of the device
    #[arg(long)]
    email: String,
    /// The folder where the server writes its mail
    #[arg(long)]
    outbox: PathBuf,
    /// How many devices
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// none, weak or strong
    #[arg(long, default_value = "strong", value_parser = |text: &str| text.parse::<Passcode>())]
    passcode: Passcode,
    /// company or personal, where the portal asks
    #[arg(long)]
    ownership: Option<String>,
    /// Keep polling and obey commands until wiped, removed or interrupted
    #[arg(long)]
    stay: bool,
    /// Put off what a locked device may put off, once
    #[arg(long)]
    not_now: bool,
    /// Lose some answers of the server, and repeat what was said
    #[arg(long)]
    lose_answers: bool,
    /// Enroll a second time afterwards
    #[arg(long)]
    re_enroll: bool,
    /// Renew the certificate after the enrollment
    #[arg(long)]
    renew: bool,
    /// Speak binary property lists
    #[arg(long)]
    binary_plist: bool,
    /// Certificate in PEM that the server's TLS certificate must come from
    #[arg(long, conflicts_with = "insecure")]
    ca_file: Option<PathBuf>,
    /// Take any TLS certificate
    #[arg(long)]
    insecure: bool,
    /// Polls before the end
    #[arg(long)]
    polls: Option<u32>,
    /// Seconds between polls
    #[arg(long, default_value_t = 2.0)]
    poll_seconds: f64,
    /// Devices at the same time
    #[arg(long)]
    concurrency: Option<usize>,
    /// The same name brings back the same devices
    #[arg(long)]
    fleet: Option<String>,
}

/// Plays.
///
/// # Errors
/// The arguments are not usable.
pub fn run(command: SimulateCommand) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let has_failed = match command {
        SimulateCommand::Ios(arguments) => {
            let reports = runtime.block_on(run_ios(options(*arguments)?))?;
            reports.iter().any(|report| report.state == State::Failed)
        }
        SimulateCommand::Android(arguments) => {
            let reports = runtime.block_on(run_android(android::options(*arguments)?))?;
            reports.iter().any(|report| report.state == State::Failed)
        }
        SimulateCommand::Browser(arguments) => {
            let reports = runtime.block_on(run_browsers(browser_options(*arguments)?))?;
            reports.iter().any(|report| report.error.is_some())
        }
    };
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn address(option: &str, text: &str) -> anyhow::Result<reqwest::Url> {
    text.parse().with_context(|| format!("{option}: {text} is not an address"))
}

fn trust(ca_file: Option<PathBuf>, is_insecure: bool) -> Trust {
    match ca_file {
        Some(path) => Trust::File(path),
        None if is_insecure => Trust::Anybody,
        None => Trust::System,
    }
}

fn browser_options(arguments: BrowserArguments) -> anyhow::Result<BrowserOptions> {
    Ok(BrowserOptions {
        portal: address("--portal", &arguments.portal)?,
        email: arguments.email,
        outbox: arguments.outbox,
        count: arguments.count,
        forgets: arguments.forget,
        visits: arguments.visit.iter().map(|text| address("--visit", text)).collect::<anyhow::Result<_>>()?,
        times: arguments.times,
        trust: trust(arguments.ca_file, arguments.insecure),
        mail_patience: Duration::from_secs(arguments.mail_seconds),
    })
}

fn options(arguments: IosArguments) -> anyhow::Result<IosOptions> {
    let portal = address("--portal", &arguments.portal)?;
    let mut options = IosOptions::new(portal, arguments.email, arguments.outbox);
    options.count = arguments.count;
    options.passcode = arguments.passcode;
    options.ownership = arguments.ownership;
    options.stay = arguments.stay;
    options.not_now = arguments.not_now;
    options.lose_answers = arguments.lose_answers;
    options.re_enroll = arguments.re_enroll;
    options.renew = arguments.renew;
    options.binary_plist = arguments.binary_plist;
    options.trust = trust(arguments.ca_file, arguments.insecure);
    options.polls = arguments.polls;
    options.poll_every = Duration::try_from_secs_f64(arguments.poll_seconds).context("--poll-seconds")?;
    options.concurrency = arguments.concurrency.unwrap_or(options.concurrency);
    options.fleet = arguments.fleet.unwrap_or(options.fleet);
    Ok(options)
}
