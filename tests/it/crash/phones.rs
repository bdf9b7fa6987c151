//! Fifty phones enroll and obey while the server dies under them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection, sql_query, sql_types::BigInt};
use enlist::simulator::{
    Error, Phone,
    iphone::{Command, Door, Signature},
    keychain::{self, Identity, Wish, rsa_key},
    scep::{self, Authority, Kind, Sent},
};
use futures_util::{StreamExt, stream};
use openssl::pkey::{PKey, Private};
use serde_json::{Value, json};

use super::death::Arena;
use crate::harness::{database::Database, every_backend, process::Installation};

const PHONES: usize = 50;
const AT_ONCE: usize = 8;
const DEATHS: usize = 13;
/// What each device is told besides what the server asks by itself.
const ORDERS: [&str; 4] = ["profile_list", "certificate_list", "security_info", "device_information"];

/// A request for a certificate, which can be sent as often as it takes.
struct Application {
    sent: Sent,
    key: PKey<Private>,
    authority: Authority,
}

impl Application {
    fn new(phone: &Phone, key: &PKey<Private>, authority: Authority) -> Self {
        let payload = phone.scep_payload().unwrap();
        let subject = keychain::name(&payload.subject).unwrap();
        let wish = Wish { subject: &subject, challenge: payload.challenge.as_deref(), key_usage: 5, alternative_names: &[] };
        let request = keychain::request(key, &wish).unwrap();
        let myself = Identity::self_signed(key.clone(), &subject, 365).unwrap();
        let sent = scep::seal(Kind::First, &request, key, &myself, &authority.recipient).unwrap();
        Self { sent, key: key.clone(), authority }
    }

    async fn send(&self, phone: &Phone) -> Result<Identity, Error> {
        let url = &phone.scep_payload().unwrap().url;
        let certificate = scep::send(phone.wire(), url, &self.sent, &self.authority, &self.key).await?;
        Ok(Identity { key: self.key.clone(), certificate })
    }
}

