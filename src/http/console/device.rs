//! One device: how it stands and why, what it has said, what it was told, what happened to it, and what can be done with it.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    device_list::{name_of, system_of},
    device_policy::{self, AskedRow, PolicyRow, asked},
    frame::Frame,
    show::{self, Badge, When},
};
use crate::{
    domain::{
        command::CommandState,
        compliance::Reason,
        id::{CommandId, DeviceId, PolicyId, UserId},
        policy::Rules,
        posture::{Fact, Posture, Source},
        time::Timestamp,
        user::Permission,
    },
    http::{api::paging, extract::admin::Admin, problem::Problem, prose::sentence},
    service::{
        Error,
        offers::{DeviceWithOffers, Offer},
    },
    store::{commands, page::PageRequest, policies, postures, timeline},
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
fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "refresh" => "The device was asked for its facts. It answers when it next connects.",
        "lock" => "The device will be locked when it next connects.",
        "clear-passcode" => "The passcode will be removed when the device next connects. Its policy then asks for a new one.",
        "retire" => "The device was let go. It has lost access, and removes what was installed from here when it next connects.",
        "selective" => "The selective wipe was ordered. The device has lost access, and company data goes when it next connects.",
        "approved" => "The order was approved. The device carries it out when it next connects.",
        "withdrawn" => "The order was withdrawn. The device stays without access until you decide what becomes of it.",
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
}

#[derive(Debug, Serialize)]
struct EventRow {
    text: String,
    cause: String,
    at: When,
}

/// Something that can be done, or why it cannot.
#[derive(Debug, Serialize)]
struct Action {
    address: String,
    text: &'static str,
    effect: &'static str,
    refusal: Option<String>,
    class: &'static str,
    /// It happens at once, without a page in between.
    is_direct: bool,
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
    facts: Vec<FactRow>,
    profiles: Vec<String>,
    commands: Vec<CommandRow>,
    older_commands: Option<String>,
    events: Vec<EventRow>,
    older_events: Option<String>,
    actions: Vec<Action>,
    may_decide: bool,
}

struct Found {
    main: DeviceWithOffers,
    posture: Posture,
    policy: Vec<(PolicyId, String, Rules)>,
    commands: crate::store::page::Page<commands::QueuedCommand>,
    events: crate::store::page::Page<timeline::DeviceEvent>,
}

/// `GET /console/devices/{id}`
pub async fn get_device(admin: Admin, id: web::Path<DeviceId>, query: web::Query<DevicePageQuery>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    let of_commands: PageRequest<CommandId> = paging::page(Some(ROWS), Some(&query.commands))?;
    let of_events = paging::page(Some(ROWS), Some(&query.events))?;
    let found = admin
        .app
        .read(move |conn| {
            let main = DeviceWithOffers::get(conn, id)?;
            Ok::<_, Error>(Found {
                posture: postures::get(conn, id)?,
                policy: policies::of_user(conn, main.device.user_id)?,
                commands: commands::list(conn, id, of_commands)?,
                events: timeline::list(conn, id, of_events)?,
                main,
            })
        })
        .await?;
    let title = name_of(&found.main.device);
    let view = view(&admin, found)?;
    let frame = Frame::new(&admin, "/console/devices", title).below("/console/devices", "Devices").done(done(&query.done));
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
        facts: facts(&found.posture, now),
        profiles: found.posture.managed_profiles.iter().flat_map(|fact| &fact.value).map(|profile| profile.identifier.clone()).collect(),
        older_commands: found.commands.next_cursor,
        commands: found.commands.items.into_iter().map(|command| command_row(command, now)).collect(),
        older_events: found.events.next_cursor,
        events: found.events.items.into_iter().map(|event| event_row(event, now)).collect(),
        actions: actions(admin, &found.main),
        may_decide: admin.may(Permission::WipeSelectively),
        email: found.main.email,
        owner: found.main.name,
    })
}

fn reason_row(reason: Reason, now: Timestamp) -> ReasonRow {
    ReasonRow { text: reason.text, remedy: reason.remedy, since: When::new(reason.since, now) }
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

/// What can be done by this administrator; what the device cannot do is shown with the reason.
fn actions(admin: &Admin, found: &DeviceWithOffers) -> Vec<Action> {
    let at = |what: &str| format!("/console/devices/{}/{what}", found.device.id);
    let offers = &found.offers;
    let table: [(Permission, &str, &'static str, &'static str, &Offer, &'static str, bool); 6] = [
        (
            Permission::SupportDevices,
            "refresh",
            "Check again",
            "Asks the device for its facts. Nothing on it changes.",
            &offers.refresh,
            "plain",
            true,
        ),
        (Permission::SupportDevices, "lock", "Lock", "Locks the screen. The passcode opens it again.", &offers.lock, "plain", false),
        (
            Permission::SupportDevices,
            "clear-passcode",
            "Clear passcode",
            "Removes a passcode that was forgotten. Until a new one is set, anybody can open the device.",
            &offers.clear_passcode,
            "plain",
            false,
        ),
        (
            Permission::WipeSelectively,
            "retire",
            "Retire",
            "Ends the management: access is cut and what was installed from here is removed.",
            &offers.retire,
            "care",
            false,
        ),
        (
            Permission::WipeSelectively,
            "wipe/selective",
            "Selective wipe",
            "Removes company data and accounts. Photos, messages and apps of the person stay.",
            &offers.selective_wipe,
            "bad",
            false,
        ),
        (
            Permission::WipeFully,
            "wipe/full",
            "Full wipe",
            "Resets the device to its factory state. Everything on it is lost, the person's own data too.",
            &offers.full_wipe,
            "bad",
            false,
        ),
    ];
    table
        .into_iter()
        .filter(|(permission, ..)| admin.may(*permission))
        .map(|(_, path, text, effect, offer, class, is_direct)| Action {
            address: at(path),
            text,
            effect,
            refusal: offer.as_ref().err().map(|why| sentence(why)),
            class,
            is_direct,
        })
        .collect()
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
