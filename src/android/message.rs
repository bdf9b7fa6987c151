//! The documents of the agent's protocol: what an agent says of its device, and what it is told. `docs/android-agent.md` describes how
//! they follow each other.

use serde::{Deserialize, Serialize};
use time::{Date, macros::format_description};
use utoipa::ToSchema;

use crate::{
    android::policy::Complexity,
    domain::{
        backend::ManagementMode,
        command::Answer,
        id::{CommandId, EnrollmentId},
        policy::parse_version,
        posture::{Fact, Posture, Source},
        time::Timestamp,
    },
    words,
};

/// Most characters of a text that an agent reports.
const LONGEST_TEXT: usize = 128;
/// Most signs of root in one report.
const MOST_SIGNALS: usize = 32;
/// Most characters of what went wrong with a command.
const LONGEST_ERROR: usize = 1000;

/// Why a document is refused: the field, and what is wrong with it.
pub type Wrong = (&'static str, &'static str);

/// An agent asks for its certificate.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// The one-time token that the portal showed.
    pub token: String,
    /// A PKCS#10 request for a key that never leaves the device: PEM, or base64 of DER. Its subject is not looked at.
    pub csr: String,
    /// What the agent is on the device.
    pub mode: ManagementMode,
    /// The device.
    pub device: DeviceFacts,
}

/// What an agent says of the device when it asks for its certificate.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFacts {
    /// The same for the life of the device, also after the agent was installed anew: 8 to 100 letters, digits, hyphens, dots and
    /// underscores, such as `DevicePolicyManager.getEnrollmentSpecificId`.
    pub identifier: String,
    /// `Build.MANUFACTURER`.
    pub manufacturer: String,
    /// `Build.MODEL`.
    pub model: String,
    /// The serial number, where the agent may read it.
    pub serial: Option<String>,
    /// `Build.VERSION.RELEASE`.
    pub android_version: String,
    /// `Build.VERSION.SECURITY_PATCH`, such as `2026-10-05`.
    pub security_patch: Option<String>,
}

/// The certificate, and all that an agent has to know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Activated {
    /// The certificate in PEM.
    pub certificate: String,
    /// The certificates above it in PEM, the one that issued it first.
    pub chain: Vec<String>,
    /// The enrollment that it stands for; also its common name. Every command names it.
    pub enrollment: EnrollmentId,
    /// The how many-th enrollment of the device this is. Every command names it.
    pub generation: i32,
    /// Where the agent comes with the certificate, without a slash at the end.
    pub device_url: String,
    /// The certificate in PEM of the key that signs commands. A later one is good where the same authority has issued it for
    /// signing code.
    pub command_signer: String,
    /// How the agent should poll.
    pub polling: Polling,
}

/// How an agent should poll.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Polling {
    /// What to ask for as `wait` while the device is awake and connected.
    pub wait_seconds: u32,
    /// Seconds between polls while it is not.
    pub idle_seconds: u32,
    /// Hours after which the posture is reported again even if nothing has changed.
    pub posture_hours: u16,
}

/// A certificate that takes the place of another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Renewed {
    /// The certificate in PEM. The one before it stays good until this one is used for the first time.
    pub certificate: String,
    /// The certificates above it in PEM, the one that issued it first.
    pub chain: Vec<String>,
}

/// An agent asks for another certificate.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// A PKCS#10 request: PEM, or base64 of DER.
    pub csr: String,
}

/// How a device is. A report is complete: what it leaves out is not known any more.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostureReport {
    /// What the agent is on the device.
    pub mode: ManagementMode,
    /// Whether a passcode is set (`KeyguardManager.isDeviceSecure`).
    pub passcode_present: Option<bool>,
    /// Whether it meets the policy that the agent has taken over (`DevicePolicyManager.isActivePasswordSufficient`).
    pub passcode_sufficient: Option<bool>,
    /// Its level (`DevicePolicyManager.getPasswordComplexity`).
    pub passcode_complexity: Option<Complexity>,
    /// Whether the storage is encrypted.
    pub encrypted: Option<bool>,
    /// Date of the last security update.
    pub security_patch_level: Option<String>,
    /// Version of the system.
    pub os_version: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// What speaks for a rooted device, each a word such as `su_binary`; an empty list where the agent has looked and found
    /// nothing.
    pub rooted_signals: Option<Vec<String>>,
    /// The version of the policy that was taken over.
    pub applied_policy: Option<String>,
}

