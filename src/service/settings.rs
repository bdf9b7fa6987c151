//! What an administrator sets while the server runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Error, Result, hold};
use crate::{
    domain::{
        audit::Actor,
        backend::Backend,
        browser::{self, DeviceLimits, Kind, MOST_DEVICES, Risk},
        destination::{MOST_HOSTS, is_host},
        id::GroupId,
        link::is_domain,
        mail::ENGLISH,
        user::normalize_address,
    },
    store::{
        self, Conn, Tx,
        audit::{self, Entry},
        groups,
        rollouts::Scope,
    },
};

const KEY: &str = "organization";

/// The settings of the organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// The organization's name, as people read it on pages, mails and profiles.
    pub organization: String,
    /// The address that mails come from. Never empty: mail without a sender is rejected by large providers.
    pub mail_sender: String,
    /// The language of mails to people who have none of their own, such as `en` or `de`.
    pub mail_language: String,
    /// Days for which a device certificate is valid, 30 to 825. It is renewed from two thirds of its life.
    pub certificate_days: u16,
    /// Hours after which a device is asked for its facts again, 1 to 168.
    pub refresh_hours: u16,
    /// Most wipes that one administrator can order within twenty minutes; 0 for no limit.
    pub wipe_limit: u16,
    /// After so many devices to which a wipe or retirement was handed within twenty minutes, by whomever, all others are held until an
    /// administrator releases them; 0 for no limit.
    pub wipe_brake: u16,
    /// The device tells what it is before it gets its profile (Apple's Profile Service).
    pub ota_enrollment: bool,
    /// SCEP messages with SHA-1 are accepted. For old clients only.
    pub scep_allow_sha1: bool,
    /// SCEP messages with triple DES are accepted. For old clients only.
    pub scep_allow_3des: bool,
    /// Browsers are enrolled, and whoever follows a protected link or asks for a file is asked who they are.
    pub browser_enrollment_enabled: bool,
    /// Days for which the enrollment of a browser lasts without being used, 1 to 365. Every use renews it.
    pub browser_enrollment_days: u16,
    /// Only members of these groups enroll browsers; everybody where there is none.
    pub browser_enrollment_groups: Vec<GroupId>,
    /// Before a protected link is followed the person is asked whether its target looks safe.
    pub browser_enrollment_awareness: bool,
    /// The organization's own domains: what lies in or below them is opened without being shown first.
    pub browser_enrollment_domains: Vec<String>,
    /// The hosts of the applications behind the gate that enrolled browsers are led to, such as `app.example.com`. Each exactly, with
    /// its port where that is not 443.
    pub gate_hosts: Vec<String>,
    /// How many devices of each kind one person may have enrolled.
    pub device_limits: DeviceLimits,
    /// How people may enroll Android devices of their own: `agent`, `certificate`. Empty: not at all.
    pub android_personal: Vec<Backend>,
    /// How Android devices of the company may be enrolled: `agent`, `headwind`, `certificate`. Empty: not at all.
    pub android_company: Vec<Backend>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            organization: "Enlist".into(),
            mail_sender: String::new(),
            mail_language: ENGLISH.into(),
            certificate_days: 365,
            refresh_hours: 6,
            wipe_limit: 20,
            wipe_brake: 50,
            ota_enrollment: false,
            scep_allow_sha1: false,
            scep_allow_3des: false,
            browser_enrollment_enabled: true,
            browser_enrollment_days: 365,
            browser_enrollment_groups: Vec::new(),
            browser_enrollment_awareness: false,
            browser_enrollment_domains: Vec::new(),
            gate_hosts: Vec::new(),
            device_limits: DeviceLimits::default(),
            android_personal: vec![Backend::Agent, Backend::Certificate],
            android_company: vec![Backend::Agent, Backend::Headwind, Backend::Certificate],
        }
    }
}

/// A number as somebody wrote it; what is none of the whole numbers that fit is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written(pub Option<u16>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_u64().and_then(|number| u16::try_from(number).ok())))
    }
}

