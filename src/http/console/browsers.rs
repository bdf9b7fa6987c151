//! The settings of browser enrollment, and the limits of devices. What is risky has to be confirmed in a second step.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{field::Field, frame::Frame, see};
use crate::{
    domain::{
        browser::{DAYS, DeviceLimits, MOST_DEVICES},
        id::GroupId,
    },
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        settings::{Settings, SettingsChange, Written},
    },
    store::groups,
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct BrowsersQuery {
    #[serde(default)]
    done: String,
}

/// The form: everything as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct BrowsersForm {
    #[serde(default)]
    enabled: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    awareness: String,
    #[serde(default)]
    group: Vec<GroupId>,
    #[serde(default)]
    domains: String,
    #[serde(default)]
    apple: String,
    #[serde(default)]
    android: String,
    #[serde(default)]
    browser: String,
    #[serde(default)]
    confirm_risk: String,
}

#[derive(Debug, Serialize)]
struct Tick {
    id: GroupId,
    name: String,
    is_on: bool,
}

#[derive(Debug, Serialize)]
struct BrowsersView {
    switches: Vec<Field>,
    limits: Vec<Field>,
    groups: Vec<Tick>,
    /// What the change would bring about, where it has to be confirmed.
    risks: Vec<String>,
    sender: String,
    is_sender_made_up: bool,
}

impl From<&Settings> for BrowsersForm {
    fn from(settings: &Settings) -> Self {
        let ticked = |value: bool| if value { "yes".to_owned() } else { String::new() };
        let limit = |value: Option<u16>| value.map(|value| value.to_string()).unwrap_or_default();
        Self {
            enabled: ticked(settings.browser_enrollment_enabled),
            days: settings.browser_enrollment_days.to_string(),
            awareness: ticked(settings.browser_enrollment_awareness),
            group: settings.browser_enrollment_groups.clone(),
            domains: settings.browser_enrollment_domains.join(" "),
            apple: limit(settings.device_limits.apple),
            android: limit(settings.device_limits.android),
            browser: limit(settings.device_limits.browser),
            confirm_risk: String::new(),
        }
    }
}

impl BrowsersForm {
    fn change(&self) -> Result<SettingsChange, Error> {
        let limit = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse::<u16>().map(Some).map_err(|_| Error::invalid("device_limits", "must be whole numbers, or empty")),
        };
        Ok(SettingsChange {
            browser_enrollment_enabled: Some(!self.enabled.is_empty()),
            browser_enrollment_days: Some(Written(self.days.trim().parse().ok())),
            browser_enrollment_awareness: Some(!self.awareness.is_empty()),
            browser_enrollment_groups: Some(self.group.clone()),
            browser_enrollment_domains: Some(
                self.domains.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty()).map(str::to_lowercase).collect(),
            ),
            device_limits: Some(DeviceLimits {
                apple: limit(&self.apple)?,
                android: limit(&self.android)?,
                browser: limit(&self.browser)?,
            }),
            confirm_risk: !self.confirm_risk.is_empty(),
            ..SettingsChange::default()
        })
    }
}

/// `GET /console/browsers`
pub async fn get_browsers(admin: Admin, query: web::Query<BrowsersQuery>) -> Result<HttpResponse, Problem> {
    let settings = admin.app.settings().await?;
    let done = (query.done == "saved")
        .then_some("The settings were saved. They hold for browsers that are enrolled already from their next use on.");
    let frame = frame(&admin).done(done);
    show(&admin, frame, StatusCode::OK, &BrowsersForm::from(&settings), Vec::new(), None).await
}

/// `POST /console/browsers`
pub async fn post_browsers(form: Form<BrowsersForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let change = match fields.change() {
        Ok(change) => change,
        Err(error) => return refuse(&admin, &fields, error).await,
    };
    let risks = admin.app.risks_of(change.clone()).await?;
    match admin.app.change_settings(admin.actor.clone(), change).await {
        Ok(_) => Ok(see("/console/browsers?done=saved")),
        Err(Error::Conflict(_)) if !risks.is_empty() => {
            let risks = risks.iter().map(|risk| sentence(&risk.to_string())).collect();
            let frame = frame(&admin).refused(Some("Nothing was saved yet. Read what the change means, and confirm it.".into()));
            show(&admin, frame, StatusCode::CONFLICT, &fields, risks, None).await
        }
        Err(error) => refuse(&admin, &fields, error).await,
    }
}

fn frame(admin: &Admin) -> Frame {
    Frame::new(admin, "/console/browsers", "Browser enrollment")
}

async fn refuse(admin: &Admin, fields: &BrowsersForm, error: Error) -> Result<HttpResponse, Problem> {
    let Error::Invalid { field, why } = error else { return Err(error.into()) };
    let name = match field.as_str() {
        "browser_enrollment_days" => "The number of days",
        "device_limits" => "The limits",
        "browser_enrollment_groups" => "The groups",
        "browser_enrollment_domains" => "The domains",
        other => other,
    };
    let frame = frame(admin).refused(Some(sentence(&format!("{name} {why}"))));
    show(admin, frame, StatusCode::BAD_REQUEST, fields, Vec::new(), Some((field, why))).await
}

async fn show(
    admin: &Admin,
    frame: Frame,
    status: StatusCode,
    form: &BrowsersForm,
    risks: Vec<String>,
    wrong: Option<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    let sender = admin.app.settings().await?.mail_sender;
    let wrong_days = wrong.as_ref().filter(|(field, _)| field == "browser_enrollment_days").map(|(_, why)| why);
    let limit = |name, label, value: &str| Field::number(name, label, value, (1, MOST_DEVICES)).hint("Empty for no limit.");
    let view = BrowsersView {
        switches: vec![
            Field::tick("enabled", "Enroll browsers (authentication of people who follow protected links)", !form.enabled.is_empty()).hint(
                "Whoever follows a protected link or asks for a file in a browser that is not known is asked for their address and a code.",
            ),
            Field::number("days", "Days for which an enrollment lasts without being used", form.days.clone(), (*DAYS.start(), *DAYS.end()))
                .required()
                .hint("1 to 365. Each use renews it, so most people enroll once.")
                .wrong(wrong_days),
            Field::tick("awareness", "Ask people whether a link looks safe before they follow it", !form.awareness.is_empty())
                .hint("The answers stand in the report on links."),
            Field::text("domains", "The organization's domains", form.domains.clone()).longest(2000).hint(
                "Such as example.com, with a space between two. Links to anywhere else show where they lead before they are followed.",
            ),
        ],
        limits: vec![
            limit("apple", "iPhones, iPads and Macs", &form.apple),
            limit("android", "Android devices", &form.android),
            limit("browser", "Browsers", &form.browser),
        ],
        groups: all.into_iter().map(|(id, name)| Tick { is_on: form.group.contains(&id), id, name }).collect(),
        risks,
        is_sender_made_up: admin.app.is_default_sender(&sender),
        sender,
    };
    Ok(frame.show_as(admin, status, "console/browsers", &view))
}
