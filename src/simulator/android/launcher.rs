//! A device with the Headwind launcher: reads the QR code in its set-up wizard, fetches the launcher, and then does what its
//! configuration says. It checks every signature, as a launcher can be built to do.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use openssl::sha::Sha1;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::{apk, launcher_passcode};
use crate::simulator::{
    error::{Error, Result, protocol},
    message::{State, Step},
    passcode::Passcode,
    transport::Trust,
};

/// The secret of the published launcher.
const SECRET: &str = "changeme-C3z9vi54";
/// The launcher's own package.
const PACKAGE: &str = "com.hmdm.launcher";
/// A launcher gives a waiting server so long.
const TIMEOUT: Duration = Duration::from_secs(300);
/// MD5 of the password that holds where a configuration names none.
const KNOWN_PANEL: &str = "25D55AD283AA400AF464C76D713C07AD";
/// Longest package that is fetched, in bytes.
const LONGEST_PACKAGE: usize = 128 * 1024 * 1024;
/// Lines of the log that are sent at once.
const LINES_AT_ONCE: usize = 10;

/// What a device is.
#[derive(Clone)]
pub struct LauncherOptions {
    /// The passcode that its owner chose.
    pub passcode: Passcode,
    /// Its serial number.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Version of its system.
    pub android_version: String,
    /// The launcher owns the device, as it does after a set-up by QR code.
    pub is_device_owner: bool,
    /// Whom it trusts.
    pub trust: Trust,
    /// The device's clock, in milliseconds.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl LauncherOptions {
    /// A device with this serial number and passcode, and the clock of this machine.
    #[must_use]
    pub fn new(serial: impl Into<String>, passcode: Passcode) -> Self {
        Self {
            passcode,
            serial: serial.into(),
            model: "SM-G556B".into(),
            android_version: "15".into(),
            is_device_owner: true,
            trust: Trust::System,
            clock: Arc::new(present),
        }
    }
}

/// The clock of this machine.
#[allow(clippy::disallowed_methods, reason = "a phone has a clock of its own")]
fn present() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LauncherState {
    /// The launcher is installed.
    Installed,
    /// It has its configuration.
    Managed,
    /// The server does not know it any more.
    Forgotten,
    /// It was reset to its factory state.
    Reset,
}

impl From<LauncherState> for State {
    fn from(state: LauncherState) -> Self {
        match state {
            LauncherState::Installed => Self::New,
            LauncherState::Managed => Self::Enrolled,
            LauncherState::Forgotten => Self::Removed,
            LauncherState::Reset => Self::Wiped,
        }
    }
}

/// One device.
pub struct Launcher {
    client: Client,
    options: LauncherOptions,
    base: String,
    project: String,
    number: String,
    state: LauncherState,
    passcode: Option<String>,
    configuration: Value,
    apps: BTreeSet<String>,
    rules: Vec<Value>,
    log: Vec<Value>,
    journal: Vec<Step>,
}

