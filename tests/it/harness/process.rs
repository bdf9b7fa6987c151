//! The server as a process of its own: started, killed, stopped and started again on the same data.

use std::{
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use enlist::simulator::{Phone, PhoneOptions, model::Model};
use openssl::x509::X509;
use reqwest::{Client, Url};
use serde_json::{Value, json};

use super::{actors::Admin, database::Database, folder::TempFolder};

/// How long a server may take until it is ready. Far more than it needs; whoever cares measures.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data folder with a key, a database that was set up, and a port.
pub struct Installation {
    folder: TempFolder,
    database: Database,
    port: u16,
    /// The port for devices, where there is one.
    device_port: Option<u16>,
    token: String,
    /// How the world calls it, where that is not its own port.
    address: Option<String>,
}

impl Installation {
    /// Sets a server up on a migrated database.
    pub fn new(database: Database) -> Self {
        let mut installation = Self::bare(database);
        let words = ["init", "--organization", "Acme", "--admin", "admin@example.org", "--password-stdin"];
        installation.say(&words, "a long enough password\n");
        let said = installation.say(&["token", "create", "--name", "test", "--role", "administrator"], "");
        said.trim().clone_into(&mut installation.token);
        installation
    }

    /// A data folder with nothing in it.
    pub fn bare(database: Database) -> Self {
        Self { folder: TempFolder::new("data"), database, port: free_port(), device_port: None, token: String::new(), address: None }
    }

    /// Opens the port for devices as well.
    pub fn with_device_port(mut self) -> Self {
        self.device_port = Some(free_port());
        self
    }

    /// Where devices come with a certificate.
    pub fn device_address(&self) -> String {
        format!("https://127.0.0.1:{}", self.device_port.expect("the installation has a port for devices"))
    }

    /// Gives the installation another public address: that of a proxy on this machine, which is believed.
    pub fn behind(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// A place for the same server after everything else was lost: its port, its administrator's token, and nothing more.
    pub fn successor(&self, database: Database) -> Self {
        let folder = TempFolder::new("data");
        let (port, device_port) = (self.port, self.device_port);
        Self { folder, database, port, device_port, token: self.token.clone(), address: self.address.clone() }
    }

    /// Runs a command of the binary to its end, with this on its standard input.
    pub fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = self.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        // A command that refuses its words does not read them.
        drop(std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// An administrator who looks at refusals too.
    pub fn admin(&self) -> Admin {
        Admin::new(format!("http://127.0.0.1:{}", self.port), Some(self.token.clone()))
    }

    /// Runs a command of the binary and gives what it printed.
    fn say(&self, words: &[&str], input: &str) -> String {
        let mut child = self.command(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The binary with the options of this installation.
    pub fn command(&self, words: &[&str]) -> Command {
        self.command_on(self.port, words)
    }

    /// The same at another port, as a second server has it.
    pub fn command_on(&self, port: u16, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enlist"));
        command.env_clear().current_dir(self.folder.path()).args(words).arg("--data-dir").arg(self.folder.path());
        command.args(["--database-url", self.database.url_text(), "--tls", "off"]);
        let devices = self.device_port.map_or_else(|| "off".to_owned(), |port| format!("127.0.0.1:{port}"));
        command.args(["--device-listen", &devices]);
        let address = self.address.clone().unwrap_or_else(|| self.base().origin().ascii_serialization());
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--public-url", &address]);
        if self.address.is_some() {
            command.args(["--trusted-proxies", "127.0.0.1"]);
        }
        command
    }

    /// Starts the server and waits until it is ready.
    pub async fn start(&self) -> Server {
        self.start_on(self.port).await
    }

    /// Starts another server on the same data at another port.
    pub async fn start_on(&self, port: u16) -> Server {
        let server = self.launch(port);
        server.wait_until_ready().await;
        server
    }

    /// Starts a server and does not wait.
    pub fn launch(&self, port: u16) -> Server {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let began = Instant::now();
        let child = self.command_on(port, &["serve"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Server { child: child.expect("the binary runs"), port, began }
    }

    /// Where the server writes its log.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The public address.
    pub fn base(&self) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}/", self.port)).unwrap()
    }

    /// The administrator's program.
    pub fn api(&self) -> Api {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Api { client, base: self.base(), token: self.token.clone() }
    }
}

/// A port that nobody uses, below those that outgoing connections take: it is free again after every restart.
pub fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::from_be_bytes(uuid::Uuid::new_v4().as_bytes()[..2].try_into().unwrap()) % 22_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A running server, killed when this is dropped.
pub struct Server {
    child: Child,
    port: u16,
    began: Instant,
}

impl Server {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it can do its work; gives how long that took since it was started.
    pub async fn wait_until_ready(&self) -> Duration {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        while self.began.elapsed() < PATIENCE {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return self.began.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let running = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        panic!("the server was not ready after {PATIENCE:?}; its process: {running}");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9), "the server had ended by itself");
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the process that was started is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Memory that it has in use, in kilobytes.
    pub fn memory(&self) -> u64 {
        self.status_line("VmRSS:")
    }

    /// Forgets the highest use of memory so far.
    pub fn reset_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.id()), "5").unwrap();
    }

    /// Most memory that it had in use since the peak was reset, in kilobytes.
    pub fn peak(&self) -> u64 {
        self.status_line("VmHWM:")
    }

    fn status_line(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What an administrator's program does. Connections that break are errors, everything else must succeed.
#[derive(Clone)]
pub struct Api {
    client: Client,
    base: Url,
    token: String,
}

impl Api {
    /// GET, as JSON.
    pub async fn get(&self, path: &str) -> reqwest::Result<Value> {
        let answer = self.client.get(self.url(path)).bearer_auth(&self.token).send().await?;
        assert!(answer.status().is_success(), "GET {path}: {}", answer.status());
        answer.json().await
    }

    /// POST of JSON; the body of the answer.
    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Vec<u8>> {
        let answer = self.client.post(self.url(path)).bearer_auth(&self.token).json(body).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?.to_vec();
        assert!(status.is_success(), "POST {path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    /// Creates a user and gives the identifier.
    pub async fn create_user(&self, email: &str) -> String {
        let body = self.post("users", &json!({ "email": email, "name": email })).await.unwrap();
        let user: Value = serde_json::from_slice(&body).unwrap();
        user["id"].as_str().unwrap().to_owned()
    }

    /// A signed enrollment profile for a user.
    pub async fn profile(&self, user: &str) -> reqwest::Result<Vec<u8>> {
        self.post(&format!("users/{user}/enrollment-profile"), &json!({ "platform": "ios" })).await
    }

    /// A phone with a new enrollment profile of a new user in its hand.
    pub async fn phone(&self, email: &str) -> Phone {
        let user = self.create_user(email).await;
        self.phone_of(&user, email).await.unwrap()
    }

    /// A phone with a new enrollment profile of this user in its hand.
    pub async fn phone_of(&self, user: &str, name: &str) -> reqwest::Result<Phone> {
        let profile = self.profile(user).await?;
        let options = PhoneOptions { anchors: vec![self.authority().await?], ..PhoneOptions::default() };
        Ok(Phone::new(&profile, Model::numbered(name, 1), options).unwrap())
    }

    /// The certificate of the device CA.
    pub async fn authority(&self) -> reqwest::Result<X509> {
        let pem = self.client.get(self.base.join("pki/ca.pem").unwrap()).send().await?.bytes().await?;
        Ok(X509::from_pem(&pem).unwrap())
    }

    fn url(&self, path: &str) -> Url {
        self.base.join("api/v1/").unwrap().join(path).unwrap()
    }
}