/// From the profile to the last step of enrollment, each step repeated until it was answered.
async fn enroll(arena: &Arena, number: usize, user: &str, key: &PKey<Private>) -> Phone {
    let name = format!("phone {number}");
    let mut phone = arena.step("profile", || profile(arena, user, &name)).await;
    let url = phone.scep_payload().unwrap().url.clone();
    let authority = arena.step("authority", || Authority::discover(phone.wire(), &url, None)).await;
    let application = Application::new(&phone, key, authority);
    let identity = arena.step("certificate", || application.send(&phone)).await;
    phone.set_identity(identity);
    let (authenticate, token) = (phone.authenticate_body().unwrap(), phone.token_update_body().unwrap());
    arena.step("Authenticate", || put(&phone, Door::CheckIn, &authenticate)).await;
    arena.step("TokenUpdate", || put(&phone, Door::CheckIn, &token)).await;
    // The phone itself learns of it by a repetition, which must do no harm.
    loop {
        match phone.token_update().await {
            Ok(()) => return phone,
            Err(Error::Network { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("TokenUpdate: {error}"),
        }
    }
}

async fn profile(arena: &Arena, user: &str, name: &str) -> Result<Phone, Error> {
    let made = arena.api.phone_of(user, name).await;
    made.map_err(|source| Error::Network { doing: "get a profile".into(), source })
}

async fn put(phone: &Phone, door: Door, body: &[u8]) -> Result<Vec<u8>, Error> {
    phone.send(door, body.to_vec(), Signature::Own).await?.ok("put")
}

/// A session. Gives the commands whose answers were answered.
async fn obey(arena: &Arena, phone: &mut Phone, mut done: HashSet<String>) -> HashSet<String> {
    let mut body = phone.idle_request().unwrap();
    let mut answering = None;
    loop {
        let said = arena.step("command", || put(phone, Door::Connect, &body)).await;
        done.extend(answering.take());
        let Some(command) = Command::read(&said).unwrap() else { return done };
        assert!(!done.contains(&command.uuid), "{} came again after its answer was taken", command.request_type());
        body = phone.obey(&command).unwrap().0;
        answering = Some(command.uuid);
    }
}

every_backend!(nothing_that_was_acknowledged_is_lost_when_the_server_is_killed);

async fn nothing_that_was_acknowledged_is_lost_when_the_server_is_killed(database: Database) {
    let arena = Arc::new(Arena::new(Installation::new(database)).await);
    let keys: Vec<_> = (0..4).map(|_| rsa_key(2048).unwrap()).collect();
    let users: Vec<String> = stream::iter(0..PHONES)
        .then(|number| {
            let arena = &arena;
            async move { arena.api.create_user(&format!("user{number}@example.org")).await }
        })
        .collect()
        .await;

    let haunting = tokio::spawn({
        let arena = Arc::clone(&arena);
        async move { arena.haunt(DEATHS, PHONES * 5, 2026).await }
    });
    let jobs = users.iter().enumerate().map(|(number, user)| enroll(&arena, number, user, &keys[number % keys.len()]));
    let phones: Vec<Phone> = stream::iter(jobs).buffer_unordered(AT_ONCE).collect().await;
    Arena::judge(haunting.await.unwrap(), DEATHS);
    check_enrollments(&arena, &phones, &keys).await;

    let devices = devices(&arena).await;
    for phone in &phones {
        let id = &devices[&phone.device().model().serial];
        for kind in ORDERS {
            arena.api.post(&format!("devices/{id}/commands"), &json!({ "kind": kind })).await.unwrap();
        }
    }
    let haunting = tokio::spawn({
        let arena = Arc::clone(&arena);
        async move { arena.haunt(DEATHS - 1, PHONES * 6, 1022).await }
    });
    let sessions = phones.into_iter().map(|mut phone| {
        let arena = &arena;
        async move {
            let done = obey(arena, &mut phone, HashSet::new()).await;
            (phone, done)
        }
    });
    let ended: Vec<(Phone, HashSet<String>)> = stream::iter(sessions).buffer_unordered(AT_ONCE).collect().await;
    Arena::judge(haunting.await.unwrap(), DEATHS - 1);
    check_commands(&arena, ended, &devices).await;
}

/// Serial numbers of devices with their identifiers.
async fn devices(arena: &Arena) -> HashMap<String, String> {
    let list = arena.api.get("devices?limit=200").await.unwrap();
    let pair = |device: &Value| {
        assert_eq!(device["enrollment"], "enrolled", "{device}");
        (device["serial"].as_str().unwrap().to_owned(), device["id"].as_str().unwrap().to_owned())
    };
    list["items"].as_array().unwrap().iter().map(pair).collect()
}

/// Every phone is enrolled once, with one certificate, and its challenge is worth nothing any more.
async fn check_enrollments(arena: &Arena, phones: &[Phone], keys: &[PKey<Private>]) {
    assert_eq!(devices(arena).await.len(), PHONES);
    let database = arena.installation.database();
    assert_eq!(count(database, "SELECT COUNT(*) AS number FROM certificates"), i64::try_from(PHONES).unwrap());
    let twice = "SELECT COUNT(*) AS number FROM (SELECT enrollment_id FROM certificates GROUP BY enrollment_id HAVING COUNT(*) > 1) AS t";
    assert_eq!(count(database, twice), 0, "two certificates for one challenge");
    for phone in phones.iter().take(8) {
        let url = &phone.scep_payload().unwrap().url;
        let mine = &phone.identity().unwrap().key;
        let other = keys.iter().find(|key| !key.public_eq(mine)).unwrap();
        let authority = Authority::discover(phone.wire(), url, None).await.unwrap();
        let refused = Application::new(phone, other, authority).send(phone).await;
        assert!(matches!(refused, Err(Error::Scep { .. })), "a challenge was good twice: {refused:?}");
    }
}

/// What was answered is noted as answered, and does not come again.
async fn check_commands(arena: &Arena, ended: Vec<(Phone, HashSet<String>)>, devices: &HashMap<String, String>) {
    let answered: usize = ended.iter().map(|(_, done)| done.len()).sum();
    assert!(answered >= 200, "only {answered} commands were answered");
    for (mut phone, done) in ended {
        let id = &devices[&phone.device().model().serial];
        for command in &done {
            let found = arena.api.get(&format!("devices/{id}/commands/{command}")).await.unwrap();
            assert!(["acknowledged", "failed"].contains(&found["state"].as_str().unwrap()), "an answer was lost: {found}");
        }
        obey(arena, &mut phone, done).await;
    }
}

#[derive(diesel::QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Runs a query of one number named `number`, past the server.
fn count(database: &Database, sql: &str) -> i64 {
    let counted: Counted = if database.is_postgres() {
        sql_query(sql).get_result(&mut PgConnection::establish(database.url_text()).unwrap()).unwrap()
    } else {
        sql_query(sql).get_result(&mut SqliteConnection::establish(&database.path().display().to_string()).unwrap()).unwrap()
    };
    counted.number
}
