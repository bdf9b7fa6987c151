//! What an administrator decides about one device, until a date.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{access::words, device_list::name_of, field::Field, frame::Frame, see, show::When};
use crate::{
    domain::{access::Decision, id::DeviceId, time::Timestamp},
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
    },
    service::{Error, access::WantedException, offers::DeviceWithOffers},
    store::access::{self, ExceptionRow},
};

/// Days for which an exception is proposed.
const PROPOSED_DAYS: i64 = 7;

/// What was decided, as pages show it.
#[derive(Debug, Serialize)]
pub struct ExceptionView {
    decision: &'static str,
    until: When,
    by: String,
    note: String,
    has_ended: bool,
}

impl ExceptionView {
    /// As seen from now.
    pub fn new(row: ExceptionRow, now: Timestamp) -> Self {
        Self {
            decision: words(row.decision),
            until: When::new(row.until, now),
            has_ended: !row.exception().holds(now),
            by: row.created_by,
            note: row.note,
        }
    }
}

#[derive(Debug, Serialize)]
struct PageView {
    id: DeviceId,
    present: Option<ExceptionView>,
    fields: [Field; 3],
}

/// What was typed.
#[derive(Debug, Default, Deserialize)]
pub struct ExceptionForm {
    #[serde(default)]
    decision: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    note: String,
}

/// `GET /console/devices/{id}/exception`
pub async fn get_exception(admin: Admin, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let date = admin.app.now().plus_days(PROPOSED_DAYS).to_string();
    let until = date.get(..10).unwrap_or_default().to_owned();
    let typed = ExceptionForm { decision: Decision::Allow.as_str().into(), until, note: String::new() };
    show(&admin, *id, &typed, None).await
}

/// `POST /console/devices/{id}/exception`
pub async fn post_exception(form: Form<ExceptionForm>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    let (admin, typed, id) = (form.admin, form.fields, *id);
    let set = match wanted(&typed) {
        Ok(wanted) => admin.app.set_exception(admin.actor.clone(), id, wanted).await.map(drop),
        Err(error) => Err(error),
    };
    match set {
        Ok(()) => Ok(see(&format!("/console/devices/{id}?done=exception"))),
        Err(Error::Invalid { field, why }) => show(&admin, id, &typed, Some(&(field, why))).await,
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/devices/{id}/exception/end`
pub async fn post_end(form: Form<NoFields>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    form.admin.app.end_exception(form.admin.actor.clone(), *id).await?;
    Ok(see(&format!("/console/devices/{}?done=no-exception", *id)))
}

fn wanted(typed: &ExceptionForm) -> Result<WantedException, Error> {
    let decision = typed.decision.parse().map_err(|why| Error::invalid("decision", why))?;
    // It holds until the end of that day.
    let midnight = Timestamp::parse(&format!("{}T00:00:00Z", typed.until.trim()));
    let until = midnight.map_err(|_| Error::invalid("until", "must be a date such as 2027-01-31"))?.plus_days(1);
    Ok(WantedException { decision, until, note: typed.note.clone() })
}

async fn show(admin: &Admin, id: DeviceId, typed: &ExceptionForm, wrong: Option<&(String, String)>) -> Result<HttpResponse, Problem> {
    let (main, present) =
        admin.app.read(move |conn| Ok::<_, Error>((DeviceWithOffers::get(conn, id)?, access::exception(conn, id)?))).await?;
    let now = admin.app.now();
    let error = |name: &str| wrong.filter(|(field, _)| field == name).map(|(_, why)| why);
    let choices = [("allow", "Let it in"), ("quarantine", "Keep it in quarantine"), ("block", "Block it")];
    let view = PageView {
        id,
        present: present.map(|row| ExceptionView::new(row, now)),
        fields: [
            Field::choice("decision", "Until then", &typed.decision, choices)
                .hint("Whatever policy and access rules say. A device that is wiped or retired stays out, and a disabled user too.")
                .wrong(error("decision")),
            Field::date("until", "Until the end of", typed.until.clone())
                .required()
                .hint("A day in UTC, no more than a year from now. After it the rules hold again.")
                .wrong(error("until")),
            Field::text("note", "Why", typed.note.clone()).hint("Whoever looks at the device later reads it.").wrong(error("note")),
        ],
    };
    let name = name_of(&main.device);
    let frame = Frame::new(admin, "/console/devices", format!("Exception for {name}"))
        .below("/console/devices", "Devices")
        .below(format!("/console/devices/{id}"), name)
        .refused(wrong.map(|_| "Nothing was saved. See below what is wrong.".into()));
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(frame.show_as(admin, status, "console/exception", &view))
}
