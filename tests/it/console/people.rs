//! Users at the console: found, created, invited, changed, given a role, let go.

use enlist::domain::user::Role;
use serde_json::json;

use crate::harness::{
    actors::{IPhone, Visitor, passcode_policy, text},
    app::TestApp,
    clerk::{Clerk, PASSWORD, Shown},
    database::Database,
    every_backend,
};

every_backend!(
    somebody_is_added_and_invited_and_the_mail_arrives,
    what_was_typed_stays_when_something_is_wrong_with_it,
    users_are_found_by_name_group_and_role,
    a_user_is_changed_and_a_disabled_one_is_not_invited,
    a_role_lets_somebody_sign_in_and_the_last_administrator_stays,
    groups_are_joined_and_left_on_the_page_of_the_user,
    every_enrollment_ends_after_a_page_that_counts_the_devices,
    a_user_is_deleted_when_nothing_is_under_management,
    those_who_may_not_see_no_forms_and_are_refused,
);

/// The value of a field of a form.
#[track_caller]
pub fn value(shown: &Shown, action: &str, name: &str) -> String {
    shown.form(action).find(|field| field.name == name).unwrap_or_else(|| panic!("no field {name}")).value.clone()
}

/// The identifier of the user whose page this is.
fn id_of(shown: &Shown) -> String {
    shown.page.url.path().rsplit('/').next().unwrap().to_owned()
}

async fn somebody_is_added_and_invited_and_the_mail_arrives(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    let list = clerk.open("/console/users").await.expect(200).says("helpdesk@example.com");
    assert!(list.has_link("/console/users/new") && list.has_link("/console/users/import"));
    let new = clerk.open("/console/users/new").await.expect(200);
    let fields = [("email", " Ada@Example.com"), ("name", "Ada Lovelace"), ("ownership", "company")];
    let user = clerk.submit(&new, "/console/users/new", &fields).await.expect(200);
    let user = user.says("The user was created, and the invitation is on its way").says("ada@example.com").says("Waiting");
    app.work().await;
    clerk.open(&format!("/console/users/{}", id_of(&user))).await.says("Sent").says("No device yet");
    assert!(Visitor::new(&app, "ada@example.com").invitation().is_some());
    // Once more, for a device of their own, from the page of the user.
    let action = format!("/console/users/{}/invitation", id_of(&user));
    clerk.submit(&user, &action, &[("ownership", "personal")]).await.expect(200).says("The invitation is on its way");
    app.work().await;
    let done = app.admin().audited().await;
    assert_eq!(done.iter().filter(|action| *action == "user.invite").count(), 2, "{done:?}");
}

async fn what_was_typed_stays_when_something_is_wrong_with_it(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    admin.create_user("bob@example.com").await;
    let group = admin.create_group("Sales").await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let (new, path) = (clerk.open("/console/users/new").await, "/console/users/new");
    let fields = [("email", "ada.example.com"), ("name", "Ada <b>"), ("group", group.as_str()), ("ownership", "company")];
    let again = clerk.submit(&new, path, &fields).await.expect(400).says("Nothing was saved").says("This is not a mail address");
    assert!(again.page.title.starts_with("Problem: "), "{}", again.page.title);
    assert_eq!((value(&again, path, "email").as_str(), value(&again, path, "name").as_str()), ("ada.example.com", "Ada <b>"));
    assert_eq!(value(&again, path, "ownership"), "company");
    assert!(again.form(path).find(|field| field.name == "group").unwrap().checked);
    assert!(again.source.contains("Ada &lt;b&gt;") && again.source.contains("aria-invalid"));
    clerk.submit(&again, path, &[("email", "bob@example.com")]).await.expect(400).says("a user with this address already");
    clerk.submit(&again, path, &[("email", "ada@example.com"), ("name", " ")]).await.expect(400).says("must be 1 to 200 characters");
    clerk.submit(&again, path, &[("email", "ada@example.com")]).await.expect(200).says("Sales");
    app.work().await;
}

