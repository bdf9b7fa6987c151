//! Walks through the portal.

use std::{sync::Arc, time::Duration};

use actix_web::{http::StatusCode, web};
use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslMethod};

use super::{
    COMPUTER, URL,
    stage::{ADA, IPHONE, Person, Stage},
};
use enlist::{
    domain::{device::Ownership, rights::AccessRights, time::Timestamp, user::UserState},
    http::portal::limit::Limiter,
    service::{queue::Lane, users::UserChange},
    simulator::{
        mailbox::Mailbox,
        portal::Owner,
        transport::{Browser, Trust},
    },
};

#[actix_web::test]
async fn a_person_walks_from_the_invitation_to_the_profile_and_gets_it_once() {
    let stage = Stage::new(URL).await;
    let link = stage.invite(Ownership::Company).await;
    let mut ada = Person::with(IPHONE);
    let first = ada.get(&stage, &link).await;
    let token = link.trim_start_matches("/enroll/");
    assert!(first.body.contains(token) && first.body.contains("value=\"ada@example.com\""));
    ada.post(&stage, "/enroll/address", &[("email", ADA), ("invitation", token)]).await;
    assert_eq!(ada.get(&stage, "/enroll/profile").await.header("location"), "/enroll/code");
    assert!(ada.get(&stage, "/").await.body.contains("href=\"/enroll/code\""));
    let code = stage.code().await;
    assert_eq!(ada.post(&stage, "/enroll/code", &[("code", &code)]).await.header("location"), "/enroll/consent");

    let consent = ada.get(&stage, "/enroll/consent").await.body;
    for text in AccessRights::COMPANY.explained() {
        assert!(consent.contains(text), "{text}");
    }
    assert!(consent.contains("This includes erasing the device") && !consent.contains("will not be able to"));
    assert_eq!(ada.post(&stage, "/enroll/apple", &[]).await.header("location"), "/enroll/consent");
    assert_eq!(ada.post(&stage, "/enroll/consent", &[]).await.status, StatusCode::BAD_REQUEST);
    ada.post(&stage, "/enroll/consent", &[("consent", "yes")]).await;

    let start = ada.get(&stage, &link).await.body;
    assert!(start.contains("href=\"/enroll/profile\"") && start.contains("data-enlist=\"restart\"") && !start.contains("name=\"email\""));
    assert!(ada.get(&stage, "/enroll/profile").await.body.contains("data-enlist=\"profile\""));
    let profile = ada.post(&stage, "/enroll/apple", &[]).await;
    assert_eq!((profile.status, profile.header("content-type")), (StatusCode::OK, "application/x-apple-aspen-config"));
    assert_eq!(profile.header("content-disposition"), "attachment; filename=\"enroll.mobileconfig\"");
    assert_eq!(profile.header("cache-control"), "no-store");
    assert_eq!(profile.bytes.first(), Some(&0x30), "a signed profile is DER");

    let again = ada.post(&stage, "/enroll/apple", &[]).await;
    assert!(again.status == StatusCode::CONFLICT && again.body.contains("data-enlist=\"restart\""));
    assert_eq!(ada.get(&stage, "/enroll/profile").await.header("location"), "/enroll/progress");
    let progress = ada.get(&stage, "/enroll/progress").await.body;
    assert!(progress.contains("/enroll/progress?follow&#x3D;yes") || progress.contains("/enroll/progress?follow=yes"));
    assert!(!progress.contains("http-equiv") && !progress.contains("data-enlist=\"done\""));
    assert!(ada.get(&stage, "/enroll/progress?follow=yes").await.body.contains("http-equiv=\"refresh\" content=\"3\""));
    assert_eq!(ada.post(&stage, "/enroll/restart", &[]).await.header("location"), "/");
    assert_eq!(ada.get(&stage, "/enroll/progress").await.header("location"), "/");
}

