//! A device in the hand of its owner, whatever manages it: asked how it stands, and let do what it is told.

use std::time::Duration;

use reqwest::Url;

use super::{
    agent::Agent,
    certificate::CertificateDevice,
    handset::passcode_of,
    launcher::{Launcher, LauncherState},
    launcher_passcode::typed,
};
use crate::simulator::{
    error::Result,
    message::{State, Step},
    passcode::Passcode,
};

/// A device that nobody wakes asks so often.
const PAUSE: Duration = Duration::from_secs(1);

/// A device.
pub enum Device {
    /// With Enlist's own agent.
    Agent(Box<Agent>),
    /// With a certificate only.
    Certificate {
        /// The certificate and what it is shown with.
        device: CertificateDevice,
        /// Where it is shown.
        identity: Url,
        /// Whether it was good the last time.
        state: State,
    },
    /// With the Headwind launcher.
    Launcher(Box<Launcher>),
}

impl Device {
    /// What has become of it.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Agent(agent) => agent.state(),
            Self::Certificate { state, .. } => *state,
            Self::Launcher(launcher) => launcher.state().into(),
        }
    }

    /// Whether its passcode is still the one that this word stands for.
    #[must_use]
    pub fn has_passcode(&self, chosen: Passcode) -> bool {
        match self {
            Self::Agent(agent) => agent.passcode().map(str::to_owned) == passcode_of(chosen),
            // Nobody can replace it.
            Self::Certificate { .. } => true,
            // What was reset has none, and that is not what its owner chose.
            Self::Launcher(launcher) => launcher.state() == LauncherState::Reset || launcher.passcode().map(str::to_owned) == typed(chosen),
        }
    }

    /// The commands so far and how they were answered.
    #[must_use]
    pub fn journal(&self) -> &[Step] {
        match self {
            Self::Agent(agent) => agent.journal(),
            Self::Certificate { .. } => &[],
            Self::Launcher(launcher) => launcher.journal(),
        }
    }

    /// Asks what there is to do, and does it.
    pub async fn ask(&mut self) -> Result<()> {
        match self {
            Self::Agent(agent) => agent.poll(0).await.map(drop),
            Self::Certificate { device, identity, state } => {
                *state = if device.is_known(identity.clone()).await? { State::Enrolled } else { State::Removed };
                Ok(())
            }
            Self::Launcher(launcher) => launcher.fetch().await,
        }
    }

    /// Waits for something to do, and does it. How long is for the agent to say, in seconds; the launcher is told by the server.
    pub async fn wait(&mut self, seconds: u32) -> Result<()> {
        match self {
            Self::Agent(agent) => agent.poll(seconds).await.map(drop),
            Self::Certificate { .. } => {
                tokio::time::sleep(PAUSE).await;
                self.ask().await
            }
            Self::Launcher(launcher) => {
                let began = tokio::time::Instant::now();
                if !launcher.poll().await? {
                    // A server that lets nobody wait is not asked without end.
                    tokio::time::sleep_until(began + PAUSE).await;
                }
                Ok(())
            }
        }
    }
}
