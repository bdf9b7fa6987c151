//! A whole server on a free port: real sockets, real database, a clock that the test sets, and jobs that run when the test says so.

use std::{
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use actix_web::dev::{Server, ServerHandle};
use enlist::{
    cli::{
        assemble,
        serve::{Shared, device_port, public_server},
    },
    config::{Config, MailRoute, MailServer, Tls, Webhooks, device_url},
    domain::{
        audit::{Actor, ActorKind},
        id::MailId,
        mail::MailKind,
        time::{Clock, SystemClock, Timestamp},
        user::Role,
    },
    jobs,
    service::{App, outbox, queue::Lane},
    store::{self, DatabaseUrl, audit, authorities::Authority, jobs::Job, schema},
};

use tokio::sync::watch;

use super::{actors::Admin, apns, clock::TestClock, database::Database, folder::TempFolder};

/// Jobs that are never done at once.
const COMES_LATER: [&str; 2] = ["sweep", "push_backlog:again"];

/// What differs from one test to the next.
#[derive(Default)]
pub struct Setup {
    /// Proxies whose headers are believed, as a person configures them.
    pub trusted_proxies: &'static str,
    /// How the world calls the server; its own address where it is empty.
    pub public_url: &'static str,
    /// Apple's push service; nobody answers where there is none.
    pub apns: Option<(String, PathBuf)>,
    /// A mail server, in place of the folder.
    pub mail: Option<MailServer>,
    /// What webhooks may reach.
    pub webhooks: Webhooks,
    /// Files that lie in the data folder before the server starts: path and content.
    pub files: &'static [(&'static str, &'static str)],
    /// Whether there is also the port where devices come with a client certificate.
    pub device_port: bool,
}

/// A running server.
pub struct TestApp {
    /// The server's own state, for what only a server does by itself.
    pub app: Arc<App>,
    /// Shows what the server believes the time to be.
    pub clock: TestClock,
    /// The database underneath.
    pub database: Arc<Database>,
    tokens: [String; 3],
    config: Config,
    address: String,
    device_address: String,
    folder: TempFolder,
    handles: Vec<ServerHandle>,
    /// Ends what the server does by itself.
    stop: watch::Sender<bool>,
}

impl TestApp {
    /// A server on this database.
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, Setup::default()).await
    }

    /// A server on this database, with something out of the ordinary.
    pub async fn start_with(database: Database, setup: Setup) -> Self {
        Self::start_on(Arc::new(database), setup, None).await
    }

    /// Another server on the database of this one.
    pub async fn start_beside(&self, setup: Setup) -> Self {
        Self::start_on(Arc::clone(&self.database), setup, Some(self.tokens.clone())).await
    }

    async fn start_on(database: Arc<Database>, setup: Setup, tokens: Option<[String; 3]>) -> Self {
        let folder = TempFolder::new("server");
        for (name, content) in setup.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Authorities::get().put(&folder.path().join("secret.key"), &database.url());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let public_url = if setup.public_url.is_empty() { address.clone() } else { setup.public_url.into() };
        let mut config = config(&folder, &database.url(), public_url);
        let device_listener = setup.device_port.then(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            config.device_url = Some(device_url("http://localhost", listener.local_addr().unwrap().port()));
            listener
        });
        if let Some((url, ca)) = setup.apns {
            (config.apns_url, config.apns_ca) = (url, Some(ca));
        }
        config.trusted_proxies = setup.trusted_proxies.parse().unwrap();
        config.webhooks = setup.webhooks;
        if let Some(server) = setup.mail {
            config.mail = MailRoute::Smtp(server);
        }
        // Certificates are also judged by clocks that no test sets, such as the phone's: the present is the best place to begin.
        let clock = TestClock::at(SystemClock.now());
        let app = assemble::app(&config, Arc::new(clock.clone())).unwrap();
        let shared = Shared::new(Arc::clone(&app), &config);
        let mut servers = vec![public_server(&shared, &config, listener, app.now()).unwrap()];
        servers.extend(device_listener.map(|listener| device_port(&shared, &config, listener, &app).unwrap()));
        let handles = servers.iter().map(Server::handle).collect();
        for server in servers {
            tokio::spawn(server);
        }
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(jobs::call_agents(Arc::clone(&app), stopped));
        let of = if database.is_of_another_server() { " of another server" } else { "" };
        let tokens = match tokens {
            Some(tokens) => tokens,
            None => {
                [token(&app, Role::Administrator, of).await, token(&app, Role::Helpdesk, of).await, token(&app, Role::Auditor, of).await]
            }
        };
        let device_address = config.device_url.clone().unwrap_or_default();
        Self { app, clock, database, tokens, config, address, device_address, folder, handles, stop }
    }

    /// Where it listens, without a slash at the end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Somebody with a token of this role.
    pub fn caller(&self, role: Role) -> Admin {
        let [administrator, helpdesk, auditor] = &self.tokens;
        let token = match role {
            Role::Administrator => administrator,
            Role::Helpdesk => helpdesk,
            Role::Auditor => auditor,
        };
        Admin::new(self.address.clone(), Some(token.clone()))
    }

    /// Where devices come with a client certificate, without a slash at the end.
    pub fn device_address(&self) -> &str {
        &self.device_address
    }

    /// An administrator.
    pub fn admin(&self) -> Admin {
        self.caller(Role::Administrator)
    }

    /// Opens the port for client certificates; gives its address. It closes with the test.
    pub fn device_port(&self) -> String {
        self.device_port_of(&self.app)
    }

    /// The same of another server on the same database, which shares nothing else with this one.
    pub fn device_port_of_neighbour(&self) -> String {
        self.device_port_of(&assemble::app(&self.config, Arc::new(self.clock.clone())).unwrap())
    }

    fn device_port_of(&self, app: &Arc<App>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let server = device_port(&Shared::new(Arc::clone(app), &self.config), &self.config, listener, app).unwrap();
        tokio::spawn(server);
        address
    }

    /// What the server believes the time to be.
    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where the mails arrive.
    pub fn outbox(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }

    /// Does everything that is due now: jobs, and what is written behind.
    pub async fn work(&self) {
        while jobs::work_once(&self.app).await.unwrap()
            || jobs::push::work_once(&self.app).await.unwrap()
            || jobs::kick::work_once(&self.app).await.unwrap()
        {}
        self.app.flush_seen().await.unwrap();
    }

    /// Does what is enqueued as it comes, as long as this takes; gives what it gives.
    pub async fn work_during<T>(&self, what: impl Future<Output = T>) -> T {
        let server = async {
            loop {
                self.app.job_enqueued(Lane::Others).await;
                self.work().await;
            }
        };
        let given = tokio::select! {
            given = what => given,
            () = server => unreachable!("the server works for ever"),
        };
        self.work().await;
        given
    }

    /// Lets so many seconds pass, and does everything that waits for its time, whenever that would be.
    pub async fn work_after(&self, seconds: i64) {
        self.clock.advance_seconds(seconds);
        self.database.tamper("UPDATE jobs SET run_at = 0 WHERE dead_at IS NULL AND kind <> 'push'");
        self.work().await;
    }

    /// Looks for what time has brought about, as the server does twice a minute, and does what follows.
    pub async fn sweep(&self) {
        self.app.flush_seen().await.unwrap();
        self.app.enqueue_recurring("sweep", 0).await.unwrap();
        self.work().await;
    }

    /// The jobs of one kind.
    pub fn jobs(&self, kind: &str) -> Vec<Job> {
        let mut jobs = all_jobs(&self.database.url());
        jobs.retain(|job| job.kind == kind);
        jobs
    }

    /// Lets pushes be asked for. Nobody takes them, unless the test has started a push service.
    pub async fn import_push_certificate(&self) {
        let pem = apns::pem(&apns::certificate(apns::TOPIC));
        self.admin().put("/push-certificate", &serde_json::json!({ "certificate": pem })).await.expect(200);
        self.work().await;
    }

    /// Forgets the pushes that were asked for so far.
    pub fn forget_pushes(&self) {
        self.database.tamper("DELETE FROM jobs WHERE kind = 'push'");
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // The command is given at once; nobody has to wait for its answer.
        self.handles.iter().for_each(|handle| drop(handle.stop(false)));
        self.app.send_agents_home();
        self.stop.send_replace(true);
        if std::thread::panicking() {
            return;
        }
        let url = self.database.url();
        let notices = notices(&url);
        let left: Vec<Job> = all_jobs(&url)
            .into_iter()
            .filter(|job| !notices.contains(&job.key))
            .filter(|job| jobs::kinds().contains(&job.kind.as_str()) && !COMES_LATER.contains(&job.key.as_str()))
            .collect();
        assert!(left.is_empty(), "jobs were left undone: {left:?}");
        let found = store::write_once::<_, store::Error>(&url, |tx| audit::verify(tx)).unwrap();
        assert_eq!(found.broken_at, None, "the audit log was changed");
    }
}

