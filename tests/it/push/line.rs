//! The line to the push service by itself: who is believed, and what silence means.

use std::time::Duration;

use enlist::{
    apple::apns::{self as client, Client, Endpoint, Notification, Outcome},
    domain::time::{Clock, SystemClock},
};

use crate::harness::apns::{self, Answer, Apns, TOPIC};

fn notification(number: u8) -> Notification {
    Notification { token: vec![number; 32], magic: "magic".into(), topic: TOPIC.into(), expires_at: SystemClock.now().plus_days(7) }
}

fn client() -> Client {
    Client::new(apns::certificate(TOPIC)).unwrap()
}

fn line(apns: &Apns, patience: Duration) -> client::Apns {
    client::Apns::new(Endpoint::new(&apns.url(), vec![apns.root()]).unwrap(), patience)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_is_noticed_and_the_next_push_takes_another_connection() {
    let apns = Apns::start().await;
    let line = line(&apns, Duration::from_millis(400));
    apns.plan(&[1; 32], &[Answer::Hang(200)]);
    assert!(matches!(line.push(&client(), &notification(1)).await, Outcome::Unreachable(why) if why.contains("no answer")));
    assert_eq!(line.push(&client(), &notification(1)).await, Outcome::Delivered);
    assert_eq!(apns.connections(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_silent_device_does_not_condemn_the_connection() {
    let apns = Apns::start().await;
    let (line, client) = (line(&apns, Duration::from_millis(1500)), client());
    apns.plan(&[1; 32], &[Answer::Hang(200)]);
    let others = async {
        apns.wait_for(&[1; 32], 1).await;
        for number in 2..12 {
            assert_eq!(line.push(&client, &notification(number)).await, Outcome::Delivered);
        }
    };
    let first = notification(1);
    let (silent, ()) = tokio::join!(line.push(&client, &first), others);
    assert!(matches!(silent, Outcome::TryLater { is_for_all: false, .. }), "{silent:?}");
    assert_eq!(apns.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_pushes_share_one_connection() {
    let apns = Apns::start().await;
    let (line, client) = (line(&apns, client::PATIENCE), client());
    let all: Vec<Notification> = (0..1000_u16)
        .map(|number| {
            let mut one = notification(0);
            one.token[..2].copy_from_slice(&number.to_be_bytes());
            one
        })
        .collect();
    let sent = futures_util::future::join_all(all.iter().map(|one| line.push(&client, one))).await;
    assert!(sent.iter().all(|outcome| *outcome == Outcome::Delivered));
    assert_eq!((apns.received().len(), apns.connections()), (1000, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_a_server_that_nobody_vouches_for_or_that_has_another_name() {
    let apns = Apns::start().await;
    let unknown = client::Apns::new(Endpoint::new(&apns.url(), Vec::new()).unwrap(), client::PATIENCE);
    let renamed = apns.url().replace("localhost", "127.0.0.1");
    let renamed = client::Apns::new(Endpoint::new(&renamed, vec![apns.root()]).unwrap(), client::PATIENCE);
    for line in [unknown, renamed] {
        let outcome = line.push(&client(), &notification(1)).await;
        assert!(matches!(&outcome, Outcome::Unreachable(why) if why.contains("certificate verify failed")), "{outcome:?}");
    }
    assert_eq!((apns.received().len(), apns.connections()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_a_stranger_or_for_another_topic_is_rejected() {
    let apns = Apns::start().await;
    let line = line(&apns, client::PATIENCE);
    let stranger = Client::new(apns::foreign_certificate(TOPIC)).unwrap();
    assert!(matches!(line.push(&stranger, &notification(1)).await, Outcome::CertificateRejected(_)));
    let other = Client::new(apns::certificate("com.apple.mgmt.External.other")).unwrap();
    assert_eq!(line.push(&other, &notification(1)).await, Outcome::CertificateRejected("400 BadTopic".into()));
    // The same line, another certificate: it is used at once.
    assert_eq!(line.push(&client(), &notification(1)).await, Outcome::Delivered);
}
