//! One device: how it stands and why, what it has said, what it was told, what happened to it, and what can be done with it.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    device_actions::{Action, actions},
    device_list::{name_of, system_of},
    device_policy::{self, AskedRow, PolicyRow, asked},
    exception::ExceptionView,
    frame::Frame,
    show::{self, Badge, When},
};
use crate::{
    domain::{
        backend::Backend,
        command::CommandState,
        compliance::Reason,
        id::{CommandId, DeviceId, PolicyId, UserId},
        policy::Rules,
        posture::{Fact, Posture, Source},
        time::Timestamp,
        user::Permission,
    },
    http::{api::paging, extract::admin::Admin, problem::Problem},
    service::{
        Error,
        explain::{Because, ExplainOrder, Explanation, explain},
        mail_profile::{self, DeviceMail},
        offers::DeviceWithOffers,
    },
    store::{
        access::{self, ExceptionRow},
        commands,
        page::PageRequest,
        policies, postures, timeline,
    },
};

/// Commands and events on the page; the rest is behind "older".
const ROWS: i64 = 15;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct DevicePageQuery {
    #[serde(default)]
    done: String,
    #[serde(default)]
    commands: String,
    #[serde(default)]
    events: String,
}

/// What was just done, for the word that stands behind the question mark.
fn done(word: &str, backend: Backend) -> Option<&'static str> {
    Some(match word {
        "retire" if !backend.has_command_channel() => {
            "The device was let go. It has lost access; nothing on it was changed, because nothing on it obeys."
        }
        "refresh" => "The device was asked for its facts. It answers when it next connects.",
        "mail-password" => "A new mail password was ordered. The old one is void; the device gets the new one when it next connects.",
        "lock" => "The device will be locked when it next connects.",
        "unlock" => "The lock was taken away. The device opens when it next connects.",
        "clear-passcode" => "The passcode will be removed when the device next connects. Its policy then asks for a new one.",
        "retire" => "The device was let go. It has lost access, and removes what was installed from here when it next connects.",
        "selective" => "The selective wipe was ordered. The device has lost access, and company data goes when it next connects.",
        "approved" => "The order was approved. The device carries it out when it next connects.",
        "withdrawn" => "The order was withdrawn. The device stays without access until you decide what becomes of it.",
        "exception" => "It was decided about this device. That holds at once, until its end.",
        "no-exception" => "The exception has ended. The rules hold for this device again.",
        "full" => "The full wipe was ordered. The device has lost access, and is erased when it next connects.",
        _ => return None,
    })
}

#[derive(Debug, Serialize)]
struct FactRow {
    name: &'static str,
    value: String,
    source: &'static str,
    at: When,
}

#[derive(Debug, Serialize)]
struct ReasonRow {
    text: String,
    remedy: String,
    since: When,
}

#[derive(Debug, Serialize)]
struct CommandRow {
    id: CommandId,
    kind: String,
    state: Badge,
    reason: Option<String>,
    created: When,
    finished: Option<When>,
    error: Option<String>,
    /// It is held until somebody decides.
    is_held: bool,
    /// A wipe or retirement that the device has not been given yet.
    may_withdraw: bool,
}

#[derive(Debug, Serialize)]
struct EventRow {
    text: String,
    cause: String,
    at: When,
}

#[derive(Debug, Serialize)]
struct DeviceView {
    id: DeviceId,
    serial: Option<String>,
    model: Option<String>,
    system: String,
    email: String,
    owner: String,
    user: UserId,
    ownership: &'static str,
    management: String,
    /// Nothing on the device reports by itself.
    is_silent: bool,
    generation: i32,
    enrollment: Badge,
    compliance: Badge,
    access: Badge,
    deadline: Option<When>,
    seen: Option<When>,
    evaluated: Option<When>,
    enrolled: Option<When>,
    policies: Vec<PolicyRow>,
    asked: Vec<AskedRow>,
    reasons: Vec<ReasonRow>,
    steps: Vec<StepRow>,
    exception: Option<ExceptionView>,
    may_except: bool,
    facts: Vec<FactRow>,
    profiles: Vec<String>,
    commands: Vec<CommandRow>,
    older_commands: Option<String>,
    events: Vec<EventRow>,
    older_events: Option<String>,
    actions: Vec<Action>,
    may_decide: bool,
    mail: MailRow,
}

/// The managed mail account.
#[derive(Debug, Serialize)]
struct MailRow {
    has_account: bool,
    made: Option<When>,
    used: Option<When>,
    address: Option<String>,
    user_name: Option<String>,
    may_renew: bool,
}

