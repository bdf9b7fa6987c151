//! The activation certificate: what other software makes of the file, and where the certificate counts.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use enlist::simulator::{
    android::certificate::{CertificateDevice, Download, FileForm, download},
    mailbox::Mailbox,
    portal::Owner,
    transport::{Browser, Trust},
};
use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    harness::{actors::id, app::TestApp, database::Database, every_backend, folder::TempFolder},
    portal::android::{ADA, PIXEL},
};

every_backend!(
    openssl_opens_both_forms_and_finds_key_certificate_and_authority,
    the_certificate_opens_the_port_for_devices_until_the_device_is_let_go,
    what_a_certificate_says_is_decided_by_the_server,
);

/// A simulated owner comes away with the file; the server works meanwhile.
pub async fn fetch(app: &TestApp, form: FileForm) -> Download {
    let owner = Owner {
        browser: Browser::new(&Trust::System, PIXEL).unwrap(),
        mailbox: Mailbox::new(app.outbox(), Duration::from_secs(30)),
        address: ADA.into(),
        ownership: None,
        method: Some("certificate".into()),
    };
    let start = Url::parse(app.address()).unwrap();
    app.work_during(download(&owner, start, form)).await.unwrap()
}

/// A device with its certificate installed.
pub async fn enroll(app: &TestApp) -> CertificateDevice {
    let got = fetch(app, FileForm::Legacy).await;
    CertificateDevice::install(&got.file, &got.password, &Trust::Anybody).unwrap()
}

/// What `openssl` says of the file.
fn openssl(folder: &TempFolder, words: &[&str]) -> (bool, String) {
    let out = Command::new("openssl").args(words).current_dir(folder.path()).output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}

async fn openssl_opens_both_forms_and_finds_key_certificate_and_authority(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let folder = TempFolder::new("pkcs12");
    let ca = reqwest::get(format!("{}/pki/ca.pem", app.address())).await.unwrap().bytes().await.unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
    for (form, legacy, cipher, mac) in [
        (FileForm::Legacy, Some("-legacy"), "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 10000", "MAC: sha1, Iteration 10000"),
        (FileForm::Modern, None, "AES-256-CBC, Iteration 10000", "MAC: sha256, Iteration 10000"),
    ] {
        let got = fetch(&app, form).await;
        std::fs::write(folder.path().join("device.p12"), &got.file).unwrap();
        let password = format!("pass:{}", got.password);
        let mut words = vec!["pkcs12", "-in", "device.p12", "-passin", &password, "-info", "-nodes", "-out", "device.pem"];
        words.extend(legacy);
        let (opens, said) = openssl(&folder, &words);
        assert!(opens && said.contains(cipher) && said.contains(mac), "{said}");
        let pem = std::fs::read_to_string(folder.path().join("device.pem")).unwrap();
        assert_eq!((pem.matches("BEGIN PRIVATE KEY").count(), pem.matches("BEGIN CERTIFICATE").count()), (1, 2), "{pem}");
        assert!(pem.contains(&format!("friendlyName: Enlist ({ADA})")), "{pem}");
        let (verifies, said) = openssl(&folder, &["verify", "-purpose", "sslclient", "-CAfile", "ca.pem", "device.pem"]);
        assert!(verifies, "{said}");
        let (_, text) = openssl(&folder, &["x509", "-in", "device.pem", "-noout", "-text"]);
        for expected in ["Public-Key: (2048 bit)", "TLS Web Client Authentication", &format!("email:{ADA}")] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let wrong = openssl(&folder, &["pkcs12", "-legacy", "-in", "device.p12", "-passin", "pass:wrong", "-noout"]);
        assert!(!wrong.0);
    }
}

async fn ask(device: &CertificateDevice, port: &str) -> (u16, Value) {
    let answer = device.visit(Url::parse(&format!("{port}/android/v1/identity")).unwrap()).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

async fn the_certificate_opens_the_port_for_devices_until_the_device_is_let_go(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let device = enroll(&app).await;
    let mut ports = vec![app.device_port()];
    if app.database.is_postgres() {
        ports.push(app.device_port_of_neighbour());
    }
    let row = admin.get("/devices").await.expect(200)["items"][0].clone();
    for port in &ports {
        let (status, known) = ask(&device, port).await;
        assert_eq!(status, 200, "{known}");
        assert_eq!((&known["device"], &known["user"], &known["backend"]), (&row["id"], &json!(ADA), &json!("certificate")));
        assert_eq!(device.visit(Url::parse(&format!("{port}/healthz")).unwrap()).await.unwrap().status, 200);
    }
    let stranger = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
    assert!(
        stranger.get(format!("{}/android/v1/identity", ports[0])).send().await.is_err(),
        "without a certificate there is no connection"
    );

    let ordered = Instant::now();
    admin.order(&id(&row), "retire").await;
    for port in &ports {
        let (status, refused) = ask(&device, port).await;
        assert_eq!(status, 403, "{refused}");
    }
    assert!(ordered.elapsed() < Duration::from_secs(1), "{:?}", ordered.elapsed());
    let retired = admin.device(&id(&row)).await;
    assert_eq!((&retired["enrollment"], &retired["access"]), (&json!("retired"), &json!("block")));
    let authority = crate::apple::revocation::Authority::of(&app).await;
    assert!(authority.has_revoked(&device.certificate).await);
    app.work().await;
}

async fn what_a_certificate_says_is_decided_by_the_server(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "certificate_days": 825 })).await.expect(200);
    let (first, second) = (enroll(&app).await, enroll(&app).await);
    assert_ne!(first.certificate.to_der().unwrap(), second.certificate.to_der().unwrap());
    assert!(!first.key.public_eq(&second.key));
    let life = first.certificate.not_before().diff(first.certificate.not_after()).unwrap();
    assert!(life.days <= 365, "{} days", life.days);
    assert_eq!(first.chain.len(), 1);
    assert!(first.certificate.verify(&first.chain[0].public_key().unwrap()).unwrap());
    // Each certificate is a device of its own: nothing says that it is the same phone.
    assert_eq!(admin.get("/devices").await.expect(200)["total"], 2);
}
