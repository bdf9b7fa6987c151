//! The organization's access rules: every setting with what it means, the excluded groups, and the rules for kinds of devices, in one
//! form that needs no script.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    access_rows::{self, RuleRow},
    field::Field,
    frame::Frame,
    policy_preview::PreviewPart,
    see,
    user_form::Tick,
};
use crate::{
    domain::{
        access::{AccessRules, Decision, GateOutage},
        id::GroupId,
        user::Permission,
    },
    http::{
        extract::{admin::Admin, form::Form},
        problem::Problem,
        prose::sentence,
    },
    service::Error,
    store::groups,
};

/// The fields of the form, in order: those of the rules repeat.
pub type AccessForm = Vec<(String, String)>;

/// A setting that is a decision: its name, what it is called, what it means, and how it is read.
struct Setting {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    get: fn(&AccessRules) -> Decision,
    set: fn(&mut AccessRules, Decision),
    may_allow: bool,
}

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "noncompliant_devices",
        label: "Devices that break their policy",
        hint: "After the grace period of the policy. To let them in and only see them in the report, change the policy: what happens if it is broken.",
        get: |rules| rules.noncompliant_devices,
        set: |rules, decision| rules.noncompliant_devices = decision,
        may_allow: false,
    },
    Setting {
        name: "unknown_compliance",
        label: "Devices of which too little is known",
        hint: "They have just enrolled and have not reported yet, or have not taken over a changed policy.",
        get: |rules| rules.unknown_compliance,
        set: |rules, decision| rules.unknown_compliance = decision,
        may_allow: true,
    },
    Setting {
        name: "unenrolled_devices",
        label: "Devices that are not enrolled",
        hint: "Everybody who comes to a protected address without a device that is known here. Let them in while you introduce enrollment, and shut the door when it is done.",
        get: |rules| rules.unenrolled_devices,
        set: |rules, decision| rules.unenrolled_devices = decision,
        may_allow: true,
    },
    Setting {
        name: "unsupported_devices",
        label: "Devices that cannot be managed",
        hint: "Of which nothing can be known, because there is no way to manage them.",
        get: |rules| rules.unsupported_devices,
        set: |rules, decision| rules.unsupported_devices = decision,
        may_allow: true,
    },
];

const ALLOW: (&str, &str) = ("allow", "Let in");
const QUARANTINE: (&str, &str) = ("quarantine", "Quarantine: only the page that explains and helps");
const BLOCK: (&str, &str) = ("block", "Block");

#[derive(Debug, Serialize)]
struct AccessView {
    settings: Vec<Field>,
    outage: Field,
    groups: Vec<Tick>,
    rules: Vec<RuleRow>,
    preview: Option<PreviewPart>,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: &'static str,
}

#[derive(Debug, Serialize)]
struct ReadView {
    settings: Vec<Fact>,
    groups: Vec<String>,
    rules: Vec<String>,
}

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct AccessQuery {
    #[serde(default)]
    done: String,
}

/// `GET /console/access`: the form for those who may change it, the same in words for the others.
pub async fn get_access(admin: Admin, query: web::Query<AccessQuery>) -> Result<HttpResponse, Problem> {
    let (rules, all) = admin.app.read(|conn| Ok::<_, Error>((crate::store::access::rules(conn)?, groups::all(conn)?))).await?;
    let done = (query.done == "changed").then_some("The access rules were saved. They hold at the gate from now on.");
    let frame = frame(&admin).done(done);
    if admin.may(Permission::ManagePolicies) {
        return Ok(show_form(&admin, frame, &rules, all, None, None));
    }
    let view = ReadView {
        settings: SETTINGS.iter().map(|setting| Fact { name: setting.label, value: words((setting.get)(&rules)) }).collect(),
        groups: all.into_iter().filter(|(id, _)| rules.excluded_groups.contains(id)).map(|(_, name)| name).collect(),
        rules: rules.rules.iter().map(access_rows::describe).collect(),
    };
    Ok(frame.show(&admin, "console/access", &view))
}

