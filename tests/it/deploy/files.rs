//! Files that nothing else would try: they name what is there, and say what they mean.

use std::process::Command;

use enlist::config::{
    Config, Tls,
    options::{OPTIONS, Values},
};

use super::{source, text};
use crate::harness::{database::Database, folder::TempFolder, process::Installation};

fn load(path: &std::path::Path) -> Config {
    let path = path.display().to_string();
    let mut values = Values::gather(|name| (name == "config").then(|| path.clone()), |_| None).unwrap();
    Config::read(&mut values).unwrap()
}

#[test]
fn the_sample_configuration_is_one() {
    let config = load(&source("deploy/enlist.toml"));
    assert_eq!((config.public_url.as_str(), &config.tls), ("https://enroll.example.com", &Tls::Off));
    assert!(config.trusted_proxies.contain("127.0.0.1".parse().unwrap()));

    // What is commented out is right as well, each line for itself.
    let folder = TempFolder::new("sample");
    let mut tried = 0;
    for line in text("deploy/enlist.toml").lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = ")) {
        let name = line.split(' ').next().unwrap().replace('_', "-");
        assert!(OPTIONS.iter().any(|option| option.name == name), "{line}");
        let path = folder.path().join("enlist.toml");
        std::fs::write(&path, line).unwrap();
        load(&path);
        tried += 1;
    }
    assert!(tried >= 6, "{tried}");
}

#[test]
fn what_the_container_copies_is_there() {
    let file = text("deploy/Containerfile");
    let mut copied = 0;
    for line in file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from")) {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.pop();
        for word in words {
            assert!(source(word).exists(), "{word}");
            copied += 1;
        }
    }
    assert!(copied >= 6);
    // Everything that is compiled in lies below a folder that is copied.
    for embedded in ["migrations", "profiles", "src"] {
        assert!(file.contains(&format!("COPY {embedded} ./{embedded}\n")), "{embedded}");
    }
    assert!(file.contains("\nUSER 10001:10001\n") && file.contains("HEALTHCHECK"));
    let rest = file.rsplit_once("\nFROM ").unwrap().1;
    for option in rest.lines().filter_map(|line| line.split("ENLIST_").nth(1)).filter_map(|rest| rest.split('=').next()) {
        let name = option.to_lowercase().replace('_', "-");
        assert!(OPTIONS.iter().any(|option| option.name == name), "{name}");
    }
}

#[test]
fn what_the_composition_mounts_and_sets_is_there() {
    let file = text("deploy/compose.yaml");
    assert!(source("deploy").join("..").join("deploy/Containerfile").exists() && file.contains("dockerfile: deploy/Containerfile"));
    assert!(file.contains("./nginx.conf:/etc/nginx/nginx.conf:ro") && source("deploy/nginx.conf").exists());
    for name in file.lines().filter_map(|line| line.trim().strip_prefix("ENLIST_")).filter_map(|line| line.split(':').next()) {
        let name = name.to_lowercase().replace('_', "-");
        assert!(OPTIONS.iter().any(|option| option.name == name), "{name}");
    }
    // The proxy knows the servers by the names that they have here.
    let proxy = text("deploy/nginx.conf");
    for server in ["enlist-1", "enlist-2"] {
        assert!(file.contains(&format!("\n  {server}:\n")) && proxy.contains(&format!("server {server}:8443 ")));
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = TempFolder::new("unit");
    let path = folder.path().join("enlist.service");
    let unit = text("deploy/enlist.service").replace("/usr/local/bin/enlist", env!("CARGO_BIN_EXE_enlist"));
    std::fs::write(&path, unit.replace("Documentation=file:///usr/local/share/doc/enlist/operations.md\n", "")).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("enlist.service"), "{said}");
    // Of a hundred, less is better; systemd calls up to 20 safe enough.
    let judged = Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&path).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_of_the_container_knows_a_server_that_is_ready() {
    let installation = Installation::new(Database::sqlite());
    let is_healthy = || {
        let port = installation.port().to_string();
        let output = Command::new(source("deploy/healthy")).arg(port).output().unwrap();
        output.status.success()
    };
    assert!(!is_healthy());
    let server = installation.start().await;
    assert!(is_healthy());
    server.kill();
    assert!(!is_healthy());
}
