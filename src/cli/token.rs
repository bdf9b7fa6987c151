//! `enlist token`: API tokens.

use std::{process::ExitCode, sync::Arc};

use clap::Subcommand;

use super::{assemble, shell_user};
use crate::{
    config::Config,
    domain::{time::SystemClock, user::Role},
};

/// What is to be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it; it is shown this once
    Create {
        /// What the token is for
        #[arg(long)]
        name: String,
        /// administrator, helpdesk or auditor
        #[arg(long, value_parser = |text: &str| text.parse::<Role>())]
        role: Role,
    },
    /// Take back every token of a name
    Revoke {
        /// The name
        #[arg(long)]
        name: String,
    },
    /// List the tokens
    List,
}

/// Does it.
///
/// # Errors
/// A value is not usable, or the database does not answer.
pub fn run(config: &Config, command: TokenCommand) -> anyhow::Result<ExitCode> {
    let app = assemble::app(config, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        TokenCommand::Create { name, role } => println!("{}", runtime.block_on(app.create_token(shell_user(), name, role))?),
        TokenCommand::Revoke { name } => println!("{} token(s) taken back.", runtime.block_on(app.revoke_tokens(shell_user(), name))?),
        TokenCommand::List => {
            for token in runtime.block_on(app.read(crate::store::tokens::list))? {
                let state = if token.revoked_at.is_some() { "revoked" } else { "valid" };
                let maker = token.created_by.as_deref().unwrap_or("not known");
                println!("{:<30} {:<14} {:<8} {} {maker}", token.name, token.role, state, token.created_at);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
