//! The table that says what becomes of each setting of a policy on each kind of device.

use serde::Serialize;

use crate::domain::{
    backend::{Backend, ManagementMode},
    support::{Setting, Support, support},
};

/// One kind of device.
#[derive(Debug, Serialize)]
struct Cell {
    /// Which kind.
    column: &'static str,
    text: &'static str,
    class: &'static str,
}

/// One setting.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    cells: Vec<Cell>,
}

/// The table.
#[derive(Debug, Serialize)]
pub(super) struct SupportTable {
    columns: Vec<&'static str>,
    rows: Vec<Row>,
}

const COLUMNS: [(&str, Backend, Option<ManagementMode>); 5] = [
    ("iPhone, iPad", Backend::Apple, None),
    ("Android, agent on the whole device", Backend::Agent, Some(ManagementMode::DeviceOwner)),
    ("Android, agent in a work profile", Backend::Agent, Some(ManagementMode::ProfileOwner)),
    ("Android, Headwind launcher", Backend::Headwind, None),
    ("Android, certificate only", Backend::Certificate, None),
];

/// The table for every setting.
pub(super) fn table() -> SupportTable {
    let cell = |setting: Setting| {
        move |(column, backend, mode): &(&'static str, Backend, Option<ManagementMode>)| {
            let (text, class) = said(support(*backend, *mode, setting));
            Cell { column, text, class }
        }
    };
    let row = |setting: &Setting| Row { name: name(*setting), cells: COLUMNS.iter().map(cell(*setting)).collect() };
    SupportTable { columns: COLUMNS.iter().map(|(name, ..)| *name).collect(), rows: Setting::ALL.iter().map(row).collect() }
}

const fn said(support: Support) -> (&'static str, &'static str) {
    match support {
        Support::Enforced => ("Enforced", "good"),
        Support::Broadly => ("Enforced in broad steps", "good"),
        Support::Checked => ("Only checked", "plain"),
        Support::Impossible => ("Not possible", "care"),
    }
}

const fn name(setting: Setting) -> &'static str {
    match setting {
        Setting::Required => "A passcode is set",
        Setting::MinLength => "Length of the passcode",
        Setting::Alphanumeric => "Letters and digits",
        Setting::ComplexCharacters => "Special characters",
        Setting::NotSimple => "No simple passcode",
        Setting::FailedAttempts => "Erased after wrong tries",
        Setting::Inactivity => "Locks by itself",
        Setting::Age => "Passcode is changed",
        Setting::History => "Former passcodes",
        Setting::Encryption => "Encryption",
        Setting::NotCompromised => "Not jailbroken or rooted",
        Setting::MinOs => "Version of the system",
        Setting::ManagedMail => "Mail through an installed account",
        Setting::Silence => "Days of silence",
    }
}
