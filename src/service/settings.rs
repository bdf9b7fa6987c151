//! What an administrator sets while the server runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Error, Result};
use crate::{
    domain::{audit::Actor, user::normalize_address},
    store::{
        self, Conn, Tx,
        audit::{self, Entry},
        rollouts::Scope,
    },
};

const KEY: &str = "organization";

/// The settings of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The organization's name, as people read it on pages, mails and profiles.
    pub organization: String,
    /// The address that mails come from. Never empty: mail without a sender is rejected by large providers.
    pub mail_sender: String,
    /// Days for which a device certificate is valid, 30 to 825. It is renewed from two thirds of its life.
    pub certificate_days: u16,
    /// Hours after which a device is asked for its facts again, 1 to 168.
    pub refresh_hours: u16,
    /// Most wipes that one administrator can order within twenty minutes; 0 for no limit.
    pub wipe_limit: u16,
    /// The device tells what it is before it gets its profile (Apple's Profile Service).
    pub ota_enrollment: bool,
    /// SCEP messages with SHA-1 are accepted. For old clients only.
    pub scep_allow_sha1: bool,
    /// SCEP messages with triple DES are accepted. For old clients only.
    pub scep_allow_3des: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            organization: "Enlist".into(),
            mail_sender: String::new(),
            certificate_days: 365,
            refresh_hours: 6,
            wipe_limit: 20,
            ota_enrollment: false,
            scep_allow_sha1: false,
            scep_allow_3des: false,
        }
    }
}

/// A change of some settings; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::organization`].
    pub organization: Option<String>,
    /// See [`Settings::mail_sender`].
    pub mail_sender: Option<String>,
    /// See [`Settings::certificate_days`].
    pub certificate_days: Option<u16>,
    /// See [`Settings::refresh_hours`].
    pub refresh_hours: Option<u16>,
    /// See [`Settings::wipe_limit`].
    pub wipe_limit: Option<u16>,
    /// See [`Settings::ota_enrollment`].
    pub ota_enrollment: Option<bool>,
    /// See [`Settings::scep_allow_sha1`].
    pub scep_allow_sha1: Option<bool>,
    /// See [`Settings::scep_allow_3des`].
    pub scep_allow_3des: Option<bool>,
}

impl SettingsChange {
    fn apply(self, settings: &mut Settings) {
        macro_rules! apply { ($($field:ident),+) => { $( if let Some(value) = self.$field { settings.$field = value; } )+ } }
        apply!(organization, mail_sender, certificate_days, refresh_hours, wipe_limit, ota_enrollment, scep_allow_sha1, scep_allow_3des);
    }
}

impl Settings {
    fn check(&self) -> Result<()> {
        check_organization(&self.organization)?;
        normalize_address(&self.mail_sender).map_err(|why| Error::invalid("mail_sender", why))?;
        if !(30..=825).contains(&self.certificate_days) {
            return Err(Error::invalid("certificate_days", "must be between 30 and 825"));
        }
        if !(1..=168).contains(&self.refresh_hours) {
            return Err(Error::invalid("refresh_hours", "must be between 1 and 168"));
        }
        Ok(())
    }
}

/// Whether a name can be the organization's. Certificates hold no more than 64 characters of it.
///
/// # Errors
/// [`Error::Invalid`] says what is wrong.
pub fn check_organization(name: &str) -> Result<()> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err(Error::invalid("organization", "must be 1 to 60 characters without line breaks"));
    }
    Ok(())
}

/// The settings in force.
///
/// # Errors
/// Those of the database.
pub fn read(conn: &mut Conn, default_sender: &str) -> std::result::Result<Settings, store::Error> {
    let mut settings: Settings = store::settings::find(conn, KEY)?.unwrap_or_default();
    if settings.mail_sender.is_empty() {
        default_sender.clone_into(&mut settings.mail_sender);
    }
    Ok(settings)
}

/// Sets the organization's name before the first start.
///
/// # Errors
/// The name is not usable.
pub(super) fn name_organization(tx: &mut Tx<'_>, app: &App, organization: &str) -> Result<()> {
    let mut settings = read(tx, &app.default_sender)?;
    organization.trim().clone_into(&mut settings.organization);
    settings.check()?;
    Ok(store::settings::upsert(tx, KEY, &settings, app.now())?)
}

impl App {
    /// The settings in force.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settings(&self) -> Result<Settings> {
        let sender = self.default_sender.clone();
        Ok(self.read(move |conn| read(conn, &sender)).await?)
    }

    /// Changes settings.
    ///
    /// # Errors
    /// A value is not usable.
    pub async fn change_settings(self: &Arc<Self>, actor: Actor, change: SettingsChange) -> Result<Settings> {
        let (app, now, sender) = (Arc::clone(self), self.now(), self.default_sender.clone());
        self.write(move |tx| {
            let before = read(tx, &sender)?;
            let mut after = before.clone();
            change.apply(&mut after);
            after.check()?;
            store::settings::upsert(tx, KEY, &after, now)?;
            let detail = serde_json::json!({ "before": before, "after": after });
            audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "settings.change", subject_kind: "settings", subject: KEY.into(), detail },
            )?;
            if after.organization != before.organization {
                // The name is part of the passcode profile, so every device gets it anew.
                super::rollout::begin(tx, &app, &Scope::Everyone, "The organization was renamed")?;
            }
            Ok(after)
        })
        .await
    }
}
