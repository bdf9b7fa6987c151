//! What the texts of mails can name, with examples: shown to whoever edits a text, and what a new text is tried with.

use super::template::{Line, Mended, Number, Template};
use crate::domain::mail::MailKind;

/// Something that a text can name: its name, and what it stands for.
pub type Variable = (&'static str, &'static str);

const ORGANIZATION: Variable = ("organization", "the organization's name");
const NAME: Variable = ("name", "the user's name");
const DEVICE: Variable = ("device", "what the device is called");
const HOST: Variable = ("host", "the name of this server, as the browser's address bar shows it");
const DATE: Variable = ("date", "the day, as 2026-12-06");

/// What the text of a mail can name.
#[must_use]
pub const fn variables(kind: MailKind) -> &'static [Variable] {
    match kind {
        MailKind::Invitation => {
            &[ORGANIZATION, NAME, ("link", "the address that leads to the enrollment"), ("until", "the last day on which it does")]
        }
        MailKind::Code => &[
            ORGANIZATION,
            ("code", "the eight digits of the code"),
            ("spaced", "the same in two groups of four"),
            ("minutes", "for how many minutes the code works"),
            HOST,
        ],
        MailKind::Compliance => &[
            ORGANIZATION,
            NAME,
            DEVICE,
            ("is_blocked", "for {{#if is_blocked}}: the device has lost its access already"),
            ("until", "the last day to mend it; there may be none, so it stands within {{#if until}}"),
            ("reasons", "for {{#each reasons}}: in it {{text}} says what is wrong, and {{remedy}} what to do"),
            ("link", "the address of the person's own devices"),
        ],
        MailKind::Announcement => &[
            ORGANIZATION,
            NAME,
            ("days", "for how many days a browser is known without being used"),
            HOST,
            ("link", "the address where a browser is enrolled"),
        ],
        MailKind::Enrolled => &[ORGANIZATION, NAME, DEVICE, DATE, ("link", "the address of the person's own devices")],
        MailKind::Wiped => &[
            ORGANIZATION,
            NAME,
            DEVICE,
            ("is_full", "for {{#if is_full}}: everything was erased, and not the company's data alone"),
            DATE,
            ("link", "the address where a device is enrolled"),
        ],
        MailKind::File => &[
            ORGANIZATION,
            NAME,
            ("file", "what the file is called"),
            ("browser", "the browser in which it was asked for"),
            ("link", "the address of the person's own devices"),
        ],
        MailKind::Held => &[
            ORGANIZATION,
            NAME,
            ("devices", "how many devices were given a wipe, or were let go"),
            ("minutes", "within how many minutes"),
            ("link", "the address where they are released"),
        ],
        MailKind::Report => &[
            ORGANIZATION,
            ("report", "what the view is called"),
            ("counted", "the day on which it was counted"),
            ("devices", "how many devices it shows"),
            ("numbers", "for {{#each numbers}}: in it {{word}} is a status, and {{count}} how many devices have it"),
            ("lines", "for {{#each lines}}: in it {{name}}, {{email}}, {{status}} and {{why}} say how a device stands"),
            ("has_more", "for {{#if has_more}}: there are more devices than those"),
            ("link", "the address of the whole view"),
        ],
        MailKind::Test => &[ORGANIZATION, HOST],
    }
}

/// What a mail is of no use without: one of these has to be in its text.
#[must_use]
pub const fn essentials(kind: MailKind) -> &'static [&'static str] {
    match kind {
        MailKind::Code => &["code", "spaced"],
        MailKind::Invitation | MailKind::Announcement | MailKind::Compliance | MailKind::Held | MailKind::Report => &["link"],
        MailKind::Enrolled | MailKind::Wiped => &["device"],
        MailKind::File => &["file"],
        MailKind::Test => &[],
    }
}

