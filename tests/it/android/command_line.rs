//! `enlist simulate android` as a person runs it, against a server that runs as a process of its own.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use enlist::simulator::{Passcode, android::handset::Handset, mailbox::Mailbox};
use reqwest::Method;
use serde_json::{Value, json};

use super::launcher_stage::apk;
use crate::harness::{
    actors::{id, text},
    database::Database,
    process::{Installation, Server},
};

const ADA: &str = "ada@example.com";

/// A server that was set up, and that Ada is known to.
async fn begin() -> (Installation, Server, String) {
    let installation = Installation::new(Database::sqlite()).with_device_port();
    let server = installation.start().await;
    let user = installation.api().create_user(ADA).await;
    (installation, server, user)
}

/// The command with these options more.
fn simulate(installation: &Installation, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enlist"));
    command.env_clear().args(["simulate", "android", "--portal", installation.base().as_str(), "--email", ADA, "--outbox"]);
    command.arg(installation.folder().join("outbox")).args(more);
    command
}

/// Devices that stay, and the lines that they print.
struct Playing {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Playing {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line.
    fn report(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("there is another line").unwrap()).unwrap()
    }

    /// Waits for the end, before which no other line may come.
    fn end(mut self) {
        assert!(self.lines.next().is_none());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_options_a_device_with_an_agent_enrolls_and_is_done() {
    let (installation, _server, _) = begin().await;
    let output = simulate(&installation, &[]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    let report: Value = serde_json::from_str(lines[0]).unwrap();
    for (key, value) in [
        ("device", json!(1)),
        ("email", json!(ADA)),
        ("platform", json!("android")),
        ("backend", json!("agent")),
        ("state", json!("enrolled")),
        ("passcode", json!("strong")),
        ("portal_done", json!(true)),
        ("error", Value::Null),
    ] {
        assert_eq!(report[key], value, "{key}: {report}");
    }
    let device = installation.admin().device_of(&text(&report, "serial")).await;
    assert_eq!((&device["backend"], &device["enrollment"]), (&json!("agent"), &json!("enrolled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_with_a_certificate_shows_it_until_it_is_refused() {
    let (installation, _server, _) = begin().await;
    let port = installation.device_address();
    let mut playing = Playing::start(simulate(&installation, &["--backend", "certificate", "--stay", "--device-url", &port]));
    let report = playing.report();
    assert_eq!((&report["backend"], &report["state"], &report["error"]), (&json!("certificate"), &json!("enrolled"), &Value::Null));
    let device = installation.admin().get("/devices").await.expect(200)["items"][0].clone();
    installation.admin().order(&id(&device), "retire").await;
    let report = playing.report();
    assert_eq!((&report["state"], &report["commands"]), (&json!("removed"), &json!([])));
    playing.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_with_the_launcher_stays_until_it_is_reset() {
    let (installation, _server, user) = begin().await;
    let admin = installation.admin();
    let package = admin.request(Method::PUT, "/android/launcher?file_name=hmdm-6.36-os.apk").body(apk("com.hmdm.launcher", 5000));
    admin.send(package).await.expect(200);
    admin.invite(&user, "company").await;
    let mailbox = Mailbox::new(installation.folder().join("outbox"), Duration::ZERO);
    while mailbox.invitation(ADA, &installation.base()).is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let words = ["--backend", "headwind", "--stay", "--fleet", "line", "--passcode", "strong"];
    let mut playing = Playing::start(simulate(&installation, &words));
    let report = playing.report();
    assert_eq!((&report["backend"], &report["state"], &report["error"]), (&json!("headwind"), &json!("enrolled"), &Value::Null));
    assert_eq!((&report["serial"], &report["passcode"]), (&json!(Handset::numbered("line", 0).serial), &json!(Passcode::Strong.word())));
    let device = admin.device_of(&text(&report, "serial")).await;
    admin.wipe(&device, "full").await.expect(202);
    let report = playing.report();
    assert_eq!((&report["state"], &report["error"]), (&json!("wiped"), &Value::Null));
    assert_eq!(report["commands"].as_array().unwrap().last().unwrap()["request_type"], "factoryReset");
    playing.end();
    assert_eq!(admin.device(&id(&device)).await["enrollment"], "wiped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_launcher_the_report_says_what_is_missing() {
    let (installation, _server, _) = begin().await;
    let output = simulate(&installation, &["--backend", "headwind"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["state"], "failed");
    let error = text(&report, "error");
    assert!(error.contains("an administrator has to upload the launcher") && error.contains("invited"), "{error}");
}
