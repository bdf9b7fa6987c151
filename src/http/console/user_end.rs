//! The two pages before something of a user ends: every enrollment, or the user.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::{
    see,
    show::count,
    user::back,
    user_form::{find, user_frame},
};
use crate::{
    domain::{device::EnrollmentState, id::UserId},
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::Error,
    store::devices,
};

#[derive(Debug, Serialize)]
struct EndView {
    id: UserId,
    name: String,
    email: String,
    /// How many devices lose access, in words; nothing where none does.
    affected: Option<String>,
    refusal: Option<String>,
}

/// `GET /console/users/{id}/revoke`
pub async fn get_revoke(admin: Admin, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, "End every enrollment of", "console/user_revoke", None).await
}

/// `POST /console/users/{id}/revoke`
pub async fn post_revoke(form: Form<NoFields>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    form.admin.app.revoke_enrollments(form.admin.actor.clone(), *id, true).await?;
    Ok(back(*id, "revoked"))
}

/// `GET /console/users/{id}/delete`
pub async fn get_delete(admin: Admin, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    ask(&admin, *id, "Delete", "console/user_delete", None).await
}

/// `POST /console/users/{id}/delete`
pub async fn post_delete(form: Form<NoFields>, id: web::Path<UserId>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    match admin.app.delete_user(admin.actor.clone(), admin.role, *id).await {
        Ok(()) => Ok(see("/console/users?done=deleted")),
        Err(Error::Conflict(why)) => ask(&admin, *id, "Delete", "console/user_delete", Some(sentence(&why))).await,
        Err(error) => Err(error.into()),
    }
}

async fn ask(admin: &Admin, id: UserId, deed: &str, template: &str, refusal: Option<String>) -> Result<HttpResponse, Problem> {
    let user = find(admin, id).await?;
    let devices = admin.app.read(move |conn| devices::of_user(conn, id)).await.map_err(Error::from)?;
    let affected = devices.iter().filter(|device| matches!(device.state, EnrollmentState::Enrolled | EnrollmentState::WipePending)).count();
    let status = if refusal.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    let frame = user_frame(admin, &user, format!("{deed} {}?", user.name)).refused(refusal.clone());
    let affected = (affected > 0).then(|| count(i128::try_from(affected).unwrap_or_default(), "device"));
    Ok(frame.show_as(admin, status, template, &EndView { id, name: user.name, email: user.email, affected, refusal }))
}