/// Examples of a mail that take every way through its text, the plainest one first.
///
/// * `organization`, `public_url`: those of this server, so that the examples look like its mails.
#[must_use]
pub fn samples(kind: MailKind, organization: &str, public_url: &str) -> Vec<Template> {
    let organization = || organization.to_owned();
    let (name, device) = (|| "Ada Lovelace".to_owned(), || "Ada's phone".to_owned());
    let (date, devices) = (|| "2026-12-06".to_owned(), || format!("{public_url}/devices"));
    let host = || public_url.split("://").nth(1).unwrap_or_default().split([':', '/']).next().unwrap_or_default().to_owned();
    match kind {
        MailKind::Invitation => vec![Template::Invitation {
            organization: organization(),
            name: name(),
            link: format!("{public_url}/enroll/EXAMPLE"),
            until: date(),
        }],
        MailKind::Code => vec![Template::Code {
            organization: organization(),
            code: "12345678".into(),
            spaced: "1234 5678".into(),
            minutes: 10,
            host: host(),
        }],
        MailKind::Compliance => [(false, Some(date())), (false, None), (true, None)]
            .map(|(is_blocked, until)| Template::Compliance {
                organization: organization(),
                name: name(),
                device: device(),
                is_blocked,
                until,
                reasons: vec![Mended {
                    text: "No passcode is set on the device.".into(),
                    remedy: "Set a passcode in Settings, under Face ID & Passcode.".into(),
                }],
                link: devices(),
            })
            .into(),
        MailKind::Announcement => vec![Template::Announcement {
            organization: organization(),
            name: name(),
            days: 365,
            host: host(),
            link: format!("{public_url}/browser"),
        }],
        MailKind::Enrolled => {
            vec![Template::Enrolled { organization: organization(), name: name(), device: device(), date: date(), link: devices() }]
        }
        MailKind::Wiped => [false, true]
            .map(|is_full| Template::Wiped {
                organization: organization(),
                name: name(),
                device: device(),
                is_full,
                date: date(),
                link: format!("{public_url}/"),
            })
            .into(),
        MailKind::File => vec![Template::File {
            organization: organization(),
            name: name(),
            file: "Budget 2027.pdf".into(),
            browser: "Chrome on Windows".into(),
            link: devices(),
        }],
        MailKind::Held => vec![Template::Held {
            organization: organization(),
            name: name(),
            devices: 50,
            minutes: 20,
            link: format!("{public_url}/console/hold"),
        }],
        MailKind::Report => [(2, false), (2, true), (0, false)]
            .map(|(shown, has_more)| Template::Report {
                organization: organization(),
                report: "Phones of the field".into(),
                counted: date(),
                devices: if shown == 0 { 0 } else { 42 },
                numbers: if shown == 0 { Vec::new() } else { vec![Number { word: "noncompliant".into(), count: 42 }] },
                lines: [String::new(), "No passcode is set on the device.".into()]
                    .map(|why| Line { name: device(), email: "ada@example.com".into(), status: "noncompliant".into(), why })
                    .into_iter()
                    .take(shown)
                    .collect(),
                has_more,
                link: format!("{public_url}/console/report"),
            })
            .into(),
        MailKind::Test => vec![Template::Test { organization: organization(), host: host() }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_what_a_text_can_name_and_nothing_else() {
        for kind in MailKind::ALL {
            let examples = samples(*kind, "Example", "https://enroll.example.com");
            for example in &examples {
                assert_eq!(example.kind(), *kind);
                let value = serde_json::to_value(example).unwrap();
                let mut found: Vec<&String> = value.as_object().unwrap().keys().collect();
                let mut listed: Vec<&str> = variables(*kind).iter().map(|(name, _)| *name).collect();
                found.sort_unstable();
                listed.sort_unstable();
                assert_eq!(found, listed, "{kind}");
            }
            assert!(essentials(*kind).iter().all(|name| variables(*kind).iter().any(|(listed, _)| listed == name)), "{kind}");
        }
    }
}
