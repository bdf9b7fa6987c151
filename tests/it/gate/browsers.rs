//! Enrolled browsers at the gate: the way in by a ticket, the cookie of the application's own host, and how both end.

use std::time::{Duration, Instant};

use enlist::{
    domain::user::Role,
    simulator::mailbox::{Mailbox, Seen},
    store::browsers::idle,
};
use reqwest::{Client, Response, Url, redirect::Policy};
use serde_json::json;

use super::{
    AT_ONCE, ask, policy_for,
    proxy::{Front, Kind, Stage, values},
    server, set_rules,
};
use crate::harness::{actors::Reply, app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(
    a_browser_is_enrolled_on_the_way_and_then_known_by_its_cookie,
    a_ticket_is_good_once_for_its_host_and_for_a_minute,
    nobody_is_led_to_a_host_that_the_settings_do_not_name,
    a_use_at_the_gate_renews_the_enrollment_of_a_browser,
    the_access_rules_decide_about_a_browser_as_about_every_device,
);

const ADA: &str = "ada@example.com";

/// A browser that follows no redirect by itself, so that each step can be looked at.
struct Walk<'a> {
    app: &'a TestApp,
    client: Client,
    mailbox: Mailbox,
    seen: Seen,
}

impl<'a> Walk<'a> {
    fn new(app: &'a TestApp, builder: reqwest::ClientBuilder) -> Self {
        let client = builder.no_proxy().redirect(Policy::none()).cookie_store(true).build().unwrap();
        let mailbox = Mailbox::new(app.outbox(), Duration::from_secs(30));
        let seen = mailbox.seen();
        Self { app, client, mailbox, seen }
    }

    /// With an application that this server itself stands for, as if a proxy had handed everything on.
    async fn beside(app: &'a TestApp) -> (Self, String) {
        let address: std::net::SocketAddr = app.address().trim_start_matches("http://").parse().unwrap();
        let host = format!("app.example.com:{}", address.port());
        app.admin().patch("/settings", &json!({ "gate_hosts": [host] })).await.expect(200);
        (Self::new(app, Client::builder().resolve("app.example.com", address)), host)
    }

    async fn open(&self, address: &str) -> Response {
        let request = self.client.get(address).header("accept", "text/html,*/*");
        request.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document").send().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let response = self.client.post(format!("{}{path}", self.app.address())).form(fields).send().await.unwrap();
        assert_eq!(response.status(), 303, "{path}");
        location(&response)
    }

    /// Where the browser goes on from there, with the code where it is asked for one; nothing where it stays.
    async fn next(&mut self, response: &Response) -> Option<String> {
        let here = response.url().clone();
        let whole = |path: &str| here.join(path).unwrap().to_string();
        if response.status().is_redirection() {
            return Some(whole(&location(response)));
        }
        if let Some(refresh) = response.headers().get("refresh") {
            return Some(whole(refresh.to_str().unwrap().strip_prefix("0; url=").unwrap()));
        }
        match here.path() {
            "/browser" => {
                let back = here.query_pairs().find(|(name, _)| name == "return").unwrap().1.into_owned();
                let next = self.post("/browser", &[("email", ADA), ("return", &back)]).await;
                self.app.work().await;
                Some(whole(&next))
            }
            "/enroll/code" => {
                let code = self.mailbox.code(ADA, &mut self.seen).await.unwrap();
                Some(whole(&self.post("/enroll/code", &[("code", &code)]).await))
            }
            _ => None,
        }
    }

    /// Goes on until something begins with this address, which is not opened.
    async fn until(&mut self, start: &str, end: &str) -> String {
        let mut address = start.to_owned();
        for _ in 0..12 {
            if address.starts_with(end) {
                return address;
            }
            let response = self.open(&address).await;
            let status = response.status();
            address = self.next(&response).await.unwrap_or_else(|| panic!("{status} at {address}"));
        }
        panic!("no end at {address}");
    }

