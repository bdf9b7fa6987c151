//! The push certificate: asked for, imported, refused, watched until its end, renewed.

use enlist::{domain::time::Timestamp, pki::ca};
use serde_json::json;

use super::Stage;
use crate::harness::{
    actors::text,
    apns::{self, TOPIC},
    database::Database,
    every_backend,
};

every_backend!(
    a_certificate_is_asked_for_and_imported_without_its_key_leaving_the_server,
    a_vendor_signs_a_request_so_that_apple_takes_it,
    what_cannot_be_used_is_refused_with_a_reason,
    another_topic_is_refused_while_devices_are_enrolled_unless_it_is_forced,
    the_end_of_a_certificate_is_announced_and_renewal_changes_nothing_for_the_devices,
);

const OTHER: &str = "com.apple.mgmt.External.99999999-8888-7777-6666-555555555555";

async fn a_certificate_is_asked_for_and_imported_without_its_key_leaving_the_server(db: Database) {
    let stage = Stage::without_certificate(db).await;
    let shown = stage.state().await;
    assert_eq!((&shown["is_usable"], &shown["topic"], &shown["requested_at"]), (&json!(false), &json!(null), &json!(null)));
    let refused = stage.admin.post("/push-certificate/request", &json!({ "email": "nobody" })).await.expect(400);
    assert_eq!(refused["field"], "email");

    let made = stage.admin.post("/push-certificate/request", &json!({ "email": "it@example.com" })).await.expect(201);
    assert_eq!(made["is_signed"], false);
    assert!(text(&made, "next").contains("vendor"), "{made}");
    let request = text(&made, "request");
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    // A second request does not make the first one void.
    stage.admin.post("/push-certificate/request", &json!({ "email": "it@example.com" })).await.expect(201);
    assert!(stage.state().await["requested_at"].is_string());

    let shown = stage.import(&apns::certify(&request, TOPIC)).await;
    assert_eq!((&shown["is_usable"], &shown["topic"], &shown["warning"]), (&json!(true), &json!(TOPIC), &json!(null)));
    assert_eq!((&shown["days_left"], &shown["imported_by"]), (&json!(365), &json!("administrator")));
    let (phone, device) = stage.phone(0).await;
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    assert_eq!(stage.pushes(&phone), 1, "the key is the one that was made for the request");
    let audited = stage.admin.audited().await;
    assert_eq!(audited.iter().filter(|action| action.starts_with("push_certificate.")).count(), 3, "{audited:?}");
}

async fn a_vendor_signs_a_request_so_that_apple_takes_it(db: Database) {
    let stage = Stage::without_certificate(db).await;
    let now = stage.app.clock_now();
    let apple = ca::create_authority("Apple", now).unwrap();
    let vendor = ca::issue_profile_signer(&apple, "Vendor", now).unwrap();
    let (certificate, key) = vendor.to_pem().unwrap();
    let chain = String::from_utf8([certificate.clone(), apple.certificate.to_pem().unwrap()].concat()).unwrap();
    let (certificate, key) = (String::from_utf8(certificate).unwrap(), String::from_utf8(key).unwrap());
    for (body, field) in [
        (json!({ "vendor_certificate": chain }), "vendor_key"),
        (json!({ "vendor_key": key }), "vendor_certificate"),
        (json!({ "vendor_certificate": certificate, "vendor_key": key }), "vendor_certificate"),
        (json!({ "vendor_certificate": chain, "vendor_key": "" }), "vendor_key"),
    ] {
        let mut body = body;
        body["email"] = json!("it@example.com");
        let refused = stage.admin.post("/push-certificate/request", &body).await.expect(400);
        assert_eq!(refused["field"], field, "{refused}");
    }
    let body = json!({ "email": "it@example.com", "vendor_certificate": chain, "vendor_key": key });
    let made = stage.admin.post("/push-certificate/request", &body).await.expect(201);
    assert_eq!(made["is_signed"], true);
    let xml = openssl::base64::decode_block(&text(&made, "request")).unwrap();
    let signed: plist::Dictionary = plist::from_bytes(&xml).unwrap();
    assert_eq!(signed.keys().collect::<Vec<_>>(), ["PushCertRequestCSR", "PushCertCertificateChain", "PushCertSignature"]);
    // What Apple makes of it is a certificate for the key that stayed here.
    let request = signed["PushCertRequestCSR"].as_string().unwrap();
    let request = openssl::x509::X509Req::from_der(&openssl::base64::decode_block(request).unwrap()).unwrap();
    stage.import(&apns::certify(&String::from_utf8(request.to_pem().unwrap()).unwrap(), TOPIC)).await;
    stage.app.work().await;
}

