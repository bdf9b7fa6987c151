//! What every address of the console has in common: who may come, by which method, from which page, and the headers of every
//! answer (C7, C11, C12, C29, C30, C31, C36, C39).

use enlist::{
    domain::user::{Permission, Role},
    http::console::{ADDRESSES, Address},
};
use reqwest::Method;

use crate::harness::{app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(
    every_address_asks_for_its_role,
    a_form_that_does_not_come_from_ones_own_page_is_refused,
    a_refusal_leaves_one_line_in_ten_minutes_and_a_strangers_none
);

const ROLES: [Role; 3] = [Role::Administrator, Role::Helpdesk, Role::Auditor];

/// The path with identifiers of nothing that is there.
fn filled(address: &Address) -> String {
    let mut path = address.path.replace("{mail}", "code").replace("{language}", "en");
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(start..=end, &uuid::Uuid::now_v7().to_string());
    }
    path
}

async fn every_address_asks_for_its_role(database: Database) {
    let app = TestApp::start(database).await;
    let stranger = Clerk::stranger(&app);
    for role in ROLES {
        let clerk = Clerk::with_role(&app, role).await;
        let csrf = csrf_of(&clerk).await;
        for address in ADDRESSES.iter().filter(|address| address.path != "/console/sign-out") {
            let path = filled(address);
            check_look(&clerk, role, address, &path).await;
            check_send(&clerk, role, address, &path, &csrf).await;
            let status = stranger.look(&path).await.status;
            assert!(status == if address.see.is_some() { 303 } else { 405 }, "{path}: {status}");
            let sent = stranger.send(stranger.request(Method::POST, &path).form(&[("csrf", csrf.as_str())])).await;
            assert_eq!(sent.status, if address.send.is_some() { 403 } else { 405 }, "{path}");
        }
    }
    // What one of the forms changed is on its way to the devices.
    app.work().await;
}

async fn check_look(clerk: &Clerk, role: Role, address: &Address, path: &str) {
    for method in [Method::GET, Method::HEAD] {
        let shown = clerk.send(clerk.request(method.clone(), path)).await;
        let expected = match address.see {
            None => shown.status == 405,
            Some(permission) if !role.may(permission) => shown.status == 403,
            // Nothing has these identifiers.
            Some(_) => matches!(shown.status, 200 | 404),
        };
        assert!(expected, "{method} {path} as {role}: {}", shown.status);
        check_headers(&shown.headers, path);
    }
}

async fn check_send(clerk: &Clerk, role: Role, address: &Address, path: &str, csrf: &str) {
    let shown = clerk.send(clerk.request(Method::POST, path).form(&[("csrf", csrf)])).await;
    let expected = match address.send {
        None => shown.status == 405,
        Some(permission) if !role.may(permission) => shown.status == 403,
        Some(_) => matches!(shown.status, 303 | 400 | 404 | 409 | 200 | 415),
    };
    assert!(expected, "POST {path} as {role}: {} {}", shown.status, shown.page.text);
    check_headers(&shown.headers, path);
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE, Method::OPTIONS] {
        let shown = clerk.send(clerk.request(method.clone(), path)).await;
        assert_eq!(shown.status, 405, "{method} {path}");
        check_headers(&shown.headers, path);
    }
}

async fn a_refusal_leaves_one_line_in_ten_minutes_and_a_strangers_none(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Auditor).await;
    let stranger = Clerk::stranger(&app);
    for _ in 0..3 {
        clerk.open("/console/settings").await.expect(403);
        clerk.send(clerk.request(Method::POST, "/console/sign-out").form(&[("csrf", "made up")])).await.expect(403);
        app.caller(Role::Helpdesk).get("/audit").await.expect(403);
        app.caller(Role::Helpdesk).patch("/settings", &serde_json::json!({ "refresh_hours": 9 })).await.expect(403);
        stranger.send(stranger.request(Method::POST, "/console/sign-out").form(&[("csrf", "made up")])).await.expect(403);
        stranger.look("/console/settings").await.expect(303);
        crate::harness::actors::Admin::new(app.address().to_owned(), None).get("/audit").await.expect(401);
    }
    let refused = async || {
        let page = app.admin().get("/audit?action=access.refused").await.expect(200);
        let lines = page["items"].as_array().unwrap().iter();
        let mut lines: Vec<String> = lines
            .map(|line| {
                let of = |key: &str| line[key].as_str().unwrap().to_owned();
                let detail: serde_json::Value = serde_json::from_str(&of("detail")).unwrap();
                assert!(!detail["why"].as_str().unwrap().is_empty());
                format!("{} {} {} {}", of("actor_kind"), of("actor_name"), detail["method"].as_str().unwrap(), of("subject"))
            })
            .collect();
        lines.sort();
        lines
    };
    let expected = [
        "token helpdesk GET /api/v1/audit",
        "token helpdesk PATCH /api/v1/settings",
        "user auditor@example.com GET /console/settings",
        "user auditor@example.com POST /console/sign-out",
    ];
    assert_eq!(refused().await, expected);
    app.clock.advance_seconds(600);
    clerk.open("/console/settings").await.expect(403);
    assert_eq!(refused().await.len(), expected.len() + 1);
}