#[actix_web::test]
async fn a_personal_device_is_told_what_is_not_possible() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.prove(&stage).await;
    let consent = ada.get(&stage, "/enroll/consent").await.body;
    let (granted, refused) = consent.split_once("will not be able to").unwrap();
    assert!(!granted.contains("erase the whole device") && refused.contains("erase the whole device"));
    assert!(refused.contains("see the list of installed apps"));
}

#[actix_web::test]
async fn a_visit_that_has_ended_and_a_profile_that_came_too_late_say_so() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    assert_eq!(ada.take_profile(&stage).await.status, StatusCode::OK);
    stage.wait_seconds(901);
    let late = ada.get(&stage, "/enroll/progress").await.body;
    assert!(late.contains("This enrollment is over") && late.contains("data-enlist=\"restart\"") && !late.contains("follow=yes"));
    stage.wait_seconds(86_400);
    assert_eq!(ada.get(&stage, "/enroll/progress").await.header("location"), "/?note=ended");
    assert!(ada.get(&stage, "/?note=ended").await.body.contains("has ended"));
}

#[actix_web::test]
async fn a_computer_leads_to_the_devices_of_its_owner() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(COMPUTER);
    assert_eq!(ada.get(&stage, "/devices").await.header("location"), "/");
    assert_eq!(ada.prove(&stage).await.header("location"), "/devices");
    assert!(ada.get(&stage, "/devices").await.body.contains("There are none yet"));
}

#[actix_web::test]
async fn somebody_who_was_disabled_meanwhile_goes_no_further() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.prove(&stage).await;
    let change = UserChange { state: Some(UserState::Disabled), ..UserChange::default() };
    stage
        .app
        .change_user(enlist::domain::audit::Actor::server(), enlist::domain::user::Role::Administrator, stage.ada, change)
        .await
        .unwrap();
    for path in ["/enroll/consent", "/enroll/profile", "/devices"] {
        assert_eq!(ada.get(&stage, path).await.header("location"), "/?note=ended", "{path}");
    }
    assert_eq!(ada.post(&stage, "/enroll/apple", &[]).await.header("location"), "/?note=ended");
    assert!(ada.get(&stage, "/").await.body.contains("name=\"email\""));
}

fn tls(now: Timestamp) -> SslAcceptorBuilder {
    let identity = enlist::pki::ca::self_signed_server(&["localhost"], now).unwrap();
    let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    tls.set_certificate(&identity.certificate).unwrap();
    tls.set_private_key(&identity.key).unwrap();
    tls
}

#[actix_web::test]
async fn the_simulated_person_finds_the_way_over_the_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Over TLS, because a profile with a plain address is not made.
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let stage = Stage::new(&url).await;
    let (data, limiter) = (web::Data::from(Arc::clone(&stage.app)), web::Data::new(Limiter::default()));
    let server = actix_web::HttpServer::new(move || {
        actix_web::App::new().app_data(data.clone()).app_data(limiter.clone()).configure(enlist::http::portal::configure)
    });
    let server = server.workers(1).disable_signals().listen_openssl(listener, tls(stage.app.now())).unwrap().run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let owner = Owner {
        browser: Browser::new(&Trust::Anybody, IPHONE).unwrap(),
        mailbox: Mailbox::new(stage.folder.join("outbox"), Duration::from_secs(20)),
        address: ADA.into(),
        ownership: None,
        method: None,
    };
    let sends = async {
        stage.app.job_enqueued(Lane::Others).await;
        stage.mails().await;
        std::future::pending::<()>().await;
    };
    let visit = tokio::select! {
        visit = owner.fetch_profile(url.parse().unwrap()) => visit.unwrap(),
        () = sends => unreachable!("the post office never closes"),
    };
    assert_eq!(visit.profile.first(), Some(&0x30));
    assert!(!owner.sees_done(&visit.page).await.unwrap());
    super::device::enroll(&stage);
    assert!(owner.sees_done(&visit.page).await.unwrap());
    handle.stop(false).await;
}
