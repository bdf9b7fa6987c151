//! Users are created and changed: name, address, groups, state, role and password.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    languages, see,
    user::{back, ownership_field},
};
use crate::{
    domain::{
        device::Ownership,
        id::{GroupId, UserId},
        user::{Permission, Role, UserState},
    },
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        setup::SHORTEST_PASSWORD,
        users::{NewUser, UserChange},
    },
    store::{
        groups,
        users::{self, User},
    },
};

/// The hint of the password says so.
const _: () = assert!(SHORTEST_PASSWORD == 12, "the hint names another length");

/// What is wrong with one field, where something is.
pub(super) struct Wrong {
    field: String,
    why: String,
}

impl Wrong {
    /// Takes what a person can mend out of an error; everything else stays an error.
    pub(super) fn of(error: Error) -> Result<Self, Error> {
        match error {
            Error::Invalid { field, why } => Ok(Self { field, why }),
            Error::Conflict(why) => Ok(Self { field: String::new(), why }),
            other => Err(other),
        }
    }

    /// What stands beside this field.
    pub(super) fn at(wrong: Option<&Self>, field: &str) -> Option<String> {
        wrong.filter(|wrong| wrong.field == field).map(|wrong| wrong.why.clone())
    }

    /// What stands above the form.
    pub(super) fn notice(wrong: Option<&Self>) -> Option<String> {
        wrong
            .map(|wrong| if wrong.field.is_empty() { sentence(&wrong.why) } else { "Nothing was saved. See below what is missing.".into() })
    }

    /// The status of the page.
    pub(super) const fn status(wrong: Option<&Self>) -> StatusCode {
        if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }
}

/// One group that can be ticked.
#[derive(Debug, Serialize)]
pub(super) struct Tick {
    pub(super) id: GroupId,
    pub(super) name: String,
    pub(super) is_on: bool,
}

/// A new user.
#[derive(Debug, Default, Deserialize)]
pub struct NewUserForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    group: Vec<GroupId>,
    #[serde(default)]
    ownership: String,
    #[serde(default)]
    invite: String,
}

#[derive(Debug, Serialize)]
struct NewUserView {
    fields: Vec<Field>,
    groups: Vec<Tick>,
    may_group: bool,
    invite: Vec<Field>,
}

/// `GET /console/users/new`
pub async fn get_new(admin: Admin) -> Result<HttpResponse, Problem> {
    let empty = NewUserForm { invite: "yes".into(), ownership: "personal".into(), ..NewUserForm::default() };
    show_new(&admin, empty, None).await
}

/// `POST /console/users/new`
pub async fn post_new(form: Form<NewUserForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    if !fields.group.is_empty() && !admin.may(Permission::ManagePolicies) {
        return Err(Error::Denied("your role does not include putting users into groups".into()).into());
    }
    let ownership: Ownership = fields.ownership.parse().unwrap_or(Ownership::Personal);
    let new = NewUser {
        email: fields.email.clone(),
        name: fields.name.clone(),
        password: None,
        must_change_password: false,
        groups: fields.group.clone(),
        role: None,
        language: filled(&fields.language),
    };
    match admin.app.create_user(admin.actor.clone(), new).await {
        Ok(user) if fields.invite.is_empty() => Ok(back(user.id, "created")),
        Ok(user) => {
            admin.app.invite(admin.actor.clone(), user.id, ownership).await?;
            Ok(back(user.id, "created-invited"))
        }
        Err(error) => show_new(&admin, fields, Some(Wrong::of(error)?)).await,
    }
}

async fn show_new(admin: &Admin, typed: NewUserForm, wrong: Option<Wrong>) -> Result<HttpResponse, Problem> {
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    let wrong = wrong.as_ref();
    let view = NewUserView {
        fields: user_fields(admin, [&typed.email, &typed.name, &typed.language], None, wrong),
        groups: all.into_iter().map(|(id, name)| Tick { is_on: typed.group.contains(&id), id, name }).collect(),
        may_group: admin.may(Permission::ManagePolicies),
        invite: vec![
            Field::tick("invite", "Send the invitation at once", !typed.invite.is_empty())
                .hint("A mail with a link to the page where the device is enrolled. The link is good for 14 days."),
            ownership_field(&typed.ownership),
        ],
    };
    let frame = Frame::new(admin, "/console/users", "Add a user").below("/console/users", "Users").refused(Wrong::notice(wrong));
    Ok(frame.show_as(admin, Wrong::status(wrong), "console/user_new", &view))
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// * `kept`: the language that a user has.
fn user_fields(admin: &Admin, [email, name, language]: [&str; 3], kept: Option<&str>, wrong: Option<&Wrong>) -> Vec<Field> {
    let of_organization = (String::new(), "As the organization".to_owned());
    let languages = std::iter::once(of_organization).chain(languages::choices(&admin.app, kept.unwrap_or_default()));
    vec![
        Field::email("email", "Mail address", email)
            .required()
            .hint("Invitations and codes go there. Everybody has an address of their own.")
            .wrong(Wrong::at(wrong, "email").as_ref()),
        Field::text("name", "Name", name).required().wrong(Wrong::at(wrong, "name").as_ref()),
        Field::choice("language", "Language of mails", language, languages).wrong(Wrong::at(wrong, "language").as_ref()),
    ]
}

#[derive(Debug, Serialize)]
struct ChangeView {
    id: UserId,
    fields: Vec<Field>,
}

/// A user as they should be.
#[derive(Debug, Deserialize)]
pub struct EditForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    state: String,
}

