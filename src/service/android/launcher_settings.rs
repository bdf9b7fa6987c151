//! What an administrator sets for devices with the Headwind launcher. Passwords are kept sealed, and are not shown again.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    android::launcher::{
        COMPONENT,
        provisioning::{Wifi, WifiSecurity},
        signature::STOCK_SECRET,
    },
    domain::audit::Actor,
    service::{App, Error, Result},
    store::{
        self, Conn,
        audit::{self, Entry},
    },
};

const KEY: &str = "launcher";
/// Seal the two secrets.
const WIFI_PASSWORD: &str = "launcher wifi password";
const REQUEST_SECRET: &str = "launcher request secret";
/// Longest time that a launcher may be kept waiting, in seconds: it gives up after 300.
pub const MOST_POLL_SECONDS: u16 = 240;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub component: String,
    pub restrictions: Vec<String>,
    pub work_apps: Vec<String>,
    pub poll_seconds: u16,
    wifi: Option<KeptWifi>,
    sealed_secret: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptWifi {
    ssid: String,
    security: WifiSecurity,
    is_hidden: bool,
    sealed_password: Option<String>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            component: COMPONENT.into(),
            restrictions: Vec::new(),
            work_apps: Vec::new(),
            // Proxies often end after a minute what says nothing.
            poll_seconds: 50,
            wifi: None,
            sealed_secret: None,
        }
    }
}

/// The settings for devices with the launcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LauncherSettings {
    /// What becomes device owner: `package/receiver`.
    pub component: String,
    /// What people may not do on their devices: keys of Android's `UserManager`, such as `no_factory_reset`.
    pub restrictions: Vec<String>,
    /// Packages of apps that belong to the organization. A selective wipe removes them.
    pub work_apps: Vec<String>,
    /// Seconds for which a waiting device is kept before it is told that there is nothing, 1 to 240.
    pub poll_seconds: u16,
    /// Name of the wireless network that a new device joins; none where it is asked for one.
    pub wifi_ssid: Option<String>,
    /// How that network is protected.
    pub wifi_security: Option<WifiSecurity>,
    /// Whether that network does not announce itself.
    pub wifi_hidden: bool,
    /// Whether a password for that network is kept. Everybody who can read the QR code can read it.
    pub has_wifi_password: bool,
    /// Whether a secret other than that of the published launcher is set.
    pub has_own_secret: bool,
}

/// A change of some of these settings; what is left out stays.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LauncherSettingsChange {
    /// See [`LauncherSettings::component`].
    pub component: Option<String>,
    /// See [`LauncherSettings::restrictions`].
    pub restrictions: Option<Vec<String>>,
    /// See [`LauncherSettings::work_apps`].
    pub work_apps: Option<Vec<String>>,
    /// See [`LauncherSettings::poll_seconds`].
    pub poll_seconds: Option<u16>,
    /// See [`LauncherSettings::wifi_ssid`]; empty for none.
    pub wifi_ssid: Option<String>,
    /// See [`LauncherSettings::wifi_security`].
    pub wifi_security: Option<WifiSecurity>,
    /// See [`LauncherSettings::wifi_hidden`].
    pub wifi_hidden: Option<bool>,
    /// The password of the wireless network. It is not shown again, but stands readable in every QR code.
    pub wifi_password: Option<String>,
    /// The secret of a launcher that was built with another one than the published; empty for the published. Not shown again.
    pub request_secret: Option<String>,
}

impl From<&Kept> for LauncherSettings {
    fn from(kept: &Kept) -> Self {
        let wifi = kept.wifi.as_ref();
        Self {
            component: kept.component.clone(),
            restrictions: kept.restrictions.clone(),
            work_apps: kept.work_apps.clone(),
            poll_seconds: kept.poll_seconds,
            wifi_ssid: wifi.map(|wifi| wifi.ssid.clone()),
            wifi_security: wifi.map(|wifi| wifi.security),
            wifi_hidden: wifi.is_some_and(|wifi| wifi.is_hidden),
            has_wifi_password: wifi.is_some_and(|wifi| wifi.sealed_password.is_some()),
            has_own_secret: kept.sealed_secret.is_some(),
        }
    }
}

