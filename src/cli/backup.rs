//! `enlist backup` and `enlist restore`: everything that cannot be rebuilt, in one file that opens with a passphrase.

use std::{
    io::BufRead,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;

use super::{assemble, serve::lock_database, shell_user};
use crate::{
    config::Config,
    domain::time::{Clock, SystemClock},
    service::{
        backup::{self, BackupError, BackupOrder},
        restore::{self, RestoreOrder},
    },
};

/// Fewest characters of a passphrase: whoever has the file may guess as long as they like.
const SHORTEST_PASSPHRASE: usize = 12;

/// Which file, and where its passphrase comes from.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct PassphraseArguments {
    /// Read the passphrase from the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from standard input
    #[arg(long)]
    passphrase_stdin: bool,
}

impl PassphraseArguments {
    fn read(&self) -> anyhow::Result<String> {
        let mut line = String::new();
        match &self.passphrase_file {
            Some(path) => {
                let file = std::fs::File::open(path).with_context(|| format!("--passphrase-file: {} cannot be read", path.display()))?;
                std::io::BufReader::new(file).read_line(&mut line)
            }
            None => std::io::stdin().lock().read_line(&mut line),
        }
        .context("the passphrase could not be read")?;
        let passphrase = line.trim_end_matches(['\r', '\n']).to_owned();
        if passphrase.chars().count() < SHORTEST_PASSPHRASE {
            anyhow::bail!("the passphrase must have at least {SHORTEST_PASSPHRASE} characters: the file holds every secret of the server");
        }
        Ok(passphrase)
    }
}

/// Makes a backup, while the server runs or not.
///
/// # Errors
/// The database, the key or the file cannot be used.
pub fn back_up(config: &Config, arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    let passphrase = arguments.passphrase.read()?;
    let made = backup::make(&BackupOrder {
        database: &config.database_url,
        key_file: &config.secret_key_file,
        file: &arguments.file,
        passphrase: &passphrase,
    })
    .context("no backup was made")?;
    println!(
        "{}: everything up to {}: {} user(s), {} device(s), {} rows of {} tables, and the secret key, in {} bytes",
        arguments.file.display(),
        made.made_at,
        made.users,
        made.devices,
        made.rows,
        made.tables,
        made.bytes
    );
    Ok(ExitCode::SUCCESS)
}

/// Restores a backup into an empty place.
///
/// # Errors
/// The file cannot be used, the place is not empty, or a server runs there.
pub fn restore(config: &Config, arguments: &BackupArguments) -> anyhow::Result<ExitCode> {
    let passphrase = arguments.passphrase.read()?;
    if !arguments.file.is_file() {
        anyhow::bail!("there is no file {}", arguments.file.display());
    }
    assemble::private_folders(config)?;
    let _lock = lock_database(config)?;
    if let Some(folder) = config.secret_key_file.parent().filter(|folder| *folder != Path::new("")) {
        std::fs::create_dir_all(folder).with_context(|| format!("secret-key-file: the folder {} cannot be made", folder.display()))?;
    }
    let restored = match restore::restore(&RestoreOrder {
        file: &arguments.file,
        passphrase: &passphrase,
        database: &config.database_url,
        key_file: &config.secret_key_file,
        actor: &shell_user(),
        now: SystemClock.now(),
    }) {
        Err(error @ BackupError::KeyLeft { .. }) => return Err(error.into()),
        other => other.context("nothing was restored")?,
    };
    println!("Restored: everything up to {}, {} rows, and the secret key.", restored.made_at, restored.rows);
    if restored.held > 0 {
        println!("{} device(s) have a wipe or a retirement that is held: approve or cancel each.", restored.held);
    }
    if restored.orders > 0 || restored.mails > 0 {
        println!("{} order(s) and {} mail(s) that waited were withdrawn.", restored.orders, restored.mails);
    }
    println!(
        "What happened since then is not known here: devices that enrolled or renewed must enroll again, and tokens and certificates \
         that were revoked are valid again until they are revoked once more. Users who were disabled, removed, or lost their role since are \
         back as they were: look at who may sign in."
    );
    Ok(ExitCode::SUCCESS)
}
