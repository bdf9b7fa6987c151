//! Who is looking at the portal: the browser, the visit that its cookie names, and how far that has come. Every handler asks
//! for a [`Visitor`].

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    cookie::Cookie,
    dev::Payload,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    web,
};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use super::{
    browser::{self, Browser, Device},
    problem::Problem,
};
use crate::{
    domain::{backend::Backend, device::Ownership, time::Timestamp, user::UserState},
    http::{
        browser_cookie, cookie,
        page::{self, Frame, Stop},
    },
    service::{
        App,
        android::{certificate::Looks, method::Walker},
        browser::{BrowserFacts, IdentifiedBrowser},
        enroll::{Progress, Step},
    },
    store::{users::User, visits::Visit},
};

/// What the cookie holds before there is a visit: it shows that the browser keeps cookies.
pub const PROBE: &str = "none-yet";
/// Names the visit.
const VISIT_COOKIE: &str = "enlist-visit";
/// Remembers what a device is that looks like a computer.
const DEVICE_COOKIE: &str = "enlist-device";
/// Asks a browser to say more of itself (User-Agent Client Hints).
const ACCEPT_CH: HeaderName = HeaderName::from_static("accept-ch");
const HOUR: i64 = 3600;

/// One look at the portal.
pub struct Visitor {
    /// The use cases.
    pub app: Arc<App>,
    /// What is looking.
    pub browser: Browser,
    /// Whose portal this is.
    pub organization: String,
    /// Whether the organization enrolls browsers.
    pub offers_browsers: bool,
    /// The visit, if the cookie names one that has not ended.
    pub progress: Option<Progress>,
    /// The browser sent a visit cookie, whether it is still worth anything or not.
    pub has_cookie: bool,
    /// The browser itself, if it is enrolled.
    pub enrolled: Option<IdentifiedBrowser>,
    /// The cookie of the browser's enrollment, whether that still holds or not.
    pub browser_secret: Option<String>,
    user_agent: String,
    /// What it says of the device, on Android.
    pub looks: Looks,
    /// Something can be enrolled from here, as far as that is known before the mailbox was proved.
    pub may_enroll: bool,
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>().map(|app| Arc::clone(app));
        let text = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut browser = Browser::read(text);
        let cookie = |name: &str| app.as_ref().and_then(|app| cookie::read(request, name, is_https(app)));
        if let Some(word) = cookie(DEVICE_COOKIE) {
            browser.device = claimed(browser.device, &word).unwrap_or(browser.device);
        }
        let hint = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let looks = match browser.device {
            Device::Android => browser::looks(text, hint("sec-ch-ua-platform-version"), hint("sec-ch-ua-model")),
            _ => Looks::default(),
        };
        let secret = cookie(VISIT_COOKIE);
        let browser_secret = app.as_ref().and_then(|app| browser_cookie::read(request, app));
        let user_agent = text.to_owned();
        Box::pin(async move {
            let app = app.ok_or_else(|| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
            let mut visitor = Self::look_up(app, browser, looks, secret).await?;
            if let Some(secret) = &browser_secret {
                visitor.enrolled = visitor.app.identify_browser(secret).await?;
            }
            Ok(Self { browser_secret, user_agent, ..visitor })
        })
    }
}

impl Visitor {
    async fn look_up(app: Arc<App>, browser: Browser, looks: Looks, secret: Option<String>) -> Result<Self, Problem> {
        let settings = app.settings().await?;
        let (organization, offers_browsers) = (settings.organization, settings.browser_enrollment_enabled);
        let visit = match secret.as_deref().filter(|secret| *secret != PROBE) {
            Some(secret) => app.visit(secret).await?,
            None => None,
        };
        let progress = match visit {
            Some(visit) => Some(app.progress(visit, browser.walker()).await?),
            None => None,
        };
        // Somebody who was disabled meanwhile is nobody again; saying more would tell what an unknown address is not told.
        let progress = progress.filter(|progress| progress.user.as_ref().is_none_or(|user| user.state == UserState::Active));
        let has_cookie = secret.is_some();
        let may_enroll = match progress.as_ref().filter(|progress| progress.user.is_some()) {
            Some(progress) => progress.method.is_some() || !progress.methods.is_empty(),
            None => may_somebody_enroll(&app, browser.walker()).await?,
        };
        Ok(Self {
            app,
            browser,
            organization,
            offers_browsers,
            progress,
            has_cookie,
            enrolled: None,
            browser_secret: None,
            user_agent: String::new(),
            looks,
            may_enroll,
        })
    }

