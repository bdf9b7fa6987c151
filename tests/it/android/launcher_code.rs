//! The QR code as a telephone sees it: shown by a real browser, read by zbarimg, and its checksums compared with what openssl and
//! Android's own signing tool say of the package.

use std::{path::Path, process::Command};

use enlist::simulator::Passcode;
use serde_json::{Value, json};

use super::launcher_stage::{Stage, upload};
use crate::{
    browser::{driver::Browser, portal::prove_mailbox},
    harness::{actors::Visitor, app::TestApp, database::Database, folder::TempFolder},
};

/// What a command writes on its standard output.
fn output(folder: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(program).args(arguments).current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}; scripts/test installs it"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// A package that Android's own tools have made and signed.
fn signed_package(folder: &Path) -> Vec<u8> {
    let manifest = "<manifest xmlns:android=\"http://schemas.android.com/apk/res/android\" package=\"com.hmdm.launcher\" \
                    android:versionCode=\"636\" android:versionName=\"6.36\"><uses-sdk android:minSdkVersion=\"26\" \
                    android:targetSdkVersion=\"29\"/><application android:label=\"launcher\" android:hasCode=\"false\"/></manifest>";
    std::fs::write(folder.join("AndroidManifest.xml"), manifest).unwrap();
    let resources = "/usr/share/android-framework-res/framework-res.apk";
    output(folder, "aapt", &["package", "-f", "-M", "AndroidManifest.xml", "-I", resources, "-F", "plain.apk"]);
    output(folder, "zipalign", &["-f", "4", "plain.apk", "aligned.apk"]);
    let request =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=Test", "-days", "30"];
    output(folder, "openssl", &request);
    output(folder, "openssl", &["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.pk8"]);
    output(folder, "apksigner", &["sign", "--key", "key.pk8", "--cert", "cert.pem", "--out", "signed.apk", "aligned.apk"]);
    std::fs::read(folder.join("signed.apk")).unwrap()
}

/// The base64 that devices compare with, made by other programs than ours.
fn checksum(folder: &Path, file: &str) -> String {
    let text = output(folder, "sh", &["-c", &format!("openssl dgst -sha256 -binary {file} | basenc --base64url -w0 | tr -d =")]);
    String::from_utf8(text).unwrap()
}

