//! The shipped configuration of nginx, in the real nginx, before two real servers.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use enlist::simulator::{Phone, PhoneOptions, model::Model, transport::Trust};
use reqwest::{Client, redirect::Policy};
use serde_json::json;

use super::text;
use crate::{
    doctor::stage::leaf,
    harness::{
        database::Database,
        folder::TempFolder,
        process::{Installation, free_port},
    },
};

/// A running nginx, stopped when this is dropped.
struct Nginx(Child);

impl Nginx {
    /// Starts nginx in this folder with the shipped configuration, in which ports and paths of a container are replaced.
    fn start(folder: &Path, http: u16, https: u16, servers: [u16; 2]) -> Self {
        let mut configuration = text("deploy/nginx.conf");
        let mut replace = |from: &str, to: &str| {
            assert!(configuration.contains(from), "{from}");
            configuration = configuration.replace(from, to);
        };
        replace("listen 80;", &format!("listen 127.0.0.1:{http};"));
        replace("listen 443 ssl;", &format!("listen 127.0.0.1:{https} ssl;"));
        replace("enlist-1:8443", &format!("127.0.0.1:{}", servers[0]));
        replace("enlist-2:8443", &format!("127.0.0.1:{}", servers[1]));
        replace("/etc/nginx/tls/", &format!("{}/", folder.display()));
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()))
            .join("\n");
        replace("\nhttp {\n", &format!("\nhttp {{\n{temporary}\n"));
        let path = folder.join("nginx.conf");
        std::fs::write(&path, configuration).unwrap();
        let globals = format!("daemon off; pid {0}/pid;", folder.display());
        let mut command = Command::new("nginx");
        command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin").stdin(Stdio::null()).stdout(Stdio::null());
        command.arg("-p").arg(folder).arg("-c").arg(&path).arg("-e").arg(folder.join("error.log")).args(["-g", &globals]);
        command.stderr(Stdio::null());
        Self(command.spawn().expect("nginx is installed: scripts/test sees to it"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that its workers go as well.
        drop(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_enroll_through_nginx_and_do_not_see_that_a_server_dies() {
    let folder = TempFolder::new("nginx");
    let (http, https, other) = (free_port(), free_port(), free_port());
    let front = format!("https://localhost:{https}");
    let installation = Installation::new(Database::postgres()).behind(&front);
    let pair = leaf("localhost", None, -1, 30);
    let (certificate, key) = pair.write(folder.path(), "chain");
    std::fs::rename(key, folder.path().join("key.pem")).unwrap();
    let first = installation.start().await;
    let _second = installation.start_on(other).await;
    let _nginx = Nginx::start(folder.path(), http, https, [installation.port(), other]);

    let root = reqwest::Certificate::from_pem(&std::fs::read(&certificate).unwrap()).unwrap();
    let client = Client::builder().no_proxy().redirect(Policy::none()).tls_certs_merge([root]).build().unwrap();
    let began = Instant::now();
    while client.get(format!("{front}/readyz")).send().await.is_err() {
        let log = std::fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(20), "nginx does not answer: {log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let plain = client.get(format!("http://127.0.0.1:{http}/console")).header("host", "localhost").send().await.unwrap();
    assert_eq!((plain.status().as_u16(), plain.headers()["location"].to_str().unwrap()), (301, "https://localhost/console"));
    assert_eq!(client.get(format!("{front}/metrics")).send().await.unwrap().status(), 404);
    // A certificate that a stranger claims to have does not reach the servers, though they believe this proxy.
    let forged = client.get(format!("{front}/readyz")).header("client-cert", ":AAAA:").header("x_forwarded_for", "1.2.3.4");
    assert_eq!(forged.send().await.unwrap().status(), 200);

    let user = installation.api().create_user("ada@example.org").await;
    let profile = installation.api().post(&format!("users/{user}/enrollment-profile"), &json!({ "platform": "ios" })).await.unwrap();
    let options = PhoneOptions {
        anchors: vec![installation.api().authority().await.unwrap()],
        trust: Trust::File(certificate.clone()),
        ..PhoneOptions::default()
    };
    let mut phone = Phone::new(&profile, Model::numbered("nginx", 1), options).unwrap();
    assert!(phone.mdm().server_url.as_str().starts_with(&front), "the profile leads to the proxy");
    phone.enroll().await.unwrap();
    for _ in 0..10 {
        phone.poll().await.unwrap();
    }
    first.kill();
    for _ in 0..20 {
        phone.poll().await.unwrap();
        assert_eq!(client.get(format!("{front}/readyz")).send().await.unwrap().status(), 200);
    }
}
