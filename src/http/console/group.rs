//! One group: its members, page by page, the policies that are for it, and its end.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    see,
    show::{Badge, count},
    user_form::Wrong,
    user_list::state_badge,
};
use crate::{
    domain::{
        id::{GroupId, PolicyId, UserId},
        user::{Permission, normalize_address},
    },
    http::{
        api::paging,
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
    },
    service::Error,
    store::{
        groups::{self, Group},
        policies,
        users::{self, Filter},
    },
};

/// Members on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct GroupPageQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: String,
}

/// What was just done, for the word that stands behind the question mark.
fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "created" => "The group was created. Put its members into it.",
        "renamed" => "The group was renamed.",
        "added" => "The user is a member now. The group's policies hold for their devices.",
        "removed" => "The user is no member any more. The group's policies no longer hold for their devices.",
        _ => return None,
    })
}

#[derive(Debug, Serialize)]
struct Member {
    id: UserId,
    name: String,
    email: String,
    state: Badge,
}

#[derive(Debug, Serialize)]
struct PolicyRow {
    id: PolicyId,
    name: String,
}

#[derive(Debug, Serialize)]
struct GroupView {
    id: GroupId,
    name: String,
    members: Vec<Member>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
    policies: Vec<PolicyRow>,
    address: Field,
    may_manage: bool,
    may_group: bool,
}

/// `GET /console/groups/{id}`
pub async fn get_group(admin: Admin, id: web::Path<GroupId>, query: web::Query<GroupPageQuery>) -> Result<HttpResponse, Problem> {
    show_group(&admin, *id, &query, "", None).await
}

async fn show_group(
    admin: &Admin,
    id: GroupId,
    query: &GroupPageQuery,
    typed: &str,
    wrong: Option<&Wrong>,
) -> Result<HttpResponse, Problem> {
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let (group, page, policies) = admin
        .app
        .read(move |conn| {
            let group = groups::find(conn, id)?.ok_or(Error::NotFound("group"))?;
            let filter = Filter { group: Some(id), ..Filter::default() };
            Ok::<_, Error>((group, users::list(conn, &filter, page)?, policies::of_group(conn, id)?))
        })
        .await?;
    let member = |user: users::User| Member { id: user.id, name: user.name, email: user.email, state: state_badge(user.state) };
    let view = GroupView {
        id,
        name: group.name.clone(),
        members: page.items.into_iter().map(member).collect(),
        total: page.total,
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        is_first: query.cursor.is_empty(),
        first: format!("/console/groups/{id}"),
        policies: policies.into_iter().map(|(id, name)| PolicyRow { id, name }).collect(),
        address: Field::email("email", "Mail address of the user", typed).required().wrong(Wrong::at(wrong, "email").as_ref()),
        may_manage: admin.may(Permission::ManageUsers),
        may_group: admin.may(Permission::ManagePolicies),
    };
    let frame = Frame::new(admin, "/console/groups", group.name)
        .below("/console/groups", "Groups")
        .done(done(&query.done))
        .refused(Wrong::notice(wrong));
    Ok(frame.show_as(admin, Wrong::status(wrong), "console/group", &view))
}

/// Who is to become a member.
#[derive(Debug, Deserialize)]
pub struct AddForm {
    #[serde(default)]
    email: String,
}

/// `POST /console/groups/{id}/members/add`
pub async fn post_add_member(form: Form<AddForm>, id: web::Path<GroupId>) -> Result<HttpResponse, Problem> {
    let (admin, typed, id) = (form.admin, form.fields.email, *id);
    let added = match normalize_address(&typed) {
        Ok(email) => add(&admin, id, email).await,
        Err(why) => Err(Error::invalid("email", why)),
    };
    match added {
        Ok(()) => Ok(back(id, "added")),
        Err(error) => show_group(&admin, id, &GroupPageQuery::default(), &typed, Some(&Wrong::of(error)?)).await,
    }
}

async fn add(admin: &Admin, id: GroupId, email: String) -> Result<(), Error> {
    let found = admin.app.read(move |conn| users::find_by_email(conn, &email)).await?;
    let user = found.ok_or_else(|| Error::invalid("email", "is the address of nobody here; add the user first"))?;
    admin.app.add_member(admin.actor.clone(), id, user.id).await
}

/// Who is to leave.
#[derive(Debug, Deserialize)]
pub struct RemoveForm {
    user: UserId,
}

/// `POST /console/groups/{id}/members/remove`
pub async fn post_remove_member(form: Form<RemoveForm>, id: web::Path<GroupId>) -> Result<HttpResponse, Problem> {
    form.admin.app.remove_member(form.admin.actor.clone(), *id, form.fields.user).await?;
    Ok(back(*id, "removed"))
}

#[derive(Debug, Serialize)]
struct DeleteView {
    id: GroupId,
    members: String,
    policies: Vec<PolicyRow>,
}

/// `GET /console/groups/{id}/delete`
pub async fn get_delete(admin: Admin, id: web::Path<GroupId>) -> Result<HttpResponse, Problem> {
    let (group, id) = (find(&admin, *id).await?, *id);
    let (members, policies) =
        admin.app.read(move |conn| Ok::<_, Error>((groups::count_members(conn, id)?, policies::of_group(conn, id)?))).await?;
    let policies = policies.into_iter().map(|(id, name)| PolicyRow { id, name }).collect();
    let frame = group_frame(&admin, &group, format!("Delete the group {}?", group.name));
    Ok(frame.show(&admin, "console/group_delete", &DeleteView { id, members: count(members, "member"), policies }))
}

/// `POST /console/groups/{id}/delete`
pub async fn post_delete(form: Form<NoFields>, id: web::Path<GroupId>) -> Result<HttpResponse, Problem> {
    form.admin.app.delete_group(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/groups?done=deleted"))
}

/// The group of a page.
pub(super) async fn find(admin: &Admin, id: GroupId) -> Result<Group, Problem> {
    let found = admin.app.read(move |conn| groups::find(conn, id)).await.map_err(Error::from)?;
    Ok(found.ok_or(Error::NotFound("group"))?)
}

/// The frame of a page about one group.
pub(super) fn group_frame(admin: &Admin, group: &Group, title: String) -> Frame {
    Frame::new(admin, "/console/groups", title)
        .below("/console/groups", "Groups")
        .below(format!("/console/groups/{}", group.id), group.name.clone())
}

/// Back to the group's page, which says what was done.
pub(super) fn back(id: GroupId, done: &str) -> HttpResponse {
    see(&format!("/console/groups/{id}?done={done}"))
}