    /// Goes to an application and gets its cookie.
    async fn enter(&mut self, host: &str) -> String {
        let callback = self.until(&entrance(self.app, &format!("http://{host}/inbox?a=b")), &format!("http://{host}/")).await;
        let response = self.open(&callback).await;
        assert_eq!((response.status().as_u16(), location(&response).as_str()), (303, "/inbox?a=b"));
        self.app.work().await;
        secret(&response)
    }
}

fn location(response: &Response) -> String {
    response.headers().get("location").map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

fn secret(response: &Response) -> String {
    let cookie = response.headers().get("set-cookie").expect("a cookie").to_str().unwrap();
    let (secret, attributes) = cookie.strip_prefix("enlist-gate=").unwrap().split_once("; ").unwrap();
    assert_eq!(secret.len(), 43);
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    secret.to_owned()
}

fn entrance(app: &TestApp, to: &str) -> String {
    Url::parse_with_params(&format!("{}/gate/v1/enter", app.address()), [("to", to)]).unwrap().to_string()
}

/// Asks the gate about a browser as a proxy does.
async fn check(app: &TestApp, host: &str, secret: &str) -> Reply {
    let cookie = format!("theme=dark; enlist-gate={secret}");
    let page = [("accept", "text/html"), ("x-forwarded-proto", "http"), ("x-forwarded-uri", "/inbox?a=b")];
    ask(app, "", &[&[("x-forwarded-host", host), ("cookie", &cookie)], &page[..]].concat()).await
}

/// Waits until the gate says this of a browser.
async fn becomes(app: &TestApp, host: &str, secret: &str, status: u16) {
    let began = Instant::now();
    while check(app, host, secret).await.status != status {
        assert!(began.elapsed() < AT_ONCE, "it is still not {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn a_browser_is_enrolled_on_the_way_and_then_known_by_its_cookie(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    let (mut walk, host) = Walk::beside(&app).await;
    let unknown = check(&app, &host, &"A".repeat(43)).await;
    assert_eq!((unknown.status, unknown.header("x-enlist-reason")), (401, "unenrolled"));
    assert_eq!(unknown.header("location"), entrance(&app, &format!("http://{host}/inbox?a=b")));
    // A program is not led through forms.
    let program = ask(&app, "", &[("x-forwarded-host", &host), ("accept", "application/json")]).await;
    assert_eq!(program.header("location"), format!("{}/", app.address()));

    let secret = walk.enter(&host).await;
    let known = check(&app, &host, &secret).await;
    let device = admin.get("/devices?os=browser").await.expect(200)["items"][0].clone();
    let shown = ["x-enlist-user", "x-enlist-device", "x-enlist-compliance", "x-enlist-assurance"].map(|name| known.header(name));
    let (id, compliance) = (device["id"].as_str().unwrap(), device["compliance"].as_str().unwrap());
    assert_eq!((known.status, shown), (200, [ADA, id, compliance, "cookie"]));
    for other in ["app.example.com", "other.example.com", ""] {
        assert_eq!(check(&app, other, &secret).await.status, 401, "{other}");
    }
    // Whoever shows a certificate is judged by that alone.
    let foreign = super::written(&crate::harness::certificates::Company::new().issue("device").certificate);
    let cookie = format!("enlist-gate={secret}");
    let both = ask(&app, "", &[("x-forwarded-host", &host), ("cookie", &cookie), ("client-cert", &foreign)]).await;
    assert_eq!(both.header("x-enlist-reason"), "unknown_certificate");

    // A new cookie takes the place of the one before.
    let second = walk.enter(&host).await;
    becomes(&app, &host, &secret, 401).await;
    assert_eq!(check(&app, &host, &second).await.status, 200);
    admin.patch("/settings", &json!({ "gate_hosts": [] })).await.expect(200);
    becomes(&app, &host, &second, 401).await;
    admin.patch("/settings", &json!({ "gate_hosts": [host] })).await.expect(200);
    becomes(&app, &host, &second, 200).await;
    admin.post(&format!("/users/{user}/revoke-enrollments"), &json!({ "confirm": true })).await.expect(200);
    becomes(&app, &host, &second, 401).await;
    assert!(check(&app, &host, &second).await.header("location").contains("/gate/v1/enter?to="));
    app.work().await;
}

async fn a_ticket_is_good_once_for_its_host_and_for_a_minute(db: Database) {
    let app = server(db).await;
    app.admin().create_user(ADA).await;
    let (mut walk, host) = Walk::beside(&app).await;
    walk.enter(&host).await;
    let start = entrance(&app, &format!("http://{host}/"));
    let callback = walk.until(&start, &format!("http://{host}/")).await;
    // The same server, and another name for it.
    let elsewhere = callback.replace(&host, app.address().trim_start_matches("http://"));
    assert_eq!(walk.open(&elsewhere).await.status(), 403);
    assert_eq!(walk.open(&callback).await.status(), 303);
    let again = walk.open(&callback).await;
    assert!(again.status() == 403 && !again.headers().contains_key("set-cookie"));
    assert!(again.text().await.unwrap().contains("can be used once"));

    let late = walk.until(&start, &format!("http://{host}/")).await;
    app.clock.advance_seconds(61);
    assert_eq!(walk.open(&late).await.status(), 403);
    let good = walk.until(&start, &format!("http://{host}/")).await;
    for foreign in ["%2F%2Fevil.example%2F", "https%3A%2F%2Fevil.example", "%2F%5Cevil.example", ""] {
        let response = walk.open(&good.replace("to=%2F", &format!("to={foreign}"))).await;
        assert_eq!((response.status().as_u16(), location(&response).as_str()), (400, ""), "{foreign}");
    }
    assert_eq!(walk.open(&good).await.status(), 303);
    assert_eq!(walk.client.head(&start).send().await.unwrap().status(), 405);
}

async fn nobody_is_led_to_a_host_that_the_settings_do_not_name(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let (mut walk, host) = Walk::beside(&app).await;
    walk.enter(&host).await;
    for foreign in ["https://evil.example/", "http://app.example.com/", &format!("http://{host}@evil.example/"), "/devices", ""] {
        let response = walk.open(&entrance(&app, foreign)).await;
        assert_eq!((response.status().as_u16(), location(&response).as_str()), (400, ""), "{foreign}");
        assert!(response.text().await.unwrap().contains("not protected here"));
    }
    for wrong in ["https://app.example.com", "App.example.com", "*.example.com", "app.example.com:443", ""] {
        let refused = admin.patch("/settings", &json!({ "gate_hosts": [wrong] })).await.expect(400);
        assert_eq!(refused["field"], "gate_hosts", "{wrong}");
    }
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/settings").await.says("Hosts of protected applications");
    clerk.submit(&page, "/console/settings", &[("gate_hosts", "Mail.example.com\nfiles.example.com:8443")]).await.says("were saved");
    assert_eq!(admin.get("/settings").await.expect(200)["gate_hosts"], json!(["mail.example.com", "files.example.com:8443"]));
}

async fn a_use_at_the_gate_renews_the_enrollment_of_a_browser(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "browser_enrollment_days": 30 })).await.expect(200);
    let (mut walk, host) = Walk::beside(&app).await;
    let secret = walk.enter(&host).await;
    for _ in 0..3 {
        app.clock.advance_days(20);
        assert_eq!(check(&app, &host, &secret).await.status, 200);
        let began = Instant::now();
        let later = app.clock_now().plus_days(29);
        while !app.app.read(move |conn| idle(conn, later, 1)).await.unwrap().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(10), "the use was not written down");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    app.clock.advance_days(31);
    assert_eq!(check(&app, &host, &secret).await.status, 401);
}

