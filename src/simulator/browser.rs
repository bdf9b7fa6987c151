//! Browsers that are enrolled themselves: each proves its owner's mailbox, keeps its cookie or drops it, opens pages and follows
//! links.

use std::{io::Write as _, path::PathBuf, time::Duration};

use reqwest::Url;
use serde::Serialize;

use crate::simulator::{
    error::{Error, Result, chain, protocol},
    mailbox::{Mailbox, Seen},
    page::{Form, Page},
    portal::{is_address, is_code, lost, name_of},
    transport::{Browser, Got, Trust},
};

/// After so many pages a person gives up.
const PATIENCE: usize = 8;
/// What the browsers call themselves, in turn.
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
];

/// Somebody with a browser and a mailbox.
#[derive(Debug)]
pub struct Surfer {
    browser: Browser,
    mailbox: Mailbox,
    address: String,
    portal: Url,
    trust: Trust,
    user_agent: String,
}

/// Where a visit has led.
#[derive(Debug)]
pub struct Visited {
    /// The last page.
    pub page: Page,
    /// Whether the browser was asked whose it is.
    pub was_asked: bool,
}

impl Surfer {
    /// A browser that was never here.
    pub fn new(trust: &Trust, user_agent: &str, portal: Url, mailbox: Mailbox, address: &str) -> Result<Self> {
        let browser = Browser::new(trust, user_agent)?;
        let (trust, user_agent) = (trust.clone(), user_agent.to_owned());
        Ok(Self { browser, mailbox, address: address.to_owned(), portal, trust, user_agent })
    }

    /// The browser with this number, which is another one than those with the numbers around it.
    pub fn numbered(number: usize, trust: &Trust, portal: Url, mailbox: Mailbox, address: &str) -> Result<Self> {
        let agent = AGENTS.get(number % AGENTS.len()).copied().unwrap_or_default();
        Self::new(trust, agent, portal, mailbox, address)
    }

    /// Drops every cookie, as a private window does when it is closed.
    pub fn forget(&mut self) -> Result<()> {
        self.browser = Browser::new(&self.trust, &self.user_agent)?;
        Ok(())
    }

    /// Enrolls the browser; gives the page that says so.
    pub async fn enroll(&self) -> Result<Page> {
        let visited = self.visit(self.at("/browser")?).await?;
        if visited.page.is_marked("browser-enrolled") {
            return Ok(visited.page);
        }
        Err(lost(&visited.page, "the browser was not enrolled".to_owned()))
    }

    /// Whether the server knows the browser, without doing anything about it.
    pub async fn is_known(&self) -> Result<bool> {
        Ok(self.look(self.at("/browser")?).await?.is_marked("browser-enrolled"))
    }

    /// Opens a page without answering anything.
    pub async fn look(&self, address: Url) -> Result<Page> {
        page_of(self.browser.open(address).await?)
    }

    /// Opens a page and says who one is wherever that is asked for.
    pub async fn visit(&self, address: Url) -> Result<Visited> {
        let mut seen = self.mailbox.seen();
        let mut visited = Visited { page: self.look(address).await?, was_asked: false };
        for _ in 0..PATIENCE {
            let Some(form) = self.answer(&visited.page, &mut seen).await? else { return Ok(visited) };
            visited = Visited { page: self.submit(&visited.page, &form).await?, was_asked: true };
        }
        Err(lost(&visited.page, format!("no end after {PATIENCE} pages")))
    }

    /// Presses the button of a file's page, if the page is one; gives the page that says what came of it.
    pub async fn ask_for_file(&self, page: &Page) -> Result<Option<Page>> {
        let Some(form) = page.forms.iter().find(|form| form.mark.as_deref() == Some("release")) else { return Ok(None) };
        let after = self.submit(page, form).await?;
        if after.is_marked("file-sent") { Ok(Some(after)) } else { Err(lost(&after, "the file was not sent".to_owned())) }
    }

    /// Sends a form of a page.
    pub async fn submit(&self, page: &Page, form: &Form) -> Result<Page> {
        page_of(self.browser.submit(page, form).await?)
    }

