//! Set-up, sign-in, sessions and passwords.

use enlist::domain::user::Role;
use reqwest::Method;
use serde_json::json;

use crate::harness::{
    app::TestApp,
    clerk::{Clerk, PASSWORD, hire},
    database::Database,
    every_backend,
};

every_backend!(
    the_first_administrator_is_made_through_the_address_that_the_server_prints,
    whoever_knows_the_password_comes_in_and_leaves_again,
    wrong_passwords_are_answered_alike_and_slow_down_the_next_try,
    a_session_ends_by_idleness_and_by_age,
    a_changed_password_ends_the_other_sessions,
    a_password_that_was_given_must_be_changed_first,
    sessions_are_listed_and_ended,
    whoever_loses_the_role_is_out_at_once,
    many_tries_at_once_are_no_more_than_many_one_after_the_other,
    what_was_typed_in_place_of_an_address_is_not_kept,
);

async fn the_first_administrator_is_made_through_the_address_that_the_server_prints(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::stranger(&app);
    clerk.open("/console/").await.expect(200).says("Sign in").says("There is no administrator yet");
    clerk.look("/console/setup/guessed").await.expect(404);
    let address = format!("/console/setup/{}", app.app.setup_secret().unwrap());
    let page = clerk.open(&address).await.expect(200).says("become the first administrator");
    let fields = |password: &'static str, again: &'static str| {
        [("organization", "Example & Sons"), ("email", "Ada@Example.com"), ("password", password), ("again", again)]
    };
    let again = clerk.submit(&page, &address, &fields("short", "short")).await.expect(400).says("at least 12 characters");
    assert_eq!(again.form(&address).find(|field| field.name == "organization").unwrap().value, "Example & Sons");
    clerk.submit(&page, &address, &fields(PASSWORD, "something else entirely")).await.expect(400).says("not the same password");
    let overview = clerk.submit(&page, &address, &fields(PASSWORD, PASSWORD)).await.expect(200).says("Needs attention").says("First steps");
    assert!(overview.page.title.contains("Example & Sons"));
    // The address works until there is somebody, and not for a second one.
    assert_eq!(Clerk::stranger(&app).look(&address).await.expect(303).location(), "/console/sign-in");
    let again = Clerk::stranger(&app).request(Method::POST, &address).form(&fields(PASSWORD, PASSWORD));
    assert_eq!(clerk.send(again).await.expect(303).location(), "/console/sign-in");
    assert!(app.admin().audited().await.contains(&"server.init".to_owned()));
}

async fn whoever_knows_the_password_comes_in_and_leaves_again(database: Database) {
    let app = TestApp::start(database).await;
    hire(&app, "ada@example.com", Role::Administrator).await;
    let clerk = Clerk::stranger(&app);
    let page = clerk.open("/console/devices?os=ios").await.expect(200).says("Sign in");
    let shown = clerk.submit(&page, "/console/sign-in", &[("email", "ADA@example.com"), ("password", PASSWORD)]).await.expect(200);
    assert_eq!(shown.place(), "/console/devices?os=ios", "one arrives where one wanted to go");
    assert_eq!(clerk.look("/console/sign-in").await.expect(303).location(), "/console/");
    let out = clerk.submit(&shown, "/console/sign-out", &[]).await.expect(200).says("You are signed out");
    assert_eq!(out.place(), "/console/sign-in?note=out");
    clerk.look("/console/").await.expect(303);
    let audited = app.admin().audited().await;
    assert!(audited.contains(&"session.begin".to_owned()) && audited.contains(&"session.end".to_owned()), "{audited:?}");
}