async fn users_are_found_by_name_group_and_role(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    let ada = json!({ "email": "ada@example.com", "name": "Ada Lovelace", "groups": [group] });
    admin.post("/users", &ada).await.expect(201);
    for number in 0..52 {
        admin.post("/users", &json!({ "email": format!("u{number}@example.com"), "name": format!("Worker {number}") })).await.expect(201);
    }
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let first = clerk.open("/console/users").await.expect(200).says("54 in this view");
    let next = first.page.links.iter().find(|link| link.href.contains("cursor=")).unwrap().href.clone();
    clerk.open(&format!("/console/users{next}")).await.expect(200).says("auditor@example.com").says("First page");
    clerk.open("/console/users?q=LOVE").await.says("1 in this view").says("Ada Lovelace").says("Sales");
    clerk.open(&format!("/console/users?group={group}")).await.says("1 in this view").says("ada@example.com");
    clerk.open("/console/users?role=auditor").await.says("1 in this view").keeps_quiet_about("ada@example.com");
    clerk.open("/console/users?role=none&q=worker").await.says("52 in this view");
    clerk.open("/console/users?q=nobody").await.says("No user fits this filter");
    clerk.open("/console/users?role=king").await.expect(400).says("is not one of");
}

async fn a_user_is_changed_and_a_disabled_one_is_not_invited(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let (id, _) = (admin.create_user("ada@example.com").await, admin.create_user("bob@example.com").await);
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    let path = format!("/console/users/{id}/edit");
    let page = clerk.open(&path).await.expect(200);
    let again = clerk.submit(&page, &path, &[("email", "bob@example.com"), ("name", "Countess")]).await.expect(400);
    let again = again.says("a user with this address already");
    assert_eq!(value(&again, &path, "name"), "Countess");
    let fields = [("email", "countess@example.com"), ("state", "disabled")];
    let user = clerk.submit(&again, &path, &fields).await.expect(200).says("The user was changed").says("Countess").says("Disabled");
    let user = user.says("countess@example.com").says("Make them active before sending an invitation");
    let action = format!("/console/users/{id}/invitation");
    assert!(!user.has_form(&action));
    let csrf = value(&user, "/console/sign-out", "csrf");
    let forced = clerk.request(reqwest::Method::POST, &action).form(&[("csrf", csrf.as_str()), ("ownership", "personal")]);
    clerk.send(forced).await.expect(409).says("The user is disabled");
    assert_eq!(admin.get(&format!("/users/{id}")).await.expect(200)["state"], "disabled");
}

async fn a_role_lets_somebody_sign_in_and_the_last_administrator_stays(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let id = app.admin().create_user("ada@example.com").await;
    let path = format!("/console/users/{id}/role");
    let page = clerk.open(&path).await.expect(200).says("No role: cannot sign in here");
    clerk.submit(&page, &path, &[("role", "helpdesk")]).await.expect(400).says("without one this user cannot sign in");
    let short = clerk.submit(&page, &path, &[("role", "helpdesk"), ("password", "short")]).await.expect(400);
    let short = short.says("at least 12 characters");
    assert_eq!((value(&short, &path, "role").as_str(), value(&short, &path, "password").as_str()), ("helpdesk", ""));
    clerk.submit(&short, &path, &[("password", PASSWORD)]).await.expect(200).says("The role was saved").says("Helpdesk");
    let ada = Clerk::stranger(&app);
    ada.sign_in("ada@example.com", PASSWORD).await.expect(200).says("Choose a password of your own");
    let list = clerk.open("/console/users?role=administrator").await;
    let own = list.page.links.iter().rfind(|link| link.href.starts_with("/console/users/0")).unwrap().href.clone();
    let page = clerk.open(&format!("{own}/role")).await.expect(200);
    clerk.submit(&page, &format!("{own}/role"), &[("role", "")]).await.expect(400).says("last administrator");
    // Whoever may not give roles does not change those who have one either.
    let helper = Clerk::with_role(&app, Role::Helpdesk).await;
    let page = helper.open(&own).await.expect(200);
    assert!(!page.has_link(&format!("{own}/edit")) && !page.has_link(&format!("{own}/role")));
    helper.look(&format!("{own}/role")).await.expect(403);
    let edit = helper.open(&format!("{own}/edit")).await.expect(200);
    helper
        .submit(&edit, &format!("{own}/edit"), &[("name", "Mine now")])
        .await
        .expect(403)
        .says("may not change somebody who holds a role");
}

