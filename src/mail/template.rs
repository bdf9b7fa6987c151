//! The mails that the server sends, with what is put into their texts.

use serde::Serialize;

use crate::domain::mail::MailKind;

/// A mail, with what its text can name.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Template {
    /// [`MailKind::Invitation`]
    Invitation {
        /// The organization's name.
        organization: String,
        /// The user's name.
        name: String,
        /// The plain link to the portal. It enrolls nobody by itself.
        link: String,
        /// Until when the link works, as a date.
        until: String,
    },
    /// [`MailKind::Code`]
    Code {
        /// The organization's name.
        organization: String,
        /// The eight digits.
        code: String,
        /// The same in two groups of four.
        spaced: String,
        /// For how many minutes it works.
        minutes: i64,
        /// The portal's host, for the browser that fills the code in by itself.
        host: String,
    },
    /// [`MailKind::Compliance`]
    Compliance {
        /// The organization's name.
        organization: String,
        /// The user's name.
        name: String,
        /// What the device is called.
        device: String,
        /// Access is lost already.
        is_blocked: bool,
        /// Until when there is time, as a date; none where there is no such day.
        until: Option<String>,
        /// What is wrong.
        reasons: Vec<Mended>,
        /// Where the person sees their devices.
        link: String,
    },
    /// [`MailKind::Announcement`]
    Announcement {
        /// The organization's name.
        organization: String,
        /// The user's name.
        name: String,
        /// For how many days an enrollment lasts without use.
        days: u16,
        /// The portal's host.
        host: String,
        /// Where a browser is enrolled.
        link: String,
    },
    /// [`MailKind::Enrolled`]
    Enrolled {
        /// The organization's name.
        organization: String,
        /// The user's name.
        name: String,
        /// What the device is called.
        device: String,
        /// The day, as a date.
        date: String,
        /// Where the person sees their devices.
        link: String,
    },
    /// [`MailKind::Wiped`]
    Wiped {
        /// The organization's name.
        organization: String,
        /// The user's name.
        name: String,
        /// What the device is called.
        device: String,
        /// Everything was erased, and not the company's data alone.
        is_full: bool,
        /// The day, as a date.
        date: String,
        /// Where a device is enrolled.
        link: String,
    },
    /// [`MailKind::File`]. The file itself is put in when the mail is sent.
    File {
        /// The organization's name.
        organization: String,
        /// The user's name.
        name: String,
        /// What the file is called.
        file: String,
        /// The browser in which it was asked for.
        browser: String,
        /// Where the person sees their devices.
        link: String,
    },
    /// [`MailKind::Held`]
    Held {
        /// The organization's name.
        organization: String,
        /// The administrator's name.
        name: String,
        /// How many devices were given a wipe, or were let go.
        devices: i64,
        /// Within so many minutes.
        minutes: i64,
        /// Where they are released.
        link: String,
    },
    /// [`MailKind::Report`]
    Report {
        /// The organization's name.
        organization: String,
        /// What the view is called.
        report: String,
        /// When it was counted, as a date.
        counted: String,
        /// How many devices it shows.
        devices: i64,
        /// The same by status.
        numbers: Vec<Number>,
        /// The first of them.
        lines: Vec<Line>,
        /// There are more than those.
        has_more: bool,
        /// Where all of them are.
        link: String,
    },
    /// [`MailKind::Test`]
    Test {
        /// The organization's name.
        organization: String,
        /// The portal's host.
        host: String,
    },
}

/// How many devices there are of one status.
#[derive(Debug, Clone, Serialize)]
pub struct Number {
    /// The status.
    pub word: String,
    /// How many.
    pub count: i64,
}

/// One device of a report.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// Its owner's address.
    pub email: String,
    /// Its verdict.
    pub status: String,
    /// Why, where there is a reason.
    pub why: String,
}

/// What is wrong with a device, and how it is mended.
#[derive(Debug, Clone, Serialize)]
pub struct Mended {
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
}

/// What a device is called in mails whose own name nobody knows.
pub const UNNAMED: &str = "your device";

impl Template {
    /// Which mail it is.
    #[must_use]
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::Invitation { .. } => MailKind::Invitation,
            Self::Code { .. } => MailKind::Code,
            Self::Compliance { .. } => MailKind::Compliance,
            Self::Announcement { .. } => MailKind::Announcement,
            Self::Enrolled { .. } => MailKind::Enrolled,
            Self::Wiped { .. } => MailKind::Wiped,
            Self::File { .. } => MailKind::File,
            Self::Held { .. } => MailKind::Held,
            Self::Report { .. } => MailKind::Report,
            Self::Test { .. } => MailKind::Test,
        }
    }

    /// The sentences that the server itself puts into the mail, for the language that the text is in.
    pub(super) fn sentences(&mut self) -> Vec<&mut String> {
        match self {
            Self::Compliance { device, reasons, .. } => {
                reasons.iter_mut().flat_map(|reason| [&mut reason.text, &mut reason.remedy]).chain([device]).collect()
            }
            Self::Enrolled { device, .. } | Self::Wiped { device, .. } => vec![device],
            Self::Report { numbers, lines, .. } => {
                let lines = lines.iter_mut().flat_map(|line| [&mut line.status, &mut line.why]);
                numbers.iter_mut().map(|number| &mut number.word).chain(lines).collect()
            }
            Self::Invitation { .. }
            | Self::Code { .. }
            | Self::Announcement { .. }
            | Self::File { .. }
            | Self::Held { .. }
            | Self::Test { .. } => Vec::new(),
        }
    }
}
