//! A load of devices against a real server, each on a core of its own: how many requests it answers, how fast, and at what cost.
//!
//! It is a benchmark and no test: it judges nothing. `scripts/bench` runs it.

mod agents;
mod api;
mod client;
mod figures;
mod fleet;
#[path = "../../tests/it/harness/postgres.rs"]
#[allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "shared with the tests"
)]
mod postgres;
mod scenario;
mod server;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use figures::Run;
use postgres::{Cluster, Durability};
use scenario::{Size, Stage};
use server::Installation;

/// The core of the server, and of PostgreSQL where there is one.
const SERVER_CORE: usize = 0;
/// The core of the devices.
const LOAD_CORE: usize = 1;

/// What is measured.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many devices
    #[arg(long, default_value_t = 2000)]
    devices: usize,
    /// How many times each polls with nothing to do
    #[arg(long, default_value_t = 20)]
    polls: usize,
    /// How many commands of each kind each device gets
    #[arg(long, default_value_t = 3)]
    commands: usize,
    /// How many connections are open at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many times everything is done, each time on a new database
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only this database: sqlite or postgres
    #[arg(long)]
    only: Option<String>,
    /// The document that gets the table
    #[arg(long)]
    write: Option<PathBuf>,
    /// What the machine and the programs are, in a line
    #[arg(long, default_value = "")]
    conditions: String,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut runs = Vec::new();
    // The databases take turns, so that a disturbance hits both.
    for number in 1..=arguments.runs {
        for (word, name) in [("sqlite", "SQLite"), ("postgres", "PostgreSQL")] {
            if arguments.only.as_deref().is_none_or(|only| only == word) {
                println!("\nRun {number} of {} on {name}", arguments.runs);
                runs.push(run(&runtime, name, &arguments)?);
            }
        }
    }
    let table = figures::table(&runs, &arguments.conditions)?;
    println!("\n{table}");
    if let Some(path) = &arguments.write {
        let document = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        std::fs::write(path, figures::put(&document, &table)?)?;
    }
    Ok(())
}

fn run(runtime: &tokio::runtime::Runtime, database: &'static str, arguments: &Arguments) -> anyhow::Result<Run> {
    let folder = std::env::temp_dir().join(format!("enlist-load-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&folder)?;
    server::stay_on(SERVER_CORE)?;
    let cluster = (database == "PostgreSQL").then(|| Cluster::start(Durability::Full));
    let url = cluster.as_ref().map(|cluster| cluster.url("postgres"));
    let measured = Installation::create(&folder, url)
        .and_then(|(installation, token)| runtime.block_on(measure(&installation, &token, database, arguments)));
    drop(cluster);
    if measured.is_ok() {
        std::fs::remove_dir_all(&folder)?;
    } else {
        eprintln!("What the server said is in {}", folder.join("log").display());
    }
    measured
}

async fn measure(installation: &Installation, token: &str, database: &'static str, arguments: &Arguments) -> anyhow::Result<Run> {
    let server = installation.start().await?;
    server::stay_on(LOAD_CORE)?;
    let size = Size { devices: arguments.devices, polls: arguments.polls, commands: arguments.commands };
    let mut stage = Stage {
        server: &server,
        target: installation.target(arguments.connections),
        database: installation.database_url(),
        size,
        phases: Vec::new(),
    };
    stage.play(token).await?;
    let phases = stage.phases;
    server.stop()?;
    server::stay_on(SERVER_CORE)?;
    let server = installation.start().await?;
    let start = server.started_in.as_secs_f64() * 1e3;
    server.stop()?;
    println!("{:<44} {start:>7.0} ms", "start-up");
    Ok(Run { database, phases, start })
}
