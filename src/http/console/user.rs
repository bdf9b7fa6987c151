//! One user: who they are, their groups, their devices, what was sent to them, and what can be done.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    device_list::{name_of, system_of},
    field::Field,
    frame::Frame,
    see,
    show::{self, Badge, When},
    user_list::state_badge,
};
use crate::{
    domain::{
        device::{EnrollmentState, Ownership},
        id::{DeviceId, GroupId, UserId},
        sign_in::IDLE_MINUTES,
        time::Timestamp,
        user::{Permission, Role, UserState},
    },
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
    },
    service::Error,
    store::{
        Conn,
        devices::{self, Device},
        groups,
        mails::{self, Mail},
        sessions,
        users::{self, User},
    },
};

/// Mails on the page.
const MAILS: i64 = 10;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct UserPageQuery {
    #[serde(default)]
    done: String,
}

/// What was just done, for the word that stands behind the question mark.
fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "created" => "The user was created.",
        "created-invited" => "The user was created, and the invitation is on its way.",
        "invited" => "The invitation is on its way. Its link is good for 14 days.",
        "changed" => "The user was changed.",
        "role" => "The role was saved. The user has to sign in again.",
        "grouped" => "The user was put into the group. Its policies hold for their devices from now on.",
        "ungrouped" => "The user was taken out of the group. Its policies no longer hold for their devices.",
        "revoked" => "Every enrollment of this user was ended. The devices have lost access.",
        _ => return None,
    })
}

#[derive(Debug, Serialize)]
struct GroupRow {
    id: GroupId,
    name: String,
}

#[derive(Debug, Serialize)]
struct DeviceRow {
    id: DeviceId,
    name: String,
    system: String,
    ownership: &'static str,
    compliance: Badge,
    access: Badge,
    enrollment: Badge,
    seen: Option<When>,
}

