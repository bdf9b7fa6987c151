//! The announcement of browser enrollment: who would get it and what it says first, then it is written to them as a job.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{field::Field, frame::Frame, see};
use crate::{
    domain::mail::MailKind,
    http::{
        api::paging,
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{Error, announcement::Audience},
    store::groups,
};

/// To whom, as it was chosen or typed.
#[derive(Debug, Default, Deserialize)]
pub struct AudienceForm {
    #[serde(default)]
    group: String,
    #[serde(default)]
    emails: String,
}

impl AudienceForm {
    fn audience(&self) -> Result<Audience, Error> {
        let emails: Vec<String> = self
            .emails
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        if !emails.is_empty() {
            return Ok(Audience::Addresses(emails));
        }
        let group = paging::optional("group", Some(self.group.as_str()))?;
        Ok(group.map_or(Audience::Everybody, Audience::Group))
    }
}

#[derive(Debug, Serialize)]
struct AnnouncementView {
    group_field: Option<Field>,
    group: String,
    emails: String,
    number: usize,
    people: String,
    subject: String,
    text: String,
    edit: String,
    is_switched_off: bool,
}

/// `GET /console/announcement`
pub async fn get_announcement(admin: Admin, query: web::Query<AudienceForm>) -> Result<HttpResponse, Problem> {
    show(&admin, &query, None).await
}

/// `POST /console/announcement/send`
pub async fn post_announcement(form: Form<AudienceForm>) -> Result<HttpResponse, Problem> {
    let begun = match form.fields.audience() {
        Ok(audience) => form.admin.app.announce_browsers(form.admin.actor.clone(), audience).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(id) => Ok(see(&format!("/console/users/import/{id}"))),
        Err(error) => show(&form.admin, &form.fields, Some(error)).await,
    }
}

/// * `refusal`: why it was not sent, where it was not.
async fn show(admin: &Admin, typed: &AudienceForm, refusal: Option<Error>) -> Result<HttpResponse, Problem> {
    let counted = match (refusal, typed.audience()) {
        (Some(error), _) | (None, Err(error)) => Err(error),
        (None, Ok(audience)) => admin.app.count_audience(audience).await,
    };
    let (number, why) = match counted {
        Ok(number) => (number, None),
        Err(Error::Invalid { why, .. }) => (0, Some(sentence(&format!("The addresses {why}")))),
        Err(Error::Conflict(why)) => (0, Some(sentence(&why))),
        Err(error) => return Err(error.into()),
    };
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    let settings = admin.app.settings().await?;
    let language = &settings.mail_language;
    let text = admin.app.mail_text(MailKind::Announcement, language).await?.text;
    let example = admin.app.preview_mail(MailKind::Announcement, language, &text).await?.into_iter().next();
    let everybody = [(String::new(), "Everybody".to_owned())].into_iter();
    let choices = everybody.chain(all.iter().map(|(id, name)| (id.to_string(), name.clone())));
    let status = if why.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let view = AnnouncementView {
        group_field: (!all.is_empty()).then(|| Field::choice("group", "Only members of", &typed.group, choices)),
        group: typed.group.clone(),
        emails: typed.emails.clone(),
        number,
        people: if number == 1 { "1 person".into() } else { format!("{number} people") },
        edit: format!("/console/mails/announcement/{language}"),
        subject: example.as_ref().map(|mail| mail.subject.clone()).unwrap_or_default(),
        text: example.map(|mail| mail.text).unwrap_or_default(),
        is_switched_off: !settings.browser_enrollment_enabled,
    };
    let frame = Frame::new(admin, "/console/mails", "Announce the enrollment of browsers").refused(why);
    Ok(frame.below("/console/mails", "Mail texts").show_as(admin, status, "console/announcement", &view))
}