    /// Whose devices may be shown: of whoever has proved a mailbox, or else of whoever enrolled this browser.
    #[must_use]
    pub fn owner(&self) -> Option<&User> {
        self.user().or_else(|| self.enrolled.as_ref().map(|enrolled| &enrolled.user))
    }

    /// Whether the visit is there to enroll the browser itself.
    #[must_use]
    pub fn enrolls_browser(&self) -> bool {
        self.visit().is_some_and(|visit| visit.backend == Some(Backend::Browser))
    }

    /// What the browser says of itself.
    #[must_use]
    pub fn facts(&self) -> BrowserFacts {
        let (name, product, system) = browser::title(&self.user_agent);
        BrowserFacts { name, product, system: system.to_owned(), user_agent: self.user_agent.clone() }
    }

    /// Looks once more with another cookie, after something has changed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn look_again(&self, secret: String) -> Result<Self, Problem> {
        Self::look_up(Arc::clone(&self.app), self.browser, self.looks.clone(), Some(secret)).await
    }

    /// Where the visit stands; at the beginning if there is none.
    #[must_use]
    pub fn step(&self) -> Step {
        self.progress.as_ref().map_or(Step::Address, |progress| progress.step)
    }

    /// The visit, if there is one.
    #[must_use]
    pub fn visit(&self) -> Option<&Visit> {
        self.progress.as_ref().map(|progress| &progress.visit)
    }

    /// Who it is, once the mailbox was proved.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.progress.as_ref().and_then(|progress| progress.user.as_ref())
    }

    /// How the device is going to be managed. Where that is not known yet, it is an Apple device: others have to choose first.
    #[must_use]
    pub fn method(&self) -> Backend {
        self.progress.as_ref().and_then(|progress| progress.method).unwrap_or(Backend::Apple)
    }

    /// The ways that are offered.
    #[must_use]
    pub fn methods(&self) -> &[Backend] {
        self.progress.as_ref().map_or(&[], |progress| progress.methods.as_slice())
    }

    /// Whose device is being enrolled.
    #[must_use]
    pub fn ownership(&self) -> Ownership {
        self.visit().map_or(Ownership::Personal, |visit| visit.ownership)
    }

    /// The address of the page where the visit stands. Computers and phones that cannot be enrolled only see their owner's
    /// devices.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match self.step() {
            Step::Address => "/",
            Step::Code => "/enroll/code",
            Step::Method | Step::Consent | Step::Profile if self.enrolls_browser() => "/browser",
            Step::Method | Step::Consent | Step::Profile if !self.may_enroll => "/devices",
            Step::Method => "/enroll/method",
            Step::Consent => "/enroll/consent",
            Step::Profile if self.method() == Backend::Apple => "/enroll/profile",
            Step::Profile => "/enroll/activate",
            Step::Install | Step::Installing | Step::Done | Step::TooLate => "/enroll/progress",
        }
    }

    /// Sends the browser to where its visit stands; without a visit to the start, which says that it has ended.
    #[must_use]
    pub fn send_on(&self) -> HttpResponse {
        let ended = self.has_cookie && self.progress.is_none();
        see(if ended { "/?note=ended" } else { self.standing() })
    }

    /// Whether the world reaches the server by HTTPS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        is_https(&self.app)
    }

    /// The frame of a page that is no part of the walk.
    #[must_use]
    pub fn frame(&self, title: impl Into<String>) -> Frame {
        Frame { title: title.into(), organization: self.organization.clone(), ..Frame::default() }
    }

    /// The frame of a page of the walk, with the list that shows where it stands.
    #[must_use]
    pub fn walk_frame(&self, title: impl Into<String>, step: Step) -> Frame {
        Frame { stops: stops(step, self.enrolls_browser(), self.browser.walker() == Walker::Apple), ..self.frame(title) }
    }

    /// Renders a page.
    #[must_use]
    pub fn page<V: Serialize>(&self, status: StatusCode, template: &str, frame: &Frame, view: &V) -> HttpResponse {
        let mut response = page::render(status, template, frame, view, self.is_https());
        // Browsers drop a cookie that was not given anew for long enough.
        if let Some(secret) = self.browser_secret.as_ref().filter(|_| self.enrolled.is_some()) {
            // A cookie that is too long for a header is none; ours never is.
            let _ = response.add_cookie(&browser_cookie::make(&self.app, secret.clone()));
        }
        // Chrome then says which Android and which model it is, which its `User-Agent` hides. Others do not understand this.
        response.headers_mut().insert(ACCEPT_CH, HeaderValue::from_static("Sec-CH-UA-Platform-Version, Sec-CH-UA-Model"));
        response
    }

    /// The cookie that carries a visit, or shows that there can be one.
    #[must_use]
    pub fn cookie(&self, secret: String, expires_at: Timestamp) -> Cookie<'static> {
        let left = i64::try_from(expires_at.since(self.app.now()).as_secs()).unwrap_or(HOUR);
        cookie::make(VISIT_COOKIE, secret, left, self.is_https())
    }

    /// The same before there is a visit.
    #[must_use]
    pub fn probe(&self) -> Cookie<'static> {
        self.cookie(PROBE.into(), self.app.now().plus_seconds(24 * HOUR))
    }

    /// The cookie that remembers what the device really is.
    #[must_use]
    pub fn device_cookie(&self, word: &str) -> Cookie<'static> {
        cookie::make(DEVICE_COOKIE, word.into(), 24 * HOUR, self.is_https())
    }
}

