//! For load balancers and for Prometheus.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{api::error::ApiError, extract::caller::Caller, metrics::Metrics};
use crate::{
    domain::time::Timestamp,
    service::{App, Error},
    store::{devices, jobs, tallies},
};

/// The process is alive.
pub async fn is_alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The server can do its work: the database answers and has every migration, and the server is not about to stop.
pub async fn is_ready(app: web::Data<App>, stopping: web::Data<Stopping>) -> HttpResponse {
    if stopping.is_set() {
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body("stopping\n");
    }
    match app.is_ready().await {
        Ok(true) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Ok(false) => HttpResponse::ServiceUnavailable().content_type("text/plain").body("the database lacks migrations\n"),
        Err(_) => HttpResponse::ServiceUnavailable().content_type("text/plain").body("the database does not answer\n"),
    }
}

/// Whether the server was told to stop.
#[derive(Debug, Default)]
pub struct Stopping(std::sync::atomic::AtomicBool);

impl Stopping {
    /// Says that the server was told to stop.
    pub fn set(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// The numbers, for whoever holds a token.
pub async fn show_metrics(_caller: Caller, app: web::Data<App>, metrics: web::Data<Metrics>) -> Result<HttpResponse, ApiError> {
    measure(&app, &metrics).await
}

/// The numbers, where the address itself is kept from strangers.
pub async fn show_open_metrics(_: HttpRequest, app: web::Data<App>, metrics: web::Data<Metrics>) -> Result<HttpResponse, ApiError> {
    measure(&app, &metrics).await
}

async fn measure(app: &App, metrics: &Metrics) -> Result<HttpResponse, ApiError> {
    let (waiting, counted) =
        app.read(|conn| Ok::<_, Error>((jobs::totals(conn)?, tallies::totals(conn, &devices::Filter::default())?))).await?;
    metrics.set_jobs(&waiting);
    metrics.set_devices(counted.iter().map(|(.., count)| count).sum());
    let push = app.push_certificate().await?;
    metrics.set_push_certificate(push.expires_at.map_or(0, Timestamp::seconds), push.health.rejected.is_some());
    let text = metrics.text().map_err(|error| Error::internal("writing the metrics", error))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
