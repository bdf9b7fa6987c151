//! The texts of mails, by language; and the announcement that is written to many.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ApiError, Problem},
    imports::BegunImport,
};
use crate::{
    domain::{
        id::GroupId,
        mail::{MailKind, MailText},
        time::Timestamp,
        user::Permission,
    },
    http::extract::caller::Caller,
    mail::{render::Rendered, sample::variables},
    service::{App, Error, announcement::Audience, mail_texts::TextState},
};

/// The text of a mail in a language.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailTextView {
    /// Which mail.
    pub mail: MailKind,
    /// The code of the language, such as `de`.
    pub language: String,
    /// What the language calls itself.
    pub language_name: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// The language has no text for this mail, which is sent in English.
    pub is_english: bool,
    /// When it was written here; null where it came with the server.
    pub updated_at: Option<Timestamp>,
    /// By whom.
    pub updated_by: Option<String>,
    /// What the text can name in double braces.
    pub variables: Vec<VariableView>,
}

/// Something that a text can name.
#[derive(Debug, Serialize, ToSchema)]
pub struct VariableView {
    /// Its name.
    pub name: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
}

impl From<TextState> for MailTextView {
    fn from(state: TextState) -> Self {
        let (updated_at, updated_by) = state.written.unzip();
        let variables = variables(state.kind).iter().map(|(name, meaning)| VariableView { name, meaning });
        Self {
            mail: state.kind,
            language: state.language,
            language_name: state.language_name,
            subject: state.text.subject,
            body: state.text.body,
            is_english: state.is_english,
            updated_at,
            updated_by,
            variables: variables.collect(),
        }
    }
}

/// Lists the texts of all mails in all languages.
#[utoipa::path(get, path = "/api/v1/mail-texts", responses((status = 200, body = Vec<MailTextView>)), tag = "mails", security(("token" = [])))]
pub async fn list_mail_texts(caller: Caller, app: web::Data<App>) -> Result<web::Json<Vec<MailTextView>>, ApiError> {
    caller.must(Permission::Read)?;
    Ok(web::Json(app.mail_texts().await?.into_iter().map(MailTextView::from).collect()))
}

/// Gives the text of a mail in a language.
#[utoipa::path(get, path = "/api/v1/mail-texts/{mail}/{language}", params(("mail" = MailKind, Path), ("language" = String, Path)), responses((status = 200, body = MailTextView), (status = 404, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn get_mail_text(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(MailKind, String)>,
) -> Result<web::Json<MailTextView>, ApiError> {
    caller.must(Permission::Read)?;
    let (mail, language) = path.into_inner();
    Ok(web::Json(app.mail_text(mail, &language).await?.into()))
}

/// Writes another text for a mail. It is tried with examples first.
#[utoipa::path(put, path = "/api/v1/mail-texts/{mail}/{language}", params(("mail" = MailKind, Path), ("language" = String, Path)), request_body = MailText, responses((status = 200, body = MailTextView), (status = 400, body = Problem), (status = 404, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn replace_mail_text(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(MailKind, String)>,
    body: web::Json<MailText>,
) -> Result<web::Json<MailTextView>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let ((mail, language), app) = (path.into_inner(), app.into_inner());
    app.change_mail_text(caller.actor, mail, &language, body.into_inner()).await?;
    Ok(web::Json(app.mail_text(mail, &language).await?.into()))
}

/// Goes back to the text that comes with the server.
#[utoipa::path(delete, path = "/api/v1/mail-texts/{mail}/{language}", params(("mail" = MailKind, Path), ("language" = String, Path)), responses((status = 204), (status = 409, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn reset_mail_text(caller: Caller, app: web::Data<App>, path: web::Path<(MailKind, String)>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let (mail, language) = path.into_inner();
    app.into_inner().reset_mail_text(caller.actor, mail, &language).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A mail as somebody would read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailPreview {
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl From<Rendered> for MailPreview {
    fn from(Rendered { subject, text, html }: Rendered) -> Self {
        Self { subject, text, html }
    }
}

/// Shows mails as they would be with a text: one for each way through it. Nothing is saved.
#[utoipa::path(post, path = "/api/v1/mail-texts/{mail}/{language}/preview", params(("mail" = MailKind, Path), ("language" = String, Path)), request_body = MailText, responses((status = 200, body = Vec<MailPreview>), (status = 400, body = Problem), (status = 404, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn preview_mail_text(
    caller: Caller,
    app: web::Data<App>,
    path: web::Path<(MailKind, String)>,
    body: web::Json<MailText>,
) -> Result<web::Json<Vec<MailPreview>>, ApiError> {
    caller.must(Permission::ManageSettings)?;
    let (mail, language) = path.into_inner();
    let mails = app.preview_mail(mail, &language, &body).await?;
    Ok(web::Json(mails.into_iter().map(MailPreview::from).collect()))
}

/// To whom the announcement is written: to a group, to some, or to everybody who takes part where neither is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnouncementBody {
    /// Identifier of a group.
    group: Option<GroupId>,
    /// Main addresses of users.
    emails: Option<Vec<String>>,
}

/// Begins to write the mail that explains the enrollment of browsers. `GET /imports/{id}` says how far that has come.
#[utoipa::path(post, path = "/api/v1/announcements", request_body = AnnouncementBody, responses((status = 202, body = BegunImport), (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)), tag = "mails", security(("token" = [])))]
pub async fn announce_browsers(caller: Caller, app: web::Data<App>, body: web::Json<AnnouncementBody>) -> Result<HttpResponse, ApiError> {
    caller.must(Permission::ManageUsers)?;
    let audience = match body.into_inner() {
        AnnouncementBody { group: None, emails: None } => Audience::Everybody,
        AnnouncementBody { group: Some(group), emails: None } => Audience::Group(group),
        AnnouncementBody { group: None, emails: Some(emails) } => Audience::Addresses(emails),
        AnnouncementBody { .. } => return Err(Error::invalid("emails", "and a group cannot both be given").into()),
    };
    let id = app.into_inner().announce_browsers(caller.actor, audience).await?;
    Ok(HttpResponse::Accepted().json(BegunImport { id }))
}