/// What a device is that looks like a computer: iPads ask for pages as Macs do, and Android tablets as computers with Linux.
#[must_use]
pub fn claimed(seen: Device, word: &str) -> Option<Device> {
    match (seen, word) {
        (Device::Mac, "ipad") => Some(Device::Ipad),
        (Device::Computer, "android") => Some(Device::Android),
        _ => None,
    }
}

/// Whether there is anything that anybody can enroll from there.
async fn may_somebody_enroll(app: &App, walker: Walker) -> Result<bool, Problem> {
    if walker != Walker::Android {
        return Ok(walker == Walker::Apple);
    }
    let personal = app.methods(walker, Ownership::Personal).await?;
    Ok(!personal.is_empty() || !app.methods(walker, Ownership::Company).await?.is_empty())
}

/// How far the walk has come.
fn stops(step: Step, is_browser: bool, is_apple: bool) -> Vec<Stop> {
    const APPLE: &[&str] = &["Your address", "Code", "What will happen", "Download", "Installation"];
    const ANDROID: &[&str] = &["Your address", "Code", "What will happen", "Activation", "Installation"];
    const BROWSER: &[&str] = &["Your address", "Code", "Done"];
    let names = match (is_browser, is_apple) {
        (true, _) => BROWSER,
        (false, true) => APPLE,
        (false, false) => ANDROID,
    };
    let current = match step {
        Step::Address => 0,
        Step::Code => 1,
        Step::Method | Step::Consent => 2,
        Step::Profile => 3,
        Step::Install | Step::Installing | Step::TooLate => 4,
        Step::Done => 5,
    };
    names.iter().enumerate().map(|(index, name)| Stop { name, is_done: index < current, is_current: index == current }).collect()
}

/// The answer after a form: look there.
#[must_use]
pub fn see(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}

fn is_https(app: &App) -> bool {
    app.public_url().starts_with("https://")
}
