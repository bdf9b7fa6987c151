//! The configuration: everything that shall hold on a device, each time anew. The launcher ignores fields that it does not know and
//! takes a default for those that are missing, so that every field is sent whose default would be wrong.

use serde::Serialize;

use crate::android::policy::PasswordMode;

/// What is asked of a device at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Whose device it is, as the launcher shows it.
    pub title: String,
    /// Upper-case hexadecimal MD5 of the password that opens the launcher's own settings.
    pub panel_password: String,
    /// The number that the device shall use from now on.
    pub new_number: Option<String>,
    /// What the passcode must be like.
    pub password_mode: Option<PasswordMode>,
    /// Keys of Android's `UserManager` for what the person may not do.
    pub restrictions: Vec<String>,
    /// The launcher covers the screen, and says this.
    pub lock: Option<String>,
    /// A new passcode, to be set once.
    pub new_passcode: Option<String>,
    /// The device shall be reset to its factory state.
    pub factory_reset: bool,
    /// Packages of apps that shall be removed.
    pub removed_apps: Vec<String>,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the fields are the protocol's")]
pub struct Configuration {
    #[serde(skip_serializing_if = "Option::is_none")]
    new_number: Option<String>,
    background_color: &'static str,
    text_color: &'static str,
    password: String,
    icon_size: u16,
    title: String,
    display_status: bool,
    kiosk_mode: bool,
    lock_status_bar: bool,
    system_update_type: u8,
    factory_reset: bool,
    reboot: bool,
    lock: bool,
    lock_message: Option<String>,
    password_reset: Option<String>,
    push_options: &'static str,
    request_updates: &'static str,
    app_permissions: &'static str,
    password_mode: Option<PasswordMode>,
    restrictions: Option<String>,
    run_default_launcher: bool,
    applications: Vec<Application>,
    application_settings: [(); 0],
    files: [(); 0],
    actions: [(); 0],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    r#type: &'static str,
    name: String,
    pkg: String,
    show_icon: bool,
    remove: bool,
}

/// The document that says this.
#[must_use]
pub fn of(wishes: Wishes) -> Configuration {
    let removed = |pkg: String| Application { r#type: "app", name: pkg.clone(), pkg, show_icon: false, remove: true };
    Configuration {
        new_number: wishes.new_number,
        background_color: "#1c4068",
        text_color: "#ffffff",
        password: wishes.panel_password,
        icon_size: 100,
        title: wishes.title,
        display_status: false,
        // The published launcher has no kiosk mode, and stops where it is asked for one.
        kiosk_mode: false,
        lock_status_bar: false,
        system_update_type: 0,
        factory_reset: wishes.factory_reset,
        reboot: false,
        lock: wishes.lock.is_some(),
        lock_message: wishes.lock.filter(|message| !message.is_empty()),
        password_reset: wishes.new_passcode,
        // The other ways go over MQTT without encryption.
        push_options: "polling",
        // Nobody is followed.
        request_updates: "donottrack",
        app_permissions: "askall",
        password_mode: wishes.password_mode,
        restrictions: Some(wishes.restrictions.join(",")).filter(|list| !list.is_empty()),
        // Only the launcher's own screen makes it look at the passcode.
        run_default_launcher: false,
        applications: wishes.removed_apps.into_iter().map(removed).collect(),
        application_settings: [],
        files: [],
        actions: [],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(wishes: Wishes) -> Value {
        serde_json::to_value(of(wishes)).unwrap()
    }

    #[test]
    fn what_is_not_wished_for_is_said_outright() {
        let value = written(Wishes { panel_password: "X".into(), ..Wishes::default() });
        for (key, expected) in [
            ("password", json!("X")),
            ("passwordMode", json!(null)),
            ("passwordReset", json!(null)),
            ("lock", json!(false)),
            ("factoryReset", json!(false)),
            ("reboot", json!(false)),
            ("kioskMode", json!(false)),
            ("runDefaultLauncher", json!(false)),
            ("pushOptions", json!("polling")),
            ("restrictions", json!(null)),
            ("applications", json!([])),
            ("applicationSettings", json!([])),
        ] {
            assert_eq!(value[key], expected, "{key}");
        }
        assert!(value.get("newNumber").is_none());
    }

    #[test]
    fn what_is_wished_for_has_the_launchers_names() {
        let value = written(Wishes {
            new_number: Some("n".into()),
            password_mode: Some(PasswordMode::Strong),
            restrictions: vec!["no_safe_boot".into(), "no_factory_reset".into()],
            lock: Some("Found? Call us.".into()),
            new_passcode: Some("4711".into()),
            factory_reset: true,
            removed_apps: vec!["com.example.work".into()],
            ..Wishes::default()
        });
        assert_eq!(value["newNumber"], "n");
        assert_eq!(value["passwordMode"], "strong");
        assert_eq!(value["restrictions"], "no_safe_boot,no_factory_reset");
        assert_eq!((&value["lock"], &value["lockMessage"]), (&json!(true), &json!("Found? Call us.")));
        assert_eq!((&value["passwordReset"], &value["factoryReset"]), (&json!("4711"), &json!(true)));
        let app = &value["applications"][0];
        assert_eq!((&app["type"], &app["pkg"], &app["remove"]), (&json!("app"), &json!("com.example.work"), &json!(true)));
    }
}
