//! How the gate reads what proxies say, and what it answers.

use enlist::domain::user::Role;
use openssl::x509::X509;

use super::{Held, ask, client, server, set_rules, verdict, written};
use crate::harness::{actors::text, app::Setup, certificates::Company, database::Database, every_backend};

every_backend!(
    a_device_shows_its_certificate_and_comes_in,
    only_trusted_proxies_are_believed,
    what_can_be_read_in_two_ways_is_refused,
    certificates_that_prove_nothing_are_refused,
    people_are_led_to_the_page_that_helps,
);

async fn a_device_shows_its_certificate_and_comes_in(db: Database) {
    let app = server(db).await;
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    let certificate = &held.phone.identity().unwrap().certificate;
    let pem: String = url::form_urlencoded::byte_serialize(&certificate.to_pem().unwrap()).collect();
    let escaped = pem.replace('+', "%20");
    let body: String = String::from_utf8(certificate.to_pem().unwrap()).unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    for (name, value) in [("client-cert", written(certificate)), ("x-ssl-client-cert", escaped), ("x-forwarded-tls-client-cert", body)] {
        for path in ["", "/", "/some/where?a=b", "?mode=redirect"] {
            let reply = ask(&app, path, &[(name, &value)]).await;
            assert_eq!(reply.status, 200, "{name} {path}");
            let shown = ["x-enlist-user", "x-enlist-device", "x-enlist-compliance", "x-enlist-assurance", "cache-control"];
            assert_eq!(shown.map(|name| reply.header(name)), ["ada@example.com", &held.device, "compliant", "certificate", "no-store"]);
        }
    }
    // Any method, and what belongs to the body of another request is nobody's business here.
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let request = client().request(method.parse().unwrap(), format!("{}/gate/v1/check/x", app.address()));
        let request = request.header("client-cert", written(certificate)).header("content-encoding", "gzip");
        assert_eq!(request.send().await.unwrap().status(), 200, "{method}");
    }
}

async fn only_trusted_proxies_are_believed(db: Database) {
    let app = server(db).await;
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    let certificate = written(&held.phone.identity().unwrap().certificate);
    let strict = app.start_beside(Setup { trusted_proxies: "192.0.2.1", ..Setup::default() }).await;
    assert_eq!(ask(&app, "", &[("client-cert", &certificate)]).await.status, 200);
    let reply = ask(&strict, "", &[("client-cert", &certificate), ("x-forwarded-uri", "/a/../b")]).await;
    assert_eq!((reply.status, reply.header("x-enlist-reason")), (401, "unenrolled"));
}

async fn what_can_be_read_in_two_ways_is_refused(db: Database) {
    let app = server(db).await;
    let held = Held::enroll(&app, "ada@example.com", 0).await;
    let certificate = written(&held.phone.identity().unwrap().certificate);
    let own = ("client-cert", certificate.as_str());
    let cases: [&[(&str, &str)]; 7] = [
        &[own, own],
        &[own, ("client-cert", "")],
        &[own, ("x-ssl-client-cert", "nonsense")],
        &[own, ("x-forwarded-tls-client-cert", certificate.trim_matches(':'))],
        &[own, ("x-forwarded-uri", "/a"), ("x-forwarded-uri", "/b")],
        &[own, ("x-forwarded-uri", "/public/%2e%2e/secret")],
        &[own, ("x-original-url", "https://app.example/public/..%2fsecret")],
    ];
    for headers in cases {
        let reply = ask(&app, "", headers).await;
        assert_eq!((reply.status, reply.header("x-enlist-reason")), (403, "ambiguous_request"), "{headers:?}");
        assert_eq!(reply.header("x-enlist-decision"), "block");
    }
    assert_eq!(ask(&app, "/a%2fb", &[own]).await.status, 403);
    // An underscore is a hyphen to some, whatever the name.
    assert_eq!(ask(&app, "", &[own, ("client_cert", ":AAAA:")]).await.status, 400);
    assert_eq!(ask(&app, "", &[own, ("x_enlist_user", "root")]).await.status, 400);
}

async fn certificates_that_prove_nothing_are_refused(db: Database) {
    let app = server(db).await;
    let admin = app.admin();
    let mut held = Held::enroll(&app, "ada@example.com", 0).await;
    let stranger: X509 = Company::new().issue("device").certificate;
    let reply = ask(&app, "", &[("client-cert", &written(&stranger))]).await;
    assert_eq!((reply.status, reply.header("x-enlist-reason")), (401, "unknown_certificate"));

    assert_eq!(verdict(&app, &held.phone).await.0, 200);
    let first = held.phone.identity().unwrap().certificate.clone();
    app.database.tamper("UPDATE certificates SET revoked_at = 1, revocation_reason = 'superseded'");
    super::becomes(&app, &held.phone, 401, "revoked_certificate").await;
    // Not even where everybody comes in without one.
    set_rules(&admin, &serde_json::json!({ "unenrolled_devices": "allow" })).await;
    super::becomes(&app, &held.phone, 401, "revoked_certificate").await;
    app.database.tamper("UPDATE certificates SET revoked_at = NULL, revocation_reason = NULL");
    super::becomes(&app, &held.phone, 200, "").await;

    // The device enrolls again; the certificate from before is no longer its own.
    let mut again = crate::harness::actors::IPhone::with_profile(&app, &held.user, "company", 0).await;
    again.certify(0).await;
    again.enroll().await.unwrap();
    again.obey_all().await;
    app.work().await;
    app.database.tamper("UPDATE certificates SET revoked_at = NULL, revocation_reason = NULL");
    let reply = ask(&app, "", &[("client-cert", &written(&first))]).await;
    assert_eq!((reply.status, reply.header("x-enlist-reason")), (401, "replaced_certificate"));
    held.phone = again;
    assert_eq!(verdict(&app, &held.phone).await.0, 200);

    app.clock.advance_days(400);
    assert_eq!(verdict(&app, &held.phone).await.2, "expired_certificate");
}

async fn people_are_led_to_the_page_that_helps(db: Database) {
    let app = server(db).await;
    let page = ("accept", "text/html");
    let reply = ask(&app, "", &[page]).await;
    let start = format!("{}/", app.address());
    assert_eq!((reply.status, reply.header("location"), reply.header("www-authenticate")), (401, start.as_str(), "Enlist"));
    assert!(reply.text().contains("What you can do"));
    let reply = ask(&app, "?mode=redirect", &[page, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]).await;
    assert_eq!((reply.status, reply.header("location"), reply.header("x-enlist-decision")), (302, start.as_str(), "quarantine"));
    let reply = ask(&app, "?mode=redirect", &[page, ("sec-fetch-mode", "cors")]).await;
    assert_eq!(reply.status, 401);
    let reply = ask(&app, "?mode=redirect", &[("accept", "application/json")]).await;
    let problem = reply.expect(401);
    assert_eq!((reply.header("content-type"), text(&problem, "reason")), ("application/problem+json", "unenrolled".into()));

    let held = Held::enroll(&app, "ada@example.com", 0).await;
    let admin = app.caller(Role::Administrator);
    admin.wipe(&admin.device(&held.device).await, "selective").await.expect(202);
    let certificate = written(&held.phone.identity().unwrap().certificate);
    let reply = ask(&app, "", &[("client-cert", &certificate)]).await;
    assert_eq!(reply.status, 403);
    let page = client().get(reply.header("location")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("was let go or wiped"));
    app.work().await;
}
