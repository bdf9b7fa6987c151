//! The launcher's package: taken from an administrator in pieces, given to those who may have it.

use enlist::{domain::user::Role, simulator::android::launcher::sign};
use reqwest::{
    Method,
    header::{CONTENT_LENGTH, COOKIE},
};
use serde_json::{Value, json};

use super::launcher_stage::{Stage, apk, upload};
use crate::harness::{app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(
    a_package_comes_back_as_it_was_uploaded,
    what_is_no_launcher_is_refused_and_the_one_before_stays,
    settings_are_checked_and_secrets_are_not_shown,
    an_administrator_uploads_it_by_the_console,
);

async fn get(url: &str, cookie: Option<&str>, signature: Option<&str>) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(url);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    if let Some(signature) = signature {
        request = request.header("X-Request-Signature", signature);
    }
    request.send().await.unwrap()
}

/// The first line of the answer to an upload that is announced to be so long, and of which nothing is sent.
fn announce(app: &TestApp, length: usize) -> String {
    use std::io::{BufRead, BufReader, Write};
    let host = app.address().strip_prefix("http://").unwrap();
    let mut socket = std::net::TcpStream::connect(host).unwrap();
    write!(socket, "PUT /api/v1/android/launcher HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    line
}

fn extra(code: &str, key: &str) -> String {
    let code: Value = serde_json::from_str(code).unwrap();
    code[format!("android.app.extra.PROVISIONING_{key}")].as_str().unwrap().to_owned()
}

async fn a_package_comes_back_as_it_was_uploaded(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    // More than is written in one transaction, and no whole number of pieces.
    let bytes = apk("com.hmdm.launcher", 3 * 1024 * 1024 + 77);
    let uploaded = upload(&stage.app, &bytes).await.expect(200)["package"].clone();
    assert_eq!((uploaded["version"].as_str(), uploaded["length"].as_u64()), (Some("6.36"), Some(bytes.len() as u64)));
    assert_eq!((uploaded["file_name"].as_str(), &uploaded["signature_checksum"]), (Some("hmdm-6.36-os.apk"), &json!(null)));
    let code = stage.code().await.json;
    let (url, cookie) =
        (extra(&code, "DEVICE_ADMIN_PACKAGE_DOWNLOAD_LOCATION"), extra(&code, "DEVICE_ADMIN_PACKAGE_DOWNLOAD_COOKIE_HEADER"));
    let answer = get(&url, Some(&cookie), None).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()[CONTENT_LENGTH], bytes.len().to_string().as_str());
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    // A launcher that is there already fetches it by its signature.
    let rest = url.split_once("/files/").unwrap().1;
    assert_eq!(get(&url, None, Some(&sign(rest))).await.bytes().await.unwrap(), bytes);
    for (cookie, signature) in [(None, None), (Some("enlist-launcher=x"), None), (None, Some("x")), (None, Some(sign("x").as_str()))] {
        assert_eq!(get(&url, cookie, signature).await.status(), 404, "{cookie:?} {signature:?}");
    }
    assert_eq!(get(&url.replace("launcher.apk", "other.apk"), Some(&cookie), None).await.status(), 404);
    assert!(stage.app.admin().audited().await.contains(&"launcher.upload".to_owned()));
}

async fn what_is_no_launcher_is_refused_and_the_one_before_stays(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    let before = admin.get("/android/launcher").await.expect(200);
    let good = apk("com.hmdm.launcher", 100_000);
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"this is no package".to_vec()),
        ("one that was cut off", good[..good.len() - 10].to_vec()),
        ("another app", apk("com.example.game", 10)),
    ] {
        let problem = upload(&stage.app, &bytes).await.expect(400);
        assert!(problem["detail"].as_str().unwrap().starts_with("file: is "), "{what}: {problem}");
    }
    assert!(announce(&stage.app, 64 * 1024 * 1024 + 1).starts_with("HTTP/1.1 413"));
    assert_eq!(admin.get("/android/launcher").await.expect(200), before);
    // Another package is taken once it is said that it is the right one.
    admin.patch("/android/launcher/settings", &json!({ "component": "com.example.mdm/.Receiver" })).await.expect(200);
    upload(&stage.app, &apk("com.example.mdm", 10)).await.expect(200);
    assert_eq!(extra(&stage.code().await.json, "DEVICE_ADMIN_COMPONENT_NAME"), "com.example.mdm/.Receiver");
    stage.app.app.forget_old().await.unwrap();
}