/// One question of the access rules.
#[derive(Debug, Serialize)]
struct StepRow {
    asked: &'static str,
    answer: String,
    decided: bool,
}

struct Found {
    main: DeviceWithOffers,
    posture: Posture,
    policy: Vec<(PolicyId, String, Rules)>,
    explanation: Explanation,
    exception: Option<ExceptionRow>,
    commands: crate::store::page::Page<commands::QueuedCommand>,
    events: crate::store::page::Page<timeline::DeviceEvent>,
    mail: DeviceMail,
}

/// `GET /console/devices/{id}`
pub async fn get_device(admin: Admin, id: web::Path<DeviceId>, query: web::Query<DevicePageQuery>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let of_commands: PageRequest<CommandId> = paging::page(Some(ROWS), Some(&query.commands))?;
    let of_events = paging::page(Some(ROWS), Some(&query.events))?;
    let app = Arc::clone(&admin.app);
    let found = admin
        .app
        .read(move |conn| {
            let main = DeviceWithOffers::get(conn, id)?;
            Ok::<_, Error>(Found {
                posture: postures::get(conn, id)?,
                policy: policies::of_user(conn, main.device.user_id)?,
                explanation: explain(conn, &app, &ExplainOrder { device: Some(id), ..ExplainOrder::default() })?,
                exception: access::exception(conn, id)?,
                commands: commands::list(conn, id, of_commands)?,
                events: timeline::list(conn, id, of_events)?,
                mail: mail_profile::of_device(conn, id)?,
                main,
            })
        })
        .await?;
    let (title, backend) = (name_of(&found.main.device), found.main.backend());
    let view = view(&admin, found)?;
    let frame = Frame::new(&admin, "/console/devices", title).below("/console/devices", "Devices").done(done(&query.done, backend));
    Ok(frame.show(&admin, "console/device", &view))
}

fn view(admin: &Admin, found: Found) -> Result<DeviceView, Problem> {
    let now = admin.app.now();
    let device = &found.main.device;
    let reasons = device.reasons().map_err(Error::from)?;
    Ok(DeviceView {
        id: device.id,
        system: system_of(device),
        user: device.user_id,
        ownership: show::ownership(device.ownership),
        management: management(&found.main),
        is_silent: !found.main.backend().has_command_channel(),
        generation: device.generation,
        enrollment: show::enrollment(device.state),
        compliance: show::compliance(device.compliance),
        access: show::access(device.access),
        deadline: When::some(device.deadline, now),
        seen: When::some(device.last_seen_at, now),
        evaluated: When::some(device.evaluated_at, now),
        enrolled: When::some(device.enrolled_at, now),
        serial: device.serial.clone(),
        model: device.model.clone().or_else(|| device.product_name.clone()),
        asked: asked(&found.policy),
        policies: device_policy::rows(found.policy),
        reasons: reasons.into_iter().map(|reason| reason_row(reason, now)).collect(),
        steps: found.explanation.because.into_iter().map(step_row).collect(),
        exception: found.exception.map(|row| ExceptionView::new(row, now)),
        may_except: admin.may(Permission::ManagePolicies),
        facts: facts(&found.posture, now),
        profiles: found.posture.managed_profiles.iter().flat_map(|fact| &fact.value).map(|profile| profile.identifier.clone()).collect(),
        older_commands: found.commands.next_cursor,
        commands: found.commands.items.into_iter().map(|command| command_row(command, now)).collect(),
        older_events: found.events.next_cursor,
        events: found.events.items.into_iter().map(|event| event_row(event, now)).collect(),
        actions: actions(admin, &found.main),
        may_decide: admin.may(Permission::WipeSelectively),
        mail: mail_row(admin, found.mail, now),
        email: found.main.email,
        owner: found.main.name,
    })
}

/// What manages the device, and how much of it.
fn management(found: &DeviceWithOffers) -> String {
    let backend = show::backend(found.backend());
    match found.mode() {
        Some(mode) => format!("{backend}, which manages {}", show::mode(mode)),
        None => backend.to_owned(),
    }
}

fn mail_row(admin: &Admin, mail: DeviceMail, now: Timestamp) -> MailRow {
    MailRow {
        has_account: mail.has_account,
        made: When::some(mail.password_made_at, now),
        used: When::some(mail.last_used_at, now),
        address: mail.last_address,
        user_name: mail.user_name,
        may_renew: mail.has_account && admin.may(Permission::SupportDevices),
    }
}

