//! An agent's certificate: fetched once with the portal's token, renewed in time, and judged anew at each request, over TLS 1.2 and
//! TLS 1.3.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use enlist::simulator::{
    State,
    android::{
        Mode,
        agent::{new_key, request},
    },
    passcode::Passcode,
    transport::{Answer, Trust, Wire},
};
use openssl::{
    pkey::PKey,
    ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion},
    x509::X509,
};
use serde_json::{Value, json};

use crate::{
    apple::revocation::Authority,
    harness::{
        actors::{IPhone, id, text},
        android::{Android, behaviour, start, ticket, visit},
        app::{Setup, TestApp},
        database::Database,
        every_backend,
    },
};

every_backend!(
    a_token_gives_one_certificate_for_one_key,
    an_activation_is_shown_once_and_to_those_who_agreed,
    a_certificate_is_renewed_and_the_one_before_it_ends_with_the_first_use,
    a_certificate_that_has_expired_may_only_be_renewed,
    each_door_takes_its_own_devices_only,
    a_device_is_not_enrolled_before_it_has_used_its_certificate,
);

const ADA: &str = "ada@example.com";

fn phone(number: usize) -> Android {
    Android::new(number, behaviour(Passcode::Strong, Mode::ProfileOwner))
}

async fn post(app: &TestApp, path: &str, body: &Value) -> Answer {
    let url = reqwest::Url::parse(app.address()).unwrap().join(path).unwrap();
    Wire::new(&Trust::System).unwrap().post(url, "application/json", body.to_string().into_bytes()).await.unwrap()
}

async fn a_token_gives_one_certificate_for_one_key(db: Database) {
    let app = start(db).await;
    let user = app.admin().create_user(ADA).await;
    let ticket = ticket(&app, &user, "personal").await;
    let (owner, thief) = (phone(0), phone(0));
    let asked = owner.activation(&ticket.token).unwrap();
    let first = post(&app, "/android/v1/activate", &asked).await;
    assert_eq!(first.status, 200);
    // The answer was lost: the same request gets the same certificate.
    let again = post(&app, "/android/v1/activate", &asked).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let refused = post(&app, "/android/v1/activate", &thief.activation(&ticket.token).unwrap()).await;
    assert_eq!((refused.status, refused.content_type.as_str()), (403, "application/problem+json"));
    assert_eq!(post(&app, "/android/v1/activate", &owner.activation("guessed").unwrap()).await.status, 403);
    let given: Value = serde_json::from_slice(&first.body).unwrap();
    let certificate = X509::from_pem(text(&given, "certificate").as_bytes()).unwrap();
    let ca = X509::from_pem(given["chain"][0].as_str().unwrap().as_bytes()).unwrap();
    assert!(certificate.verify(&ca.public_key().unwrap()).unwrap());
    let name = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next().unwrap();
    assert_eq!(name.data().to_string().unwrap(), text(&given, "enrollment"));
    assert_eq!(given["polling"]["wait_seconds"], 60);
    app.clock.advance_seconds(901);
    assert_eq!(post(&app, "/android/v1/activate", &asked).await.status, 200, "what was issued stays issued");
}

async fn an_activation_is_shown_once_and_to_those_who_agreed(db: Database) {
    let app = start(db).await;
    let user = app.admin().create_user(ADA).await;
    let visited = visit(&app, &user, "personal").await;
    let ticket = app.app.activate_agent(visited).await.unwrap();
    assert!(app.app.activate_agent(visited).await.unwrap_err().to_string().contains("begin again"));
    app.clock.advance_seconds(901);
    assert_eq!(post(&app, "/android/v1/activate", &phone(0).activation(&ticket.token).unwrap()).await.status, 403, "it was too late");
    let other = visit(&app, &user, "personal").await;
    app.database.tamper("UPDATE visits SET consented_at = NULL, consent_version = NULL");
    assert!(app.app.activate_agent(other).await.unwrap_err().to_string().contains("agreed"));
}

async fn a_certificate_is_renewed_and_the_one_before_it_ends_with_the_first_use(db: Database) {
    let app = start(db).await;
    let (admin, user, authority) = (app.admin(), app.admin().create_user(ADA).await, Authority::of(&app).await);
    let mut agent = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    agent.obey_all().await;
    let old = agent.certificate().unwrap().clone();
    // Asked for and not used: the present one stays good, and the same request gets the same certificate.
    let asked = json!({ "csr": request(&new_key().unwrap()).unwrap() });
    let (one, two) = (agent.post("certificate/renew", &asked).await.unwrap(), agent.post("certificate/renew", &asked).await.unwrap());
    assert_eq!((one.status, &one.body), (200, &two.body));
    assert_eq!(agent.get("commands").await.unwrap().status, 204);
    assert!(!authority.has_revoked(&old).await);
    agent.renew().await.unwrap();
    assert_eq!(agent.get("commands").await.unwrap().status, 204);
    assert!(authority.has_revoked(&old).await);
    assert!(!authority.has_revoked(agent.certificate().unwrap()).await);
    // Two thirds through its life the server asks.
    app.database.tamper("UPDATE certificates SET renew_at = 0 WHERE revoked_at IS NULL");
    app.sweep().await;
    assert!(agent.obey_all().await.contains(&"renew_identity acknowledged".to_owned()));
    let device = id(&agent.seen_by(&admin).await);
    admin.wipe(&admin.device(&device).await, "selective").await.expect(202);
    assert_eq!(agent.post("certificate/renew", &asked).await.unwrap().status, 403);
}