/// `POST /console/access`
pub async fn post_access(form: Form<AccessForm>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    let (wanted, wrong) = match read(&form.fields) {
        Ok(wanted) if form.fields.iter().any(|(name, _)| name == "preview") => return try_out(&admin, wanted).await,
        Ok(wanted) => match admin.app.change_access_rules(admin.actor.clone(), wanted.clone()).await {
            Ok(_) => return Ok(see("/console/access?done=changed")),
            Err(Error::Invalid { field, why }) => (wanted, (field, why)),
            Err(error) => return Err(error.into()),
        },
        // Nothing that was left out is guessed: it would lock people out.
        Err(field) => (admin.app.access_rules().await?, (field.to_owned(), "must be chosen".to_owned())),
    };
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    Ok(show_form(&admin, frame(&admin), &wanted, all, Some(&wrong), None))
}

/// Shows what saving would change, with the form as it was filled in.
async fn try_out(admin: &Admin, wanted: AccessRules) -> Result<HttpResponse, Problem> {
    let (preview, wrong) = match admin.app.preview_access_rules(wanted.clone()).await {
        Ok(found) => (Some(PreviewPart::of(found)), None),
        Err(Error::Invalid { field, why }) => (None, Some((field, why))),
        Err(error) => return Err(error.into()),
    };
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    Ok(show_form(admin, frame(admin), &wanted, all, wrong.as_ref(), preview))
}

fn frame(admin: &Admin) -> Frame {
    Frame::new(admin, "/console/access", "Access rules")
}

/// The rules that a form asks for, or the field that is missing in it.
fn read(pairs: &AccessForm) -> Result<AccessRules, &'static str> {
    let value = |name: &str| pairs.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str());
    let mut rules = AccessRules::default();
    for setting in &SETTINGS {
        (setting.set)(&mut rules, value(setting.name).parse().map_err(|_| setting.name)?);
    }
    rules.gate_outage = value("gate_outage").parse().map_err(|_| "gate_outage")?;
    rules.excluded_groups = pairs.iter().filter(|(name, _)| name == "group").filter_map(|(_, id)| id.parse().ok()).collect();
    rules.rules = access_rows::read(pairs)?;
    Ok(rules)
}

fn show_form(
    admin: &Admin,
    frame: Frame,
    rules: &AccessRules,
    all: Vec<(GroupId, String)>,
    wrong: Option<&(String, String)>,
    preview: Option<PreviewPart>,
) -> HttpResponse {
    let error = |name: &str| wrong.filter(|(field, _)| field == name).map(|(_, why)| why);
    let field = |setting: &Setting| {
        let choices: &[(&str, &str)] = if setting.may_allow { &[ALLOW, QUARANTINE, BLOCK] } else { &[QUARANTINE, BLOCK] };
        Field::choice(setting.name, setting.label, (setting.get)(rules).as_str(), choices.iter().copied())
            .hint(setting.hint)
            .wrong(error(setting.name))
    };
    let outages = [
        (GateOutage::FailClosed.as_str(), "Nobody comes in"),
        (GateOutage::FailOpen.as_str(), "Whoever was let in lately still comes in, for an hour at most; nobody else does"),
    ];
    let view = AccessView {
        settings: SETTINGS.iter().map(field).collect(),
        outage: Field::choice("gate_outage", "While the database does not answer", rules.gate_outage.as_str(), outages)
            .hint("The gate decides from memory, and asks the database several times a second whether that is still right."),
        groups: all.into_iter().map(|(id, name)| Tick { is_on: rules.excluded_groups.contains(&id), id, name }).collect(),
        rules: access_rows::rows(&rules.rules, wrong),
        preview,
    };
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let complaint = wrong.map(|(field, why)| match access_rows::place_of(field) {
        Some(place) => format!("Nothing was saved. Rule {}: {}", place.saturating_add(1), sentence(why)),
        None => format!("Nothing was saved. {}", sentence(&format!("{} {why}", field.replace('_', " ")))),
    });
    frame.refused(complaint).show_as(admin, status, "console/access_form", &view)
}

/// A decision in words.
pub(super) const fn words(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "let in",
        Decision::Quarantine => "kept in quarantine",
        Decision::Block => "blocked",
    }
}
