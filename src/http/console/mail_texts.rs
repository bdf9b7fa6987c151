//! The texts of mails: listed by mail and language, written anew with a preview, and given back.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    see,
    show::{self, When},
};
use crate::{
    domain::{
        mail::{LONGEST_BODY, LONGEST_SUBJECT, MailKind, MailText},
        user::Permission,
    },
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
    },
    mail::{render::Rendered, sample::variables},
    service::{Error, mail_texts::TextState},
};

/// The page.
const PAGE: &str = "/console/mails";

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct TextsQuery {
    #[serde(default)]
    done: String,
}

#[derive(Debug, Serialize)]
struct Cell {
    address: String,
    name: String,
    is_written: bool,
    is_english: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    text: &'static str,
    languages: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct TextsView {
    rows: Vec<Row>,
    problems: Vec<String>,
    may_announce: bool,
}

/// `GET /console/mails`
pub async fn get_texts(admin: Admin) -> Result<HttpResponse, Problem> {
    let all = admin.app.mail_texts().await?;
    let row = |kind: &MailKind| Row {
        text: show::mail_name(*kind),
        languages: all.iter().filter(|state| state.kind == *kind).map(cell).collect(),
    };
    let view = TextsView {
        rows: MailKind::ALL.iter().map(row).collect(),
        problems: admin.app.languages().problems().to_vec(),
        may_announce: admin.may(Permission::ManageUsers),
    };
    Ok(Frame::new(&admin, PAGE, "Mail texts").show(&admin, "console/mail_texts", &view))
}

fn cell(state: &TextState) -> Cell {
    Cell {
        address: address(state.kind, &state.language),
        name: state.language_name.clone(),
        is_written: state.written.is_some(),
        is_english: state.is_english,
    }
}

fn address(kind: MailKind, language: &str) -> String {
    format!("{PAGE}/{kind}/{language}")
}

/// The form: everything as it was typed.
#[derive(Debug, Default, Deserialize)]
pub struct TextForm {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    body: String,
    /// The button that was pressed.
    #[serde(default)]
    action: String,
}

impl TextForm {
    fn text(&self) -> MailText {
        MailText { subject: self.subject.clone(), body: self.body.clone() }
    }
}

#[derive(Debug, Serialize)]
struct Place {
    name: String,
    meaning: &'static str,
}

#[derive(Debug, Serialize)]
struct Preview {
    subject: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct TextView {
    address: String,
    language: String,
    subject: Field,
    body: String,
    body_error: Option<String>,
    longest_body: usize,
    places: Vec<Place>,
    written: Option<When>,
    written_by: String,
    is_english: bool,
    may_write: bool,
    /// What was typed, and not what holds.
    is_typed: bool,
    previews: Vec<Preview>,
}

/// `GET /console/mails/{mail}/{language}`
pub async fn get_text(admin: Admin, path: web::Path<(MailKind, String)>, query: web::Query<TextsQuery>) -> Result<HttpResponse, Problem> {
    let (kind, language) = path.into_inner();
    let state = admin.app.mail_text(kind, &language).await?;
    let done = match query.done.as_str() {
        "saved" => Some("The text was saved. It holds for every mail that is written from now on."),
        "reset" => Some("The text that comes with the server holds again."),
        _ => None,
    };
    let frame = frame(&admin, &state).done(done);
    let previews = admin.app.preview_mail(kind, &language, &state.text).await.unwrap_or_default();
    Ok(show_text(&admin, &frame, StatusCode::OK, state, None, previews, None))
}

/// `POST /console/mails/{mail}/{language}`: a preview, or the text is saved.
pub async fn post_text(form: Form<TextForm>, path: web::Path<(MailKind, String)>) -> Result<HttpResponse, Problem> {
    let (admin, typed, (kind, language)) = (form.admin, form.fields, path.into_inner());
    let mut result = admin.app.preview_mail(kind, &language, &typed.text()).await;
    if result.is_ok() && typed.action == "save" {
        match admin.app.change_mail_text(admin.actor.clone(), kind, &language, typed.text()).await {
            Ok(()) => return Ok(see(&format!("{}?done=saved", address(kind, &language)))),
            Err(error) => result = Err(error),
        }
    }
    let state = admin.app.mail_text(kind, &language).await?;
    match result {
        Ok(previews) => {
            let frame = frame(&admin, &state);
            Ok(show_text(&admin, &frame, StatusCode::OK, state, Some(&typed), previews, None))
        }
        Err(Error::Invalid { field, why }) => {
            let frame = frame(&admin, &state).refused(Some("Nothing was saved: the text needs to be mended.".into()));
            Ok(show_text(&admin, &frame, StatusCode::BAD_REQUEST, state, Some(&typed), Vec::new(), Some((&field, &why))))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/mails/{mail}/{language}/reset`
pub async fn post_reset(form: Form<NoFields>, path: web::Path<(MailKind, String)>) -> Result<HttpResponse, Problem> {
    let (kind, language) = path.into_inner();
    form.admin.app.reset_mail_text(form.admin.actor.clone(), kind, &language).await?;
    Ok(see(&format!("{}?done=reset", address(kind, &language))))
}

fn frame(admin: &Admin, state: &TextState) -> Frame {
    let title = format!("{}, {}", show::mail_name(state.kind), state.language_name);
    Frame::new(admin, PAGE, title).below(PAGE, "Mail texts")
}

fn show_text(
    admin: &Admin,
    frame: &Frame,
    status: StatusCode,
    state: TextState,
    typed: Option<&TextForm>,
    previews: Vec<Rendered>,
    wrong: Option<(&str, &str)>,
) -> HttpResponse {
    let why = |field: &str| wrong.filter(|(name, _)| *name == field).map(|(_, why)| why.to_owned());
    let text = typed.map_or(state.text, TextForm::text);
    let (written, written_by) = state.written.unzip();
    let place = |(name, meaning): &(&str, &'static str)| Place { name: format!("{{{{{name}}}}}"), meaning };
    let view = TextView {
        address: address(state.kind, &state.language),
        language: state.language,
        subject: Field::text("subject", "Subject", text.subject).longest(LONGEST_SUBJECT).required().wrong(why("subject").as_ref()),
        body: text.body,
        body_error: why("body"),
        longest_body: LONGEST_BODY,
        places: variables(state.kind).iter().map(place).collect(),
        written: When::some(written, admin.app.now()),
        written_by: written_by.unwrap_or_default(),
        is_english: state.is_english,
        may_write: admin.may(Permission::ManageSettings),
        is_typed: typed.is_some(),
        previews: previews.into_iter().map(|mail| Preview { subject: mail.subject, text: mail.text }).collect(),
    };
    frame.show_as(admin, status, "console/mail_text", &view)
}