async fn the_access_rules_decide_about_a_browser_as_about_every_device(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    let group = admin.create_group("Sales").await;
    admin.create_policy(&policy_for(&group)).await;
    let (mut walk, host) = Walk::beside(&app).await;
    let secret = walk.enter(&host).await;
    admin.put(&format!("/groups/{group}/members/{user}"), &json!({})).await.expect(204);
    becomes(&app, &host, &secret, 403).await;
    assert_eq!(check(&app, &host, &secret).await.header("x-enlist-reason"), "unknown_compliance");
    set_rules(&admin, &json!({ "unknown_compliance": "allow" })).await;
    becomes(&app, &host, &secret, 200).await;
    let rule = |decision: &str| json!([{ "match": { "platform": "browser" }, "decision": decision, "note": "why" }]);
    set_rules(&admin, &json!({ "unknown_compliance": "quarantine", "rules": rule("allow") })).await;
    becomes(&app, &host, &secret, 200).await;
    set_rules(&admin, &json!({ "rules": rule("block") })).await;
    becomes(&app, &host, &secret, 403).await;
    set_rules(&admin, &json!({ "rules": [] , "unknown_compliance": "allow" })).await;
    becomes(&app, &host, &secret, 200).await;
    admin.patch(&format!("/users/{user}"), &json!({ "state": "disabled" })).await.expect(200);
    becomes(&app, &host, &secret, 403).await;
    app.work().await;
}

