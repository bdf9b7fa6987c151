//! `enlist serve`: the server itself, from its first line to its last.

use std::{
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use actix_web::{App as ActixApp, HttpServer, dev::Server, middleware::from_fn, web};
use anyhow::Context;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::{assemble, logging, notify::Notifier, tls};
use crate::{
    config::{Config, Tls},
    domain::time::{Clock, SystemClock},
    http::{
        self,
        client::PeerCertificate,
        health::Stopping,
        layer::{body::limit_body, guard::refuse_ambiguous, trace::trace},
        metrics::Metrics,
        portal::limit::{Limiter, SignIns},
    },
    jobs,
    service::{App, queue::Lane},
    store::DatabaseUrl,
};

/// Seconds that requests in flight get when the server stops.
const LAST_SECONDS: u64 = 20;

/// Time and number limits that hold for every connection. A macro, because the type of a server cannot be written in few words.
macro_rules! tuned {
    ($server:expr, $config:expr) => {{
        let server = if $config.workers > 0 { $server.workers($config.workers) } else { $server };
        server
            .disable_signals()
            .shutdown_timeout(LAST_SECONDS)
            .client_request_timeout(Duration::from_secs(10))
            .client_disconnect_timeout(Duration::from_secs(2))
            .keep_alive(Duration::from_secs(75))
    }};
}

/// What the handlers share apart from the [`App`].
#[derive(Clone)]
pub struct Shared {
    app: web::Data<App>,
    proxies: web::Data<crate::domain::networks::Networks>,
    metrics: web::Data<Metrics>,
    stopping: web::Data<Stopping>,
    limiter: web::Data<Limiter>,
    sign_ins: web::Data<SignIns>,
}

impl Shared {
    /// For one server.
    #[must_use]
    pub fn new(app: Arc<App>, config: &Config) -> Self {
        Self {
            app: web::Data::from(app),
            proxies: web::Data::new(config.trusted_proxies.clone()),
            metrics: web::Data::new(Metrics::default()),
            stopping: web::Data::new(Stopping::default()),
            limiter: web::Data::new(Limiter::default()),
            sign_ins: web::Data::new(SignIns::default()),
        }
    }

    fn put(&self, config: &mut web::ServiceConfig) {
        config.app_data(self.app.clone());
        config.app_data(self.proxies.clone());
        config.app_data(self.metrics.clone());
        config.app_data(self.stopping.clone());
        config.app_data(self.limiter.clone());
        config.app_data(self.sign_ins.clone());
    }
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// It cannot start; the text says what to do.
pub fn run(config: Config) -> anyhow::Result<ExitCode> {
    logging::start(config.is_log_json);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let _lock = lock_database(&config)?;
    let app = assemble::app(&config, clock)?;
    actix_web::rt::System::new().block_on(serve(config, app))
}

async fn serve(config: Config, app: Arc<App>) -> anyhow::Result<ExitCode> {
    let signals = Signals::listen()?;
    let shared = Shared::new(Arc::clone(&app), &config);
    let listener = listen("listen", config.listen)?;
    let public = public_server(&shared, &config, listener, app.now())?;
    let device = device_server(&shared, &config, &app)?;
    let metrics = metrics_server(&shared, &config)?;
    let (stop, stopped) = watch::channel(false);
    let runners = Lane::ALL.map(|lane| tokio::spawn(jobs::run(Arc::clone(&app), lane, stopped.clone())));
    let pusher = tokio::spawn(jobs::push::run(Arc::clone(&app), stopped.clone()));
    let caller = tokio::spawn(jobs::call_agents(Arc::clone(&app), stopped.clone()));
    let kicker = tokio::spawn(jobs::kick::run(Arc::clone(&app), stopped.clone()));
    let writer = tokio::spawn(jobs::write_behind(Arc::clone(&app), stopped));

    let servers: Vec<Server> = [Some(public), device, metrics].into_iter().flatten().collect();
    let handles: Vec<_> = servers.iter().map(Server::handle).collect();
    let running = tokio::spawn(futures_util::future::join_all(servers));
    greet(&config, &app).await?;
    let notifier = Notifier::from_environment();
    notifier.ready();
    tokio::select! {
        () = signals.wait() => {}
        () = notifier.stay_alive() => {}
    }
    tracing::info!("stopping");
    notifier.stopping();
    shared.stopping.set();
    app.send_agents_home();
    futures_util::future::join_all(handles.iter().map(|handle| handle.stop(true))).await;
    for result in running.await? {
        result?;
    }
    stop.send_replace(true);
    // A job that is at work ends by itself; if it takes too long its lease does.
    let last = futures_util::future::join3(futures_util::future::join_all(runners), pusher, kicker);
    if tokio::time::timeout(Duration::from_secs(LAST_SECONDS), last).await.is_err() {
        tracing::warn!("a job was still at work; it will be taken up again");
    }
    caller.await?;
    writer.await?;
    Ok(ExitCode::SUCCESS)
}

/// The public port.
///
/// # Errors
/// The TLS files are not usable.
pub fn public_server(
    shared: &Shared,
    config: &Config,
    listener: TcpListener,
    now: crate::domain::time::Timestamp,
) -> anyhow::Result<Server> {
    let shared = shared.clone();
    let server = HttpServer::new(move || {
        ActixApp::new()
            .configure(|config| shared.put(config))
            .configure(http::configure)
            .wrap(from_fn(limit_body))
            .wrap(from_fn(refuse_ambiguous))
            .wrap(from_fn(trace))
    });
    let server = tuned!(server, config);
    Ok(match tls::public_acceptor(config, now)? {
        Some(acceptor) => server.listen_openssl(listener, acceptor)?.run(),
        None => server.listen(listener)?.run(),
    })
}

fn device_server(shared: &Shared, config: &Config, app: &App) -> anyhow::Result<Option<Server>> {
    let Some(address) = config.device_listen else { return Ok(None) };
    device_port(shared, config, listen("device-listen", address)?, app).map(Some)
}

/// The port for client certificates.
///
/// # Errors
/// The TLS files are not usable.
pub fn device_port(shared: &Shared, config: &Config, listener: TcpListener, app: &App) -> anyhow::Result<Server> {
    let shared = shared.clone();
    let acceptor = tls::device_acceptor(config, &app.authorities().device_ca.certificate, app.now())?;
    let server = HttpServer::new(move || {
        ActixApp::new()
            .configure(|config| shared.put(config))
            .configure(http::configure_device_port)
            .wrap(from_fn(limit_body))
            .wrap(from_fn(refuse_ambiguous))
            .wrap(from_fn(trace))
    })
    .on_connect(|connection, data| {
        type Stream = actix_web::rt::net::TcpStream;
        if let Some(stream) = connection.downcast_ref::<actix_tls::accept::openssl::TlsStream<Stream>>()
            && let Some(Ok(certificate)) = stream.ssl().peer_certificate().map(|certificate| certificate.to_der())
        {
            data.insert(PeerCertificate(certificate));
        }
    });
    Ok(tuned!(server, config).listen_openssl(listener, acceptor)?.run())
}

fn metrics_server(shared: &Shared, config: &Config) -> anyhow::Result<Option<Server>> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let shared = shared.clone();
    let server = HttpServer::new(move || {
        ActixApp::new().configure(|config| shared.put(config)).service(web::resource("/metrics").get(http::health::show_open_metrics))
    });
    Ok(Some(server.workers(1).disable_signals().listen(listen("metrics-listen", address)?)?.run()))
}

fn listen(option: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = TcpListener::bind(address)
        .with_context(|| format!("{option}: nothing can be served at {address}; is another server running there?"))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// One server for each SQLite file: a second one would not see what the first has in memory.
///
/// # Errors
/// Another server runs on it.
pub(super) fn lock_database(config: &Config) -> anyhow::Result<Option<std::fs::File>> {
    let DatabaseUrl::Sqlite(path) = &config.database_url else { return Ok(None) };
    assemble::private_folders(config)?;
    let name = format!("{path}-server");
    let file = std::fs::File::create(&name).with_context(|| format!("{name} cannot be written"))?;
    if file.try_lock().is_err() {
        anyhow::bail!("another server is running on the database {path}; stop it first, or use PostgreSQL for several servers");
    }
    Ok(Some(file))
}

async fn greet(config: &Config, app: &App) -> anyhow::Result<()> {
    println!("Portal   {}/", config.public_url);
    println!("Console  {}/console/", config.public_url);
    println!("API      {}/api/docs", config.public_url);
    if let Some(address) = config.device_listen {
        println!("Devices  https://{address}/ (client certificate)");
    }
    if app.needs_setup().await? {
        // For whoever starts the server. Under a service manager standard output is the journal: `enlist init` tells nobody.
        println!("Set-up   {}/console/setup/{}", config.public_url, app.setup_secret()?);
        println!("         There is no administrator yet. Open this address to become the first one; it works until there is one.");
    }
    if config.public_url.starts_with("http:") {
        println!("Warning: the address is not https, so only simulated devices can enroll; real phones will refuse it.");
    } else if config.tls == Tls::SelfSigned {
        println!("Warning: the TLS certificate is the server's own; real phones will refuse it. Set tls=files, or put a proxy in front.");
    }
    std::io::Write::flush(&mut std::io::stdout())?;
    tracing::info!(listen = %config.listen, "serving");
    Ok(())
}

/// SIGTERM and SIGINT, which are listened to from before the first request on: until then they end the process as it stands.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }

    /// Waits for the first. A second one ends the process at once.
    async fn wait(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }
}