fn all_jobs(url: &DatabaseUrl) -> Vec<Job> {
    use diesel::prelude::*;
    store::write_once::<_, store::Error>(url, |tx| Ok(schema::jobs::table.select(Job::as_select()).load(&mut **tx)?)).unwrap()
}

/// The jobs of mails that tell people of their devices. They follow every enrollment and every wipe, and only the tests that mean
/// them wait for them.
fn notices(url: &DatabaseUrl) -> Vec<String> {
    use diesel::prelude::*;
    let kinds = [MailKind::Enrolled, MailKind::Wiped].map(MailKind::as_str);
    let mails = schema::mails::table.filter(schema::mails::template.eq_any(kinds)).select(schema::mails::id);
    let found: Vec<MailId> = store::write_once::<_, store::Error>(url, |tx| Ok(mails.load(&mut **tx)?)).unwrap();
    found.into_iter().map(outbox::job_key).collect()
}

fn config(folder: &TempFolder, database_url: &DatabaseUrl, public_url: String) -> Config {
    let nowhere = "127.0.0.1:0".parse().unwrap();
    Config {
        data_dir: folder.path().to_owned(),
        database_url: database_url.clone(),
        database_connections: 4,
        secret_key_file: folder.path().join("secret.key"),
        listen: nowhere,
        device_listen: None,
        device_url: None,
        metrics_listen: None,
        public_url,
        tls: Tls::Off,
        mail: MailRoute::Folder(folder.path().join("outbox")),
        apns_url: "https://localhost:9".into(),
        apns_ca: None,
        webhooks: Webhooks::default(),
        trusted_proxies: "".parse().unwrap(),
        is_log_json: false,
        workers: 1,
    }
}

