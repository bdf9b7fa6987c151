//! Android devices, each written from the description of its protocol alone: `handset` is what one is made of, `portal` the walk of
//! its owner, `agent` one that is managed by Enlist's own agent and `order` how that takes a command; `certificate` one that only
//! has a certificate; `launcher`, `launcher_passcode` and `apk` one with the Headwind launcher. `device` is any of them, and
//! `fleet` many from the portal to the end.

pub mod agent;
pub mod apk;
pub mod certificate;
pub mod device;
pub mod fleet;
pub mod handset;
pub mod launcher;
pub mod launcher_passcode;
pub mod order;
pub mod portal;

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use reqwest::Url;

use crate::simulator::{Passcode, Result, Trust, report_line, until_signal};

/// Defines a choice of the command line by its words.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// The word of the command line and of the protocol.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> std::result::Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("{other:?} is not one of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

choice! {
    /// What manages the devices.
    pub enum Backend {
        /// Enlist's own agent.
        #[default]
        Agent = "agent",
        /// Nothing: they only have a certificate.
        Certificate = "certificate",
        /// The Headwind launcher.
        Headwind = "headwind",
    }
}

choice! {
    /// What the agent is on its device.
    pub enum Mode {
        /// It manages the whole device.
        DeviceOwner = "device_owner",
        /// It manages a work profile.
        #[default]
        ProfileOwner = "profile_owner",
    }
}

/// The port for devices, unless a server is told another.
const DEVICE_PORT: u16 = 8444;

/// What `enlist simulate android` plays.
#[derive(Debug, Clone)]
pub struct AndroidOptions {
    /// The portal's address.
    pub portal: Url,
    /// The owner's mail address; `{n}` in it becomes the device's number, from 1.
    pub email: String,
    /// The folder into which the server writes its mails.
    pub outbox: PathBuf,
    /// What manages the devices.
    pub backend: Backend,
    /// How many devices.
    pub count: usize,
    /// The passcode that every owner chose.
    pub passcode: Passcode,
    /// `personal` or `company`, where the portal asks; none leaves its choice. A device with the launcher is the company's.
    pub ownership: Option<String>,
    /// What the agent is; none follows from the ownership: the whole device where the company owns it.
    pub mode: Option<Mode>,
    /// The devices look rooted. Agents report it; nobody else does.
    pub rooted: bool,
    /// Agents put commands for the screen off once.
    pub not_now: bool,
    /// Keep asking and obeying until wiped, removed or stopped.
    pub stay: bool,
    /// Whom connections trust.
    pub trust: Trust,
    /// Where the port for devices is, where it is not where the server says; nothing says it to a device that only has a
    /// certificate, which takes it to be at the portal's host.
    pub device_url: Option<Url>,
    /// How long one poll of an agent waits for a command, in seconds.
    pub wait: u32,
    /// How long an owner waits for the code.
    pub mail_patience: Duration,
    /// Devices that enroll at the same time.
    pub concurrency: usize,
    /// The same name makes the same devices again.
    pub fleet: String,
}

impl AndroidOptions {
    /// One device that enrolls, does what it is told, and is done.
    #[must_use]
    pub fn new(portal: Url, email: impl Into<String>, outbox: impl Into<PathBuf>) -> Self {
        Self {
            fleet: uuid::Uuid::new_v4().to_string(),
            portal,
            email: email.into(),
            outbox: outbox.into(),
            backend: Backend::default(),
            count: 1,
            passcode: Passcode::Strong,
            ownership: None,
            mode: None,
            rooted: false,
            not_now: false,
            stay: false,
            trust: Trust::System,
            device_url: None,
            wait: 30,
            mail_patience: Duration::from_secs(30),
            concurrency: 16,
        }
    }

    /// What the agent is on these devices.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let of_company = self.ownership.as_deref() == Some("company");
        self.mode.unwrap_or(if of_company { Mode::DeviceOwner } else { Mode::ProfileOwner })
    }

    /// What the portal is answered where it asks whose the devices are.
    #[must_use]
    pub fn ownership(&self) -> Option<&str> {
        if self.backend == Backend::Headwind { Some("company") } else { self.ownership.as_deref() }
    }

    /// Whom connections to the port for devices trust. A portal without TLS vouches for nobody, so that nothing is left by which
    /// the port's own certificate could be judged.
    #[must_use]
    pub fn device_trust(&self) -> Trust {
        match &self.trust {
            Trust::System if self.portal.scheme() == "http" => Trust::Anybody,
            trust => trust.clone(),
        }
    }

    /// Where a certificate is shown, as far as nobody says it: the port for devices of a server that was not told another.
    #[must_use]
    pub fn identity_address(&self) -> Option<Url> {
        let base = match &self.device_url {
            Some(base) => base.clone(),
            None => Url::parse(&format!("https://{}:{DEVICE_PORT}", self.portal.host_str()?)).ok()?,
        };
        base.join("/android/v1/identity").ok()
    }
}

/// Plays the devices and prints one line of JSON for each on standard output whenever something that matters is over. SIGINT and
/// SIGTERM end it cleanly. What befell single devices is in the reports, of which the last one for each device is returned.
pub async fn run_android(options: AndroidOptions) -> Result<Vec<fleet::Report>> {
    let (stopped, watcher) = until_signal();
    let reports = fleet::run(options, stopped, Arc::new(report_line)).await;
    watcher.abort();
    reports
}
