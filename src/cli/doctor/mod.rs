//! `enlist doctor`: looks at the installation and gives one line for each part, with a remedy for what is wrong. It changes nothing.
//!
//! A check is a function from the [`Site`] to a [`Finding`]; [`CHECKS`] is the list of them.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::{
    config::Config,
    domain::time::{Clock, SystemClock, Timestamp},
    store::{Access, Conn},
};

mod address;
mod database;
mod keys;
mod local;

/// How the findings are printed.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a part of the installation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and one should know.
    Note,
    /// It does not work, or soon will not.
    Wrong,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it is.
    pub state: State,
    /// What was seen.
    pub text: String,
    /// What to do, where something is to be done.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(text: impl Into<String>) -> Self {
        Self { state: State::Ok, text: text.into(), remedy: None }
    }

    fn note(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Note, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn wrong(text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Wrong, text: text.into(), remedy: Some(remedy.into()) }
    }

    /// Another check says already what is wrong.
    fn unknown(why: impl Into<String>) -> Self {
        Self { state: State::Note, text: format!("not checked: {}", why.into()), remedy: None }
    }
}

/// The installation that is looked at.
pub struct Site<'a> {
    config: &'a Config,
    now: Timestamp,
    database: Result<Conn, String>,
}

impl Site<'_> {
    /// The database, or the finding of a check that needs it and cannot have it.
    fn database(&mut self) -> Result<&mut Conn, Finding> {
        self.database.as_mut().map_err(|_| Finding::unknown("the database does not answer"))
    }
}

/// A look at one part.
type Check = fn(&mut Site<'_>) -> Finding;

/// What is looked at, in the order in which it is printed.
const CHECKS: &[(&str, Check)] = &[
    ("address", address::address),
    ("tls", address::tls),
    ("proxies", address::proxies),
    ("clock", database::clock),
    ("database", database::database),
    ("disk", local::disk),
    ("instance", local::instance),
    ("secret key", keys::secret_key),
    ("authorities", keys::authorities),
    ("push", keys::push_certificate),
    ("mail", local::mail),
    ("jobs", database::jobs),
];

#[derive(Serialize)]
struct Line {
    check: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

#[derive(Serialize)]
struct Report {
    is_healthy: bool,
    checks: Vec<Line>,
}

/// Looks, and prints what was found; the exit status says whether all is well.
///
/// # Errors
/// The findings cannot be printed.
pub fn run(config: &Config, arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let database = Conn::open(&config.database_url, Access::Read).map_err(|error| error.to_string());
    let mut site = Site { config, now: SystemClock.now(), database };
    let checks: Vec<Line> = CHECKS.iter().map(|(check, look)| Line { check, finding: look(&mut site) }).collect();
    let is_healthy = checks.iter().all(|line| line.finding.state != State::Wrong);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&Report { is_healthy, checks })?);
    } else {
        for line in &checks {
            println!("{}", in_words(line));
        }
    }
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_words(line: &Line) -> String {
    let mark = match line.finding.state {
        State::Ok => "ok",
        State::Note => "note",
        State::Wrong => "WRONG",
    };
    let remedy = line.finding.remedy.as_ref().map(|remedy| format!(" To do: {remedy}.")).unwrap_or_default();
    format!("{mark:<6}{:<13}{}.{remedy}", line.check, line.finding.text.replace('\n', " "))
}