async fn a_certificate_that_has_expired_may_only_be_renewed(db: Database) {
    let app = start(db).await;
    let user = app.admin().create_user(ADA).await;
    let mut agent = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    app.database.tamper("UPDATE certificates SET not_after = not_before + 1000");
    assert_eq!(agent.get("commands").await.unwrap().status, 403);
    assert_eq!(agent.get("policy").await.unwrap().status, 403);
    agent.renew().await.unwrap();
    assert_eq!(agent.get("policy").await.unwrap().status, 200);
}

async fn each_door_takes_its_own_devices_only(db: Database) {
    let app = TestApp::start_with(db, Setup { device_port: true, trusted_proxies: "127.0.0.0/8", ..Setup::default() }).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let agent = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    let iphone = IPhone::enroll(&app, &user, "personal", 0).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |certificate: Option<&X509>| {
        let mut asked = client.get(format!("{}/android/v1/policy", app.address()));
        if let Some(certificate) = certificate {
            use base64::{Engine, engine::general_purpose::STANDARD};
            asked = asked.header("client-cert", format!(":{}:", STANDARD.encode(certificate.to_der().unwrap())));
        }
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(ask(agent.certificate()).await.0, 200, "a trusted proxy vouches for it");
    let (status, problem) = ask(Some(&iphone.identity().unwrap().certificate)).await;
    assert_eq!((status, &problem["status"]), (403, &json!(403)));
    let stranger = enlist::simulator::keychain::Identity::stranger("x").unwrap();
    for certificate in [None, Some(&stranger.certificate)] {
        let (status, problem) = ask(certificate).await;
        assert_eq!((status, text(&problem, "type").as_str()), (403, "urn:enlist:certificate"));
    }
    assert_eq!(agent.seen_by(&admin).await["enrollment"], "enrolled");
}

async fn a_device_is_not_enrolled_before_it_has_used_its_certificate(db: Database) {
    let app = start(db).await;
    let (admin, user) = (app.admin(), app.admin().create_user(ADA).await);
    let mut agent = phone(0);
    agent.activate(&ticket(&app, &user, "personal").await).await.unwrap();
    assert_eq!(agent.seen_by(&admin).await["enrollment"], "pending");
    assert_eq!(agent.get("commands").await.unwrap().status, 409);
    agent.fetch_policy().await.unwrap();
    agent.report().await.unwrap();
    let device = agent.seen_by(&admin).await;
    assert_eq!((agent.state(), &device["enrollment"]), (State::New, &json!("enrolled")));
    let events = admin.timeline(&id(&device)).await;
    assert!(["authenticated", "enrolled"].iter().all(|kind| events.contains(&(*kind).to_owned())), "{events:?}");
}

/// A request over one version of TLS, by OpenSSL itself; gives the status line.
fn ask_over(version: SslVersion, address: &str, key: &[u8], chain: &[u8]) -> Result<String, String> {
    let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    if !key.is_empty() {
        builder.set_certificate(&X509::from_pem(chain).unwrap()).unwrap();
        builder.set_private_key(&PKey::private_key_from_pem(key).unwrap()).unwrap();
    }
    let stream = TcpStream::connect(address).unwrap();
    let mut stream = builder.build().connect("localhost", stream).map_err(|error| error.to_string())?;
    stream
        .write_all(b"GET /android/v1/policy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    // What came before the end is an answer, however the connection ended.
    match stream.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => return Err(error.to_string()),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_tls_ask_for_a_certificate_of_ours() {
    let app = start(Database::sqlite()).await;
    let user = app.admin().create_user(ADA).await;
    let agent = Android::enroll(&app, &user, "personal", 0, behaviour(Passcode::Strong, Mode::ProfileOwner)).await;
    let address = format!("127.0.0.1:{}", agent.base().unwrap().port().unwrap());
    let (key, chain) = agent.identity_pem().unwrap();
    let stranger = enlist::simulator::keychain::Identity::stranger("x").unwrap();
    let (foreign_key, foreign) = (stranger.key.private_key_to_pem_pkcs8().unwrap(), stranger.certificate.to_pem().unwrap());
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let ask = |key: &[u8], chain: &[u8]| ask_over(version, &address, key, chain);
        assert_eq!(ask(&key, &chain).as_deref(), Ok("HTTP/1.1 200 OK"), "{version:?}");
        assert!(ask(b"", b"").is_err_and(|error| !error.is_empty()), "{version:?}: nobody comes without a certificate");
        assert!(ask(&foreign_key, &foreign).is_err(), "{version:?}: nor with a foreign one");
    }
}
