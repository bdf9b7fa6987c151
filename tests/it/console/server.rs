//! The server's own pages: settings, tokens, certificates, the audit log, and the trend of the overview.

use enlist::domain::user::Role;

use crate::harness::{
    actors::{Admin, id},
    app::TestApp,
    clerk::{Clerk, PASSWORD, hire},
    database::Database,
    every_backend,
};

every_backend!(
    settings_are_shown_changed_and_refused_by_name,
    a_token_is_shown_once_and_taken_back,
    a_token_is_made_only_by_whoever_knows_their_own_password,
    a_token_of_somebody_who_is_no_longer_an_administrator_is_shown_as_such,
    the_log_is_filtered_and_its_chain_verified,
    the_log_is_verified_once_at_a_time_and_the_last_result_is_shown,
    certificates_are_listed_by_what_became_of_them,
    the_overview_draws_how_the_days_went,
);

async fn settings_are_shown_changed_and_refused_by_name(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/settings").await.expect(200).says("nobody sends them on");
    let at = "/console/settings";
    let again = clerk.submit(&page, at, &[("organization", "Example & Sons"), ("certificate_days", "1000")]).await.expect(400);
    let again = again.says("The life of a certificate must be between 30 and 825");
    assert_eq!(again.form(at).find(|field| field.name == "organization").unwrap().value, "Example & Sons");
    clerk.submit(&page, at, &[("wipe_limit", "many")]).await.expect(400).says("The limit on wipes must be a whole number");
    let saved = clerk
        .submit(&again, at, &[("certificate_days", "90"), ("scep_allow_sha1", "yes")])
        .await
        .expect(200)
        .says("The settings were saved");
    assert!(saved.page.title.contains("Example & Sons"));
    let settings = app.admin().get("/settings").await.expect(200);
    assert_eq!((&settings["certificate_days"], &settings["scep_allow_sha1"]), (&90.into(), &true.into()));
    app.work().await;
}

async fn a_token_is_shown_once_and_taken_back(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/tokens").await.expect(200);
    let made = clerk.submit(&page, "/console/tokens", &token("Prometheus", PASSWORD)).await.expect(200).says("shown this once");
    let secret = made.page.text.split_whitespace().find(|word| word.starts_with("enlist_")).unwrap().to_owned();
    let program = Admin::new(app.address().to_owned(), Some(secret.clone()));
    program.get("/devices").await.expect(200);
    clerk
        .submit(&page, "/console/tokens", &token("Prometheus", PASSWORD))
        .await
        .expect(409)
        .says("There is a valid token named Prometheus already");
    let list = clerk.open("/console/tokens").await.expect(200).keeps_quiet_about(&secret).says("Prometheus");
    let revoke = list.page.forms.iter().find(|form| form.fields.iter().any(|field| field.value == "Prometheus")).unwrap().clone();
    let ask = clerk.submit_form(&list, &revoke, "/console/tokens/revoke", &[]).await.expect(200).says("cannot be given back");
    program.get("/devices").await.expect(200);
    for nobody in ["\0", "Prometheus\0", "Grafana"] {
        let fields = [("name", nobody), ("confirm", "yes")];
        clerk.submit_form(&list, &revoke, "/console/tokens/revoke", &fields).await.expect(404);
    }
    clerk.submit(&ask, "/console/tokens/revoke", &[]).await.expect(200).says("The token was taken back");
    program.get("/devices").await.expect(401);
}

/// The form for a new token, filled in.
fn token<'a>(name: &'a str, password: &'a str) -> [(&'static str, &'a str); 3] {
    [("name", name), ("role", "auditor"), ("present", password)]
}

async fn a_token_is_made_only_by_whoever_knows_their_own_password(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/tokens").await.expect(200);
    let at = "/console/tokens";
    clerk.submit(&page, at, &token("Prometheus", "")).await.expect(400).says("is not your present password");
    let wrong = clerk.submit(&page, at, &token("Prometheus", "another one")).await.expect(400);
    assert_eq!(wrong.form(at).find(|field| field.name == "name").unwrap().value, "Prometheus", "what was typed is kept");
    clerk.open("/console/tokens").await.keeps_quiet_about("by administrator@example.com");
    let mut status = 400;
    for _ in 0..20 {
        status = clerk.submit(&page, at, &token("Prometheus", "another one")).await.status;
        if status == 429 {
            break;
        }
    }
    assert_eq!(status, 429, "whoever guesses must wait");
    clerk.submit(&page, at, &token("Prometheus", PASSWORD)).await.expect(429);
    app.clock.advance_seconds(3600);
    clerk.sign_in("administrator@example.com", PASSWORD).await;
    let page = clerk.open("/console/tokens").await.expect(200);
    clerk.submit(&page, at, &token("Prometheus", PASSWORD)).await.expect(200).says("by administrator@example.com");
}