impl Launcher {
    /// A new device that reads a QR code: it fetches the launcher and makes sure that it is the right one.
    pub async fn provision(code: &str, options: LauncherOptions) -> Result<Self> {
        let code: Value = serde_json::from_str(code).map_err(|error| protocol("read the QR code", error.to_string()))?;
        let at = |key: &str| code.get(format!("android.app.extra.PROVISIONING_{key}"));
        let text = |key: &str| at(key).and_then(Value::as_str);
        let needed = |key: &str| text(key).ok_or_else(|| protocol("read the QR code", format!("{key} is missing")));
        let component = needed("DEVICE_ADMIN_COMPONENT_NAME")?;
        if component.split_once('/').is_none_or(|(package, receiver)| package.is_empty() || receiver.is_empty()) {
            return Err(protocol("read the QR code", "the component is not a package and a receiver"));
        }
        if at("LEAVE_ALL_SYSTEM_APPS_ENABLED").is_some_and(|value| !value.is_boolean()) {
            return Err(protocol("read the QR code", "LEAVE_ALL_SYSTEM_APPS_ENABLED is not true or false"));
        }
        let builder = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = options.trust.apply(builder)?.build().map_err(network("set up the device's connection"))?;
        let package =
            download(&client, needed("DEVICE_ADMIN_PACKAGE_DOWNLOAD_LOCATION")?, text("DEVICE_ADMIN_PACKAGE_DOWNLOAD_COOKIE_HEADER"))
                .await?;
        match (text("DEVICE_ADMIN_PACKAGE_CHECKSUM"), text("DEVICE_ADMIN_SIGNATURE_CHECKSUM")) {
            (Some(checksum), None) => apk::check_package(&package, checksum)?,
            (None, Some(checksum)) => apk::check_signature(&package, checksum)?,
            _ => return Err(protocol("read the QR code", "there must be one checksum")),
        }
        let bundle = at("ADMIN_EXTRAS_BUNDLE").ok_or_else(|| protocol("read the QR code", "ADMIN_EXTRAS_BUNDLE is missing"))?;
        let extra = |key: &str| {
            let value = bundle.get(format!("com.hmdm.{key}")).and_then(Value::as_str);
            value.map(str::to_owned).ok_or_else(|| protocol("read the QR code", format!("com.hmdm.{key} is missing")))
        };
        Ok(Self {
            base: extra("BASE_URL")?,
            project: extra("SERVER_PROJECT")?,
            number: extra("DEVICE_ID")?,
            client,
            state: LauncherState::Installed,
            passcode: launcher_passcode::typed(options.passcode),
            options,
            configuration: Value::Null,
            apps: BTreeSet::new(),
            rules: Vec::new(),
            log: Vec::new(),
            journal: Vec::new(),
        })
    }

    /// The launcher starts for the first time: it asks for its configuration, applies it, and says how the device is.
    pub async fn enroll(&mut self) -> Result<()> {
        let body = json!({ "customer": null, "configuration": "", "groups": [], "groupSet": [] });
        self.configure(Method::POST, Some(body)).await
    }

    /// Fetches the configuration and does what it says.
    pub async fn fetch(&mut self) -> Result<()> {
        self.configure(Method::GET, None).await
    }

    async fn configure(&mut self, method: Method, body: Option<Value>) -> Result<()> {
        let Some(configuration) = self.ask_for_configuration(method, body).await? else { return Ok(()) };
        self.take_over(configuration).await
    }

    /// Fetches the configuration, and loses it on the way: nothing of it is done.
    pub async fn fetch_and_lose(&mut self) -> Result<()> {
        self.ask_for_configuration(Method::GET, None).await.map(drop)
    }

    /// The very first request, whose answer is lost on the way.
    pub async fn enroll_and_lose(&mut self) -> Result<()> {
        self.ask_for_configuration(Method::POST, Some(json!({}))).await.map(drop)
    }

    async fn ask_for_configuration(&mut self, method: Method, body: Option<Value>) -> Result<Option<Value>> {
        let path = format!("/rest/public/sync/configuration/{}", self.number);
        let signature = sign(&self.number);
        let response = self.send(method, &path, Some(signature), body.as_ref()).await?;
        self.data(response, "fetch the configuration").await
    }