#[track_caller]
fn check_headers(headers: &reqwest::header::HeaderMap, path: &str) {
    let value = |name: &str| headers.get(name).unwrap_or_else(|| panic!("{path} has no {name}")).to_str().unwrap().to_owned();
    let policy = value("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(value("x-content-type-options"), "nosniff");
    assert_eq!(value("cache-control"), "no-store");
    assert_eq!(value("referrer-policy"), "no-referrer");
    assert!(headers.get("server").is_none() && headers.get("x-powered-by").is_none(), "{path} tells what it runs on");
}

async fn csrf_of(clerk: &Clerk) -> String {
    let page = clerk.open("/console/account").await.expect(200);
    page.form("/console/sign-out").find(|field| field.name == "csrf").unwrap().value.clone()
}

async fn a_form_that_does_not_come_from_ones_own_page_is_refused(database: Database) {
    let app = TestApp::start(database).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let other = Clerk::stranger(&app);
    other.sign_in("administrator@example.com", crate::harness::clerk::PASSWORD).await.expect(200);
    let (own, foreign) = (csrf_of(&clerk).await, csrf_of(&other).await);
    for address in ADDRESSES.iter().filter(|address| address.send.is_some() && address.path != "/console/sign-out") {
        let path = filled(address);
        let post = || clerk.request(Method::POST, &path);
        for (what, request) in [
            ("no token", post().form(&[("x", "y")])),
            ("an empty token", post().form(&[("csrf", "")])),
            ("the token of another session", post().form(&[("csrf", foreign.as_str())])),
            ("a foreign origin", post().header("origin", "https://evil.example").form(&[("csrf", own.as_str())])),
            ("another site", post().header("sec-fetch-site", "cross-site").form(&[("csrf", own.as_str())])),
        ] {
            assert_eq!(clerk.send(request).await.status, 403, "{what} at {path}");
        }
        let as_text = post().header("content-type", "text/plain").body(format!("csrf={own}"));
        assert_eq!(clerk.send(as_text).await.status, 415, "{path}");
        let as_json = post().header("content-type", "application/json").body(format!("{{\"csrf\":\"{own}\"}}"));
        assert_eq!(clerk.send(as_json).await.status, 415, "{path}");
    }
    // Nothing of all that was done, and that it was tried is noted.
    let done = app.admin().audited().await;
    let is_expected = |action: &String| action.starts_with("session.") || action.ends_with(".create") || action == "access.refused";
    assert!(done.iter().all(is_expected) && done.iter().any(|action| action == "access.refused"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_is_for_this_host_only_and_for_no_script() {
    let setup = crate::harness::app::Setup { public_url: "https://mdm.example.com", ..Default::default() };
    let app = TestApp::start_with(Database::sqlite(), setup).await;
    crate::harness::clerk::hire(&app, "ada@example.com", Role::Administrator).await;
    let clerk = Clerk::stranger(&app);
    let fields = [("email", "ada@example.com"), ("password", crate::harness::clerk::PASSWORD)];
    let answer = clerk.send(clerk.request(Method::POST, "/console/sign-in").form(&fields)).await.expect(303);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-enlist-session="), "{cookie}");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert!(answer.headers["strict-transport-security"].to_str().unwrap().contains("max-age=31536000"));
}

#[test]
fn what_destroys_data_asks_for_more_than_reading() {
    for address in ADDRESSES.iter().filter(|address| ["wipe", "retire", "delete", "revoke"].iter().any(|word| address.path.contains(word)))
    {
        assert!(!Role::Auditor.may(address.send.or(address.see).unwrap()), "{}", address.path);
    }
    let full = ADDRESSES.iter().find(|address| address.path.ends_with("/wipe/full")).unwrap();
    assert_eq!(full.send, Some(Permission::WipeFully));
}