impl Kept {
    /// The settings in force.
    pub fn read(conn: &mut Conn) -> std::result::Result<Self, store::Error> {
        Ok(store::settings::find(conn, KEY)?.unwrap_or_default())
    }

    /// The package of the component.
    pub fn package(&self) -> &str {
        self.component.split('/').next().unwrap_or_default()
    }

    fn check(&self) -> Result<()> {
        if !is_component(&self.component) {
            return Err(Error::invalid("component", format!("must be a package and a receiver, such as {COMPONENT}")));
        }
        let is_key =
            |key: &String| key.starts_with("no_") && key.len() <= 60 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if self.restrictions.len() > 50 || !self.restrictions.iter().all(is_key) {
            return Err(Error::invalid("restrictions", "must be keys of Android's UserManager, such as no_factory_reset"));
        }
        if self.work_apps.len() > 200 || !self.work_apps.iter().all(|package| is_package(package)) {
            return Err(Error::invalid("work_apps", "must be names of packages, such as com.example.mail"));
        }
        if self.work_apps.iter().any(|package| package == self.package()) {
            return Err(Error::invalid("work_apps", "must not name the launcher itself, which would have to carry the removal out"));
        }
        if !(1..=MOST_POLL_SECONDS).contains(&self.poll_seconds) {
            return Err(Error::invalid("poll_seconds", format!("must be between 1 and {MOST_POLL_SECONDS}")));
        }
        Ok(())
    }
}

fn is_package(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    text.len() <= 200 && text.contains('.') && text.split('.').all(is_word)
}

fn is_component(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(package, receiver)| is_package(package) && is_package(receiver.strip_prefix('.').unwrap_or(receiver)))
        || text.split_once("/.").is_some_and(|(package, receiver)| is_package(package) && is_package(&format!("x.{receiver}")))
}

impl App {
    /// The settings for devices with the launcher.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn launcher_settings(&self) -> Result<LauncherSettings> {
        Ok(LauncherSettings::from(&self.read(Kept::read).await?))
    }

    /// Changes settings for devices with the launcher. Devices get them with the configuration that they fetch next.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub async fn change_launcher_settings(&self, actor: Actor, change: LauncherSettingsChange) -> Result<LauncherSettings> {
        let (now, keys) = (self.now(), self.keys.clone());
        self.write(move |tx| {
            let seal = |purpose: &str, secret: &str| Ok::<_, Error>(STANDARD.encode(keys.seal(purpose, secret.as_bytes())?));
            let mut kept = Kept::read(tx)?;
            let before = LauncherSettings::from(&kept);
            macro_rules! apply { ($($field:ident),+) => { $( if let Some(value) = change.$field.clone() { kept.$field = value; } )+ } }
            apply!(component, restrictions, work_apps, poll_seconds);
            apply_wifi(&mut kept, &change, |password| seal(WIFI_PASSWORD, password))?;
            if let Some(secret) = &change.request_secret {
                kept.sealed_secret = match secret.trim() {
                    "" | STOCK_SECRET => None,
                    secret if secret.chars().count() > 200 => return Err(Error::invalid("request_secret", "must be 200 characters at most")),
                    secret => Some(seal(REQUEST_SECRET, secret)?),
                };
            }
            kept.check()?;
            store::settings::upsert(tx, KEY, &kept, now)?;
            let after = LauncherSettings::from(&kept);
            let detail = serde_json::json!({
                "before": before, "after": after, "wifi_password_changed": change.wifi_password.is_some(), "secret_changed": change.request_secret.is_some(),
            });
            audit::record(
                tx,
                &Entry { at: now, actor: &actor, action: "launcher.settings", subject_kind: "settings", subject: KEY.into(), detail },
            )?;
            Ok(after)
        })
        .await
    }

    /// The network that a new device joins, with its password.
    pub(super) fn launcher_wifi(&self, kept: &Kept) -> Result<Option<Wifi>> {
        let Some(wifi) = &kept.wifi else { return Ok(None) };
        let password = wifi.sealed_password.as_deref().map(|sealed| self.open_text(WIFI_PASSWORD, sealed)).transpose()?;
        Ok(Some(Wifi { ssid: wifi.ssid.clone(), security: wifi.security, password, is_hidden: wifi.is_hidden }))
    }

    /// What the launcher signs with.
    pub(super) fn launcher_secret(&self, kept: &Kept) -> Result<String> {
        kept.sealed_secret.as_deref().map_or_else(|| Ok(STOCK_SECRET.to_owned()), |sealed| self.open_text(REQUEST_SECRET, sealed))
    }

    fn open_text(&self, purpose: &'static str, sealed: &str) -> Result<String> {
        let sealed = STANDARD.decode(sealed).map_err(|error| Error::internal("reading a sealed setting", error))?;
        String::from_utf8(self.keys.open(purpose, &sealed)?).map_err(|error| Error::internal("reading a sealed setting", error))
    }
}

