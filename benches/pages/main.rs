//! How fast the console's pages are with very many devices, on both databases: 95 of 100 requests, one after the other, on a core
//! that the server has for itself.
//!
//! It is a benchmark and no test: it judges nothing. `scripts/bench` runs it.

#[path = "../load/client.rs"]
#[allow(dead_code, reason = "shared with the other benchmark")]
mod client;
#[path = "../load/figures.rs"]
#[allow(dead_code, reason = "shared with the other benchmark")]
mod figures;
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
mod recount;
mod rollout;
mod seed;
#[path = "../load/server.rs"]
#[allow(dead_code, reason = "shared with the other benchmark")]
mod server;

use std::{
    fmt::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clap::Parser;
use enlist::{domain::id::DeviceId, store::DatabaseUrl};
use postgres::{Cluster, Durability};
use seed::Filled;
use server::Installation;

/// The core of the server, and of PostgreSQL where there is one.
const SERVER_CORE: usize = 0;
/// The core of the browser.
const LOAD_CORE: usize = 1;

/// What is measured.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many devices, one size after the other
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    devices: Vec<usize>,
    /// How many times each page is asked for
    #[arg(long, default_value_t = 60)]
    requests: usize,
    /// Only this database: sqlite or postgres
    #[arg(long)]
    only: Option<String>,
    /// The document that gets the table
    #[arg(long)]
    write: Option<PathBuf>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The pages, and what each is called in the table.
fn pages(device: DeviceId, cursor: DeviceId, filled: &Filled) -> Vec<(&'static str, String)> {
    let Filled { policy, group, .. } = filled;
    [
        ("overview", "/console/".into()),
        ("devices", "/console/devices".into()),
        ("devices, a page in the middle", format!("/console/devices?cursor={cursor}")),
        ("devices, system and status", "/console/devices?os=ios&status=noncompliant".into()),
        ("devices, ownership", "/console/devices?ownership=personal".into()),
        ("devices, text that one has", "/console/devices?q=person77".into()),
        ("devices, text that none has", "/console/devices?q=nobody-at-all".into()),
        ("devices, text that all have, and system", "/console/devices?q=iphone&os=ios".into()),
        ("one device", format!("/console/devices/{device}")),
        ("compliance report", "/console/report".into()),
        ("compliance report, filtered", "/console/report?os=ios&status=compliant".into()),
        ("compliance report, ownership", "/console/report?ownership=personal".into()),
        ("compliance report, group", format!("/console/report?group={group}")),
        ("compliance report, policy", format!("/console/report?policy={policy}")),
        ("compliance report, reason", "/console/report?reason=passcode_too_weak".into()),
        ("compliance report, not seen for 14 days", "/console/report?unseen_days=14".into()),
        ("compliance report, all of these", format!("/console/report?os=ios&status=noncompliant&group={group}&unseen_days=14")),
        ("users", "/console/users".into()),
        ("users, text", "/console/users?q=person77".into()),
        ("invite all who have no device", "/console/users/invite".into()),
        ("policies", "/console/policies".into()),
        ("one policy", format!("/console/policies/{policy}")),
        ("certificates", "/console/certificates".into()),
        ("certificates, text", "/console/certificates?q=person77".into()),
        ("certificates that end soon", "/console/certificates?show=ending".into()),
        ("outbox", "/console/outbox".into()),
        ("audit log", "/console/audit".into()),
        ("settings", "/console/settings".into()),
    ]
    .into()
}

/// The times of one page: name, and for each size and database the milliseconds within which 95 of 100 were answered.
type Times = Vec<(&'static str, f64)>;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut columns = Vec::new();
    for count in &arguments.devices {
        for (word, name) in [("sqlite", "SQLite"), ("postgres", "PostgreSQL")] {
            if arguments.only.as_deref().is_none_or(|only| only == word) {
                println!("\n{count} devices on {name}");
                columns.push((format!("{name}, {count}"), run(&runtime, name, *count, arguments.requests)?));
            }
        }
    }
    let table = table(&columns)?;
    println!("\n{table}");
    if let Some(path) = &arguments.write {
        let document = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        std::fs::write(path, put(&document, &table)?)?;
    }
    Ok(())
}

fn run(runtime: &tokio::runtime::Runtime, database: &str, devices: usize, requests: usize) -> anyhow::Result<Times> {
    let folder = std::env::temp_dir().join(format!("enlist-pages-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&folder)?;
    server::stay_on(SERVER_CORE)?;
    let cluster = (database == "PostgreSQL").then(|| Cluster::start(Durability::Full));
    let url = cluster.as_ref().map(|cluster| cluster.url("postgres"));
    let (installation, token) = Installation::create(&folder, url.clone())?;
    let url = url.map_or_else(|| DatabaseUrl::Sqlite(folder.join("enlist.db").display().to_string()), DatabaseUrl::Postgres);
    let filled = seed::fill(&url, devices)?;
    let times = runtime.block_on(async {
        let server = installation.start().await?;
        server::stay_on(LOAD_CORE)?;
        let port = installation.target(1).port;
        let mut times = measure(port, &filled, requests).await?;
        recount::check(port, &token, &filled).await?;
        let (preview, rollout) = rollout::measure(port, &token).await?;
        times.extend([("preview of a policy for everyone", preview * 1e3), ("that policy on every device", rollout * 1e3)]);
        println!("{:<40} {:>6} MB", "peak memory of the server", server.peak_memory()? / 1000);
        server.stop()?;
        anyhow::Ok(times)
    })?;
    drop(cluster);
    std::fs::remove_dir_all(&folder)?;
    Ok(times)
}

async fn measure(port: u16, filled: &Filled, requests: usize) -> anyhow::Result<Times> {
    let base = format!("http://127.0.0.1:{port}");
    let browser = reqwest::Client::builder().no_proxy().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build()?;
    let fields = [("email", "admin@example.com"), ("password", "correct horse battery staple")];
    let answer = browser.post(format!("{base}/console/sign-in")).form(&fields).send().await?;
    ensure!(answer.status() == 303, "nobody can sign in: {}", answer.status());
    let middle = *filled.devices.get(filled.devices.len() / 2).context("there are no devices")?;
    let mut times = Vec::new();
    for (name, path) in pages(middle, middle, filled) {
        let mut taken = Vec::new();
        for _ in 0..requests {
            let began = Instant::now();
            let answer = browser.get(format!("{base}{path}")).send().await?;
            ensure!(answer.status() == 200, "{path}: {}", answer.status());
            answer.bytes().await?;
            taken.push(began.elapsed());
        }
        let p95 = percentile(&mut taken);
        println!("{name:<40} p95 {p95:>7.1} ms");
        times.push((name, p95));
    }
    Ok(times)
}

fn percentile(taken: &mut [Duration]) -> f64 {
    taken.sort_unstable();
    let place = (taken.len() * 95 / 100).min(taken.len().saturating_sub(1));
    taken.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
}

fn table(columns: &[(String, Times)]) -> anyhow::Result<String> {
    let mut text = String::from("| page, p95 in ms; the last two once, in ms |");
    for (name, _) in columns {
        write!(text, " {name} |")?;
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(columns.len()));
    let names = columns.first().map(|(_, times)| times.as_slice()).unwrap_or_default();
    for (place, (name, _)) in names.iter().enumerate() {
        write!(text, "\n| {name} |")?;
        for (_, times) in columns {
            let time = times.get(place).map(|(_, time)| *time).unwrap_or_default();
            write!(text, " {time:.1} |")?;
        }
    }
    text.push('\n');
    Ok(text)
}

/// Puts the table in its place in the document.
fn put(document: &str, table: &str) -> anyhow::Result<String> {
    const BEGIN: &str = "<!-- begin pages: written by scripts/bench -->";
    const END: &str = "<!-- end pages: written by scripts/bench -->";
    let (before, rest) = document.split_once(BEGIN).context("the document lacks the line after which the table stands")?;
    let (_, after) = rest.split_once(END).context("the document lacks the line before which the table stands")?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}
