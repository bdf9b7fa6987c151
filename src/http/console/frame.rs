//! What is around the content of a console page: where one is, what else there is, who one is, and what was just done.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;

use crate::{
    domain::user::Permission,
    http::{extract::admin::Admin, page},
};

/// One entry of the navigation.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    address: &'static str,
    text: &'static str,
    is_current: bool,
}

/// A part of the navigation.
#[derive(Debug, Clone, Serialize)]
struct Section {
    name: &'static str,
    entries: Vec<Entry>,
}

/// The way back to the pages above this one.
#[derive(Debug, Clone, Serialize)]
pub struct Crumb {
    /// Its address.
    pub address: String,
    /// Its heading.
    pub text: String,
}

/// What was just done, or why it was not.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// In a sentence.
    pub text: String,
    /// It was not done.
    pub is_error: bool,
}

/// What is around the content.
#[derive(Debug, Clone, Serialize)]
pub struct Frame {
    /// Heading and title.
    pub title: String,
    organization: String,
    sections: Vec<Section>,
    /// The pages above.
    pub crumbs: Vec<Crumb>,
    user: String,
    role: &'static str,
    csrf: String,
    /// What was just done.
    pub notice: Option<Notice>,
    /// The page looks again after so many seconds.
    pub refresh_seconds: Option<u32>,
    /// The content may take the whole width: tables.
    pub is_wide: bool,
}

/// Address, name, and what one must be allowed to do to see an entry.
type EntryText = (&'static str, &'static str, Permission);

/// The navigation, by section.
const NAVIGATION: &[(&str, &[EntryText])] = &[
    (
        "Devices",
        &[
            ("/console/", "Overview", Permission::Read),
            ("/console/devices", "Devices", Permission::Read),
            ("/console/report", "Compliance report", Permission::Read),
            ("/console/policies", "Policies", Permission::Read),
            ("/console/access", "Access rules", Permission::Read),
        ],
    ),
    (
        "People",
        &[
            ("/console/users", "Users", Permission::Read),
            ("/console/domains", "Domains", Permission::Read),
            ("/console/groups", "Groups", Permission::Read),
            ("/console/links", "Protected links", Permission::Read),
            ("/console/browsers", "Browsers", Permission::ManageSettings),
        ],
    ),
    (
        "Server",
        &[
            ("/console/outbox", "Outbox", Permission::Read),
            ("/console/mails", "Mail texts", Permission::Read),
            ("/console/certificates", "Certificates", Permission::Read),
            ("/console/push", "Apple push", Permission::Read),
            ("/console/android/launcher", "Android launcher", Permission::Read),
            ("/console/mail", "Mail access", Permission::ManageSettings),
            ("/console/webhooks", "Webhooks", Permission::ManageSettings),
            ("/console/audit", "Audit log", Permission::ReadAudit),
            ("/console/tokens", "API tokens", Permission::ManageSettings),
            ("/console/settings", "Settings", Permission::ManageSettings),
        ],
    ),
];

impl Frame {
    /// The frame of a page.
    ///
    /// * `place`: the address of the navigation's entry that the page belongs to.
    #[must_use]
    pub fn new(admin: &Admin, place: &str, title: impl Into<String>) -> Self {
        let entry =
            |(address, text, needs): &EntryText| admin.may(*needs).then_some(Entry { address, text, is_current: *address == place });
        let sections = NAVIGATION
            .iter()
            .map(|(name, entries)| Section { name, entries: entries.iter().filter_map(entry).collect() })
            .filter(|section| !section.entries.is_empty())
            .collect();
        Self {
            title: title.into(),
            organization: admin.organization.clone(),
            sections,
            crumbs: Vec::new(),
            user: admin.user.email.clone(),
            role: admin.role.as_str(),
            csrf: admin.csrf.clone(),
            notice: None,
            refresh_seconds: None,
            is_wide: false,
        }
    }

    /// With a page above.
    #[must_use]
    pub fn below(mut self, address: impl Into<String>, text: impl Into<String>) -> Self {
        self.crumbs.push(Crumb { address: address.into(), text: text.into() });
        self
    }

    /// With the whole width for its content.
    #[must_use]
    pub const fn wide(mut self) -> Self {
        self.is_wide = true;
        self
    }

    /// Saying what was just done, where something was.
    #[must_use]
    pub fn done(mut self, text: Option<&'static str>) -> Self {
        self.notice = text.map(|text| Notice { text: text.into(), is_error: false });
        self
    }

    /// Saying why something was not done.
    #[must_use]
    pub fn refused(mut self, text: Option<String>) -> Self {
        if let Some(text) = text {
            self.notice = Some(Notice { text, is_error: true });
        }
        self
    }

    /// Renders a page with this frame.
    #[must_use]
    pub fn show<V: Serialize>(&self, admin: &Admin, template: &str, view: &V) -> HttpResponse {
        self.show_as(admin, StatusCode::OK, template, view)
    }

    /// Renders a page with this frame and a status.
    #[must_use]
    pub fn show_as<V: Serialize>(&self, admin: &Admin, status: StatusCode, template: &str, view: &V) -> HttpResponse {
        page::render(status, template, self, view, admin.is_https())
    }
}