/// A network with another name has another password, or none.
fn apply_wifi(kept: &mut Kept, change: &LauncherSettingsChange, seal: impl Fn(&str) -> Result<String>) -> Result<()> {
    let before = kept.wifi.take();
    let ssid = change.wifi_ssid.clone().or_else(|| before.as_ref().map(|wifi| wifi.ssid.clone())).filter(|ssid| !ssid.is_empty());
    let Some(ssid) = ssid else { return Ok(()) };
    if ssid.len() > 32 || ssid.chars().any(char::is_control) {
        return Err(Error::invalid("wifi_ssid", "must be 1 to 32 bytes without control characters"));
    }
    let is_same = before.as_ref().is_some_and(|wifi| wifi.ssid == ssid);
    let before = before.filter(|_| is_same);
    let security = change.wifi_security.or_else(|| before.as_ref().map(|wifi| wifi.security)).unwrap_or(WifiSecurity::Wpa);
    let is_hidden = change.wifi_hidden.or_else(|| before.as_ref().map(|wifi| wifi.is_hidden)).unwrap_or(false);
    let given = change.wifi_password.as_deref().filter(|password| !password.is_empty());
    let sealed_password = match (security, given) {
        (WifiSecurity::None, _) => None,
        (WifiSecurity::Wpa, Some(password)) if !(8..=63).contains(&password.len()) || !password.is_ascii() => {
            return Err(Error::invalid("wifi_password", "must be 8 to 63 characters of ASCII"));
        }
        (_, Some(password)) if password.len() > 63 => return Err(Error::invalid("wifi_password", "must be 63 characters at most")),
        (_, Some(password)) => Some(seal(password)?),
        (_, None) => before.and_then(|wifi| wifi.sealed_password),
    };
    if security != WifiSecurity::None && sealed_password.is_none() {
        return Err(Error::invalid("wifi_password", "is missing: a network that is protected needs one"));
    }
    kept.wifi = Some(KeptWifi { ssid, security, is_hidden, sealed_password });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_and_packages_have_their_form() {
        for good in [COMPONENT, "com.example.mdm/.Receiver", "com.example/com.example.a.B_c"] {
            assert!(is_component(good), "{good}");
        }
        for bad in ["", "com.hmdm.launcher", "launcher/Receiver", "com.a/b/c", "com.example/", "com.example/;rm", "com..a/x.y"] {
            assert!(!is_component(bad), "{bad}");
        }
    }

    #[test]
    fn another_network_does_not_inherit_a_password() {
        let mut kept = Kept::default();
        let set = |ssid: &str, password: Option<&str>| LauncherSettingsChange {
            wifi_ssid: Some(ssid.into()),
            wifi_password: password.map(String::from),
            ..LauncherSettingsChange::default()
        };
        let seal = |password: &str| Ok(format!("sealed {password}"));
        apply_wifi(&mut kept, &set("one", Some("password one")), seal).unwrap();
        apply_wifi(&mut kept, &set("one", None), seal).unwrap();
        assert_eq!(kept.wifi.as_ref().unwrap().sealed_password.as_deref(), Some("sealed password one"));
        assert!(apply_wifi(&mut kept.clone(), &set("two", None), seal).is_err());
        apply_wifi(&mut kept, &set("", None), seal).unwrap();
        assert_eq!(kept.wifi, None);
    }
}
