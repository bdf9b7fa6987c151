//! From single measurements to the table in the document.

use std::{fmt::Write as _, time::Duration};

use anyhow::Context;

/// The lines between which the table stands in the document.
const BEGIN: &str = "<!-- begin: written by scripts/bench -->";
const END: &str = "<!-- end: written by scripts/bench -->";

/// One phase of one run.
#[derive(Debug, Clone)]
pub struct Phase {
    /// Which of the things that devices do.
    pub name: &'static str,
    /// Requests in a second.
    pub rate: f64,
    /// Milliseconds within which 99 of 100 requests were answered.
    pub p99: f64,
    /// The server's processor seconds for 1,000 requests.
    pub processor: f64,
    /// The database server's processor seconds for 1,000 requests; zero where there is none.
    pub database_processor: f64,
    /// The most memory of the server up to the end of the phase, in megabytes.
    pub memory: f64,
}

/// One run on one database.
#[derive(Debug, Clone)]
pub struct Run {
    /// Which database.
    pub database: &'static str,
    /// The phases in order.
    pub phases: Vec<Phase>,
    /// From the start of the process until `/readyz` said yes, with all the devices in the database, in milliseconds.
    pub start: f64,
}

impl Phase {
    /// Counts requests that were answered.
    #[must_use]
    pub fn new(name: &'static str, latencies: &mut [Duration], took: Duration) -> Self {
        latencies.sort_unstable();
        let place = (latencies.len() * 99 / 100).min(latencies.len().saturating_sub(1));
        let p99 = latencies.get(place).copied().unwrap_or_default();
        let rate = count(latencies.len()) / took.as_secs_f64();
        Self { name, rate, p99: p99.as_secs_f64() * 1e3, processor: 0.0, database_processor: 0.0, memory: 0.0 }
    }
}

/// A number of things, to calculate with.
#[must_use]
pub fn count(things: usize) -> f64 {
    u32::try_from(things).map_or(f64::INFINITY, f64::from)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The table: medians of all runs.
///
/// # Errors
/// Text cannot be written.
pub fn table(runs: &[Run], conditions: &str) -> anyhow::Result<String> {
    let mut text = format!("{conditions}\n\n");
    for database in ["SQLite", "PostgreSQL"] {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.database == database).collect();
        let Some(first) = runs.first() else { continue };
        let start = median(runs.iter().map(|run| run.start));
        writeln!(text, "**{database}**, ready {start:.0} ms after the start of the process\n")?;
        writeln!(text, "| | requests/s | p99, ms | CPU s per 1,000 | database CPU s per 1,000 | peak memory, MB | runs, requests/s |")?;
        writeln!(text, "|---|---:|---:|---:|---:|---:|---|")?;
        for (place, phase) in first.phases.iter().enumerate() {
            let all = || runs.iter().filter_map(|run| run.phases.get(place));
            let [rate, p99, processor, database, memory] = [
                median(all().map(|phase| phase.rate)),
                median(all().map(|phase| phase.p99)),
                median(all().map(|phase| phase.processor)),
                median(all().map(|phase| phase.database_processor)),
                median(all().map(|phase| phase.memory)),
            ];
            let database = if database > 0.0 { format!("{database:.3}") } else { "–".into() };
            let each: Vec<String> = all().map(|phase| format!("{:.0}", phase.rate)).collect();
            let (name, each) = (phase.name, each.join(", "));
            writeln!(text, "| {name} | {rate:.0} | {p99:.1} | {processor:.3} | {database} | {memory:.0} | {each} |")?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// Puts the table in its place in the document.
///
/// # Errors
/// The document has no such place.
pub fn put(document: &str, table: &str) -> anyhow::Result<String> {
    let (before, rest) = document.split_once(BEGIN).context("the document lacks the line after which the table stands")?;
    let (_, after) = rest.split_once(END).context("the document lacks the line before which the table stands")?;
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}