    /// Everything that follows from a configuration, in the order in which the launcher does it.
    async fn take_over(&mut self, configuration: Value) -> Result<()> {
        let panel = configuration.get("password").and_then(Value::as_str).unwrap_or_default();
        let is_hash = panel.len() == 32 && panel.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte));
        if !is_hash || panel == KNOWN_PANEL {
            return Err(protocol("read the configuration", "the launcher's own settings are open to everybody"));
        }
        if configuration.get("kioskMode") != Some(&Value::Bool(false)) {
            return Err(protocol("read the configuration", "the published launcher stops where kioskMode is not false"));
        }
        if let Some(number) = configuration.get("newNumber").and_then(Value::as_str) {
            number.clone_into(&mut self.number);
        }
        let (was_locked, mode_before) = (self.flag("lock"), self.password_mode());
        self.configuration = configuration;
        self.state = LauncherState::Managed;
        match (was_locked, self.flag("lock")) {
            (false, true) => self.note("lock", true),
            (true, false) => self.note("unlock", true),
            _ => {}
        }
        if self.password_mode() != mode_before {
            self.note("passwordMode", true);
        }
        self.fetch_rules().await?;
        self.reset_if_told().await?;
        if self.state == LauncherState::Reset {
            return Ok(());
        }
        self.set_passcode_if_told().await?;
        self.remove_apps();
        self.open_screen();
        self.send_log().await?;
        self.send_info().await
    }

    async fn fetch_rules(&mut self) -> Result<()> {
        let response = self.send(Method::GET, &format!("/rest/plugins/devicelog/log/rules/{}", self.number), None, None).await?;
        if let Some(rules) = self.data(response, "fetch the rules of the log").await? {
            self.rules = rules.as_array().cloned().unwrap_or_default();
        }
        Ok(())
    }

    /// Asks for permission, and erases everything where it is given.
    async fn reset_if_told(&mut self) -> Result<()> {
        if !self.flag("factoryReset") {
            return Ok(());
        }
        let may_reset = self.ask_for_reset().await?;
        self.note("factoryReset", may_reset);
        if may_reset {
            self.state = LauncherState::Reset;
            self.passcode = None;
            self.apps.clear();
        }
        Ok(())
    }

    /// Whether the server permits a reset. A launcher asks only after it was told to reset.
    pub async fn ask_for_reset(&self) -> Result<bool> {
        let info = self.info();
        let response = self.send(Method::POST, &format!("/rest/plugins/devicereset/public/{}", self.number), None, Some(&info)).await?;
        Ok(response.status().is_success())
    }

    async fn set_passcode_if_told(&mut self) -> Result<()> {
        let Some(passcode) = self.configuration.get("passwordReset").and_then(Value::as_str).map(str::to_owned) else { return Ok(()) };
        self.note("passwordReset", true);
        self.passcode = Some(passcode);
        let path = format!("/rest/plugins/devicereset/public/password/{}", self.number);
        self.send(Method::POST, &path, None, Some(&self.info())).await.map(drop)
    }

    fn remove_apps(&mut self) {
        let apps = self.configuration.get("applications").and_then(Value::as_array).cloned().unwrap_or_default();
        for app in apps.iter().filter(|app| app.get("remove") == Some(&Value::Bool(true))) {
            if let Some(package) = app.get("pkg").and_then(Value::as_str)
                && self.apps.remove(package)
            {
                self.note("remove", true);
            }
        }
    }

    /// The launcher's screen is opened: it applies the password mode, and writes into its log whether the passcode suffices.
    pub fn open_screen(&mut self) {
        if self.state == LauncherState::Managed {
            let is_sufficient = launcher_passcode::is_sufficient(self.passcode.as_deref(), self.password_mode().as_deref());
            self.write_log(4, &format!("Active password quality sufficient: {is_sufficient}"));
        }
    }

    /// The system refuses what the launcher asks of the passcode: the launcher writes that down.
    pub fn fail_to_apply(&mut self) {
        self.write_log(2, "Failed to update password quality: java.lang.SecurityException");
    }

    /// Writes a line that a rule asks for.
    fn write_log(&mut self, level: u64, message: &str) {
        let is_asked_for = self.rules.iter().any(|rule| {
            let text = |key: &str| rule.get(key).and_then(Value::as_str).unwrap_or_default();
            text("packageId") == PACKAGE && rule.get("logLevel").and_then(Value::as_u64) >= Some(level) && message.contains(text("filter"))
        });
        if is_asked_for {
            let line = json!({ "timestamp": (self.options.clock)(), "logLevel": level, "packageId": PACKAGE, "message": message });
            self.log.push(line);
        }
    }

    /// Sends the lines that were written and not sent yet.
    pub async fn send_log(&mut self) -> Result<()> {
        while !self.log.is_empty() {
            let lines: Vec<Value> = self.log.iter().take(LINES_AT_ONCE).cloned().collect();
            let count = lines.len();
            self.send_lines(&Value::Array(lines)).await?;
            self.log.drain(..count);
        }
        Ok(())
    }

    /// Sends these lines.
    pub async fn send_lines(&self, lines: &Value) -> Result<()> {
        let path = format!("/rest/plugins/devicelog/log/list/{}", self.number);
        let response = self.send(Method::POST, &path, None, Some(lines)).await?;
        if response.status().is_success() { Ok(()) } else { Err(refused("send the log", response).await) }
    }

    /// Says how the device is.
    pub async fn send_info(&mut self) -> Result<()> {
        let response = self.send(Method::POST, "/rest/public/sync/info", None, Some(&self.info())).await?;
        self.data(response, "say how the device is").await.map(drop)
    }

    /// What the device says of itself.
    #[must_use]
    pub fn info(&self) -> Value {
        json!({
            "model": self.options.model, "permissions": [1, 1, 1, 0],
            "applications": [{ "pkg": PACKAGE, "version": "6.36", "name": "Headwind MDM" }], "files": [],
            "deviceId": self.number, "phone": null, "imei": null, "mdmMode": self.options.is_device_owner, "kioskMode": false,
            "batteryLevel": 71, "batteryCharging": "", "androidVersion": self.options.android_version,
            "factoryReset": self.flag("factoryReset"), "launcherType": "", "launcherPackage": PACKAGE, "defaultLauncher": true,
            "cpu": "arm64-v8a", "serial": self.options.serial,
        })
    }

    /// Waits for news. Where there are some the configuration is fetched; says whether there were.
    pub async fn poll(&mut self) -> Result<bool> {
        let has_news = self.wait_for_news().await?;
        if has_news {
            self.fetch().await?;
        }
        Ok(has_news)
    }

    /// Waits for news, and does nothing about them.
    pub async fn wait_for_news(&mut self) -> Result<bool> {
        let path = format!("/rest/notification/polling/{}", self.number);
        // With a path of its project the launcher signs the address without the slash at its beginning.
        let signature = sign(&format!("{}{path}", self.project));
        let response = self.send(Method::GET, &path, Some(signature), None).await?;
        if response.status().as_u16() == 404 {
            self.state = LauncherState::Forgotten;
            return Ok(false);
        }
        let messages = self.data(response, "wait for news").await?.unwrap_or_default();
        let messages = messages.as_array().cloned().unwrap_or_default();
        Ok(messages.iter().any(|message| message.get("messageType").and_then(Value::as_str) == Some("configUpdated")))
    }

    async fn send(&self, method: Method, path: &str, signature: Option<String>, body: Option<&Value>) -> Result<Response> {
        let url = format!("{}/{}{path}", self.base, self.project);
        let mut request = self.client.request(method, url).header("X-CPU-Arch", "arm64-v8a");
        if let Some(signature) = signature {
            request = request.header("X-Request-Signature", signature);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(network("reach the server"))
    }

    /// The data of an answer. An answer that says that the device is not known ends what the launcher does.
    async fn data(&mut self, response: Response, doing: &'static str) -> Result<Option<Value>> {
        if !response.status().is_success() {
            return Err(refused(doing, response).await);
        }
        let given = response.headers().get("x-response-signature").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let text = response.text().await.map_err(network(doing))?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| protocol(doing, error.to_string()))?;
        match answer.get("status").and_then(Value::as_str) {
            Some("OK") => {}
            Some("ERROR") => {
                let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
                if message == "error.notfound.device" {
                    self.state = LauncherState::Forgotten;
                    return Ok(None);
                }
                return Err(Error::Refused { doing: doing.into(), status: 200, body: message });
            }
            _ => return Err(protocol(doing, "the answer has no status")),
        }
        // A launcher that checks signatures takes the data out as text.
        let start = text.find("\"data\":").and_then(|at| at.checked_add(7));
        let data = start.zip(text.rfind('}')).and_then(|(start, end)| text.get(start..end)).unwrap_or_default();
        let bare: String = data.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        if !sign(&bare).eq_ignore_ascii_case(&given) {
            return Err(protocol(doing, "the answer's signature is not right"));
        }
        Ok(answer.get("data").cloned())
    }

    /// Writes down what the configuration told it to do, and whether it was done.
    fn note(&mut self, what: &str, is_done: bool) {
        let status = if is_done { "acknowledged" } else { "failed" };
        self.journal.push(Step { request_type: what.to_owned(), status: status.to_owned() });
    }

    /// What its configurations told it to do, by their keys, and how that ended.
    #[must_use]
    pub fn journal(&self) -> &[Step] {
        &self.journal
    }

    fn password_mode(&self) -> Option<String> {
        self.configuration.get("passwordMode").and_then(Value::as_str).map(str::to_owned)
    }

    fn flag(&self, key: &str) -> bool {
        self.configuration.get(key) == Some(&Value::Bool(true))
    }

    /// Where the device stands.
    #[must_use]
    pub const fn state(&self) -> LauncherState {
        self.state
    }

    /// The number that it uses.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Uses another number from now on.
    pub fn set_number(&mut self, number: impl Into<String>) {
        self.number = number.into();
    }

    /// Its passcode.
    #[must_use]
    pub fn passcode(&self) -> Option<&str> {
        self.passcode.as_deref()
    }

    /// Its owner chooses another passcode.
    pub fn choose_passcode(&mut self, passcode: Passcode) {
        self.passcode = launcher_passcode::typed(passcode);
    }

    /// Puts an app onto the device.
    pub fn install(&mut self, package: &str) {
        self.apps.insert(package.to_owned());
    }

    /// Whether an app is on the device.
    #[must_use]
    pub fn has(&self, package: &str) -> bool {
        self.apps.contains(package)
    }

    /// What its configuration says.
    #[must_use]
    pub const fn configuration(&self) -> &Value {
        &self.configuration
    }

    /// What covers the screen; nothing where it is not locked.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        self.flag("lock").then(|| self.configuration.get("lockMessage").and_then(Value::as_str).unwrap_or_default())
    }

    /// How often it was told to set another passcode.
    #[must_use]
    pub fn passcode_resets(&self) -> usize {
        self.journal.iter().filter(|step| step.request_type == "passwordReset").count()
    }
}

