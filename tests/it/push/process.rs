//! The server as a process: the command line brings the certificate, the configuration names the service, and phones are woken.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::json;

use crate::harness::{
    apns::{self, Apns, TOPIC},
    database::Database,
    every_backend,
    process::Installation,
};

every_backend!(a_running_server_wakes_its_phones);

fn run(installation: &Installation, words: &[&str]) -> Output {
    installation.command(words).stdin(Stdio::null()).output().unwrap()
}

async fn a_running_server_wakes_its_phones(db: Database) {
    let apns = Apns::start().await;
    let installation = Installation::new(db);
    let folder = installation.log().parent().unwrap().to_owned();
    let mut options = std::fs::File::create(folder.join("enlist.toml")).unwrap();
    writeln!(options, "apns_url = \"{}\"\napns_ca = \"{}\"", apns.url(), apns.ca().display()).unwrap();
    let server = installation.start().await;

    let asked = run(&installation, &["apns", "request", "--email", "it@example.com"]);
    assert!(asked.status.success(), "{asked:?}");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("vendor certificate"));
    let certificate = apns::certify(&String::from_utf8(asked.stdout).unwrap(), TOPIC);
    let file = folder.join("push.pem");
    std::fs::write(&file, &certificate).unwrap();
    // The server is running meanwhile: it takes up the certificate by itself.
    let imported = run(&installation, &["apns", "import", file.to_str().unwrap()]);
    assert!(imported.status.success() && String::from_utf8_lossy(&imported.stdout).contains(TOPIC), "{imported:?}");

    let api = installation.api();
    let mut phone = api.phone("ada@example.com").await;
    phone.enroll().await.unwrap();
    phone.poll().await.unwrap();
    let devices = api.get("devices").await.unwrap();
    let device = devices["items"][0]["id"].as_str().unwrap().to_owned();
    api.post(&format!("devices/{device}/lock"), &json!({})).await.unwrap();
    apns.wait_for(phone.device().push_token(), 1).await;

    let shown = String::from_utf8(run(&installation, &["apns", "show"]).stdout).unwrap();
    let is_fresh = ["364 days left", "365 days left"].iter().any(|words| shown.contains(words));
    assert!(shown.contains(TOPIC) && is_fresh, "{shown}");
    let other = folder.join("other.pem");
    std::fs::write(&other, apns::pem(&apns::certificate("com.apple.mgmt.External.other"))).unwrap();
    let refused = run(&installation, &["apns", "import", other.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("1 enrolled device") && said.lines().count() == 1, "{said}");
    assert!(run(&installation, &["apns", "import", other.to_str().unwrap(), "--force"]).status.success());
    let needs = run(&installation, &["apns", "request", "--email", "it@example.com", "--vendor-key", "x"]);
    assert_eq!(needs.status.code(), Some(2), "words are missing");
    drop(server);
}