async fn groups_are_joined_and_left_on_the_page_of_the_user(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let (id, group) = (admin.create_user("ada@example.com").await, admin.create_group("Sales").await);
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let path = format!("/console/users/{id}");
    let page = clerk.open(&path).await.expect(200).says("In no group");
    let page = clerk.submit(&page, &format!("{path}/groups/add"), &[("group", &group)]).await.expect(200).says("was put into the group");
    assert!(page.has_link(&format!("/console/groups/{group}")) && !page.has_form(&format!("{path}/groups/add")));
    let page = clerk.submit(&page, &format!("{path}/groups/remove"), &[]).await.expect(200);
    page.says("was taken out of the group").says("In no group");
    app.work().await;
}

async fn every_enrollment_ends_after_a_page_that_counts_the_devices(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    admin.create_policy(&passcode_policy("Everyone")).await;
    let id = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &id, "company", 1).await;
    phone.obey_all().await;
    app.work().await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    let path = format!("/console/users/{id}");
    let page = clerk.open(&path).await.expect(200).says("Compliant").says("Allowed");
    assert!(page.has_link(&format!("{path}/revoke")));
    let ask = clerk.open(&format!("{path}/delete")).await.expect(200).says("1 device under management");
    assert!(!ask.has_form(&format!("{path}/delete")));
    let ask = clerk.open(&format!("{path}/revoke")).await.expect(200).says("has 1 device under management").says("enrolled again");
    let device = text(&phone.seen_by(&admin).await, "id");
    assert_eq!(admin.device(&device).await["enrollment"], "enrolled", "nothing happens before the button");
    clerk.submit(&ask, &format!("{path}/revoke"), &[]).await.expect(200).says("have lost access").says("Retired").says("Blocked");
    assert_eq!(admin.device(&device).await["enrollment"], "retired");
    phone.obey_all().await;
    app.work().await;
}

async fn a_user_is_deleted_when_nothing_is_under_management(database: Database) {
    let app = TestApp::start(database).await;
    let id = app.admin().create_user("ada@example.com").await;
    let clerk = Clerk::with_role(&app, Role::Helpdesk).await;
    let path = format!("/console/users/{id}");
    let ask = clerk.open(&format!("{path}/delete")).await.expect(200).says("no device under management").says("for good");
    clerk.submit(&ask, &format!("{path}/delete"), &[]).await.expect(200).says("The user was deleted").keeps_quiet_about("ada@example.com");
    clerk.open(&path).await.expect(404);
}

async fn those_who_may_not_see_no_forms_and_are_refused(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let (id, group) = (admin.create_user("ada@example.com").await, admin.create_group("Sales").await);
    admin.put(&format!("/groups/{group}/members/{id}"), &json!({})).await.expect(204);
    let policy = admin.create_policy(&json!({ "name": "All" })).await;
    let pages = ["/console/users", "/console/groups", "/console/policies"].map(str::to_owned).into_iter().chain([
        format!("/console/users/{id}"),
        format!("/console/groups/{group}"),
        format!("/console/policies/{policy}"),
    ]);
    let auditor = Clerk::with_role(&app, Role::Auditor).await;
    for path in pages {
        let page = auditor.open(&path).await.expect(200);
        let sent: Vec<_> = page.page.forms.iter().filter(|form| form.post).map(|form| form.action.clone()).collect();
        assert_eq!(sent, ["/console/sign-out"], "{path}");
    }
    let helper = Clerk::with_role(&app, Role::Helpdesk).await;
    let page = helper.open(&format!("/console/users/{id}")).await.expect(200);
    assert!(page.has_form(&format!("/console/users/{id}/invitation")) && !page.has_form(&format!("/console/users/{id}/groups/remove")));
    let page = helper.open("/console/users/new").await.expect(200).keeps_quiet_about("Sales");
    let csrf = value(&page, "/console/sign-out", "csrf");
    let fields = [("csrf", csrf.as_str()), ("email", "eve@example.com"), ("name", "Eve"), ("group", group.as_str())];
    let forced = helper.request(reqwest::Method::POST, "/console/users/new").form(&fields);
    helper.send(forced).await.expect(403).says("putting users into groups");
    assert_eq!(admin.get("/users?q=eve").await.expect(200)["total"], 0);
    app.work().await;
}