async fn what_cannot_be_used_is_refused_with_a_reason(db: Database) {
    let stage = Stage::without_certificate(db).await;
    let now = stage.app.clock_now();
    let good = apns::certificate(TOPIC);
    let alone = String::from_utf8(good.certificate.to_pem().unwrap()).unwrap();
    let between = |from: i64, until: i64| apns::pem(&apns::certificate_between(TOPIC, now.plus_days(from), now.plus_days(until)));
    let stranger = String::from_utf8(ca::self_signed_server(&["x"], now).unwrap().to_pem().unwrap().1).unwrap();
    for (pem, why) in [
        (String::new(), "is not a certificate in PEM"),
        ("x".repeat(100), "is not a certificate in PEM"),
        (apns::pem(&apns::certificate("")), "is not a push certificate"),
        (apns::pem(&apns::certificate("com.example.app")), "is not a push certificate"),
        (alone.clone(), "belongs to no request"),
        (format!("{alone}{stranger}"), "does not belong to the certificate"),
        (between(-400, -1), "has expired on"),
        (between(1, 300), "is not valid before"),
    ] {
        let refused = stage.admin.put("/push-certificate", &json!({ "certificate": pem, "force": true })).await.expect(400);
        assert_eq!(refused["field"], "certificate");
        assert!(text(&refused, "detail").contains(why), "{why}: {refused}");
    }
    assert_eq!(stage.state().await["topic"], json!(null));
    assert!(!stage.admin.audited().await.contains(&"push_certificate.import".to_owned()));
}

async fn another_topic_is_refused_while_devices_are_enrolled_unless_it_is_forced(db: Database) {
    let stage = Stage::new(db).await;
    // While nobody is enrolled nobody is lost.
    stage.import(&apns::pem(&apns::certificate(OTHER))).await;
    stage.import(&apns::pem(&apns::certificate(TOPIC))).await;
    let (mut phone, device) = stage.phone(0).await;
    let other = apns::pem(&apns::certificate(OTHER));
    let refused = stage.admin.put("/push-certificate", &json!({ "certificate": other })).await.expect(409);
    let detail = text(&refused, "detail");
    assert!(detail.contains(OTHER) && detail.contains(TOPIC) && detail.contains("1 enrolled device"), "{detail}");
    assert_eq!(stage.state().await["topic"], TOPIC);

    let shown = stage.force(&other).await;
    assert_eq!((&shown["topic"], &shown["devices_with_other_topic"]), (&json!(OTHER), &json!(1)));
    let line = stage.admin.get("/audit?action=push_certificate.import&limit=1").await.expect(200)["items"][0].clone();
    let detail: serde_json::Value = serde_json::from_str(&text(&line, "detail")).unwrap();
    assert_eq!((&detail["forced"], &detail["devices_lost"]), (&json!(true), &json!(1)), "{line}");
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.waiting()), (0, 0));
    assert_eq!(phone.obey_all().await, ["DeviceLock"], "it is out of reach, not lost");

    // Back again: it can be woken as before.
    stage.import(&apns::pem(&apns::certificate(TOPIC))).await;
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    assert_eq!(stage.pushes(&phone), 1);
    phone.check_out().await.unwrap();
    stage.import(&other).await;
    stage.app.work().await;
}

async fn the_end_of_a_certificate_is_announced_and_renewal_changes_nothing_for_the_devices(db: Database) {
    let stage = Stage::without_certificate(db).await;
    let begin: Timestamp = stage.app.clock_now();
    // Alarms count from the end to the second; certificates know no milliseconds.
    let end = begin.plus_days(40);
    stage.import(&apns::pem(&apns::certificate_between(TOPIC, begin.plus_days(-1), end))).await;
    let (phone, device) = stage.phone(0).await;
    let watch = async || stage.app.app.watch_push_certificate().await.unwrap();
    assert_eq!(watch().await, None);
    assert!(stage.state().await["warning"].is_null());
    for days in [30, 14, 7, 1] {
        stage.app.clock.set(end.plus_days(-days).plus_seconds(-2));
        assert_eq!(watch().await, None, "{days}");
        stage.app.clock.set(end.plus_days(-days));
        assert_eq!((watch().await, watch().await), (Some(days), None), "once");
        stage.app.clock.advance_seconds(60);
        let shown = stage.state().await;
        assert!(text(&shown, "warning").contains(&format!("in {} day(s)", days - 1)), "{shown}");
        assert_eq!((&shown["is_usable"], &shown["days_left"]), (&json!(true), &json!(days - 1)));
        let metrics = stage.admin.metrics().await;
        assert!(metrics.contains(&format!("enlist_push_certificate_expires_seconds {}", end.seconds())), "{metrics}");
    }
    stage.app.clock.set(end);
    assert_eq!((watch().await, watch().await), (Some(0), None));
    stage.admin.order(&device, "lock").await;
    stage.app.work().await;
    let shown = stage.state().await;
    assert!(text(&shown, "warning").contains("has expired") && text(&shown["rejected"], "why").contains("has expired"), "{shown}");
    assert_eq!((&shown["is_usable"], stage.apns.received().len(), stage.waiting()), (&json!(false), 0, 1));

    let renewed = apns::certificate_between(TOPIC, begin.plus_days(-1), end.plus_days(365));
    let shown = stage.import(&apns::pem(&renewed)).await;
    assert_eq!((&shown["is_usable"], &shown["warning"], &shown["days_left"]), (&json!(true), &json!(null), &json!(365)));
    stage.app.work().await;
    assert_eq!((stage.pushes(&phone), stage.waiting()), (1, 0));
    assert_eq!(watch().await, None);
}
