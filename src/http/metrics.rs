//! Numbers for Prometheus.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Which requests.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: String,
    status: u16,
}

/// Which jobs.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct JobKind {
    kind: String,
    state: String,
}

/// What this server counts.
pub struct Metrics {
    registry: Registry,
    requests: Family<Route, Counter<u64, AtomicU64>>,
    seconds: Histogram,
    jobs: Family<JobKind, Gauge>,
    devices: Gauge,
    push_expires: Gauge,
    push_rejected: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("enlist");
        let requests = Family::<Route, Counter<u64, AtomicU64>>::default();
        let seconds = Histogram::new(exponential_buckets(0.0005, 2.0, 14));
        let jobs = Family::<JobKind, Gauge>::default();
        let devices = Gauge::default();
        let (push_expires, push_rejected) = (Gauge::default(), Gauge::default());
        registry.register("requests", "Requests by route and status", requests.clone());
        registry.register("request_seconds", "How long requests took", seconds.clone());
        registry.register("jobs", "Jobs that wait and jobs that were given up", jobs.clone());
        registry.register("devices", "Devices", devices.clone());
        registry.register(
            "push_certificate_expires_seconds",
            "End of the push certificate in seconds since 1970; 0 without one",
            push_expires.clone(),
        );
        registry.register("push_certificate_rejected", "1 while Apple does not accept the push certificate", push_rejected.clone());
        Self { registry, requests, seconds, jobs, devices, push_expires, push_rejected }
    }
}

impl Metrics {
    /// Counts one request.
    pub fn count(&self, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Route { route: route.to_owned(), status }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Sets how many jobs there are, by kind and whether they were given up.
    pub fn set_jobs(&self, totals: &[(String, bool, i64)]) {
        self.jobs.clear();
        for (kind, is_dead, count) in totals {
            let state = if *is_dead { "dead" } else { "waiting" };
            self.jobs.get_or_create(&JobKind { kind: kind.clone(), state: state.into() }).set(*count);
        }
    }

    /// Sets how many devices there are.
    pub fn set_devices(&self, count: i64) {
        self.devices.set(count);
    }

    /// Sets where the push certificate stands.
    pub fn set_push_certificate(&self, expires_seconds: i64, is_rejected: bool) {
        self.push_expires.set(expires_seconds);
        self.push_rejected.set(i64::from(is_rejected));
    }

    /// Everything, in Prometheus' text form.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