async fn wrong_passwords_are_answered_alike_and_slow_down_the_next_try(database: Database) {
    let app = TestApp::start(database).await;
    hire(&app, "ada@example.com", Role::Administrator).await;
    app.admin().create_user("employee@example.com").await;
    let clerk = Clerk::stranger(&app);
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com", "employee@example.com", "no address"] {
        let shown = clerk.sign_in(email, "not the password").await.expect(403);
        answers.push(shown.page.text.replace(email, "-"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    for _ in 0..4 {
        clerk.sign_in("ada@example.com", "not the password").await.expect(403);
    }
    clerk.sign_in("ada@example.com", PASSWORD).await.expect(429).says("wait 2 seconds");
    app.clock.advance_seconds(3);
    clerk.sign_in("ada@example.com", PASSWORD).await.expect(200).says("Needs attention");
    // It was right at last: the failures before cost nothing any more.
    Clerk::stranger(&app).sign_in("ada@example.com", "not the password").await.expect(403);
    Clerk::stranger(&app).sign_in("ada@example.com", PASSWORD).await.expect(200);
}

async fn a_session_ends_by_idleness_and_by_age(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    for _ in 0..14 {
        app.clock.advance_seconds(50 * 60);
        clerk.look("/console/").await.expect(200);
    }
    app.clock.advance_seconds(30 * 60);
    clerk.look("/console/").await.expect(303);
    let clerk = Clerk::stranger(&app);
    clerk.sign_in("auditor@example.com", PASSWORD).await.expect(200);
    app.clock.advance_seconds(61 * 60);
    clerk.look("/console/").await.expect(303);
}

async fn a_changed_password_ends_the_other_sessions(database: Database) {
    let app = TestApp::start(database).await;
    let here = Clerk::with_role(&app, Role::Helpdesk).await;
    let elsewhere = Clerk::stranger(&app);
    elsewhere.sign_in("helpdesk@example.com", PASSWORD).await.expect(200);
    let page = here.open("/console/password").await.expect(200);
    let change = |present: &'static str, password: &'static str| [("present", present), ("password", password), ("again", password)];
    here.submit(&page, "/console/password", &change("wrong", "a new one that is long")).await.expect(400).says("not your present password");
    here.submit(&page, "/console/password", &change(PASSWORD, "short")).await.expect(400).says("at least 12 characters");
    here.submit(&page, "/console/password", &change(PASSWORD, "a new one that is long"))
        .await
        .expect(200)
        .says("Your password was changed");
    here.look("/console/").await.expect(200);
    elsewhere.look("/console/").await.expect(303);
    Clerk::stranger(&app).sign_in("helpdesk@example.com", PASSWORD).await.expect(403);
    Clerk::stranger(&app).sign_in("helpdesk@example.com", "a new one that is long").await.expect(200);
}

async fn a_password_that_was_given_must_be_changed_first(database: Database) {
    let app = TestApp::start(database).await;
    let body = json!({ "email": "new@example.com", "name": "New", "role": "helpdesk", "password": PASSWORD, "must_change_password": true });
    app.admin().post("/users", &body).await.expect(201);
    let clerk = Clerk::stranger(&app);
    let page = clerk.sign_in("new@example.com", PASSWORD).await.expect(200).says("Choose a password of your own");
    assert_eq!(clerk.look("/console/devices").await.expect(303).location(), "/console/password");
    let fields = [("present", PASSWORD), ("password", "something of my own"), ("again", "something of my own")];
    clerk.submit(&page, "/console/password", &fields).await.expect(200).says("Your password was changed");
    clerk.look("/console/devices").await.expect(200);
}

async fn sessions_are_listed_and_ended(database: Database) {
    let app = TestApp::start(database).await;
    let boss = Clerk::with_role(&app, Role::Administrator).await;
    let helper = Clerk::with_role(&app, Role::Helpdesk).await;
    let second = Clerk::stranger(&app);
    second.sign_in("helpdesk@example.com", PASSWORD).await.expect(200);
    let account = helper.open("/console/account").await.expect(200).says("This browser").says("Another browser");
    let end = account.page.forms.iter().find(|form| form.action.ends_with("/end")).unwrap().clone();
    helper.submit_form(&account, &end, &end.action, &[]).await.expect(200).says("The session was ended");
    second.look("/console/").await.expect(303);
    helper.look("/console/").await.expect(200);
    // Nobody ends the session of somebody else in this way.
    let others = boss.open("/console/account").await.expect(200);
    let foreign = others.form("/console/sign-out");
    boss.submit_form(&others, &foreign, &end.action, &[]).await.expect(404);
    helper.look("/console/sessions").await.expect(403);
    let all = boss.open("/console/sessions").await.expect(200).says("helpdesk@example.com");
    let end = all.form("/console/sessions");
    boss.submit_form(&all, &end, "/console/sessions", &[]).await.expect(200).says("The session was ended");
    helper.look("/console/").await.expect(303);
}

async fn whoever_loses_the_role_is_out_at_once(database: Database) {
    let app = TestApp::start(database).await;
    let id = hire(&app, "second@example.com", Role::Administrator).await;
    let clerk = Clerk::stranger(&app);
    clerk.sign_in("second@example.com", PASSWORD).await.expect(200);
    let boss = Clerk::with_role(&app, Role::Administrator).await;
    boss.look("/console/").await.expect(200);
    app.admin().patch(&format!("/users/{id}"), &json!({ "role": "auditor" })).await.expect(200);
    clerk.look("/console/").await.expect(303);
    clerk.sign_in("second@example.com", PASSWORD).await.expect(200);
    app.admin().patch(&format!("/users/{id}"), &json!({ "state": "disabled" })).await.expect(200);
    clerk.look("/console/").await.expect(303);
    clerk.sign_in("second@example.com", PASSWORD).await.expect(403);
}

async fn many_tries_at_once_are_no_more_than_many_one_after_the_other(database: Database) {
    let app = TestApp::start(database).await;
    hire(&app, "ada@example.com", Role::Administrator).await;
    let clerk = Clerk::stranger(&app);
    let page = clerk.open("/console/sign-in").await;
    let fields = [("email", "ada@example.com"), ("password", "not the password")];
    let tries = (0..20).map(|_| clerk.submit(&page, "/console/sign-in", &fields));
    let answers = futures_util::future::join_all(tries).await;
    let compared = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!((compared, answers.len() - compared), (5, 15));
    assert!(answers.iter().all(|answer| matches!(answer.status, 403 | 429)));
    let refused = app.admin().audited().await.iter().filter(|action| *action == "session.refuse").count();
    assert_eq!(refused, 4, "after four refusals the log has only every power of two");
}

async fn what_was_typed_in_place_of_an_address_is_not_kept(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::stranger(&app);
    for typed in ["my secret password", "nul\u{0}byte@example.com", "a..b@example.com"] {
        clerk.sign_in(typed, "x").await.expect(403);
    }
    let log = app.admin().get("/audit?action=session.refuse").await.text();
    assert!(!log.contains("secret") && log.contains("(no address)"), "{log}");
}
