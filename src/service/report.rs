//! The compliance report: how many devices there are of each kind, and each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Error, Result};
use crate::{
    domain::{
        compliance::{CODES, Status},
        device::{EnrollmentState, Platform},
        time::Timestamp,
    },
    store::devices::{self, Filter, StatusFilter},
};

/// Which devices somebody wants to see, in the words of an address. What is left out or empty does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WantedDevices {
    /// A platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// A verdict, or a state of enrollment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Identifier of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `company` or `personal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<String>,
    /// Part of serial number, model, name or the user's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Identifier of a group that the owner is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Identifier of a policy that reaches the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Code of a reason that the device has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Days, 1 to 365, for which the device has not been seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen_days: Option<String>,
}

impl WantedDevices {
    /// The same as it stands behind the question mark of an address.
    #[must_use]
    pub fn address(&self) -> String {
        let fields = [
            ("os", &self.os),
            ("status", &self.status),
            ("ownership", &self.ownership),
            ("user", &self.user),
            ("q", &self.q),
            ("group", &self.group),
            ("policy", &self.policy),
            ("reason", &self.reason),
            ("unseen_days", &self.unseen_days),
        ];
        let mut writer = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.into_iter().filter_map(|(name, value)| given(value.as_deref()).map(|value| (name, value))) {
            writer.append_pair(name, value);
        }
        writer.finish()
    }

    /// The filter that finds them.
    ///
    /// # Errors
    /// [`Error::Invalid`] names what cannot be read.
    pub fn filter(&self, now: Timestamp) -> Result<Filter> {
        let days: Option<u16> = word("unseen_days", self.unseen_days.as_deref())?;
        if days.is_some_and(|days| !(1..=365).contains(&days)) {
            return Err(Error::invalid("unseen_days", "must be between 1 and 365"));
        }
        Ok(Filter {
            os: word("os", self.os.as_deref())?,
            status: given(self.status.as_deref()).map(status_of).transpose()?,
            user: word("user", self.user.as_deref())?,
            ownership: word("ownership", self.ownership.as_deref())?,
            text: text(self.q.as_deref())?,
            group: word("group", self.group.as_deref())?,
            policy: word("policy", self.policy.as_deref())?,
            reason: given(self.reason.as_deref()).map(reason_of).transpose()?,
            seen_before: days.map(|days| now.plus_days(-i64::from(days))),
        })
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn word<T: std::str::FromStr>(field: &'static str, text: Option<&str>) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    given(text).map(|text| text.parse().map_err(|why: T::Err| Error::invalid(field, why))).transpose()
}

fn text(text: Option<&str>) -> Result<Option<String>> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if text.chars().any(char::is_control) => Err(Error::invalid("q", "must not contain control characters")),
        other => Ok(other.map(str::to_owned)),
    }
}

fn status_of(word: &str) -> Result<StatusFilter> {
    if let Ok(status) = word.parse::<Status>() {
        return Ok(StatusFilter::Compliance(status));
    }
    word.parse::<EnrollmentState>().map(StatusFilter::Enrollment).map_err(|why| {
        let verdicts = Status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
        Error::invalid("status", format!("{why}, {verdicts}"))
    })
}

fn reason_of(code: &str) -> Result<String> {
    if CODES.iter().any(|(known, _)| *known == code) {
        return Ok(code.to_owned());
    }
    let known = CODES.iter().map(|(code, _)| *code).collect::<Vec<_>>().join(", ");
    Err(Error::invalid("reason", format!("must be one of: {known}")))
}

/// How many devices there are. A status is a verdict or a state of enrollment; the number beside a word is that of the devices
/// which the filter `status` with this word finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Totals {
    /// All of them.
    pub devices: i64,
    /// By platform.
    pub by_os: BTreeMap<&'static str, i64>,
    /// By verdict and by state of enrollment.
    pub by_status: BTreeMap<&'static str, i64>,
}

/// The numbers of the report.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Summary {
    /// When they were counted.
    pub generated_at: Timestamp,
    /// The numbers.
    pub totals: Totals,
}

impl App {
    /// Counts the devices that a filter wants.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn summarize(&self, filter: Filter) -> Result<Summary> {
        let generated_at = self.now();
        let rows = self.read(move |conn| devices::totals(conn, &filter)).await?;
        let mut totals = Totals::default();
        for platform in Platform::ALL {
            totals.by_os.insert(platform.as_str(), 0);
        }
        for word in Status::ALL.iter().map(|status| status.as_str()).chain(EnrollmentState::ALL.iter().map(|state| state.as_str())) {
            totals.by_status.insert(word, 0);
        }
        for (platform, state, status, count) in rows {
            totals.devices = totals.devices.saturating_add(count);
            add(&mut totals.by_os, platform.as_str(), count);
            add(&mut totals.by_status, state.as_str(), count);
            add(&mut totals.by_status, status.as_str(), count);
        }
        Ok(Summary { generated_at, totals })
    }
}

fn add(map: &mut BTreeMap<&'static str, i64>, word: &'static str, count: i64) {
    let number = map.entry(word).or_default();
    *number = number.saturating_add(count);
}
