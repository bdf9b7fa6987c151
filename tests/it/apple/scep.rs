//! SCEP: who gets a certificate, how often, and what is in it.

use enlist::{
    pki::chain::{self, Purpose},
    simulator::{
        keychain::{self, Identity},
        scep::{self, Authority, Kind},
        transport::{Trust, Wire},
    },
    store::{self, schema},
};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    sign::Signer,
    x509::X509,
};
use reqwest::Url;

use crate::harness::{
    actors::{IPhone, key},
    app::TestApp,
    database::Database,
    every_backend,
};

every_backend!(
    a_hundred_requests_at_once_with_one_challenge_get_one_certificate,
    a_challenge_is_good_for_fifteen_minutes,
    the_same_request_again_gets_the_same_certificate,
    a_request_that_asks_for_more_gets_only_what_was_decided_before,
    weak_keys_and_wrong_challenges_are_refused,
    messages_that_are_none_are_refused_and_harm_nothing,
);

/// How many certificates were issued.
fn issued(app: &TestApp) -> i64 {
    use diesel::prelude::*;
    store::write_once::<_, store::Error>(&app.database.url(), |tx| Ok(schema::certificates::table.count().get_result(&mut **tx)?)).unwrap()
}

async fn prepared(app: &TestApp) -> IPhone {
    let user = app.admin().create_user("ada@example.com").await;
    IPhone::with_profile(app, &user, "company", 0).await
}

fn address(app: &TestApp) -> Url {
    Url::parse(&format!("{}/scep?operation=PKIOperation", app.address())).unwrap()
}

async fn post(wire: &Wire, url: Url, message: &[u8]) -> (u16, Vec<u8>) {
    let answer = wire.post(url, "application/x-pki-message", message.to_vec()).await.unwrap();
    (answer.status, answer.body)
}

async fn a_hundred_requests_at_once_with_one_challenge_get_one_certificate(db: Database) {
    let app = TestApp::start(db).await;
    let phone = prepared(&app).await;
    let mut tries = Vec::new();
    for number in 0..100 {
        let key = key(number % 4);
        let (sent, authority) = phone.scep_request(&key).await;
        let (wire, url) = (phone.wire().clone(), address(&app));
        tries.push(tokio::spawn(async move {
            let (status, body) = post(&wire, url, &sent.message).await;
            assert_eq!(status, 200);
            scep::read_answer(&body, &sent, &authority, &key).ok().map(|certificate| certificate.to_der().unwrap())
        }));
    }
    let mut got: Vec<Vec<u8>> = futures_util::future::join_all(tries).await.into_iter().filter_map(Result::unwrap).collect();
    assert!(!got.is_empty());
    got.sort();
    got.dedup();
    assert_eq!((got.len(), issued(&app)), (1, 1));
}

async fn a_challenge_is_good_for_fifteen_minutes(db: Database) {
    let app = TestApp::start(db).await;
    let phone = prepared(&app).await;
    let late = IPhone::with_profile(&app, &user_of(&app).await, "company", 1).await;
    app.clock.advance_seconds(899);
    let (sent, authority) = phone.scep_request(&key(0)).await;
    let (_, body) = post(phone.wire(), address(&app), &sent.message).await;
    scep::read_answer(&body, &sent, &authority, &key(0)).unwrap();
    app.clock.advance_seconds(2);
    let (sent, authority) = late.scep_request(&key(1)).await;
    let (status, body) = post(late.wire(), address(&app), &sent.message).await;
    assert_eq!(status, 200, "a refusal is an answer");
    assert!(scep::read_answer(&body, &sent, &authority, &key(1)).is_err());
    assert_eq!(issued(&app), 1);
}

async fn user_of(app: &TestApp) -> String {
    let users = app.admin().get("/users?q=ada").await.expect(200);
    crate::harness::actors::id(&users["items"][0])
}

async fn the_same_request_again_gets_the_same_certificate(db: Database) {
    let app = TestApp::start(db).await;
    let phone = prepared(&app).await;
    let (sent, authority) = phone.scep_request(&key(0)).await;
    let mut got = Vec::new();
    for _ in 0..3 {
        let (_, body) = post(phone.wire(), address(&app), &sent.message).await;
        got.push(scep::read_answer(&body, &sent, &authority, &key(0)).unwrap().to_der().unwrap());
    }
    // Sealed anew, the same transaction; and by GET, as the oldest clients do.
    let (sent, authority) = phone.scep_request(&key(0)).await;
    let mut url = address(&app);
    url.query_pairs_mut().append_pair("message", &openssl::base64::encode_block(&sent.message));
    let answer = phone.wire().get(url).await.unwrap();
    got.push(scep::read_answer(&answer.body, &sent, &authority, &key(0)).unwrap().to_der().unwrap());
    got.dedup();
    assert_eq!((got.len(), issued(&app)), (1, 1));
}

