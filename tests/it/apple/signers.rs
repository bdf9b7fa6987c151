//! Whose message is it? Signatures, certificates that a proxy vouches for, and answers that a device survives.

use base64::{Engine, engine::general_purpose::STANDARD};
use enlist::simulator::{
    iphone::{CHECK_IN_TYPE, CONNECT_TYPE, Door, Signature},
    keychain::Identity,
};
use openssl::x509::X509;
use reqwest::{Method, header};

use crate::harness::{
    actors::{IPhone, key},
    app::{Setup, TestApp},
    database::Database,
    every_backend,
};

every_backend!(a_certificate_in_a_header_counts_only_from_a_trusted_proxy, nothing_that_a_device_can_send_is_answered_with_401,);

/// Sends an idle message with these headers instead of a signature.
async fn idle_with(app: &TestApp, phone: &IPhone, headers: &[(&str, String)]) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.put(format!("{}/mdm/connect", app.address())).header(header::CONTENT_TYPE, CONNECT_TYPE);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(phone.idle_request().unwrap()).send().await.unwrap().status().as_u16()
}

fn rfc9440(certificate: &X509) -> (&'static str, String) {
    ("client-cert", format!(":{}:", STANDARD.encode(certificate.to_der().unwrap())))
}

fn nginx(certificate: &X509) -> (&'static str, String) {
    let pem = String::from_utf8(certificate.to_pem().unwrap()).unwrap();
    let escaped = pem.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    ("x-ssl-client-cert", escaped)
}

async fn a_certificate_in_a_header_counts_only_from_a_trusted_proxy(db: Database) {
    let app = TestApp::start_with(db, Setup { trusted_proxies: "127.0.0.0/8", ..Setup::default() }).await;
    let admin = app.admin();
    let (ada, eve) = (admin.create_user("ada@example.com").await, admin.create_user("eve@example.com").await);
    let phone = IPhone::enroll(&app, &ada, "company", 0).await;
    let other = IPhone::enroll(&app, &eve, "company", 1).await;
    let own = &phone.identity().unwrap().certificate;
    for header in [rfc9440(own), nginx(own)] {
        assert_eq!(idle_with(&app, &phone, std::slice::from_ref(&header)).await, 200);
        assert_eq!(idle_with(&app, &phone, &[header.clone(), header]).await, 400, "two are none");
    }
    assert_eq!(idle_with(&app, &phone, &[rfc9440(&other.identity().unwrap().certificate)]).await, 403);
    assert_eq!(idle_with(&app, &phone, &[rfc9440(&stranger().certificate)]).await, 403);
    // A signature of its own counts more than what the proxy says.
    let signature = ("mdm-signature", phone.sign(b"another message").unwrap());
    assert_eq!(idle_with(&app, &phone, &[rfc9440(own), signature]).await, 400);

    // Another server, which trusts nobody.
    let alone = TestApp::start(Database::sqlite()).await;
    let user = alone.admin().create_user("ada@example.com").await;
    let phone = IPhone::enroll(&alone, &user, "company", 0).await;
    let own = &phone.identity().unwrap().certificate;
    for header in [rfc9440(own), nginx(own)] {
        assert_eq!(idle_with(&alone, &phone, &[header]).await, 400, "anybody can write a header");
    }
}

fn stranger() -> Identity {
    let subject = enlist::simulator::keychain::name(&[("CN".into(), "stranger".into())]).unwrap();
    Identity::self_signed(key(3), &subject, 1).unwrap()
}

async fn nothing_that_a_device_can_send_is_answered_with_401(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user("ada@example.com").await;
    let mut phone = IPhone::enroll(&app, &user, "company", 0).await;
    let (idle, identity) = (phone.idle_request().unwrap(), phone.identity().unwrap().clone());
    let stranger = stranger();
    let foreign = phone.sign(b"another message").unwrap();
    let signatures = [
        ("own", Signature::By(&identity)),
        ("stranger", Signature::By(&stranger)),
        ("missing", Signature::Missing),
        ("junk", Signature::Header("%%%")),
        ("not CMS", Signature::Header("bm9uc2Vuc2U=")),
        ("of another message", Signature::Header(&foreign)),
    ];
    for phase in ["enrolled", "checked out"] {
        for (name, signature) in signatures {
            for door in [Door::CheckIn, Door::Connect] {
                for body in [idle.clone(), Vec::new(), b"nonsense".to_vec(), b"<plist><dict/></plist>".to_vec()] {
                    let status = phone.send(door, body, signature).await.unwrap().status;
                    assert!(status != 401 && status < 500, "{phase}, {name}: {status}");
                }
            }
        }
        if phase == "enrolled" {
            phone.check_out().await.unwrap();
        }
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/mdm/checkin", "/mdm/connect", "/mdm/nothing", "/mdm"] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            for kind in [CHECK_IN_TYPE, CONNECT_TYPE, "text/plain", ""] {
                let request = client.request(method.clone(), format!("{}{path}", app.address())).header(header::AUTHORIZATION, "Bearer x");
                let status = request.header(header::CONTENT_TYPE, kind).body("x").send().await.unwrap().status().as_u16();
                assert!(status != 401 && status < 500, "{method} {path} {kind}: {status}");
            }
        }
    }
}