words! {
    /// What became of a command.
    pub enum AnswerStatus {
        /// It was carried out.
        Acknowledged = "acknowledged",
        /// It could not be carried out.
        Failed = "failed",
        /// It cannot be carried out now; it is handed out again later.
        NotNow = "not_now",
    }
}

impl From<AnswerStatus> for Answer {
    fn from(status: AnswerStatus) -> Self {
        match status {
            AnswerStatus::Acknowledged => Self::Acknowledged,
            AnswerStatus::Failed => Self::Error,
            AnswerStatus::NotNow => Self::NotNow,
        }
    }
}

/// What an agent answers to a command.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandAnswer {
    /// What became of it.
    pub status: AnswerStatus,
    /// What went wrong, for people.
    pub error: Option<String>,
}

/// A command as it is handed out: the bytes that are signed, and the signature over them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SignedCommand {
    /// The payload, base64url without padding of a JSON document: see `CommandPayload`.
    pub payload: String,
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the bytes of the payload before they were encoded; base64url without padding.
    pub signature: String,
    /// The certificate of the key that signed, base64 of DER.
    pub certificate: String,
}

/// What is signed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommandPayload {
    /// The command. The same identifier is handed out again until it is answered, and must be carried out once.
    pub id: CommandId,
    /// The enrollment that it is for. An agent of another one refuses it.
    pub enrollment: EnrollmentId,
    /// The generation of the device that it is for. An agent of another one refuses it.
    pub generation: i32,
    /// What is to be done: `apply_policy`, `report_posture`, `lock`, `reset_passcode`, `remove_work_data`, `erase_device` or
    /// `renew_identity`.
    pub kind: String,
    /// What belongs to it.
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
    /// When it was handed out.
    pub issued_at: Timestamp,
    /// From then on it must be refused; it is handed out again with a later time.
    pub expires_at: Timestamp,
}

impl Activation {
    /// Looks at everything but token and request.
    ///
    /// # Errors
    /// The first field that is not usable.
    pub fn check(&self) -> Result<(), Wrong> {
        let device = &self.device;
        let is_identifier = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !(8..=100).contains(&device.identifier.len()) || !is_identifier(&device.identifier) {
            return Err(("device.identifier", "must be 8 to 100 letters, digits, hyphens, dots and underscores"));
        }
        must_be_text("device.manufacturer", Some(&device.manufacturer))?;
        must_be_text("device.model", Some(&device.model))?;
        must_be_text("device.serial", device.serial.as_deref())?;
        must_be_version("device.android_version", Some(&device.android_version))?;
        must_be_date("device.security_patch", device.security_patch.as_deref())
    }

    /// What the device is known by, which no Apple device can call itself: a colon is in none of their identifiers.
    #[must_use]
    pub fn identifier(&self) -> String {
        format!("android:{}", self.device.identifier)
    }

    /// What is known of the device from now on.
    #[must_use]
    pub fn facts(&self, now: Timestamp) -> Posture {
        let fact = |value: &str| Some(Fact { value: value.to_owned(), source: Source::Agent, at: now });
        let device = &self.device;
        Posture {
            os_version: fact(&device.android_version),
            model_name: fact(&device.model),
            product_name: fact(&format!("{} {}", device.manufacturer, device.model)),
            serial: device.serial.as_deref().and_then(fact),
            security_patch: device.security_patch.as_deref().and_then(fact),
            ..Posture::default()
        }
    }
}

