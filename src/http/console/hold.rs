//! The switch that holds every wipe and retirement: whoever may sign in may stop them, and who may order full wipes releases them.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    see,
    show::{When, count},
};
use crate::{
    domain::user::Permission,
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::Error,
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct HoldQuery {
    #[serde(default)]
    done: String,
}

/// Why, as it was typed.
#[derive(Debug, Default, Deserialize)]
pub struct HoldForm {
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Serialize)]
struct HoldView {
    since: Option<When>,
    by: String,
    reason: String,
    waiting: String,
    has_waiting: bool,
    field: Field,
    may_release: bool,
}

/// `GET /console/hold`
pub async fn get_hold(admin: Admin, query: web::Query<HoldQuery>) -> Result<HttpResponse, Problem> {
    let done = match query.done.as_str() {
        "held" => Some("Wipes and retirements are held on every server from now on."),
        "released" => Some("Wipes and retirements go to their devices again."),
        _ => None,
    };
    show(&admin, Frame::new(&admin, "/console/", "Hold wipes").done(done), StatusCode::OK, String::new()).await
}

/// `POST /console/hold`
pub async fn post_hold(form: Form<HoldForm>) -> Result<HttpResponse, Problem> {
    match form.admin.app.hold_destructive(form.admin.actor.clone(), &form.fields.reason).await {
        Ok(_) => Ok(see("/console/hold?done=held")),
        Err(Error::Invalid { why, .. }) => {
            let frame = Frame::new(&form.admin, "/console/", "Hold wipes").refused(Some(sentence(&format!("The reason {why}"))));
            show(&form.admin, frame, StatusCode::BAD_REQUEST, form.fields.reason).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/hold/release`
pub async fn post_release(form: Form<NoFields>) -> Result<HttpResponse, Problem> {
    form.admin.app.release_destructive(form.admin.actor.clone()).await?;
    Ok(see("/console/hold?done=released"))
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, typed: String) -> Result<HttpResponse, Problem> {
    let state = admin.app.hold_state().await?;
    let view = HoldView {
        since: When::some(state.hold.as_ref().map(|hold| hold.since), admin.app.now()),
        waiting: count(state.waiting, "device"),
        has_waiting: state.waiting > 0,
        field: Field::text("reason", "Why", typed).longest(500).hint("It stands here and in the audit log. May stay empty."),
        may_release: admin.may(Permission::WipeFully),
        by: state.hold.as_ref().map(|hold| hold.by.clone()).unwrap_or_default(),
        reason: state.hold.map(|hold| hold.reason).unwrap_or_default(),
    };
    Ok(frame.below("/console/", "Overview").show_as(admin, status, "console/hold", &view))
}
