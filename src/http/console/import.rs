//! Many users by a list: it is read and shown first, with what would be created, what exists already and what is wrong; nothing is
//! written until that was confirmed.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;

use super::{
    field::Field,
    frame::Frame,
    see,
    show::{When, count},
    user::ownership_field,
};
use crate::{
    domain::{
        device::Ownership,
        id::ImportId,
        roster::{self, BadLine, Person},
        time::Timestamp,
        user::Permission,
    },
    http::{
        extract::{admin::Admin, upload::Upload},
        problem::Problem,
        prose::sentence,
    },
    service::{Error, import::Sorted},
    store::imports::{self, Import, ImportKind},
};

/// Lines of each kind that are shown; the others are counted.
const SHOWN: usize = 50;
/// Earlier imports below the form.
const EARLIER: i64 = 5;

/// What was sent, apart from the file.
#[derive(Debug, Default, Clone)]
struct Typed {
    text: String,
    ownership: String,
    should_invite: bool,
}

impl Typed {
    fn of(upload: &Upload) -> Result<Self, String> {
        let file = upload.bytes("file");
        let text = if file.is_empty() { upload.text("text") } else { roster::read_bytes(file).map_err(|why| why.to_string())? };
        Ok(Self { text, ownership: upload.text("ownership"), should_invite: !upload.bytes("invite").is_empty() })
    }

    fn ownership(&self) -> Ownership {
        self.ownership.parse().unwrap_or(Ownership::Personal)
    }
}

#[derive(Debug, Serialize)]
struct FormView {
    text: String,
    fields: Vec<Field>,
    may_group: bool,
    most_lines: usize,
    earlier: Vec<EarlierRow>,
}

#[derive(Debug, Serialize)]
struct EarlierRow {
    id: ImportId,
    text: &'static str,
    by: String,
    at: When,
}

#[derive(Debug, Serialize)]
struct PersonRow {
    line: usize,
    name: String,
    email: String,
    groups: String,
    ownership: &'static str,
}

#[derive(Debug, Serialize)]
struct BadRow {
    line: usize,
    text: String,
    why: String,
}

#[derive(Debug, Serialize)]
struct PreviewView {
    new: Vec<PersonRow>,
    new_count: String,
    more_new: usize,
    existing: Vec<PersonRow>,
    existing_count: String,
    more_existing: usize,
    bad: Vec<BadRow>,
    bad_count: String,
    more_bad: usize,
    text: String,
    ownership: String,
    should_invite: bool,
    button: String,
}

/// `GET /console/users/import`
pub async fn get_import(admin: Admin) -> Result<HttpResponse, Problem> {
    let typed = Typed { ownership: "personal".into(), should_invite: true, ..Typed::default() };
    show_form(&admin, &typed, None).await
}

/// `POST /console/users/import`: the preview, and the import once that was confirmed.
pub async fn post_import(upload: Upload) -> Result<HttpResponse, Problem> {
    let admin = &upload.admin;
    let typed = match Typed::of(&upload) {
        Ok(typed) => typed,
        Err(why) => return show_form(admin, &Typed::default(), Some(&why)).await,
    };
    let roster = match roster::read(&typed.text) {
        Ok(roster) => roster,
        Err(why) => return show_form(admin, &typed, Some(&why.to_string())).await,
    };
    let sorted = admin.app.sort_roster(roster, admin.may(Permission::ManagePolicies)).await?;
    if upload.text("confirm") != "yes" {
        return Ok(show_preview(admin, typed, &sorted));
    }
    let id = admin.app.import_users(admin.actor.clone(), sorted.people(typed.ownership()), typed.should_invite).await?;
    Ok(see(&format!("/console/users/import/{id}")))
}

async fn show_form(admin: &Admin, typed: &Typed, error: Option<&str>) -> Result<HttpResponse, Problem> {
    let (earlier, now) = (admin.app.read(|conn| imports::newest(conn, EARLIER)).await.map_err(Error::from)?, admin.app.now());
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let view = FormView {
        text: typed.text.clone(),
        fields: vec![
            Field::tick("invite", "Invite everybody who is created", typed.should_invite)
                .hint("A mail with a link to the page where the device is enrolled. Those who exist already are left as they are."),
            ownership_field(&typed.ownership),
        ],
        may_group: admin.may(Permission::ManagePolicies),
        most_lines: roster::MOST_LINES,
        earlier: earlier.into_iter().map(|import| earlier_row(import, now)).collect(),
    };
    let frame = Frame::new(admin, "/console/users", "Import a list of users").below("/console/users", "Users").refused(error.map(sentence));
    Ok(frame.show_as(admin, status, "console/import", &view))
}

fn earlier_row(import: Import, now: Timestamp) -> EarlierRow {
    let text = match import.kind {
        ImportKind::Users => "A list of users",
        ImportKind::Invitations => "Invitations",
        ImportKind::Announcements => "An announcement",
    };
    EarlierRow { id: import.id, text, by: import.actor_name, at: When::new(import.created_at, now) }
}

fn show_preview(admin: &Admin, typed: Typed, sorted: &Sorted) -> HttpResponse {
    let ownership = typed.ownership();
    let rows = |people: &[Person]| people.iter().take(SHOWN).map(|person| person_row(person, ownership)).collect::<Vec<_>>();
    let number = |len: usize, noun: &str| count(i128::try_from(len).unwrap_or_default(), noun);
    let users = number(sorted.new.len(), "user");
    let view = PreviewView {
        new: rows(&sorted.new),
        new_count: users.clone(),
        more_new: sorted.new.len().saturating_sub(SHOWN),
        existing: rows(&sorted.existing),
        existing_count: number(sorted.existing.len(), "user"),
        more_existing: sorted.existing.len().saturating_sub(SHOWN),
        bad: sorted.bad.iter().take(SHOWN).map(bad_row).collect(),
        bad_count: number(sorted.bad.len(), "line"),
        more_bad: sorted.bad.len().saturating_sub(SHOWN),
        button: if typed.should_invite { format!("Create and invite {users}") } else { format!("Create {users}") },
        text: typed.text,
        ownership: ownership.as_str().into(),
        should_invite: typed.should_invite,
    };
    let frame = Frame::new(admin, "/console/users", format!("Create {users}?"))
        .below("/console/users", "Users")
        .below("/console/users/import", "Import a list of users");
    frame.show(admin, "console/import_preview", &view)
}

fn person_row(person: &Person, ownership: Ownership) -> PersonRow {
    PersonRow {
        line: person.line,
        name: person.name.clone(),
        email: person.email.clone(),
        groups: person.groups.join(", "),
        ownership: super::show::ownership(person.ownership.unwrap_or(ownership)),
    }
}

fn bad_row(bad: &BadLine) -> BadRow {
    BadRow { line: bad.line, text: bad.text.clone(), why: sentence(&bad.why) }
}