async fn download(client: &Client, location: &str, cookie: Option<&str>) -> Result<Vec<u8>> {
    let mut request = client.get(location);
    if let Some(cookie) = cookie {
        request = request.header("Cookie", cookie);
    }
    let mut response = request.send().await.map_err(network("fetch the launcher"))?;
    if !response.status().is_success() {
        return Err(refused("fetch the launcher", response).await);
    }
    let announced = response.content_length().ok_or_else(|| protocol("fetch the launcher", "the answer does not say how long it is"))?;
    let mut package = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(network("fetch the launcher"))? {
        package.extend_from_slice(&piece);
        if package.len() > LONGEST_PACKAGE {
            return Err(protocol("fetch the launcher", "it is too long"));
        }
    }
    if u64::try_from(package.len()) != Ok(announced) {
        return Err(protocol("fetch the launcher", "it is not as long as it was said to be"));
    }
    Ok(package)
}

/// `SHA1(secret ‖ value)` in upper-case hexadecimal digits.
#[must_use]
pub fn sign(value: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(SECRET.as_bytes());
    hash.update(value.as_bytes());
    hash.finish().iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

fn network(doing: &'static str) -> impl FnOnce(reqwest::Error) -> Error {
    move |source| Error::Network { doing: doing.into(), source }
}

async fn refused(doing: &'static str, response: Response) -> Error {
    let status = response.status().as_u16();
    let body = response.text().await.unwrap_or_default().chars().take(300).collect();
    Error::Refused { doing: doing.into(), status, body }
}