async fn token(app: &App, role: Role, of: &str) -> String {
    let actor = Actor { kind: ActorKind::CommandLine, name: "the tests".into() };
    app.create_token(actor, format!("{role}{of}"), role).await.unwrap()
}

/// The server's own certificates, with the key that seals them. Making them takes long, so all tests share one set.
struct Authorities {
    key_file: Vec<u8>,
    rows: Vec<Authority>,
}

impl Authorities {
    fn get() -> &'static Self {
        static MADE: OnceLock<Authorities> = OnceLock::new();
        MADE.get_or_init(|| {
            let (folder, database) = (TempFolder::new("authorities"), Database::sqlite());
            let config = config(&folder, &database.url(), "http://localhost".into());
            drop(assemble::app(&config, Arc::new(SystemClock)).unwrap());
            let rows = store::write_once::<_, store::Error>(&database.url(), |tx| store::authorities::list(tx)).unwrap();
            Self { key_file: std::fs::read(&config.secret_key_file).unwrap(), rows }
        })
    }

    fn put(&self, key_file: &std::path::Path, database: &DatabaseUrl) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(key_file, &self.key_file).unwrap();
        std::fs::set_permissions(key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let keep = |tx: &mut store::Tx<'_>| self.rows.iter().try_for_each(|row| store::authorities::insert_if_missing(tx, row).map(drop));
        store::write_once::<_, store::Error>(database, keep).unwrap();
    }
}
