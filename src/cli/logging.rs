//! The log: to standard error, as text or as JSON, one line for each event.

use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log. `ENLIST_LOG_LEVEL` takes a filter such as `debug` or `enlist=trace`.
pub fn start(is_json: bool) {
    let filter = EnvFilter::try_from_env("ENLIST_LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if is_json { builder.json().flatten_event(true).try_init() } else { builder.with_ansi(false).try_init() };
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
}
