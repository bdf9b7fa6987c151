//! `enlist init`: the database, the CA and the first administrator.

use std::{io::BufRead, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Args;

use super::assemble;
use crate::{
    config::Config,
    domain::time::SystemClock,
    service::{settings::check_organization, setup::Initialized},
};

/// What `enlist init` is told.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Name of the organization, as people will read it
    #[arg(long)]
    organization: String,
    /// Mail address of the first administrator
    #[arg(long)]
    admin: String,
    /// Read the administrator's password from standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// Sets the server up, once.
///
/// # Errors
/// A value is not usable, or the database does not answer.
pub fn run(config: &Config, arguments: InitArguments) -> anyhow::Result<ExitCode> {
    check_organization(&arguments.organization)?;
    let mut password = String::new();
    std::io::stdin().lock().read_line(&mut password).context("the password could not be read from standard input")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    let app = assemble::app_of(config, Arc::new(SystemClock), &arguments.organization)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(app.initialize(super::shell_user(), arguments.organization, &arguments.admin, password))? {
        Initialized::Created => println!("{} is the first administrator. Start the server with: enlist serve", arguments.admin),
        Initialized::Already => println!("There is an administrator already; nothing was changed."),
    }
    Ok(ExitCode::SUCCESS)
}
