//! The policies: whom each reaches, what it asks for, and how many devices that are.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{frame::Frame, policy_words};
use crate::{
    domain::{
        id::{GroupId, PolicyId},
        user::Permission,
    },
    http::{api::paging, extract::admin::Admin, problem::Problem},
    service::Error,
    store::{
        groups,
        policies::{self, Policy},
    },
};

/// Rows on a page.
const ROWS: i64 = 50;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct PolicyListQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: PolicyId,
    name: String,
    reach: String,
    demands: String,
    consequence: String,
    devices: i64,
}

#[derive(Debug, Serialize)]
struct PoliciesView {
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    first: &'static str,
    may_manage: bool,
}

/// `GET /console/policies`
pub async fn get_policies(admin: Admin, query: web::Query<PolicyListQuery>) -> Result<HttpResponse, Problem> {
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let (page, counts, names) = admin
        .app
        .read(move |conn| {
            let page = policies::list(conn, page)?;
            let counts = page.items.iter().map(|policy| policies::count_devices(conn, policy)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, Error>((page, counts, groups::all(conn)?))
        })
        .await?;
    let names: HashMap<GroupId, String> = names.into_iter().collect();
    let row = |(policy, devices): (Policy, i64)| Row {
        id: policy.id,
        reach: reach(&policy, &names),
        demands: policy_words::demands(&policy.rules).join(", "),
        consequence: policy_words::consequence(&policy.rules),
        devices,
        name: policy.name,
    };
    let view = PoliciesView {
        rows: page.items.into_iter().zip(counts).map(row).collect(),
        next: page.next_cursor.map(|cursor| format!("?cursor={cursor}")),
        is_first: query.cursor.is_empty(),
        first: "/console/policies",
        may_manage: admin.may(Permission::ManagePolicies),
    };
    let done = (query.done == "deleted").then_some("The policy was deleted. Its devices are judged without it from now on.");
    Ok(Frame::new(&admin, "/console/policies", "Policies").wide().done(done).show(&admin, "console/policies", &view))
}

/// Whom a policy reaches, in words.
pub(super) fn reach(policy: &Policy, names: &HashMap<GroupId, String>) -> String {
    if policy.is_for_everyone {
        return "Everyone".into();
    }
    let groups: Vec<&str> = policy.groups.iter().filter_map(|id| names.get(id)).map(String::as_str).collect();
    if groups.is_empty() { "Nobody yet".into() } else { groups.join(", ") }
}
