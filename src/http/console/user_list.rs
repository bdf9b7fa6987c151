//! The users: filtered, page by page, each view with its own address.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    field::Field,
    frame::Frame,
    show::{self, Badge},
};
use crate::{
    domain::{
        id::{GroupId, UserId},
        user::{Permission, Role, UserState},
    },
    http::{api::paging, extract::admin::Admin, problem::Problem},
    service::Error,
    store::{
        Conn, groups,
        page::PageRequest,
        users::{self, Filter, User},
    },
};

/// Rows on a page.
const ROWS: i64 = 50;
/// The word for those who have no role.
const NO_ROLE: &str = "none";

/// What may stand behind the question mark.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct UserListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: String,
}

impl UserListQuery {
    fn filter(&self) -> Result<Filter, Error> {
        let given = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let role = match self.role.as_str() {
            NO_ROLE => Some(None),
            word => paging::optional::<Role>("role", Some(word))?.map(Some),
        };
        Ok(Filter {
            text: paging::text("q", given(&self.q))?,
            group: paging::optional("group", Some(self.group.as_str()))?,
            source: paging::text("source", given(&self.source))?,
            domain: paging::text("domain", given(&self.domain))?,
            role,
        })
    }

    /// The filter as it is written into an address, without the cursor.
    fn address(&self) -> String {
        let fields = [("q", &self.q), ("group", &self.group), ("source", &self.source), ("role", &self.role), ("domain", &self.domain)];
        let mut writer = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            writer.append_pair(name, value);
        }
        writer.finish()
    }

    fn fields(&self, groups: Vec<(GroupId, String)>, sources: Vec<String>) -> Vec<Field> {
        let all = || (String::new(), "All".to_owned());
        let groups = std::iter::once(all()).chain(groups.into_iter().map(|(id, name)| (id.to_string(), name)));
        let roles = Role::ALL.iter().map(|role| (role.as_str().to_owned(), show::words(role.as_str())));
        let roles = std::iter::once(all()).chain(roles).chain([(NO_ROLE.to_owned(), "No role".to_owned())]);
        let mut fields = vec![Field::choice("group", "Group", &self.group, groups), Field::choice("role", "Role", &self.role, roles)];
        // Where everybody was created here there is nothing to choose.
        if sources.len() > 1 {
            let sources = std::iter::once(all()).chain(sources.into_iter().map(|source| (source.clone(), show::words(&source))));
            fields.push(Field::choice("source", "From", &self.source, sources));
        }
        fields
    }
}

/// What was just done, for the word that stands behind the question mark.
fn done(word: &str) -> Option<&'static str> {
    (word == "deleted").then_some("The user was deleted, with everything that was kept about them.")
}

#[derive(Debug, Serialize)]
struct Row {
    id: UserId,
    name: String,
    email: String,
    groups: String,
    role: Option<&'static str>,
    devices: i64,
    state: Badge,
}

#[derive(Debug, Serialize)]
struct UsersView {
    fields: Vec<Field>,
    q: String,
    /// The domain whose users are shown.
    domain: String,
    rows: Vec<Row>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
    is_filtered: bool,
    may_manage: bool,
}

struct Found {
    rows: Vec<Row>,
    total: i64,
    next_cursor: Option<String>,
    groups: Vec<(GroupId, String)>,
    sources: Vec<String>,
}

/// `GET /console/users`
pub async fn get_users(admin: Admin, query: web::Query<UserListQuery>) -> Result<HttpResponse, Problem> {
    let (filter, page) = (query.filter()?, paging::page(Some(ROWS), Some(&query.cursor))?);
    let found = admin.app.read(move |conn| find(conn, &filter, page)).await?;
    let address = query.address();
    let joined = |cursor: String| if address.is_empty() { format!("?cursor={cursor}") } else { format!("?{address}&cursor={cursor}") };
    let view = UsersView {
        fields: query.fields(found.groups, found.sources),
        q: query.q.clone(),
        domain: query.domain.clone(),
        rows: found.rows,
        total: found.total,
        next: found.next_cursor.map(joined),
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        is_filtered: !address.is_empty(),
        may_manage: admin.may(Permission::ManageUsers),
    };
    let frame = match query.domain.as_str() {
        "" => Frame::new(&admin, "/console/users", "Users"),
        domain => Frame::new(&admin, "/console/domains", format!("Users of {domain}")).below("/console/domains", "Domains"),
    };
    Ok(frame.wide().done(done(&query.done)).show(&admin, "console/users", &view))
}

fn find(conn: &mut Conn, filter: &Filter, page: PageRequest<UserId>) -> Result<Found, Error> {
    let page = users::list(conn, filter, page)?;
    let ids: Vec<UserId> = page.items.iter().map(|user| user.id).collect();
    let mut members_of: HashMap<UserId, Vec<String>> = HashMap::new();
    for (user, _, name) in groups::of_users(conn, &ids)? {
        members_of.entry(user).or_default().push(name);
    }
    let devices: HashMap<UserId, i64> = users::managed_devices_of(conn, &ids)?.into_iter().collect();
    let row = |user: User| Row {
        id: user.id,
        groups: members_of.get(&user.id).map(|names| names.join(", ")).unwrap_or_default(),
        devices: devices.get(&user.id).copied().unwrap_or_default(),
        name: user.name,
        email: user.email,
        role: user.role.map(Role::as_str),
        state: state_badge(user.state),
    };
    Ok(Found {
        rows: page.items.into_iter().map(row).collect(),
        total: page.total,
        next_cursor: page.next_cursor,
        groups: groups::all(conn)?,
        sources: users::sources(conn)?,
    })
}

/// The word for whether a user takes part.
pub(super) const fn state_badge(state: UserState) -> Badge {
    let (text, class) = match state {
        UserState::Active => ("Active", "good"),
        UserState::Disabled => ("Disabled", "bad"),
    };
    Badge { text, class, word: state.as_str() }
}
