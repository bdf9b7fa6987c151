//! Saved views of the compliance report: each opened by its name, mailed as often as somebody wanted, forgotten again.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{field::Field, frame::Frame, see, show::When};
use crate::{
    domain::{id::SavedReportId, schedule::Every, user::Permission},
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::{Error, report::WantedDevices, saved_report::WantedReport},
    store::{
        self,
        saved_reports::{self, SavedReport},
    },
};

/// What may stand behind the question mark: which view is to be saved, as the report's address says it.
#[derive(Debug, Default, Deserialize)]
pub struct SavedQuery {
    #[serde(default)]
    done: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: SavedReportId,
    name: String,
    address: String,
    every: Option<&'static str>,
    recipients: String,
    last: Option<When>,
    next: Option<When>,
    created_by: String,
}

#[derive(Debug, Serialize)]
struct View {
    rows: Vec<Row>,
    may_manage: bool,
    /// What the form would save, in the words of the report's address.
    filter: String,
    fields: Vec<Field>,
}

/// What was typed.
#[derive(Debug, Default, Deserialize)]
pub struct SaveForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    every: String,
    #[serde(default)]
    recipients: String,
    #[serde(default)]
    filter: String,
}

/// Which view is forgotten.
#[derive(Debug, Deserialize)]
pub struct ForgetForm {
    id: SavedReportId,
}

/// `GET /console/report/saved?…`: the rest of the address is the view that the form saves.
pub async fn get_saved(admin: Admin, request: actix_web::HttpRequest, query: web::Query<SavedQuery>) -> Result<HttpResponse, Problem> {
    let filter = wanted_of(request.query_string()).address();
    let done = match query.done.as_str() {
        "saved" => Some("The view was saved."),
        "forgotten" => Some("The view was forgotten. It is mailed no more."),
        _ => None,
    };
    let form = SaveForm { filter, recipients: admin.actor.name.clone(), ..SaveForm::default() };
    show(&admin, frame(&admin).done(done), StatusCode::OK, &form).await
}

/// `POST /console/report/saved`
pub async fn post_saved(form: Form<SaveForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let every = fields.every.parse::<Every>().ok();
    let recipients = fields.recipients.split([',', ';', '\n', ' ']).map(str::trim).filter(|address| !address.is_empty());
    let wanted = WantedReport {
        name: fields.name.clone(),
        wanted: wanted_of(&fields.filter),
        every,
        recipients: recipients.map(str::to_owned).collect(),
    };
    let why = match admin.app.save_report(admin.actor.clone(), wanted).await {
        Ok(_) => return Ok(see("/console/report/saved?done=saved")),
        Err(Error::Invalid { field, why }) => format!("The field {field} {why}"),
        Err(Error::Conflict(why)) => why,
        Err(error) => return Err(error.into()),
    };
    show(&admin, frame(&admin).refused(Some(sentence(&why))), StatusCode::BAD_REQUEST, &fields).await
}

/// `POST /console/report/forget`
pub async fn post_forget(form: Form<ForgetForm>) -> Result<HttpResponse, Problem> {
    form.admin.app.delete_report(form.admin.actor.clone(), form.fields.id).await?;
    Ok(see("/console/report/saved?done=forgotten"))
}

/// The view that an address shows; what else stands in the address is left out.
fn wanted_of(query: &str) -> WantedDevices {
    let mut wanted = WantedDevices::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let field = match name.as_ref() {
            "os" => &mut wanted.os,
            "status" => &mut wanted.status,
            "ownership" => &mut wanted.ownership,
            "group" => &mut wanted.group,
            "policy" => &mut wanted.policy,
            "reason" => &mut wanted.reason,
            "unseen_days" => &mut wanted.unseen_days,
            _ => continue,
        };
        *field = Some(value.into_owned()).filter(|value| !value.is_empty());
    }
    wanted
}

fn frame(admin: &Admin) -> Frame {
    Frame::new(admin, "/console/report", "Saved views").below("/console/report", "Compliance report")
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, form: &SaveForm) -> Result<HttpResponse, Problem> {
    let now = admin.app.now();
    let found = admin.app.read(|conn| saved_reports::list(conn).map_err(Error::from)).await?;
    let row = |report: SavedReport| {
        let wanted: WantedDevices = report.wanted()?;
        Ok::<_, store::Error>(Row {
            id: report.id,
            address: format!("/console/report?{}", wanted.address()),
            every: report.every.map(words),
            recipients: report.recipients()?.join(", "),
            last: When::some(report.last_sent_at, now),
            next: When::some(report.next_at, now),
            name: report.name,
            created_by: report.created_by,
        })
    };
    let choices = std::iter::once((String::new(), "Never, only keep it".to_owned()))
        .chain(Every::ALL.iter().map(|every| (every.as_str().to_owned(), words(*every).to_owned())));
    let view = View {
        rows: found.into_iter().map(row).collect::<Result<_, _>>().map_err(Error::from)?,
        may_manage: admin.may(Permission::ManagePolicies),
        filter: form.filter.clone(),
        fields: vec![
            Field::text("name", "Name", form.name.as_str()).required(),
            Field::choice("every", "Mail it", &form.every, choices),
            Field::text("recipients", "To", form.recipients.as_str())
                .hint("Addresses of people with a role, with commas between them. They are asked for only where it is mailed."),
        ],
    };
    Ok(frame.show_as(admin, status, "console/saved_reports", &view))
}

const fn words(every: Every) -> &'static str {
    match every {
        Every::Day => "Every morning",
        Every::Week => "Every Monday morning",
        Every::Month => "On the first of every month",
    }
}
