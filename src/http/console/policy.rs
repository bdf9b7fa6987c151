//! One policy: created, changed, brought to its devices, deleted.

use std::collections::HashMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    policies::reach,
    policy_fields::{Part, Typed, Wrongs},
    policy_preview::PreviewPart,
    policy_words, see,
    show::count,
    user_form::Tick,
};
use crate::{
    domain::{
        id::{GroupId, PolicyId},
        policy::Rules,
        user::Permission,
    },
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        policy::{WantedPolicy, scope_of},
    },
    store::{
        groups,
        policies::{self, Policy},
        rollouts,
    },
};

/// The word for a policy that reaches everyone.
const EVERYONE: &str = "everyone";
/// The word for a policy that reaches the members of groups.
const GROUPS: &str = "groups";

/// The fields of the form, in order. They are many and some of them repeat, so that they are read by their names.
pub type PolicyForm = Vec<(String, String)>;

/// A form as it was typed, with what is wrong with it.
#[derive(Default)]
struct Draft {
    typed: Typed,
    groups: Vec<GroupId>,
    wrongs: Wrongs,
    notice: Option<String>,
    /// What saving would change, where somebody asked.
    preview: Option<PreviewPart>,
}

impl Draft {
    fn of_form(pairs: &PolicyForm) -> Self {
        let groups = pairs.iter().filter(|(name, _)| name == "group").filter_map(|(_, value)| value.parse().ok()).collect();
        Self { typed: Typed::of(pairs), groups, ..Self::default() }
    }

    fn of_policy(name: &str, is_for_everyone: bool, groups: Vec<GroupId>, rules: &Rules) -> Self {
        let mut pairs: PolicyForm = vec![("name".into(), name.into())];
        pairs.push(("reach".into(), if is_for_everyone { EVERYONE } else { GROUPS }.into()));
        Self { typed: Typed::from_rules(rules).with(pairs), groups, ..Self::default() }
    }

    /// The policy that this asks for, unless something is wrong with it.
    fn wanted(&mut self) -> Option<WantedPolicy> {
        match self.typed.rules() {
            Ok(rules) => Some(WantedPolicy {
                name: self.typed.get("name").to_owned(),
                groups: self.groups.clone(),
                is_for_everyone: Some(self.typed.get("reach") != GROUPS),
                rules,
            }),
            Err(wrongs) => {
                self.wrongs = wrongs;
                None
            }
        }
    }

    /// Notes what a person can mend; everything else stays an error.
    fn refuse(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::Invalid { field, why } => drop(self.wrongs.insert(field, why)),
            Error::Conflict(why) => self.notice = Some(sentence(&why)),
            other => return Err(other),
        }
        Ok(())
    }

    /// Whether saving is not wanted yet, but what it would change.
    fn is_trial(&self) -> bool {
        self.typed.get("preview") == "yes"
    }

    /// Finds out what saving would change.
    async fn try_out(&mut self, admin: &Admin, id: Option<PolicyId>, wanted: WantedPolicy) -> Result<(), Error> {
        match admin.app.preview_policy(id, wanted).await {
            Ok(found) => self.preview = Some(PreviewPart::of(found)),
            Err(error) => self.refuse(error)?,
        }
        Ok(())
    }

    fn is_wrong(&self) -> bool {
        !self.wrongs.is_empty() || self.notice.is_some()
    }

    fn complaint(&self) -> Option<String> {
        self.is_wrong().then(|| self.notice.clone().unwrap_or_else(|| "Nothing was saved. See below what is wrong.".into()))
    }
}

/// Where a change stands on its way to the devices.
#[derive(Debug, Serialize)]
struct Rollout {
    devices: String,
    is_running: bool,
    judged: i64,
    total: i64,
}

#[derive(Debug, Serialize)]
struct FormView {
    action: String,
    button: &'static str,
    name: Field,
    reach: Field,
    groups: Vec<Tick>,
    parts: Vec<Part>,
    rollout: Option<Rollout>,
    preview: Option<PreviewPart>,
    id: Option<PolicyId>,
}

#[derive(Debug, Serialize)]
struct ReadView {
    reach: String,
    demands: Vec<String>,
    consequence: String,
    rollout: Rollout,
}

/// `GET /console/policies/new`
pub async fn get_new(admin: Admin) -> Result<HttpResponse, Problem> {
    show_new(&admin, Draft::of_policy("", true, Vec::new(), &Rules::default())).await
}

/// `POST /console/policies/new`
pub async fn post_new(form: Form<PolicyForm>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    let mut draft = Draft::of_form(&form.fields);
    match draft.wanted() {
        Some(wanted) if draft.is_trial() => draft.try_out(&admin, None, wanted).await?,
        Some(wanted) => match admin.app.create_policy(admin.actor.clone(), wanted).await {
            Ok(policy) => return Ok(see(&format!("/console/policies/{}?done=created", policy.id))),
            Err(error) => draft.refuse(error)?,
        },
        None => {}
    }
    show_new(&admin, draft).await
}

async fn show_new(admin: &Admin, mut draft: Draft) -> Result<HttpResponse, Problem> {
    let frame = Frame::new(admin, "/console/policies", "Create a policy").below("/console/policies", "Policies");
    let all = admin.app.read(groups::all).await.map_err(Error::from)?;
    Ok(show_form(admin, frame, &mut draft, all, None))
}

