//! Protected files: shown to whoever enrolled the browser, and sent to the mailbox of that person. No address here gives one out.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::{
    limit::Limiter,
    link::{ask_who, good},
    problem::Problem,
    visitor::{Visitor, see},
};
use crate::{
    domain::{file::ONCE_SECONDS, time::Timestamp},
    http::prose::size,
    service::{browser::IdentifiedBrowser, files::Release},
    store::links::Link,
};

#[derive(Debug, Serialize)]
struct FileView {
    token: String,
    name: String,
    size: String,
    /// Who gets it.
    email: String,
    browser: String,
    /// It was asked for a moment ago.
    sent: Option<SentView>,
}

#[derive(Debug, Serialize)]
struct SentView {
    at: String,
    /// When it can be asked for again.
    again: String,
    /// The page comes from the button.
    is_new: bool,
}

/// The page of a file. Looking sends nothing.
///
/// * `is_sent`: the person has just pressed the button.
///
/// # Errors
/// Those of the database.
pub(super) async fn show(
    visitor: &Visitor,
    token: &str,
    link: &Link,
    browser: &IdentifiedBrowser,
    is_sent: bool,
) -> Result<HttpResponse, Problem> {
    let (name, length) = link.file().ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    let sent = visitor.app.file_released_at(link.id, browser.user.id).await?;
    let view = FileView {
        token: token.to_owned(),
        name: name.to_owned(),
        size: size(length),
        email: browser.user.email.clone(),
        browser: browser.name.clone(),
        sent: sent.map(|at| SentView { at: clock(at), again: clock(at.plus_seconds(ONCE_SECONDS)), is_new: is_sent }),
    };
    let mut frame = visitor.frame("A file for you");
    frame.mark = Some(if view.sent.is_some() { "file-sent" } else { "file" });
    Ok(visitor.page(StatusCode::OK, "portal/file", &frame, &view))
}

/// What is said where browsers are not enrolled: nobody is known there, so that nobody can be sent anything.
pub(super) fn off() -> Problem {
    let text = "It is sent to the mailbox of whoever enrolled the browser, and browsers are not enrolled at the moment, so nobody \
                knows whose mailbox that would be. Ask whoever sent you the link, or your help desk, for the file.";
    Problem::new(StatusCode::FORBIDDEN, "This file is not sent at the moment", text)
}

/// `POST /l/{token}/send`: sends the file to whoever enrolled the browser. Nothing else sends one.
pub async fn post_send(
    visitor: Visitor,
    request: HttpRequest,
    limiter: web::Data<Limiter>,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let link = good(&visitor, &request, &limiter, &token).await?;
    if link.file().is_none() {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    }
    if !visitor.app.settings().await?.browser_enrollment_enabled {
        return Err(off());
    }
    let Some(browser) = &visitor.enrolled else { return Ok(ask_who(&token)) };
    let sent = match visitor.app.release_file(link.id, browser).await? {
        Release::Sent => "?sent=yes",
        Release::Before(_) => "",
    };
    Ok(see(&format!("/l/{token}{sent}")))
}

fn clock(at: Timestamp) -> String {
    let at = at.calendar();
    format!("{:02}:{:02} UTC", at.hour(), at.minute())
}
