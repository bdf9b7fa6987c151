//! `enlist doctor`: every problem is made, found, and named with a remedy.

use std::process::Command;

use serde_json::Value;

use crate::harness::{database::Database, folder::TempFolder};

mod inside;
mod outside;
pub mod stage;

/// An installation to be looked at, and what is out of the ordinary in it.
struct Patient {
    folder: TempFolder,
    database: Database,
    options: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Patient {
    /// An installation in which a server has run once.
    fn new(database: Database) -> Self {
        let patient = Self { folder: TempFolder::new("patient"), database, options: Vec::new(), environment: Vec::new() };
        let mut command = patient.command(&["token", "create", "--name", "t", "--role", "auditor"]);
        assert!(command.output().unwrap().status.success());
        patient
    }

    /// Sets an option.
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.options.retain(|(known, _)| known != name);
        self.options.push((name.into(), value.into()));
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enlist"));
        command.env_clear().envs(self.environment.iter().cloned()).current_dir(self.folder.path()).args(words);
        let mut option = |name: &str, default: &str| {
            let value = self.options.iter().find(|(known, _)| known == name).map_or(default, |(_, value)| value);
            command.args([&format!("--{name}"), value]);
        };
        option("data-dir", &self.folder.path().display().to_string());
        option("database-url", self.database.url_text());
        for (name, value) in self.options.iter().filter(|(name, _)| name != "data-dir" && name != "database-url") {
            command.args([&format!("--{name}"), value]);
        }
        command
    }

    /// Looks; gives the findings by name.
    fn examine(&self) -> Findings {
        Findings::read(self.command(&["doctor", "--json"]))
    }

    /// Looks; there must be this problem, and a remedy for it.
    #[track_caller]
    fn must_have(&self, check: &str, problem: &str, remedy: &str) {
        self.examine().must_have(check, problem, remedy);
    }
}

struct Findings {
    code: Option<i32>,
    report: Value,
}

impl Findings {
    #[track_caller]
    fn read(mut command: Command) -> Self {
        let output = command.output().unwrap();
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Self { code: output.status.code(), report }
    }

    #[track_caller]
    fn of(&self, check: &str) -> &Value {
        self.report["checks"].as_array().unwrap().iter().find(|line| line["check"] == check).unwrap()
    }

    #[track_caller]
    fn must_have(&self, check: &str, problem: &str, remedy: &str) {
        let finding = self.of(check);
        assert_eq!(finding["state"], "wrong", "{check}: {finding}");
        assert!(finding["text"].as_str().unwrap().contains(problem), "{finding}");
        assert!(finding["remedy"].as_str().unwrap().contains(remedy), "{finding}");
        assert_eq!((self.code, &self.report["is_healthy"]), (Some(1), &Value::Bool(false)));
    }
}