fn reason_row(reason: Reason, now: Timestamp) -> ReasonRow {
    ReasonRow { text: reason.text, remedy: reason.remedy, since: When::new(reason.since, now) }
}

fn step_row(because: Because) -> StepRow {
    StepRow { asked: because.asked, answer: because.answer, decided: because.decision.is_some() }
}

fn command_row(command: commands::QueuedCommand, now: Timestamp) -> CommandRow {
    CommandRow {
        id: command.id,
        kind: show::words(&command.kind),
        state: show::command_state(command.state),
        reason: command.reason,
        created: When::new(command.created_at, now),
        finished: When::some(command.finished_at, now),
        error: command.error,
        is_held: command.state == CommandState::AwaitingApproval,
        may_withdraw: command.state == CommandState::Queued && command.purpose.is_destructive() && command.times_sent == 0,
    }
}

fn event_row(event: timeline::DeviceEvent, now: Timestamp) -> EventRow {
    EventRow { text: event.text, cause: event.cause, at: When::new(event.at, now) }
}

fn facts(posture: &Posture, now: Timestamp) -> Vec<FactRow> {
    let yes_or_no = |value: bool| if value { "Yes" } else { "No" }.to_owned();
    let mut rows = Vec::new();
    let mut add = |name, value: Option<(String, Source, Timestamp)>| {
        rows.extend(value.map(|(value, source, at)| FactRow { name, value, source: source_name(source), at: When::new(at, now) }));
    };
    let truth = |fact: &Option<Fact<bool>>| fact.as_ref().map(|fact| (yes_or_no(fact.value), fact.source, fact.at));
    let text = |fact: &Option<Fact<String>>| fact.as_ref().map(|fact| (fact.value.clone(), fact.source, fact.at));
    add("A passcode is set", truth(&posture.passcode_present));
    add("It meets the device's own rules", truth(&posture.passcode_compliant));
    add("It meets the rules of the installed profiles", truth(&posture.passcode_compliant_with_profiles));
    add("The device encrypts its data", truth(&posture.encryption_capable));
    add("Its storage is encrypted", truth(&posture.encrypted));
    add("Level of the passcode", text(&posture.passcode_complexity));
    add("Last security update", text(&posture.security_patch));
    add("Policy that was taken over", text(&posture.applied_policy));
    add("Jailbroken or rooted", truth(&posture.compromised));
    add("Supervised", truth(&posture.supervised));
    add("Enrolled for a user only", truth(&posture.user_enrollment));
    add("System version", text(&posture.os_version));
    add("Build", text(&posture.build_version));
    add("Model", text(&posture.model_name));
    add("Product", text(&posture.product_name));
    add("Name", text(&posture.device_name));
    add("Serial number", text(&posture.serial));
    rows
}

const fn source_name(source: Source) -> &'static str {
    match source {
        Source::SecurityInfo => "security report",
        Source::DeviceInformation => "device report",
        Source::ProfileList => "list of profiles",
        Source::CheckIn => "check-in",
        Source::StatusReport => "status report",
        Source::Agent => "agent",
        Source::Headwind => "launcher's log",
    }
}

#[derive(Debug, Serialize)]
struct CommandView {
    kind: String,
    state: Badge,
    reason: Option<String>,
    times_sent: i32,
    created: When,
    sent: Option<When>,
    finished: Option<When>,
    error: Option<String>,
    request: String,
    answer: Option<String>,
}

/// `GET /console/devices/{id}/commands/{command}`: what was sent to the device, and what it answered.
pub async fn get_command(admin: Admin, path: web::Path<(DeviceId, CommandId)>) -> Result<HttpResponse, Problem> {
    let (device, command) = path.into_inner();
    let name = admin.app.read(move |conn| Ok::<_, Error>(name_of(&DeviceWithOffers::get(conn, device)?.device))).await?;
    let found = admin.app.command_in_full(device, command).await?;
    let (now, queued) = (admin.app.now(), found.queued);
    let view = CommandView {
        state: show::command_state(queued.state),
        reason: queued.reason,
        times_sent: queued.times_sent,
        created: When::new(queued.created_at, now),
        sent: When::some(queued.sent_at, now),
        finished: When::some(queued.finished_at, now),
        error: queued.error,
        kind: show::words(&queued.kind),
        request: found.request,
        answer: found.answer,
    };
    let frame = Frame::new(&admin, "/console/devices", view.kind.clone())
        .below("/console/devices", "Devices")
        .below(format!("/console/devices/{device}"), name);
    Ok(frame.show(&admin, "console/command", &view))
}
