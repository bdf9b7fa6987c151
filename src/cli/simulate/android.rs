//! `enlist simulate android`: the arguments.

use std::path::PathBuf;

use clap::Args;

use crate::simulator::{
    Passcode,
    android::{AndroidOptions, Backend, Mode},
};

/// How the devices behave.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct AndroidArguments {
    /// The server's address
    #[arg(long)]
    portal: String,
    /// The person's mail address; {n} is replaced by the number of the device
    #[arg(long)]
    email: String,
    /// The folder where the server writes its mail
    #[arg(long)]
    outbox: PathBuf,
    /// What manages the devices: agent, certificate or headwind
    #[arg(long, default_value = "agent", value_parser = |text: &str| text.parse::<Backend>())]
    backend: Backend,
    /// How many devices
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// none, weak or strong
    #[arg(long, default_value = "strong", value_parser = |text: &str| text.parse::<Passcode>())]
    passcode: Passcode,
    /// company or personal, where the portal asks; devices with the Headwind launcher are the company's
    #[arg(long)]
    ownership: Option<String>,
    /// What the agent is: `device_owner` or `profile_owner` [default: `device_owner` with --ownership company]
    #[arg(long, value_parser = |text: &str| text.parse::<Mode>())]
    mode: Option<Mode>,
    /// Look rooted, which only the agent reports
    #[arg(long)]
    rooted: bool,
    /// Put commands for the screen off, once (agent)
    #[arg(long)]
    not_now: bool,
    /// Keep asking and obey commands until wiped, removed or interrupted
    #[arg(long)]
    stay: bool,
    /// Where the port for devices is, if it is not where the server says (agent) or at port 8444 of the portal's host (certificate)
    // The servers' option of this name is known to every command; here it is this one.
    #[arg(id = "device-url", long)]
    device_url: Option<String>,
    /// Seconds that each poll of the agent waits for a command, 0 to 60
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=60))]
    wait: u32,
    /// Certificate in PEM that the server's TLS certificate must come from
    #[arg(long, conflicts_with = "insecure")]
    ca_file: Option<PathBuf>,
    /// Take any TLS certificate. A portal at http:// implies it for the port for devices
    #[arg(long)]
    insecure: bool,
    /// Devices that enroll at the same time
    #[arg(long)]
    concurrency: Option<usize>,
    /// The same name brings back the same devices
    #[arg(long)]
    fleet: Option<String>,
}

/// Reads the arguments.
///
/// # Errors
/// One of them is not usable.
pub fn options(arguments: AndroidArguments) -> anyhow::Result<AndroidOptions> {
    let portal = super::address("--portal", &arguments.portal)?;
    let mut options = AndroidOptions::new(portal, arguments.email, arguments.outbox);
    options.backend = arguments.backend;
    options.count = arguments.count;
    options.passcode = arguments.passcode;
    options.ownership = arguments.ownership;
    options.mode = arguments.mode;
    options.rooted = arguments.rooted;
    options.not_now = arguments.not_now;
    options.stay = arguments.stay;
    options.device_url = arguments.device_url.as_deref().map(|url| super::address("--device-url", url)).transpose()?;
    options.wait = arguments.wait;
    options.trust = super::trust(arguments.ca_file, arguments.insecure);
    options.concurrency = arguments.concurrency.unwrap_or(options.concurrency);
    options.fleet = arguments.fleet.unwrap_or(options.fleet);
    Ok(options)
}