async fn a_token_of_somebody_who_is_no_longer_an_administrator_is_shown_as_such(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let warning = "made by somebody who is no longer an administrator";
    hire(&app, "ada@example.com", Role::Administrator).await;
    hire(&app, "bob@example.com", Role::Administrator).await;
    for (email, name) in [("ada@example.com", "Backup"), ("bob@example.com", "Grafana")] {
        let other = Clerk::stranger(&app);
        other.sign_in(email, PASSWORD).await.expect(200);
        let page = other.open("/console/tokens").await.expect(200);
        other.submit(&page, "/console/tokens", &token(name, PASSWORD)).await.expect(200).says("shown this once");
    }
    clerk.open("/console/tokens").await.says("by ada@example.com").says("by command line").keeps_quiet_about(warning);
    let admin = app.admin();
    let user = |email: &'static str| {
        let admin = &admin;
        async move { id(&admin.get(&format!("/users?q={email}")).await.expect(200)["items"][0]) }
    };
    let (ada, bob) = (user("ada@example.com").await, user("bob@example.com").await);
    admin.patch(&format!("/users/{ada}"), &serde_json::json!({ "role": "auditor" })).await.expect(200);
    let shown = clerk.open("/console/tokens").await.says(warning);
    assert_eq!(shown.source.matches("class=\"badge bad\"").count(), 1, "{}", shown.page.text);
    assert_eq!(admin.delete(&format!("/users/{bob}")).await.status, 204);
    let shown = clerk.open("/console/tokens").await.says("by bob@example.com").says("by ada@example.com");
    assert_eq!(shown.source.matches("class=\"badge bad\"").count(), 2, "{}", shown.page.text);
    let revoke = shown.page.forms.iter().find(|form| form.fields.iter().any(|field| field.value == "Grafana")).unwrap().clone();
    let ask = clerk.submit_form(&shown, &revoke, "/console/tokens/revoke", &[]).await.expect(200);
    let left = clerk.submit(&ask, "/console/tokens/revoke", &[]).await.expect(200);
    assert_eq!(left.source.matches("class=\"badge bad\"").count(), 1, "what was taken back needs no warning");
    app.work().await;
}

async fn the_log_is_filtered_and_its_chain_verified(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    app.admin().create_user("ada@example.com").await;
    clerk.open("/console/audit").await.expect(200).says("user.create").says("API token").says("session.begin");
    clerk.open("/console/audit?actor=auditor%40example.com").await.says("session.begin").keeps_quiet_about("API token");
    clerk.open("/console/audit?action=device.wipe&actor=&since=").await.says("No line fits this filter");
    clerk.open("/console/audit?since=2020-01-01").await.says("user.create");
    clerk.open("/console/audit?since=yesterday").await.expect(400).says("Must be a day");
    clerk.open("/console/audit?verify=yes").await.expect(200).says("The log is intact");
    let audited = app.admin().audited().await.len();
    let line = audited / 2;
    app.database.tamper(&format!("UPDATE audit SET actor_name = actor_name || '!' WHERE sequence = {line}"));
    clerk.open("/console/audit?verify=yes").await.expect(200).says(&format!("The log was changed: line {line}"));
    // Put back, because every test ends with an intact log.
    app.database.tamper(&format!("UPDATE audit SET actor_name = substr(actor_name, 1, length(actor_name) - 1) WHERE sequence = {line}"));
}

async fn the_log_is_verified_once_at_a_time_and_the_last_result_is_shown(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let auditor = app.caller(Role::Auditor);
    clerk.open("/console/audit").await.expect(200).keeps_quiet_about("Verified");
    let turn = app.app.take_verification_turn().unwrap();
    let busy = clerk.open("/console/audit?verify=yes").await.expect(200).says("is being verified at the moment").says("Look again");
    let busy = busy.keeps_quiet_about("The log is intact");
    assert!(busy.has_link("/console/audit"));
    let refused = auditor.get("/audit/verification").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    drop(turn);
    assert_eq!(auditor.get("/audit/verification").await.expect(200)["is_intact"], true);
    let shown = clerk.open("/console/audit").await.says("The log was intact when this server last verified it").says("Verified");
    shown.keeps_quiet_about("is being verified");
    clerk.open("/console/audit?verify=yes").await.says("The log is intact").says("Verified");
}

async fn certificates_are_listed_by_what_became_of_them(database: Database) {
    use crate::harness::actors::IPhone;
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    clerk.open("/console/certificates").await.expect(200).says("Device CA").says("No device has a certificate yet");
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let phone = IPhone::enroll(&app, &user, "company", 1).await;
    clerk.open("/console/certificates?show=valid&q=ada").await.says("ada@example.com").says("1 in this view");
    clerk.open("/console/certificates?show=valid&q=bob").await.says("No device has a certificate yet");
    clerk.open("/console/certificates?show=ending").await.says("No certificate ends soon");
    clerk.open("/console/").await.keeps_quiet_about("ends soon");
    app.clock.advance_days(360);
    let clerk = Clerk::stranger(&app);
    clerk.sign_in("auditor@example.com", PASSWORD).await.expect(200).says("1 device certificate ends soon");
    clerk.open("/console/certificates?show=ending").await.says("ada@example.com");
    admin.order(&id(&phone.seen_by(&admin).await), "retire").await;
    clerk.open("/console/certificates?show=revoked").await.says("ada@example.com").says("Privilege withdrawn");
}

async fn the_overview_draws_how_the_days_went(database: Database) {
    use crate::harness::actors::IPhone;
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 1).await;
    phone.obey_all().await;
    app.app.take_census().await.unwrap();
    app.clock.advance_days(1);
    app.app.take_census().await.unwrap();
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let shown = clerk.open("/console/").await.expect(200).says("Compliant, day by day").says("Enrolled devices");
    assert!(shown.source.contains("<polyline") && shown.source.contains("<rect"), "{}", shown.source);
}