/// What zbarimg reads from this picture of a screen.
fn read_from_screen(folder: &Path, picture: &[u8]) -> Value {
    std::fs::write(folder.join("screen.png"), picture).unwrap();
    let read = output(folder, "zbarimg", &["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "screen.png"]);
    serde_json::from_slice(&read).unwrap()
}

/// Somebody who was invited walks with a computer to the page that shows the code; gives a picture of the screen, and the code as
/// the page has it in writing.
async fn walk_to_the_code(stage: &Stage) -> (Vec<u8>, String) {
    let app = &stage.app;
    app.admin().invite(&stage.user, "company").await;
    app.work().await;
    let link = Visitor::new(app, "ada@example.com").invitation().unwrap();
    let browser = Browser::start(app.address(), 1280).await;
    browser.open(link.path()).await;
    browser.sees("launcher-invitation", &["set up a new phone of the company"]).await;
    prove_mailbox(app, &browser).await;
    browser.sees("launcher-consent", &["erase the whole device"]).await;
    browser.tick("#consent").await;
    browser.press_text("Agree and go on").await;
    browser.sees("launcher-activate", &["Have the new phone at hand"]).await;
    browser.press_text("ACTIVATE").await;
    let texts = ["Set up the new phone", "tap six times", "holds the password of a wireless network"];
    browser.sees("launcher-code", &texts).await;
    browser.run("document.querySelector('img.qr').scrollIntoView({ block: 'center' })").await;
    let picture = browser.picture().await;
    let written = browser.run("return document.querySelector('[data-enlist=provisioning]').textContent").await;
    browser.press_text("See how far it has come").await;
    browser.sees("launcher-progress", &["Set up the new phone"]).await;
    browser.close().await;
    (picture, written.as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telephone_reads_from_the_screen_what_the_server_means() {
    let stage = Stage::new(TestApp::start(Database::sqlite()).await).await;
    let folder = TempFolder::new("code");
    let wifi = json!({ "wifi_ssid": "Größe & \"Setup\"", "wifi_password": "correct horse battery", "wifi_hidden": true });
    stage.app.admin().patch("/android/launcher/settings", &wifi).await.expect(200);
    let (screen, written) = walk_to_the_code(&stage).await;
    let read = read_from_screen(folder.path(), &screen);
    assert_eq!(read, serde_json::from_str::<Value>(&written).unwrap());
    let at = |key: &str| &read[format!("android.app.extra.PROVISIONING_{key}")];
    for text in [
        "DEVICE_ADMIN_COMPONENT_NAME",
        "DEVICE_ADMIN_PACKAGE_DOWNLOAD_LOCATION",
        "DEVICE_ADMIN_PACKAGE_CHECKSUM",
        "DEVICE_ADMIN_PACKAGE_DOWNLOAD_COOKIE_HEADER",
        "WIFI_SSID",
        "WIFI_SECURITY_TYPE",
        "WIFI_PASSWORD",
    ] {
        assert!(at(text).is_string(), "{text}: {read}");
    }
    for flag in ["LEAVE_ALL_SYSTEM_APPS_ENABLED", "WIFI_HIDDEN"] {
        assert!(at(flag).is_boolean(), "{flag}: {read}");
    }
    let bundle = at("ADMIN_EXTRAS_BUNDLE").as_object().unwrap();
    assert_eq!(
        bundle.keys().map(String::as_str).collect::<Vec<_>>(),
        ["com.hmdm.BASE_URL", "com.hmdm.DEVICE_ID", "com.hmdm.SERVER_PROJECT"]
    );
    assert_eq!((&bundle["com.hmdm.BASE_URL"], &bundle["com.hmdm.SERVER_PROJECT"]), (&json!(stage.app.address()), &json!("android/hw")));
    assert_eq!(read.as_object().unwrap().len(), 10, "nothing else is in it: {read}");
    std::fs::write(folder.path().join("unsigned.apk"), super::launcher_stage::apk("com.hmdm.launcher", 200_000)).unwrap();
    assert_eq!(at("DEVICE_ADMIN_PACKAGE_CHECKSUM"), &checksum(folder.path(), "unsigned.apk"));
    stage.app.work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_package_is_known_by_its_signer() {
    let stage = Stage::new(TestApp::start(Database::sqlite()).await).await;
    let folder = TempFolder::new("signed");
    let package = signed_package(folder.path());
    let uploaded = upload(&stage.app, &package).await.expect(200)["package"].clone();
    assert_eq!((uploaded["package"].as_str(), uploaded["version"].as_str()), (Some("com.hmdm.launcher"), Some("6.36")));
    assert_eq!(uploaded["package_checksum"], checksum(folder.path(), "signed.apk"));
    let code: Value = serde_json::from_str(&stage.code().await.json).unwrap();
    let announced = code["android.app.extra.PROVISIONING_DEVICE_ADMIN_SIGNATURE_CHECKSUM"].as_str().unwrap();
    assert!(code.get("android.app.extra.PROVISIONING_DEVICE_ADMIN_PACKAGE_CHECKSUM").is_none(), "one checksum, not two");
    // What the signing tool says of the certificate, in hexadecimal digits.
    let said = String::from_utf8(output(folder.path(), "apksigner", &["verify", "--print-certs", "signed.apk"])).unwrap();
    let digits = said.lines().find_map(|line| line.split_once("certificate SHA-256 digest: ")).unwrap().1.trim();
    let bytes: Vec<u8> =
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    std::fs::write(folder.path().join("digest"), bytes).unwrap();
    let by_tool = String::from_utf8(output(folder.path(), "sh", &["-c", "basenc --base64url -w0 digest | tr -d ="])).unwrap();
    assert_eq!(announced, by_tool);
    output(folder.path(), "openssl", &["x509", "-in", "cert.pem", "-outform", "DER", "-out", "cert.der"]);
    assert_eq!(announced, checksum(folder.path(), "cert.der"));
    // And a device takes it.
    let mut launcher = stage.installed("R5CT-SIGNED", Passcode::Strong).await;
    launcher.enroll().await.unwrap();
    assert_eq!(stage.device("R5CT-SIGNED").await["enrollment"], "enrolled");
    stage.app.work().await;
}