impl PostureReport {
    /// Looks at everything.
    ///
    /// # Errors
    /// The first field that is not usable.
    pub fn check(&self) -> Result<(), Wrong> {
        must_be_text("model", self.model.as_deref())?;
        must_be_version("os_version", self.os_version.as_deref())?;
        must_be_date("security_patch_level", self.security_patch_level.as_deref())?;
        must_be_text("applied_policy", self.applied_policy.as_deref())?;
        let signals = self.rooted_signals.as_deref().unwrap_or_default();
        let is_word = |word: &String| {
            (1..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if signals.len() > MOST_SIGNALS || !signals.iter().all(is_word) {
            return Err(("rooted_signals", "must be at most 32 words of small letters, digits and underscores"));
        }
        Ok(())
    }

    /// The same as facts with their source and age.
    #[must_use]
    pub fn facts(&self, now: Timestamp) -> Posture {
        fn fact<T>(value: T, now: Timestamp) -> Fact<T> {
            Fact { value, source: Source::Agent, at: now }
        }
        let text = |value: &Option<String>| value.clone().map(|value| fact(value, now));
        let flag = |value: Option<bool>| value.map(|value| fact(value, now));
        Posture {
            passcode_present: flag(self.passcode_present),
            passcode_compliant: flag(self.passcode_sufficient),
            passcode_complexity: self.passcode_complexity.map(|level| fact(level.to_string(), now)),
            encrypted: flag(self.encrypted),
            security_patch: text(&self.security_patch_level),
            os_version: text(&self.os_version),
            model_name: text(&self.model),
            compromised: flag(self.rooted_signals.as_ref().map(|signals| !signals.is_empty())),
            applied_policy: text(&self.applied_policy),
            ..Posture::default()
        }
    }
}

impl CommandAnswer {
    /// What went wrong, for people: no line breaks, and not too long.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        let error = self.error.as_deref().filter(|_| self.status == AnswerStatus::Failed)?;
        let clean: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_ERROR).collect();
        Some(clean.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

fn must_be_text(field: &'static str, text: Option<&str>) -> Result<(), Wrong> {
    match text {
        Some(text) if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) => {
            Err((field, "must be 1 to 128 characters without control characters"))
        }
        _ => Ok(()),
    }
}

fn must_be_version(field: &'static str, text: Option<&str>) -> Result<(), Wrong> {
    match text {
        Some(text) if text.len() > LONGEST_TEXT || parse_version(text).is_none() => Err((field, "must be a version such as 14 or 8.1.0")),
        _ => Ok(()),
    }
}

fn must_be_date(field: &'static str, text: Option<&str>) -> Result<(), Wrong> {
    match text {
        Some(text) if Date::parse(text, format_description!("[year]-[month]-[day]")).is_err() => {
            Err((field, "must be a date such as 2026-10-05"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(change: impl FnOnce(&mut Value)) -> Result<PostureReport, serde_json::Error> {
        let mut value = json!({
            "mode": "profile_owner", "passcode_present": true, "passcode_sufficient": false, "passcode_complexity": "low",
            "encrypted": true, "security_patch_level": "2026-10-05", "os_version": "14", "model": "Pixel 8", "rooted_signals": []
        });
        change(&mut value);
        serde_json::from_value(value)
    }

    #[test]
    fn what_a_report_does_not_say_is_not_known() {
        let at = Timestamp::from_millis(7);
        let facts = report(|value| value["encrypted"] = Value::Null).unwrap().facts(at);
        assert_eq!(facts.encrypted, None);
        assert_eq!(facts.compromised.map(|fact| (fact.value, fact.source, fact.at)), Some((false, Source::Agent, at)));
        assert_eq!(report(|value| value["rooted_signals"] = Value::Null).unwrap().facts(at).compromised, None);
        assert_eq!(facts.passcode_complexity.map(|fact| fact.value).as_deref(), Some("low"));
    }

    #[test]
    fn values_that_are_none_are_refused_by_name() {
        for (field, value) in [
            ("model", json!("")),
            ("model", json!("a\u{7}b")),
            ("os_version", json!("newest")),
            ("security_patch_level", json!("2026-13-01")),
            ("applied_policy", json!("x".repeat(129))),
            ("rooted_signals", json!(["Su Binary"])),
            ("rooted_signals", json!(vec!["su"; 33])),
        ] {
            assert_eq!(report(|report| report[field] = value).unwrap().check().unwrap_err().0, field);
        }
        assert!(report(|_| ()).unwrap().check().is_ok());
        for (field, value) in [("passcode_present", json!("yes")), ("passcode_complexity", json!("weak")), ("udid", json!("x"))] {
            assert!(report(|report| report[field] = value).is_err(), "{field}");
        }
    }

    #[test]
    fn what_went_wrong_is_kept_on_one_line() {
        let answer = CommandAnswer { status: AnswerStatus::Failed, error: Some(" no\nway ".into()) };
        assert_eq!(answer.error().as_deref(), Some("no way"));
        assert_eq!(CommandAnswer { status: AnswerStatus::Acknowledged, ..answer }.error(), None);
    }
}
