//! This machine: space on its disk, other servers on the same file, and the way out for mail.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Finding, Site};
use crate::{config::MailRoute, store::DatabaseUrl};

/// Bytes that must be free.
const FREE_BYTES: u64 = 500 * 1024 * 1024;
/// Part of the whole that must be free, in hundredths.
const FREE_PERCENT: u64 = 10;

/// Space where the data is.
pub(super) fn disk(site: &mut Site<'_>) -> Finding {
    let folder = match &site.config.database_url {
        DatabaseUrl::Sqlite(path) => folder_of(Path::new(path)),
        DatabaseUrl::Postgres(_) => site.config.data_dir.clone(),
    };
    let shown = folder.display();
    match rustix::fs::statvfs(&folder) {
        Ok(space) => {
            judge_space(&shown.to_string(), space.f_bavail.saturating_mul(space.f_frsize), space.f_blocks.saturating_mul(space.f_frsize))
        }
        Err(error) => Finding::wrong(format!("the folder {shown} cannot be looked at: {error}"), "correct data-dir or database-url"),
    }
}

fn judge_space(folder: &str, free: u64, whole: u64) -> Finding {
    let megabytes = free / 1024 / 1024;
    let is_little = free < FREE_BYTES || u128::from(free) * 100 < u128::from(whole) * u128::from(FREE_PERCENT);
    if is_little {
        Finding::wrong(
            format!("only {megabytes} MB are free where {folder} is"),
            "make room: without space the server can write nothing, and says so to everybody",
        )
    } else {
        Finding::ok(format!("{megabytes} MB are free where {folder} is"))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Servers of this machine that have the same SQLite file. The lock keeps a second one away, unless somebody has removed its file.
pub(super) fn instance(site: &mut Site<'_>) -> Finding {
    let DatabaseUrl::Sqlite(path) = &site.config.database_url else {
        return Finding::ok("PostgreSQL takes any number of servers");
    };
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(folder) = folder_of(Path::new(path)).canonicalize() else {
        return Finding::unknown("there is no data folder");
    };
    let servers = holders(&folder.join(format!("{name}-server")));
    match servers.len() {
        0 => Finding::note("no server runs on this database", "start it: enlist serve"),
        1 => Finding::ok("one server runs on this database"),
        _ => {
            let list = servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Finding::wrong(
                format!("{} servers run on this database at once (processes {list})", servers.len()),
                "stop all but one, or use PostgreSQL; and do not remove the file whose name ends in -server",
            )
        }
    }
}

/// The processes that hold this file open, also after its name was removed.
fn holders(lock: &Path) -> BTreeSet<u32> {
    let removed = format!("{} (deleted)", lock.display());
    let is_lock = |link: &Path| link == lock || link.to_string_lossy() == removed;
    let mut found = BTreeSet::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        if files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|link| is_lock(&link)) {
            found.insert(id);
        }
    }
    found
}

/// The way out for mail.
pub(super) fn mail(site: &mut Site<'_>) -> Finding {
    match &site.config.mail {
        MailRoute::Folder(folder) => folder_takes_mail(folder),
        MailRoute::Smtp(server) => {
            let shown = crate::config::options::mask_password(&server.url);
            match ask_mail_server(&site.config.mail) {
                Ok(()) => Finding::ok(format!("the mail server at {shown} takes mail")),
                Err(why) => Finding::wrong(
                    format!("the mail server at {shown} cannot be used: {why}"),
                    "correct name, port, user and password in smtp-url, and see that the firewall lets the connection out",
                ),
            }
        }
    }
}

/// Connects, encrypts and signs in as the server itself would, and sends nothing.
fn ask_mail_server(route: &MailRoute) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let mailer = crate::cli::assemble::mailer(route).map_err(|error| format!("{error:#}"))?;
    runtime.block_on(mailer.probe()).map_err(|error| error.to_string())
}

fn folder_takes_mail(folder: &Path) -> Finding {
    // The server makes the folder with the first mail.
    let there = folder.ancestors().find(|part| part.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let trial = there.join(format!(".doctor-{}", std::process::id()));
    match std::fs::write(&trial, b"").and_then(|()| std::fs::remove_file(&trial)) {
        Ok(()) => Finding::note(format!("mail goes into files in {}, and to nobody", folder.display()), "name a mail server as smtp-url"),
        Err(error) => Finding::wrong(
            format!("mail cannot be written into the folder {}: {error}", folder.display()),
            "correct the folder or its permissions, or name a mail server as smtp-url",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    #[test]
    fn little_space_is_wrong_by_either_measure() {
        const MEGABYTE: u64 = 1024 * 1024;
        for (free, whole, state) in [
            (600 * MEGABYTE, 1000 * MEGABYTE, State::Ok),
            (499 * MEGABYTE, 1000 * MEGABYTE, State::Wrong),
            (90_000 * MEGABYTE, 1_000_000 * MEGABYTE, State::Wrong),
            (0, 0, State::Wrong),
        ] {
            assert_eq!(judge_space("/data", free, whole).state, state, "{free} of {whole}");
        }
    }
}