/// A value that is there, also where it is null.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A change of some settings; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::organization`].
    pub organization: Option<String>,
    /// See [`Settings::mail_sender`].
    pub mail_sender: Option<String>,
    /// See [`Settings::mail_language`].
    pub mail_language: Option<String>,
    /// See [`Settings::certificate_days`].
    pub certificate_days: Option<u16>,
    /// See [`Settings::refresh_hours`].
    pub refresh_hours: Option<u16>,
    /// See [`Settings::wipe_limit`].
    pub wipe_limit: Option<u16>,
    /// See [`Settings::wipe_brake`].
    pub wipe_brake: Option<u16>,
    /// See [`Settings::ota_enrollment`].
    pub ota_enrollment: Option<bool>,
    /// See [`Settings::scep_allow_sha1`].
    pub scep_allow_sha1: Option<bool>,
    /// See [`Settings::scep_allow_3des`].
    pub scep_allow_3des: Option<bool>,
    /// See [`Settings::browser_enrollment_enabled`].
    pub browser_enrollment_enabled: Option<bool>,
    /// See [`Settings::browser_enrollment_days`].
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u16>)]
    pub browser_enrollment_days: Option<Written>,
    /// See [`Settings::browser_enrollment_groups`].
    pub browser_enrollment_groups: Option<Vec<GroupId>>,
    /// See [`Settings::browser_enrollment_awareness`].
    pub browser_enrollment_awareness: Option<bool>,
    /// See [`Settings::browser_enrollment_domains`].
    pub browser_enrollment_domains: Option<Vec<String>>,
    /// See [`Settings::gate_hosts`].
    pub gate_hosts: Option<Vec<String>>,
    /// See [`Settings::device_limits`]. What is left out of it has no limit.
    pub device_limits: Option<DeviceLimits>,
    /// The risks of the change are known. Without it a risky change is not made, and the error names them.
    #[serde(default)]
    pub confirm_risk: bool,
    /// See [`Settings::android_personal`].
    pub android_personal: Option<Vec<Backend>>,
    /// See [`Settings::android_company`].
    pub android_company: Option<Vec<Backend>>,
}

impl SettingsChange {
    fn apply(self, settings: &mut Settings) {
        macro_rules! apply { ($($field:ident),+) => { $( if let Some(value) = self.$field { settings.$field = value; } )+ } }
        apply!(
            organization,
            mail_sender,
            mail_language,
            certificate_days,
            refresh_hours,
            wipe_limit,
            wipe_brake,
            ota_enrollment,
            scep_allow_sha1,
            scep_allow_3des
        );
        apply!(browser_enrollment_enabled, browser_enrollment_groups, browser_enrollment_awareness, browser_enrollment_domains);
        apply!(gate_hosts, device_limits);
        if let Some(Written(days)) = self.browser_enrollment_days {
            // Nothing and nought are refused alike.
            settings.browser_enrollment_days = days.unwrap_or(0);
        }
        apply!(android_personal, android_company);
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
        if !browser::DAYS.contains(&self.browser_enrollment_days) {
            return Err(Error::invalid("browser_enrollment_days", "must be a whole number from 1 to 365"));
        }
        if self.browser_enrollment_domains.len() > 100 || !self.browser_enrollment_domains.iter().all(|domain| is_domain(domain)) {
            return Err(Error::invalid("browser_enrollment_domains", "must be at most 100 domains such as example.com, in lower case"));
        }
        if self.gate_hosts.len() > MOST_HOSTS || !self.gate_hosts.iter().all(|host| is_host(host)) {
            let why = format!("must be at most {MOST_HOSTS} hosts such as app.example.com or app.example.com:8443, in lower case");
            return Err(Error::invalid("gate_hosts", why));
        }
        let is_limit = |kind| self.device_limits.of(kind).is_none_or(|limit| (1..=MOST_DEVICES).contains(&limit));
        if ![Kind::Apple, Kind::Android, Kind::Browser].into_iter().all(is_limit) {
            return Err(Error::invalid("device_limits", format!("must be from 1 to {MOST_DEVICES}, or null for no limit")));
        }
        check_methods("android_personal", &self.android_personal, &ANDROID_PERSONAL)?;
        check_methods("android_company", &self.android_company, &ANDROID_COMPANY)
    }

