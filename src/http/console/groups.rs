//! The groups, and the pages to create and rename one.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    group::{back, find, group_frame},
    show,
    user_form::Wrong,
};
use crate::{
    domain::{id::GroupId, user::Permission},
    http::{
        api::paging,
        extract::{admin::Admin, form::Form},
        problem::Problem,
    },
    service::Error,
    store::groups as rows,
};

/// Rows on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct GroupListQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: GroupId,
    name: String,
    source: String,
    members: i64,
}

#[derive(Debug, Serialize)]
struct GroupsView {
    rows: Vec<Row>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: &'static str,
    may_manage: bool,
}

/// `GET /console/groups`
pub async fn get_groups(admin: Admin, query: web::Query<GroupListQuery>) -> Result<HttpResponse, Problem> {
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let found = admin
        .app
        .read(move |conn| {
            let page = rows::list(conn, page)?;
            let counts = page.items.iter().map(|group| rows::count_members(conn, group.id)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, Error>((page, counts))
        })
        .await?;
    let (page, counts) = found;
    let row = |(group, members): (rows::Group, i64)| Row { id: group.id, name: group.name, source: show::words(&group.source), members };
    let view = GroupsView {
        rows: page.items.into_iter().zip(counts).map(row).collect(),
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        is_first: query.cursor.is_empty(),
        first: "/console/groups",
        may_manage: admin.may(Permission::ManageUsers),
    };
    let done = (query.done == "deleted").then_some("The group was deleted. Policies no longer reach its members through it.");
    Ok(Frame::new(&admin, "/console/groups", "Groups").done(done).show(&admin, "console/groups", &view))
}

/// A group's name.
#[derive(Debug, Deserialize)]
pub struct NameForm {
    #[serde(default)]
    name: String,
}

#[derive(Debug, Serialize)]
struct NameView {
    action: String,
    field: Field,
    button: &'static str,
    cancel: String,
}

/// `GET /console/groups/new`
pub async fn get_new(admin: Admin) -> HttpResponse {
    show_new(&admin, "", None)
}

/// `POST /console/groups/new`
pub async fn post_new(form: Form<NameForm>) -> Result<HttpResponse, Problem> {
    let (admin, name) = (form.admin, form.fields.name);
    match admin.app.create_group(admin.actor.clone(), name.clone()).await {
        Ok(group) => Ok(back(group.id, "created")),
        Err(error) => Ok(show_new(&admin, &name, Some(&Wrong::of(error)?))),
    }
}

fn show_new(admin: &Admin, typed: &str, wrong: Option<&Wrong>) -> HttpResponse {
    let view = NameView {
        action: "/console/groups/new".into(),
        field: name_field(typed, wrong),
        button: "Create the group",
        cancel: "/console/groups".into(),
    };
    let frame = Frame::new(admin, "/console/groups", "Create a group").below("/console/groups", "Groups").refused(Wrong::notice(wrong));
    frame.show_as(admin, Wrong::status(wrong), "console/group_name", &view)
}

fn name_field(typed: &str, wrong: Option<&Wrong>) -> Field {
    Field::text("name", "Name", typed)
        .required()
        .hint("Such as a department or a place. At most 100 characters; no two groups have the same name.")
        .wrong(Wrong::at(wrong, "name").as_ref())
}

/// `GET /console/groups/{id}/rename`
pub async fn get_rename(admin: Admin, id: web::Path<GroupId>) -> Result<HttpResponse, Problem> {
    let group = find(&admin, *id).await?;
    Ok(show_rename(&admin, &group, &group.name, None))
}

/// `POST /console/groups/{id}/rename`
pub async fn post_rename(form: Form<NameForm>, id: web::Path<GroupId>) -> Result<HttpResponse, Problem> {
    let (admin, name) = (form.admin, form.fields.name);
    let group = find(&admin, *id).await?;
    match admin.app.rename_group(admin.actor.clone(), *id, name.clone()).await {
        Ok(_) => Ok(back(*id, "renamed")),
        Err(error) => Ok(show_rename(&admin, &group, &name, Some(&Wrong::of(error)?))),
    }
}

fn show_rename(admin: &Admin, group: &rows::Group, typed: &str, wrong: Option<&Wrong>) -> HttpResponse {
    let cancel = format!("/console/groups/{}", group.id);
    let view = NameView { action: format!("{cancel}/rename"), field: name_field(typed, wrong), button: "Rename the group", cancel };
    let frame = group_frame(admin, group, format!("Rename {}", group.name)).refused(Wrong::notice(wrong));
    frame.show_as(admin, Wrong::status(wrong), "console/group_name", &view)
}