macro_rules! walks { ($($name:ident: $kind:ident),+ $(,)?) => { $(
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn $name() { a_proxy_leads_a_browser_in(Kind::$kind).await; }
)+ } }

walks!(
    nginx_leads_a_browser_through_its_enrollment_and_lets_it_in_until_it_is_revoked: Nginx,
    caddy_leads_a_browser_through_its_enrollment_and_lets_it_in_until_it_is_revoked: Caddy,
    haproxy_leads_a_browser_through_its_enrollment_and_lets_it_in_until_it_is_revoked: Haproxy,
    traefik_leads_a_browser_through_its_enrollment_and_lets_it_in_until_it_is_revoked: Traefik,
    envoy_leads_a_browser_through_its_enrollment_and_lets_it_in_until_it_is_revoked: Envoy,
);

async fn a_proxy_leads_a_browser_in(kind: Kind) {
    let app = server(Database::sqlite()).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    let stage = Stage::new(&app).await;
    let front = Front::start(kind, &stage, false).await;
    let page = front.url("/inbox?a=b");
    let host = page.trim_start_matches("https://").split('/').next().unwrap().to_owned();
    admin.patch("/settings", &json!({ "gate_hosts": [host] })).await.expect(200);
    let mut walk = Walk::new(&app, stage.trusting());
    let refused = walk.open(&page).await;
    // With the port, without which it would be another host, and with the query.
    assert_eq!((refused.status().as_u16(), location(&refused)), (302, entrance(&app, &page)), "{kind:?}");

    let callback = walk.until(&page, &front.url("/.enlist/callback")).await;
    let entered = walk.open(&callback).await;
    let cookie = entered.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-enlist-gate=") && cookie.contains("Secure"), "{kind:?}: {cookie}");
    assert_eq!((entered.status().as_u16(), location(&entered).as_str()), (303, "/inbox?a=b"), "{kind:?}");
    assert_eq!(stage.upstream.asked(), 0, "{kind:?}");
    let inside = walk.open(&page).await;
    assert_eq!(inside.status(), 200, "{kind:?}");
    let asked: serde_json::Value = serde_json::from_slice(&inside.bytes().await.unwrap()).unwrap();
    assert_eq!((values(&asked, "x-enlist-user"), values(&asked, "x-enlist-assurance")), (vec![ADA], vec!["cookie"]), "{kind:?}");
    let again = walk.open(&callback).await;
    assert!(again.status() == 403 && !again.headers().contains_key("set-cookie"), "{kind:?}: {}", again.status());
    assert_eq!(stage.upstream.asked(), 1, "{kind:?}");

    // Another host of the same proxy is another application.
    let other = Front::start(kind, &stage, false).await;
    assert_eq!(walk.open(&other.url("/")).await.status(), 302, "{kind:?}");
    app.work().await;
    admin.post(&format!("/users/{user}/revoke-enrollments"), &json!({ "confirm": true })).await.expect(200);
    let began = Instant::now();
    loop {
        let response = walk.open(&page).await;
        if response.status() == 302 {
            assert_eq!(location(&response), entrance(&app, &page), "{kind:?}");
            break;
        }
        assert!(began.elapsed() < AT_ONCE, "{kind:?}: it still comes in");
    }
    app.work().await;
}
