//! Two servers on one PostgreSQL behind one address, one of them killed every few seconds while phones and administrators go on.
//! Whoever tries again gets what they wanted; nothing that was acknowledged is lost, and nothing is done twice.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use enlist::simulator::{
    Error, Phone,
    iphone::{Command, Door, Signature},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use super::death::Dice;
use crate::harness::{
    actors::{Admin, Reply},
    database::Database,
    process::{Installation, Server, free_port},
};

const PHONES: usize = 12;
/// How long somebody tries again.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the servers are harassed.
fn duration() -> Duration {
    let seconds = std::env::var("ENLIST_CHAOS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

/// Passes every connection to the next of the servers, or to the other one where it does not take it.
async fn balance(listener: TcpListener, servers: [u16; 2]) {
    let next = AtomicUsize::new(0);
    while let Ok((mut client, _)) = listener.accept().await {
        let first = next.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            for port in [servers[first % 2], servers[(first + 1) % 2]] {
                if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                    // A server that dies in the middle is what the client has to live with.
                    drop(copy_bidirectional(&mut client, &mut server).await);
                    return;
                }
            }
        });
    }
}

/// Whether an error is one after which one tries again.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Network { .. } | Error::Refused { status: 503, .. })
}

/// What clients have seen.
#[derive(Default)]
struct Seen {
    /// Steps that were done at the first try or a later one.
    steps: AtomicU64,
    /// Tries that broke.
    broken: AtomicU64,
}