/// Shows the form: of a new policy, or of one that is there and on its way to its devices.
fn show_form(
    admin: &Admin,
    frame: Frame,
    draft: &mut Draft,
    all: Vec<(GroupId, String)>,
    existing: Option<(PolicyId, Rollout)>,
) -> HttpResponse {
    let choices = [(EVERYONE, "Everyone"), (GROUPS, "The members of the groups ticked below")];
    let (id, rollout) = existing.unzip();
    let view = FormView {
        action: id.map_or_else(|| "/console/policies/new".into(), |id| format!("/console/policies/{id}")),
        button: if id.is_some() { "Save the policy" } else { "Create the policy" },
        name: Field::text("name", "Name", draft.typed.get("name"))
            .required()
            .hint("People read it on the pages that say why a device is not compliant.")
            .wrong(draft.wrongs.get("name")),
        reach: Field::choice("reach", "It reaches", draft.typed.get("reach"), choices)
            .hint("Several policies may reach one device; of each setting the strictest value holds.")
            .wrong(draft.wrongs.get("groups")),
        groups: all.into_iter().map(|(id, name)| Tick { is_on: draft.groups.contains(&id), id, name }).collect(),
        parts: draft.typed.parts(&draft.wrongs),
        preview: draft.preview.take(),
        rollout,
        id,
    };
    let status = if draft.is_wrong() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    frame.refused(draft.complaint()).show_as(admin, status, "console/policy_form", &view)
}

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct PolicyPageQuery {
    #[serde(default)]
    done: String,
}

/// What was just done, for the word that stands behind the question mark.
fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "created" => "The policy was created and is being brought to its devices.",
        "changed" => "The policy was saved and is being brought to its devices.",
        _ => return None,
    })
}

struct Found {
    policy: Policy,
    groups: Vec<(GroupId, String)>,
    rollout: Rollout,
}

async fn find(admin: &Admin, id: PolicyId) -> Result<Found, Error> {
    admin
        .app
        .read(move |conn| {
            let policy = policies::find(conn, id)?.ok_or(Error::NotFound("policy"))?;
            let (total, judged) = policies::count_reached(conn, &policy, policy.updated_at)?;
            let scope = scope_of(&policy);
            let mut is_running = false;
            for rollout in rollouts::unfinished(conn)? {
                is_running |= rollout.scope()?.touches(&scope);
            }
            let rollout = Rollout { devices: count(total, "device"), is_running, judged, total };
            Ok(Found { policy, groups: groups::all(conn)?, rollout })
        })
        .await
}

/// `GET /console/policies/{id}`: the form for those who may change it, the same in words for the others.
pub async fn get_policy(admin: Admin, id: web::Path<PolicyId>, query: web::Query<PolicyPageQuery>) -> Result<HttpResponse, Problem> {
    let found = find(&admin, *id).await?;
    let frame = policy_frame(&admin, &found.policy).done(done(&query.done));
    if admin.may(Permission::ManagePolicies) {
        let Policy { name, is_for_everyone, groups, rules, .. } = &found.policy;
        let mut draft = Draft::of_policy(name, *is_for_everyone, groups.clone(), rules);
        return Ok(show_existing(&admin, frame, &mut draft, found));
    }
    let names: HashMap<GroupId, String> = found.groups.into_iter().collect();
    let view = ReadView {
        reach: reach(&found.policy, &names),
        demands: policy_words::demands(&found.policy.rules),
        consequence: policy_words::consequence(&found.policy.rules),
        rollout: found.rollout,
    };
    Ok(frame.show(&admin, "console/policy", &view))
}

/// `POST /console/policies/{id}`
pub async fn post_policy(form: Form<PolicyForm>, id: web::Path<PolicyId>) -> Result<HttpResponse, Problem> {
    let admin = form.admin;
    let found = find(&admin, *id).await?;
    let mut draft = Draft::of_form(&form.fields);
    match draft.wanted() {
        Some(wanted) if draft.is_trial() => draft.try_out(&admin, Some(*id), wanted).await?,
        Some(wanted) => match admin.app.change_policy(admin.actor.clone(), *id, wanted).await {
            Ok(_) => return Ok(see(&format!("/console/policies/{}?done=changed", *id))),
            Err(error) => draft.refuse(error)?,
        },
        None => {}
    }
    Ok(show_existing(&admin, policy_frame(&admin, &found.policy), &mut draft, found))
}

fn show_existing(admin: &Admin, frame: Frame, draft: &mut Draft, found: Found) -> HttpResponse {
    show_form(admin, frame, draft, found.groups, Some((found.policy.id, found.rollout)))
}

fn policy_frame(admin: &Admin, policy: &Policy) -> Frame {
    Frame::new(admin, "/console/policies", policy.name.clone()).below("/console/policies", "Policies")
}

#[derive(Debug, Serialize)]
struct DeleteView {
    id: PolicyId,
    devices: String,
    demands: Vec<String>,
}

/// `GET /console/policies/{id}/delete`
pub async fn get_delete(admin: Admin, id: web::Path<PolicyId>) -> Result<HttpResponse, Problem> {
    let found = find(&admin, *id).await?;
    let frame = Frame::new(&admin, "/console/policies", format!("Delete the policy {}?", found.policy.name))
        .below("/console/policies", "Policies")
        .below(format!("/console/policies/{}", *id), found.policy.name.clone());
    let view = DeleteView { id: *id, devices: found.rollout.devices, demands: policy_words::demands(&found.policy.rules) };
    Ok(frame.show(&admin, "console/policy_delete", &view))
}

/// `POST /console/policies/{id}/delete`
pub async fn post_delete(form: Form<NoFields>, id: web::Path<PolicyId>) -> Result<HttpResponse, Problem> {
    form.admin.app.delete_policy(form.admin.actor.clone(), *id).await?;
    Ok(see("/console/policies?done=deleted"))
}
