//! Who is looking at the portal: the browser, the visit that its cookie names, and how far that has come. Every handler asks
//! for a [`Visitor`].

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    dev::Payload,
    http::{StatusCode, header},
    web,
};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use super::{
    browser::{self, Browser, Device},
    problem::Problem,
};
use crate::{
    domain::{backend::Backend, time::Timestamp, user::UserState},
    http::{
        browser_cookie,
        page::{self, Frame, Stop},
    },
    service::{
        App,
        browser::{BrowserFacts, IdentifiedBrowser},
        enroll::{Progress, Step},
    },
    store::{users::User, visits::Visit},
};

/// What the cookie holds before there is a visit: it shows that the browser keeps cookies.
pub const PROBE: &str = "none-yet";
/// Remembers that what looks like a Mac is an iPad.
const DEVICE_COOKIE: &str = "enlist-device";
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
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>().map(|app| Arc::clone(app));
        let text = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut browser = Browser::read(text);
        if browser.device == Device::Mac && request.cookie(DEVICE_COOKIE).is_some_and(|cookie| cookie.value() == "ipad") {
            browser.device = Device::Ipad;
        }
        let secret = app.as_ref().and_then(|app| request.cookie(cookie_name(app))).map(|cookie| cookie.value().to_owned());
        let browser_secret = app.as_ref().and_then(|app| browser_cookie::read(request, app));
        let user_agent = text.to_owned();
        Box::pin(async move {
            let app = app.ok_or_else(|| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
            let mut visitor = Self::look_up(app, browser, secret).await?;
            if let Some(secret) = &browser_secret {
                visitor.enrolled = visitor.app.identify_browser(secret).await?;
            }
            Ok(Self { browser_secret, user_agent, ..visitor })
        })
    }
}

impl Visitor {
    async fn look_up(app: Arc<App>, browser: Browser, secret: Option<String>) -> Result<Self, Problem> {
        let settings = app.settings().await?;
        let (organization, offers_browsers) = (settings.organization, settings.browser_enrollment_enabled);
        let visit = match secret.as_deref().filter(|secret| *secret != PROBE) {
            Some(secret) => app.visit(secret).await?,
            None => None,
        };
        let progress = match visit {
            Some(visit) => Some(app.progress(visit).await?),
            None => None,
        };
        // Somebody who was disabled meanwhile is nobody again; saying more would tell what an unknown address is not told.
        let progress = progress.filter(|progress| progress.user.as_ref().is_none_or(|user| user.state == UserState::Active));
        let has_cookie = secret.is_some();
        let user_agent = String::new();
        Ok(Self { app, browser, organization, offers_browsers, progress, has_cookie, enrolled: None, browser_secret: None, user_agent })
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

    /// The address of the page where the visit stands. Computers and phones that cannot be enrolled only see their owner's
    /// devices.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match self.step() {
            Step::Address => "/",
            Step::Code => "/enroll/code",
            Step::Consent | Step::Profile if self.enrolls_browser() => "/browser",
            Step::Consent | Step::Profile if !self.browser.may_enroll() => "/devices",
            Step::Consent => "/enroll/consent",
            Step::Profile => "/enroll/profile",
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
        Frame { stops: stops(step, self.enrolls_browser()), ..self.frame(title) }
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
        response
    }

    /// The cookie that carries a visit, or shows that there can be one.
    #[must_use]
    pub fn cookie(&self, secret: String, expires_at: Timestamp) -> Cookie<'static> {
        let left = i64::try_from(expires_at.since(self.app.now()).as_secs()).unwrap_or(HOUR);
        strict_cookie(cookie_name(&self.app), secret, left, self.is_https())
    }

    /// The same before there is a visit.
    #[must_use]
    pub fn probe(&self) -> Cookie<'static> {
        self.cookie(PROBE.into(), self.app.now().plus_seconds(24 * HOUR))
    }

    /// The cookie that remembers that what looks like a Mac is an iPad.
    #[must_use]
    pub fn ipad_cookie(&self) -> Cookie<'static> {
        strict_cookie(DEVICE_COOKIE, "ipad".into(), 24 * HOUR, self.is_https())
    }
}

/// How far the walk has come.
fn stops(step: Step, is_browser: bool) -> Vec<Stop> {
    const DEVICE: &[&str] = &["Your address", "Code", "What will happen", "Download", "Installation"];
    const BROWSER: &[&str] = &["Your address", "Code", "Done"];
    let names = if is_browser { BROWSER } else { DEVICE };
    let current = match step {
        Step::Address => 0,
        Step::Code => 1,
        Step::Consent => 2,
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

/// The `__Host-` prefix lets nobody but this very host set the cookie; browsers accept it over HTTPS only.
fn cookie_name(app: &App) -> &'static str {
    if is_https(app) { "__Host-enlist-visit" } else { "enlist-visit" }
}

fn strict_cookie(name: &'static str, value: String, seconds: i64, is_secure: bool) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(seconds))
        .finish()
}