/// `GET /console/users/{id}/edit`
pub async fn get_edit(admin: Admin, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    let user = find(&admin, *id).await?;
    let typed = EditForm {
        email: user.email.clone(),
        name: user.name.clone(),
        language: user.language.clone().unwrap_or_default(),
        state: user.state.as_str().into(),
    };
    Ok(show_edit(&admin, &user, &typed, None))
}

/// `POST /console/users/{id}/edit`
pub async fn post_edit(form: Form<EditForm>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    let (admin, typed) = (form.admin, form.fields);
    let user = find(&admin, *id).await?;
    let state = typed.state.parse::<UserState>().map_err(|why| Error::invalid("state", why));
    let changed = match state {
        Ok(state) => {
            let change = UserChange {
                name: Some(typed.name.clone()),
                email: Some(typed.email.clone()),
                state: Some(state),
                language: Some(filled(&typed.language)),
                ..UserChange::default()
            };
            admin.app.change_user(admin.actor.clone(), admin.role, *id, change).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(back(*id, "changed")),
        Err(error) => Ok(show_edit(&admin, &user, &typed, Some(&Wrong::of(error)?))),
    }
}

fn show_edit(admin: &Admin, user: &User, typed: &EditForm, wrong: Option<&Wrong>) -> HttpResponse {
    let mut fields = user_fields(admin, [&typed.email, &typed.name, &typed.language], user.language.as_deref(), wrong);
    fields.push(
        Field::choice("state", "State", &typed.state, [("active", "Active"), ("disabled", "Disabled")])
            .hint("Nothing of a disabled user comes in: their devices are blocked at once, and come back when the user is active again.")
            .wrong(Wrong::at(wrong, "state").as_ref()),
    );
    let frame = user_frame(admin, user, format!("Change {}", user.name)).refused(Wrong::notice(wrong));
    frame.show_as(admin, Wrong::status(wrong), "console/user_edit", &ChangeView { id: user.id, fields })
}

/// A role, and a password to begin with.
#[derive(Debug, Deserialize)]
pub struct RoleForm {
    #[serde(default)]
    role: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    must_change_password: String,
}

/// `GET /console/users/{id}/role`
pub async fn get_role(admin: Admin, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    let user = find(&admin, *id).await?;
    let role = user.role.map(Role::as_str).unwrap_or_default().to_owned();
    Ok(show_role(&admin, &user, &RoleForm { role, password: String::new(), must_change_password: "yes".into() }, None))
}

/// `POST /console/users/{id}/role`
pub async fn post_role(form: Form<RoleForm>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    let (admin, mut typed) = (form.admin, form.fields);
    let user = find(&admin, *id).await?;
    let password = std::mem::take(&mut typed.password);
    let role = match typed.role.as_str() {
        "" => Ok(None),
        word => word.parse::<Role>().map(Some).map_err(|why| Error::invalid("role", why)),
    };
    let changed = match role {
        Ok(Some(_)) if password.is_empty() && user.password_hash.is_none() => {
            Err(Error::invalid("password", "is missing: without one this user cannot sign in"))
        }
        Ok(role) => {
            let must_change_password = (!password.is_empty()).then_some(!typed.must_change_password.is_empty());
            let password = Some(password).filter(|password| !password.is_empty());
            let change = UserChange { role: Some(role), password, must_change_password, ..UserChange::default() };
            admin.app.change_user(admin.actor.clone(), admin.role, *id, change).await
        }
        Err(error) => Err(error),
    };
    match changed {
        // Whoever changes their own role or password has just ended their own session.
        Ok(_) if *id == admin.user.id => Ok(see("/console/")),
        Ok(_) => Ok(back(*id, "role")),
        Err(error) => Ok(show_role(&admin, &user, &typed, Some(&Wrong::of(error)?))),
    }
}

fn show_role(admin: &Admin, user: &User, typed: &RoleForm, wrong: Option<&Wrong>) -> HttpResponse {
    let roles = [
        ("", "No role: cannot sign in here"),
        (Role::Helpdesk.as_str(), "Helpdesk: helps people with their devices; no full wipe, no policies, no settings"),
        (Role::Auditor.as_str(), "Auditor: reads everything, changes nothing"),
        (Role::Administrator.as_str(), "Administrator: everything"),
    ];
    let fields = vec![
        Field::choice("role", "Role", &typed.role, roles).wrong(Wrong::at(wrong, "role").as_ref()),
        Field::password("password", "New password")
            .hint("At least 12 characters. Left empty, the present password stays.")
            .wrong(Wrong::at(wrong, "password").as_ref()),
        Field::tick("must_change_password", "It must be changed at the next sign-in", !typed.must_change_password.is_empty())
            .hint("So that only the user knows it in the end."),
    ];
    let frame = user_frame(admin, user, format!("Role and password of {}", user.name)).refused(Wrong::notice(wrong));
    frame.show_as(admin, Wrong::status(wrong), "console/user_role", &ChangeView { id: user.id, fields })
}

/// The user of a page.
pub(super) async fn find(admin: &Admin, id: UserId) -> Result<User, Problem> {
    let found = admin.app.read(move |conn| users::find(conn, id)).await.map_err(Error::from)?;
    Ok(found.ok_or(Error::NotFound("user"))?)
}

/// The frame of a page about one user.
pub(super) fn user_frame(admin: &Admin, user: &User, title: String) -> Frame {
    Frame::new(admin, "/console/users", title)
        .below("/console/users", "Users")
        .below(format!("/console/users/{}", user.id), user.name.clone())
}
