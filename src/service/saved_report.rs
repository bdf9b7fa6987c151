//! Saved views of the compliance report, and the mails that bring them. They go to people with a role and to nobody else: a report
//! names devices and their owners.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result,
    groups::{checked_name, taken},
    outbox,
    report::{Summary, WantedDevices},
    settings,
};
use crate::{
    domain::{
        audit::Actor,
        id::SavedReportId,
        schedule::Every,
        user::{UserState, normalize_address},
    },
    mail::template::{Line, Number, Template},
    store::{
        Tx,
        audit::{self, Entry},
        devices::{self, Filter},
        page::PageRequest,
        saved_reports::{self, SavedReport},
        users::{self, User},
    },
};

/// Devices that are named in a mail; the rest is behind its link.
const NAMED: i64 = 50;
/// Most recipients of one report.
const MOST_RECIPIENTS: usize = 20;

/// A view as somebody wants it saved.
#[derive(Debug, Clone)]
pub struct WantedReport {
    /// What it is called.
    pub name: String,
    /// Which devices it shows.
    pub wanted: WantedDevices,
    /// How often it is mailed; none where it is only kept.
    pub every: Option<Every>,
    /// To whom; people with a role.
    pub recipients: Vec<String>,
}

impl App {
    /// Saves a view.
    ///
    /// # Errors
    /// [`Error::Invalid`] where something of it is not usable, [`Error::Conflict`] where the name is taken.
    pub async fn save_report(self: &Arc<Self>, actor: Actor, wanted: WantedReport) -> Result<SavedReport> {
        let name = checked_name(&wanted.name)?;
        wanted.wanted.filter(self.now())?;
        let app = Arc::clone(self);
        self.write(move |tx| {
            let recipients = checked_recipients(tx, &wanted)?;
            let report = SavedReport::new(name, &wanted.wanted, wanted.every, &recipients, actor.name.clone(), app.now())?;
            saved_reports::insert(tx, &report).map_err(|error| taken(error.into()))?;
            let detail = json!({ "name": report.name, "wanted": wanted.wanted, "every": report.every, "recipients": recipients });
            app.note_report(tx, &actor, "report.save", report.id, detail)?;
            Ok(report)
        })
        .await
    }

    /// Forgets a view; it is mailed no more.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_report(self: &Arc<Self>, actor: Actor, id: SavedReportId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let report = saved_reports::find(tx, id)?.ok_or(Error::NotFound("report"))?;
            saved_reports::delete(tx, id)?;
            app.note_report(tx, &actor, "report.delete", id, json!({ "name": report.name }))
        })
        .await
    }

    fn note_report(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        action: &'static str,
        id: SavedReportId,
        detail: serde_json::Value,
    ) -> Result<()> {
        let entry = Entry { at: self.now(), actor, action, subject_kind: "report", subject: id.to_string(), detail };
        Ok(audit::record(tx, &entry)?)
    }

    /// Mails the views that are due; gives how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mail_due_reports(self: &Arc<Self>) -> Result<usize> {
        let now = self.now();
        let due = self.read(move |conn| saved_reports::due(conn, now)).await?;
        for report in &due {
            let wanted: WantedDevices = report.wanted()?;
            // A group or a policy that has gone meanwhile finds nothing, and the mail says so by its zero.
            let filter = wanted.filter(now)?;
            let summary = self.summarize(filter.clone()).await?;
            let (app, report) = (Arc::clone(self), report.clone());
            self.write(move |tx| app.mail_report(tx, &report, &wanted, &filter, &summary)).await?;
        }
        if !due.is_empty() {
            self.jobs_waiting.notify_one();
        }
        Ok(due.len())
    }

    fn mail_report(&self, tx: &mut Tx<'_>, report: &SavedReport, wanted: &WantedDevices, filter: &Filter, summary: &Summary) -> Result<()> {
        let now = self.now();
        if !saved_reports::mark_sent(tx, report, now, report.every.map(|every| every.next_after(now)))? {
            return Ok(());
        }
        let organization = settings::read(tx, &self.default_sender)?.organization;
        let named = devices::list_items(tx, filter, PageRequest { limit: NAMED - 1, after: None })?;
        let template = Template::Report {
            organization,
            report: report.name.clone(),
            counted: now.calendar().date().to_string(),
            devices: summary.totals.devices,
            numbers: numbers(summary),
            lines: named.into_iter().map(|(device, email)| line(&device, email)).collect::<Result<_>>()?,
            has_more: summary.totals.devices > NAMED,
            link: format!("{}/console/report?{}", self.public_url, wanted.address()),
        };
        for recipient in report.recipients()? {
            // Whoever has lost the role, or takes part no more, gets no more of them.
            let Some(user) = users::find_by_email(tx, &recipient)?.filter(may_get) else { continue };
            let expires_at = Some(now.plus_days(7));
            outbox::enqueue(tx, self, outbox::NewMail { user: Some(user.id), recipient, template: template.clone(), expires_at })?;
        }
        Ok(())
    }
}

/// Whether somebody may get reports.
const fn may_get(user: &User) -> bool {
    user.role.is_some() && matches!(user.state, UserState::Active)
}

fn checked_recipients(tx: &mut Tx<'_>, wanted: &WantedReport) -> Result<Vec<String>> {
    if wanted.every.is_none() {
        return Ok(Vec::new());
    }
    if wanted.recipients.is_empty() || wanted.recipients.len() > MOST_RECIPIENTS {
        return Err(Error::invalid("recipients", format!("must name 1 to {MOST_RECIPIENTS} people who get it by mail")));
    }
    let mut recipients = Vec::new();
    for address in &wanted.recipients {
        let address = normalize_address(address).map_err(|why| Error::invalid("recipients", why))?;
        if !users::find_by_email(tx, &address)?.is_some_and(|user| may_get(&user)) {
            return Err(Error::invalid("recipients", format!("must be people with a role; {address} is none of them")));
        }
        recipients.push(address);
    }
    Ok(recipients)
}

/// The numbers by status that are not zero.
fn numbers(summary: &Summary) -> Vec<Number> {
    let by_status = summary.totals.by_status.iter().filter(|(_, count)| **count > 0);
    by_status.map(|(word, count)| Number { word: word.replace('_', " "), count: *count }).collect()
}

fn line(device: &devices::Device, email: String) -> Result<Line> {
    let name = device.device_name.clone().or_else(|| device.model.clone()).unwrap_or_else(|| device.platform.to_string());
    let why = device.reasons()?.into_iter().next().map(|reason| reason.text).unwrap_or_default();
    Ok(Line { name, email, status: device.compliance.as_str().replace('_', " "), why })
}
