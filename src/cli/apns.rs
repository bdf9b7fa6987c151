//! `enlist apns`: the push certificate.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::Subcommand;

use super::{assemble, shell_user};
use crate::{
    config::Config,
    domain::time::SystemClock,
    service::{
        push_certificate::PushCertificateState,
        push_request::{Vendor, explain},
    },
};

/// What is to be done with the push certificate.
#[derive(Debug, Subcommand)]
pub enum ApnsCommand {
    /// Make a key, and print a request for a push certificate
    Request {
        /// Mail address of whoever looks after the certificate
        #[arg(long)]
        email: String,
        /// An MDM vendor certificate with its chain up to Apple's root, in PEM; the request is then signed with it
        #[arg(long, requires = "vendor_key")]
        vendor_certificate: Option<PathBuf>,
        /// The key of the vendor certificate, in PEM
        #[arg(long, requires = "vendor_certificate")]
        vendor_key: Option<PathBuf>,
    },
    /// Import the certificate that Apple's portal gave
    Import {
        /// The certificate in PEM
        file: PathBuf,
        /// Also where enrolled devices can no longer be woken then
        #[arg(long)]
        force: bool,
    },
    /// Show where the certificate stands, and how pushes fare
    Show,
}

/// Does it.
///
/// # Errors
/// A file or a value is not usable, or the database does not answer.
pub fn run(config: &Config, command: ApnsCommand) -> anyhow::Result<ExitCode> {
    let app = assemble::app(config, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        ApnsCommand::Request { email, vendor_certificate, vendor_key } => {
            let vendor = match (vendor_certificate, vendor_key) {
                (Some(certificate), Some(key)) => Some(Vendor { certificate: text_of(&certificate)?, key: text_of(&key)? }),
                _ => None,
            };
            let made = runtime.block_on(app.request_push_certificate(shell_user(), &email, vendor))?;
            // The request alone goes to standard output, so that it can be written into a file.
            println!("{}", made.text.trim_end());
            eprintln!("{} Then: enlist apns import FILE", explain(made.is_signed));
        }
        ApnsCommand::Import { file, force } => {
            let pem = text_of(&file)?;
            print(&runtime.block_on(app.import_push_certificate(shell_user(), &pem, force))?);
        }
        ApnsCommand::Show => print(&runtime.block_on(app.push_certificate())?),
    }
    Ok(ExitCode::SUCCESS)
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read as text", path.display()))
}

fn print(state: &PushCertificateState) {
    let line = |name: &str, value: Option<String>| println!("{name:<20} {}", value.unwrap_or_else(|| "-".into()));
    line("topic", state.topic.clone());
    line("expires", state.expires_at.map(|at| format!("{at} ({} days left)", state.days_left.unwrap_or_default())));
    line("imported", state.imported_at.map(|at| format!("{at} by {}", state.imported_by.as_deref().unwrap_or("-"))));
    line("last request", state.requested_at.map(|at| at.to_string()));
    line("last delivered push", state.health.last_delivered_at.map(|at| at.to_string()));
    line("last push error", state.health.last_error.as_ref().map(|trouble| format!("{} at {}", trouble.why, trouble.at)));
    if state.devices_with_other_topic > 0 {
        line("out of reach", Some(format!("{} device(s), enrolled with another topic", state.devices_with_other_topic)));
    }
    if let Some(warning) = &state.warning {
        println!("{warning}");
    }
}
