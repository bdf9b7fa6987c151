//! A real Chromium, led by ChromeDriver as a person leads it: it opens pages, types, presses, and is looked at.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::harness::folder::TempFolder;

/// What Chromium is started with: no window, and no conversation with its maker.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    // What is pressed must not be on its way to somewhere else.
    "--force-prefers-reduced-motion",
];

/// The colours that a page should have, for Chrome's own door: `WebDriver` does not know them.
#[derive(Debug)]
struct ColorScheme(&'static str);

impl WebDriverCompatibleCommand for ColorScheme {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let features = json!([{ "name": "prefers-color-scheme", "value": self.0 }]);
        (Method::POST, Some(json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } }).to_string()))
    }
}

/// ChromeDriver on a free port; it ends with this.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // With the browser, which would go on without it after a test that failed. Both may have ended by themselves.
        let group = format!("-{}", self.0.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        drop(self.0.wait());
    }
}

/// A browser.
pub struct Browser {
    client: Client,
    base: String,
    width: u32,
    _driver: Driver,
    profile: Arc<TempFolder>,
}

/// What differs from one person's browser to the next.
#[derive(Clone)]
pub struct Habits {
    /// The folder where the browser keeps what it keeps.
    pub profile: Arc<TempFolder>,
    /// It opens a private window.
    pub is_private: bool,
    /// It blocks cookies.
    pub blocks_cookies: bool,
    /// What it calls itself; what it is where there is none.
    pub agent: Option<String>,
}

impl Default for Habits {
    fn default() -> Self {
        Self { profile: Arc::new(TempFolder::new("browser")), is_private: false, blocks_cookies: false, agent: None }
    }
}

impl Browser {
    /// A browser for this server, whose window is so many pixels wide.
    pub async fn start(base: &str, width: u32) -> Self {
        Self::start_with(base, width, Habits::default()).await
    }

    /// The same with another name for itself.
    pub async fn start_as(base: &str, width: u32, agent: &str) -> Self {
        Self::start_with(base, width, Habits { agent: Some(agent.to_owned()), ..Habits::default() }).await
    }

