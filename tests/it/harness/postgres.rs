//! A PostgreSQL server of one's own: made for the tests, listening on a socket in a temporary folder, gone with the process.
//!
//! A shell stands between: it starts the server and stops it when its input ends, which the system sees to however this
//! process dies. Nothing is left behind, and no port is taken.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write as _},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

/// What to do where there is no PostgreSQL. Tests never skip it.
const MISSING: &str = "PostgreSQL is not installed, and the tests need it: run scripts/test, which installs it, \
                       or `apt-get install postgresql`, or name a server in ENLIST_TEST_POSTGRES=postgres://…";

/// How careful the server is with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing reaches the disk in time: faster, and enough where the server is not harmed.
    Fast,
    /// As in production.
    Full,
}

/// A running server.
pub struct Cluster {
    folder: PathBuf,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// Makes a server and waits until it answers.
    pub fn start(durability: Durability) -> Self {
        let folder = std::env::temp_dir().join(format!("enlist-pg-{}", uuid::Uuid::new_v4().simple()));
        let mut watchdog = shell(&start_script(&folder, durability))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let lifeline = watchdog.stdin.take();
        let mut said = BufReader::new(watchdog.stdout.take().expect("its output is piped"));
        let mut first = String::new();
        said.read_line(&mut first).expect("the shell says how it went");
        if first.trim() != "ready" {
            let mut rest = String::new();
            drop(said.read_to_string(&mut rest));
            panic!("PostgreSQL could not be started: {first}{rest}");
        }
        Self { folder, watchdog, lifeline }
    }

    /// The address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        // A path as host names the folder of the socket.
        format!("postgres://postgres@/{database}?host={}", self.folder.display())
    }

    /// Pulls the plug and starts the server again, as after a crash; comes back when it answers.
    pub fn restart_immediately(&self) {
        let folder = self.folder.display();
        let script = format!("'{}' -D {folder}/data -l {folder}/log -m immediate -w restart </dev/null >/dev/null 2>&1", pg_ctl());
        assert!(shell(&script).status().expect("a shell can be started").success(), "PostgreSQL could not be restarted");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            drop(lifeline.flush());
        }
        drop(self.watchdog.wait());
    }
}

/// A shell that runs this script as somebody whom PostgreSQL accepts: it refuses to run as root.
fn shell(script: &str) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh", "-c", script]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    // A group of its own: an interrupt at the keyboard must not end the shell before it has cleaned up.
    command.process_group(0).current_dir("/");
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id can be run");
    output.stdout.trim_ascii() == b"0"
}

/// The newest installed server's control program.
fn pg_ctl() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<(u32, PathBuf)> = std::env::split_paths(&path).map(|folder| (0, folder.join("pg_ctl"))).collect();
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        found.push((version, entry.path().join("bin/pg_ctl")));
    }
    found.retain(|(_, path)| path.is_file());
    let newest = found.into_iter().max_by_key(|(version, _)| *version).expect(MISSING);
    newest.1.display().to_string()
}

fn start_script(folder: &std::path::Path, durability: Durability) -> String {
    let (folder, pg_ctl) = (folder.display(), pg_ctl());
    let mut options = format!("-k {folder} -c listen_addresses= -c max_connections=300 -c autovacuum=off -c shared_buffers=32MB");
    if durability == Durability::Fast {
        write!(options, " -c fsync=off -c synchronous_commit=off -c full_page_writes=off").expect("a string takes everything");
    }
    format!(
        "trap '' INT TERM HUP PIPE
        umask 077; mkdir {folder} && cd {folder} || exit 1
        {{ '{pg_ctl}' -D {folder}/data -o '-A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync' initdb &&
          '{pg_ctl}' -D {folder}/data -l {folder}/log -o '{options}' -w -t 120 start
        }} </dev/null >{folder}/start 2>&1 && echo ready || {{ echo failed; cat {folder}/start {folder}/log; }}
        exec >/dev/null
        cat >/dev/null
        '{pg_ctl}' -D {folder}/data -m immediate -w stop </dev/null >/dev/null 2>&1
        cd /; rm -rf {folder}"
    )
}
