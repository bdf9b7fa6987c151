//! The server as a process of its own on a core of its own, and what can be seen of it from outside.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::client::{Request, Target};

/// The program that is measured.
const PROGRAM: &str = env!("CARGO_BIN_EXE_enlist");
/// Ticks of the clock in which the system counts processor time: the same on every Linux.
const TICKS: u32 = 100;
/// How long a start may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Binds this process, and what it starts from now on, to one core.
///
/// # Errors
/// There is no `taskset`, or no such core.
pub fn stay_on(core: usize) -> anyhow::Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-a", "-c", "-p", &core.to_string(), &pid]).stdout(Stdio::null()).status();
    if !status.context("taskset is missing")?.success() {
        bail!("there is no core {core}: two are needed, one for the server and one for its load");
    }
    Ok(())
}

/// How the server is called, and on which database.
pub struct Installation {
    folder: PathBuf,
    database: Option<String>,
    port: u16,
    device_port: u16,
}

/// A running server.
pub struct Server {
    process: Child,
    /// From the start of the process until it was ready.
    pub started_in: Duration,
}

impl Installation {
    /// A new server in an empty folder, with an administrator; gives a token as well.
    ///
    /// # Errors
    /// The program says why.
    pub fn create(folder: &Path, database: Option<String>) -> anyhow::Result<(Self, String)> {
        // Both at once, so that they differ.
        let (one, two) = (std::net::TcpListener::bind("127.0.0.1:0")?, std::net::TcpListener::bind("127.0.0.1:0")?);
        let (port, device_port) = (one.local_addr()?.port(), two.local_addr()?.port());
        drop((one, two));
        let this = Self { folder: folder.to_owned(), database, port, device_port };
        let mut init = this.command(&["init", "--organization", "Load", "--admin", "admin@example.com", "--password-stdin"]);
        let mut init = init.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        init.stdin.take().context("its input is piped")?.write_all(b"correct horse battery staple\n")?;
        if !init.wait()?.success() {
            bail!("the database could not be set up");
        }
        let token = this.command(&["token", "create", "--name", "load", "--role", "administrator"]).output()?;
        if !token.status.success() {
            bail!("no token could be made: {}", String::from_utf8_lossy(&token.stderr));
        }
        Ok((this, String::from_utf8(token.stdout)?.trim().to_owned()))
    }

    /// Where it listens.
    #[must_use]
    pub const fn target(&self, connections: usize) -> Target {
        Target { port: self.port, connections }
    }

    /// The database, as it is configured.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.folder.join("enlist.db").display()))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--data-dir").arg(&self.folder).current_dir(&self.folder);
        command.env("ENLIST_LISTEN", format!("127.0.0.1:{}", self.port)).env("ENLIST_TLS", "off");
        command.env("ENLIST_DEVICE_LISTEN", format!("127.0.0.1:{}", self.device_port));
        // The gate believes proxies only.
        command.env("ENLIST_TRUSTED_PROXIES", "127.0.0.1");
        if let Some(url) = &self.database {
            command.env("ENLIST_DATABASE_URL", url);
        }
        command
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// It ends, or is not ready in time.
    pub async fn start(&self) -> anyhow::Result<Server> {
        let log = std::fs::File::create(self.folder.join("log"))?;
        let began = Instant::now();
        let mut process = self.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn()?;
        let ready = Request::new("GET", "/readyz", &[], b"");
        while self.target(1).ask(&ready).await.is_err() {
            if let Some(status) = process.try_wait()? {
                bail!("the server ended with {status}: {}", std::fs::read_to_string(self.folder.join("log"))?);
            }
            if began.elapsed() > PATIENCE {
                drop(process.kill());
                bail!("the server is not ready after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Server { process, started_in: began.elapsed() })
    }
}

impl Server {
    /// Its number among the processes.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Processor time that it has used so far.
    ///
    /// # Errors
    /// It is gone.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(self.pid()).context("the server is gone")
    }

    /// The most memory that it has had at any time, in kilobytes.
    ///
    /// # Errors
    /// It is gone.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the system does not say how much memory")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// It ends in bad order.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { bail!("the server ended with {status}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only where a run was given up; after `stop` there is nothing to end.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Processor time of one process, all of its threads together.
fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()?.checked_add(fields.next()?.parse::<u32>().ok()?)?;
    Some(Duration::from_secs(ticks.into()) / TICKS)
}

/// Processor time of every process of this name that is alive and bound to the core of the server.
#[must_use]
pub fn processor_time_of_all(name: &str) -> Duration {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let read = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let ours = pids.filter(|pid| read(*pid, "comm").trim() == name && read(*pid, "status").contains("Cpus_allowed_list:\t0\n"));
    ours.filter_map(processor_time).sum()
}