async fn settings_are_checked_and_secrets_are_not_shown(database: Database) {
    let stage = Stage::new(TestApp::start(database).await).await;
    let admin = stage.app.admin();
    for (field, wrong) in [
        ("component", json!({ "component": "launcher" })),
        ("restrictions", json!({ "restrictions": ["no_camera, lock"] })),
        ("work_apps", json!({ "work_apps": ["mail"] })),
        ("work_apps", json!({ "work_apps": ["com.hmdm.launcher"] })),
        ("poll_seconds", json!({ "poll_seconds": 241 })),
        ("wifi_password", json!({ "wifi_ssid": "corp-setup" })),
        ("wifi_password", json!({ "wifi_ssid": "corp-setup", "wifi_password": "short" })),
        ("wifi_ssid", json!({ "wifi_ssid": "x".repeat(33), "wifi_password": "long enough" })),
    ] {
        let problem = admin.patch("/android/launcher/settings", &wrong).await.expect(400);
        assert_eq!(problem["field"], field, "{problem}");
    }
    let wifi = json!({ "wifi_ssid": "corp-setup", "wifi_password": "hunter2hunter2", "wifi_hidden": true });
    let kept = admin.patch("/android/launcher/settings", &wifi).await.expect(200);
    assert_eq!((&kept["wifi_security"], &kept["has_wifi_password"]), (&json!("WPA"), &json!(true)));
    assert!(!kept.to_string().contains("hunter2"));
    assert!(!admin.get("/audit?limit=200").await.text().contains("hunter2"));
    let code = stage.code().await;
    assert!(code.has_wifi);
    assert_eq!(extra(&code.json, "WIFI_PASSWORD"), "hunter2hunter2");
    admin.patch("/android/launcher/settings", &json!({ "wifi_ssid": "" })).await.expect(200);
    assert!(!stage.code().await.json.contains("WIFI"));
}

async fn an_administrator_uploads_it_by_the_console(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/android/launcher").await.expect(200).says("h-mdm.com").says("trademark");
    let csrf = page.form("/console/android/launcher/upload").entries().into_iter().find(|(name, _)| name == "csrf").unwrap().1;
    let boundary = "a-boundary-of-a-form";
    let form = |csrf: &str, bytes: &[u8]| {
        let mut body =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--{boundary}\r\n").into_bytes();
        body.extend(b"Content-Disposition: form-data; name=\"file\"; filename=\"hmdm.apk\"\r\nContent-Type: application/vnd.android.package-archive\r\n\r\n");
        body.extend(bytes);
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        let request = clerk.request(Method::POST, "/console/android/launcher/upload");
        request.header("content-type", format!("multipart/form-data; boundary={boundary}")).body(body)
    };
    clerk.send(form("x", &apk("com.hmdm.launcher", 100))).await.expect(403);
    clerk.send(form(&csrf, b"no package")).await.expect(400).says("The file is not an Android package");
    let sent = clerk.send(form(&csrf, &apk("com.hmdm.launcher", 2_000_000))).await.expect(303);
    assert_eq!(sent.location(), "/console/android/launcher?done=uploaded");
    let page = clerk.open("/console/android/launcher").await.expect(200).says("hmdm.apk").says("6.36").says("SHA-256 of the file");
    let fields = [("wifi_ssid", "corp-setup"), ("wifi_password", "hunter2hunter2"), ("work_apps", "com.example.mail\ncom.example.crm")];
    let saved = clerk.submit(&page, "/console/android/launcher/settings", &fields).await.expect(200).says("The settings were saved");
    assert!(!saved.source.contains("hunter2"));
    assert_eq!(
        app.admin().get("/android/launcher/settings").await.expect(200)["work_apps"],
        json!(["com.example.mail", "com.example.crm"])
    );
    let refused = clerk.submit(&saved, "/console/android/launcher/settings", &[("poll_seconds", "0")]).await.expect(400);
    refused.says("between 1 and 240");
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    let seen = auditor.open("/console/android/launcher").await.expect(200).says("6.36");
    assert!(!seen.has_form("/console/android/launcher/upload"));
}
