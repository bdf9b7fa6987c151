//! What the tests of the launcher stand on: a package to upload, somebody who has agreed, and the QR code for their device.

use std::sync::Arc;

use enlist::{
    domain::{
        backend::Backend,
        device::Ownership,
        id::{UserId, VisitId},
        time::Clock,
    },
    service::android::launcher::Provisioning,
    simulator::{
        Passcode,
        android::launcher::{Launcher, LauncherOptions},
    },
    store::{self, visits, visits::Visit},
};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{
    actors::{Reply, passcode_policy},
    app::TestApp,
};

/// A server with a launcher, a policy, and somebody with a device.
pub struct Stage {
    pub app: TestApp,
    pub user: String,
}

impl Stage {
    /// Everything is ready for a device to enroll.
    pub async fn new(app: TestApp) -> Self {
        upload(&app, &apk("com.hmdm.launcher", 200_000)).await.expect(200);
        let admin = app.admin();
        let user = admin.create_user("ada@example.com").await;
        admin.create_policy(&passcode_policy("Everyone")).await;
        app.work().await;
        Self { app, user }
    }

    /// A visit that has come as far as the consent.
    pub fn visit(&self) -> VisitId {
        let now = self.app.clock_now();
        let visit = Visit {
            id: VisitId::new(),
            hash: uuid::Uuid::new_v4().as_bytes().to_vec(),
            invitation_id: None,
            email: Some("ada@example.com".into()),
            user_id: Some(self.user.parse::<UserId>().unwrap()),
            ownership: Ownership::Company,
            consent_version: Some("1".into()),
            consented_at: Some(now),
            enrollment_id: None,
            profile_taken_at: None,
            created_at: now,
            expires_at: now.plus_days(1),
            backend: Some(Backend::Headwind),
            return_to: None,
        };
        let id = visit.id;
        store::write_once::<_, store::Error>(&self.app.database.url(), |tx| visits::insert(tx, &visit)).unwrap();
        id
    }

    /// The QR code for another device.
    pub async fn code(&self) -> Provisioning {
        self.app.app.provision_launcher(self.visit()).await.unwrap()
    }

    /// A device that keeps the server's time.
    pub fn options(&self, serial: &str, passcode: Passcode) -> LauncherOptions {
        let clock = self.app.clock.clone();
        LauncherOptions { clock: Arc::new(move || clock.now().millis()), ..LauncherOptions::new(serial, passcode) }
    }

    /// A device on which the launcher was set up, and which has not spoken yet.
    pub async fn installed(&self, serial: &str, passcode: Passcode) -> Launcher {
        Launcher::provision(&self.code().await.json, self.options(serial, passcode)).await.unwrap()
    }

    /// A device that is enrolled and has done what it was told so far.
    pub async fn enrolled(&self, serial: &str, passcode: Passcode) -> Launcher {
        let mut launcher = self.installed(serial, passcode).await;
        launcher.enroll().await.unwrap();
        assert!(launcher.poll().await.unwrap(), "the policy waits for the device");
        self.app.work().await;
        launcher
    }

    /// The device as the API shows it.
    pub async fn device(&self, serial: &str) -> Value {
        self.app.work().await;
        self.app.admin().device_of(serial).await
    }

    /// The codes of the reasons for a device's verdict.
    pub async fn verdict(&self, serial: &str) -> (String, Vec<String>) {
        let device = self.device(serial).await;
        let codes = device["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
        (device["compliance"].as_str().unwrap().to_owned(), codes)
    }

    /// The state of the newest command of a kind.
    pub async fn command(&self, serial: &str, kind: &str) -> Value {
        let device = self.device(serial).await;
        let page = self.app.admin().get(&format!("/devices/{}/commands?limit=200", device["id"].as_str().unwrap())).await.expect(200);
        let found = page["items"].as_array().unwrap().iter().find(|command| command["kind"] == kind).cloned();
        found.unwrap_or_else(|| panic!("no {kind} in {page}"))
    }
}

/// Uploads a package by the API.
pub async fn upload(app: &TestApp, apk: &[u8]) -> Reply {
    let admin = app.admin();
    admin.send(admin.request(Method::PUT, "/android/launcher?file_name=hmdm-6.36-os.apk").body(apk.to_vec())).await
}

/// A package with this name, so many bytes of something else, and no signature.
pub fn apk(package: &str, filling: usize) -> Vec<u8> {
    let filling: Vec<u8> = (0..filling).map(|index| (index % 251) as u8).collect();
    archive(&[("classes.dex", &filling), ("AndroidManifest.xml", &manifest(package))])
}

/// A manifest in Android's binary XML.
fn manifest(package: &str) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let (mut offsets, mut data) = (Vec::new(), Vec::new());
    for text in ["versionName", "package", "manifest", package, "6.36"] {
        offsets.push(data.len() as u32);
        // Characters, bytes, the text, and a zero.
        data.extend([text.len() as u8, text.len() as u8]);
        data.extend(text.bytes());
        data.push(0);
    }
    data.resize(data.len().next_multiple_of(4), 0);
    let start = 28 + 20;
    let pool = [words(&[0x001c_0001, start + data.len() as u32, 5, 0, 0x100, start, 0]), words(&offsets), data].concat();
    let attribute = |name: u32, value: u32| words(&[u32::MAX, name, value, (3 << 24) | 8, value]);
    let head = words(&[0x0010_0102, 36 + 40, 1, u32::MAX, u32::MAX, 2, 0x0014_0014, 2, 0]);
    let element = [head, attribute(0, 4), attribute(1, 3)].concat();
    [words(&[0x0008_0003, (8 + pool.len() + element.len()) as u32]), pool, element].concat()
}

/// An archive of these files, none of them compressed.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut body, mut list) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let length = (content.len() as u32).to_le_bytes();
        let sizes = [[0; 4], length, length].concat();
        let name_length = (name.len() as u16).to_le_bytes();
        let offset = (body.len() as u32).to_le_bytes();
        list.extend(
            [b"PK\x01\x02".as_slice(), &[20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &sizes, &name_length, &[0; 12], &offset, name.as_bytes()]
                .concat(),
        );
        body.extend(
            [b"PK\x03\x04".as_slice(), &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &sizes, &name_length, &[0, 0], name.as_bytes(), content].concat(),
        );
    }
    let count = (files.len() as u16).to_le_bytes();
    let end = [
        b"PK\x05\x06".as_slice(),
        &[0; 4],
        &count,
        &count,
        &(list.len() as u32).to_le_bytes(),
        &(body.len() as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [body, list, end].concat()
}
