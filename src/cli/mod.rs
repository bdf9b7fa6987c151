//! The command line: reads the call, runs it, and says in one line what went wrong.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

pub mod apns;
pub mod assemble;
pub mod backup;
pub mod doctor;
mod hold;
pub mod init;
pub mod logging;
pub mod notify;
pub mod password;
pub mod serve;
pub mod simulate;
pub mod tls;
pub mod token;

use crate::{
    config::{
        Config,
        options::{OPTIONS, Values, variable},
    },
    domain::audit::{Actor, ActorKind},
};

/// Self-hosted mobile enrollment: phones enroll by mail, are held to a passcode policy, and can be wiped.
#[derive(Debug, Parser)]
#[command(name = "enlist", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve,
    /// Create the database, the CA and the first administrator
    Init(init::InitArguments),
    /// Give an administrator a new password, whatever else does not work
    Password(password::PasswordArguments),
    /// Stop every wipe and retirement at once, or let them go on
    HoldDestructive(hold::HoldArguments),
    /// Make or take back API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Ask for, import and show Apple's push certificate
    #[command(subcommand)]
    Apns(apns::ApnsCommand),
    /// Show the configuration that is in force and where each value comes from
    Config,
    /// Play devices against a running server
    #[command(subcommand)]
    Simulate(simulate::SimulateCommand),
    /// Print the description of the API
    Openapi,
    /// Copy everything that cannot be rebuilt into a file, while the server runs
    Backup(backup::BackupArguments),
    /// Bring a backup back into an empty place
    Restore(backup::BackupArguments),
    /// Check the installation: one line for each part, and a remedy for what is wrong
    Doctor(doctor::DoctorArguments),
    /// Check that every line of the audit log is as it was written
    VerifyAudit,
}

/// Runs the command of the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let mut call = Cli::command();
    for option in OPTIONS {
        let help = format!("{} [env: {}]", option.help, variable(option.name));
        let mut argument =
            clap::Arg::new(option.name).long(option.name).global(true).value_name("VALUE").help(help).help_heading("Configuration");
        if let Some(default) = option.default.filter(|default| !default.is_empty()) {
            argument = argument.help(format!("{} [env: {}] [default: {default}]", option.help, variable(option.name)));
        }
        call = call.arg(argument);
    }
    let matches = call.get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match dispatch(cli.command, &matches) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("enlist: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if let Command::Simulate(simulate) = command {
        return simulate::run(simulate);
    }
    if let Command::Openapi = command {
        use utoipa::OpenApi;
        println!("{}", crate::http::api::openapi::Api::openapi().to_pretty_json()?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut values = Values::gather(|name| flag(matches, name), |name| std::env::var(name).ok())?;
    let config = Config::read(&mut values)?;
    match command {
        Command::Serve => serve::run(config),
        Command::Init(arguments) => init::run(&config, arguments),
        Command::Password(arguments) => password::run(&config, &arguments),
        Command::HoldDestructive(arguments) => hold::run(&config, &arguments),
        Command::Token(command) => token::run(&config, command),
        Command::Apns(command) => apns::run(&config, command),
        Command::Config => {
            print!("{}", values.describe());
            Ok(ExitCode::SUCCESS)
        }
        Command::Backup(arguments) => backup::back_up(&config, &arguments),
        Command::Restore(arguments) => backup::restore(&config, &arguments),
        Command::Doctor(arguments) => doctor::run(&config, &arguments),
        Command::VerifyAudit => verify_audit(&config),
        Command::Simulate(_) | Command::Openapi => Ok(ExitCode::SUCCESS),
    }
}

/// The value of a flag, wherever among the subcommands it was given.
fn flag(matches: &ArgMatches, name: &str) -> Option<String> {
    let here = matches.try_get_one::<String>(name).ok().flatten().cloned();
    here.or_else(|| matches.subcommand().and_then(|(_, inner)| flag(inner, name)))
}

fn verify_audit(config: &Config) -> anyhow::Result<ExitCode> {
    let found = crate::store::write_once(&config.database_url, |tx| crate::store::audit::verify(tx))?;
    match found.broken_at {
        None => {
            println!("The audit log is intact: {} line(s).", found.lines);
            Ok(ExitCode::SUCCESS)
        }
        Some(line) => anyhow::bail!("the audit log was changed: line {line} is not as it was written, or is missing"),
    }
}

/// The whole chain of causes in one line.
fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    text.replace('\n', " ")
}

/// Who acts when a command is given at the server's own shell.
fn shell_user() -> Actor {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "shell".into());
    Actor { kind: ActorKind::CommandLine, name }
}
