//! A device's owner at the portal: looks at each page, does what it asks for, and comes away with a profile.

use reqwest::Url;

use crate::simulator::{
    error::{Error, Result},
    mailbox::{Mailbox, Seen},
    page::{Form, Page},
    transport::{Browser, Got},
};

/// After so many pages a person gives up.
const PATIENCE: usize = 12;
/// Forms that lead away from enrollment.
const DETOURS: [&str; 5] = ["sign-out", "cancel", "resend", "language", "restart"];

/// Somebody who enrolls a device.
#[derive(Debug)]
pub struct Owner {
    /// With this the portal is visited.
    pub browser: Browser,
    /// Where the code arrives.
    pub mailbox: Mailbox,
    /// The owner's mail address.
    pub address: String,
    /// Answer to the question of ownership (`personal` or `company`); none leaves the page's choice as it is.
    pub ownership: Option<String>,
    /// Answer to the question how the device is to be managed (`agent`, `certificate` or `headwind`); none leaves the page's
    /// choice as it is.
    pub method: Option<String>,
}

/// What the portal gave.
#[derive(Debug)]
pub struct Visit {
    /// The configuration profile.
    pub profile: Vec<u8>,
    /// The page from which it came.
    pub page: Page,
}

impl Owner {
    /// Follows the portal from this address to the profile.
    pub async fn fetch_profile(&self, start: Url) -> Result<Visit> {
        let mut seen = self.mailbox.seen();
        let mut page = match self.browser.open(start).await? {
            Got::Page(page) => page,
            Got::Profile(_) | Got::Certificate(_) => {
                return Err(Error::Misuse("the address leads to a profile without any question".to_owned()));
            }
        };
        for _ in 0..PATIENCE {
            match self.turn(&page, &mut seen).await? {
                Got::Profile(profile) => return Ok(Visit { profile, page }),
                Got::Certificate(_) => return Err(lost(&page, "it gave a certificate in place of a profile".to_owned())),
                Got::Page(next) => page = next,
            }
        }
        Err(lost(&page, format!("no profile after {PATIENCE} pages")))
    }

    /// Follows the portal from this address to the first page on which something carries this mark.
    pub async fn walk_to(&self, start: Url, mark: &str) -> Result<Page> {
        let mut seen = self.mailbox.seen();
        let mut got = self.browser.open(start).await?;
        for _ in 0..PATIENCE {
            let page = match got {
                Got::Page(page) if page.text_marked(mark).is_some() => return Ok(page),
                Got::Page(page) => page,
                Got::Profile(_) | Got::Certificate(_) => return Err(Error::Misuse("the portal gave a file of another kind".to_owned())),
            };
            got = self.turn(&page, &mut seen).await?;
        }
        match got {
            Got::Page(page) => Err(lost(&page, format!("nothing is marked {mark:?} after {PATIENCE} pages"))),
            Got::Profile(_) | Got::Certificate(_) => Err(Error::Misuse("the portal gave a file of another kind".to_owned())),
        }
    }

    /// Whether the page from which the profile came now says that the device is enrolled.
    pub async fn sees_done(&self, page: &Page) -> Result<bool> {
        let onward = page.links.iter().find(|link| link.mark.as_deref() == Some("progress")).and_then(|link| page.resolve(&link.href));
        let got = self.browser.open(onward.unwrap_or_else(|| page.url.clone())).await?;
        Ok(matches!(got, Got::Page(page) if page.is_marked("done")))
    }

    /// Does what one page asks for.
    pub(crate) async fn turn(&self, page: &Page, seen: &mut Seen) -> Result<Got> {
        let profile_link = page.links.iter().find(|link| link.mark.as_deref() == Some("profile"));
        if let Some(target) = profile_link.and_then(|link| page.resolve(&link.href)) {
            return self.browser.open(target).await;
        }
        let Some(mut form) = choose(page).cloned() else {
            return self.onward(page).await;
        };
        if let Some(ownership) = &self.ownership {
            form.choose("ownership", ownership);
        }
        if let Some(method) = &self.method {
            let is_offered = form.choose("method", method) || form.press("method", method);
            if form.mark.as_deref() == Some("method") && !is_offered {
                return Err(lost(page, format!("it does not offer to manage the device by {method:?}")));
            }
        }
        form.tick_required();
        if let Some(name) = name_of(&form, is_code) {
            let code = self.mailbox.code(&self.address, seen).await?;
            form.fill(&name, &code);
        } else if let Some(name) = name_of(&form, is_address) {
            // Only a code that comes after this request counts.
            *seen = self.mailbox.seen();
            form.fill(&name, &self.address);
        }
        self.browser.submit(page, &form).await
    }

    /// A page without a form that helps may still have a link that is meant to be followed.
    async fn onward(&self, page: &Page) -> Result<Got> {
        let marks = ["next", "start", "apple"];
        let link = page.links.iter().find(|link| link.mark.as_deref().is_some_and(|mark| marks.contains(&mark)));
        match link.and_then(|link| page.resolve(&link.href)) {
            Some(target) => self.browser.open(target).await,
            None => Err(lost(page, "there is nothing to do on it".to_owned())),
        }
    }
}

pub(super) type Test = fn(&crate::simulator::page::Field) -> bool;

/// The form of a page that leads on: by what it asks for, the code first.
fn choose(page: &Page) -> Option<&Form> {
    let asks = |test: Test| page.forms.iter().find(|form| form.find(test).is_some());
    let marked = || page.forms.iter().find(|form| form.mark.as_deref() == Some("profile"));
    let plain = || page.forms.iter().find(|form| form.post && !form.mark.as_deref().is_some_and(|mark| DETOURS.contains(&mark)));
    marked().or_else(|| asks(is_code)).or_else(|| asks(is_address)).or_else(|| asks(is_consent)).or_else(plain)
}

pub(super) fn name_of(form: &Form, test: Test) -> Option<String> {
    form.find(test).map(|field| field.name.clone())
}

pub(super) fn is_code(field: &crate::simulator::page::Field) -> bool {
    field.kind != "hidden" && (field.name == "code" || field.autocomplete.contains("one-time-code"))
}

pub(super) fn is_address(field: &crate::simulator::page::Field) -> bool {
    field.kind != "hidden" && (field.kind == "email" || field.name == "email")
}

fn is_consent(field: &crate::simulator::page::Field) -> bool {
    field.kind == "checkbox" && field.required
}

pub(crate) fn lost(page: &Page, why: String) -> Error {
    Error::Portal { why, title: page.title.clone(), text: page.excerpt() }
}
