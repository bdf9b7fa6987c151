//! The settings of the organization.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{field::Field, frame::Frame, languages, see, show};
use crate::{
    domain::backend::Backend,
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        settings::{ANDROID_COMPANY, ANDROID_PERSONAL, Settings, SettingsChange},
    },
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct SettingsQuery {
    #[serde(default)]
    done: String,
}

/// The form: everything as it was typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SettingsForm {
    #[serde(default)]
    organization: String,
    #[serde(default)]
    mail_sender: String,
    #[serde(default)]
    mail_language: String,
    #[serde(default)]
    gate_hosts: String,
    #[serde(default)]
    certificate_days: String,
    #[serde(default)]
    refresh_hours: String,
    #[serde(default)]
    wipe_limit: String,
    #[serde(default)]
    wipe_brake: String,
    #[serde(default)]
    ota_enrollment: String,
    #[serde(default)]
    scep_allow_sha1: String,
    #[serde(default)]
    scep_allow_3des: String,
    #[serde(default)]
    android_personal: Vec<String>,
    #[serde(default)]
    android_company: Vec<String>,
}

/// One way of enrolling Android devices.
#[derive(Debug, Serialize)]
struct MethodTick {
    field: &'static str,
    word: &'static str,
    text: &'static str,
    is_on: bool,
}

#[derive(Debug, Serialize)]
struct SettingsView {
    form: SettingsForm,
    is_mail_kept_as_files: bool,
    /// Nobody has chosen the sender's address: mails come from a made-up one.
    is_sender_made_up: bool,
    public_url: String,
    languages: Field,
    android_personal: Vec<MethodTick>,
    android_company: Vec<MethodTick>,
    /// The launcher is allowed, and there is none that could be given to phones.
    lacks_launcher: bool,
}

impl From<Settings> for SettingsForm {
    fn from(settings: Settings) -> Self {
        let ticked = |value: bool| if value { "yes".to_owned() } else { String::new() };
        Self {
            organization: settings.organization,
            mail_sender: settings.mail_sender,
            mail_language: settings.mail_language,
            gate_hosts: settings.gate_hosts.join(" "),
            certificate_days: settings.certificate_days.to_string(),
            refresh_hours: settings.refresh_hours.to_string(),
            wipe_limit: settings.wipe_limit.to_string(),
            wipe_brake: settings.wipe_brake.to_string(),
            ota_enrollment: ticked(settings.ota_enrollment),
            scep_allow_sha1: ticked(settings.scep_allow_sha1),
            scep_allow_3des: ticked(settings.scep_allow_3des),
            android_personal: settings.android_personal.iter().map(ToString::to_string).collect(),
            android_company: settings.android_company.iter().map(ToString::to_string).collect(),
        }
    }
}

impl SettingsForm {
    fn change(&self) -> Result<SettingsChange, Error> {
        let number = |field: &'static str, text: &str| {
            text.trim().parse::<u16>().map(Some).map_err(|_| Error::invalid(field, "must be a whole number"))
        };
        Ok(SettingsChange {
            organization: Some(self.organization.trim().to_owned()),
            mail_sender: Some(self.mail_sender.trim().to_owned()),
            // A form without it, which is older than the field, changes nothing.
            mail_language: Some(self.mail_language.clone()).filter(|language| !language.is_empty()),
            gate_hosts: Some(
                self.gate_hosts.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty()).map(str::to_lowercase).collect(),
            ),
            certificate_days: number("certificate_days", &self.certificate_days)?,
            refresh_hours: number("refresh_hours", &self.refresh_hours)?,
            wipe_limit: number("wipe_limit", &self.wipe_limit)?,
            wipe_brake: number("wipe_brake", &self.wipe_brake)?,
            ota_enrollment: Some(!self.ota_enrollment.is_empty()),
            scep_allow_sha1: Some(!self.scep_allow_sha1.is_empty()),
            scep_allow_3des: Some(!self.scep_allow_3des.is_empty()),
            android_personal: Some(methods("android_personal", &self.android_personal)?),
            android_company: Some(methods("android_company", &self.android_company)?),
            ..SettingsChange::default()
        })
    }
}

fn methods(field: &'static str, words: &[String]) -> Result<Vec<Backend>, Error> {
    words.iter().map(|word| word.parse().map_err(|why| Error::invalid(field, why))).collect()
}

fn ticks(field: &'static str, possible: &[Backend], on: &[String]) -> Vec<MethodTick> {
    let tick = |method: &Backend| MethodTick {
        field,
        word: method.as_str(),
        text: show::backend(*method),
        is_on: on.iter().any(|word| word == method.as_str()),
    };
    possible.iter().map(tick).collect()
}

/// `GET /console/settings`
pub async fn get_settings(admin: Admin, query: web::Query<SettingsQuery>) -> Result<HttpResponse, Problem> {
    let settings = admin.app.settings().await?;
    let done = (query.done == "saved").then_some("The settings were saved.");
    let frame = Frame::new(&admin, "/console/settings", "Settings").done(done);
    render(&admin, &frame, StatusCode::OK, settings.into()).await
}

/// `POST /console/settings`
pub async fn post_settings(form: Form<SettingsForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let saved = match fields.change() {
        Ok(change) => admin.app.change_settings(admin.actor.clone(), change).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => Ok(see("/console/settings?done=saved")),
        Err(Error::Invalid { field, why }) => {
            let why = sentence(&format!("{} {why}", name_of(&field)));
            let frame = Frame::new(&admin, "/console/settings", "Settings").refused(Some(why));
            render(&admin, &frame, StatusCode::BAD_REQUEST, fields).await
        }
        Err(error) => Err(error.into()),
    }
}

fn name_of(field: &str) -> &str {
    match field {
        "organization" => "The name of the organization",
        "mail_sender" => "The sender's address",
        "mail_language" => "The language of mails",
        "gate_hosts" => "The hosts of protected applications",
        "certificate_days" => "The life of a certificate",
        "refresh_hours" => "The time between two reports",
        "wipe_limit" => "The limit on wipes",
        "wipe_brake" => "The number of devices",
        "android_personal" => "How people enroll Android devices of their own",
        "android_company" => "How Android devices of the company are enrolled",
        other => other,
    }
}

async fn render(admin: &Admin, frame: &Frame, status: StatusCode, form: SettingsForm) -> Result<HttpResponse, Problem> {
    let android_company = ticks("android_company", &ANDROID_COMPANY, &form.android_company);
    let wants_launcher = android_company.iter().any(|tick| tick.is_on && tick.word == Backend::Headwind.as_str());
    let kept = admin.app.settings().await?.mail_language;
    let view = SettingsView {
        is_sender_made_up: admin.app.is_default_sender(form.mail_sender.trim()),
        is_mail_kept_as_files: admin.app.is_mail_kept_as_files(),
        public_url: admin.app.public_url().to_owned(),
        languages: Field::choice("mail_language", "Language of mails", &form.mail_language, languages::choices(&admin.app, &kept))
            .hint("For everybody who has no language of their own. Pages are in English."),
        android_personal: ticks("android_personal", &ANDROID_PERSONAL, &form.android_personal),
        lacks_launcher: wants_launcher && !admin.app.has_launcher().await?,
        android_company,
        form,
    };
    Ok(frame.show_as(admin, status, "console/settings", &view))
}