    /// The same, with habits of its own.
    pub async fn start_with(base: &str, width: u32, habits: Habits) -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is needed; scripts/test installs it");
        let port = port_of(&mut child);
        let driver = Driver(child);
        let profile = habits.profile;
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.extend(habits.agent.map(|agent| format!("--user-agent={agent}")));
        if habits.is_private {
            arguments.push("--incognito".into());
        }
        let mut wanted = Capabilities::new();
        wanted.insert("browserName".into(), json!("chrome"));
        let mut preferences =
            json!({ "download.default_directory": profile.path().join("downloads"), "download.prompt_for_download": false });
        if habits.blocks_cookies {
            preferences["profile.default_content_setting_values.cookies"] = json!(2);
        }
        wanted.insert("goog:chromeOptions".into(), json!({ "args": arguments, "prefs": preferences }));
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium starts");
        client.set_window_size(width, 900).await.unwrap();
        Self { client, base: base.to_owned(), width, _driver: driver, profile }
    }

    /// Lets every page from now on be in dark colours.
    pub async fn darken(&self) {
        self.client.issue_cmd(ColorScheme("dark")).await.unwrap();
        assert_eq!(self.run("return matchMedia('(prefers-color-scheme: dark)').matches").await, json!(true));
    }

    /// The status with which the page came.
    pub async fn status(&self) -> u64 {
        self.run("return performance.getEntriesByType('navigation')[0].responseStatus").await.as_u64().unwrap()
    }

    /// Opens a page of the server.
    pub async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap();
    }

    /// Empties a field and types something into it.
    pub async fn type_into(&self, field: &str, text: &str) {
        let element = self.client.find(Locator::Css(field)).await.unwrap_or_else(|error| panic!("{field}: {error}"));
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Presses the first thing that fits, and waits until the next page is there.
    pub async fn press(&self, what: &str) {
        let element = self.client.find(Locator::Css(what)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        self.leave_by(element).await;
    }

    /// Presses the link or button that says this, and waits until the next page is there.
    pub async fn press_text(&self, text: &str) {
        let element = self.saying(text).await;
        self.leave_by(element).await;
    }

    /// Presses the link or button that says this, which leads to no other page.
    pub async fn press_and_stay(&self, text: &str) {
        self.saying(text).await.click().await.unwrap();
    }

    /// Ticks what fits, or takes the tick away.
    pub async fn tick(&self, what: &str) {
        let element = self.client.find(Locator::Css(what)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        element.click().await.unwrap();
    }

    /// Chooses what has this value from a list.
    pub async fn choose(&self, field: &str, value: &str) {
        let element = self.client.find(Locator::Css(field)).await.unwrap_or_else(|error| panic!("{field}: {error}"));
        element.select_by_value(value).await.unwrap();
    }

    async fn saying(&self, text: &str) -> Element {
        let path = format!("//main//*[self::a or self::button][contains(normalize-space(.), \"{text}\")]");
        self.client.find(Locator::XPath(&path)).await.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    async fn leave_by(&self, element: Element) {
        self.run("document.documentElement.dataset.left = 'yes'").await;
        element.click().await.unwrap();
        let is_there = "return document.readyState === 'complete' && !document.documentElement.dataset.left";
        for _ in 0..400 {
            // Between two pages there is none that could answer.
            if self.client.execute(is_there, Vec::new()).await.is_ok_and(|there| there == json!(true)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no other page came after {}", self.place().await)
    }

    /// What can be read on the page.
    pub async fn text(&self) -> String {
        self.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap()
    }

    /// Where the browser is, without the host.
    pub async fn place(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().replacen(&self.base, "", 1)
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Looks at the page: it must read this, fit the window, and be accessible; a picture of it is kept.
    pub async fn sees(&self, name: &str, texts: &[&str]) {
        let read = self.text().await;
        for text in texts {
            assert!(read.contains(text), "{text:?} is not on {} at {}: {read}", name, self.place().await);
        }
        self.keep_picture(name).await;
        let overflow = self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert_eq!(overflow, json!(0), "{name} is wider than a window of {} pixels", self.width);
        self.is_accessible(name).await;
    }

    /// A picture of what the window shows.
    pub async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    async fn keep_picture(&self, name: &str) {
        let folder = pictures();
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.client.screenshot().await.unwrap();
        std::fs::write(folder.join(format!("{name}-{}.png", self.width)), picture).unwrap();
    }

    /// axe-core finds nothing serious.
    async fn is_accessible(&self, name: &str) {
        let axe = axe();
        self.client.execute(&format!("{axe}; return null"), Vec::new()).await.unwrap();
        let script = "const done = arguments[arguments.length - 1]; \
                      axe.run(document, { resultTypes: ['violations'] }).then(found => done(found.violations.map(rule => \
                      ({ rule: rule.id, impact: rule.impact, help: rule.help, where: rule.nodes.map(node => node.html).slice(0, 3) }))))";
        let found = self.client.execute_async(script, Vec::new()).await.unwrap();
        let serious: Vec<&Value> =
            found.as_array().unwrap().iter().filter(|rule| rule["impact"] == "serious" || rule["impact"] == "critical").collect();
        assert!(serious.is_empty(), "{name} at {} pixels: {serious:#?}", self.width);
    }

    /// What was downloaded under this name, as text; waits until it is there.
    pub async fn downloaded(&self, name: &str) -> String {
        String::from_utf8(self.downloaded_bytes(name).await).unwrap()
    }

    /// What was downloaded under this name; waits until it is there.
    pub async fn downloaded_bytes(&self, name: &str) -> Vec<u8> {
        let path = self.profile.path().join("downloads").join(name);
        for _ in 0..200 {
            if let Ok(content) = std::fs::read(&path) {
                return content;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} was not downloaded")
    }

    /// Closes the browser.
    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}

fn port_of(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("started successfully on port")).expect("chromedriver starts");
    // Its output must go on being read, or it would wait.
    std::thread::spawn(move || lines.for_each(drop));
    line.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap()
}

/// Where pictures of the pages are kept.
pub fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures")
}

/// The checks of axe-core, which `scripts/test` installs.
fn axe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}; scripts/test installs it", path.display()))
}