async fn a_request_that_asks_for_more_gets_only_what_was_decided_before(db: Database) {
    let app = TestApp::start(db).await;
    let phone = prepared(&app).await;
    let payload = phone.scep_payload().unwrap().clone();
    let authority = Authority::discover(phone.wire(), &payload.url, None).await.unwrap();
    let request = greedy_request(&key(0), payload.challenge.as_deref().unwrap());
    let subject = keychain::name(&[("CN".into(), "ceo".into())]).unwrap();
    let myself = Identity::self_signed(key(0), &subject, 1).unwrap();
    let sent = scep::seal(Kind::First, &request, &key(0), &myself, &authority.recipient).unwrap();
    let (_, body) = post(phone.wire(), address(&app), &sent.message).await;
    let certificate = scep::read_answer(&body, &sent, &authority, &key(0)).unwrap();

    let der = certificate.to_der().unwrap();
    let text = String::from_utf8_lossy(&certificate.to_text().unwrap()).into_owned();
    for greed in ["ceo", "evil.example", "TLS Web Server", "CA:TRUE", "Certificate Sign"] {
        assert!(!text.contains(greed), "{greed}: {text}");
    }
    assert!(text.contains("CA:FALSE") && text.contains("TLS Web Client Authentication"), "{text}");
    let named = |kind: &str| payload.subject.iter().find(|(name, _)| name == kind).map(|(_, value)| value.clone()).unwrap();
    assert!(text.contains(&format!("CN={}", named("CN"))) || text.contains(&format!("CN = {}", named("CN"))), "{text}");
    assert!(text.contains("ada@example.com"));
    chain::verify_issued_by(&authority.ca, &der, app.app.now(), Purpose::ClientAuth).unwrap();
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=127 => out.push(length as u8),
        128..=255 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, (length & 255) as u8]),
    }
    out.extend(content);
    out
}

/// A request for a CA in the name of somebody else.
fn greedy_request(key: &PKey<Private>, challenge: &str) -> Vec<u8> {
    let critical = [1, 1, 255].as_slice();
    let extension = |id: &[u8], critical: &[u8], value: &[u8]| tlv(0x30, &[&tlv(6, id), critical, &tlv(4, value)].concat());
    let names = [tlv(0x81, b"ceo@example.com"), tlv(0x82, b"evil.example")].concat();
    let extensions = tlv(
        0x30,
        &[
            extension(&[0x55, 0x1d, 0x13], critical, &tlv(0x30, critical)),
            extension(&[0x55, 0x1d, 0x0f], critical, &tlv(3, &[1, 6])),
            extension(&[0x55, 0x1d, 0x25], &[], &tlv(0x30, &tlv(6, &[0x2b, 6, 1, 5, 5, 7, 3, 1]))),
            extension(&[0x55, 0x1d, 0x11], &[], &tlv(0x30, &names)),
        ]
        .concat(),
    );
    let attribute = |last: u8, value: &[u8]| {
        let id = [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9], [last].as_slice()].concat();
        tlv(0x30, &[tlv(6, &id), tlv(0x31, value)].concat())
    };
    let attributes = [attribute(7, &tlv(0x0c, challenge.as_bytes())), attribute(14, &extensions)].concat();
    let subject = keychain::name(&[("CN".into(), "ceo".into()), ("O".into(), "Evil".into())]).unwrap().to_der().unwrap();
    let info = tlv(0x30, &[tlv(2, &[0]), subject, key.public_key_to_der().unwrap(), tlv(0xa0, &attributes)].concat());
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = signer.sign_oneshot_to_vec(&info).unwrap();
    let algorithm = tlv(0x30, &[tlv(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]), tlv(5, &[])].concat());
    tlv(0x30, &[info, algorithm, tlv(3, &[&[0], signature.as_slice()].concat())].concat())
}

async fn weak_keys_and_wrong_challenges_are_refused(db: Database) {
    let app = TestApp::start(db).await;
    let phone = prepared(&app).await;
    let payload = phone.scep_payload().unwrap().clone();
    let subject = keychain::name(&payload.subject).unwrap();
    let weak = keychain::rsa_key(1024).unwrap();
    let good = key(0);
    let tries = [(&weak, payload.challenge.as_deref()), (&good, Some("guessed")), (&good, Some("")), (&good, None)];
    for (key, challenge) in tries {
        let (sent, authority) = phone.scep_request_for(key, &subject, challenge, &[]).await;
        let (status, body) = post(phone.wire(), address(&app), &sent.message).await;
        assert!(status == 200 || status == 400, "{status}");
        assert!(status == 400 || scep::read_answer(&body, &sent, &authority, key).is_err());
    }
    assert_eq!(issued(&app), 0);
    // None of it has used up the challenge.
    let (sent, authority) = phone.scep_request(&good).await;
    let (_, body) = post(phone.wire(), address(&app), &sent.message).await;
    scep::read_answer(&body, &sent, &authority, &good).unwrap();
}

async fn messages_that_are_none_are_refused_and_harm_nothing(db: Database) {
    let app = TestApp::start(db).await;
    let wire = Wire::new(&Trust::System).unwrap();
    for message in [b"".as_slice(), b"nonsense", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30; 4096]] {
        assert_eq!(post(&wire, address(&app), message).await.0, 400);
    }
    for query in ["", "?operation=Nonsense", "?operation=GetNextCACert", "?operation=PKIOperation&message=%"] {
        let answer = wire.get(Url::parse(&format!("{}/scep{query}", app.address())).unwrap()).await.unwrap();
        assert!((400..500).contains(&answer.status), "{query}: {}", answer.status);
    }
    let caps = wire.get(Url::parse(&format!("{}/scep?operation=GetCACaps", app.address())).unwrap()).await.unwrap();
    let caps = String::from_utf8(caps.body).unwrap();
    assert!(caps.contains("SHA-256") && caps.contains("AES") && !caps.contains("SHA-1") && !caps.contains("DES3"), "{caps}");
    let pem = wire.get(Url::parse(&format!("{}/pki/ca.pem", app.address())).unwrap()).await.unwrap();
    X509::from_pem(&pem.body).unwrap();
    assert_eq!(issued(&app), 0);
}
