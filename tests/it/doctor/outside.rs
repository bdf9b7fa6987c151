//! Problems between the server and those who come to it, and with those to whom it goes.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use super::{
    Findings, Patient,
    stage::{authority, leaf, mail_server, tls_door},
};
use crate::harness::{database::Database, process::free_port};

fn patient() -> Patient {
    Patient::new(Database::sqlite())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_in_good_order_is_found_to_be_so() {
    let mut patient = patient();
    let root = authority("Test Root", 0, None);
    let (certificate, key) = leaf("localhost", Some(&root), -1, 90).write(patient.folder.path(), "server");
    let (trusted, _) = root.write(patient.folder.path(), "root");
    patient.environment = vec![("SSL_CERT_FILE".into(), trusted.display().to_string())];
    let port = free_port();
    let patient = patient
        .with("tls", "files")
        .with("tls-certificate", certificate.display().to_string())
        .with("tls-key", key.display().to_string())
        .with("listen", format!("127.0.0.1:{port}"))
        .with("device-listen", "off")
        .with("public-url", format!("https://localhost:{port}"));
    let mut server = patient.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let patient = patient.with("smtp-url", format!("smtp://127.0.0.1:{}?tls=off", mail_server()));
    let began = Instant::now();
    let findings = loop {
        let findings = patient.examine();
        if findings.of("address")["state"] == "ok" {
            break findings;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{}", findings.report);
    };
    let words = patient.command(&["doctor"]).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();

    let checks = findings.report["checks"].as_array().unwrap();
    assert!(checks.len() >= 11);
    // How full the disk of this machine is is not this test's to say; and a push certificate is one step more.
    let others: Vec<_> = checks.iter().filter(|line| line["check"] != "disk" && line["check"] != "push").collect();
    assert_eq!(findings.of("push")["state"], "note");
    assert!(others.iter().all(|line| line["state"] == "ok"), "{others:?}");
    let is_roomy = findings.of("disk")["state"] == "ok";
    assert_eq!((findings.code, findings.report["is_healthy"].as_bool()), (Some(i32::from(!is_roomy)), Some(is_roomy)));
    let words = String::from_utf8(words.stdout).unwrap();
    assert_eq!(words.lines().count(), checks.len(), "{words}");
    assert!(words.lines().any(|line| line.starts_with("ok    mail")), "{words}");
}

#[test]
fn an_address_that_leads_nowhere_is_found() {
    patient().with("tls", "off").with("public-url", "http://enroll.example.org").must_have("address", "is not https", "set public-url");
    patient().with("public-url", "https://no-such-name.invalid").must_have("address", "does not resolve", "DNS");
    let nobody = format!("https://127.0.0.1:{}", free_port());
    patient().with("public-url", nobody).must_have("address", "nothing of enlist answers", "start the server");
    let other = format!("https://127.0.0.1:{}", mail_server());
    patient().with("public-url", other).must_have("address", "nothing of enlist answers", "firewall");
}

/// What is found of a certificate that a door shows.
fn shown(port: u16, root: &super::stage::Pair) -> Findings {
    let mut patient = patient().with("tls", "off").with("public-url", format!("https://localhost:{port}"));
    let (trusted, _) = root.write(patient.folder.path(), "root");
    patient.environment = vec![("SSL_CERT_FILE".into(), trusted.display().to_string())];
    patient.examine()
}

#[test]
fn a_certificate_that_phones_refuse_is_found() {
    let root = authority("Test Root", 0, None);
    let middle = authority("Test Middle", 1, Some(&root));
    let good = |from, until| leaf("localhost", Some(&root), from, until);

    let found = shown(tls_door(&good(-100, -1), &[]), &root);
    found.must_have("tls", "has expired", "renew it");
    assert_eq!(found.of("address")["state"], "ok", "the address is right all the same");
    shown(tls_door(&good(-1, 5), &[]), &root).must_have("tls", "ends in 5 day(s)", "renew it");
    shown(tls_door(&leaf("other.example.org", Some(&root), -1, 90), &[]), &root).must_have("tls", "for other names", "localhost");
    shown(tls_door(&leaf("localhost", None, -1, 90), &[]), &root).must_have("tls", "nobody whom phones trust", "tls=files");
    let by_middle = leaf("localhost", Some(&middle), -1, 90);
    shown(tls_door(&by_middle, &[]), &root).must_have("tls", "chain", "intermediate");

    let soon = shown(tls_door(&good(-1, 20), &[]), &root);
    assert_eq!(soon.of("tls")["state"], "note", "{}", soon.of("tls"));
    let whole = shown(tls_door(&by_middle, &[&middle]), &root);
    assert_eq!(whole.of("tls")["state"], "ok", "{}", whole.of("tls"));

    let patient = patient().with("tls", "files").with("tls-certificate", "/nowhere.pem").with("tls-key", "/nowhere.key");
    patient.must_have("tls", "/nowhere.pem", "tls-certificate");
}

#[test]
fn proxies_that_are_believed_too_much_or_not_at_all_are_found() {
    patient().with("trusted-proxies", "0.0.0.0/0").must_have("proxies", "the whole internet", "your own proxies");
    patient().with("trusted-proxies", "::/0").must_have("proxies", "the whole internet", "your own proxies");
    let behind = patient().with("tls", "off").with("public-url", "https://localhost:1");
    behind.must_have("proxies", "trusted-proxies is empty", "trusted-proxies");
}

#[test]
fn mail_that_cannot_leave_is_found() {
    let nobody = format!("smtp://127.0.0.1:{}", free_port());
    patient().with("smtp-url", nobody).must_have("mail", "cannot be used", "smtp-url");
    // STARTTLS is asked for, and this server has none.
    let stripped = patient().with("smtp-url", format!("smtp://ada:secret@127.0.0.1:{}", mail_server()));
    let found = stripped.examine();
    found.must_have("mail", "does not offer STARTTLS", "smtp-url");
    assert!(!found.report.to_string().contains("ada:secret"), "the password is shown");

    let blocked = patient();
    std::fs::write(blocked.folder.path().join("outbox"), "not a folder").unwrap();
    blocked.must_have("mail", "cannot be written", "permissions");
    let files = patient().examine();
    assert_eq!(files.of("mail")["state"], "note");
}
