//! Who is refused and known: the page that the gate leads to says what is wrong with this device, until when, and what to do; and the
//! gate at the port for devices, where the connection itself shows the certificate.

use enlist::simulator::Passcode;
use serde_json::json;

use super::{Held, ask, becomes, client, policy_for, server, written};
use crate::harness::{
    app::{Setup, TestApp},
    database::Database,
    every_backend,
};

every_backend!(the_page_says_what_is_wrong_with_the_device, a_pass_is_for_a_quarter_of_an_hour_and_for_nothing_else);

/// A phone with a weak passcode, and the address that the gate leads it to.
async fn refused(app: &TestApp) -> (Held, String) {
    let admin = app.admin();
    let group = admin.create_group("Sales").await;
    admin.create_policy(&policy_for(&group)).await;
    let mut held = Held::enroll(app, "ada@example.com", 0).await;
    admin.put(&format!("/groups/{group}/members/{}", held.user), &json!({})).await.expect(204);
    app.work().await;
    held.phone.obey_all().await;
    held.choose(app, Passcode::Weak).await;
    becomes(app, &held.phone, 403, "noncompliant").await;
    let certificate = written(&held.phone.identity().unwrap().certificate);
    let page = ask(app, "", &[("client-cert", &certificate)]).await.header("location").to_owned();
    (held, page)
}

async fn get(address: &str) -> (u16, String) {
    let answer = client().get(address).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn the_page_says_what_is_wrong_with_the_device(db: Database) {
    let app = server(db).await;
    let (mut held, page) = refused(&app).await;
    assert!(page.contains("/enroll/help/access?reason=noncompliant&device=") && !page.contains(&held.device), "{page}");
    let (status, text) = get(&page).await;
    assert_eq!(status, 200);
    for part in ["The passcode does not meet the requirements.", "What to do:", "Check again", "Look again"] {
        assert_eq!(text.contains(part), part != "Look again", "{part}: {text}");
    }
    let pass = page.rsplit('=').next().unwrap();
    let form = [("device", pass), ("reason", "noncompliant")];
    let asked = client().post(format!("{}/enroll/help/access/check", app.address())).form(&form).send().await.unwrap();
    assert_eq!(asked.status(), 303);
    let again = format!("{}{}", app.address(), asked.headers()["location"].to_str().unwrap());
    assert!(get(&again).await.1.contains("The device is being asked."));
    // The phone hears the question, and has a better passcode by then.
    held.phone.device_mut().set_passcode(Passcode::Strong);
    held.phone.obey_all().await;
    app.work().await;
    becomes(&app, &held.phone, 200, "").await;
    assert!(!get(&page).await.1.contains("What to do:"));
}

async fn a_pass_is_for_a_quarter_of_an_hour_and_for_nothing_else(db: Database) {
    let app = server(db).await;
    let (held, page) = refused(&app).await;
    let check = format!("{}/enroll/help/access/check", app.address());
    let pass = page.rsplit('=').next().unwrap().to_owned();
    let tampered = format!("A{}", &pass[1..]);
    for wrong in ["", "x", "%00", tampered.as_str(), held.device.as_str(), &"A".repeat(5000)] {
        let (status, text) = get(&format!("{}/enroll/help/access?reason=noncompliant&device={wrong}", app.address())).await;
        assert!(matches!(status, 200 | 414) && !text.contains("What to do:"), "{wrong}: {status} {text}");
        let sent = client().post(&check).form(&[("device", wrong)]).send().await.unwrap();
        assert_eq!(sent.status(), 410, "{wrong}");
    }
    app.clock.advance_seconds(15 * 60);
    assert!(!get(&page).await.1.contains("What to do:"));
    assert_eq!(client().post(&check).form(&[("device", &pass)]).send().await.unwrap().status(), 410);
    // Of a device that was let go nothing is told.
    let admin = app.admin();
    admin.order(&held.device, "retire").await;
    becomes(&app, &held.phone, 403, "device_gone").await;
    let certificate = written(&held.phone.identity().unwrap().certificate);
    assert!(!ask(&app, "", &[("client-cert", &certificate)]).await.header("location").contains("device="));
    app.work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_port_for_devices_the_connection_shows_the_certificate() {
    let app = TestApp::start_with(Database::sqlite(), Setup { device_port: true, trusted_proxies: "192.0.2.1", ..Setup::default() }).await;
    let own = Held::enroll(&app, "ada@example.com", 0).await;
    let other = Held::enroll(&app, "bob@example.com", 1).await;
    let identity = own.phone.identity().unwrap();
    let key = identity.key.private_key_to_pem_pkcs8().unwrap();
    let shown = reqwest::Identity::from_pkcs8_pem(&identity.certificate.to_pem().unwrap(), &key).unwrap();
    let port = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).identity(shown).build().unwrap();
    let address = format!("{}/gate/v1/check", app.device_address());
    // What a header claims beside it counts for nothing.
    let foreign = written(&other.phone.identity().unwrap().certificate);
    for headers in [vec![], vec![("client-cert", foreign.as_str())]] {
        let request = headers.into_iter().fold(port.get(&address), |request, (name, value)| request.header(name, value));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-enlist-device"], own.device.as_str());
        assert_eq!(answer.headers()["x-enlist-assurance"], "certificate");
    }
    app.admin().order(&own.device, "retire").await;
    assert_eq!(port.get(&address).send().await.unwrap().status(), 403);
    app.work().await;
}