#[derive(Debug, Serialize)]
struct MailRow {
    subject: String,
    recipient: String,
    state: Badge,
    created: When,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that is shown or not")]
struct UserView {
    id: UserId,
    email: String,
    source: String,
    role: Option<String>,
    state: Badge,
    created: When,
    sessions: usize,
    groups: Vec<GroupRow>,
    /// The groups that the user could be put into.
    group: Option<Field>,
    devices: Vec<DeviceRow>,
    has_enrolled: bool,
    mails: Vec<MailRow>,
    ownership: Field,
    /// Why no invitation can be sent.
    invitation_refusal: Option<&'static str>,
    may_manage: bool,
    may_change: bool,
    may_group: bool,
    may_roles: bool,
    may_revoke: bool,
}

struct Found {
    user: User,
    groups: Vec<GroupRow>,
    others: Vec<(GroupId, String)>,
    devices: Vec<Device>,
    mails: Vec<Mail>,
    sessions: usize,
}

/// `GET /console/users/{id}`
pub async fn get_user(admin: Admin, id: web::Path<UserId>, query: web::Query<UserPageQuery>) -> Result<HttpResponse, Problem> {
    let (id, now) = (*id, admin.app.now());
    let found = admin.app.read(move |conn| find(conn, id, now)).await?;
    let frame = Frame::new(&admin, "/console/users", found.user.name.clone()).below("/console/users", "Users").done(done(&query.done));
    Ok(frame.show(&admin, "console/user", &view_of(&admin, found, now)))
}

fn find(conn: &mut Conn, id: UserId, now: Timestamp) -> Result<Found, Error> {
    let user = users::find(conn, id)?.ok_or(Error::NotFound("user"))?;
    let groups: Vec<GroupRow> = groups::of_users(conn, &[id])?.into_iter().map(|(_, id, name)| GroupRow { id, name }).collect();
    let others = groups::all(conn)?.into_iter().filter(|(id, _)| groups.iter().all(|group| group.id != *id)).collect();
    let idle_since = now.plus_seconds(-IDLE_MINUTES * 60);
    Ok(Found {
        groups,
        others,
        devices: devices::of_user(conn, id)?,
        mails: mails::of_user(conn, id, MAILS)?,
        sessions: sessions::list(conn, Some(id), idle_since, now)?.len(),
        user,
    })
}

fn view_of(admin: &Admin, found: Found, now: Timestamp) -> UserView {
    let Found { user, groups, others, devices, mails, sessions } = found;
    let is_disabled = user.state == UserState::Disabled;
    UserView {
        id: user.id,
        source: show::words(&user.source),
        role: user.role.map(|role| show::words(role.as_str())),
        state: state_badge(user.state),
        created: When::new(user.created_at, now),
        sessions,
        groups,
        group: (!others.is_empty())
            .then(|| Field::choice("group", "Put into", "", others.into_iter().map(|(id, name)| (id.to_string(), name)))),
        has_enrolled: devices.iter().any(|device| device.state == EnrollmentState::Enrolled),
        devices: devices.into_iter().map(|device| device_row(&device, now)).collect(),
        mails: mails.into_iter().map(|mail| mail_row(mail, now)).collect(),
        ownership: ownership_field("personal"),
        invitation_refusal: is_disabled.then_some("The user is disabled. Make them active before sending an invitation."),
        may_manage: admin.may(Permission::ManageUsers),
        may_change: may_change(admin.role, &user),
        may_group: admin.may(Permission::ManagePolicies),
        may_roles: admin.may(Permission::ManageRoles),
        may_revoke: admin.may(Permission::WipeSelectively),
        email: user.email,
    }
}

/// Somebody who holds a role is changed only by those who may give roles.
pub(super) const fn may_change(role: Role, user: &User) -> bool {
    role.may(Permission::ManageUsers) && (user.role.is_none() || role.may(Permission::ManageRoles))
}

/// Whose device somebody is invited to enroll.
pub(super) fn ownership_field(chosen: &str) -> Field {
    let choices = Ownership::ALL.iter().map(|of| (of.as_str(), format!("{} device", show::ownership(*of))));
    Field::choice("ownership", "Invitation for a", chosen, choices).hint(
        "A company device can be erased completely. On a personal one only what came from here can be removed. \
         This is fixed when the device enrolls.",
    )
}

fn device_row(device: &Device, now: Timestamp) -> DeviceRow {
    DeviceRow {
        id: device.id,
        name: name_of(device),
        system: system_of(device),
        ownership: show::ownership(device.ownership),
        compliance: show::compliance(device.compliance),
        access: show::access(device.access),
        enrollment: show::enrollment(device.state),
        seen: When::some(device.last_seen_at, now),
    }
}

fn mail_row(mail: Mail, now: Timestamp) -> MailRow {
    MailRow {
        subject: mail.subject,
        recipient: mail.recipient,
        state: show::mail(mail.state),
        created: When::new(mail.created_at, now),
        error: mail.last_error,
    }
}

/// Back to the user's page, which says what was done.
pub(super) fn back(id: UserId, done: &str) -> HttpResponse {
    see(&format!("/console/users/{id}?done={done}"))
}

/// Whose device the invitation is for.
#[derive(Debug, Deserialize)]
pub struct InvitationForm {
    ownership: Ownership,
}

/// `POST /console/users/{id}/invitation`
pub async fn post_invitation(form: Form<InvitationForm>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    form.admin.app.invite(form.admin.actor.clone(), *id, form.fields.ownership).await?;
    Ok(back(*id, "invited"))
}

/// Which group.
#[derive(Debug, Deserialize)]
pub struct GroupForm {
    group: GroupId,
}

/// `POST /console/users/{id}/groups/add`
pub async fn post_add_group(form: Form<GroupForm>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    form.admin.app.add_member(form.admin.actor.clone(), form.fields.group, *id).await?;
    Ok(back(*id, "grouped"))
}

/// `POST /console/users/{id}/groups/remove`
pub async fn post_remove_group(form: Form<GroupForm>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    form.admin.app.remove_member(form.admin.actor.clone(), form.fields.group, *id).await?;
    Ok(back(*id, "ungrouped"))
}