impl Seen {
    async fn step<T, F: Future<Output = Result<T, Error>>>(&self, what: &str, mut attempt: impl FnMut() -> F) -> T {
        let began = Instant::now();
        loop {
            match attempt().await {
                Ok(value) => {
                    self.steps.fetch_add(1, Ordering::SeqCst);
                    return value;
                }
                Err(error) if is_passing(&error) && began.elapsed() < PATIENCE => {
                    self.broken.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    /// A call of the API, again and again until it is answered.
    async fn call(&self, admin: &Admin, path: &str, body: Option<&Value>) -> Reply {
        let attempt = || async {
            let method = if body.is_some() { reqwest::Method::POST } else { reqwest::Method::GET };
            let mut request = admin.request(method, path);
            if let Some(body) = body {
                request = request.json(body);
            }
            let broken = |source| Error::Network { doing: path.to_owned(), source };
            let answer = request.send().await.map_err(broken)?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let bytes = answer.bytes().await.map_err(broken)?.to_vec();
            if status == 503 { Ok(None) } else { Ok(Some(Reply { status, headers, bytes })) }
        };
        let began = Instant::now();
        loop {
            if let Some(reply) = self.step(path, attempt).await {
                return reply;
            }
            assert!(began.elapsed() < PATIENCE, "{path}: nobody can do it");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Polls and obeys. A command whose answer was taken never comes again; gives those commands.
async fn obey_for_ever(seen: Arc<Seen>, mut phone: Phone, stop: Arc<AtomicBool>) -> (Phone, HashSet<String>) {
    let mut done: HashSet<String> = HashSet::new();
    while !stop.load(Ordering::SeqCst) {
        obey_once(&seen, &mut phone, &mut done).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (phone, done)
}

async fn obey_once(seen: &Seen, phone: &mut Phone, done: &mut HashSet<String>) {
    let mut body = phone.idle_request().unwrap();
    let mut answering = None;
    loop {
        let said = seen.step("a report", || async { phone.send(Door::Connect, body.clone(), Signature::Own).await?.ok("a report") }).await;
        done.extend(answering.take());
        let Some(command) = Command::read(&said).unwrap() else { return };
        assert!(!done.contains(&command.uuid), "{} came again after its answer was taken", command.request_type());
        body = phone.obey(&command).unwrap().0;
        answering = Some(command.uuid);
    }
}

/// Orders commands and mails. Gives what was acknowledged: commands with their devices, and how many mails each user got.
async fn administrate(
    seen: Arc<Seen>,
    admin: Admin,
    people: Vec<(String, String)>,
    stop: Arc<AtomicBool>,
) -> (HashMap<String, String>, HashMap<String, usize>) {
    let (mut commands, mut mails) = (HashMap::new(), HashMap::new());
    let mut turn = 0;
    while !stop.load(Ordering::SeqCst) {
        let (user, device) = &people[turn % people.len()];
        turn += 1;
        let kind = ["profile_list", "certificate_list", "security_info"][turn % 3];
        let ordered = seen.call(&admin, &format!("/devices/{device}/commands"), Some(&json!({ "kind": kind }))).await.expect(202);
        commands.insert(ordered["command"]["id"].as_str().unwrap().to_owned(), device.clone());
        seen.call(&admin, &format!("/users/{user}/invitation"), Some(&json!({ "ownership": "company" }))).await.expect(202);
        *mails.entry(user.clone()).or_insert(0) += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (commands, mails)
}

/// Kills one of the two every second or two, and starts it again a little later. Gives how often.
async fn harass(installation: Arc<Installation>, servers: Arc<Mutex<[Option<Server>; 2]>>, ports: [u16; 2], until: Instant) -> usize {
    let mut dice = Dice(20_261_126);
    let mut deaths = 0;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(500 + dice.throw(1500))).await;
        let which = usize::try_from(dice.throw(2)).unwrap();
        let mut servers = servers.lock().await;
        servers[which].take().unwrap().kill();
        deaths += 1;
        tokio::time::sleep(Duration::from_millis(dice.throw(1000))).await;
        servers[which] = Some(installation.start_on(ports[which]).await);
    }
    deaths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_while_one_of_two_servers_dies_again_and_again() {
    let installation = Arc::new(Installation::new(Database::postgres()));
    let ports = [free_port(), free_port()];
    let first = installation.start_on(ports[0]).await;
    let servers = Arc::new(Mutex::new([Some(first), Some(installation.start_on(ports[1]).await)]));
    let listener = TcpListener::bind(("127.0.0.1", installation.port())).await.unwrap();
    let balancer = tokio::spawn(balance(listener, ports));

    let (mut phones, mut people) = (Vec::new(), Vec::new());
    for number in 0..PHONES {
        let user = installation.api().create_user(&format!("phone{number}@example.org")).await;
        let mut phone = installation.api().phone_of(&user, &format!("chaos {number}")).await.unwrap();
        phone.enroll().await.unwrap();
        let device = installation.admin().device_of(&phone.device().model().serial).await;
        people.push((user, device["id"].as_str().unwrap().to_owned()));
        phones.push(phone);
    }

    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let phones: Vec<_> = phones.into_iter().map(|phone| tokio::spawn(obey_for_ever(Arc::clone(&seen), phone, Arc::clone(&stop)))).collect();
    let administrators: Vec<_> =
        (0..2).map(|_| tokio::spawn(administrate(Arc::clone(&seen), installation.admin(), people.clone(), Arc::clone(&stop)))).collect();
    let until = Instant::now() + duration();
    let deaths = harass(Arc::clone(&installation), Arc::clone(&servers), ports, until).await;
    stop.store(true, Ordering::SeqCst);

    let (mut commands, mut mails): (HashMap<String, String>, HashMap<String, usize>) = Default::default();
    for administrator in join_all(administrators).await {
        let (ordered, sent) = administrator.unwrap();
        commands.extend(ordered);
        for (user, count) in sent {
            *mails.entry(user).or_insert(0) += count;
        }
    }
    for phone in join_all(phones).await {
        let (mut phone, mut done) = phone.unwrap();
        obey_once(&seen, &mut phone, &mut done).await;
    }
    check_commands(&seen, &installation.admin(), &commands).await;
    check_mails(&installation, &mails).await;
    let (steps, broken) = (seen.steps.load(Ordering::SeqCst), seen.broken.load(Ordering::SeqCst));
    println!(
        "{deaths} deaths, {steps} steps, {broken} tries that broke, {} commands, {} mails",
        commands.len(),
        mails.values().sum::<usize>()
    );
    assert!(deaths >= 3 && commands.len() > 20, "{deaths} deaths, {} commands", commands.len());
    balancer.abort();
}

/// Every command that was acknowledged to the administrator was done by its device.
async fn check_commands(seen: &Seen, admin: &Admin, commands: &HashMap<String, String>) {
    for (command, device) in commands {
        let found = seen.call(admin, &format!("/devices/{device}/commands/{command}"), None).await.expect(200);
        assert!(["acknowledged", "failed"].contains(&found["state"].as_str().unwrap()), "a command was lost: {found}");
    }
}

/// Every mail that was acknowledged leaves, and each once: a mail that is handed over again has the same name.
async fn check_mails(installation: &Installation, ordered: &HashMap<String, usize>) {
    use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
    use enlist::store::{self, mails::MailState, schema};
    let url = installation.database().url();
    // What a server had claimed when it died comes back when its lease is over; nobody waits for that here.
    installation.database().tamper("UPDATE jobs SET lease_until = 0 WHERE lease_until IS NOT NULL AND kind = 'mail'");
    let began = Instant::now();
    loop {
        let waiting: i64 = store::write_once::<_, store::Error>(&url, |tx| {
            Ok(schema::mails::table.filter(schema::mails::state.ne(MailState::Sent)).count().get_result(&mut **tx)?)
        })
        .unwrap();
        if waiting == 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{waiting} mails do not leave");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all: Vec<(Option<enlist::domain::id::UserId>, String)> = store::write_once::<_, store::Error>(&url, |tx| {
        Ok(schema::mails::table.select((schema::mails::user_id, schema::mails::message_id)).load(&mut **tx)?)
    })
    .unwrap();
    for (user, count) in ordered {
        let written = all.iter().filter(|(to, _)| to.is_some_and(|to| to.to_string() == *user)).count();
        assert!(written >= *count, "{count} mails were acknowledged and {written} were written");
    }
    let names: HashSet<String> = all.into_iter().map(|(_, name)| name).collect();
    let files: Vec<String> = std::fs::read_dir(installation.folder().join("outbox"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(files.len(), names.len(), "as many mails as names");
}
