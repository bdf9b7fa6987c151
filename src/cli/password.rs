//! `enlist password`: a new password for somebody with a role, given by whoever has a shell on the server. It is the way in that
//! is always open.

use std::{io::BufRead, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Args;

use super::{assemble, shell_user};
use crate::{
    config::Config,
    domain::{
        time::SystemClock,
        user::{Role, normalize_address},
    },
    service::{Error, users::UserChange},
    store::users,
};

/// What `enlist password` is told.
#[derive(Debug, Args)]
pub struct PasswordArguments {
    /// Mail address of the administrator, helpdesk or auditor
    #[arg(long)]
    email: String,
    /// Read the new password from standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// Gives somebody a new password and ends their sessions.
///
/// # Errors
/// Nobody with a role has this address, or the password is not usable.
pub fn run(config: &Config, arguments: &PasswordArguments) -> anyhow::Result<ExitCode> {
    let mut password = String::new();
    std::io::stdin().lock().read_line(&mut password).context("the password could not be read from standard input")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    let email = normalize_address(&arguments.email).map_err(|why| Error::invalid("email", why))?;
    let app = assemble::app(config, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let wanted = email.clone();
        let user = app.read(move |conn| users::find_by_email(conn, &wanted)).await?.filter(|user| user.role.is_some());
        let user = user.with_context(|| format!("nobody who may sign in to the console has the address {email}"))?;
        let change = UserChange { password: Some(password), must_change_password: Some(false), ..UserChange::default() };
        app.change_user(shell_user(), Role::Administrator, user.id, change).await?;
        println!("{email} has a new password; earlier sessions were ended.");
        Ok(ExitCode::SUCCESS)
    })
}
