//! The form that protects a file, on the page of the protected links.

use actix_web::HttpResponse;

use super::{
    field::Field,
    links::{Typed, refuse, refuse_for_now},
    see,
};
use crate::{
    domain::{
        file::LONGEST_NAME,
        link::{MOST_DAYS, USUAL_DAYS},
    },
    http::{extract::upload::Upload, problem::Problem},
    service::{Error, files::NewFile},
};

/// The form: everything as it was typed. The names differ from those of the form beside it, because both are on one page.
#[derive(Debug)]
pub(super) struct FileForm {
    name: String,
    note: String,
    recipient: String,
    days: String,
}

impl Default for FileForm {
    fn default() -> Self {
        Self { name: String::new(), note: String::new(), recipient: String::new(), days: USUAL_DAYS.to_string() }
    }
}

impl FileForm {
    fn of(upload: &Upload) -> Self {
        let text = |name: &str| upload.text(name);
        Self { name: text("file_name"), note: text("file_note"), recipient: text("file_recipient"), days: text("file_days") }
    }

    /// What is asked for besides the file itself.
    pub(super) fn fields(&self) -> Vec<Field> {
        vec![
            Field::text("file_name", "What it is called", self.name.clone())
                .longest(LONGEST_NAME)
                .hint("Where this stays empty, the name that it has on your computer."),
            Field::text("file_note", "What the file is about", self.note.clone())
                .hint("For this list and the report; people do not see it."),
            Field::email("file_recipient", "To whom the mail with the link is sent", self.recipient.clone())
                .hint("May stay empty. The file is sent to whoever asks for it, also where the mail was forwarded."),
            Field::number("file_days", "Days for which the file is kept", self.days.clone(), (1, MOST_DAYS)).required(),
        ]
    }
}

/// `POST /console/links/files`
pub async fn post_file(mut upload: Upload) -> Result<HttpResponse, Problem> {
    let (typed, file) = (FileForm::of(&upload), upload.take("file"));
    let admin = upload.admin;
    let name = if typed.name.trim().is_empty() { file.file_name } else { typed.name.clone() };
    if name.is_empty() && file.bytes.is_empty() {
        let typed = Typed { file: typed, ..Typed::default() };
        return refuse(&admin, "file", "is missing: choose one", &typed).await;
    }
    let wanted = NewFile {
        name,
        kind: file.kind,
        content: file.bytes,
        note: typed.note.clone(),
        recipient: Some(typed.recipient.clone()),
        // What is no number is none of those that are allowed.
        days: Some(typed.days.trim().parse().unwrap_or(0)),
    };
    match admin.app.protect_file(admin.actor.clone(), wanted).await {
        Ok(_) => Ok(see("/console/links?done=protected")),
        Err(Error::Invalid { field, why }) => refuse(&admin, &field, &why, &Typed { file: typed, ..Typed::default() }).await,
        Err(Error::Conflict(why)) => refuse_for_now(&admin, &why, &Typed { file: typed, ..Typed::default() }).await,
        Err(error) => Err(error.into()),
    }
}