    /// The form that asks who one is, filled in; nothing where nobody asks.
    async fn answer(&self, page: &Page, seen: &mut Seen) -> Result<Option<Form>> {
        if page.is_marked("browser-enrolled") {
            return Ok(None);
        }
        for form in &page.forms {
            let mut form = form.clone();
            if let Some(name) = name_of(&form, is_code) {
                let code = self.mailbox.code(&self.address, seen).await?;
                form.fill(&name, &code);
                return Ok(Some(form));
            }
            if let Some(name) = name_of(&form, is_address) {
                // Only a code that comes after this request counts.
                *seen = self.mailbox.seen();
                form.fill(&name, &self.address);
                return Ok(Some(form));
            }
        }
        Ok(None)
    }

    /// An address of the portal.
    pub fn at(&self, path: &str) -> Result<Url> {
        self.portal.join(path).map_err(|error| Error::Misuse(format!("{path} is no address: {error}")))
    }
}

fn page_of(got: Got) -> Result<Page> {
    match got {
        Got::Page(page) => Ok(page),
        Got::Profile(_) | Got::Certificate(_) => Err(protocol("read a page", "a file came in its place")),
    }
}

/// What `enlist simulate browser` plays.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// The portal's address.
    pub portal: Url,
    /// The owner's mail address; `{n}` in it becomes the browser's number, from 1.
    pub email: String,
    /// The folder into which the server writes its mails.
    pub outbox: PathBuf,
    /// How many browsers.
    pub count: usize,
    /// The browsers drop their cookies before each visit.
    pub forgets: bool,
    /// Addresses to open once the browser is enrolled: links, or pages.
    pub visits: Vec<Url>,
    /// How often they are opened.
    pub times: usize,
    /// Whom connections trust.
    pub trust: Trust,
    /// How long an owner waits for the code.
    pub mail_patience: Duration,
}

/// One visit of one browser.
#[derive(Debug, Clone, Serialize)]
pub struct VisitReport {
    /// What was opened.
    pub address: String,
    /// Where it led.
    pub led_to: String,
    /// The title of the page there.
    pub title: String,
    /// Whether the browser was asked whose it is.
    pub was_asked: bool,
    /// Whether it led to a file, which was asked for and sent to the owner's mailbox.
    pub released: bool,
}

/// One line about one browser.
#[derive(Debug, Clone, Serialize)]
pub struct BrowserReport {
    /// Its number, from 1.
    pub browser: usize,
    /// Its owner.
    pub email: String,
    /// Whether it was enrolled.
    pub enrolled: bool,
    /// What it opened.
    pub visits: Vec<VisitReport>,
    /// Why it failed.
    pub error: Option<String>,
}

/// Plays the browsers one after the other and prints one line of JSON for each. What befell single browsers is in the reports.
pub async fn run_browsers(options: BrowserOptions) -> Result<Vec<BrowserReport>> {
    let mailbox = Mailbox::new(&options.outbox, options.mail_patience);
    let mut reports = Vec::new();
    for number in 0..options.count {
        let email = options.email.replace("{n}", &(number + 1).to_string());
        let mut report = BrowserReport { browser: number + 1, email, enrolled: false, visits: Vec::new(), error: None };
        if let Err(error) = play(&options, mailbox.clone(), number, &mut report).await {
            report.error = Some(chain(&error));
        }
        if let Ok(line) = serde_json::to_string(&report) {
            // A closed pipe is no reason to stop the browsers.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
        reports.push(report);
    }
    Ok(reports)
}

async fn play(options: &BrowserOptions, mailbox: Mailbox, number: usize, report: &mut BrowserReport) -> Result<()> {
    let mut surfer = Surfer::numbered(number, &options.trust, options.portal.clone(), mailbox, &report.email)?;
    surfer.enroll().await?;
    report.enrolled = true;
    for _ in 0..options.times {
        for address in &options.visits {
            if options.forgets {
                surfer.forget()?;
            }
            let visited = surfer.visit(address.clone()).await?;
            let sent = surfer.ask_for_file(&visited.page).await?;
            report.visits.push(VisitReport {
                address: address.to_string(),
                led_to: visited.page.url.to_string(),
                title: visited.page.title,
                was_asked: visited.was_asked,
                released: sent.is_some(),
            });
        }
    }
    Ok(())
}