    /// What is risky about going from these settings to those.
    #[must_use]
    pub fn risks(&self, after: &Self) -> Vec<Risk> {
        let switches = |of: &Self| (of.browser_enrollment_enabled, of.browser_enrollment_awareness);
        browser::risks(switches(self), switches(after))
    }
}

/// The groups that are named must exist.
fn check_groups(tx: &mut Tx<'_>, ids: &[GroupId]) -> Result<()> {
    let mut unique = ids.to_vec();
    unique.sort_unstable();
    unique.dedup();
    if groups::count_existing(tx, &unique)? == unique.len() && unique.len() == ids.len() {
        return Ok(());
    }
    Err(Error::invalid("browser_enrollment_groups", "must name groups that exist, each once"))
}

/// Refuses a change whose risks nobody has confirmed.
fn check_risks(risks: &[Risk], is_confirmed: bool) -> Result<()> {
    if is_confirmed || risks.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = risks.iter().map(ToString::to_string).collect();
    Err(Error::Conflict(format!("{}; repeat the call with \"confirm_risk\": true to do it all the same", named.join("; and "))))
}

/// What an Android device of a person's own can be enrolled with. The launcher takes over a whole device, which has to be reset
/// for it, and nobody gives their own for that.
pub const ANDROID_PERSONAL: [Backend; 2] = [Backend::Agent, Backend::Certificate];
/// What an Android device of the company can be enrolled with.
pub const ANDROID_COMPANY: [Backend; 3] = [Backend::Agent, Backend::Headwind, Backend::Certificate];

fn check_methods(field: &str, methods: &[Backend], possible: &[Backend]) -> Result<()> {
    let is_once = |method: &Backend| methods.iter().filter(|other| *other == method).count() == 1;
    if methods.iter().all(|method| possible.contains(method) && is_once(method)) {
        return Ok(());
    }
    let words = possible.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    Err(Error::invalid(field, format!("must be a list of some of: {words}; each at most once, and empty for none")))
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

    /// What is risky about a change, which the administrator has to confirm.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn risks_of(&self, change: SettingsChange) -> Result<Vec<Risk>> {
        let before = self.settings().await?;
        let mut after = before.clone();
        change.apply(&mut after);
        Ok(before.risks(&after))
    }

    /// Changes settings.
    ///
    /// # Errors
    /// A value is not usable, or [`Error::Conflict`] where the change is risky and that was not confirmed.
    pub async fn change_settings(self: &Arc<Self>, actor: Actor, change: SettingsChange) -> Result<Settings> {
        let (app, now, sender) = (Arc::clone(self), self.now(), self.default_sender.clone());
        self.write(move |tx| {
            let before = read(tx, &sender)?;
            let mut after = before.clone();
            let is_confirmed = change.confirm_risk;
            change.apply(&mut after);
            after.check()?;
            if (after.wipe_limit, after.wipe_brake) != (before.wipe_limit, before.wipe_brake) {
                hold::must_not_be_held(tx)?;
            }
            if after.mail_language != before.mail_language {
                app.check_language("mail_language", &after.mail_language)?;
            }
            if after.browser_enrollment_groups != before.browser_enrollment_groups {
                check_groups(tx, &after.browser_enrollment_groups)?;
            }
            let risks = before.risks(&after);
            check_risks(&risks, is_confirmed)?;
            store::settings::upsert(tx, KEY, &after, now)?;
            let risks: Vec<String> = risks.iter().map(ToString::to_string).collect();
            let detail = serde_json::json!({ "before": before, "after": after, "confirmed_risks": risks });
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
