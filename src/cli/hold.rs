//! `enlist hold-destructive`: stops every wipe from whoever has a shell on the server, whatever has become of the console.

use std::{process::ExitCode, sync::Arc};

use clap::Args;

use super::{assemble, shell_user};
use crate::{config::Config, domain::time::SystemClock};

/// What `enlist hold-destructive` is told.
#[derive(Debug, Args)]
pub struct HoldArguments {
    /// Why; it stands in the audit log and in the console
    #[arg(long, default_value = "")]
    reason: String,
    /// Let what was held go to its devices
    #[arg(long, conflicts_with = "reason")]
    release: bool,
}

/// Holds every wipe and retirement, or releases them.
///
/// # Errors
/// They are held already, or not held.
pub fn run(config: &Config, arguments: &HoldArguments) -> anyhow::Result<ExitCode> {
    let app = assemble::app(config, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if arguments.release {
            let waiting = app.release_destructive(shell_user()).await?;
            println!("Wipes and retirements go to their devices again; {waiting} device(s) have one waiting.");
        } else {
            app.hold_destructive(shell_user(), &arguments.reason).await?;
            let waiting = app.hold_state().await?.waiting;
            println!("No wipe and no retirement is handed to a device until `enlist hold-destructive --release`.");
            println!("{waiting} device(s) have one waiting, or were given it before and have not confirmed it.");
        }
        Ok(ExitCode::SUCCESS)
    })
}
