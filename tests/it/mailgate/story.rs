//! The story of a phone and its mail, with a real Dovecot.

use std::time::{Duration, Instant};

use enlist::simulator::passcode::Passcode;

use super::stage::{ADA, Stage, account};
use crate::harness::actors::id;

/// How soon a session must have ended.
const TEN_SECONDS: Duration = Duration::from_secs(10);

/// Reads the first mail with curl, which speaks IMAP by itself; gives the mail, or what was said on the way to a refusal.
async fn read_by_curl(port: u16, user: &str, password: &str) -> Result<String, String> {
    let mut curl = std::process::Command::new("curl");
    curl.args(["--silent", "--show-error", "--verbose", "--insecure", "--max-time", "20", "--user", &format!("{user}:{password}")]);
    curl.arg(format!("imaps://localhost:{port}/INBOX;MAILINDEX=1"));
    let output = tokio::task::spawn_blocking(move || curl.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_opens_and_closes_with_the_compliance_of_the_device() {
    let stage = Stage::start(&[]).await;
    let mut phone = stage.phone().await;
    let account = account(&phone);
    assert_eq!((account.user_name.as_str(), account.host.as_str(), account.port), (ADA, "localhost", Some(stage.dovecot.port())));
    let mut session = stage.dovecot.sign_in(&account.user_name, &account.password).await.unwrap();
    assert!(session.first_mail().contains("Buy low."));
    let port = stage.dovecot.port();
    assert!(read_by_curl(port, &account.user_name, &account.password).await.unwrap().contains("Buy low."));

    // Whoever has no managed account is refused, whatever password they know.
    for (user, password) in [(ADA, "Ada's own password"), ("eve@example.org", account.password.as_str())] {
        let refusal = stage.dovecot.sign_in(user, password).await.err().unwrap();
        assert!(refusal.contains("[ALERT] This is not the password of a managed mail account."), "{refusal}");
    }

    phone.device_mut().set_passcode(Passcode::None);
    stage.check_again(&mut phone).await;
    let decided = Instant::now();
    let mut session = tokio::task::spawn_blocking(move || {
        session.wait_until_ended();
        session
    })
    .await
    .unwrap();
    assert!(decided.elapsed() < TEN_SECONDS, "the session ended after {:?}", decided.elapsed());
    assert!(!session.is_alive());
    let refusal = stage.dovecot.sign_in(&account.user_name, &account.password).await.err().unwrap();
    assert!(refusal.contains("[ALERT] Mail is closed to this device. No passcode is set on the device."), "{refusal}");
    assert!(refusal.contains("Set a passcode in Settings"), "{refusal}");
    let said = read_by_curl(port, &account.user_name, &account.password).await.unwrap_err();
    assert!(said.contains("Mail is closed to this device. No passcode is set on the device."), "{said}");

    phone.device_mut().set_passcode(Passcode::Strong);
    stage.check_again(&mut phone).await;
    stage.wait_for(&mut phone, "allow").await;
    let session = stage.dovecot.sign_in(&account.user_name, &account.password).await;
    assert!(session.is_ok(), "{:?}: {}", session.err(), stage.dovecot.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selective_wipe_kills_the_password_and_the_account() {
    let stage = Stage::start(&[]).await;
    let admin = stage.installation.admin();
    let mut phone = stage.phone().await;
    let first = account(&phone);
    let device = stage.device(&phone).await;

    // A new password takes the place of the old one, which is void when it is ordered.
    let mut session = stage.dovecot.sign_in(&first.user_name, &first.password).await.unwrap();
    admin.post(&format!("/devices/{}/mail-password", id(&device)), &serde_json::json!({})).await.expect(202);
    assert!(stage.dovecot.sign_in(&first.user_name, &first.password).await.is_err());
    tokio::task::spawn_blocking(move || session.wait_until_ended()).await.unwrap();
    phone.poll().await.unwrap();
    let second = account(&phone);
    assert_ne!(first.password, second.password);
    let mut session = stage.dovecot.sign_in(&second.user_name, &second.password).await.unwrap();
    let seen = admin.get(&format!("/devices/{}/mail", id(&device))).await.expect(200);
    assert_eq!((seen["has_account"].as_bool(), seen["last_address"].as_str()), (Some(true), Some("127.0.0.1")), "{seen}");

    // Before the phone knows of it.
    admin.wipe(&device, "selective").await.expect(202);
    let ordered = Instant::now();
    tokio::task::spawn_blocking(move || session.wait_until_ended()).await.unwrap();
    assert!(ordered.elapsed() < TEN_SECONDS);
    let refusal = stage.dovecot.sign_in(&second.user_name, &second.password).await.err().unwrap();
    assert!(refusal.contains("[ALERT]"), "{refusal}");
    let steps: Vec<String> = phone.poll().await.unwrap().steps.into_iter().map(|step| step.request_type).collect();
    assert!(steps.iter().all(|step| step == "RemoveProfile"), "{steps:?}");
    assert!(phone.device().mail_accounts().is_empty());
    let known = admin.get("/mail-access").await.expect(200);
    assert!(known["last_kick"]["at"].is_string() && known["last_kick"]["error"].is_null(), "{known}");
    assert!(known["last_request_at"].is_string(), "{known}");
}
