//! How values are shown to people: times with their age, and the words for states.

use serde::Serialize;

use crate::{
    domain::{
        access::Decision,
        backend::{Backend, ManagementMode},
        command::CommandState,
        compliance::Status,
        device::{EnrollmentState, Ownership, Platform},
        mail::MailKind,
        time::Timestamp,
    },
    store::mails::MailState,
};

/// A time, for a `time` element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct When {
    /// For programs.
    pub iso: String,
    /// In full.
    pub text: String,
    /// How long ago, or in how long.
    pub ago: String,
}

impl When {
    /// A time as seen from now.
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let date = at.calendar();
        let text =
            format!("{:04}-{:02}-{:02} {:02}:{:02} UTC", date.year(), u8::from(date.month()), date.day(), date.hour(), date.minute());
        let ago = if at <= now { past(now.since(at).as_secs()) } else { future(at.since(now).as_secs()) };
        Self { iso: at.to_string(), text, ago }
    }

    /// A time that may not have come about.
    #[must_use]
    pub fn some(at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        at.map(|at| Self::new(at, now))
    }
}

fn past(seconds: u64) -> String {
    match amount(seconds) {
        None => "just now".into(),
        Some(amount) => format!("{amount} ago"),
    }
}

fn future(seconds: u64) -> String {
    match amount(seconds) {
        None => "in a moment".into(),
        Some(amount) => format!("in {amount}"),
    }
}

fn amount(seconds: u64) -> Option<String> {
    let (number, unit) = match seconds {
        0..=44 => return None,
        45..=3599 => (seconds.saturating_add(15) / 60, "minute"),
        3600..=86_399 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    Some(count(number, unit))
}

/// The name of a mail.
pub const fn mail_name(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Invitation => "Invitation",
        MailKind::Code => "Code",
        MailKind::Compliance => "Device out of compliance, or quarantined",
        MailKind::Announcement => "Announcement of browser enrollment",
        MailKind::Enrolled => "New device enrolled",
        MailKind::Wiped => "Device wiped",
        MailKind::File => "Protected file",
        MailKind::Held => "Wipes held by the server",
        MailKind::Report => "Compliance report",
        MailKind::Test => "Test",
    }
}

/// A number with its noun.
#[must_use]
pub fn count(number: impl TryInto<i128>, noun: &str) -> String {
    let number = number.try_into().unwrap_or_default();
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A word with the class that colours it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Badge {
    /// As people read it.
    pub text: &'static str,
    /// `good`, `care`, `bad` or `plain`.
    pub class: &'static str,
    /// As the filters write it.
    pub word: &'static str,
}

/// The word for a verdict.
#[must_use]
pub const fn compliance(status: Status) -> Badge {
    let (text, class) = match status {
        Status::Compliant => ("Compliant", "good"),
        Status::InGrace => ("In grace period", "care"),
        Status::Noncompliant => ("Not compliant", "bad"),
        Status::Unknown => ("Unknown", "care"),
        Status::Unsupported => ("Unsupported", "plain"),
    };
    Badge { text, class, word: status.as_str() }
}

/// The word for where an enrollment stands.
#[must_use]
pub const fn enrollment(state: EnrollmentState) -> Badge {
    let (text, class) = match state {
        EnrollmentState::Invited => ("Invited", "plain"),
        EnrollmentState::Pending => ("Enrolling", "plain"),
        EnrollmentState::Enrolled => ("Enrolled", "good"),
        EnrollmentState::Retired => ("Retired", "plain"),
        EnrollmentState::WipePending => ("Wipe pending", "bad"),
        EnrollmentState::Wiped => ("Wiped", "plain"),
    };
    Badge { text, class, word: state.as_str() }
}

/// The word for what the gate answers.
#[must_use]
pub const fn access(decision: Decision) -> Badge {
    let (text, class) = match decision {
        Decision::Allow => ("Allowed", "good"),
        Decision::Quarantine => ("Quarantined", "care"),
        Decision::Block => ("Blocked", "bad"),
    };
    Badge { text, class, word: decision.as_str() }
}

/// The word for where a command stands.
#[must_use]
pub const fn command_state(state: CommandState) -> Badge {
    let (text, class) = match state {
        CommandState::Queued => ("Waiting for the device", "plain"),
        CommandState::Sent => ("Sent", "plain"),
        CommandState::NotNow => ("Put off by the device", "care"),
        CommandState::Acknowledged => ("Done", "good"),
        CommandState::Failed => ("Failed", "bad"),
        CommandState::Expired => ("Expired", "plain"),
        CommandState::Cancelled => ("Withdrawn", "plain"),
        CommandState::AwaitingApproval => ("Needs approval", "care"),
    };
    Badge { text, class, word: state.as_str() }
}

/// The word for where a mail stands.
#[must_use]
pub const fn mail(state: MailState) -> Badge {
    let (text, class) = match state {
        MailState::Queued => ("Waiting", "plain"),
        MailState::Sent => ("Sent", "good"),
        MailState::Expired => ("Too late", "plain"),
        MailState::Failed => ("Given up", "bad"),
    };
    Badge { text, class, word: state.as_str() }
}

/// The name of a platform.
#[must_use]
pub const fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Ios => "iOS",
        Platform::Ipados => "iPadOS",
        Platform::Macos => "macOS",
        Platform::Android => "Android",
        Platform::Browser => "Browser",
        Platform::Other => "Other",
    }
}

/// Whose device it is.
#[must_use]
pub const fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::Company => "Company",
        Ownership::Personal => "Personal",
    }
}

/// What manages a device.
#[must_use]
pub const fn backend(backend: Backend) -> &'static str {
    match backend {
        Backend::Apple => "Apple's device management",
        Backend::Certificate => "Certificate only (identified, not managed)",
        Backend::Agent => "Enlist's agent",
        Backend::Headwind => "Headwind launcher",
        Backend::Browser => "Browser (not managed)",
    }
}

/// What an agent is on its device.
#[must_use]
pub const fn mode(mode: ManagementMode) -> &'static str {
    match mode {
        ManagementMode::DeviceOwner => "the whole device",
        ManagementMode::ProfileOwner => "a work profile",
    }
}

/// A word of the protocol as people read it: `clear_passcode` becomes `Clear passcode`.
#[must_use]
pub fn words(term: &str) -> String {
    let mut text = term.replace(['_', '.'], " ");
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_the_largest_unit() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        for (seconds, text) in [
            (0, "just now"),
            (50, "1 minute ago"),
            (120, "2 minutes ago"),
            (3600, "1 hour ago"),
            (86_400, "1 day ago"),
            (864_000, "10 days ago"),
        ] {
            assert_eq!(When::new(now.plus_seconds(-seconds), now).ago, text);
        }
        assert_eq!(When::new(now.plus_days(3), now).ago, "in 3 days");
        assert_eq!(When::new(now, now).text, "2026-09-21 14:13 UTC");
    }

    #[test]
    fn terms_become_words() {
        assert_eq!(words("clear_passcode"), "Clear passcode");
        assert_eq!(words("device.wipe"), "Device wipe");
        assert_eq!(words(""), "");
    }
}
