//! Groups at the console: created, filled, emptied, renamed, deleted.

use enlist::domain::user::Role;
use serde_json::json;

use super::people::value;
use crate::harness::{app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(a_group_is_created_filled_renamed_and_deleted, members_come_page_by_page);

async fn a_group_is_created_filled_renamed_and_deleted(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    admin.create_user("ada@example.com").await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let list = clerk.open("/console/groups").await.expect(200).says("There is no group yet");
    assert!(list.has_link("/console/groups/new"));
    let new = clerk.open("/console/groups/new").await.expect(200);
    let again = clerk.submit(&new, "/console/groups/new", &[("name", " ")]).await.expect(400).says("must be 1 to 100 characters");
    let group = clerk.submit(&again, "/console/groups/new", &[("name", "Sales")]).await.expect(200).says("The group was created");
    let taken = clerk.submit(&again, "/console/groups/new", &[("name", "Sales")]).await.expect(400).says("This name is taken");
    assert_eq!(value(&taken, "/console/groups/new", "name"), "Sales");
    let path = group.page.url.path().to_owned();
    let add = format!("{path}/members/add");
    let again = clerk.submit(&group, &add, &[("email", "nobody@example.com")]).await.expect(400).says("address of nobody here");
    assert_eq!(value(&again, &add, "email"), "nobody@example.com");
    let filled = clerk.submit(&again, &add, &[("email", "ADA@example.com")]).await.expect(200).says("is a member now").says("1 member(s)");
    let rename = clerk.open(&format!("{path}/rename")).await.expect(200);
    clerk.submit(&rename, &format!("{path}/rename"), &[("name", "Field sales")]).await.expect(200).says("was renamed").says("Field sales");
    let id = path.rsplit('/').next().unwrap();
    admin.create_policy(&json!({ "name": "Strict", "groups": [id] })).await;
    clerk.open(&path).await.says("Strict");
    clerk.open("/console/policies").await.expect(200).says("Field sales");
    clerk.submit(&filled, &format!("{path}/members/remove"), &[]).await.expect(200).says("no member any more").says("no members yet");
    let ask = clerk.open(&format!("{path}/delete")).await.expect(200).says("0 members").says("part of these policies").says("Strict");
    clerk.submit(&ask, &format!("{path}/delete"), &[]).await.expect(200).says("The group was deleted").says("There is no group yet");
    clerk.open("/console/policies").await.says("Nobody yet");
    app.work().await;
}

async fn members_come_page_by_page(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let group = admin.create_group("Many").await;
    for number in 0..51 {
        let user = json!({ "email": format!("u{number}@example.com"), "name": format!("U{number}"), "groups": [group] });
        admin.post("/users", &user).await.expect(201);
    }
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let first = clerk.open(&format!("/console/groups/{group}")).await.expect(200).says("51 member(s)").keeps_quiet_about("u50@example.com");
    let next = first.page.links.iter().find(|link| link.href.contains("cursor=")).unwrap().href.clone();
    clerk.open(&format!("/console/groups/{group}{next}")).await.expect(200).says("u50@example.com").keeps_quiet_about("u0@example.com");
}
