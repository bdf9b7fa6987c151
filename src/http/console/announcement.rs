//! The announcement of browser enrollment: who would get it and what it says first, then it is written to them as a job.

use actix_web::{HttpResponse, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{field::Field, frame::Frame, see};
use crate::{
    domain::mail::{ENGLISH, MailKind},
    http::{
        api::paging,
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    mail::render::Rendered,
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
        if self.emails.trim().is_empty() {
            let group = paging::optional("group", Some(self.group.as_str()))?;
            return Ok(group.map_or(Audience::Everybody, Audience::Group));
        }
        let words = self.emails.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
        let emails: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        // Whoever typed something did not mean everybody.
        if emails.is_empty() {
            Err(Error::invalid("emails", "must be given, or the field must be empty"))
        } else {
            Ok(Audience::Addresses(emails))
        }
    }
}

#[derive(Debug, Serialize)]
struct AnnouncementView {
    group_field: Option<Field>,
    group: String,
    emails: String,
    number: usize,
    people: String,
    /// None where the text cannot be used.
    subject: Option<String>,
    text: String,
    edit: String,
    is_switched_off: bool,
}

/// `GET /console/announcement`
pub async fn get_announcement(admin: Admin) -> Result<HttpResponse, Problem> {
    show(&admin, &AudienceForm::default(), None).await
}

/// `POST /console/announcement`: counts who would get it. Nothing is sent; the addresses of many people are too long for a query.
pub async fn post_count(form: Form<AudienceForm>) -> Result<HttpResponse, Problem> {
    show(&form.admin, &form.fields, None).await
}

/// `POST /console/announcement/send`
pub async fn post_announcement(form: Form<AudienceForm>) -> Result<HttpResponse, Problem> {
    let begun = match form.fields.audience() {
        Ok(audience) => form.admin.app.announce_browsers(form.admin.actor.clone(), audience).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(id) => Ok(see(&format!("/console/users/import/{id}"))),
        Err(Error::Conflict(why)) => show(&form.admin, &form.fields, Some(why)).await,
        // The page says by itself what is wrong with the addresses.
        Err(Error::Invalid { .. }) => show(&form.admin, &form.fields, None).await,
        Err(error) => Err(error.into()),
    }
}

/// * `conflict`: why it was not sent, where it was not.
async fn show(admin: &Admin, typed: &AudienceForm, conflict: Option<String>) -> Result<HttpResponse, Problem> {
    let counted = match typed.audience() {
        Ok(audience) => admin.app.count_audience(audience).await,
        Err(error) => Err(error),
    };
    let (number, status, why) = match (counted, conflict) {
        (Ok(number), None) => (number, StatusCode::OK, None),
        (Ok(number), Some(why)) => (number, StatusCode::CONFLICT, Some(sentence(&why))),
        (Err(Error::Invalid { why, .. }), _) => (0, StatusCode::BAD_REQUEST, Some(sentence(&format!("The addresses {why}")))),
        (Err(error), _) => return Err(error.into()),
    };
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    let settings = admin.app.settings().await?;
    let (language, example) = example(admin, &settings.mail_language).await?;
    let everybody = [(String::new(), "Everybody".to_owned())].into_iter();
    let choices = everybody.chain(all.iter().map(|(id, name)| (id.to_string(), name.clone())));
    let view = AnnouncementView {
        group_field: (!all.is_empty()).then(|| Field::choice("group", "Only members of", &typed.group, choices)),
        group: typed.group.clone(),
        emails: typed.emails.clone(),
        number,
        people: if number == 1 { "1 person".into() } else { format!("{number} people") },
        edit: format!("/console/mails/announcement/{language}"),
        subject: example.as_ref().map(|mail| mail.subject.clone()),
        text: example.map(|mail| mail.text).unwrap_or_default(),
        is_switched_off: !settings.browser_enrollment_enabled,
    };
    let frame = Frame::new(admin, "/console/mails", "Announce the enrollment of browsers").refused(why);
    Ok(frame.below("/console/mails", "Mail texts").show_as(admin, status, "console/announcement", &view))
}

/// What the mail says, with the language that it says it in: English where the organization's is not there any more. Nothing where
/// the text cannot be used any more.
async fn example(admin: &Admin, language: &str) -> Result<(String, Option<Rendered>), Error> {
    let language = if admin.app.languages().has(language) { language } else { ENGLISH };
    let text = admin.app.mail_text(MailKind::Announcement, language).await?.text;
    let example = match admin.app.preview_mail(MailKind::Announcement, language, &text).await {
        Ok(examples) => examples.into_iter().next(),
        Err(Error::Invalid { .. } | Error::Internal { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok((language.to_owned(), example))
}
